"""A session whose backend is offline: it recovers, or the session is handed over with a conversation that fits."""

import asyncio
from collections.abc import AsyncIterator
import logging
from typing import Any, override

import pytest

from tests.core.routing.conftest import Add, backend_of, route_and_close, sent
from tests.support.fakes.chunks import delta
from tests.support.fakes.upstream import COMPLETION, StubAnswer, StubBackend
from zeroconf_ai.backends.base import Answer
from zeroconf_ai.protocol.errors import ApiError, InvalidRequestError, UpstreamConnectionError, UpstreamError
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.protocol.status import Health
from zeroconf_ai.protocol.usage import Usage
from zeroconf_ai.routing.execution.router import Router
from zeroconf_ai.routing.execution.session_handover import FILL, shorten, shortest, split
from zeroconf_ai.routing.execution.sessions import Sessions
from zeroconf_ai.routing.pool.health import HealthChecker
from zeroconf_ai.routing.pool.pool import Pool

pytestmark = pytest.mark.usefixtures("nothing_is_left_open")

REFUSED = UpstreamConnectionError("refused")
SYSTEM = {"role": "system", "content": "You keep the house."}
WORDS = "word " * 200
"""About 250 tokens."""


def turns(count: int) -> list[dict[str, Any]]:
    said = []
    for number in range(count):
        said += [{"role": "user", "content": f"question {number} {WORDS}"}, {"role": "assistant", "content": f"answer {number}"}]
    return [SYSTEM, *said, {"role": "user", "content": "the last question"}]


def in_session(messages: list[dict[str, Any]] | None = None, model: str = "auto", **body: Any) -> Request:
    return Request.parse(Kind.CHAT, {"model": model, "messages": messages or turns(1), **body}, session="n:s")


@pytest.fixture
def sessions() -> Sessions:
    return Sessions()


@pytest.fixture
async def sticky(router: Router, pool: Pool, checker: HealthChecker, sessions: Sessions) -> AsyncIterator[Router]:
    sticky = Router(pool, checker, sessions)  # `router` sets the pauses
    yield sticky
    await sticky.close()


class Summarizer(StubBackend):
    """Answers requests for a summary with its own words, or fails at them."""

    def __init__(self, *outcomes: object, window: int = 2000, fails: ApiError | None = None) -> None:
        super().__init__("b", *outcomes, models=[ModelInfo("small", context_window=window)], priority=2)
        self.fails = fails
        self.asked_for_summary: list[Request] = []

    @override
    async def send(self, request: Request) -> Answer:
        if "Summarise" not in str(request.body["messages"][0]["content"]):
            return await super().send(request)
        self.asked_for_summary.append(request)
        if self.fails is not None:
            raise self.fails
        message = {"role": "assistant", "content": "They spoke of the cellar."}
        return StubAnswer(self, [{"choices": [{"message": message}], "usage": {"prompt_tokens": 70, "completion_tokens": 7}}])


# To another one, or back.


