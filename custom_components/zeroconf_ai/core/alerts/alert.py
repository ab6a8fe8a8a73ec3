"""`Alert`: what happened, in one sentence for people and as facts for programs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any

from ..accounting.budget import EXCEEDED, BudgetEvent
from ..accounting.keys.key_watch import UnusualUse
from ..protocol.values import NANO, clean

_NAMES = 5
"""Providers that are named in one alert."""


class AlertKind(StrEnum):
    """What an alert is about; programs get it as `event`."""

    BUDGET_THRESHOLD = "budget_threshold"
    BUDGET_EXCEEDED = "budget_exceeded"
    KEY_UNUSUAL_USE = "key_unusual_use"
    PROVIDER_DOWN = "provider_down"
    PROVIDER_UP = "provider_up"
    PROVIDER_DISCOVERED = "provider_discovered"
    RECORDS_LOST = "records_lost"
    COST_THRESHOLD = "cost_threshold"
    LINK_DOWN = "link_down"
    LINK_UP = "link_up"
    TEST = "test"


LINK_KINDS = frozenset({AlertKind.LINK_DOWN, AlertKind.LINK_UP})
"""The kinds of a connector, whose owner gets all of them."""
CHOICES = tuple(kind for kind in AlertKind if kind not in {AlertKind.TEST, AlertKind.COST_THRESHOLD, *LINK_KINDS})
"""The kinds that an owner chooses from. Thresholds of costs are those of the file of `serve`."""
DEFAULT_KINDS = (AlertKind.BUDGET_THRESHOLD, AlertKind.BUDGET_EXCEEDED, AlertKind.KEY_UNUSUAL_USE)


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert. `words` are texts of others, by their names in `sentence`: a sender that renders markup escapes them."""

    kind: AlertKind
    title: str
    sentence: str
    words: Mapping[str, str]
    facts: Mapping[str, Any]
    """For programs, as JSON, without `event`."""
    subject: str = ""
    """What it is about; the same subject is not reported again soon."""
    topic: str = ""
    """A later alert of the same topic replaces this one where messages can be replaced."""

    def text(self, quote: Callable[[str], str] = str) -> str:
        """The sentence, with the texts of others as `quote` returns them."""
        return self.sentence.format_map({name: quote(word) for name, word in self.words.items()})

    def to_json(self) -> dict[str, Any]:
        """The facts, with the kind as `event`."""
        return {"event": self.kind.value, **self.facts}


def budget_alert(event: BudgetEvent, owner: str, currency: str, zone: tzinfo) -> Alert:
    """A threshold of a budget was reached. `owner` is the name of its key, user, provider or household."""
    budget = event.budget
    exceeded = event.threshold >= EXCEEDED
    digits = 2 if budget.amount >= NANO else 4
    also = ", and what is left does not pay for another request" if event.refused else ""
    spent, amount = event.spent / NANO, budget.amount / NANO
    renews = datetime.fromtimestamp(event.period.end, UTC)
    return Alert(
        AlertKind.BUDGET_EXCEEDED if exceeded else AlertKind.BUDGET_THRESHOLD,
        "AI budget: exceeded" if event.refused else f"AI budget: {event.threshold} % spent",
        f"{spent:.{digits}f} of {amount:.{digits}f} {{currency}} of {{name}}'s budget for this {budget.period} are spent{also}. "
        f"It renews on {renews.astimezone(zone):%Y-%m-%d}.",
        {"name": owner, "currency": currency},
        {
            "budget": budget.id,
            "scope": budget.scope.value,
            "name": owner,
            "period": budget.period.value,
            "threshold": event.threshold,
            "amount": amount,
            "spent": spent,
            "currency": currency,
            "action": budget.action.value,
            "renews": renews.isoformat(),
        },
        subject=f"{budget.id}:{event.threshold}:{event.period.start}:{event.spent}",
        topic=f"budget_{budget.id}",
    )


def key_alert(report: UnusualUse, name: str) -> Alert:
    """An API key with unusual use."""
    return Alert(
        AlertKind.KEY_UNUSUAL_USE,
        "AI API key: unusual use",
        f"The API key {{name}} made {report.requests} requests with {report.tokens} tokens in this hour; usual are "
        f"{report.usual.requests:.1f} requests with {report.usual.tokens:.0f} tokens per hour. If you do not know why, "
        "disable the API key or replace its secret in the options of the gateway.",
        {"name": name},
        {
            "key": report.key_id,
            "name": name,
            "hour": datetime.fromtimestamp(report.hour, UTC).isoformat(),
            "requests": report.requests,
            "tokens": report.tokens,
            "usual_requests": round(report.usual.requests, 3),
            "usual_tokens": round(report.usual.tokens, 3),
        },
        subject=f"{report.key_id}:{report.hour}",
        topic=f"key_{report.key_id}",
    )


