"""`GET /v1/usage`: what was used, by day, model, backend, key, user or source; one's own, or everybody's for administrators."""

from datetime import date
import re
from typing import Any

from aiohttp import web

from ...accounting.usage import export
from ...accounting.usage.rollups import Group, UsageRow
from ...engine import Caller
from ...protocol.errors import InvalidRequestError, NotFoundError
from ..dispatch import RequestContext
from ..gateway import Gateway

MAX_ROWS = 50_000
_FORMATS = ("json", "csv")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
"""Of all that ISO 8601 has for a day, what OpenAPI and people mean by a date."""
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_ALIASES = {"provider": Group.BACKEND, "client": Group.KEY}


async def usage(gateway: Gateway, context: RequestContext) -> web.Response:
    """The sums of some days, per group. Raises NotFoundError where none are kept, InvalidRequestError."""
    if gateway.ledger is None:
        raise NotFoundError("Records of requests are not offered here.")
    query = context.http.query
    written = query.get("format", "json")
    if written not in _FORMATS:
        raise InvalidRequestError("Write format=json or format=csv.", param="format")
    today = gateway.ledger.totals.date
    start, end = _day(query.get("from"), "from", today.replace(day=1)), _day(query.get("to"), "to", today)
    if end < start:
        raise InvalidRequestError("The range ends before it begins: 'from' must be 'to' or before.", param="to")
    group_by = _groups([name for value in query.getall("group_by", ["day"]) for name in value.split(",")])
    limit = _limit(query.get("limit"), group_by)
    uses = await gateway.ledger.usage(start, end, group_by, **_whose(context.caller), limit=MAX_ROWS + 1)
    if len(uses) > MAX_ROWS:
        raise InvalidRequestError(f"These are more than {MAX_ROWS} rows. Ask for fewer days, or group by less.", param="group_by")
    uses = export.largest_groups(uses, limit)
    if written == "csv":
        cells = export.usage_cells(uses)
        text = export.csv_text(list(cells[0]) if cells else export.usage_columns(group_by), cells)
        named = {**context.headers, "Content-Disposition": f'attachment; filename="usage-{start}-{end}.csv"'}
        return web.Response(text=text, headers=named, content_type="text/csv", charset="utf-8")
    return context.json(_body(gateway, start, end, group_by, uses))


def _body(gateway: Gateway, start: date, end: date, group_by: list[Group], uses: list[UsageRow]) -> dict[str, Any]:
    assert gateway.ledger is not None
    return {
        "object": "list",
        "from": start.isoformat(),
        "to": end.isoformat(),
        "time_zone": str(gateway.ledger.totals.zone),
        "group_by": [group.value for group in group_by],
        "data": [export.usage_row(use) for use in uses],
        "total": export.usage_row(export.total(uses)),
    }


def _whose(caller: Caller) -> dict[str, str]:
    """What a caller may see: an administrator all; a user one's own; a key its own; who has neither, what came without either."""
    if caller.admin:
        return {}
    if caller.key_id is not None:
        return {"key_id": caller.key_id}
    if caller.user_id is not None:
        return {"user_id": caller.user_id}
    return {"key_id": "", "user_id": ""}


def _day(text: str | None, param: str, default: date) -> date:
    if text is None:
        return default
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
        raise InvalidRequestError("'limit' adds up what is beyond it, which no day can be: leave it, or 'day'.", param="limit")
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
