"""A session, an upstream that acts up, and what asks it."""

from collections.abc import AsyncIterator, Callable, Coroutine
import traceback
from typing import Any

import aiohttp
import pytest

from tests.support.fakes.upstream import Upstream, chat
from zeroconf_ai.backends.base import Answer, Endpoint, Timeouts
from zeroconf_ai.backends.http import HttpUpstream
from zeroconf_ai.protocol.chunks import Delta, Message
from zeroconf_ai.protocol.errors import ApiError

KEY = "canary-key-of-this-provider"
CHAT = "/chat/completions"
QUICK = Timeouts(connect=0.3, first_token=0.3, between_tokens=0.2, answer=0.6, probe=0.3)

type Make = Callable[..., HttpUpstream]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as upstream:
        yield upstream


@pytest.fixture
def client(session: aiohttp.ClientSession, upstream: Upstream) -> Make:
    def make(base_url: str = "", timeouts: Timeouts = QUICK, **options: Any) -> HttpUpstream:
        given: dict[str, Any] = {"key": KEY} | options
        return HttpUpstream(session, Endpoint(base_url or upstream.base_url, **given), name="Attic", timeouts=timeouts)

    return make


async def ask(client: HttpUpstream, *, stream: bool = True) -> Answer:
    return await client.post(CHAT, chat(stream=stream).dump(), stream=stream)


async def read(answer: Answer) -> Message:
    """The whole stream as a message."""
    message = Message()
    try:
        async for batch in answer.batches():
            for chunk in batch:
                message.add(Delta.parse(chunk.data))
    finally:
        await answer.close()
    return message


async def error_of[E: ApiError](kind: type[E], asked: Coroutine[Any, Any, object]) -> E:
    """The error that is raised, checked never to hold the key."""
    with pytest.raises(ApiError) as raised:
        await asked
    assert type(raised.value) is kind, raised.value
    told = (
        "".join(traceback.format_exception(raised.value))
        + repr(raised.value)
        + repr(raised.value.__cause__)
        + str(vars(raised.value))
    )
    assert KEY not in told
    return raised.value


async def said(client: HttpUpstream) -> Message:
    return await read(await ask(client))
