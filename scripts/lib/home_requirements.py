"""Prints the requirements of every Home Assistant component that the developer's home loads, for pyproject's group `home`.

Run it after a change of Home Assistant's version: `PYTHONPATH=scripts/lib .venv/bin/python scripts/lib/home_requirements.py`.
Home Assistant installs a missing requirement at start, which takes half a minute each where there is no internet.
"""

import json
from pathlib import Path
import sys
from typing import Any

from devhome.config_folder import INTEGRATION, configured_components
import homeassistant
from homeassistant.bootstrap import DEFAULT_INTEGRATIONS

COMPONENTS = Path(homeassistant.__file__).parent / "components"


def manifest(folder: Path) -> dict[str, Any]:
    """The component's manifest, or an empty one where there is no such component."""
    path = folder / "manifest.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def loaded_components() -> set[str]:
    """All components that a start loads, with what they depend on, or would use if it were there."""
    known = {INTEGRATION.name: manifest(INTEGRATION)}
    waiting = {*DEFAULT_INTEGRATIONS, *configured_components(), INTEGRATION.name}
    seen: set[str] = set()
    while waiting:
        domain = waiting.pop()
        seen.add(domain)
        found = known.get(domain) or manifest(COMPONENTS / domain)
        waiting |= {*found.get("dependencies", []), *found.get("after_dependencies", [])} - seen
    return seen


def main() -> None:
    """Print a sorted list, one requirement a line."""
    found = {
        f"{requirement}  # {domain}"
        for domain in loaded_components()
        for requirement in manifest(COMPONENTS / domain).get("requirements", [])
    }
    sys.stdout.write("\n".join(sorted(found, key=str.lower)) + "\n")


if __name__ == "__main__":
    main()
