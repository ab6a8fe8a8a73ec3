"""A provider for tests: a real HTTP server on 127.0.0.1 with scripted answers that records its requests."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import hashlib
import hmac
import json
from ssl import SSLContext
from typing import Any, override

from aiohttp import web

from ..waiting import pause_fake
from .chunks import delta
from .server import FakeServer, Received, bearer_key

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""A PNG image of one pixel, in base64."""

type Script = list[dict[str, Any]] | Callable[[web.Request], Awaitable[web.StreamResponse]]


def text(*words: str) -> list[dict[str, Any]]:
    """The chunks of a text answer, one for each word."""
    return [delta(role="assistant"), *(delta(word) for word in words), delta(finish="stop"), usage()]


def tool_call(name: str, arguments: str, *, call_id: str = "call_1", index: int = 0) -> list[dict[str, Any]]:
    """The chunks of a tool call with its arguments in two pieces."""
    half = len(arguments) // 2
    first = {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": arguments[:half]}}
    rest = {"index": index, "function": {"arguments": arguments[half:]}}
    return [delta(role="assistant", tool_calls=[first]), delta(tool_calls=[rest]), delta(finish="tool_calls"), usage()]


def usage(prompt: int = 12, completion: int = 3, **fields: Any) -> dict[str, Any]:
    """The usage chunk."""
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, **fields}
    return {"object": "chat.completion.chunk", "choices": [], "usage": counts}


@dataclass
class FakeProvider(FakeServer):
    """The server's answers and its recorded requests. The fields may be changed while it runs."""

    id: str | None = "11111111-1111-4111-8111-111111111111"
    models: list[Any] = field(default_factory=lambda: [{"id": "test-model", "context_window": 8192}])
    key: str | None = None
    open_health: bool = True
    """Whether /v1/health answers without the key."""
    status: dict[str, Any] | None = None
    """The body of /v1/status; None answers 404."""
    status_gate: asyncio.Event | None = None
    """/v1/status is answered once this is set."""
    proves: bool = False
    """Whether it proves its key, as this project's servers do."""
    health_status: int = 200
    answers: list[Script] = field(default_factory=list)
    """The answers of the next chats, in order; the last one is repeated."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    image: dict[str, Any] = field(default_factory=lambda: {"created": 1, "data": [{"b64_json": PNG}]})
    """The answer to a request for images; a 502 without `data`."""
    """The bodies of the chats that it accepted."""
    edits_images: bool = True
    forms: list[bytes] = field(default_factory=list)
    """The forms of the requests to edit images."""
    received: list[Received] = field(default_factory=list)
    challenged: int = 0
    """The number of requests for a proof."""
    ssl: SSLContext | None = None
    host: str = "127.0.0.1"
    port: int = 0

    shutdown_seconds = 0.1

    @property
    def paths(self) -> list[str]:
        """The paths of all received requests."""
        return [received.path for received in self.received]

    @property
    def keys(self) -> list[str | None]:
        """The keys of all received requests."""
        return [bearer_key(received.headers) for received in self.received]

    @override
    async def respond(self, request: web.Request) -> web.StreamResponse:
        key = bearer_key(request.headers)
        is_open = self.open_health and request.path == "/v1/health"
        if self.key is not None and key != self.key and not is_open:
            error = {"message": f"Incorrect API key provided: {key}", "type": "authentication_error", "code": "invalid_api_key"}
            return web.json_response({"error": error}, status=401)
        match request.method, request.path:
            case "GET", "/v1/health":
                return await self._health(request)
            case "GET", "/v1/models":
                return await self._models(request)
            case "GET", "/v1/status":
                return await self._status(request)
            case "POST", "/v1/chat/completions":
                return await self._chat(request)
            case "POST", "/v1/images/edits" if self.edits_images:
                self.forms.append(await request.read())
                return web.json_response(self.image)
            case "POST", "/v1/images/generations":
                self.requests.append(await request.json())
                return web.json_response(self.image, status=200 if "data" in self.image else 502)
        raise web.HTTPNotFound

    async def _health(self, request: web.Request) -> web.Response:
        self.challenged += "challenge" in request.query
        if self.health_status != 200:
            return web.json_response({"status": "unavailable"}, status=self.health_status)
        body = {"status": "ok", "id": self.id, "provider": "custom", "version": "1.2.3", "uptime_seconds": 5}
        body["proof"] = self._proof(request) if self.proves and "challenge" in request.query else None
        return web.json_response({key: value for key, value in body.items() if value is not None})

    def _proof(self, request: web.Request) -> str:
        """The proof of docs/protocol.md, implemented independently of the product."""
        assert request.transport is not None
        address, port = request.transport.get_extra_info("sockname")[:2]
        challenge = base64.urlsafe_b64decode(request.query["challenge"] + "=")
        fields = (b"zai-proof-1", challenge, (self.id or "").encode(), address.encode(), str(port).encode())
        message = b"".join(len(part).to_bytes(4, "big") + part for part in fields)
        proof = hmac.digest(hashlib.sha256((self.key or "").encode()).digest(), message, "sha256")
        return base64.urlsafe_b64encode(proof).decode().rstrip("=")

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": self.models})

    async def _status(self, _: web.Request) -> web.Response:
        if self.status_gate is not None:
            await self.status_gate.wait()
        if self.status is None:
            return web.json_response({"error": {"message": "not offered"}}, status=404)
        return web.json_response(self.status)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        script = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0] if self.answers else text("Hello", " there.")
        if callable(script):
            return await script(request)
        if body.get("stream"):
            return await send_stream(request, script)
        return web.json_response(_whole(script))


async def send_stream(request: web.Request, chunks: list[dict[str, Any]], *, done: bool = True) -> web.StreamResponse:
    """Answer with chunks, one write each."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for chunk in chunks:
        await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    if done:
        await response.write(b"data: [DONE]\n\n")
    return response


