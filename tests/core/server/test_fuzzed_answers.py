"""Answers with odd values, cut, disordered or mislabelled, of every backend's dialect to every client's dialect.

Whatever a provider sends, its client gets an answer, or an error in the client's format that blames the provider: no internal
error, no traceback in the log, and every stream ends as its dialect demands.
"""

from collections.abc import Callable
import copy
import json
import logging
import random
import time
from typing import Any, override

import aiohttp
from aiohttp import web
import pytest

from zeroconf_ai.backends.base import Backend
from zeroconf_ai.protocol.errors import ApiError
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.record import Capability
from zeroconf_ai.protocol.status import ProviderState
from zeroconf_ai.routing.execution import router
from zeroconf_ai.routing.pool.circuit_breaker import Breaker
from zeroconf_ai.routing.pool.member import Member

from ...support.clouds.ollama import EMBEDDER, FakeOllama
from ...support.dialects import MAKES, Make, anthropic, gemini, ollama, openai, zeroconfai
from ...support.fakes.provider import FakeProvider
from ...support.fakes.server import FakeServer
from ...support.fakes.upstream import answers, streams
from ...support.server import Served, served, upstream
from .answers_of_providers import ANSWERS, GOOGLES_VECTORS, LABELS, LISTS, MODEL, NOISE, ODD_ANSWERS, TEXT, VECTORS, openai_chunk
from .test_fuzzed_requests import places

SECONDS = 0.35
"""How long each pair of a backend's and a client's dialect is tried."""
LEAST = 15
"""How often each pair is tried at least."""
LISTED = 30
"""How often each kind of list is read."""
STATUSES = frozenset({200, 400, 402, 403, 404, 405, 413, 422, 429, 502, 503, 504, 508})
"""What may be the answer to a valid request, after a provider's answer of any kind."""


class Fuzzing(FakeServer):
    """A server of one dialect whose every answer is odd. It keeps what it sent last."""

    prefix = ""

    def __init__(self, make: Make) -> None:
        """The odd answers are the same in every run."""
        self.received = []
        self.make = make
        self.chance = random.Random(make.__name__)
        self.well = True
        """Whether the answers are as they should be, for the start."""
        self.last: tuple[str | None, list[bytes]] = (None, [])

    @override
    async def respond(self, request: web.Request) -> web.StreamResponse:
        """Answer."""
        label: str | None = "application/json"
        body = self._dumped(self._odd(LISTS))
        if request.method == "POST" and request.path != "/api/show":
            label, body = self._answer(request, self.received[-1].body)
        pieces = self._pieces(body)
        self.last = label, pieces
        response = web.StreamResponse(headers={} if label is None else {"Content-Type": label})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        return response

    def _answer(self, request: web.Request, body: Any) -> tuple[str | None, bytes]:
        """The label and the body of an answer that a model gives."""
        path = request.path
        if "mbed" in path:
            return self._label("application/json"), self._dumped(self._odd(GOOGLES_VECTORS if self.make is gemini else VECTORS))
        whole, events = TEXT if path.endswith("/completions") and "/chat/" not in path else ANSWERS[self.make]
        if not (body.get("stream") or path.endswith(":streamGenerateContent")):
            return self._label("application/json"), self._dumped(self._odd(whole))
        kind = "application/x-ndjson" if self.make is ollama else "text/event-stream"
        return self._label(kind), b"".join(self._frames(events))

    def _label(self, right: str) -> str | None:
        return right if self.well or self.chance.random() < 0.8 else self.chance.choice(LABELS)

    def _odd(self, value: Any) -> Any:
        """A copy with odd values, or now and then something else altogether."""
        odd = copy.deepcopy(value)
        if self.well:
            return odd
        if self.chance.random() < 0.05:
            return copy.deepcopy(self.chance.choice(ODD_ANSWERS))
        for _ in range(self.chance.randint(0, 3)):
            if found := list(places(odd)):
                holder, key = self.chance.choice(found)
                if isinstance(holder, dict) and self.chance.random() < 0.25:
                    del holder[key]
                else:
                    holder[key] = copy.deepcopy(self.chance.choice(ODD_ANSWERS))
        return odd

    def _frames(self, events: list[dict[str, Any]]) -> list[bytes]:
        """The frames of a stream, some odd, missing, repeated or in another order, and its end."""
        listed: list[Any] = list(events)
        if not self.well:
            for _ in range(self.chance.randint(0, 2)):
                at = self.chance.randrange(len(listed)) if listed else 0
                change = self.chance.randrange(4)
                if listed and change == 0:
                    del listed[at]
                elif listed and change == 1:
                    listed.insert(at, listed[at])
                elif listed and change == 2:
                    listed.insert(self.chance.randrange(len(listed)), listed.pop(at))
                else:
                    listed = self._odd(listed)
                    listed = listed if isinstance(listed, list) else [listed]
        frames = [self._frame(event) for event in listed]
        if self.make in (zeroconfai, openai) and (self.well or self.chance.random() < 0.8):
            frames.append(b"data: [DONE]\n\n")
        if not self.well and self.chance.random() < 0.3:
            frames.insert(self.chance.randint(0, len(frames)), self.chance.choice(NOISE))
        return frames

    def _frame(self, event: Any) -> bytes:
        if self.make is ollama:
            return self._dumped(event) + b"\n"
        named = b""
        if self.make is anthropic and isinstance(event, dict) and isinstance(kind := event.get("type"), str):
            named = b"event: " + kind.encode(errors="replace") + b"\n"
        return named + b"data: " + self._dumped(event) + b"\n\n"

    def _dumped(self, value: Any) -> bytes:
        return json.dumps(value, ensure_ascii=self.chance.random() < 0.5).encode(errors="surrogatepass")

    def _pieces(self, body: bytes) -> list[bytes]:
        """The body in up to three pieces, now and then cut off."""
        if not self.well and self.chance.random() < 0.1:
            body = body[: self.chance.randint(0, len(body))]
        cuts = sorted(self.chance.randint(0, len(body)) for _ in range(self.chance.randint(0, 2)))
        return [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True) if start < end]


