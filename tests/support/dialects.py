"""One backend of each dialect at any address, and the pieces of their streams."""

from collections.abc import Callable
import json
from typing import Any

import aiohttp

from zeroconf_ai.backends.anthropic.backend import AnthropicBackend, anthropic_info
from zeroconf_ai.backends.base import Backend, BackendInfo, Endpoint, Timeouts
from zeroconf_ai.backends.ollama.backend import OllamaBackend, ollama_info
from zeroconf_ai.backends.openai.backend import OpenAIBackend
from zeroconf_ai.backends.openai.flavors import FLAVORS
from zeroconf_ai.backends.zeroconfai import ZeroconfAIBackend
from zeroconf_ai.protocol.request import Request

type Make = Callable[[aiohttp.ClientSession, str, Timeouts | None], Backend]


def zeroconfai(session: aiohttp.ClientSession, url: str, timeouts: Timeouts | None = None) -> Backend:
    return ZeroconfAIBackend(session, BackendInfo("p", "Attic"), Endpoint(url), timeouts=timeouts)


def openai(session: aiohttp.ClientSession, url: str, timeouts: Timeouts | None = None) -> Backend:
    flavor = FLAVORS["openai_compatible"]
    return OpenAIBackend(session, flavor.info("p", "Attic"), Endpoint(url), flavor, timeouts=timeouts)


def anthropic(session: aiohttp.ClientSession, url: str, timeouts: Timeouts | None = None) -> Backend:
    return AnthropicBackend(session, anthropic_info("p", "Attic"), Endpoint(url), timeouts=timeouts)


def ollama(session: aiohttp.ClientSession, url: str, timeouts: Timeouts | None = None) -> Backend:
    return OllamaBackend(session, ollama_info("p", "Attic"), Endpoint(url), timeouts=timeouts)


MAKES: tuple[Make, ...] = (zeroconfai, openai, anthropic, ollama)
PATHS: dict[Make, str] = {
    zeroconfai: "/chat/completions",
    openai: "/chat/completions",
    anthropic: "/messages",
    ollama: "/api/chat",
}


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
