"""Usage reports: by day from the sums that are kept for long, by hour and by address from the records of the last days."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, TypedDict

from ..accounting.prices.energy import WATT_SECONDS_PER_KWH
from ..accounting.usage import export
from ..accounting.usage.ledger import Ledger
from ..accounting.usage.record_search import GROUP_LIMIT, RecordFilter, SumGroups
from ..accounting.usage.rollups import ALL, Group, UsageFilter
from ..protocol.errors import InvalidRequestError
from ..protocol.values import NANO
from .names import Names

ROW_LIMIT = 5_000
"""Rows of a report."""
_MOST_DAYS = 1830
_RECENT_DAYS = 62
"""Days of a report on records by day; they are kept for a week unless the owner of a program decides otherwise."""


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


@dataclass(frozen=True, slots=True)
class ReportQuery:
    """What a report is about. `address` is known of records only: with it, a report reaches as far back as they are kept."""

    start: date | None = None
    """None: the first of the month of `end`."""
    end: date | None = None
    """Included. None: today."""
    group_by: Sequence[str] = ("day",)
    only: UsageFilter = ALL
    address: str | None = None


async def report_by(ledger: Ledger, names: Names, query: ReportQuery) -> UsageReport:
    """The usage of a range of days by groups.

    Raises InvalidRequestError for an invalid range or invalid groups, DatabaseError.
    """
    end = query.end or ledger.totals.date
    start = query.start or end.replace(day=1)
    if not timedelta(0) <= end - start <= timedelta(days=_MOST_DAYS):
        raise InvalidRequestError("The first day must not be after the last, or more than five years before it.", param="start")
    wanted = list(dict.fromkeys(query.group_by))
    known = {*Group, *RecentGroup}
    if unknown := [name for name in wanted if name not in known]:
        raise InvalidRequestError(f"There is no group '{unknown[0]}'. Group by: {', '.join(sorted(known))}.", param="group_by")
    if query.address is None and set(RecentGroup).isdisjoint(wanted):
        return await usage_report(ledger, names, start, end, [Group(name) for name in wanted], only=query.only)
    return await recent_usage_report(ledger, names, start, end, wanted, only=query.only, address=query.address)


async def usage_report(
    ledger: Ledger, names: Names, start: date, end: date, group_by: Sequence[Group], *, only: UsageFilter = ALL
) -> UsageReport:
    """The usage from `start` to `end`, inclusive, by up to all dimensions. Raises DatabaseError."""
    uses, total = await ledger.usage_and_total(start, end, group_by, only=only, limit=ROW_LIMIT + 1)
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
    names: Names,
    start: date,
    end: date,
    group_by: Sequence[str],
    *,
    only: UsageFilter = ALL,
    address: str | None = None,
) -> UsageReport:
    """The usage from the records, also by hour and address, as far back as they are kept and at most `_RECENT_DAYS`.

    Raises DatabaseError.
    """
    zone = ledger.totals.zone
    start = max(start, end - timedelta(days=_RECENT_DAYS - 1))
    days = [start + timedelta(days=number) for number in range((end - start).days + 1)]
    midnights = [datetime.combine(day, time(), zone).timestamp() for day in (*days, end + timedelta(days=1))]
    wanted = RecordFilter(
        midnights[0],
        midnights[-1],
        model=only.model,
        backend_id=only.backend_id,
        key_id=only.key_id,
        user_id=only.user_id,
        label=only.label,
        source=only.source,
        address=address,
    )
    by = SumGroups(
        hour=RecentGroup.HOUR in group_by,
        days=tuple(midnights[:-1]) if Group.DAY in group_by else (),
        address=RecentGroup.ADDRESS in group_by,
        groups=tuple(Group(name) for name in group_by if name in set(Group) and name != Group.DAY),
    )
    found = await ledger.sums(wanted, by)
    # Requests of a key with several labels count in each of them, and once in the total.
    whole = await ledger.sums(wanted, SumGroups()) if Group.LABEL in by.groups else found
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    total = _nothing()
    for sums in whole:
        _add(total, sums)
    for sums in found:
        group: dict[str, Any] = {}
        if by.hour:
            group["hour"] = datetime.fromtimestamp(float(sums["hour"]), UTC).isoformat()
        if by.days:
            group["day"] = days[int(sums["day"])].isoformat()
        if by.address:
            group["address"] = sums["address"]
        group |= {name.value: sums[name.value] for name in by.groups}
        row = rows.setdefault(tuple(group.values()), group | _named(sums, by.groups) | _nothing())
        _add(row, sums)
    for row in rows.values():
        _add_names(row, names)
    return {
        "start": start.isoformat(),
        "end": end.isoformat(),
        "time_zone": str(zone),
        "group_by": list(group_by),
        "rows": list(rows.values()),
        "total": total,
        "complete": len(found) < GROUP_LIMIT,
    }


def report_csv(report: UsageReport) -> str:
    """The rows of a report as CSV, with one exact column for the cost in each currency."""
    money = ("cost", "energy_cost")
    columns = {name: sorted({currency for row in report["rows"] for currency in row[name]}) for name in money}
    rows = [
        {name: value for name, value in row.items() if name not in money}
        | {
            f"{name}_{currency}": export.decimal(round(row[name].get(currency, 0.0) * NANO))
            for name, currencies in columns.items()
            for currency in currencies
        }
        for row in report["rows"]
    ]
    first = rows[0] if rows else {name: None for name in (*report["group_by"], *report["total"]) if name not in money}
    return export.csv_text(list(first), rows)


def _named(sums: Mapping[str, Any], groups: Sequence[Group]) -> dict[str, Any]:
    """The names at the time of the requests, for backends and keys."""
    names = {Group.BACKEND: "backend_name", Group.KEY: "caller"}
    return {f"{group.value}_name": sums[names[group]] or "" for group in groups if group in names and sums[group.value]}


def _add(row: dict[str, Any], sums: Mapping[str, Any]) -> None:
    """Add the sums of one currency to a row."""
    for name in ("requests", "errors"):
        row[name] += int(sums[name])
    row["tokens_prompt"] += int(sums["prompt_tokens"])
    row["tokens_completion"] += int(sums["completion_tokens"])
    row["audio_seconds"] = round(row["audio_seconds"] + float(sums["audio_seconds"]), 3)
    row["speech_characters"] += int(sums["speech_characters"])
    row["energy_kwh"] += float(sums["energy"]) / WATT_SECONDS_PER_KWH
    currency = sums["currency"]
    for name, known in (("cost", sums["priced"]), ("energy_cost", sums["energy_cost"])):
        if known:
            row[name][currency] = row[name].get(currency, 0.0) + int(sums[name]) / NANO


def _nothing() -> dict[str, Any]:
    return {
        "requests": 0,
        "errors": 0,
        "tokens_prompt": 0,
        "tokens_completion": 0,
        "audio_seconds": 0.0,
        "speech_characters": 0,
        "energy_kwh": 0.0,
        "cost": {},
        "energy_cost": {},
    }


def _add_names(row: dict[str, Any], names: Names) -> None:
    """The names of today instead of those at the time of the requests, where key and user still exist."""
    if key_id := row.get(Group.KEY.value):
        row["key_name"] = names.key(key_id) or row.get("key_name") or key_id
    if user_id := row.get(Group.USER.value):
        row["user_name"] = names.user(user_id) or user_id
