"""`/admin/usage`: the page's report for programs with an administrator's key, and the way to the page for browsers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import csv
from dataclasses import dataclass
from datetime import UTC, timedelta
import io
from pathlib import Path
import time
from typing import Any

import pytest

from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.generation import Generation, Outcome
from zeroconf_ai.admin.names import Names
from zeroconf_ai.admin.usage import ReportQuery, report_by
from zeroconf_ai.protocol.usage import Usage
from zeroconf_ai.server.access.guard import Guard
from zeroconf_ai.server.administration.administration import USAGE_PAGE

from ...support.server import KEY, Served, served

PATH = "/admin/usage"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@dataclass(frozen=True)
class Site:
    """A server with records, and the keys of an administrator and of a program."""

    server: Served
    store: AccountingStore
    admin: str
    program: str

    async def get(self, query: str = "", key: str | None = None, **headers: str) -> tuple[int, str, str]:
        """Status, type and text. `key`: the administrator's by default; "" for none."""
        secret = self.admin if key is None else key
        given = {"x-api-key": secret} if secret else {}
        url = f"http://127.0.0.1:{self.server.port}{PATH}{query}"
        async with self.server.session.get(url, headers=given | headers, allow_redirects=False) as response:
            return response.status, response.content_type, await response.text()

    async def rows(self, query: str) -> list[dict[str, Any]]:
        status, _, _ = await self.get(query)
        assert status == 200
        _, found, _ = await self.server.ask("GET", PATH + query, headers={"Authorization": f"Bearer {self.admin}"})
        rows: list[dict[str, Any]] = found["rows"]
        return rows


@asynccontextmanager
async def site_at(path: Path) -> AsyncIterator[Site]:
    store = await AccountingStore.open(path / "gateway.db", zone=UTC)
    _, admin = await store.keys.create("Owner", endpoints=("admin",))
    laptop, program = await store.keys.create("Laptop", labels=("Desk", "Work"))
    for number, model in enumerate(("=small", "large", "large")):
        store.ledger.record(
            Generation(
                id=f"gen{number}",
                created=time.time(),
                source="http",
                kind="chat",
                requested_model="auto",
                model=model,
                backend_id="b",
                backend_name="B",
                usage=Usage(10, 5),
                cost=1_500_000_000,
                currency="EUR" if number else "USD",
                outcome=Outcome.OK,
                key_id=laptop.id if number else None,
                caller="Laptop",
                address=f"192.0.2.{number}",
            )
        )
    async with served(access=Guard(store.keys), ledger=store.ledger) as server:

        async def names() -> Names:
            return Names(store.keys)

        server.gateway.names = names
        server.gateway.usage_page = lambda _: USAGE_PAGE
        yield Site(server, store, admin, program)
    await store.close()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with site_at(tmp_path) as site:
        yield site


async def test_usage_report_is_that_of_the_page(site: Site) -> None:
    status, found, _ = await site.server.ask("GET", f"{PATH}?group_by=model,day", headers={"x-api-key": site.admin})
    assert status == 200
    assert found == await report_by(site.store.ledger, Names(site.store.keys), ReportQuery(group_by=["model", "day"]))


@pytest.mark.parametrize(
    ("query", "requests"),
    [
        ("?group_by=model", {"=small": 1, "large": 2}),
        ("?group_by=model&model=large", {"large": 2}),
        ("?group_by=key_name&group_by=key", {}),
        ("?group_by=label", {"": 1, "Desk": 2, "Work": 2}),
        ("?group_by=label&address=192.0.2.1", {"Desk": 1, "Work": 1}),
        ("?group_by=model&label=Desk", {"large": 2}),
        ("?group_by=model&source=assist", {}),
        ("?group_by=model&backend_id=b&user_id=", {"=small": 1, "large": 2}),
        ("?group_by=address", {"192.0.2.0": 1, "192.0.2.1": 1, "192.0.2.2": 1}),
        ("?group_by=address&model=large", {"192.0.2.1": 1, "192.0.2.2": 1}),
        ("?group_by=model&start=2020-01-01&end=2020-12-31", {}),
    ],
)
async def test_usage_report_groups_and_filters(site: Site, query: str, requests: dict[str, int]) -> None:
    if "key_name" in query:
        assert (await site.get(query))[0] == 400
        return
    group = query.split("group_by=")[1].split("&", maxsplit=1)[0]
    assert {row[group]: row["requests"] for row in await site.rows(query)} == requests


