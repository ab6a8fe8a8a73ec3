"""`GET /admin/usage`: the page's usage report for a program with an administrator's key; a browser gets the page."""

from aiohttp import hdrs, web

from ...accounting.storage.database import DatabaseError
from ...accounting.usage.rollups import UsageFilter
from ...admin.usage import ReportQuery, report_by, report_csv
from ...protocol.errors import InvalidRequestError, NotFoundError, PermissionDeniedError, UnavailableError
from ...protocol.presented_key import presented_key
from ..dispatch import RequestContext
from ..gateway import Gateway
from .usage import read_day

PATH = "/admin/usage"
_CSV, _JSON = "text/csv", "application/json"
_FORMATS = {"csv": _CSV, "json": _JSON}
_FILTERS = ("model", "backend_id", "key_id", "user_id", "source", "label")
_PARAMETERS = frozenset({"start", "end", "group_by", "format", "address", *_FILTERS})
_GROUP_LIMIT = 4
_LONGEST = 512
"""Characters of a parameter."""
_HEADERS = {
    hdrs.CACHE_CONTROL: "no-store",
    hdrs.VARY: f"{hdrs.ACCEPT}, {hdrs.AUTHORIZATION}",
    "X-Content-Type-Options": "nosniff",
}


def page(gateway: Gateway, request: web.Request) -> web.Response | None:
    """For a browser without a key: the way to the page, where people log in. None for a program, or without a page."""
    if "text/html" not in request.headers.get(hdrs.ACCEPT, "").casefold() or presented_key(request.headers) is not None:
        return None
    location = gateway.usage_page(request)
    return None if location is None else web.Response(status=303, headers={hdrs.LOCATION: location, **_HEADERS})


async def usage_report(gateway: Gateway, context: RequestContext) -> web.Response:
    """The report as JSON or CSV.

    Raises NotFoundError without records, PermissionDeniedError for others than administrators, InvalidRequestError.
    """
    if gateway.ledger is None:
        raise NotFoundError("This server keeps no records of requests.", code="not_recorded")
    if not context.caller.admin:
        message = "Usage of all callers needs the API key of an administrator. Your own is at /v1/usage."
        raise PermissionDeniedError(message, code="no_admin_key")
    query, kind = _query(context.http), _kind(context.http)
    try:
        report = await report_by(gateway.ledger, await gateway.names(), query)
    except DatabaseError as err:
        raise UnavailableError(str(err), code="database_failed") from err
    if kind == _JSON:
        return context.json(dict(report), headers=_HEADERS)
    named = f'attachment; filename="usage-{report["start"]}-{report["end"]}.csv"'
    headers = {**context.headers, **_HEADERS, hdrs.CONTENT_DISPOSITION: named}
    return web.Response(text=report_csv(report), headers=headers, content_type=_CSV, charset="utf-8")


def _query(request: web.Request) -> ReportQuery:
    if unknown := next((name for name in request.query if name not in _PARAMETERS), None):
        known = ", ".join(sorted(_PARAMETERS))
        raise InvalidRequestError(f"There is no parameter '{unknown}'. Use: {known}.", param=unknown)
    groups = [name.strip() for value in request.query.getall("group_by", ["day"]) for name in value.split(",")]
    if len(groups) > _GROUP_LIMIT:
        raise InvalidRequestError(f"Group by at most {_GROUP_LIMIT} of the groups.", param="group_by")
    if long := next((name for name, value in request.query.items() if len(value) > _LONGEST), None):
        raise InvalidRequestError(f"'{long}' must have at most {_LONGEST} characters.", param=long)
    query = request.query
    start, end = (read_day(query[name], name) if name in query else None for name in ("start", "end"))
    only = UsageFilter(**{name: query.get(name) for name in _FILTERS})
    return ReportQuery(start, end, groups, only, query.get("address"))


def _kind(request: web.Request) -> str:
    """The media type of the answer: that of `?format=`, else the one that `Accept` prefers, else JSON."""
    if (name := request.query.get("format")) is not None:
        if name not in _FORMATS:
            raise InvalidRequestError("'format' must be json or csv.", param="format")
        return _FORMATS[name]
    qualities: dict[str, float] = {}
    for part in request.headers.get(hdrs.ACCEPT, "").casefold().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        qualities.setdefault(kind, next((_quality(one) for one in parameters if one.startswith("q=")), 1.0))
    csv = qualities.get(_CSV, qualities.get("text/*", 0.0))
    json = qualities.get(_JSON, qualities.get("application/*", qualities.get("*/*", 0.0)))
    return _CSV if csv > json else _JSON


def _quality(text: str) -> float:
    try:
        found = float(text.removeprefix("q="))
    except ValueError:
        return 0.0
    return found if 0 <= found <= 1 else 0.0
