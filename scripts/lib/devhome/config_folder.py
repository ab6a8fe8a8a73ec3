"""Home Assistant's configuration folder: what has to be in it before the first start."""

from collections.abc import Sequence
import json
from pathlib import Path
import re
from typing import Any

from . import REPOSITORY, DevHomeError

TEMPLATE = Path(__file__).with_name("configuration.yaml")
INTEGRATION = REPOSITORY / "custom_components" / "zeroconf_ai"


def prepare(folder: Path, *, port: int, listen: Sequence[str] = ()) -> None:
    """Make or bring up to date a configuration folder. A `configuration.yaml` that is not ours is left alone.

    `listen` are the addresses that Home Assistant's web server takes requests on, all if empty.
    Raises DevHomeError if the folder holds another copy of the integration.
    """
    (folder / "packages").mkdir(parents=True, exist_ok=True)
    (folder / ".storage").mkdir(exist_ok=True)
    template = TEMPLATE.read_text(encoding="utf-8")
    configuration = folder / "configuration.yaml"
    if not configuration.exists() or first_line(configuration) == first_line(TEMPLATE):
        configuration.write_text(template, encoding="utf-8")
    for name, empty in (("automations.yaml", "[]\n"), ("scenes.yaml", "[]\n"), ("scripts.yaml", "{}\n")):
        if not (folder / name).exists():
            (folder / name).write_text(empty, encoding="utf-8")
    link_integration(folder)
    set_port(folder / ".storage" / "http", port, listen)
    skip_onboarding_downloads(folder / ".storage" / "onboarding")


def configured_components() -> set[str]:
    """The components that our `configuration.yaml` names, and Home Assistant's own core."""
    parts = re.findall(r"^(\w+):", TEMPLATE.read_text(encoding="utf-8"), re.MULTILINE)
    return {"homeassistant", "persistent_notification", *parts}


def first_line(path: Path) -> str:
    """The first line of a text file, empty if it has none."""
    return next(iter(path.read_text(encoding="utf-8").splitlines()), "")


def link_integration(folder: Path) -> None:
    """Let Home Assistant load the integration from this checkout."""
    link = folder / "custom_components" / INTEGRATION.name
    link.parent.mkdir(exist_ok=True)
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        raise DevHomeError(f"{link} is a copy of the integration: remove it to run the one of this checkout")
    link.symlink_to(INTEGRATION)


def set_port(store: Path, port: int, listen: Sequence[str]) -> None:
    """Set the web server's port where Home Assistant keeps it; since 2026.10 one in YAML is only tried for five minutes."""
    wanted: dict[str, Any] = {"server_port": port}
    if listen:
        wanted["server_host"] = [*listen]
    if not store.exists():
        # The store's first version held just the settings, and Home Assistant brings it up to date with all defaults.
        write_json(store, {"version": 1, "minor_version": 1, "key": "http", "data": wanted})
        return
    stored = json.loads(store.read_text(encoding="utf-8"))
    settings = stored["data"] if stored["version"] == 1 else stored["data"]["stable"]
    settings.pop("server_host", None)
    settings.update(wanted)
    write_json(store, stored)


def skip_onboarding_downloads(store: Path) -> None:
    """Mark the steps after the owner's creation as done, unless onboarding has begun.

    The step for the home's location would set up weather, radio and speech services, which install packages and ask the
    internet; the one for analytics would too.
    """
    if not store.exists():
        done = {"done": ["core_config", "analytics", "integration"]}
        write_json(store, {"version": 4, "minor_version": 1, "key": "onboarding", "data": done})


def write_json(path: Path, value: Any) -> None:
    """Write a file that only its owner may read, as Home Assistant's own private stores are."""
    path.touch(mode=0o600)
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")
