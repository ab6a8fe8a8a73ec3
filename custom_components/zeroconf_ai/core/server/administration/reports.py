"""Reports of usage and records, as a command of the page asks for them: of everybody, or of one person."""

from dataclasses import replace
from typing import Any

from ...accounting.store import AccountingStore
from ...accounting.usage.generation import Outcome
from ...accounting.usage.record_search import PAGE_LIMIT, RecordFilter
from ...accounting.usage.rollups import UsageFilter
from ...admin.names import Names
from ...admin.requests import RequestPage, find_requests
from ...admin.usage import ReportQuery, UsageReport, report_by
from .fields import Body, choice, day, number, optional_number, optional_text, texts


async def usage_report(accounting: AccountingStore, names: Names, body: Body, user_id: str | None = None) -> UsageReport:
    """The usage of a range of days by group; that of a user only if `user_id` is set.

    Raises InvalidRequestError, DatabaseError.
    """
    start, end = day(body, "start"), day(body, "end")
    groups = texts(body, "group_by", 4) or ["day"]
    filters = ("model", "backend_id", "key_id", "user_id", "label", "source")
    only = UsageFilter(**{name: optional_text(body, name) for name in filters})
    if user_id is not None:
        only = replace(only, user_id=user_id)
    return await report_by(accounting.ledger, names, ReportQuery(start, end, groups, only, optional_text(body, "address")))


async def request_page(accounting: AccountingStore, names: Names, body: Body, user_id: str | None = None) -> RequestPage:
    """A page of records, the newest first; those of a user only if `user_id` is set. Raises as `usage_report` does."""
    wanted: dict[str, Any] = {name: found for name in ("start", "end") if (found := optional_number(body, name)) is not None}
    for name in ("request_id", "model", "backend_id", "key_id", "user_id", "label", "address", "source"):
        if (named := optional_text(body, name)) is not None:
            wanted[name] = named
    if "outcome" in body:
        wanted["outcome"] = choice(body, "outcome", Outcome)
    if user_id is not None:
        wanted["user_id"] = user_id
    limit = int(number(body, "limit", 1, PAGE_LIMIT)) if "limit" in body else 50
    after = optional_text(body, "after")
    return await find_requests(accounting.ledger, names, RecordFilter(**wanted), after=after, limit=limit)