async def test_usage_report_combines_hours_and_days_with_every_group(site: Site) -> None:
    today = site.store.totals.date
    for group in ("model", "backend", "key", "user", "source", "label", "address"):
        for time_group in ("hour", "day"):
            rows = await site.rows(f"?group_by={time_group},{group}&start={today - timedelta(days=6)}&end={today}")
            plain = await site.rows(f"?group_by={group}")
            assert sum(row["requests"] for row in rows) == sum(row["requests"] for row in plain), (group, time_group)
            assert all(row[time_group] for row in rows)
    (row,) = await site.rows("?group_by=hour,key&model=large")
    assert (row["key_name"], row["cost"]) == ("Laptop", {"EUR": 3.0})


@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        ("", "*/*", "application/json"),
        ("", "application/json", "application/json"),
        ("", "text/csv", "text/csv"),
        ("", "text/csv;q=0.9, application/json;q=0.5", "text/csv"),
        ("", "text/csv;q=0.1, */*", "application/json"),
        ("", "text/csv;q=nonsense, application/json", "application/json"),
        ("", "image/png", "application/json"),
        ("", BROWSER, "application/json"),
        ("?format=csv", "application/json", "text/csv"),
        ("?format=json", "text/csv", "application/json"),
    ],
)
async def test_usage_report_has_the_requested_format(site: Site, query: str, accept: str, kind: str) -> None:
    assert (await site.get(query, Accept=accept))[:2] == (200, kind)


async def test_usage_report_as_csv_is_exact_and_safe_for_spreadsheets(site: Site) -> None:
    _, _, text = await site.get("?group_by=model&format=csv")
    small, large = csv.DictReader(io.StringIO(text, newline=""))
    assert (small["model"], small["cost_USD"], small["cost_EUR"]) == ("'=small", "1.5", "0")
    assert (large["requests"], large["cost_EUR"]) == ("2", "3")
    _, _, text = await site.get("?group_by=model&format=csv&start=2020-01-01&end=2020-01-02")
    assert text.startswith("model,requests,")
    assert text.count("\r\n") == 1


async def test_usage_report_of_a_browser_without_a_key_is_the_page(site: Site) -> None:
    for query in ("", "?format=csv"):
        status, _, _ = await site.get(query, key="", Accept=BROWSER)
        assert status == 303
    url = f"http://127.0.0.1:{site.server.port}{PATH}"
    async with site.server.session.get(url, headers={"Accept": BROWSER}, allow_redirects=False) as response:
        assert response.headers["Location"] == USAGE_PAGE
        assert response.headers["Cache-Control"] == "no-store"
    site.server.gateway.usage_page = lambda _: None
    assert (await site.get(key="", Accept=BROWSER))[0] == 401


async def test_usage_report_is_for_administrators_only(site: Site) -> None:
    for key, status, code in (
        ("", 401, "missing_api_key"),
        ("zai_wrong", 401, "invalid_api_key"),
        (site.program, 403, "no_admin_key"),
    ):
        found, _, text = await site.get(key=key)
        assert (found, code in text) == (status, True)
        assert "Laptop" not in text


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("?group_by=nonsense", "group_by"),
        ("?group_by=day,model,backend,key,user", "group_by"),
        ("?start=tomorrow", "start"),
        ("?start=2026-02-01&end=2026-01-01", "start"),
        ("?start=1990-01-01&end=2026-01-01", "start"),
        ("?format=xml", "format"),
        ("?from=2026-01-01", "from"),
        (f"?model={'m' * 513}", "model"),
    ],
)
async def test_usage_report_invalid_parameter_is_named(site: Site, query: str, param: str) -> None:
    status, found, _ = await site.server.ask("GET", PATH + query, headers={"x-api-key": site.admin})
    assert (status, found["error"]["param"]) == (400, param)


async def test_usage_report_other_methods_and_servers_without_records(site: Site) -> None:
    status, _, headers = await site.server.ask("POST", PATH, headers={"x-api-key": site.admin}, json={})
    assert status == 405
    assert "GET" in headers["Allow"]
    async with served(key=KEY) as server:
        assert (await server.ask("GET", PATH, headers={"x-api-key": KEY}))[0] == 404
