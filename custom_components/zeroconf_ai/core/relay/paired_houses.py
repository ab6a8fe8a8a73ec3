"""The houses that a connector is paired with, in one file that only the system's user can read. All functions block."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass, replace
import os
from pathlib import Path
from typing import Any

import orjson

from ..protocol import json
from ..protocol.values import clean, mapping

_MAX_BYTES = 256 * 1024
_KEY_BYTES = 32
_MAX_NAME = 63
MOST_HOUSES = 32


class StateError(Exception):
    """The file cannot be read or written. The message says which and why."""


@dataclass(frozen=True, slots=True)
class PairedHouse:
    """A house or a broker."""

    url: str
    """The address of the house's WebSocket."""
    key: bytes
    """Its public key, 32 bytes."""
    name: str
    id: str
    """The connector's own id there."""
    pin: str | None = None
    """The fingerprint of its TLS certificate; None: the certificate is verified by the system's authorities."""
    house_id: str = ""
    """The id of the house itself, for which its certificates sign their successors; "" until it has welcomed the connector."""

    @property
    def base_url(self) -> str:
        """The base URL of the house's API."""
        return self.url.replace("ws", "http", 1).removesuffix("/relay")


def load_houses(file: Path) -> tuple[PairedHouse, ...]:
    """The houses in a file, which need not exist. Raises StateError: a damaged file is never replaced."""
    try:
        with file.open("rb") as opened:
            found = json.loads(opened.read(_MAX_BYTES))
        return tuple(_house(mapping(item)) for item in found["houses"])
    except FileNotFoundError:
        return ()
    except OSError as err:
        raise StateError(f"{file} cannot be read: {err.strerror or err}.") from None
    except (json.JSONDecodeError, KeyError, TypeError, ValueError):
        raise StateError(f"{file} is damaged. Remove it and pair again.") from None


def save_houses(file: Path, houses: Iterable[PairedHouse]) -> None:
    """Replace the file. Raises StateError."""
    content = {"houses": [_to_json(house) for house in houses]}
    fresh = file.with_name(f"{file.name}.new")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(orjson.dumps(content))
            opened.flush()
            os.fsync(opened.fileno())
        fresh.replace(file)
    except OSError as err:
        raise StateError(f"{file} cannot be written: {err.strerror or err}.") from None


def with_house(houses: Iterable[PairedHouse], new: PairedHouse) -> tuple[PairedHouse, ...]:
    """The houses and a new one, which replaces the one at the same address. Raises StateError if they are too many."""
    found = (*(house for house in houses if house.url != new.url), new)
    if len(found) > MOST_HOUSES:
        raise StateError(f"At most {MOST_HOUSES} houses are possible. Forget one: zeroconf-ai connect HOST --forget")
    return found


def welcomed(house: PairedHouse, house_id: str, name: str) -> PairedHouse:
    """The house with the id and the name by which it welcomed the connector."""
    return replace(house, name=name or house.name, house_id=house_id)


def _house(found: Any) -> PairedHouse:
    """Raises KeyError, TypeError and ValueError for anything that `_to_json` does not return."""
    key = urlsafe_b64decode(found["key"])
    url, pin = found["url"], found.get("pin")
    if len(key) != _KEY_BYTES or not isinstance(url, str) or not (pin is None or isinstance(pin, str)):
        raise ValueError
    name, own_id, house_id = (clean(str(text), _MAX_NAME) for text in (found["name"], found["id"], found.get("house") or ""))
    return PairedHouse(url, key, name, own_id, pin, house_id)


def _to_json(house: PairedHouse) -> dict[str, Any]:
    key = urlsafe_b64encode(house.key).decode()
    found = {"url": house.url, "key": key, "name": house.name, "id": house.id, "pin": house.pin, "house": house.house_id}
    return {name: value for name, value in found.items() if value}
