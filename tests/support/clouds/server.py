"""The base of the fakes: a server that records requests and answers with scripted replies and faults."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
import json
from typing import Any, override

from aiohttp import web

from ..fakes.server import FakeServer, Received, bearer_key
from ..waiting import never_answer, pause_fake

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""A PNG image of one pixel, in base64."""

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Call:
    """A tool call that the model makes."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    id: str = "toolu_01A"


@dataclass(frozen=True)
class Reply:
    """A model's answer, independent of the dialect."""

    text: str = ""
    thought: str = ""
    seal: str = ""
    """The signature of the thought, for dialects that have one."""
    calls: tuple[Call, ...] = ()
    stop: str = ""
    """The dialect's stop reason; "": the usual one."""
    prompt_tokens: int = 21
    completion_tokens: int = 8


@dataclass(frozen=True)
class Refusal:
    """An answer that is an error."""

    status: int
    message: str = "no"
    kind: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """A stream that fails after `after` pieces; `kind`: "cut", "end" (too early), "stall", "error" or "garbage"."""

    kind: str
    after: int = 3
    reply: Reply = field(default_factory=lambda: Reply("All is well in the house."))


type Outcome = Reply | Refusal | Fault


def reply_of(outcome: Reply | Fault) -> tuple[Reply, Fault | None]:
    """The reply of an outcome that is no refusal, and the fault in it."""
    return (outcome.reply, outcome) if isinstance(outcome, Fault) else (outcome, None)


def pieces(text: str, size: int = 5) -> list[str]:
    """Split a text into pieces of `size` characters, like tokens independently of its words."""
    return [text[at : at + size] for at in range(0, len(text), size)]


