"""What records, keys, budgets and reports cost with many of them: a database is filled, and the figures stand beside their aims.

A slow machine misses an aim without anything being wrong: nothing here is a pass or a fail.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
import gc
import json
import os
from pathlib import Path
import statistics
import sys
from tempfile import TemporaryDirectory
import time

from sqlalchemy import Connection, Integer, Text, case, cast, func, insert, literal, select

from zeroconf_ai.accounting.admission import Admission, AdmissionRequest
from zeroconf_ai.accounting.budget import Scope
from zeroconf_ai.accounting.keys.key_secret import new_secret
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.storage.database import Database
from zeroconf_ai.accounting.storage.tables import counters, generations, key_months, key_rollups, keys, rollups
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.generation import Generation, Outcome, Recorders
from zeroconf_ai.accounting.usage.rollups import Group, UsageFilter
from zeroconf_ai.accounting.usage.summary import month_end
from zeroconf_ai.backends.base import BackendInfo
from zeroconf_ai.backends.demo.backend import CAPABILITIES, CHAT_MODEL, DemoBackend
from zeroconf_ai.engine import Caller, Engine, Source
from zeroconf_ai.protocol.key_proof import digest
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.protocol.usage import Usage
from zeroconf_ai.protocol.values import NANO
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.server.metrics import Metrics

from .processes import resident

DAYS = 30
MODELS, BACKENDS = 20, 5
CHUNK = 50_000
"""Rows of one statement of the filling."""
BURST = 10_000
"""Records that are left at once."""
MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    what: str
    aim: str
    measured: str
    met: bool


def main(rows: int, key_count: int, requests: int, url: str | None, *, as_json: bool) -> None:
    """Fill, measure and print. `url` is an empty database that may be filled; None: an SQLite file that is deleted again."""
    with TemporaryDirectory(prefix="bench-") as folder:
        figures = asyncio.run(_measure(url or f"sqlite:///{Path(folder) / 'gateway.db'}", rows, key_count, requests))
    if as_json:
        sys.stdout.write(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
        return
    sys.stdout.write(f"{rows:,} generations, {key_count:,} keys, {requests:,} requests\n")
    sys.stdout.write(f"{'':56}{'aim':>16}{'measured':>20}\n")
    for figure in figures:
        sys.stdout.write(f"{figure.what:56}{figure.aim:>16}{figure.measured:>20}{'' if figure.met else '  missed'}\n")


async def _measure(url: str, rows: int, key_count: int, requests: int) -> list[Figure]:
    today = datetime.now(UTC).date()
    await fill(url, rows, key_count, today)
    async with AsyncExitStack() as stack:
        store = await AccountingStore.open(url, zone=UTC)
        stack.push_async_callback(store.close)
        return [
            *await _recording(store, key_count),
            await _key_check(store),
            *await _admission(store),
            *await _reports(store, today),
            await _memory(store, requests),
        ]


async def fill(url: str, rows: int, key_count: int, today: date, days: int = DAYS) -> None:
    """Put keys, generations and their sums into an empty database, spread over the last `days`."""
    database = await Database.open(url)
    try:
        await database.write(partial(_fill_keys, count=key_count))
        for back in range(days):
            day = today - timedelta(days=back)
            count = rows // days + (back < rows % days)
            for start in range(0, count, CHUNK):
                size = min(CHUNK, count - start)
                await database.write(partial(_fill_day, day=day, start=start, size=size, key_count=key_count))
            await database.write(partial(_sum_up, day=day))
        for month in {(today - timedelta(days=back)).replace(day=1) for back in range(days)}:
            await database.write(partial(_sum_up_month, month=month))
    finally:
        await database.close()


def _fill_keys(connection: Connection, count: int) -> None:
    plain = {"models": [], "endpoints": [], "background": False, "enabled": True, "prefix": "zai_exam", "created": time.time()}
    rows = [
        plain | {"id": str(number), "name": f"Key {number}", "digest": digest(f"zai_example-{number}")} for number in range(count)
    ]
    connection.execute(insert(keys), rows)
    connection.execute(counters.update().where(counters.c.name == "keys").values(value=counters.c.value + 1))


def _fill_day(connection: Connection, day: date, start: int, size: int, key_count: int) -> None:
    """Rows made in the database itself: by their number, each is somebody's, some model's and of some length."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    series = select(literal(start).label("number")).cte("series", recursive=True)
    series = series.union_all(select(series.c.number + 1).where(series.c.number < start + size - 1))
    number = series.c.number
    values = {
        "id": literal(f"gen_{day}_") + cast(number, Text),
        "created": midnight + number * (86_000.0 / max(1, start + size)),
        "source": literal("http"),
        "kind": literal("chat/completions"),
        "requested_model": literal("auto"),
        "outcome": case((number % 50 == 0, "error"), else_="ok"),
        "model": literal("model-") + cast(number % MODELS, Text),
        "backend_id": literal("backend-") + cast(number % BACKENDS, Text),
        "backend_name": literal("Backend ") + cast(number % BACKENDS, Text),
        "attempts": literal(1),
        "stream": literal(value=True),
        "prompt_tokens": 100 + number % 1000,
        "completion_tokens": 10 + number % 300,
        "cached_tokens": number % 100,
        **dict.fromkeys(("reasoning_tokens", "cache_write_tokens", "cache_write_1h_tokens"), literal(0)),
        "estimated": literal(value=False),
        "cost": (number % 1000) * 1000,
        "currency": literal("USD"),
        "duration": literal(1.5),
        "first_token": literal(0.25),
        "caller": literal("Key ") + cast(number % key_count, Text),
        "key_id": cast(number % key_count, Text),
    }
    connection.execute(insert(generations).from_select(list(values), select(*values.values())))