def provider_alert(providers: Sequence[tuple[str, str, str | None]], *, up: bool) -> Alert:
    """Providers that stopped answering, or answer again (`up`): id, name and reason of each."""
    ids = [backend_id for backend_id, _, _ in providers]
    names = ", ".join(name for _, name, _ in providers[:_NAMES])
    more = f" and {len(providers) - _NAMES} more" if len(providers) > _NAMES else ""
    answer = "answers" if len(providers) == 1 else "answer"
    reason = (providers[0][2] or "").removeprefix(f"{names}: ") if len(providers) == 1 and not up else ""
    does = f"{answer} again" if up else ("does not answer" if len(providers) == 1 else "do not answer")
    return Alert(
        AlertKind.PROVIDER_UP if up else AlertKind.PROVIDER_DOWN,
        "AI provider: online again" if up else "AI provider: offline",
        f"{{names}}{more} {does}{' ({reason})' if reason else ''}.",
        {"names": names, "reason": clean(reason, 300).removesuffix(".")},
        {"providers": [{"id": backend_id, "name": name} for backend_id, name, _ in providers]},
        subject=",".join(sorted(ids)),
        topic=f"provider_{ids[0]}" if len(ids) == 1 else "providers",
    )


def discovered_alert(provider_id: str, name: str, host: str) -> Alert:
    """A provider that is not set up was found on the network."""
    return Alert(
        AlertKind.PROVIDER_DISCOVERED,
        "AI provider: discovered",
        "{name} at {host} was found on the network. Nothing is sent to it unless you add it.",
        {"name": name, "host": host},
        {"id": provider_id, "name": name, "host": host},
        subject=provider_id,
        topic=f"discovered_{provider_id}",
    )


def loss_alert() -> Alert:
    """The accounting database was lost or damaged."""
    return Alert(
        AlertKind.RECORDS_LOST,
        "AI records: lost",
        "The database with API keys, budgets and records was lost or damaged. Providers that cost money stay closed until you "
        "confirm the loss.",
        {},
        {},
        topic="records_lost",
    )


def cost_alert(month: str, threshold: int, spent: int, currency: str) -> Alert:
    """The cost of a month (`2026-11`) reached a threshold; both in nano-units."""
    return Alert(
        AlertKind.COST_THRESHOLD,
        f"AI cost: {threshold / NANO:.2f} reached",
        f"{spent / NANO:.2f} {{currency}} were spent on AI in {month}; you wanted to know from {threshold / NANO:.2f} on.",
        {"currency": currency},
        {"month": month, "threshold": threshold / NANO, "spent": spent / NANO, "currency": currency},
        subject=f"{month}:{threshold}",
        topic="cost",
    )


def link_alert(house_id: str, name: str, reason: str, attempts: int) -> Alert:
    """The link of a connector to the house `name` is down.

    `attempts`: how many attempts in a row have failed; `reason`: why the last of them failed.
    """
    tried = f" in {attempts} attempts" if attempts > 1 else ""
    return Alert(
        AlertKind.LINK_DOWN,
        "AI link: down",
        f"{{name}} was not reached{tried} ({{reason}}). It cannot use the models of this machine until then; the "
        "connector goes on trying.",
        {"name": name, "reason": clean(reason, 300).removesuffix(".")},
        {"id": house_id, "name": name, "reason": clean(reason, 300), "attempts": attempts},
        subject=house_id,
        topic=f"link_{house_id}",
    )


def link_restored_alert(house_id: str, name: str) -> Alert:
    """A connector's link that was reported is open again."""
    return Alert(
        AlertKind.LINK_UP,
        "AI link: open again",
        "{name} uses the models of this machine again.",
        {"name": name},
        {"id": house_id, "name": name},
        subject=house_id,
        topic=f"link_{house_id}",
    )


def trial_alert(name: str) -> Alert:
    """An alert with which an owner tries where alerts go; `name` is the gateway's."""
    return Alert(
        AlertKind.TEST,
        "AI alert: test",
        "This is a test alert of {name}. Alerts reach you here.",
        {"name": name},
        {"name": name},
        topic="test",
    )
