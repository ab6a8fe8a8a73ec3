"""Audio passes the engine as all else does: limits, queue, records."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, override

import aiohttp
import pytest

from tests.support.waiting import AT_ONCE
from zeroconf_ai.accounting.budget import Scope
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.generation import Generation, Outcome
from zeroconf_ai.protocol.errors import UpstreamError
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.server.access.guard import Guard

from ...support.server import Served, served
from .test_audio import SPEAK, FakeAudio, form

PATHS = ["audio/transcriptions", "audio/speech"]
KINDS = {"audio/transcriptions": ("transcription", "whisper-1", "stt.ears"), "audio/speech": ("speech", "tts-1", "tts.voice")}


@asynccontextmanager
async def limited(folder: Path, audio: FakeAudio, **limits: Any) -> AsyncIterator[tuple[Served, AccountingStore, dict[str, Any]]]:
    """A gateway with an accounting store, and the headers of a key with these limits."""
    store = await AccountingStore.open(folder / "gateway.db")
    try:
        _, secret = await store.keys.create("Phone", **limits)
        async with served(access=Guard(store.keys), ledger=store.ledger, audio=audio) as gateway:
            await gateway.engine.attach(Accounting.of(store))
            yield gateway, store, {"Authorization": f"Bearer {secret}"}
    finally:
        await store.close()


async def use_audio(gateway: Served, path: str, headers: dict[str, Any]) -> tuple[int, Any]:
    """Status and headers of a request."""
    content: dict[str, Any] = {"json": SPEAK} if path == "audio/speech" else {"data": form()}
    status, _, answered = await gateway.ask("POST", path, headers=headers, **content)
    return status, answered


async def recorded(store: AccountingStore) -> list[Generation]:
    """All records, the oldest first."""
    await store.flush()
    pages = store.ledger.pages(0.0, 1e12)
    ids = [row["id"] async for page in pages for row in page]
    found = [await store.ledger.get(generation_id, None) for generation_id in ids]
    return sorted((record for record in found if record is not None), key=lambda record: record.created)


@pytest.mark.parametrize("path", PATHS)
async def test_audio_of_a_rate_limited_key_has_headers_and_is_refused_beyond(tmp_path: Path, path: str) -> None:
    async with limited(tmp_path, FakeAudio(), requests_per_minute=1) as (gateway, store, headers):
        status, told = await use_audio(gateway, path, headers)
        assert (status, told["x-ratelimit-limit-requests"], told["x-ratelimit-remaining-requests"]) == (200, "1", "0")
        status, told = await use_audio(gateway, path, headers)
        assert (status, told["x-ratelimit-remaining-requests"]) == (429, "0")
        assert 50 < int(told["Retry-After"]) <= 60
        assert [record.error_code for record in await recorded(store)] == [None, "rate_limit_exceeded"]


@pytest.mark.parametrize("path", PATHS)
async def test_audio_answered_is_recorded_with_its_model_and_key(tmp_path: Path, path: str) -> None:
    async with limited(tmp_path, FakeAudio()) as (gateway, store, headers):
        status, told = await use_audio(gateway, path, headers)
        assert status == 200
        [record] = await recorded(store)
        assert record.id == told["X-Generation-ID"]
        assert (record.kind, record.requested_model, record.model) == KINDS[path]
        assert (record.outcome, record.caller, record.source, record.backend_id) == (Outcome.OK, "Phone", "http", None)
        assert record.key_id is not None
        _, body, _ = await gateway.get(f"generation?id={record.id}", headers=headers)
        assert (body["data"]["endpoint"], body["data"]["status"]) == (KINDS[path][0], "ok")


@pytest.mark.parametrize("path", PATHS)
async def test_audio_that_fails_is_recorded_with_its_error(tmp_path: Path, path: str) -> None:
    audio = FakeAudio()
    audio.parts = [UpstreamError("hoarse", code="hoarse")]
    audio.transcript = UpstreamError("deaf", code="hoarse")
    async with limited(tmp_path, audio) as (gateway, store, headers):
        assert (await use_audio(gateway, path, headers))[0] == 502
        audio.engines.clear()
        assert (await use_audio(gateway, path, headers))[0] == 404
        found = [(record.outcome, record.error_code) for record in await recorded(store)]
    assert found == [(Outcome.ERROR, "hoarse"), (Outcome.ERROR, "model_not_found")]


async def test_audio_with_an_exhausted_budget_is_answered(tmp_path: Path) -> None:
    async with limited(tmp_path, FakeAudio()) as (gateway, store, headers):
        budget = await store.budgets.set(Scope.HOUSEHOLD, None, 1, Period.MONTH)
        assert (await use_audio(gateway, "audio/speech", headers))[0] == 200
        assert store.budgets.state(budget.id).spent == 0


@pytest.mark.parametrize("path", PATHS)
async def test_audio_waits_in_the_queue_of_all_requests(tmp_path: Path, path: str) -> None:
    async with limited(tmp_path, FakeAudio()) as (gateway, _, headers):
        limiter = gateway.engine.limiter
        limiter.limit = 1
        waits = asyncio.Event()
        limiter.changed = waits.set
        place = await limiter.acquire()
        task = asyncio.create_task(use_audio(gateway, path, headers))
        await asyncio.wait_for(waits.wait(), AT_ONCE)
        assert limiter.waiting == 1
        place.release()
        assert (await task)[0] == 200
        assert limiter.active == 0


@pytest.mark.parametrize("path", PATHS)
async def test_audio_with_a_full_queue_is_refused_and_releases_its_permit(tmp_path: Path, path: str) -> None:
    async with limited(tmp_path, FakeAudio(), parallel=1) as (gateway, store, headers):
        limiter = gateway.engine.limiter
        limiter.limit, limiter.queue_length = 1, 0
        with await limiter.acquire():
            assert (await use_audio(gateway, path, headers))[0] == 503
        assert (await use_audio(gateway, path, headers))[0] == 200
        assert [record.error_code for record in await recorded(store)] == ["provider_capacity_exceeded", None]


async def test_speech_client_disconnect_is_recorded_as_cancelled_and_releases_permits(tmp_path: Path) -> None:
    audio = FakeAudio()
    audio.parts = [b"first", asyncio.Event()]
    async with limited(tmp_path, audio, parallel=1) as (gateway, store, headers):
        async with gateway.session.post(f"{gateway.url}/audio/speech", json=SPEAK, headers=headers) as answer:
            assert await answer.content.readany() == b"first"
            assert gateway.engine.limiter.active == 1
            assert (await use_audio(gateway, "audio/speech", headers))[0] == 429  # one at a time
            answer.close()
        await asyncio.wait_for(audio.closed.wait(), AT_ONCE)
        assert gateway.engine.limiter.active == 0
        outcomes = [record.outcome for record in await recorded(store)]
        assert sorted(outcomes) == [Outcome.CANCELLED, Outcome.ERROR]
        audio.parts = [b"sound"]
        assert (await use_audio(gateway, "audio/speech", headers))[0] == 200


async def test_transcription_client_disconnect_is_recorded_as_cancelled(tmp_path: Path) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    class Slow(FakeAudio):
        @override
        async def transcribe(self, *_: Any, **__: Any) -> Any:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

    async with limited(tmp_path, Slow()) as (gateway, store, headers):
        task = asyncio.create_task(use_audio(gateway, "audio/transcriptions", headers))
        await asyncio.wait_for(begun.wait(), AT_ONCE)
        task.cancel()
        with pytest.raises((asyncio.CancelledError, aiohttp.ClientError)):
            await task
        await asyncio.wait_for(ended.wait(), AT_ONCE)
        assert [record.outcome for record in await recorded(store)] == [Outcome.CANCELLED]
        assert gateway.engine.limiter.active == 0