def _sum_up(connection: Connection, day: date) -> None:
    """The sums of a day, as the ledger would have left them."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    rows = generations.c
    tokens = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "cache_write_tokens")
    sums = {
        "requests": func.count(),
        "errors": func.sum(cast(rows.outcome == "error", Integer)),
        **dict.fromkeys(("cancelled", "estimated"), literal(0)),
        "priced": func.count(),
        **{name: func.sum(rows[name]) for name in (*tokens, "cache_write_1h_tokens", "cost")},
        "first_tokens": func.count(),
        "duration": func.sum(rows.duration),
        "first_token": func.sum(rows.first_token),
    }
    groups = {"source": rows.source, "model": rows.model, "backend_id": rows.backend_id, "currency": rows.currency}
    names = {"backend_name": func.max(rows.backend_name)}
    whose = {"key_id": rows.key_id, "user_id": literal("")}
    for table, group, named in (
        (rollups, groups, names),
        (key_rollups, groups | whose, names | {"key_name": func.max(rows.caller)}),
    ):
        values = {"day": literal(day), **group, **named, **sums}
        by = [column for name, column in group.items() if name != "user_id"]
        found = select(*values.values()).where(rows.created >= midnight, rows.created < midnight + 86_400).group_by(*by)
        connection.execute(insert(table).from_select(list(values), found))


def _sum_up_month(connection: Connection, month: date) -> None:
    days = key_rollups.c
    whose = [days.key_id, days.user_id, days.currency]
    texts = ["month", *(column.name for column in whose), "key_name"]
    numbers = [column.name for column in key_months.columns if column.name not in texts]
    values = [literal(month), *whose, func.max(days.key_name), *(func.sum(days[name]) for name in numbers)]
    found = select(*values).where(days.day >= month, days.day <= month_end(month)).group_by(*whose)
    connection.execute(insert(key_months).from_select([*texts, *numbers], found))


async def _recording(store: AccountingStore, key_count: int) -> list[Figure]:
    """How fast records are written, and how long the event loop is kept by one."""
    rates, waits = [], []
    for turn in range(5):
        begun = time.perf_counter()
        for number in range(BURST):
            store.ledger.record(_generation(turn * BURST + number, key_count))
        waits.append((time.perf_counter() - begun) / BURST)
        await store.flush()
        rates.append(BURST / (time.perf_counter() - begun))
    rate, wait = statistics.median(rates), statistics.median(waits)
    return [
        Figure("records written, per second", "≥ 5,000", f"{rate:,.0f}", rate >= 5_000 and not store.ledger.dropped),
        Figure("of these, time on the event loop for each", "≤ 200 µs", f"{wait * 1e6:,.1f} µs", wait <= 200e-6),
    ]


def _generation(number: int, key_count: int) -> Generation:
    return Generation(
        f"gen_{number}",
        time.time(),
        Source.HTTP,
        Kind.CHAT,
        "auto",
        Outcome.OK,
        model=f"model-{number % MODELS}",
        backend_id=f"backend-{number % BACKENDS}",
        backend_name=f"Backend {number % BACKENDS}",
        usage=Usage(300, 100),
        cost=1_000,
        duration=1.5,
        first_token=0.25,
        caller=f"Key {number % key_count}",
        key_id=str(number % key_count),
    )


async def _key_check(store: AccountingStore) -> Figure:
    secret = new_secret()
    await store.keys.adopt("Bench", digest(secret), secret[:8])
    count = 50_000
    begun = time.perf_counter()
    for _ in range(count):
        store.keys.verify(secret)
    seconds = (time.perf_counter() - begun) / count
    return Figure("check of a key", "≤ 50 µs", f"{seconds * 1e6:,.1f} µs", seconds <= 50e-6)


async def _admission(store: AccountingStore) -> list[Figure]:
    """What limits and budgets add to a request: admission and settlement, with a budget of the household and of its key.

    The admission alone is what a request waits for: the settlement follows its answer.
    """
    for scope, subject in ((Scope.HOUSEHOLD, None), (Scope.KEY, "1")):
        await store.budgets.set(scope, subject, 1_000_000 * NANO, Period.MONTH)
    await store.keys.update("1", requests_per_minute=10**9, tokens_per_minute=10**9, parallel=1_000)
    count = 2_000
    ended = _generation(0, 1)

    async def admit() -> Admission:
        asked = AdmissionRequest(
            Source.HTTP, Kind.CHAT, "auto", key_id="1", prompt_tokens=300, answer_tokens=100, worst_costs={"backend-0": 5_000}
        )
        return await store.admission_control.admit(asked)

    begun = time.perf_counter()
    for _ in range(count):
        (await admit()).reconcile(ended)
    both = (time.perf_counter() - begun) / count
    waits = []
    for _ in range(count):
        await store.flush()
        begun = time.perf_counter()
        admission = await admit()
        waits.append(time.perf_counter() - begun)
        admission.reconcile(ended)
    wait = statistics.median(waits)
    return [
        Figure("admission and settlement of a request", "≤ 200 µs", f"{both * 1e6:,.1f} µs", both <= 200e-6),
        Figure("of these, the admission alone", "≤ 2,000 µs", f"{wait * 1e6:,.1f} µs", wait <= 2e-3),
    ]


async def _reports(store: AccountingStore, today: date) -> list[Figure]:
    """The query of `/v1/usage`."""
    start = today - timedelta(days=DAYS - 1)
    found = []
    for what, since, group_by, own in (
        ("use of 30 days by day", start, (Group.DAY,), None),
        ("use of 30 days by day, model and backend", start, (Group.DAY, Group.MODEL, Group.BACKEND), None),
        ("use of 30 days of one key by day", start, (Group.DAY,), "7"),
        ("use of this month by key", today.replace(day=1), (Group.KEY,), None),
        ("use of the months of these 30 days by key", start, (Group.KEY,), None),
    ):
        seconds = await _median(partial(store.ledger.usage, since, today, group_by, only=UsageFilter(key_id=own)))
        found.append(Figure(what, "≤ 100 ms", f"{seconds * 1e3:,.1f} ms", seconds <= 0.1))
    return found


async def _median(work: Callable[[], Awaitable[object]]) -> float:
    """Seconds that it takes, over five repetitions."""
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        await work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


async def _memory(store: AccountingStore, requests: int) -> Figure:
    """How this process grows over so many requests through the engine, by all that keeps something of each."""
    engine = Engine()
    member = engine.add(DemoBackend(BackendInfo("demo", "Demo", CAPABILITIES), word_seconds=0.0))
    await engine.checker.check(member)
    metrics = Metrics(engine.pool, engine.limiter)
    await engine.attach(Accounting(Recorders(metrics, store.ledger), store.admission_control))
    caller = Caller(Source.HTTP, name="Key 1", key_id="1")

    async def ask(number: int) -> None:
        body = {"model": CHAT_MODEL, "messages": [{"role": "user", "content": f"repeat: {number}"}]}
        async with engine.run(Request.parse(Kind.CHAT, body), caller):
            pass

    async def ask_many(count: int) -> None:
        for number in range(count):
            await ask(number)
            if number % 1_000 == 0:
                await store.flush()
        await store.flush()
        gc.collect()

    await ask_many(requests // 5)  # what is allocated once, and the caches
    before = resident([os.getpid()])
    await ask_many(requests)
    after = resident([os.getpid()])
    metrics.close()
    await engine.close()
    grown = (after - before) / MEBIBYTE
    words = f"{before / MEBIBYTE:,.0f} → {after / MEBIBYTE:,.0f} MiB"
    return Figure(f"memory over {requests:,} requests", "flat (≤ 5 MiB)", words, grown <= 5)
