"""Scripted providers: a real HTTP server on 127.0.0.1, and a backend without a network for tests of the router."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
import json
import ssl
from typing import Any, Self, override

from aiohttp import web

from zeroconf_ai.backends.base import Answer, Backend, BackendInfo, ImageEdits
from zeroconf_ai.protocol.chunks import Chunk
from zeroconf_ai.protocol.errors import ApiError
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.protocol.status import Health, ProviderStatus

from ..waiting import never_answer, next_turn, pause_fake
from .chunks import delta
from .server import FakeServer

type Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


def chat(*, stream: bool = False, model: str = "m", **body: Any) -> Request:
    """A small chat request."""
    return Request.parse(Kind.CHAT, {"model": model, "messages": [{"role": "user", "content": "Hi"}], "stream": stream, **body})


def nested(depth: int) -> list[Any]:
    """Lists nested to this depth."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


ROLE = delta("", role="assistant")
STOP = delta(finish="stop")
USAGE = {"object": "chat.completion.chunk", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
COMPLETION = {
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2},
}

EMBEDDINGS = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "usage": {"prompt_tokens": 3}}

IMAGES = {
    "created": 1_700_000_000,
    "data": [{"b64_json": "iVBORw0KGgo="}],
    "usage": {"input_tokens": 3, "output_tokens": 100, "total_tokens": 103},
}


def answers(
    body: object = None, status: int = 200, headers: Mapping[str, str] | None = None, kind: str = "application/json"
) -> Behaviour:
    """An answer that is not streamed; `body` is sent as JSON unless it is bytes."""

    async def behave(_: web.Request) -> web.StreamResponse:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return web.Response(status=status, body=raw, headers={"Content-Type": kind, **(headers or {})})

    return behave


def streams(*events: object, done: bool = True, then: str = "end", kind: str = "text/event-stream") -> Behaviour:
    """Events, one write each (bytes as they are), and then: "end", "stall", "cut" (the connection breaks) or "ping" for ever."""

    async def behave(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": kind})
        await response.prepare(request)
        for event in events:
            await response.write(event if isinstance(event, bytes) else f"data: {json.dumps(event)}\n\n".encode())
            await next_turn()
        if then == "stall":
            await never_answer()
        while then == "ping":
            await response.write(b": ping\n\n")
            await pause_fake(0.02)
        if then == "cut":
            await pause_fake(0.02)
            assert request.transport is not None
            request.transport.abort()
            return response
        if done:
            await response.write(b"data: [DONE]\n\n")
        return response

    return behave


async def stalls(_: web.Request) -> web.StreamResponse:
    """Accept the request and do not answer it."""
    await never_answer()
    raise AssertionError("nobody waits that long")


class Upstream(FakeServer):
    """A server with scripted paths: `behave[path]` in order, the last one is repeated; 404 for other paths."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        """Use as an asynchronous context manager."""
        self.behave: dict[str, list[Behaviour]] = {}
        self.received = []
        self.most_at_once = 0
        self.ssl = tls
        self._now = 0

    def on(self, path: str, *behaviours: Behaviour) -> Self:
        """Set the behaviours of a path below /v1."""
        self.behave[path] = list(behaviours)
        return self

    @override
    def bodies(self, path: str = "/chat/completions") -> list[Any]:
        """The bodies of the requests to a path below /v1."""
        return super().bodies(self.prefix + path)

    @override
    async def respond(self, request: web.Request) -> web.StreamResponse:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        todo = self.behave.get(request.path.removeprefix(self.prefix)) or [answers({"detail": "Not Found"}, 404)]
        try:
            return await (todo.pop(0) if len(todo) > 1 else todo[0])(request)
        finally:
            self._now -= 1


class StubAnswer(Answer):
    """An answer that plays its steps: chunks as dicts, errors to raise, events to wait for."""

    def __init__(self, backend: "StubBackend", steps: Iterable[object]) -> None:
        """Counted in `backend.open` until it is closed."""
        self._backend = backend
        self._steps = list(steps)
        self._closed = False
        backend.open += 1

    async def _play(self) -> AsyncIterator[dict[str, Any]]:
        for step in self._steps:
            if isinstance(step, BaseException):
                raise step
            if isinstance(step, asyncio.Event):
                await step.wait()
            elif isinstance(step, dict):
                yield step

    @override
    async def batches(self) -> AsyncIterator[list[Chunk]]:
        async for data in self._play():
            yield [Chunk.of(data)]

    @override
    async def completion(self) -> Chunk:
        async for data in self._play():
            return Chunk.of(data)
        raise AssertionError("a stub without a body")

    @override
    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._backend.open -= 1


class StubBackend(Backend):
    """A backend without a network. It uses `outcomes` in order and repeats the last one.

    An outcome is an error (raised by `send`) or a list of steps (see StubAnswer).
    """

    def __init__(self, name: str, *outcomes: object, models: Iterable[ModelInfo | str] = ("m",), **info: Any) -> None:
        """`name` is also its id."""
        self.described = BackendInfo(name, name.title(), **info)
        """What `info` returns; may be replaced."""
        self.outcomes: list[object] = list(outcomes) or [[delta("Hello"), STOP, USAGE]]
        self.listed = tuple(ModelInfo(model) if isinstance(model, str) else model for model in models)
        self.sent: list[Request] = []
        self.edits = ImageEdits.YES
        self.open = 0
        self.closed = False
        self.well: Health | ApiError | asyncio.Event = Health()
        self.says: ProviderStatus | ApiError | None = None
        self.models_error: ApiError | None = None
        self.asked = {"health": 0, "models": 0, "status": 0}

    @property
    @override
    def info(self) -> BackendInfo:
        return self.described

    @property
    @override
    def image_edits(self) -> ImageEdits:
        return self.edits

    @override
    async def health(self) -> Health:
        self.asked["health"] += 1
        await next_turn()
        if isinstance(self.well, asyncio.Event):
            await self.well.wait()
            return Health()
        if isinstance(self.well, ApiError):
            raise self.well
        return self.well

    @override
    async def models(self) -> tuple[ModelInfo, ...]:
        self.asked["models"] += 1
        if self.models_error is not None:
            raise self.models_error
        return self.listed

    @override
    async def status(self) -> ProviderStatus | None:
        self.asked["status"] += 1
        if isinstance(self.says, ApiError):
            raise self.says
        return self.says

    @override
    async def send(self, request: Request) -> Answer:
        self.sent.append(request)
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        await next_turn()
        if isinstance(outcome, asyncio.Event):
            await outcome.wait()
            outcome = [COMPLETION if not request.stream else STOP]
        if isinstance(outcome, BaseException):
            raise outcome
        assert isinstance(outcome, list)
        whole = {Kind.EMBEDDINGS: EMBEDDINGS, Kind.IMAGES: IMAGES, Kind.IMAGE_EDITS: IMAGES}.get(request.kind, COMPLETION)
        return StubAnswer(self, outcome if request.stream else [whole])

    @override
    async def close(self) -> None:
        self.closed = True
