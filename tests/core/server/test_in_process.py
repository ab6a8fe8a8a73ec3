"""Requests that reach the server without a port."""

import asyncio
from collections.abc import AsyncIterator, Iterable
import json
import tracemalloc
from typing import Any, override

import aiohttp
import pytest

from tests.support.fakes.provider import FakeProvider
from tests.support.server import CHAT, Endless, served, upstream
from zeroconf_ai.server.in_process import AnswerSink, BrokenOffError, InProcess

JSON = [("content-type", "application/json"), ("x-request-id", "req_over_a_link")]


class Kept(AnswerSink):
    """Keeps an answer. `left`: its reader leaves after so many parts."""

    def __init__(self, left: int | None = None) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.parts: list[bytes] = []
        self.ended = False
        self.first = asyncio.Event()
        self._left = left

    @override
    async def start(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        assert not self.status
        self.status, self.headers = status, {name.lower(): value for name, value in headers}

    @override
    async def write(self, data: bytes) -> None:
        if self._left is not None and len(self.parts) >= self._left:
            raise ConnectionResetError("the reader has left")
        self.parts.append(data)
        self.first.set()

    @override
    async def end(self) -> None:
        self.ended = True

    @property
    def body(self) -> bytes:
        """All of the body."""
        return b"".join(self.parts)

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


async def parts_of(*parts: bytes) -> AsyncIterator[bytes]:
    """A body in parts."""
    for part in parts:
        yield part


def chat(**more: Any) -> bytes:
    """A request to the demo model."""
    return json.dumps({**CHAT, "model": "demo-rules", **more}).encode()


async def test_request_in_process_is_answered_as_on_the_port() -> None:
    """Status, headers and body are those that the port sends."""
    async with served() as gateway:
        found = Kept()
        await InProcess(gateway.runner).answer("GET", "/v1/models", JSON, parts_of(), found)
        status, body, headers = await gateway.get("models", headers=dict(JSON))
        assert (found.status, found.json(), found.ended) == (status, body, True)
        assert {name for name in found.headers if name != "date"} == {name.lower() for name in headers if name != "Date"}
        assert found.headers["x-request-id"] == "req_over_a_link"


async def test_stream_in_process_arrives_part_by_part() -> None:
    """Each batch of tokens is passed on when it is written; the body may come in parts, too."""
    async with served() as gateway:
        raw, found = chat(stream=True), Kept()
        await InProcess(gateway.runner).answer("POST", "/v1/chat/completions", JSON, parts_of(raw[:9], raw[9:]), found)
        assert found.status == 200
        assert found.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert len(found.parts) > 3
        assert found.body.endswith(b"data: [DONE]\n\n")


async def test_unknown_path_in_process_is_an_error_of_the_api() -> None:
    """What the application refuses has the format of all errors."""
    async with served() as gateway:
        found = Kept()
        await InProcess(gateway.runner).answer("POST", "/v1/nothing", JSON, parts_of(b"{}"), found)
        assert (found.status, found.json()["error"]["code"]) == (404, "not_found")


async def test_large_body_in_process_is_read_within_bounds() -> None:
    """A body is not read faster than its request, and one that is too large is refused without reading all of it."""
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 64 * 1024
            yield b" " * (64 * 1024)

    async with served(max_body_bytes=512 * 1024) as gateway:
        found = Kept()
        tracemalloc.start()
        await InProcess(gateway.runner).answer("POST", "/v1/chat/completions", JSON, endless(), found)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert (found.status, found.json()["error"]["code"]) == (413, "request_too_large")
        assert taken < 2 * 1024**2
        assert peak < 16 * 1024**2


async def test_body_that_breaks_off_is_refused() -> None:
    """The house was cut off while it sent: nothing reaches a model."""

    async def broken() -> AsyncIterator[bytes]:
        yield chat()[:9]
        raise BrokenOffError("the link dropped")

    async with served() as gateway:
        found = Kept()
        await InProcess(gateway.runner).answer("POST", "/v1/chat/completions", JSON, broken(), found)
        assert (found.status, found.json()["error"]["code"]) == (400, "invalid_body")


@pytest.mark.parametrize("leaves", [True, False], ids=["reader leaves", "request is cancelled"])
async def test_stream_in_process_ends_its_upstream_request(leaves: bool) -> None:
    """Nobody wants the answer any longer: the provider stops."""
    endless = Endless()
    provider = FakeProvider(answers=[endless])
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, served(backend) as gateway:
        found = Kept(left=2 if leaves else None)
        raw = json.dumps({**CHAT, "stream": True}).encode()
        answering = asyncio.create_task(
            InProcess(gateway.runner).answer("POST", "/v1/chat/completions", JSON, parts_of(raw), found)
        )
        if leaves:
            with pytest.raises(ConnectionError):
                await asyncio.wait_for(answering, 10)
        else:
            await asyncio.wait_for(found.first.wait(), 10)
            answering.cancel()
            with pytest.raises(asyncio.CancelledError):
                await answering
        await asyncio.wait_for(endless.gone.wait(), 10)
        assert not found.ended
