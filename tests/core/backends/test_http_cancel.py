"""Who stops listening, for whatever reason, closes the upstream within a second."""

import asyncio

import pytest

from tests.core.backends.conftest import CHAT, Make, ask, error_of, said
from tests.support.fakes.chunks import delta
from tests.support.fakes.upstream import Upstream, stalls, streams
from tests.support.waiting import AT_ONCE, run_pending_tasks, until
from zeroconf_ai.backends.base import Timeouts
from zeroconf_ai.protocol.errors import UpstreamTimeoutError


async def gone(upstream: Upstream) -> None:
    """The upstream sees within a second that its client went away."""
    await asyncio.wait_for(upstream.received[-1].over.wait(), AT_ONCE)
    assert upstream.received[-1].cut


async def arrived(upstream: Upstream) -> None:
    await until(lambda: upstream.received)


@pytest.mark.parametrize("stream", [True, False])
async def test_cancelled_before_the_first_byte_closes_the_upstream(upstream: Upstream, client: Make, stream: bool) -> None:
    upstream.on(CHAT, stalls)
    asking = asyncio.create_task(ask(client(timeouts=Timeouts()), stream=stream))
    await arrived(upstream)
    asking.cancel()
    await gone(upstream)
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_cancelled_during_a_stream_closes_the_upstream(upstream: Upstream, client: Make) -> None:
    upstream.on(CHAT, streams(delta("Hi"), then="stall"))
    reading = asyncio.create_task(said(client(timeouts=Timeouts())))
    await arrived(upstream)
    await run_pending_tasks(50)
    reading.cancel()
    await gone(upstream)
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_answer_closed_unread_closes_the_upstream(upstream: Upstream, client: Make) -> None:
    upstream.on(CHAT, streams(delta("Hi"), then="stall"))
    answer = await ask(client(timeouts=Timeouts()))
    await answer.close()
    await gone(upstream)


async def test_cancelled_during_an_answer_closes_the_upstream(upstream: Upstream, client: Make) -> None:
    async def whole() -> None:
        answer = await ask(client(timeouts=Timeouts()), stream=False)
        try:
            await answer.body()
        finally:
            await answer.close()

    upstream.on(CHAT, streams(b"{", then="stall", kind="application/json"))
    reading = asyncio.create_task(whole())
    await arrived(upstream)
    await run_pending_tasks(50)
    reading.cancel()
    await gone(upstream)
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_timeout_closes_the_upstream(upstream: Upstream, client: Make) -> None:
    upstream.on(CHAT, stalls)
    await error_of(UpstreamTimeoutError, said(client()))
    await gone(upstream)
