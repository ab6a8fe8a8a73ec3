"""The list prices of one provider and of one model, as `list_export` gives them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cached_property
import re
from typing import Any

from ...protocol.json import loads
from ...protocol.prices import CHARACTERS, MINUTE, RATES, UNIT_RATES, Prices, Tier
from ...protocol.values import NANO

_COMPACT_DATE = re.compile(r"(?<=-)(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")
"""As LiteLLM and OpenRouter write it: gpt-5.2-20251211."""


@dataclass(frozen=True, slots=True)
class ListedModel:
    """The prices of one model: the last ones whose condition is met, else the first."""

    conditional: tuple[tuple[Sequence[str] | None, Prices | None], ...] = ()
    context_window: int | None = None
    embeds: bool = False
    """Whether it is a model for embeddings: it is billed by the tokens of its input only."""

    @classmethod
    def parse(cls, model: Mapping[str, Any]) -> "ListedModel":
        """From an entry of `models`."""
        entries = model["prices"]
        embeds = bool(entries) and all("input" in rates and "output" not in rates for _, rates in entries)
        return cls(tuple((when, _prices(rates)) for when, rates in entries), model["window"], embeds)

    def now(self) -> Prices | None:
        """The prices at this time; None if the model is not billed by token."""
        if len(self.conditional) < 2:
            return self.conditional[0][1] if self.conditional else None
        moment = datetime.now(UTC)
        met = (prices for when, prices in reversed(self.conditional) if _is_met(when, moment))
        return next(met, self.conditional[0][1])


UNKNOWN = ListedModel()


class ListedProvider:
    """The models of a provider, which are decoded when one of them is looked up."""

    def __init__(self, line: bytes) -> None:
        """`line`: of the export."""
        self._line = line
        head = loads(line)
        self.id: str = head["id"]
        self.url: str = head["url"]
        """A pattern of the addresses of its API."""

    def find(self, model: str, providers: Mapping[str, "ListedProvider"]) -> ListedModel:
        """A model by its id, in any spelling that the list knows; `UNKNOWN` for an id that it does not have."""
        name = model.lower()
        for spelling in dict.fromkeys((name, _COMPACT_DATE.sub(_with_dashes, name))):
            others = (providers[each] for each in self._content["fallbacks"] if each in providers)
            for provider in (self, *others):
                for entry in provider._content["models"]:
                    if _matches(entry["match"], spelling):
                        return ListedModel.parse(entry)
        return UNKNOWN

    @cached_property
    def _content(self) -> Mapping[str, Any]:
        content: Mapping[str, Any] = loads(self._line)
        return content


def _with_dashes(found: re.Match[str]) -> str:
    try:
        return date(*map(int, found.groups())).isoformat()
    except ValueError:  # no day of the calendar
        return found[0]


def _matches(clause: Sequence[Any], text: str) -> bool:
    """Whether a clause of the list is met by a lower-case id."""
    operator, value = clause
    match operator:
        case "or":
            return any(_matches(each, text) for each in value)
        case "and":
            return all(_matches(each, text) for each in value)
        case "equals":
            return bool(text == value.lower())
        case "starts_with":
            return text.startswith(value.lower())
        case "ends_with":
            return text.endswith(value.lower())
        case "contains":
            return value.lower() in text
    return re.search(value, text) is not None


def _is_met(when: Sequence[str] | None, moment: datetime) -> bool:
    """From a date on, or between two times of the day, which may be before and after midnight; None: always."""
    if when is None:
        return True
    if len(when) == 1:
        return moment.date() >= date.fromisoformat(when[0])
    start, end = (_in_utc(time.fromisoformat(each)) for each in when)
    now = moment.timetz()
    return start <= now < end if start <= end else now >= start or now < end


def _in_utc(value: time) -> time:
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return datetime.combine(date(1970, 1, 1), value).astimezone(UTC).timetz()


type _Rate = tuple[Decimal, Sequence[tuple[int, Decimal]]]
"""The amount, and those above a number of prompt tokens."""


def _prices(rates: Mapping[str, Any]) -> Prices | None:
    """None if the model is billed by neither token nor unit."""
    given = {name: (Decimal(base), [(start, Decimal(price)) for start, price in tiers]) for name, (base, tiers) in rates.items()}
    if given.keys().isdisjoint(("input", *UNIT_RATES)):
        return None
    tiers = tuple(Tier(start, _at(given, start + 1)) for start in sorted(set(_starts(given.values()))))
    return replace(_at(given, 0), tiers=tiers)


def _starts(rates: Iterable[_Rate]) -> Iterator[int]:
    return (start for _, tiers in rates for start, _ in tiers)


def _at(given: Mapping[str, _Rate], prompt_tokens: int) -> Prices:
    """The rates for a prompt of that length; embeddings have no output rate."""
    rates = {name: _rate(given.get(name), prompt_tokens) for name in RATES}
    return Prices(
        rates["input"] or 0,
        rates["output"] or 0,
        rates["cached"],
        rates["reasoning"],
        cache_write=rates["cache_write"],
        cache_write_1h=rates["cache_write_1h"],
        minute=rates[MINUTE],
        characters=rates[CHARACTERS],
        audio=rates["audio"],
    )


def _rate(given: _Rate | None, prompt_tokens: int) -> int | None:
    if given is None:
        return None
    base, tiers = given
    price = next((price for start, price in reversed(tiers) if prompt_tokens > start), base)
    return round(price * NANO) if price >= 0 else None