async def test_session_handover_is_reported(sticky: Router, add: Add, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    first = add("a", priority=1)
    second = add("b", priority=2)
    assert (await route_and_close(sticky, in_session())).handover is None
    backend_of(first).outcomes = [UpstreamError("500")]
    reply = await route_and_close(sticky, in_session())
    moved = reply.handover
    assert moved is not None
    assert (moved.origin, moved.target, moved.reason, moved.summarized) == ("A", "B", "500", 0)
    assert "A session moved from A to B: 500" in caplog.text
    backend_of(first).outcomes = [[delta("Hello")]]
    first.breaker.succeed()
    again = await route_and_close(sticky, in_session())
    assert (again.backend_id, again.handover) == ("b", None)
    assert sent(second) == [2]


async def test_session_of_a_recovered_backend_stays(sticky: Router, add: Add) -> None:
    first = add("a", priority=1)
    add("b", priority=2)
    await route_and_close(sticky, in_session())
    backend_of(first).outcomes = [REFUSED, [COMPLETION]]
    backend_of(first).well = REFUSED
    asyncio.get_running_loop().call_later(0.03, setattr, backend_of(first), "well", Health())
    reply = await route_and_close(sticky, in_session())
    assert (reply.backend_id, reply.handover) == ("a", None)
    assert len(reply.attempts) == 1


async def test_session_of_a_backend_just_offline_waits(sticky: Router, pool: Pool, add: Add) -> None:
    first = add("a", priority=1)
    add("b", priority=2)
    await route_and_close(sticky, in_session())
    backend_of(first).well = REFUSED
    pool.record_goodbye(first)
    asyncio.get_running_loop().call_later(0.03, setattr, backend_of(first), "well", Health())
    assert (await route_and_close(sticky, in_session())).backend_id == "a"


async def test_session_of_a_backend_that_stays_offline_is_handed_over(sticky: Router, pool: Pool, add: Add) -> None:
    first = add("a", priority=1)
    add("b", priority=2)
    await route_and_close(sticky, in_session(model="m"))
    backend_of(first).well = REFUSED
    pool.record_goodbye(first)
    reply = await route_and_close(sticky, in_session(model="m"))
    assert reply.handover is not None
    assert (reply.backend_id, reply.model, reply.handover.origin) == ("b", "m", "A")
    assert "offline" in reply.handover.reason


async def test_session_does_not_wait_if_it_is_new_or_its_backend_is_long_offline(
    sticky: Router, sessions: Sessions, pool: Pool, add: Add
) -> None:
    first = add("a", priority=1)
    add("b", priority=2)
    pool.record_goodbye(first)
    await route_and_close(sticky, in_session())
    assert backend_of(first).asked["health"] == 0
    pool.record_success(first)
    sessions.put("n:s", "a", "m")
    pool.record_goodbye(first)
    first.offline_since -= 3600
    await route_and_close(sticky, in_session())
    assert backend_of(first).asked["health"] == 0


async def test_session_request_for_another_model_is_no_handover(sticky: Router, add: Add) -> None:
    add("a", models=["x"], priority=1)
    add("b", models=["y"], priority=2)
    await route_and_close(sticky, in_session())
    assert (await route_and_close(sticky, in_session(model="y"))).handover is None


async def test_session_handover_keeps_the_requested_model(sticky: Router, sessions: Sessions, add: Add) -> None:
    first, other = add("a", models=["x"]), add("b", models=["y"])
    add("c", models=["x"]).enabled = False
    sessions.put("n:s", "a", "x")
    backend_of(first).outcomes = [UpstreamError("500")]
    with pytest.raises(UpstreamError):
        await route_and_close(sticky, in_session(model="x"))
    assert sent(other) == [0]


# The conversation that is handed over.


async def test_session_handover_beyond_the_context_is_summarized_by_the_new_model(sticky: Router, pool: Pool, add: Add) -> None:
    large = add("a", models=[ModelInfo("large", context_window=100_000)], priority=1)
    small = Summarizer(window=2000)
    add(small)
    messages = turns(20)
    await route_and_close(sticky, in_session(messages))
    pool.record_goodbye(large)
    backend_of(large).well = backend_of(large).outcomes[0] = REFUSED
    reply = await route_and_close(sticky, in_session(messages))
    (request,) = small.sent
    said = request.body["messages"]
    assert request.estimated_prompt_tokens <= 2000 * FILL
    assert said[0]["role"] == "system"
    assert said[0]["content"].startswith(str(SYSTEM["content"]))
    assert "They spoke of the cellar." in said[0]["content"]
    assert said[1]["role"] == "user"
    assert said[1:] == messages[-len(said[1:]) :]
    assert reply.handover is not None
    assert reply.handover.summarized == len(messages) - len(said)
    assert reply.handover.summarized > 30
    (summary,) = small.asked_for_summary
    assert not summary.stream
    assert summary.estimated_prompt_tokens <= 2000 * FILL
    assert reply.used == Usage(73, 9)


async def test_session_handover_of_chinese_fits_into_the_context(sticky: Router, pool: Pool, add: Add) -> None:
    large = add("a", models=[ModelInfo("large", context_window=100_000)], priority=1)
    small = Summarizer(window=2000)
    add(small)
    messages = [message | {"content": "客厅的灯开着，暖气设定为二十一度。" * 20} for message in turns(20)]
    await route_and_close(sticky, in_session(messages))
    backend_of(large).outcomes = [UpstreamError("500")]
    await route_and_close(sticky, in_session(messages))
    (request,), (summary,) = small.sent, small.asked_for_summary
    assert 500 < request.estimated_prompt_tokens <= 2000 * FILL
    assert 1000 < summary.estimated_prompt_tokens <= 2000 * FILL


async def test_session_handover_without_a_summary_has_a_note(sticky: Router, pool: Pool, add: Add) -> None:
    large = add("a", models=[ModelInfo("large", context_window=100_000)], priority=1)
    small = Summarizer(fails=UpstreamError("500"))
    add(small)
    await route_and_close(sticky, in_session(turns(20)))
    backend_of(large).outcomes = [UpstreamError("500")]
    reply = await route_and_close(sticky, in_session(turns(20)))
    assert "there is no summary" in small.sent[0].body["messages"][0]["content"]
    assert reply.handover is not None
    assert reply.handover.summarized > 30


async def test_session_beyond_its_own_models_context_is_a_client_error(sticky: Router, sessions: Sessions, add: Add) -> None:
    small = Summarizer()
    add(small)
    sessions.put("n:s", "b", "small")
    with pytest.raises(InvalidRequestError) as raised:
        await route_and_close(sticky, in_session(turns(20)))
    assert raised.value.code == "context_length_exceeded"
    assert small.asked_for_summary == []


async def test_conversation_without_a_session_is_never_shortened(sticky: Router, add: Add) -> None:
    add(Summarizer())
    with pytest.raises(InvalidRequestError):
        await sticky.route(Request.parse(Kind.CHAT, {"model": "auto", "messages": turns(20)}))


def calls(number: int) -> list[dict[str, Any]]:
    """Two tool calls and their results."""
    ids = [f"{number}a", f"{number}b"]
    called = [{"id": call, "type": "function", "function": {"name": "look", "arguments": "{}"}} for call in ids]
    results = [{"role": "tool", "tool_call_id": call, "content": WORDS} for call in ids]
    return [{"role": "assistant", "content": None, "tool_calls": called}, *results]


@pytest.mark.parametrize("window", range(500, 8000, 375))
def test_session_handover_keeps_tool_calls_with_results(window: int) -> None:
    messages = [SYSTEM, {"role": "user", "content": "Look around"}]
    for number in range(12):
        messages += calls(number)
    request = in_session(messages)
    parts = split(request, window)
    assert [*parts.head, *parts.older, *parts.newest] == messages
    called = {call["id"] for message in parts.newest for call in message.get("tool_calls", ())}
    answered = {message["tool_call_id"] for message in parts.newest if message["role"] == "tool"}
    assert called == answered
    assert called


async def test_session_handover_turns_begin_with_a_user_message() -> None:
    messages = [SYSTEM, {"role": "user", "content": "Look around"}]
    for number in range(12):
        messages += calls(number)
    small = Summarizer()
    request, replaced, _ = await shorten(in_session(messages), 2000, small, "small")
    said = request.body["messages"]
    assert [message["role"] for message in said[:3]] == ["system", "user", "assistant"]
    assert "They spoke of the cellar." in said[1]["content"]
    assert replaced == len(messages) - (len(said) - 1)


async def test_session_handover_within_the_context_is_unchanged() -> None:
    request = in_session(turns(2))
    small = Summarizer()
    assert await shorten(request, 100_000, small, "small") == (request, 0, Usage())
    assert small.asked_for_summary == []


def test_session_handover_minimum_is_system_prompt_and_last_message() -> None:
    messages = turns(5)
    assert shortest(in_session(messages)).body["messages"] == [messages[0], messages[-1]]
    other = Request.parse(Kind.COMPLETION, {"prompt": "Once"})
    assert shortest(other) is other


async def test_session_handover_summary_is_made_once_for_two_attempts(sticky: Router, pool: Pool, add: Add) -> None:
    large = add("a", models=[ModelInfo("large", context_window=100_000)], priority=1)
    small = Summarizer(UpstreamError("500"), [COMPLETION])
    add(small)
    await route_and_close(sticky, in_session(turns(20)))
    pool.record_goodbye(large)
    backend_of(large).well = backend_of(large).outcomes[0] = REFUSED
    await route_and_close(sticky, in_session(turns(20)))
    assert (len(small.asked_for_summary), len(small.sent)) == (1, 2)
