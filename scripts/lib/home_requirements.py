"""Prints the requirements of every Home Assistant component that the developer's home loads, for pyproject's group `home`.

Run it after a change of Home Assistant's version: `.venv/bin/python scripts/lib/home_requirements.py`. Home Assistant
installs a missing requirement at start, which takes half a minute each where there is no internet.
"""

import json
from pathlib import Path
import sys

import homeassistant

COMPONENTS = Path(homeassistant.__file__).parent / "components"
BASE = {
    "ai_task", "api", "assist_pipeline", "auth", "config", "conversation", "default_config", "demo", "frontend", "history",
    "http", "input_boolean", "intent", "llm", "logbook", "onboarding", "person", "recorder", "script", "sun", "system_health",
    "system_log", "template", "websocket_api", "zeroconf",
}  # fmt: skip


def manifest(domain: str) -> dict:
    """The component's manifest, or an empty one where there is no such component."""
    path = COMPONENTS / domain / "manifest.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def closure(domains: set[str]) -> set[str]:
    """All components that loading `domains` makes Home Assistant look at."""
    seen: set[str] = set()
    queue = [(domain, True) for domain in domains if domain != "default_config"]
    while queue:
        domain, loaded = queue.pop()
        if domain in seen:
            continue
        seen.add(domain)
        info = manifest(domain)
        queue += [(name, loaded) for name in info.get("dependencies", [])]
        queue += [(name, False) for name in info.get("after_dependencies", [])]
    return seen


def main() -> None:
    """Print a sorted list, one requirement a line."""
    found = {
        f"{requirement}  # {domain}"
        for domain in closure(BASE)
        for requirement in manifest(domain).get("requirements", [])
    }
    sys.stdout.write("\n".join(sorted(found, key=str.lower)) + "\n")


if __name__ == "__main__":
    main()
