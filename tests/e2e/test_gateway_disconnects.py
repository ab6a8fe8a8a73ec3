"""A client that disconnects before its answer: the request to the provider ends within a second, in every phase."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from devhome.client import eventually
from devhome.namespaces import Lan
from tests.support.clouds.server import Fault, Reply

from .gateway_home import HELLO, GatewayHome, gateway_home
from .sdks import CHAT_MODEL, QUESTION

pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = Reply("word " * 1000)
WITHIN = 1.0
"""Seconds."""
CHATS = "/v1/chat/completions"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(lan: Lan, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayHome]:
    async with gateway_home(lan, tmp_path_factory.mktemp("disconnects"), max_concurrent=1) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def session(site: GatewayHome) -> AsyncIterator[aiohttp.ClientSession]:
    site.openai.received.clear()
    site.openai.outcomes = [HELLO]
    site.openai.pause = 0.0
    async with aiohttp.ClientSession(site.home.url, headers=site.headers) as made:
        yield made


def start_chat(session: aiohttp.ClientSession, request_id: str, *, stream: bool) -> asyncio.Task[bytes]:
    """A task that sends a chat and reads the answer to its end; its cancellation disconnects the client."""

    async def run() -> bytes:
        body = {"model": CHAT_MODEL, "messages": [QUESTION], "stream": stream}
        async with session.post(CHATS, json=body, headers={"X-Request-ID": request_id}) as response:
            return await response.read()

    return asyncio.create_task(run())


async def go_away(task: asyncio.Task[bytes]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def queue_is(session: aiohttp.ClientSession, **wanted: int) -> None:
    """Wait until the gateway's queue has these values, at most as long as a disconnect may take to be detected."""

    async def look() -> bool:
        async with session.get("/v1/status") as response:
            queue = (await response.json())["queue"]
        return wanted.items() <= queue.items()

    await eventually(look, timeout=WITHIN, interval=0.02)


async def generation_of(session: aiohttp.ClientSession, request_id: str) -> Mapping[str, Any]:
    async def look() -> Any:
        async with session.get("/v1/generation", params={"id": request_id}) as response:
            return (await response.json()).get("data")

    found: Mapping[str, Any] = await eventually(look, timeout=5)
    return found


async def at_the_provider(site: GatewayHome, count: int = 1) -> None:
    """Wait until the provider has received this many requests."""

    async def look() -> bool:
        return len(site.openai.bodies(CHATS)) >= count

    await eventually(look, timeout=5, interval=0.01)


async def still_works(session: aiohttp.ClientSession, site: GatewayHome) -> None:
    """Check that the provider's only permit is free again."""
    site.openai.outcomes = [HELLO]
    site.openai.pause = 0.0
    assert HELLO.text.encode() in await asyncio.wait_for(start_chat(session, "req-after", stream=False), WITHIN)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_disconnect_before_the_first_byte_ends_the_provider_within_a_second(
    site: GatewayHome, session: aiohttp.ClientSession, stream: bool
) -> None:
    site.openai.outcomes = [Fault("stall", after=0)]
    request_id = f"req-first-{stream}"
    task = start_chat(session, request_id, stream=stream)
    await at_the_provider(site)
    await queue_is(session, active=1)
    await go_away(task)
    await asyncio.wait_for(site.openai.last.over.wait(), WITHIN)
    assert site.openai.last.cut
    await queue_is(session, active=0, depth=0)
    record = await generation_of(session, request_id)
    assert (record["status"], record["streamed"], record["latency_ms"]) == ("cancelled", stream, None)
    await still_works(session, site)


async def test_disconnect_during_a_stream_ends_the_provider_within_a_second(
    site: GatewayHome, session: aiohttp.ClientSession
) -> None:
    site.openai.outcomes = [LONG]
    site.openai.pause = 0.02
    body = {"model": CHAT_MODEL, "messages": [QUESTION], "stream": True}
    response = await session.post(CHATS, json=body, headers={"X-Request-ID": "req-middle"})
    assert b"chat.completion.chunk" in await response.content.readuntil(b"\n\n")
    response.close()
    await asyncio.wait_for(site.openai.last.over.wait(), WITHIN)
    assert site.openai.last.cut
    await queue_is(session, active=0, depth=0)
    record = await generation_of(session, "req-middle")
    assert (record["status"], record["model"], record["provider"]) == ("cancelled", CHAT_MODEL, "Cloud")
    assert record["tokens_completion"] > 0
    assert record["estimated"] is True
    await still_works(session, site)


async def test_disconnect_in_the_queue_leaves_it_within_a_second(site: GatewayHome, session: aiohttp.ClientSession) -> None:
    site.openai.outcomes = [Fault("stall", after=0)]
    first = start_chat(session, "req-ahead", stream=True)
    await at_the_provider(site)
    waiting = start_chat(session, "req-queued", stream=True)
    await queue_is(session, active=1, depth=1)
    await go_away(waiting)
    await queue_is(session, active=1, depth=0)
    record = await generation_of(session, "req-queued")
    assert (record["status"], record["tokens_completion"]) == ("cancelled", 0)
    assert len(site.openai.bodies(CHATS)) == 1, "it was never sent to the provider"
    await go_away(first)
    await asyncio.wait_for(site.openai.last.over.wait(), WITHIN)
    await still_works(session, site)