def refuse(status: int, message: str, headers: dict[str, str] | None = None, **fields: Any) -> Script:
    """A script that answers with an error in OpenAI's format."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": message, **fields}}, status=status, headers=headers)

    return answer


def stall(seconds: float = 60) -> Script:
    """A script that accepts the request and does not answer it."""

    async def answer(_: web.Request) -> web.StreamResponse:
        await pause_fake(seconds)
        return web.json_response({})

    return answer


class Paused:
    """A script that streams two words, the second of which waits for the event `go`; `begun` is set before it."""

    def __init__(self) -> None:
        """Paused until `go` is set."""
        self.begun = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Answer."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await self._say(response, delta("one"))
        self.begun.set()
        await self.go.wait()
        await self._say(response, delta("two", finish="stop"))
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _say(self, response: web.StreamResponse, chunk: Any) -> None:
        await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")


def _whole(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """The chunks as one completion."""
    content, finish, counts = "", "stop", None
    calls: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            content += choice["delta"].get("content") or ""
            for piece in choice["delta"].get("tool_calls") or ():
                function = piece["function"]
                call = calls.setdefault(
                    piece["index"], {"id": piece.get("id"), "type": "function", "function": {"arguments": ""}}
                )
                call["function"] |= {
                    "name": function.get("name") or call["function"].get("name"),
                    "arguments": call["function"]["arguments"] + function["arguments"],
                }
            finish = choice["finish_reason"] or finish
        counts = chunk.get("usage", counts)
    message = {"role": "assistant", "content": content} | ({"tool_calls": list(calls.values())} if calls else {})
    return {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": counts}


@asynccontextmanager
async def running(provider: FakeProvider) -> AsyncIterator[FakeProvider]:
    """The provider, serving inside the block."""
    async with provider:
        yield provider


@asynccontextmanager
async def serving(answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> AsyncIterator[int]:
    """The port of a server on 127.0.0.1 that answers every request with `answer`."""
    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
