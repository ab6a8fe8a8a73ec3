"""Usage reports: by day from the sums that are kept for long, by hour and by address from the records of the last days."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, TypedDict

from ..accounting.prices.energy import WATT_SECONDS_PER_KWH
from ..accounting.usage import export
from ..accounting.usage.ledger import Ledger
from ..accounting.usage.record_search import GROUP_LIMIT, RecordFilter
from ..accounting.usage.rollups import Group
from ..protocol.errors import InvalidRequestError
from ..protocol.values import NANO
from .names import Names

ROW_LIMIT = 5_000
"""Rows of a report."""
_MOST_DAYS = 1830


class RecentGroup(StrEnum):
    """The dimensions of a report on the records that are still kept."""

    HOUR = "hour"
    ADDRESS = "address"


class UsageReport(TypedDict):
    """Rows as `GET /v1/usage` returns them, with the names of keys and users.

    `complete`: False if there are more rows than `ROW_LIMIT`, or than the `GROUP_LIMIT` of the records.
    """

    start: str
    end: str
    time_zone: str
    group_by: list[str]
    rows: list[dict[str, Any]]
    total: dict[str, Any]
    complete: bool


async def report_by(
    ledger: Ledger,
    names: Names,
    start: date | None,
    end: date | None,
    group_by: Sequence[str],
    *,
    user_id: str | None = None,
    label: str | None = None,
) -> UsageReport:
    """The usage of a range of days (default: this month) by groups of one of the two kinds.

    `label` restricts it to the keys with this label.

    Raises InvalidRequestError for an invalid range or invalid groups, DatabaseError.
    """
    end = end or ledger.totals.date
    start = start or end.replace(day=1)
    if not timedelta(0) <= end - start <= timedelta(days=_MOST_DAYS):
        raise InvalidRequestError("The first day must not be after the last, or more than five years before it.")
    names_of_groups = list(dict.fromkeys(group_by))
    recent = [RecentGroup(name) for name in names_of_groups if name in set(RecentGroup)]
    if not recent:
        try:
            groups = [Group(name) for name in names_of_groups]
        except ValueError:
            known = ", ".join((*Group, *RecentGroup))
            raise InvalidRequestError(f"Group by one or more of: {known}.", param="group_by") from None
        return await usage_report(ledger, names, start, end, groups, user_id=user_id, label=label)
    if len(recent) < len(names_of_groups):
        raise InvalidRequestError("Hours and addresses cannot be combined with other groups.", param="group_by")
    return await recent_usage_report(ledger, start, end, recent, user_id=user_id, label=label)


async def usage_report(
    ledger: Ledger,
    names: Names,
    start: date,
    end: date,
    group_by: Sequence[Group],
    *,
    key_id: str | None = None,
    user_id: str | None = None,
    label: str | None = None,
) -> UsageReport:
    """The usage from `start` to `end`, inclusive, by up to all dimensions. Raises DatabaseError."""
    uses, total = await ledger.usage_and_total(
        start, end, group_by, key_id=key_id, user_id=user_id, label=label, limit=ROW_LIMIT + 1
    )
    rows = [export.usage_row(use) for use in uses[:ROW_LIMIT]]
    for row in rows:
        _add_names(row, names)
    return {
        "start": start.isoformat(),
        "end": end.isoformat(),
        "time_zone": str(ledger.totals.zone),
        "group_by": [group.value for group in group_by],
        "rows": rows,
        "total": export.usage_row(total),
        "complete": len(uses) <= ROW_LIMIT,
    }


async def recent_usage_report(
    ledger: Ledger,
    start: date,
    end: date,
    group_by: Sequence[RecentGroup],
    *,
    key_id: str | None = None,
    user_id: str | None = None,
    label: str | None = None,
) -> UsageReport:
    """The usage by hour, by address or by both, as far back as records are kept. Raises DatabaseError."""
    zone = ledger.totals.zone
    moments = [datetime.combine(day, time(), zone).timestamp() for day in (start, end + timedelta(days=1))]
    wanted = RecordFilter(moments[0], moments[1], key_id=key_id, user_id=user_id, label=label)
    by_hour, by_address = RecentGroup.HOUR in group_by, RecentGroup.ADDRESS in group_by
    found = await ledger.sums(wanted, by_hour=by_hour, by_address=by_address)
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    total = _nothing()
    for sums in found:
        group: dict[str, Any] = {}
        if by_hour:
            group["hour"] = datetime.fromtimestamp(float(sums["hour"]), UTC).isoformat()
        if by_address:
            group["address"] = sums["address"]
        row = rows.setdefault(tuple(group.values()), group | _nothing())
        for into in (row, total):
            for name in ("requests", "errors"):
                into[name] += int(sums[name])
            into["tokens_prompt"] += int(sums["prompt_tokens"])
            into["tokens_completion"] += int(sums["completion_tokens"])
            into["energy_kwh"] += float(sums["energy"]) / WATT_SECONDS_PER_KWH
            currency = sums["currency"]
            for name, known in (("cost", sums["priced"]), ("energy_cost", sums["energy_cost"])):
                if known:
                    into[name][currency] = into[name].get(currency, 0.0) + int(sums[name]) / NANO
    return {
        "start": start.isoformat(),
        "end": end.isoformat(),
        "time_zone": str(zone),
        "group_by": [group.value for group in group_by],
        "rows": list(rows.values()),
        "total": total,
        "complete": len(found) < GROUP_LIMIT,
    }


def _nothing() -> dict[str, Any]:
    counts: dict[str, Any] = dict.fromkeys(("requests", "errors", "tokens_prompt", "tokens_completion"), 0)
    return counts | {"energy_kwh": 0.0, "cost": {}, "energy_cost": {}}


def _add_names(row: dict[str, Any], names: Names) -> None:
    """The names of today instead of those at the time of the requests, where key and user still exist."""
    if key_id := row.get(Group.KEY.value):
        row["key_name"] = names.key(key_id) or row.get("key_name") or key_id
    if user_id := row.get(Group.USER.value):
        row["user_name"] = names.user(user_id) or user_id