class FakeCloud(FakeServer):
    """A server on 127.0.0.1. It uses `outcomes` in order and repeats the last one."""

    content_type = "text/event-stream"

    def __init__(self, *outcomes: Outcome, key: str | None = "sk-canary-0123456789") -> None:
        """`key`: the required API key, or None. Use as an asynchronous context manager."""
        self.outcomes = list(outcomes) or [Reply("Hello there.")]
        self.key = key
        self.received = []
        self.pause = 0.0
        """Seconds between the pieces of a stream."""

    @property
    def last(self) -> Received:
        """The newest request."""
        return self.received[-1]

    @abstractmethod
    def routes(self) -> dict[tuple[str, str], Handler]:
        """(method, path) → handler."""

    def shown_key(self, request: web.Request) -> str | None:
        """The key of a request, or None."""
        return bearer_key(request.headers)

    @abstractmethod
    def refusal(self, refused: Refusal) -> web.Response:
        """An error in the dialect's format."""

    def wrong_key(self, shown: str | None) -> Refusal:
        """The error for a wrong key, which contains the key as with real servers."""
        return Refusal(401, f"Incorrect API key provided: {shown}.", "invalid_request_error", "invalid_api_key")

    def open_paths(self) -> frozenset[str]:
        """Paths that need no key."""
        return frozenset()

    @abstractmethod
    def broken(self) -> bytes:
        """The bytes of an error within a stream."""

    def outcome(self) -> Outcome:
        """The next outcome."""
        return self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]

    def outcome_for(self, body: Mapping[str, Any]) -> Outcome:
        """The outcome of a chat request; a model that reads its prompt overrides it."""
        return self.outcome()

    @override
    async def respond(self, request: web.Request) -> web.StreamResponse:
        if self.key is not None and request.path not in self.open_paths() and self.shown_key(request) != self.key:
            return self.refusal(self.wrong_key(self.shown_key(request)))
        handler = self.routes().get((request.method, request.path))
        if handler is None:
            return self.refusal(Refusal(404, "Not Found", "not_found_error"))
        return await handler(request)

    async def stream(self, request: web.Request, frames: Iterable[bytes], fault: Fault | None = None) -> web.StreamResponse:
        """Send each frame in two parts, as networks may do, and fail at the position of the fault."""
        response = web.StreamResponse(headers={"Content-Type": self.content_type, **self.answer_headers()})
        await response.prepare(request)
        for number, frame in enumerate(frames):
            if fault is not None and number == fault.after:
                return await self._go_wrong(request, response, fault)
            for part in (frame[: len(frame) // 2], frame[len(frame) // 2 :]):
                await response.write(part)
                await pause_fake(self.pause)
        return response

    async def whole(self, request: web.Request, data: Mapping[str, Any], fault: Fault | None = None) -> web.StreamResponse:
        """Send an answer that is not streamed; a fault makes it stall before the answer or end within it."""
        if fault is None:
            return web.json_response(data, headers=self.answer_headers())
        if fault.kind == "stall":
            await never_answer()
        raw = json.dumps(data).encode()
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(raw))})
        await response.prepare(request)
        await response.write(raw[: len(raw) // 2])
        return await self._go_wrong(request, response, Fault("cut"))

    def answer_headers(self) -> dict[str, str]:
        """Headers of every successful answer."""
        return {"x-request-id": "req_fake"}

    async def _go_wrong(self, request: web.Request, response: web.StreamResponse, fault: Fault) -> web.StreamResponse:
        if fault.kind == "error":
            await response.write(self.broken())
        elif fault.kind == "garbage":
            await response.write(b"data: {not json\n\n" if "event" in self.content_type else b"{not json\n")
        elif fault.kind == "stall":
            await never_answer()
        elif fault.kind == "cut":
            await pause_fake(0.02)
            assert request.transport is not None
            request.transport.abort()
        return response


class _Engine(FakeCloud):
    """A local engine with fixed answers."""

    paths: Mapping[str, tuple[int, str, Any]] = {}
    server_header: str | None = None
    """The `Server` header of all answers; None: that of aiohttp."""
    refused_as: Any = None
    """The body of the answer to a request without the key; None: OpenAI's."""
    public: frozenset[str] = frozenset()
    """Paths that need no key."""

    @override
    def routes(self) -> dict[tuple[str, str], Handler]:
        return {(method, path): _fixed(*answer) for path, answer in self.paths.items() for method in ("GET", "POST")}

    @override
    def open_paths(self) -> frozenset[str]:
        return self.public

    @override
    async def respond(self, request: web.Request) -> web.StreamResponse:
        response = await super().respond(request)
        if self.server_header is not None and not response.prepared:
            response.headers["Server"] = self.server_header
        return response

    @override
    def refusal(self, refused: Refusal) -> web.Response:
        if refused.status == 401 and self.refused_as is not None:
            return web.json_response(self.refused_as, status=401)
        return web.json_response({"error": {"message": refused.message, "type": refused.kind}}, status=refused.status)

    @override
    def broken(self) -> bytes:
        return b'data: {"error": {"message": "the engine stopped", "type": "server_error"}}\n\n'


def _fixed(status: int, kind: str, body: Any) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        return web.Response(status=status, body=raw, headers={"Content-Type": kind})

    return answer


def engine(**paths: tuple[int, str, Any]) -> FakeCloud:
    """A local engine with fixed answers; `paths`: (status, content type, body) by path, with `__` for `/`."""
    fake = _Engine(key=None)
    fake.paths = {"/" + name.replace("__", "/"): answer for name, answer in paths.items()}
    return fake


def locked_engine(
    paths: Mapping[str, tuple[int, str, Any]],
    public: Iterable[str] = (),
    *,
    refused_as: Any = None,
    server: str | None = None,
    key: str = "sk-canary-0123456789",
) -> FakeCloud:
    """A local engine that requires a key, except for the paths `public`. `paths`: the answers by path.

    `refused_as`: the body of a 401 (None: OpenAI's); `server`: the `Server` header.
    """
    fake = _Engine(key=key)
    fake.paths, fake.public, fake.refused_as, fake.server_header = paths, frozenset(public), refused_as, server
    return fake
