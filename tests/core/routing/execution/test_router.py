"""PROTOCOL 3, rules 6 to 9: what happens when a candidate fails, and that the choice is final with the first token."""

import asyncio
import time
from typing import Any

import orjson
import pytest

from tests.core.routing.conftest import Add, backend_of, route_and_close, sent
from tests.support.fakes.chunks import delta
from tests.support.fakes.upstream import COMPLETION, ROLE, STOP, USAGE, chat
from tests.support.waiting import AT_ONCE, next_turn, run_pending_tasks
from zeroconf_ai.accounting.usage.generation import FailedAttempt
from zeroconf_ai.protocol.chunks import Delta, Message
from zeroconf_ai.protocol.errors import (
    ApiError,
    AuthenticationError,
    InvalidRequestError,
    LoopDetectedError,
    MethodNotAllowedError,
    NotFoundError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    RequestTooLargeError,
    StreamBrokenError,
    UnavailableError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamTimeoutError,
)
from zeroconf_ai.protocol.record import Cost
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.protocol.status import ProviderState
from zeroconf_ai.protocol.usage import Usage
from zeroconf_ai.routing.execution.reply import Reply
from zeroconf_ai.routing.execution.router import Router
from zeroconf_ai.routing.policy import Policy
from zeroconf_ai.routing.pool.events import EventKind, RoutingEvent
from zeroconf_ai.routing.pool.health import HealthChecker
from zeroconf_ai.routing.pool.pool import Pool

pytestmark = pytest.mark.usefixtures("nothing_is_left_open")

HELLO = [ROLE, delta("Hel"), delta("lo"), STOP, USAGE]
REFUSED = UpstreamConnectionError("refused")


async def read(reply: Reply) -> Message:
    message = Message()
    try:
        async for chunk in reply.chunks():
            message.add(Delta.parse(chunk.data))
    finally:
        await reply.close()
    return message


# The plain way.


async def test_router_stream_is_complete_and_counted(router: Router, add: Add) -> None:
    member = add("attic", HELLO)
    reply = await router.route(chat(stream=True))
    assert member.active == 1
    message = await read(reply)
    assert (message.content, message.finish_reason) == ("Hello", "stop")
    assert (reply.backend_id, reply.backend_name, reply.model) == ("attic", "Attic", "m")
    assert reply.usage == reply.used == Usage(3, 2)
    assert member.active == 0


async def test_router_answer_is_complete_and_counted(router: Router, add: Add) -> None:
    member = add("attic")
    reply = await router.route(chat())
    assert orjson.loads(reply.body) == COMPLETION
    await reply.close()
    await reply.close()
    assert reply.used == Usage(3, 2)
    assert member.active == 0


async def test_router_stream_has_no_body(router: Router, add: Add) -> None:
    add("attic")
    reply = await router.route(chat(stream=True))
    with pytest.raises(RuntimeError):
        _ = reply.body
    await reply.close()


async def test_router_request_has_the_backends_model_and_is_otherwise_unchanged(router: Router, add: Add) -> None:
    member = add("attic", HELLO)
    for model in ("m", "attic/m", "auto"):
        await route_and_close(router, chat(model=model, seed=1))
    assert [request.body["model"] for request in backend_of(member).sent] == ["m"] * 3
    assert all(request.body["seed"] == 1 for request in backend_of(member).sent)


async def test_router_equal_backends_alternate(router: Router, add: Add) -> None:
    members = [add(name) for name in "abc"]
    for _ in range(9):
        await route_and_close(router)
    assert sent(*members) == [3, 3, 3]


async def test_router_equal_backends_share_concurrent_requests(router: Router, add: Add) -> None:
    members = [add(name) for name in "abc"]
    replies = await asyncio.gather(*(router.route(chat()) for _ in range(9)))
    assert [member.active for member in members] == [3, 3, 3]
    for reply in replies:
        await reply.close()


# Rule 6: a failure before the first token.


