"""How requests end when the server does."""

import asyncio
import json
import time

import aiohttp
import pytest

from zeroconf_ai.backends.demo.backend import DemoBackend
from zeroconf_ai.engine import Caller, Source
from zeroconf_ai.protocol.errors import UnavailableError
from zeroconf_ai.protocol.request import Kind, Request

from ...support.server import Served, events, served
from ...support.waiting import AT_ONCE, cancel, run_pending_tasks, until


def counting(to: int, *, stream: bool = True) -> dict[str, object]:
    return {"model": "demo-rules", "messages": [{"role": "user", "content": f"count to {to}"}], "stream": stream}


async def stream_chat(gateway: Served, body: dict[str, object], begun: asyncio.Event | None = None) -> tuple[int, list[str]]:
    async with gateway.session.post(f"{gateway.url}/chat/completions", json=body) as response:
        if begun is not None:
            begun.set()
        if response.content_type == "text/event-stream":
            return response.status, await events(response)
        return response.status, [await response.text()]


async def test_shutdown_stream_that_ends_in_time_is_complete() -> None:
    async with served(DemoBackend(word_seconds=0.02), drain_seconds=60.0) as gateway:
        begun = asyncio.Event()
        asking = asyncio.create_task(stream_chat(gateway, counting(20), begun))
        await begun.wait()
        await gateway.runner.cleanup()
        status, found = await asking
    assert status == 200
    assert found[-1] == "[DONE]"
    assert len(found) > 20


async def test_shutdown_stream_that_does_not_end_gets_an_error_event() -> None:
    async with served(DemoBackend(word_seconds=0.05), drain_seconds=0.3) as gateway:
        begun = asyncio.Event()
        asking = asyncio.create_task(stream_chat(gateway, counting(1000), begun))
        await begun.wait()
        started = time.monotonic()
        await gateway.runner.cleanup()
        took = time.monotonic() - started
        status, found = await asking
        [member] = gateway.engine.pool
        assert member.active == 0
    assert status == 200
    assert 0.25 < took < 30  # and not the 50 s of the whole answer
    assert "[DONE]" not in found
    error = json.loads(found[-1])["error"]
    assert error["type"] == "service_unavailable"
    assert "stopping" in error["message"]


async def test_shutdown_answer_that_is_not_streamed_gets_a_503() -> None:
    async with served(DemoBackend(word_seconds=0.05), drain_seconds=0.2) as gateway:
        asking = asyncio.create_task(stream_chat(gateway, counting(1000, stream=False)))
        [member] = gateway.engine.pool
        await until(lambda: member.active)
        await gateway.runner.cleanup()
        status, [body] = await asking
    assert status == 503
    assert json.loads(body)["error"]["code"] == "no_provider"


async def test_shutdown_new_requests_are_refused_while_streams_end() -> None:
    async with served(DemoBackend(word_seconds=0.02), drain_seconds=60.0) as gateway:
        begun = asyncio.Event()
        asking = asyncio.create_task(stream_chat(gateway, counting(40), begun))
        await begun.wait()
        draining = asyncio.create_task(gateway.gateway.drain(3600))
        await run_pending_tasks()
        async with gateway.session.post(f"{gateway.url}/chat/completions", json=counting(2)) as response:
            assert response.status == 503
            assert response.headers["Retry-After"] == "60"
        status, body, _ = await gateway.get("health")
        assert (status, body["status"]) == (503, "unavailable")
        assert (await asking)[1][-1] == "[DONE]"
        await asyncio.wait_for(draining, 60)  # it ends with the last stream


async def test_shutdown_waits_for_requests_that_came_another_way_unless_it_is_interrupted() -> None:
    async with served(DemoBackend(word_seconds=0.02)) as gateway:
        page = Caller(Source.PAGE)

        async def answer(begun: asyncio.Event) -> None:
            async with gateway.engine.run(Request(Kind.CHAT, counting(1000)), page):
                begun.set()
                await asyncio.Event().wait()

        begun = asyncio.Event()
        answering = asyncio.create_task(answer(begun))
        await begun.wait()
        draining = asyncio.create_task(gateway.gateway.drain(3600, whole_engine=True))
        await run_pending_tasks()
        assert not draining.done()
        await cancel(answering)
        await asyncio.wait_for(draining, AT_ONCE)

    async with served(DemoBackend(word_seconds=0.02)) as gateway:
        begun = asyncio.Event()
        answering = asyncio.create_task(answer(begun))
        await begun.wait()
        draining = asyncio.create_task(gateway.gateway.drain(3600, whole_engine=True))
        await run_pending_tasks()
        gateway.gateway.interrupt()
        await asyncio.wait_for(draining, AT_ONCE)
        await gateway.gateway.drain(3600)  # has been done
        await cancel(answering)


async def test_shutdown_request_to_a_backend_is_ended() -> None:
    async with served() as gateway:
        await gateway.gateway.drain(0)
        with pytest.raises(UnavailableError):
            async with gateway.gateway.interruptible():
                raise AssertionError("nothing runs any more")


async def test_shutdown_is_not_confused_with_another_timeout() -> None:
    async with served() as gateway:
        with pytest.raises(TimeoutError):
            async with gateway.gateway.interruptible():
                raise TimeoutError


async def test_shutdown_closes_the_port() -> None:
    async with served() as gateway:
        await gateway.runner.cleanup()
        with pytest.raises(aiohttp.ClientConnectorError):
            await gateway.get("health")
