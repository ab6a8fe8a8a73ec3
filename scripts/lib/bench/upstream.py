"""A model that answers at once: an HTTP server of a few lines, so that what is measured is who stands before it.

Model `swift` streams as fast as it is read, each token in a write of its own; `paced` says 50 tokens a second. Where the usage is
asked for, all chunks before the last have `"usage":null`, as OpenAI's have. Requests come one at a time on a connection.
"""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import override

import orjson

TOKENS = 1000
TOKENS_PER_SECOND = 50
PROMPT_TOKENS = 10

_HEAD = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 0, "model": "swift"}


def _event(data: object) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"


def _chunk(delta: dict[str, str], finish_reason: str | None, *, counted: bool) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return _event(_HEAD | {"choices": [choice]} | ({"usage": None} if counted else {}))


def _chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


def _reply(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head + body


_USAGE = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": TOKENS, "total_tokens": PROMPT_TOKENS + TOKENS}
_WHOLE = _reply(
    orjson.dumps(
        _HEAD
        | {
            "object": "chat.completion",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": 2, "total_tokens": PROMPT_TOKENS + 2},
        }
    )
)
_MODELS = _reply(orjson.dumps({"object": "list", "data": [{"id": name, "object": "model"} for name in ("swift", "paced")]}))
_HEALTH = _reply(orjson.dumps({"status": "ok"}))
_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_PIECES = {
    counted: [_chunked(_chunk({"content": f"word{number} "}, None, counted=counted)) for number in range(TOKENS)]
    for counted in (False, True)
}
"""By whether usage is requested."""
_STOP = {counted: _chunk({}, "stop", counted=counted) for counted in (False, True)}
_COUNT = _event(_HEAD | {"choices": [], "usage": _USAGE})
_DONE = b"data: [DONE]\n\n"


class _Server(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._task is not None:
            self._task.cancel()

    @override
    def pause_writing(self) -> None:
        self._writable.clear()

    @override
    def resume_writing(self) -> None:
        self._writable.set()

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        if (found := head.find(b"content-length:")) >= 0:
            size = int(head[found + 15 :].split(b"\r\n", 1)[0])
            body = bytes(self._buffer[end + 4 : end + 4 + size])
            if len(body) < size:
                return
        elif b"transfer-encoding: chunked" in head:
            body = bytes(self._buffer[end + 4 :])
            if not body.endswith(b"0\r\n\r\n"):
                return
        else:
            body = b""
        self._buffer.clear()
        self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        assert self._transport is not None
        if head.startswith(b"get"):
            self._transport.write(_MODELS if b"/models" in head.split(b"\r\n", 1)[0] else _HEALTH)
        elif b'"stream":true' in body.replace(b" ", b""):
            counted = b"include_usage" in body
            self._task = asyncio.get_running_loop().create_task(self._stream(paced=b'"paced"' in body, counted=counted))
        else:
            self._transport.write(_WHOLE)

    async def _stream(self, *, paced: bool, counted: bool) -> None:
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        self._transport.write(_STREAM)
        begun = loop.time()
        for number, piece in enumerate(_PIECES[counted]):
            if paced:
                await asyncio.sleep(begun + number / TOKENS_PER_SECOND - loop.time())
            else:
                await asyncio.sleep(0)
            await self._writable.wait()
            self._transport.write(piece)
        self._transport.write(_chunked(_STOP[counted] + (_COUNT if counted else b"") + _DONE) + b"0\r\n\r\n")


def run(port: Connection) -> None:
    """Serve on a free port of the loopback interface, which is sent to `port`, until ended."""

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", 0, backlog=1024)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


@contextmanager
def running() -> Generator[int]:
    """The server in a process of its own, so that its work is not counted. Yields its port."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=run, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()
