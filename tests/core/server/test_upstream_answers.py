"""Answers of a provider that have no answer, cannot be read, or are labelled as something else, through the gateway."""

from collections.abc import AsyncIterator
import socket
from typing import Any

import aiohttp
import pytest

from zeroconf_ai.backends.base import BackendInfo, Endpoint, Timeouts
from zeroconf_ai.backends.zeroconfai import ZeroconfAIBackend
from zeroconf_ai.protocol.errors import BudgetShortError
from zeroconf_ai.protocol.models import ModelInfo

from ...support.fakes.provider import FakeProvider, text
from ...support.fakes.upstream import StubBackend, answers
from ...support.server import CHAT, served, upstream


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """For the backends."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def unreachable(session: aiohttp.ClientSession) -> ZeroconfAIBackend:
    """A provider that has never been reached."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    endpoint = Endpoint(f"http://127.0.0.1:{port}/v1")
    return ZeroconfAIBackend(session, BackendInfo("attic", "Attic"), endpoint, timeouts=Timeouts(connect=5.0))


@pytest.mark.parametrize(
    "sent",
    [
        {},
        [],
        None,
        "Hello",
        {"choices": None},
        {"choices": []},
        {"choices": [None]},
        {"choices": [{"index": 0, "finish_reason": "stop"}]},
        {"choices": [{"index": 0, "message": None, "finish_reason": "stop"}]},
        b"",
        b"{",
        b"<html>Sign in to the hotel's network</html>",
    ],
    ids=str,
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_answer_without_an_answer_is_requested_once_and_then_of_the_next_provider(
    session: aiohttp.ClientSession, sent: Any, stream: bool
) -> None:
    empty, good = FakeProvider(answers=[answers(sent)]), FakeProvider(id="2" * 8, answers=[text("Hello")])
    async with upstream(empty, session) as first, upstream(good, session) as second, served(first, second) as gateway:
        later = gateway.engine.pool.get(second.info.id)
        assert later is not None
        later.priority_override = 1000
        status, body, _ = await gateway.ask("POST", "chat/completions", json=CHAT | {"stream": stream})
    assert (status, len(empty.requests), len(good.requests)) == (200, 1, 1)
    assert "Hello" in (body.decode() if stream else body["choices"][0]["message"]["content"])


async def test_answer_without_an_answer_of_the_only_provider_is_a_502(session: aiohttp.ClientSession) -> None:
    async with upstream(FakeProvider(answers=[answers({})]), session) as backend, served(backend) as gateway:
        status, body, _ = await gateway.ask("POST", "chat/completions", json=CHAT)
    assert (status, body["error"]["type"]) == (502, "upstream_error")


async def test_unknown_model_is_a_404_beside_a_provider_that_was_never_reached(unreachable: ZeroconfAIBackend) -> None:
    async with served(StubBackend("good"), unreachable) as gateway:
        status, body, _ = await gateway.ask("POST", "chat/completions", json=CHAT | {"model": "nothing"})
    assert (status, body["error"]["code"]) == (404, "model_not_found")


async def test_spent_budget_is_a_429_beside_a_provider_that_was_never_reached(unreachable: ZeroconfAIBackend) -> None:
    paid = StubBackend("paid", BudgetShortError("The budget is spent."), models=[ModelInfo("m")])
    async with served(paid, unreachable) as gateway:
        status, body, _ = await gateway.ask("POST", "chat/completions", json=CHAT | {"model": "m"})
    assert (status, body["error"]["code"]) == (429, "budget_exceeded")


async def test_model_of_an_only_provider_that_was_never_reached_is_a_502(unreachable: ZeroconfAIBackend) -> None:
    async with served(unreachable) as gateway:
        status, _, _ = await gateway.ask("POST", "chat/completions", json=CHAT)
    assert status == 502
