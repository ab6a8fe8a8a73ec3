"""Backends connected to the fakes, and helpers that send requests to them."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
import json
import traceback
from typing import Any

import aiohttp
from openai.types.chat import ChatCompletion, ChatCompletionChunk
import pytest

from zeroconf_ai.backends.base import Answer, Backend, Endpoint, Timeouts
from zeroconf_ai.config.backend_types import BACKEND_TYPES
from zeroconf_ai.protocol.chunks import Delta, Message
from zeroconf_ai.protocol.errors import ApiError
from zeroconf_ai.protocol.request import Kind, Request

from ..template.declaration import TEMPLATE
from ..template.fake import MODEL as TEMPLATE_MODEL, FakeTemplate
from .anthropic import BOTH, FakeAnthropic
from .gemini import SIGNED, FakeGemini
from .ollama import THINKER, FakeOllama
from .openai import FakeOpenAI, FakeOpenRouter
from .server import FakeCloud

QUICK = Timeouts(connect=1.0, first_token=0.6, between_tokens=0.4, answer=0.8, probe=1.0)
PATIENT = Timeouts(connect=5.0, first_token=20.0, between_tokens=20.0, answer=20.0, probe=5.0)
KEY = "sk-canary-0123456789"
TOOLS = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("read", "stop")]


@dataclass(frozen=True)
class Dialect:
    """A dialect: its fake, one of its models, and the path of its chats."""

    fake: type[FakeCloud]
    model: str
    path: str


DIALECTS = {
    "openai": Dialect(FakeOpenAI, "gpt-4.1", "/v1/chat/completions"),
    "openrouter": Dialect(FakeOpenRouter, "vendor/large", "/api/v1/chat/completions"),
    "anthropic": Dialect(FakeAnthropic, BOTH, "/v1/messages"),
    "gemini": Dialect(FakeGemini, SIGNED, f"/v1beta/models/{SIGNED}:generateContent"),
    "ollama": Dialect(FakeOllama, THINKER, "/api/chat"),
}
CONTRACT_ONLY = {"template": Dialect(FakeTemplate, TEMPLATE_MODEL, "/v1/talk")}
"""The template of new dialects, which implements only what the contract tests require."""
TYPES = {**BACKEND_TYPES, TEMPLATE.name: TEMPLATE}


@asynccontextmanager
async def before(
    name: str,
    fake: FakeCloud,
    *,
    timeouts: Timeouts = PATIENT,
    key: str | None = None,
    info: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> AsyncIterator[Any]:
    """The backend of a declared type, connected to a fake that runs inside the block."""
    declared = TYPES[name]
    make: Callable[..., Backend] = declared.make
    async with fake, aiohttp.ClientSession() as session:
        endpoint = Endpoint(fake.base_url, fake.key if key is None else key, headers=headers or {})
        described = replace(declared.info(name, declared.title), **(info or {}))
        backend = make(session, described, endpoint, timeouts=timeouts, **more)
        yield backend
        await backend.close()


def chat(model: str, content: Any = "Hi", *, stream: bool = False, **body: Any) -> Request:
    """A chat request; `messages` replaces the one user message `content`."""
    messages = body.pop("messages", [{"role": "user", "content": content}])
    options = {"stream_options": {"include_usage": True}} if stream else {}
    return Request.parse(Kind.CHAT, {"model": model, "messages": messages, "stream": stream, **options, **body})


async def read(answer: Answer) -> tuple[Message, list[dict[str, Any]]]:
    """The message of a stream and its chunks, validated with OpenAI's types."""
    message, chunks = Message(), []
    try:
        async for batch in answer.batches():
            for chunk in batch:
                if chunk.data["object"] == "chat.completion.chunk":
                    ChatCompletionChunk.model_validate_json(chunk.raw)
                message.add(Delta.parse(chunk.data))
                chunks.append(chunk.data)
    finally:
        await answer.close()
    return message, chunks


async def whole(answer: Answer) -> dict[str, Any]:
    """The body of an answer that is not streamed, validated with OpenAI's type."""
    try:
        raw = await answer.body()
    finally:
        await answer.close()
    ChatCompletion.model_validate_json(raw)
    parsed: dict[str, Any] = json.loads(raw)
    return parsed


async def say(backend: Backend, request: Request) -> Message:
    """The message of a backend's answer, streamed or not."""
    answer = await backend.send(request)
    if request.stream:
        return (await read(answer))[0]
    message = Message()
    message.add(Delta.parse(await whole(answer)))
    return message


async def error_of(asked: Any) -> ApiError:
    """The raised error. Asserts that it does not contain the key."""
    with pytest.raises(ApiError) as raised:
        await asked
    told = "".join(traceback.format_exception(raised.value)) + repr(vars(raised.value))
    assert KEY not in told
    return raised.value
