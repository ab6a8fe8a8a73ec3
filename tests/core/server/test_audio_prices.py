"""The audio of requests: what is recorded of it, what budgets reserve and are charged for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, override

import aiohttp
import pytest

from tests.core.server.test_audio_of_backends import over
from tests.support.fakes.speech import KOKORO, WHISPER, FakeSpeechServer, spoken
from tests.support.server import Served
from zeroconf_ai.accounting.budget import Scope
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.rollups import Group
from zeroconf_ai.protocol.audio_length import measured
from zeroconf_ai.protocol.audio_requests import Recording
from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.values import NANO
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.routing.policy import Terms
from zeroconf_ai.server.access.guard import Guard

CENT = NANO // 100
SECONDS = 20
WAVE = spoken("x" * SECONDS * 100, 8_000)
PRICES = {WHISPER: Prices(0, 0, minute=60 * CENT), KOKORO: Prices(0, 0, characters=10_000 * NANO)}
"""A second and a character cost a cent."""
PATHS = ["audio/transcriptions", "audio/speech"]


@asynccontextmanager
async def priced(
    folder: Path, *fakes: FakeSpeechServer, prices: dict[str, Prices] | None = None
) -> AsyncIterator[tuple[Served, AccountingStore]]:
    """A gateway over servers whose models have prices, with an accounting store."""
    store = await AccountingStore.open(folder / "gateway.db")
    try:
        async with over(*fakes, access=Guard(store.keys), ledger=store.ledger) as gateway:
            await gateway.engine.attach(Accounting.of(store))
            for member in gateway.engine.pool:
                member.terms = Terms(prices=PRICES if prices is None else prices)
            yield gateway, store
    finally:
        await store.close()


async def use(gateway: Served, path: str, secret: str, *, wave: bytes = WAVE, fields: Any = None) -> tuple[int, Any, Any]:
    """Status, answer and headers of a request for 20 seconds or characters, which cost 20 cents."""
    content: dict[str, Any] = {"json": {"input": "x" * SECONDS}}
    if path == "audio/transcriptions":
        form = aiohttp.FormData({"model": "auto", **(fields or {})})
        form.add_field("file", wave, filename="a.wav", content_type="audio/wav")
        content = {"data": form}
    status, body, headers = await gateway.ask("POST", path, headers={"Authorization": f"Bearer {secret}"}, **content)
    return status, body, headers


async def record_of(gateway: Served, secret: str, headers: Any) -> dict[str, Any]:
    wanted = headers["X-Generation-ID"]
    _, said, _ = await gateway.get(f"generation?id={wanted}", headers={"Authorization": f"Bearer {secret}"})
    found: dict[str, Any] = said["data"]
    return found


@pytest.mark.parametrize("path", PATHS)
async def test_audio_of_a_key_over_its_budget_is_refused_also_after_a_failover(tmp_path: Path, path: str) -> None:
    first, second = FakeSpeechServer(), FakeSpeechServer()
    async with priced(tmp_path, first, second) as (gateway, store):
        key, secret = await store.keys.create("Phone")
        await store.budgets.set(Scope.KEY, key.id, 50 * CENT, Period.DAY)
        assert (await use(gateway, path, secret))[0] == 200
        first.refusal = (503, "overloaded")
        status, _, headers = await use(gateway, path, secret)
        assert (status, headers["X-ZeroconfAI-Attempts"]) == (200, "2")
        status, said, _ = await use(gateway, path, secret)
        assert (status, said["error"]["code"]) == (429, "budget_exceeded")
        record = await record_of(gateway, secret, headers)
        assert (record["total_cost"], record["cost_source"], record["estimated"]) == (0.2, "owner", False)


@pytest.mark.parametrize("path", PATHS)
async def test_audio_is_counted_in_records_and_sums(tmp_path: Path, path: str) -> None:
    heard, spoke = (SECONDS, 0) if path == "audio/transcriptions" else (0, SECONDS)
    async with priced(tmp_path, FakeSpeechServer()) as (gateway, store):
        _, secret = await store.keys.create("Phone")
        await use(gateway, path, secret)
        _, _, headers = await use(gateway, path, secret)
        record = await record_of(gateway, secret, headers)
        assert (record["audio_seconds"], record["speech_characters"]) == (heard or None, spoke or None)
        await store.flush()
        _, said, _ = await gateway.get("usage?group_by=model", headers={"Authorization": f"Bearer {secret}"})
        found = [(row["audio_seconds"], row["speech_characters"], row["cost"]) for row in said["data"]]
        assert found == [(2 * heard, 2 * spoke, {"USD": 0.4})]
        today = store.totals.date
        for groups in ((Group.MODEL,), (Group.KEY,), (Group.KEY, Group.MODEL)):
            [use_of] = await store.ledger.usage(today, today, groups)
            assert (use_of.aggregate.audio_seconds, use_of.aggregate.speech_characters) == (2 * heard, 2 * spoke)
        total = store.totals.household.total
        assert (total.audio_seconds, total.speech_characters) == (2 * heard, 2 * spoke)


@pytest.mark.parametrize(
    ("usage", "form", "seconds", "cost"),
    [
        (None, {}, 20, 0.2),
        ({}, {}, 20, 0.2),
        ({}, {"response_format": "verbose_json"}, 20, 0.2),
        ({"type": "duration", "seconds": 21}, {}, 21, 0.21),
        ({"type": "duration", "seconds": "21.5"}, {}, 21.5, 0.215),
        ({"prompt_audio_seconds": 22, "prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}, {}, 22, 0.22),
        ({"type": "duration", "seconds": -3}, {}, 20, 0.2),
        ({"type": "duration", "seconds": float(10**12)}, {}, 20, 0.2),
    ],
)
async def test_duration_that_the_server_reports_counts_before_the_measured_one(
    tmp_path: Path, usage: Any, form: dict[str, str], seconds: float, cost: float
) -> None:
    fake = FakeSpeechServer()
    fake.usage = usage
    async with priced(tmp_path, fake) as (gateway, store):
        _, secret = await store.keys.create("Phone")
        _, _, headers = await use(gateway, "audio/transcriptions", secret, fields=form)
        record = await record_of(gateway, secret, headers)
    assert (record["audio_seconds"], record["total_cost"]) == (seconds, cost)


async def test_tokens_of_a_recording_cost_their_own_rate(tmp_path: Path) -> None:
    fake = FakeSpeechServer()
    details = {"audio_tokens": 800, "text_tokens": 200}
    fake.usage = {
        "type": "tokens",
        "input_tokens": 1000,
        "output_tokens": 100,
        "total_tokens": 1100,
        "input_token_details": details,
    }
    prices = {WHISPER: Prices(2 * NANO, 10 * NANO, audio=6 * NANO)}
    async with priced(tmp_path, fake, prices=prices) as (gateway, store):
        _, secret = await store.keys.create("Phone")
        _, _, headers = await use(gateway, "audio/transcriptions", secret)
        record = await record_of(gateway, secret, headers)
    assert (record["tokens_prompt"], record["tokens_completion"], record["audio_seconds"]) == (1000, 100, 20)
    assert record["total_cost"] == pytest.approx((200 * 2 + 800 * 6 + 100 * 10) / 1e6)
    assert record["estimated"] is False


async def test_recording_of_unknown_duration_costs_at_most_what_was_reserved_and_says_so(tmp_path: Path) -> None:
    """A server that is paid by the minute and reports nothing: an unknown duration must not make a budget larger."""
    noise = b"\x01" * 7_500

    class Deaf(FakeSpeechServer):
        @override
        async def respond(self, request: Any) -> Any:
            if request.path == "/v1/audio/transcriptions":
                return aiohttp.web.json_response({"text": "Hm."})
            return await super().respond(request)

    async with priced(tmp_path, Deaf()) as (gateway, store):
        key, secret = await store.keys.create("Phone")
        await store.budgets.set(Scope.KEY, key.id, 15 * CENT, Period.DAY)
        status, _, headers = await use(gateway, "audio/transcriptions", secret, wave=noise)
        assert status == 200
        record = await record_of(gateway, secret, headers)
        assert (record["audio_seconds"], record["total_cost"], record["estimated"]) == (None, 0.1, True)
        assert (await use(gateway, "audio/transcriptions", secret, wave=noise))[0] == 429


def _with_chunk_before(wave: bytes, name: bytes, content: bytes) -> bytes:
    at = wave.index(b"data")
    return wave[:at] + name + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2) + wave[at:]


@pytest.mark.parametrize(
    ("data", "seconds"),
    [
        (WAVE, 20.0),
        (_with_chunk_before(WAVE, b"LIST", b"INFO odd"), 20.0),
        (_with_chunk_before(WAVE, b"LIST", b"odd"), 20.0),
        (WAVE[:40] + b"\xff\xff\xff\xff" + WAVE[44:], 20.0),
        (WAVE[:40] + b"\0\0\0\0" + WAVE[44:], 20.0),
        (WAVE[:28] + b"\0\0\0\0" + WAVE[32:], 20.0),  # bytes per second, which no decoder of samples reads
        (WAVE[:28] + (10**9).to_bytes(4, "little") + WAVE[32:], 20.0),
        (WAVE[:24] + b"\0\0\0\0" + WAVE[28:], None),
        (WAVE[:24] + (10**9).to_bytes(4, "little") + WAVE[28:], None),  # samples per second: shorter than its size allows
        (WAVE[:24] + b"\1\0\0\0" + WAVE[28:], None),  # longer than a day
        (WAVE[:40] + b"\2\0\0\0" + WAVE[44:], None),  # a file for a sample
        (WAVE[:44], None),
        (WAVE[:20], None),
        (b"RIFF\0\0\0\0WAVE" + b"junk\xff\xff\xff\x7f", None),
        (b"", None),
        (b"ID3" + b"\xff" * 1000, None),
        (b"OggS" + b"\0" * 100, None),
        (b"fLaC" + b"\0" * 100, None),
        (b"\x1aE\xdf\xa3" + b"\0" * 100, None),
    ],
)
def test_duration_of_a_file_is_exact_or_unknown(data: bytes, seconds: float | None) -> None:
    assert measured(Recording(data)).seconds == seconds


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"cost_per_audio_minute": 0.006}, Prices(0, 0, minute=6 * NANO // 1000)),
        ({"cost_per_1m_characters": 15}, Prices(0, 0, characters=15 * NANO)),
        (
            {"input_cost_per_1m": 2.5, "output_cost_per_1m": 10, "audio_cost_per_1m": 6},
            Prices(5 * NANO // 2, 10 * NANO, audio=6 * NANO),
        ),
    ],
)
def test_prices_of_audio_survive_the_list_of_models(data: dict[str, float], expected: Prices) -> None:
    found = Prices.parse(data)
    assert found == expected
    assert Prices.parse(found.to_json()) == found


def _flac(seconds: int, rate: int = 16_000) -> bytes:
    """A FLAC file's header (RFC 9639, section 8.2), and what may be its frames."""
    described = (rate << 44) | (0 << 41) | (15 << 36) | (seconds * rate)
    return b"fLaC\x80\0\0\x22" + b"\x10\0\x10\0" + bytes(6) + described.to_bytes(8) + bytes(16) + b"\xff\xf8" * 4_000


MP3_FRAME = b"\xff\xfb\x90\x00" + bytes(413)
"""1,152 samples with 44.1 kHz and 128 kbit/s: 26.12 ms."""


@pytest.mark.parametrize(
    ("data", "seconds"),
    [
        (_flac(20), pytest.approx(20)),
        (MP3_FRAME * 100, pytest.approx(2.61, abs=0.05)),
        (_flac(1) + bytes(1_000_000), None),
        (_flac(200_000), None),
    ],
    ids=["flac", "mp3", "shorter than its size allows", "longer than a day"],
)
def test_duration_of_other_formats_is_measured_and_not_believed_if_it_is_absurd(data: bytes, seconds: Any) -> None:
    assert measured(Recording(data)).seconds == seconds