@pytest.mark.parametrize("error", [UpstreamError("500"), UnavailableError("503")])
async def test_router_5xx_is_retried_once_on_the_same_backend(
    router: Router, add: Add, events: list[RoutingEvent], error: ApiError
) -> None:
    first, second = add("a", error, HELLO), add("b")
    reply = await router.route(chat(stream=True))
    assert (await read(reply)).content == "Hello"
    assert sent(first, second) == [2, 0]
    assert first.state is ProviderState.HEALTHY
    assert events == []


@pytest.mark.parametrize("error", [UpstreamError("500"), UnavailableError("503")])
async def test_router_5xx_twice_uses_the_next_backend(
    router: Router, add: Add, events: list[RoutingEvent], error: ApiError
) -> None:
    first, second = add("a", error), add("b")
    reply = await router.route(chat())
    await reply.close()
    assert sent(first, second) == [2, 1]
    assert [(attempt.backend_name, attempt.failure) for attempt in reply.attempts] == [("A", error.message), ("B", "")]
    assert events == [RoutingEvent(EventKind.FAILOVER, "a", error.message, "b")]


async def test_router_retry_waits_a_second(router: Router, add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeroconf_ai.routing.execution.router.RETRY_SECONDS", 0.2)
    add("a", UpstreamError("500"), HELLO)
    started = time.perf_counter()
    await route_and_close(router)
    assert 0.19 < time.perf_counter() - started < AT_ONCE


@pytest.mark.parametrize(
    "error",
    [
        REFUSED,
        StreamBrokenError("ended early"),
        RateLimitError("429"),
        QuotaError("paid up"),
        UnavailableError("503", retry_after=5),
        AuthenticationError("401"),
        PermissionDeniedError("403"),
        UpstreamTimeoutError("504"),
        NotFoundError("no model", code="model_not_found"),
        InvalidRequestError("no model", code="model_not_found"),
        MethodNotAllowedError("405"),
        LoopDetectedError("508"),
    ],
)
async def test_router_backend_failure_uses_the_next_backend_immediately(
    router: Router, add: Add, monkeypatch: pytest.MonkeyPatch, error: ApiError
) -> None:
    monkeypatch.setattr("zeroconf_ai.routing.execution.router.RETRY_SECONDS", 60)
    first, second = add("a", error), add("b")
    failures: list[FailedAttempt] = []
    reply = await asyncio.wait_for(router.route(chat(), failures=failures), AT_ONCE)
    await reply.close()
    assert sent(first, second) == [1, 1]
    assert reply.backend_id == "b"
    (failure,) = failures
    assert failure[:5] == ("a", "A", "m", error.message, error.code)
    assert failure.began is not None
    assert failure.ended is not None
    assert 0 <= failure.began <= failure.ended


@pytest.mark.parametrize(
    "steps",
    [
        [StreamBrokenError("error event")],
        [ROLE, StreamBrokenError("cut")],
        [ROLE, UpstreamTimeoutError("stalled")],
        [],
        [ROLE],
    ],
)
async def test_router_stream_failing_before_the_first_token_uses_the_next_backend(
    router: Router, add: Add, steps: list[Any]
) -> None:
    first, second = add("a", steps), add("b", HELLO)
    assert (await read(await router.route(chat(stream=True)))).content == "Hello"
    assert sent(first, second) == [1, 1]


@pytest.mark.parametrize("error", [RateLimitError("429", retry_after=60), UnavailableError("503", retry_after=60)])
async def test_router_backend_with_retry_after_is_paused(
    router: Router, checker: HealthChecker, add: Add, error: ApiError
) -> None:
    first, second = add("a", error), add("b")
    for _ in range(3):
        await route_and_close(router)
        await checker.check(first)
    assert sent(first, second) == [1, 3]
    first.resting_until = time.monotonic() - 1
    backend_of(first).outcomes = [HELLO]
    await route_and_close(router)
    assert sent(first, second) == [2, 3]


@pytest.mark.parametrize("error", [AuthenticationError("401"), PermissionDeniedError("403")])
async def test_router_backend_refusing_its_key_is_unauthorized(router: Router, add: Add, error: ApiError) -> None:
    first, second = add("a", error), add("b")
    for _ in range(2):
        await route_and_close(router)
    assert sent(first, second) == [1, 2]
    assert first.state is ProviderState.UNAUTHORIZED


@pytest.mark.parametrize(
    "error", [InvalidRequestError("bad", param="temperature"), NotFoundError("no path"), RequestTooLargeError("too large")]
)
async def test_router_client_error_is_returned_without_failover(router: Router, add: Add, error: ApiError) -> None:
    first, second = add("a", error), add("b")
    with pytest.raises(type(error)) as raised:
        await router.route(chat())
    assert raised.value is error
    assert sent(first, second) == [1, 0]
    assert first.failures == 0
    assert first.state is ProviderState.HEALTHY


@pytest.mark.parametrize(
    "error", [MethodNotAllowedError("405"), LoopDetectedError("508"), NotFoundError("x", code="model_not_found")]
)
async def test_router_errors_that_are_no_outage_do_not_affect_health(router: Router, add: Add, error: ApiError) -> None:
    first = add("a", error)
    add("b")
    for _ in range(5):
        await route_and_close(router)
    assert first.state is ProviderState.HEALTHY


async def test_router_missing_model_refreshes_the_model_list(router: Router, checker: HealthChecker, add: Add) -> None:
    first = add("a", NotFoundError("no model", code="model_not_found"), models=["m", "n"])
    add("b")
    await checker.check(first)
    asked = backend_of(first).asked["models"]
    await route_and_close(router)
    backend_of(first).listed = ()
    await checker.check(first)
    assert backend_of(first).asked["models"] == asked + 1


async def test_router_model_missing_everywhere_is_a_404(router: Router, add: Add) -> None:
    add("a", NotFoundError("gone", code="model_not_found"))
    add("b", NotFoundError("gone", code="model_not_found"))
    with pytest.raises(NotFoundError) as raised:
        await router.route(chat())
    assert raised.value.details == ("A: gone", "B: gone")


@pytest.mark.parametrize(
    ("cost", "tries_next"), [(Cost.FREE, True), (Cost.SUBSCRIPTION, True), (Cost.METERED, False), (Cost.UNKNOWN, False)]
)
async def test_router_timeout_uses_the_next_backend_only_without_double_billing(
    router: Router, add: Add, cost: Cost, tries_next: bool
) -> None:
    first, second = add("a", UpstreamTimeoutError("slow"), cost=cost), add("b")
    if tries_next:
        await route_and_close(router)
    else:
        with pytest.raises(UpstreamTimeoutError):
            await router.route(chat())
    assert sent(first, second) == [1, int(tries_next)]


async def test_router_timeout_of_a_metered_backend_uses_the_next_backend_if_allowed(router: Router, add: Add) -> None:
    first, second = add("a", UpstreamTimeoutError("slow"), cost=Cost.METERED), add("b")
    reply = await router.route(chat(), Policy(retry_metered_timeouts=True))
    await reply.close()
    assert sent(first, second) == [1, 1]


async def test_router_timeout_of_embeddings_uses_the_next_backend(router: Router, add: Add) -> None:
    first, second = add("a", UpstreamTimeoutError("slow"), cost=Cost.METERED), add("b")
    reply = await router.route(Request.parse(Kind.EMBEDDINGS, {"model": "m", "input": "Hi"}))
    await reply.close()
    assert sent(first, second) == [1, 1]


async def test_router_three_refused_connections_are_one_offline_event(
    router: Router, add: Add, events: list[RoutingEvent]
) -> None:
    first, second = add("a", REFUSED, priority=1), add("b", priority=2)
    for _ in range(5):
        await route_and_close(router)
    assert sent(first, second) == [3, 5]
    assert [event.kind for event in events].count(EventKind.OFFLINE) == 1
    assert [event.kind for event in events].count(EventKind.FAILOVER) == 3


# Rule 7: final with the first token.


@pytest.mark.parametrize("error", [StreamBrokenError("cut"), UpstreamTimeoutError("silent")])
async def test_router_failure_after_the_first_token_ends_the_stream(router: Router, add: Add, error: ApiError) -> None:
    first, second = add("a", [delta("Hel"), error]), add("b", HELLO)
    reply = await router.route(chat(stream=True))
    heard: list[str] = []

    async def listen() -> None:
        async for chunk in reply.chunks():
            heard.append(Delta.parse(chunk.data).content)  # noqa: PERF401 - the content before the error is needed

    with pytest.raises(type(error)):
        await listen()
    await reply.close()
    assert heard == ["Hel"]
    assert sent(first, second) == [1, 0]
    assert (first.breaker.failures, reply.failure) == (1, error)


async def test_router_chunks_before_the_first_token_are_kept(router: Router, add: Add) -> None:
    add("a", [ROLE, ROLE, delta("Hel"), delta("lo"), STOP])
    reply = await router.route(chat(stream=True))
    batches = [batch async for batch in reply.batches()]
    await reply.close()
    assert [Delta.parse(chunk.data).content for batch in batches for chunk in batch] == ["", "", "Hel", "lo", ""]


# Rule 9: the last candidate is tried, and each error has the reasons.


async def test_router_only_backend_is_tried_while_paused_or_offline(router: Router, add: Add, events: list[RoutingEvent]) -> None:
    member = add("a")
    member.resting_until = time.monotonic() + 60
    await route_and_close(router)
    member.state = ProviderState.OFFLINE
    await route_and_close(router)
    assert sent(member) == [2]
    assert member.state is ProviderState.HEALTHY
    assert [event.kind for event in events] == [EventKind.RECOVERED]


async def test_router_all_failed_error_has_each_reason(router: Router, add: Add) -> None:
    add("a", REFUSED, priority=1)
    add("b", AuthenticationError("no key"), priority=2)
    add("c", RateLimitError("busy", retry_after=9), priority=3)
    add("d", models=["other"])
    add("e").enabled = False
    add("f").state = ProviderState.OFFLINE
    with pytest.raises(UpstreamError) as raised:
        await router.route(chat())
    reasons = ("A: refused", "B: no key", "C: busy", "D: does not serve m", "E: disabled for routing", "F: offline")
    assert raised.value.details == reasons
    assert all(reason in raised.value.message for reason in reasons)
    assert (raised.value.status, raised.value.code, raised.value.retry_after) == (502, "provider_error", 9)


async def test_router_failed_last_resort_error_has_the_skipped_backends(router: Router, add: Add) -> None:
    add("a", REFUSED).state = ProviderState.OFFLINE
    add("b").enabled = False
    with pytest.raises(UpstreamError) as raised:
        await router.route(chat())
    assert raised.value.details == ("A: refused", "B: disabled for routing")


@pytest.mark.parametrize(
    "error",
    [RateLimitError("x", retry_after=3), QuotaError("x"), UnavailableError("x", retry_after=3), UpstreamTimeoutError("x")],
)
async def test_router_error_of_the_only_backend_is_raised(router: Router, add: Add, error: ApiError) -> None:
    add("a", error)
    with pytest.raises(type(error)) as raised:
        await router.route(chat())
    assert raised.value.details == ("A: x",)


@pytest.mark.parametrize("error", [AuthenticationError("no key"), PermissionDeniedError("no")])
async def test_router_refused_upstream_key_is_not_a_client_error(router: Router, add: Add, error: ApiError) -> None:
    add("a", error)
    with pytest.raises(UpstreamError, match="No provider could answer"):
        await router.route(chat())


# Cancelling.


@pytest.mark.parametrize("before", ["the upstream accepts", "the first token"])
async def test_router_cancelled_before_the_answer_releases_everything(router: Router, pool: Pool, add: Add, before: str) -> None:
    never = asyncio.Event()
    member = add("a", never if before == "the upstream accepts" else [ROLE, never])
    shown: list[int] = []
    pool.listen_load(lambda: shown.append(member.active))
    routing = asyncio.create_task(router.route(chat(stream=True)))
    await run_pending_tasks()
    assert shown == [1]
    routing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await routing
    await next_turn()
    assert shown == [1, 0]  # the listeners that show the number are notified


async def test_router_exception_in_a_backend_releases_everything(router: Router, add: Add) -> None:
    add("a", LookupError("a mistake"))
    with pytest.raises(LookupError):
        await router.route(chat())
