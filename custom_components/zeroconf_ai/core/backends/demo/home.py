"""What a prompt says of the home: Home Assistant lists its devices there, as YAML with names, domain, state and areas."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
import re
from typing import Any

_ENTRY = re.compile(r"^- names: *(?P<names>.+)\n(?P<rest>(?:  .*\n?)*)", re.MULTILINE)
_FIELD = re.compile(r"^ {2}(?:  )?(\w+): *'?(.*?)'?$", re.MULTILINE)
_FILLERS = frozenset("a an the my our of in on at please now all both any is are it that this to from state status".split())


@dataclass(frozen=True, slots=True)
class Thing:
    """One device as the prompt tells of it."""

    names: tuple[str, ...]
    domain: str = ""
    areas: tuple[str, ...] = ()
    state: str = ""
    unit: str = ""

    @property
    def name(self) -> str:
        """What it is called first."""
        return self.names[0]

    @property
    def told_state(self) -> str:
        """Its state with the unit, as one would say it."""
        return f"{self.state} {self.unit}".strip()


def read_things(text: str) -> list[Thing]:
    """The devices listed in `text`."""
    things = []
    for entry in _ENTRY.finditer(text):
        fields = dict(_FIELD.findall(entry["rest"]))
        things.append(
            Thing(
                names=tuple(name for part in entry["names"].strip(" '\"").split(",") if (name := part.strip())),
                domain=fields.get("domain", ""),
                areas=tuple(area for part in fields.get("areas", "").split(",") if (area := part.strip())),
                state=fields.get("state", ""),
                unit=fields.get("unit_of_measurement", ""),
            )
        )
    return [thing for thing in things if thing.names]


def things_in_prompt(messages: Iterable[Mapping[str, Any]]) -> list[Thing]:
    """The devices that the system messages list."""
    return [thing for text in _system_texts(messages) for thing in read_things(text + "\n")]


def stems(text: str) -> frozenset[str]:
    """The words of `text` that say what is meant, without case and plural."""
    words = re.findall(r"[^\W_]+", text.casefold())
    return frozenset(_singular(word) for word in words if word not in _FILLERS)


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def find(things: Iterable[Thing], spoken: str) -> list[Thing]:
    """The things that `spoken` may mean: those of exactly that name, else those that it abbreviates or says more about."""
    things = list(things)
    if exact := [thing for thing in things if spoken.strip().casefold() in map(str.casefold, thing.names)]:
        return exact[:1]
    said = stems(spoken)
    if not said:
        return []
    same = [thing for thing in things if any(stems(name) == said for name in thing.names)]
    if same:
        return same[:1]
    described = [thing for thing in things if _describes(thing, said)]
    return described or [thing for thing in things if any(said < stems(name) for name in thing.names)]


def _describes(thing: Thing, said: frozenset[str]) -> bool:
    """Whether `said` is its name and besides nothing but its area or kind ("the desk lamp in the office")."""
    known = frozenset[str]().union(*map(stems, thing.areas), stems(thing.domain.replace("_", " ")))
    return any(name and name <= said and said - name <= known for name in map(stems, thing.names))


def area_and_domain(things: Iterable[Thing], spoken: str) -> tuple[str, str] | None:
    """The area and the kind of device, where `spoken` is just these ("kitchen lights"), else None."""
    said = stems(spoken)
    for thing in things:
        for area in thing.areas:
            if thing.domain and said == stems(area) | stems(thing.domain.replace("_", " ")):
                return area, thing.domain
    return None


def _system_texts(messages: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for message in messages:
        if message.get("role") in ("system", "developer"):
            yield text_of(message)


def text_of(message: Mapping[str, Any]) -> str:
    """A message's text; parts that are none are left out."""
    content = message.get("content")
    if isinstance(content, list):
        texts = [part for part in content if isinstance(part, Mapping) and part.get("type") == "text"]
        return "\n".join(str(part.get("text") or "") for part in texts)
    return content if isinstance(content, str) else ""
