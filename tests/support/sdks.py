"""The official SDKs in strict mode as clients of a gateway, and its stream events, validated with the SDKs' types."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import json
from typing import Any

import aiohttp
import anthropic
from anthropic.types import RawMessageStreamEvent
import openai
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from .fakes.provider import FakeProvider
from .server import Served, served, upstream

MESSAGE_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
RESPONSE_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


@asynccontextmanager
async def claude(gateway: Served, key: str = "unused") -> AsyncIterator[anthropic.AsyncAnthropic]:
    """Anthropic's client, without retries."""
    base = f"http://127.0.0.1:{gateway.port}"
    async with anthropic.AsyncAnthropic(base_url=base, api_key=key, max_retries=0, _strict_response_validation=True) as client:
        yield client


@asynccontextmanager
async def gpt(gateway: Served, key: str = "unused") -> AsyncIterator[openai.AsyncOpenAI]:
    """OpenAI's client, without retries."""
    async with openai.AsyncOpenAI(base_url=gateway.url, api_key=key, max_retries=0, _strict_response_validation=True) as client:
        yield client


@asynccontextmanager
async def scripted(*answers: Any) -> AsyncIterator[tuple[Served, FakeProvider]]:
    """A gateway with a provider that gives these answers."""
    provider = FakeProvider(answers=list(answers))
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, served(backend) as gateway:
        yield gateway, provider


async def message_events(gateway: Served, body: Any) -> list[tuple[str, Any]]:
    """(name, data) of each event of a message, validated strictly with the SDK's types."""
    found = await _events(gateway, "messages", body)
    for name, event in found:
        if name not in ("ping", "error"):
            MESSAGE_EVENT.validate_python(event, strict=True)
    return found


async def response_events(gateway: Served, body: Any) -> list[dict[str, Any]]:
    """The events of a response, validated strictly with the SDK's types and numbered without gaps."""
    found = [event for _, event in await _events(gateway, "responses", body)]
    for event in found:
        RESPONSE_EVENT.validate_python(event, strict=True)
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    return found


async def _events(gateway: Served, path: str, body: Any) -> list[tuple[str, Any]]:
    """(type, data) of each event. Asserts that an event has two lines and that its name is its type."""
    async with gateway.session.post(f"{gateway.url}/{path}", json=body | {"stream": True}) as response:
        assert response.status == 200
        *blocks, rest = (await response.read()).decode().split("\n\n")
    assert rest == ""
    found = []
    for block in blocks:
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append((event["type"], event))
    return found
