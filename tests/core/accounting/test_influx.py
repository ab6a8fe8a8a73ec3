"""Usage points in InfluxDB, as its official client would write them, and a server that is slow, away or refuses them."""

import asyncio
from collections.abc import AsyncIterator
import re
from typing import Any

import aiohttp
from aiohttp import web
from influxdb_client import InfluxDBClient, Point, WritePrecision  # type: ignore[attr-defined]
from influxdb_client.client.write_api import SYNCHRONOUS
import pytest

from tests.support.waiting import until
from zeroconf_ai.accounting.usage import influx
from zeroconf_ai.accounting.usage.generation import Generation, Outcome
from zeroconf_ai.accounting.usage.influx import MEASUREMENT, InfluxTarget, InfluxWriter, point
from zeroconf_ai.protocol.usage import Usage

TOKEN = "canary-token"
_TAG = r"[A-Za-z_][A-Za-z0-9_]*=(?:\\[,= ]|[^,= \\\n])+"
_VALUE = r'(?:-?\d+i|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|"(?:\\["\\]|[^"\\\n])*")'
LINE = re.compile(rf"{MEASUREMENT}(?:,{_TAG})* [a-z_]+={_VALUE}(?:,[a-z_]+={_VALUE})* \d{{19}}")
"""The syntax of line protocol, for our measurement."""


class FakeInflux:
    """`/api/v2/write`, strict about the token, the parameters and each line."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.statuses: list[int] = []
        self.requests = 0

    async def write(self, request: web.Request) -> web.Response:
        self.requests += 1
        if self.statuses:
            return web.Response(status=self.statuses.pop(0))
        text = (await request.read()).decode()
        query = dict(request.query)
        valid = query == {"org": "home", "bucket": "ai", "precision": "ns"}
        if request.headers.get("Authorization") != f"Token {TOKEN}" or not valid:
            return web.json_response({"code": "unauthorized", "message": str(query)}, status=401)
        if not all(LINE.fullmatch(line) for line in text.split("\n")):
            return web.json_response({"code": "invalid", "message": text}, status=400)
        self.lines += text.split("\n")
        return web.Response(status=204)


@pytest.fixture
async def server() -> AsyncIterator[tuple[FakeInflux, str]]:
    fake, app = FakeInflux(), web.Application()
    app.router.add_post("/api/v2/write", fake.write)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield fake, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(influx, "FLUSH_SECONDS", 0.01)
    monkeypatch.setattr(influx, "_FIRST_PAUSE", 0.01)


def generation(number: int = 0, **more: Any) -> Generation:
    values: dict[str, Any] = {
        "backend_name": "Büro, GPU=1 (2)",
        "model": "qwen3:8b",
        "usage": Usage(12, 34),
        "cost": 1_500_000,
        "duration": 1.25,
        "first_token": 0.5,
        "attempts": 1,
        "caller": "Anna's tablet",
    }
    values |= {"outcome": Outcome.OK, **more}
    return Generation(f"req_{number}", 1_700_000_000.5, "http", "chat", "auto", **values)


ODD = generation(
    caller="a\nb,c=d e",
    backend_name='back\\slash "quoted"',
    model=None,
    cost=None,
    first_token=None,
    energy=3.5,
    error_code='say "no"\n',
    outcome=Outcome.ERROR,
)


def official(record: Generation) -> Any:
    """The same point, made by the official client."""
    make: Any = Point
    made = make(MEASUREMENT)
    tags = {
        "backend": record.backend_name,
        "currency": record.currency,
        "key": record.caller,
        "kind": record.kind,
        "model": record.model or record.requested_model,
        "outcome": record.outcome.value,
        "source": record.source,
    }
    for name, tag in tags.items():
        made = made.tag(name, tag)
    fields: dict[str, Any] = {
        "attempts": record.attempts,
        "completion_tokens": record.usage.completion_tokens,
        "cost": None if record.cost is None else record.cost / 10**9,
        "duration": record.duration,
        "energy_ws": record.energy,
        "error": record.error_code,
        "first_token": record.first_token,
        "id": record.id,
        "prompt_tokens": record.usage.prompt_tokens,
        "requests": 1,
    }
    for name, value in fields.items():
        made = made.field(name, value)
    return made.time(round(record.created * 10**9), WritePrecision.NS)


async def test_influx_point_is_the_line_of_the_official_client(server: tuple[FakeInflux, str]) -> None:
    fake, url = server
    record = generation()
    assert point(record) == official(record).to_line_protocol()
    assert LINE.fullmatch(point(ODD))

    def write() -> None:
        with InfluxDBClient(url=url, token=TOKEN, org="home") as client:
            client.write_api(write_options=SYNCHRONOUS).write(bucket="ai", record=official(record))

    await asyncio.to_thread(write)
    assert fake.lines == [point(record)]


async def test_influx_writer_writes_batches_and_what_is_left_when_it_closes(
    server: tuple[FakeInflux, str], session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influx, "BATCH", 3)
    fake, url = server
    writer = InfluxWriter(session, InfluxTarget(url, "ai", "home", TOKEN))
    writer.start()
    for number in range(7):
        writer.record(generation(number))
    writer.record(ODD)
    await writer.close()
    assert fake.lines == [*(point(generation(number)) for number in range(7)), point(ODD)]
    assert fake.requests == 3
    assert writer.dropped == 0


async def test_influx_writer_retries_and_keeps_the_order(
    server: tuple[FakeInflux, str], session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    fake, url = server
    fake.statuses = [503, 429, 500]
    writer = InfluxWriter(session, InfluxTarget(url, "ai", "home", TOKEN))
    writer.start()
    writer.record(generation(1))

    async def tried() -> bool:
        return fake.requests >= 2

    await until(tried)
    writer.record(generation(2))

    async def written() -> bool:
        return len(fake.lines) == 2

    await until(written)
    await writer.close()
    assert fake.lines == [point(generation(1)), point(generation(2))]
    assert "cannot be written to InfluxDB: status 503" in caplog.text
    assert caplog.text.count("cannot be written") == 1
    assert "InfluxDB answers again" in caplog.text
    assert TOKEN not in caplog.text + repr(InfluxTarget(url, "ai", "home", TOKEN))


async def test_influx_writer_drops_what_is_refused_and_the_oldest_of_too_many(
    server: tuple[FakeInflux, str], session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, url = server
    refused = InfluxWriter(session, InfluxTarget(url, "ai", "home", "another-token"))
    refused.start()
    refused.record(generation())
    await refused.close()
    assert (fake.lines, refused.dropped) == ([], 1)
    monkeypatch.setattr(influx, "MAX_WAITING", 5)
    away = InfluxWriter(session, InfluxTarget("http://127.0.0.1:9", "ai", "home", TOKEN))
    away.start()
    for number in range(8):
        away.record(generation(number))
    await asyncio.wait_for(away.close(), 10)
    assert away.dropped == 3
