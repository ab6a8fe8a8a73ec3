"""How the page answers with many records: each filter's time, and the longest task that the browser is kept by."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
import json
from pathlib import Path
import statistics
import sys
import time
from typing import Any

from aiohttp import web
from playwright.async_api import Page

from devhome.browser import open_browser
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.generation import Outcome
from zeroconf_ai.accounting.usage.record_search import RecordFilter
from zeroconf_ai.admin.names import Names
from zeroconf_ai.admin.requests import find_requests
from zeroconf_ai.admin.usage import ReportQuery, report_by
from zeroconf_ai.engine import Engine
from zeroconf_ai.server.access.guard import Guard
from zeroconf_ai.server.administration.administration import Administration
from zeroconf_ai.server.app import create_app, create_runner
from zeroconf_ai.server.gateway import Gateway

from .accounting import Figure, fill

DAYS = 7
"""The records of the page are those of a week."""
_WATCH = """
window.longTasks = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.longTasks.push(entry.duration);
}).observe({ type: "longtask", buffered: true });
"""
FILTERS: dict[str, dict[str, Any]] = {
    "no filter": {},
    "a model": {"model": "model-3"},
    "a model that does not occur": {"model": "another"},
    "a provider": {"backend_id": "backend-1"},
    "an API key": {"key_id": "7"},
    "an address that does not occur": {"address": "192.0.2.1"},
    "failed": {"outcome": Outcome.ERROR},
    "cancelled, of which there are none": {"outcome": Outcome.CANCELLED},
    "a label that no key has": {"label": "Kitchen"},
    "the id of an answer": {"request_id": "chatcmpl-unknown"},
}


def main(folder: Path, rows: int, key_count: int, *, as_json: bool) -> None:
    """Fill, measure and print. Raises DevHomeError if Chromium is missing."""
    figures = asyncio.run(_measure(folder, rows, key_count))
    if as_json:
        sys.stdout.write(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
        return
    sys.stdout.write(f"{rows:,} records of {DAYS} days, {key_count:,} keys\n")
    for figure in figures:
        sys.stdout.write(f"{figure.what:56}{figure.aim:>12}{figure.measured:>16}{'' if figure.met else '  missed'}\n")


async def _measure(folder: Path, rows: int, key_count: int) -> list[Figure]:
    url = f"sqlite:///{folder / 'gateway.db'}"
    await fill(url, rows, key_count, datetime.now(UTC).date(), DAYS)
    async with AsyncExitStack() as stack:
        store = await AccountingStore.open(url, zone=UTC)
        stack.push_async_callback(store.close)
        return [*await _searches(store), *await _reports(store), *await _browser(stack, store)]


async def _searches(store: AccountingStore) -> list[Figure]:
    names, week = Names(store.keys), time.time() - DAYS * 86_400
    searches = {
        what: partial(find_requests, store.ledger, names, RecordFilter(start=week, **wanted)) for what, wanted in FILTERS.items()
    }
    return [await _timed(f"requests: {what}", search) for what, search in searches.items()]


async def _reports(store: AccountingStore) -> list[Figure]:
    names = Names(store.keys)
    groups = (["model"], ["day", "key"], ["hour", "model"], ["address"], ["day", "address"])
    return [
        await _timed(f"usage by {' and '.join(group)}", partial(report_by, store.ledger, names, ReportQuery(group_by=group)))
        for group in groups
    ]


async def _timed(what: str, work: Any) -> Figure:
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        await work()
        times.append((time.perf_counter() - begun) * 1000)
    milliseconds = statistics.median(times)
    return Figure(what, "≤ 200 ms", f"{milliseconds:,.1f} ms", milliseconds <= 200)


async def _browser(stack: AsyncExitStack, store: AccountingStore) -> list[Figure]:
    """The longest task while a person goes through the tabs of records, in a Chromium that shares the machine."""
    _, admin = await store.keys.create("Owner", endpoints=("admin",))
    engine = Engine()
    stack.push_async_callback(engine.close)
    gateway = Gateway(engine, provider_id="bench", name="Bench", access=Guard(store.keys), ledger=store.ledger)
    administration = Administration(gateway, store)
    stack.push_async_callback(administration.close)
    runner = create_runner(create_app(gateway, administration=administration))
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with open_browser(url) as page:
        await page.add_init_script(_WATCH)
        await page.goto(f"{url}/admin/")
        await page.get_by_label("API key").fill(admin)
        await page.get_by_role("button", name="Log in").click()
        found = [await _longest(page, "login", "Overview", "")]
        found.append(await _longest(page, "the tab Usage", "Usage", ""))
        found.append(await _longest(page, "usage by API key", "Usage", "key"))
        found.append(await _longest(page, "the tab Requests", "Requests", ""))
        found.append(await _longest(page, "the tab API keys", "API keys", ""))
        return found


async def _longest(page: Page, what: str, tab: str, group: str) -> Figure:
    await page.get_by_role("navigation", name="Sections").get_by_role("link", name=tab, exact=True).click()
    if group:
        await page.get_by_label("Group by").select_option(group)
    await page.locator("zai-page").get_by_role("table").or_(page.locator("zai-page .card")).first.wait_for()
    await page.wait_for_timeout(2000)  # what follows from the answers
    tasks: list[float] = await page.evaluate("window.longTasks.splice(0)")
    longest = max(tasks, default=0.0)
    return Figure(
        f"longest task of the browser: {what}", "≤ 50 ms", f"{longest:,.0f} ms" if longest else "< 50 ms", longest <= 50
    )
