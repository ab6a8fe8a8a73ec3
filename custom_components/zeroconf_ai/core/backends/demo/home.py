"""Reads the devices that Home Assistant lists in a prompt: YAML with names, domain, state and areas."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
import re
from typing import Any

_ENTRY = re.compile(r"^- names: *(?P<names>.+)\n(?P<rest>(?:  .*\n?)*)", re.MULTILINE)
_FIELD = re.compile(r"^ {2}(?:  )?(\w+): *'?(.*?)'?$", re.MULTILINE)
_FILLERS = frozenset("a an the my our of in on at please now all both any is are it that this to from state status".split())


@dataclass(frozen=True, slots=True)
class Device:
    """One device of a prompt."""

    names: tuple[str, ...]
    domain: str = ""
    areas: tuple[str, ...] = ()
    state: str = ""
    unit: str = ""

    @property
    def name(self) -> str:
        """The first of its names."""
        return self.names[0]

    @property
    def state_with_unit(self) -> str:
        """Its state and unit as text."""
        return f"{self.state} {self.unit}".strip()


def read_devices(text: str) -> list[Device]:
    """The devices listed in `text`."""
    devices = []
    for entry in _ENTRY.finditer(text):
        fields = dict(_FIELD.findall(entry["rest"]))
        devices.append(
            Device(
                names=tuple(name for part in entry["names"].strip(" '\"").split(",") if (name := part.strip())),
                domain=fields.get("domain", ""),
                areas=tuple(area for part in fields.get("areas", "").split(",") if (area := part.strip())),
                state=fields.get("state", ""),
                unit=fields.get("unit_of_measurement", ""),
            )
        )
    return [device for device in devices if device.names]


def devices_in_prompt(messages: Iterable[Mapping[str, Any]]) -> list[Device]:
    """The devices that the system messages list."""
    return [device for text in _system_texts(messages) for device in read_devices(text + "\n")]


def stems(text: str) -> frozenset[str]:
    """The significant words of `text`, in lower case and singular."""
    words = re.findall(r"[^\W_]+", text.casefold())
    return frozenset(_singular(word) for word in words if word not in _FILLERS)


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def find(devices: Iterable[Device], spoken: str) -> list[Device]:
    """The devices that `spoken` may mean: by exact name, else by name and area or kind, else by a part of the name."""
    devices = list(devices)
    if exact := [device for device in devices if spoken.strip().casefold() in map(str.casefold, device.names)]:
        return exact[:1]
    said = stems(spoken)
    if not said:
        return []
    same = [device for device in devices if any(stems(name) == said for name in device.names)]
    if same:
        return same[:1]
    described = [device for device in devices if _describes(device, said)]
    return described or [device for device in devices if any(said < stems(name) for name in device.names)]


def _describes(device: Device, said: frozenset[str]) -> bool:
    """Whether `said` consists of its name and, optionally, its area or kind ("the desk lamp in the office")."""
    known = frozenset[str]().union(*map(stems, device.areas), stems(device.domain.replace("_", " ")))
    return any(name and name <= said and said - name <= known for name in map(stems, device.names))


def area_and_domain(devices: Iterable[Device], spoken: str) -> tuple[str, str] | None:
    """(area, domain) if `spoken` consists of these ("kitchen lights"), else None."""
    said = stems(spoken)
    for device in devices:
        for area in device.areas:
            if device.domain and said == stems(area) | stems(device.domain.replace("_", " ")):
                return area, device.domain
    return None


def _system_texts(messages: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for message in messages:
        if message.get("role") in ("system", "developer"):
            yield text_of(message)


def text_of(message: Mapping[str, Any]) -> str:
    """The text parts of a message."""
    content = message.get("content")
    if isinstance(content, list):
        texts = [part for part in content if isinstance(part, Mapping) and part.get("type") == "text"]
        return "\n".join(str(part.get("text") or "") for part in texts)
    return content if isinstance(content, str) else ""