HELLO = [{"role": "user", "content": "Hello"}]
FUNCTION = {"name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {"name": {"type": "string"}}}}
TOOLS = [{"type": "function", "function": FUNCTION}]


def ends_openai(lines: list[bytes]) -> None:
    """A stream of OpenAI's format: JSON objects, then `[DONE]` or an error."""
    events = [line.removeprefix(b"data: ") for line in lines if line.startswith(b"data: ")]
    if events[-1] == b"[DONE]":
        events.pop()
    else:
        error = json.loads(events[-1])["error"]
        assert isinstance(error["message"], str)
        assert error["code"] != "internal_error"
    assert all(isinstance(json.loads(event), dict) for event in events)


def ends_messages(lines: list[bytes]) -> None:
    """A stream of Anthropic's events up to `message_stop` or `error`."""
    events = [json.loads(line.removeprefix(b"data: ")) for line in lines if line.startswith(b"data: ")]
    assert events[-1]["type"] in ("message_stop", "error")
    begun = [event["index"] for event in events if event["type"] == "content_block_start"]
    stopped = [event["index"] for event in events if event["type"] == "content_block_stop"]
    assert begun == list(range(len(begun)))
    if events[-1]["type"] == "message_stop":
        assert sorted(stopped) == begun


def ends_responses(lines: list[bytes]) -> None:
    """A stream of the Responses API up to its last event, numbered without gaps."""
    events = [json.loads(line.removeprefix(b"data: ")) for line in lines if line.startswith(b"data: ")]
    assert events[-1]["type"] in ("response.completed", "response.incomplete", "response.failed", "error")
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


def ends_ollama(lines: list[bytes]) -> None:
    """JSON lines up to one with `done` or an error."""
    events = [json.loads(line) for line in lines if line]
    assert events[-1].get("done") is True or isinstance(events[-1]["error"], str)
    assert not any(event.get("done") or "error" in event for event in events[:-1])


def ends_gemini(lines: list[bytes]) -> None:
    """Events up to one with the reason and the usage, or an error."""
    events = [json.loads(line.removeprefix(b"data: ")) for line in lines if line]
    assert "error" in events[-1] or ("finishReason" in events[-1]["candidates"][0] and "usageMetadata" in events[-1])
    assert not any("error" in event or "finishReason" in event["candidates"][0] for event in events[:-1])


GOOGLE = f"/v1beta/models/{MODEL}:generateContent"
THOUGHTS = {"includeThoughts": True}


type Ends = Callable[[list[bytes]], None]


THINKING = {"type": "enabled", "budget_tokens": 1024}
CLIENTS: list[tuple[str, dict[str, Any], Ends | None]] = [
    ("/v1/chat/completions", {"messages": HELLO, "tools": TOOLS}, ends_openai),
    (
        "/v1/messages",
        {"messages": HELLO, "max_tokens": 50, "thinking": {"type": "enabled", "budget_tokens": 1024}},
        ends_messages,
    ),
    ("/v1/responses", {"input": "Hello", "tools": [{"type": "function", **FUNCTION}]}, ends_responses),
    ("/api/chat", {"messages": HELLO, "tools": TOOLS}, ends_ollama),
    ("/api/generate", {"prompt": "Hello"}, ends_ollama),
    (GOOGLE, {"contents": [{"parts": [{"text": "Hello"}]}], "generationConfig": {"thinkingConfig": THOUGHTS}}, ends_gemini),
    (f"/v1beta/models/{MODEL}:embedContent", {"content": {"parts": [{"text": "Hello"}]}}, None),
    ("/v1/completions", {"prompt": "Hello"}, ends_openai),
    ("/v1/embeddings", {"input": "Hello"}, None),
    ("/v1/embeddings", {"input": "Hello", "encoding_format": "base64"}, None),
    ("/api/embed", {"input": "Hello"}, None),
]
"""(path, request, how its streams end; None: it has none)."""


def refresh(member: Member) -> None:
    """Make the member as healthy as it was at first, whatever its answers have done to it."""
    member.breaker, member.resting_until, member.failures, member.state = Breaker(), 0.0, 0, ProviderState.HEALTHY
    member.models = (ModelInfo(MODEL, capabilities=frozenset(Capability)),)


def check_error(path: str, answer: bytes) -> None:
    """The body of an error: in the format of the path, and not an internal one."""
    body = json.loads(answer)
    error = body["error"]
    message = error if path.startswith("/api/") else error["message"]
    assert isinstance(message, str)
    assert message
    assert "Internal error" not in message


async def ask(gateway: Served, path: str, body: dict[str, Any]) -> tuple[int, str, bytes]:
    """Status, content type and body of an answer."""
    if body.get("stream") is True:
        path = path.replace(":generateContent", ":streamGenerateContent?alt=sse")
    async with gateway.session.post(f"http://127.0.0.1:{gateway.port}{path}", json=body) as response:
        return response.status, response.content_type, await response.read()


@pytest.mark.parametrize("make", MAKES, ids=lambda make: make.__name__)
async def test_odd_answer_of_a_provider_is_an_answer_or_a_clear_error(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(router, "RETRY_SECONDS", 0.0)
    answered = dict.fromkeys((path for path, *_ in CLIENTS), 0)
    async with (
        Fuzzing(make) as provider,
        aiohttp.ClientSession() as session,
        served(make(session, provider.root, None)) as gateway,
    ):
        (member,) = gateway.engine.pool
        for path, body, ends in CLIENTS:
            provider.well = True
            refresh(member)
            status, _, answer = await ask(gateway, path, {"model": MODEL, "stream": False, **body})
            if make is anthropic and ends is None:
                assert status == 404, (path, answer)  # the dialect has no embeddings
                continue
            assert status == 200, (path, answer)
            provider.well = False
            # The same answers in each run, as many as the time allows.
            provider.chance.seed(f"{make.__name__} {path}")
            until, tried = time.monotonic() + SECONDS, 0
            while time.monotonic() < until or tried < LEAST:
                tried += 1
                refresh(member)
                stream = ends is not None and provider.chance.random() < 0.6
                status, kind, answer = await ask(gateway, path, {"model": MODEL, "stream": stream, **body})
                case = path, stream, provider.last, status, answer
                assert status in STATUSES, case
                assert b"Internal error" not in answer, case
                try:
                    if status != 200:
                        check_error(path, answer)
                    elif ends is not None and stream:
                        ends(answer.splitlines())
                    else:
                        assert kind == "application/json"
                        assert isinstance(json.loads(answer), dict)
                except (AssertionError, LookupError, TypeError, ValueError) as err:
                    raise AssertionError(case) from err
                failures = [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]
                assert not failures, (case, failures[0].getMessage(), failures[0].exc_text)
                answered[path] += status == 200
    assert sum(answered.values()) > LEAST, answered


@pytest.mark.parametrize("make", MAKES, ids=lambda make: make.__name__)
async def test_odd_list_health_or_load_of_a_provider_is_read_or_an_error(make: Make) -> None:
    async with Fuzzing(make) as provider, aiohttp.ClientSession() as session:
        provider.well = False
        for _ in range(LISTED):
            backend: Backend = make(session, provider.root, None)
            for ask_for in (backend.models, backend.health, backend.status):
                try:
                    await ask_for()
                except ApiError:
                    continue
                except Exception as err:
                    raise AssertionError((ask_for, provider.last)) from err
            await backend.close()


@pytest.mark.parametrize("first", [{}, b"data: { }\n\n"])
async def test_empty_event_gets_the_providers_name_as_valid_json(first: Any) -> None:
    provider = FakeProvider(answers=[streams(first, openai_chunk({"content": "Hello"}, "stop"))])
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, served(backend) as gateway:
        status, _, answer = await ask(gateway, "/v1/chat/completions", {"messages": HELLO, "stream": True})
    assert status == 200
    ends_openai(answer.splitlines())


async def test_event_that_only_looks_like_an_object_is_an_error() -> None:
    odd = b'data: {data: {"choices": []}}\n\n'
    provider = FakeProvider(answers=[streams(openai_chunk({"content": "Hel"}), odd, openai_chunk({"content": "lo"}, "stop"))])
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, served(backend) as gateway:
        status, _, answer = await ask(gateway, "/v1/chat/completions", {"messages": HELLO, "stream": True})
    assert status == 502
    assert b"not a JSON object" in answer
    assert b"{data:" not in answer


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize("vector", [False, None, "x", 5, {}, [None], [[0.5]], ["x"]])
async def test_vector_that_is_no_list_of_numbers_is_the_providers_failure(encoding: str, vector: Any) -> None:
    provider = FakeOllama()
    provider.embed = answers({"embeddings": [vector]})  # type: ignore[assignment,method-assign]
    async with provider, aiohttp.ClientSession() as session, served(ollama(session, provider.root, None)) as gateway:
        body = {"model": EMBEDDER, "input": "Hello", "encoding_format": encoding}
        status, _, answer = await ask(gateway, "/v1/embeddings", body)
    assert status == 502
    check_error("/v1/embeddings", answer)
