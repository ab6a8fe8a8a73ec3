"""Checks for a release: the version is the same everywhere, and CHANGELOG.md has its section.

`release.py check [TAG]` compares pyproject.toml, the integration's manifest, the package's `__version__`, the npm packages and,
if given, the tag (`v0.1.0`). `release.py notes` prints this version's section of the changelog. Standard library only, so that it
runs before anything is installed.
"""

import json
from pathlib import Path
import re
import sys
import tomllib

ROOT = Path(__file__).resolve().parents[2]
INTEGRATION = ROOT / "custom_components" / "zeroconf_ai"
NPM = ("clients/typescript/package.json", "frontend/package.json")
"""The published client, and the page, whose version is in the software bill of materials."""


_NPM_STAGES = {"alpha": "a", "beta": "b", "rc": "rc"}


def python_version(npm: str) -> str:
    """The Python spelling of an npm version: `1.0.0-beta.2` is `1.0.0b2`."""
    return re.sub(r"-(alpha|beta|rc)\.(\d+)$", lambda found: _NPM_STAGES[found[1]] + found[2], npm)


def versions() -> dict[str, str]:
    """The version by file; empty if a file has none."""
    package = re.search(r'^__version__ = "(.+)"$', (INTEGRATION / "core" / "version.py").read_text(), re.MULTILINE)
    return {
        "pyproject.toml": tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"],
        "manifest.json": json.loads((INTEGRATION / "manifest.json").read_text()).get("version", ""),
        "core/version.py": package[1] if package else "",
    } | {name: python_version(json.loads((ROOT / name).read_text()).get("version", "")) for name in NPM}


def notes(changelog: str, version: str) -> str:
    """The section under `## [version]`, without its heading; empty if there is none."""
    section = re.search(rf"^## \[{re.escape(version)}\].*?\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return section[1].strip() if section else ""


def main(arguments: list[str]) -> int:
    """Run one of the two commands; 1 if something is amiss, 2 if it was called in another way."""
    found = versions()
    match arguments:
        case ["check"]:
            pass
        case ["check", tag]:
            found["the tag"] = tag.removeprefix("v")
        case ["notes"]:
            text = notes((ROOT / "CHANGELOG.md").read_text(), found["pyproject.toml"])
            print(text or f"CHANGELOG.md has no section for {found['pyproject.toml']}")
            return 0 if text else 1
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    if len(set(found.values())) == 1:
        return 0
    print("the versions differ: " + ", ".join(f"{where} has {version!r}" for where, version in found.items()))
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
