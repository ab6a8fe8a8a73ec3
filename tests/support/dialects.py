"""One backend of each dialect at any address, and the pieces of their streams."""

from collections.abc import Callable
import json
from typing import Any

import aiohttp

from zeroconf_ai.backends.anthropic.backend import AnthropicBackend, anthropic_info
from zeroconf_ai.backends.base import Backend, BackendInfo, Endpoint, Timeouts
from zeroconf_ai.backends.gemini.backend import GeminiBackend, gemini_info
from zeroconf_ai.backends.ollama.backend import OllamaBackend, ollama_info
from zeroconf_ai.backends.openai.backend import OpenAIBackend
from zeroconf_ai.backends.openai.flavors import FLAVORS
from zeroconf_ai.backends.zeroconfai import ZeroconfAIBackend
from zeroconf_ai.protocol.request import Request

from .fakes.upstream import Behaviour, Upstream

type Make = Callable[[aiohttp.ClientSession, str, Timeouts | None], Backend]


def zeroconfai(session: aiohttp.ClientSession, url: str, timeouts: Timeouts | None = None) -> Backend:
    return ZeroconfAIBackend(session, BackendInfo("p", "Attic"), Endpoint(url), timeouts=timeouts)


def openai(session: aiohttp.ClientSession, url: str, timeouts: Timeouts | None = None) -> Backend:
    flavor = FLAVORS["openai_compatible"]
    return OpenAIBackend(session, flavor.info("p", "Attic"), Endpoint(url), flavor, timeouts=timeouts)


def anthropic(session: aiohttp.ClientSession, url: str, timeouts: Timeouts | None = None) -> Backend:
    return AnthropicBackend(session, anthropic_info("p", "Attic"), Endpoint(url), timeouts=timeouts)


def gemini(session: aiohttp.ClientSession, url: str, timeouts: Timeouts | None = None) -> Backend:
    return GeminiBackend(session, gemini_info("p", "Attic"), Endpoint(url), timeouts=timeouts)


def ollama(session: aiohttp.ClientSession, url: str, timeouts: Timeouts | None = None) -> Backend:
    return OllamaBackend(session, ollama_info("p", "Attic"), Endpoint(url), timeouts=timeouts)


MAKES: tuple[Make, ...] = (zeroconfai, openai, anthropic, gemini, ollama)
PATHS: dict[Make, tuple[str, ...]] = {
    zeroconfai: ("/chat/completions",),
    openai: ("/chat/completions",),
    anthropic: ("/messages",),
    gemini: ("/models/m:generateContent", "/models/m:streamGenerateContent"),
    ollama: ("/api/chat",),
}
"""The paths of chats with the model `m`."""


def on_chat(upstream: Upstream, make: Make, behaviour: Behaviour) -> None:
    """Set the behaviour of an upstream for chats in a dialect."""
    for path in PATHS[make]:
        upstream.on(path, behaviour)


async def heard(backend: Backend, request: Request) -> list[bytes]:
    """The raw chunks of an answer, or its body."""
    answer = await backend.send(request)
    try:
        if request.stream:
            return [chunk.raw async for batch in answer.batches() for chunk in batch]
        return [await answer.body()]
    finally:
        await answer.close()


def event(kind: str, **fields: Any) -> bytes:
    """An event of Anthropic's streams."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def line(**message: Any) -> bytes:
    """A line of Ollama's streams."""
    return json.dumps({"message": message, "done": False}).encode() + b"\n"
