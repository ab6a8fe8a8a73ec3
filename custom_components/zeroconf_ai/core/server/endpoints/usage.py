"""`GET /v1/usage`: usage by day, model, backend, key, user, source or label. Administrators see all usage, others their own."""

from dataclasses import replace
from datetime import date
import re
from typing import Any

from aiohttp import web

from ...accounting.usage import export
from ...accounting.usage.rollups import ALL, Group, UsageFilter, UsageRow
from ...engine import Caller
from ...protocol.errors import InvalidRequestError, NotFoundError
from ..dispatch import RequestContext
from ..gateway import Gateway

MAX_ROWS = 50_000
_FORMATS = ("json", "csv")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
"""OpenAPI's `date` format; ISO 8601 has others."""
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_ALIASES = {"provider": Group.BACKEND, "client": Group.KEY}


async def usage(gateway: Gateway, context: RequestContext) -> web.Response:
    """The usage of a range of days by group. Raises NotFoundError without a ledger, else InvalidRequestError."""
    if gateway.ledger is None:
        raise NotFoundError("This server keeps no records of requests.")
    query = context.http.query
    output_format = query.get("format", "json")
    if output_format not in _FORMATS:
        raise InvalidRequestError("'format' must be json or csv.", param="format")
    today = gateway.ledger.totals.date
    start = read_day(query["from"], "from") if "from" in query else today.replace(day=1)
    end = read_day(query["to"], "to") if "to" in query else today
    if end < start:
        raise InvalidRequestError("'from' must not be after 'to'.", param="to")
    group_by = _groups([name for value in query.getall("group_by", ["day"]) for name in value.split(",")])
    limit = _limit(query.get("limit"), group_by)
    uses, total = await gateway.ledger.usage_and_total(
        start, end, group_by, only=replace(_visible_to(context.caller), label=query.get("label")), limit=MAX_ROWS + 1
    )
    if len(uses) > MAX_ROWS:
        raise InvalidRequestError(
            f"The result has more than {MAX_ROWS} rows. Request fewer days or fewer groups.", param="group_by"
        )
    uses = export.largest_groups(uses, limit)
    if output_format == "csv":
        cells = export.usage_cells(uses)
        text = export.csv_text(list(cells[0]) if cells else export.usage_columns(group_by), cells)
        named = {**context.headers, "Content-Disposition": f'attachment; filename="usage-{start}-{end}.csv"'}
        return web.Response(text=text, headers=named, content_type="text/csv", charset="utf-8")
    return context.json(_body(gateway, start, end, group_by, uses, total))


def _body(
    gateway: Gateway, start: date, end: date, group_by: list[Group], uses: list[UsageRow], total: UsageRow
) -> dict[str, Any]:
    assert gateway.ledger is not None
    return {
        "object": "list",
        "from": start.isoformat(),
        "to": end.isoformat(),
        "time_zone": str(gateway.ledger.totals.zone),
        "group_by": [group.value for group in group_by],
        "data": [export.usage_row(use) for use in uses],
        "total": export.usage_row(total),
    }


def _visible_to(caller: Caller) -> UsageFilter:
    """The filter of a caller: none for an administrator; own usage for a key or a user; else usage without key and user."""
    if caller.admin:
        return ALL
    if caller.key_id is not None:
        return UsageFilter(key_id=caller.key_id)
    if caller.user_id is not None:
        return UsageFilter(user_id=caller.user_id)
    return UsageFilter(key_id="", user_id="")


def read_day(text: str, param: str) -> date:
    """A date as YYYY-MM-DD. Raises InvalidRequestError."""
    try:
        if not _DATE.fullmatch(text):
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidRequestError(f"'{param}' must be a date, such as 2030-12-31.", param=param) from None


def _limit(text: str | None, group_by: list[Group]) -> int:
    if text is None:
        return MAX_ROWS
    if Group.DAY in group_by:
        raise InvalidRequestError("'limit' cannot be combined with grouping by day.", param="limit")
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= MAX_ROWS:
        raise InvalidRequestError(f"'limit' must be a whole number from 1 to {MAX_ROWS}.", param="limit")
    return int(text)


def _groups(names: list[str]) -> list[Group]:
    groups: list[Group] = []
    for name in names:
        try:
            group = _ALIASES.get(name) or Group(name)
        except ValueError:
            known = ", ".join(Group)
            raise InvalidRequestError(f"Group by one or more of: {known}.", param="group_by") from None
        if group not in groups:
            groups.append(group)
    return groups
