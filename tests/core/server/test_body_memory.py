"""The memory of request bodies is bounded for all callers together."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
import gzip
import json
import tracemalloc
from typing import Any

import aiohttp
from aiohttp import web
import pytest

from tests.support.fakes.provider import FakeProvider
from tests.support.server import CHAT, Endless, Served, served, upstream
from tests.support.waiting import AT_ONCE, run_pending_tasks, until
from zeroconf_ai.protocol.errors import RequestTooLargeError, UnavailableError
from zeroconf_ai.server.body_memory import COPIES, MIB, ROOM, BodyMemory, BodyShare, json_bytes

LARGE = 2 * MIB
"""Bytes of a body that is not a small one."""


def large_body(**more: Any) -> bytes:
    """A short chat request with much white space."""
    return json.dumps(CHAT | {"model": "auto"} | more).encode() + b" " * LARGE


def memory_for(bodies: int, wait_seconds: float) -> BodyMemory:
    """Memory for some large bodies."""
    return BodyMemory(large=bodies * (COPIES * len(large_body()) + ROOM), wait_seconds=wait_seconds)


@asynccontextmanager
async def gateway_with(memory: BodyMemory, answer: Callable[[web.Request], Any]) -> AsyncIterator[Served]:
    """A gateway with one provider, which answers with the script `answer`."""
    provider = FakeProvider(answers=[answer])
    async with (
        aiohttp.ClientSession() as session,
        upstream(provider, session) as backend,
        served(backend, body_memory=memory) as gateway,
    ):
        yield gateway


async def post(gateway: Served, data: Any, path: str = "chat/completions", **headers: str) -> tuple[int, Any, Any]:
    return await gateway.ask("POST", path, data=data, headers={"Content-Type": "application/json", **headers})


async def test_bodies_beyond_the_memory_wait_and_then_get_503() -> None:
    silent = Endless(silent=True)
    memory = memory_for(2, wait_seconds=0.2)
    async with gateway_with(memory, silent) as gateway:
        running = [asyncio.create_task(post(gateway, large_body())) for _ in range(2)]
        await until(lambda: memory.large.free < COPIES * LARGE)
        status, body, headers = await post(gateway, large_body())
        assert (status, body["error"]["code"]) == (503, "too_many_large_requests")
        assert int(headers["Retry-After"]) >= 1
        status, _, _ = await post(gateway, json.dumps({"model": "test-model"}))
        assert status == 400, "a small body does not wait for large ones"
        for task in running:
            task.cancel()
        await until(lambda: memory.large.free == 2 * (COPIES * len(large_body()) + ROOM))


async def test_body_that_waits_gets_the_memory_of_one_that_ends() -> None:
    begun, end = asyncio.Event(), asyncio.Event()

    async def hold(request: web.Request) -> web.Response:
        await request.read()
        begun.set()
        await end.wait()
        return web.json_response(
            {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]}
        )

    memory = memory_for(1, wait_seconds=5.0)
    async with gateway_with(memory, hold) as gateway:
        answers = [asyncio.create_task(post(gateway, large_body())) for _ in range(3)]
        await asyncio.wait_for(begun.wait(), AT_ONCE)
        assert memory.large.free < COPIES * LARGE
        end.set()
        assert [status for status, _, _ in await asyncio.gather(*answers)] == [200, 200, 200]
        await until(lambda: memory.free == BodyMemory(large=COPIES * len(large_body()) + ROOM).free)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/embeddings", "/api/chat"])
@pytest.mark.parametrize("sent", ["plain", "chunked", "gzip", "broken", "too large", "no JSON"])
async def test_memory_is_free_after_every_end_of_a_request(path: str, sent: str) -> None:
    memory = BodyMemory()
    free = memory.free
    body = large_body(input="Hello", max_tokens=5)
    data: Any = body
    headers = {}
    if sent == "chunked":

        async def parts() -> AsyncIterator[bytes]:
            for start in range(0, len(body), 100_000):
                yield body[start : start + 100_000]

        data = parts()
    elif sent == "gzip":
        data, headers = gzip.compress(body), {"Content-Encoding": "gzip"}
    elif sent == "broken":
        data, headers = b"no gzip", {"Content-Encoding": "gzip"}
    elif sent == "no JSON":
        data = b"[" + body
    async with served(body_memory=memory, max_body_bytes=MIB if sent == "too large" else 4 * MIB) as gateway:
        status, _, _ = await post(gateway, data, path, **headers)
        assert status == {"plain": 200, "chunked": 200, "gzip": 200, "too large": 413}.get(sent, 400) or path == "/v1/embeddings"
        await until(lambda: memory.free == free)


async def test_memory_is_free_after_a_client_that_leaves() -> None:
    memory = BodyMemory()
    free = memory.free
    endless = Endless(silent=True)
    async with gateway_with(memory, endless) as gateway:
        for sent in (large_body(), large_body()[:-100]):
            _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(large_body())}\r\n\r\n"
            writer.write(head.encode() + sent)
            await until(lambda: memory.free < free)
            await run_pending_tasks(3)
            writer.transport.abort()
            await until(lambda: memory.free == free)


async def test_body_with_very_many_values_is_refused_before_it_is_parsed() -> None:
    dense = b'{"messages": [{"role": "user", "content": "Hi"}], "x": [' + b"{}," * 2_000_000 + b"{}]}"
    async with served() as gateway:
        tracemalloc.start()
        try:
            status, body, _ = await post(gateway, dense)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (status, body["error"]["code"]) == (413, "request_too_large")
    assert peak < 5 * len(dense)


@pytest.mark.parametrize(
    "text",
    [
        b"[" + b"{}," * 10_000 + b"{}]",
        b"[" + b'{"a":1},' * 10_000 + b"{}]",
        b"[" + b"[1]," * 10_000 + b"[]]",
        b"[" + b"1.5," * 10_000 + b"1]",
        b"[" + b'"ab",' * 10_000 + b'""]',
        json.dumps({f"key-{number}": "value" for number in range(10_000)}).encode(),
        b'"' + b"A" * 100_000 + b'"',
    ],
)
def test_estimate_of_a_text_covers_what_its_values_take(text: bytes) -> None:
    tracemalloc.start()
    try:
        value = json.loads(text)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert value
    assert taken < json_bytes(text)


async def test_waiting_callers_get_memory_in_turn_and_those_who_hold_much_last() -> None:
    memory = BodyMemory(large=100 * MIB, wait_seconds=5.0)
    greedy = [BodyShare(memory, "greedy") for _ in range(5)]
    modest = BodyShare(memory, "modest")
    done: list[str] = []

    async def take(share: BodyShare, name: str) -> None:
        await share.resize(40 * MIB)
        done.append(name)

    await greedy[0].resize(40 * MIB)
    await greedy[1].resize(40 * MIB)
    waiting = [asyncio.create_task(take(share, "greedy")) for share in greedy[2:]]
    await run_pending_tasks(3)
    waiting.append(asyncio.create_task(take(modest, "modest")))
    await run_pending_tasks(3)
    assert done == []
    greedy[0].release()
    await until(lambda: done)
    assert done == ["modest"]
    waiting[0].cancel()
    for share in (greedy[1], modest):
        share.release()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert done == ["modest", "greedy", "greedy"]
    for share in greedy:
        share.release()
    assert memory.large.free == 100 * MIB


async def test_many_bodies_that_give_up_waiting_together_leave_the_memory_free() -> None:
    memory = BodyMemory(large=10 * MIB, wait_seconds=0.05)
    first = BodyShare(memory, "first")
    await first.resize(10 * MIB)
    others = [BodyShare(memory, "others") for _ in range(20)]
    ends = await asyncio.gather(*(share.resize(5 * MIB) for share in others), return_exceptions=True)
    assert {type(end) for end in ends} == {UnavailableError}
    first.release()
    assert memory.large.free == 10 * MIB


async def test_body_larger_than_all_memory_is_refused_at_once() -> None:
    memory = BodyMemory(large=10 * MIB, wait_seconds=5.0)
    share = BodyShare(memory, "one")
    with pytest.raises(RequestTooLargeError):
        await share.resize(11 * MIB)
    assert memory.large.free == 10 * MIB
