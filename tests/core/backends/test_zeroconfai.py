"""LAN providers, the origin's and Saturn's among them."""

import asyncio
from typing import Any

import aiohttp
from aiohttp import web
import pytest

from tests.support.fakes.chunks import delta
from tests.support.fakes.upstream import STOP, USAGE, Upstream, answers, chat, stalls, streams
from zeroconf_ai.backends.base import Answer, BackendInfo, Endpoint, Timeouts
from zeroconf_ai.backends.zeroconfai import MAX_CONNECTIONS, NotAProviderError, ZeroconfAIBackend, probe
from zeroconf_ai.protocol.errors import (
    AuthenticationError,
    IdentityChangedError,
    InvalidRequestError,
    UnavailableError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamTimeoutError,
)
from zeroconf_ai.protocol.record import Capability, Cost, Placement, ServiceRecord
from zeroconf_ai.protocol.request import Kind, Request

KEY = "canary-key"
CHAT = "/chat/completions"
QUICK = Timeouts(connect=0.5, first_token=0.5, between_tokens=0.3, answer=1, probe=0.5)


@pytest.fixture
def backend(session: aiohttp.ClientSession, upstream: Upstream) -> ZeroconfAIBackend:
    return ZeroconfAIBackend(session, BackendInfo("attic", "Attic"), Endpoint(upstream.base_url, KEY), timeouts=QUICK)


async def text_of(answer: Answer) -> str:
    try:
        return "".join(
            [
                chunk.data["choices"][0]["delta"].get("content", "")
                async for b in answer.batches()
                for chunk in b
                if chunk.data["choices"]
            ]
        )
    finally:
        await answer.close()


async def test_health_of_a_provider_has_its_identity(upstream: Upstream, backend: ZeroconfAIBackend) -> None:
    upstream.on("/health", answers({"status": "degraded", "provider": "ollama", "version": "1.2", "id": "x"}))
    health = await backend.health()
    assert (health.status, health.provider, health.version, health.id) == ("degraded", "ollama", "1.2", "x")


async def test_health_without_a_path_requests_the_models(upstream: Upstream, backend: ZeroconfAIBackend) -> None:
    upstream.on("/models", answers({"data": [{"id": "m"}]}))
    assert (await backend.health()).status == "ok"


@pytest.mark.parametrize("behaviour", [answers({"detail": "Not Found"}, 404), answers({}, 405), answers({"data": []})])
async def test_health_without_any_path_is_not_a_provider(
    upstream: Upstream, session: aiohttp.ClientSession, behaviour: Any
) -> None:
    upstream.on("/models", behaviour)
    with pytest.raises(NotAProviderError, match="Attic"):
        await probe(session, Endpoint(upstream.base_url), "Attic", QUICK)


async def test_health_of_saturn_requiring_a_key_is_reachable(upstream: Upstream, session: aiohttp.ClientSession) -> None:
    upstream.on("/health", answers({"error": {"message": "missing bearer token"}}, 401))
    with pytest.raises(AuthenticationError):
        await probe(session, Endpoint(upstream.base_url), "Attic", QUICK)


async def test_key_is_sent_only_after_a_health_check_without_it(upstream: Upstream, backend: ZeroconfAIBackend) -> None:
    """Saturn's servers want it even there, and are given it at once from then on; the others never see it there."""

    async def saturn(request: web.Request) -> web.StreamResponse:
        known = request.headers.get("Authorization") == f"Bearer {KEY}"
        return await answers({"status": "ok"} if known else {"detail": "no key"}, 200 if known else 401)(request)

    upstream.on("/health", answers({}), saturn)
    for _ in range(3):
        await backend.health()
    shown = ["Authorization" in request.headers for request in upstream.received]
    assert shown == [False, False, True, True]


async def test_health_of_another_provider_at_the_address_is_an_error(upstream: Upstream, backend: ZeroconfAIBackend) -> None:
    upstream.on("/health", answers({"id": "confirmed"}), answers({}), answers({"id": "another"}))
    backend.identity = "confirmed"
    await backend.health()
    await backend.health()
    with pytest.raises(IdentityChangedError):
        await backend.health()


async def test_health_unavailable_is_an_error(upstream: Upstream, backend: ZeroconfAIBackend) -> None:
    upstream.on("/health", answers({"status": "unavailable"}, 503))
    with pytest.raises(UnavailableError):
        await backend.health()


async def test_health_html_page_is_an_error(upstream: Upstream, backend: ZeroconfAIBackend) -> None:
    upstream.on("/health", answers(b"<html>router login</html>", kind="text/html"))
    with pytest.raises(UpstreamError, match="not JSON"):
        await backend.health()


@pytest.mark.parametrize(
    ("body", "models"),
    [
        ({"data": [{"id": "a"}]}, ["a"]),
        ({"models": [{"id": "a"}]}, ["a"]),
        ({"models": ["a"]}, ["a"]),
        ({"data": []}, ["announced"]),
    ],
)
async def test_models_of_each_format_or_the_record_are_listed(
    upstream: Upstream, backend: ZeroconfAIBackend, body: Any, models: list[str]
) -> None:
    backend.update_record(ServiceRecord("Attic", "attic.local.", 8000, models=("announced",)))
    upstream.on("/models", answers(body))
    assert [model.id for model in await backend.models()] == models


async def test_models_without_a_path_are_the_records(backend: ZeroconfAIBackend) -> None:
    backend.update_record(ServiceRecord("Attic", "attic.local.", 8000, models=("announced",)))
    assert [model.id for model in await backend.models()] == ["announced"]


async def test_models_failure_is_an_error_not_an_empty_list(upstream: Upstream, backend: ZeroconfAIBackend) -> None:
    upstream.on("/models", answers({"detail": "oops"}, 500))
    with pytest.raises(UpstreamError):
        await backend.models()


@pytest.mark.parametrize("behaviour", [answers({"detail": "Not Found"}, 404), answers({}, 405), answers([])])
async def test_status_unsupported_is_requested_once(upstream: Upstream, backend: ZeroconfAIBackend, behaviour: Any) -> None:
    upstream.on("/status", behaviour)
    assert await backend.status() is None
    assert await backend.status() is None
    assert len(upstream.received) == 1
    backend.update_record(ServiceRecord("Attic", "attic.local.", 8000))
    assert await backend.status() is None
    assert len(upstream.received) == 2


async def test_status_is_parsed(upstream: Upstream, backend: ZeroconfAIBackend) -> None:
    upstream.on("/status", answers({"queue": {"depth": 3, "active": 2, "max_concurrent": 4}}))
    status = await backend.status()
    assert status is not None
    assert status.queue is not None
    assert (status.queue.depth, status.queue.max_concurrent) == (3, 4)


async def test_advertised_properties_are_used_except_the_id(backend: ZeroconfAIBackend) -> None:
    record = ServiceRecord(
        "Attic", "attic.local.", 8000, id="other", priority=5, cost=Cost.METERED, placement=Placement.PROXY, models=("m",)
    )
    backend.update_record(record)
    info = backend.info
    assert (info.id, info.priority, info.cost, info.placement, info.advertised_models) == (
        "attic",
        5,
        Cost.METERED,
        Placement.PROXY,
        ("m",),
    )
    assert info.capabilities == frozenset({Capability.COMPLETION, Capability.STREAMING})


async def test_request_is_sent_unchanged(upstream: Upstream, backend: ZeroconfAIBackend) -> None:
    upstream.on(CHAT, streams(delta("Hello"), STOP))
    request = Request.parse(Kind.CHAT, dict(chat(stream=True).body), request_id="r-1", via=("one", "two"))
    assert await text_of(await backend.send(request)) == "Hello"
    (received,) = upstream.received
    assert received.body == request.body
    assert received.headers["X-Request-ID"] == "r-1"
    assert received.headers["Via"] == "1.1 one, 1.1 two"
    assert received.headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(("kind", "body"), [(Kind.COMPLETION, {"prompt": "Hi"}), (Kind.EMBEDDINGS, {"input": "Hi"})])
async def test_completions_and_embeddings_have_their_own_paths(
    upstream: Upstream, backend: ZeroconfAIBackend, kind: Kind, body: Any
) -> None:
    upstream.on(f"/{kind.value}", answers({"object": "list"}))
    answer = await backend.send(Request.parse(kind, body))
    assert await answer.body() == b'{"object": "list"}'
    await answer.close()


REFUSALS = [
    answers(
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]}, 422
    ),
    answers({"error": {"message": "Unrecognized argument", "param": "stream_options"}}, 400),
    answers({"error": {"message": "stream_options is not supported"}}, 400),
]


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_stream_options_refused_are_omitted_later(upstream: Upstream, backend: ZeroconfAIBackend, refusal: Any) -> None:
    upstream.on(CHAT, refusal, streams(delta("Hello"), STOP))
    request = chat(stream=True, stream_options={"include_usage": True})
    for _ in range(2):
        assert await text_of(await backend.send(request)) == "Hello"
    assert ["stream_options" in body for body in upstream.bodies()] == [True, False, False]


async def test_refused_request_is_not_retried(upstream: Upstream, backend: ZeroconfAIBackend) -> None:
    upstream.on(CHAT, answers({"detail": [{"loc": ["body", "temperature"], "msg": "too hot"}]}, 422))
    with pytest.raises(InvalidRequestError, match="temperature: too hot"):
        await backend.send(chat(stream=True, stream_options={"include_usage": True}))
    assert len(upstream.received) == 1


async def test_backend_moved_uses_the_new_address_and_key(
    upstream: Upstream, session: aiohttp.ClientSession, backend: ZeroconfAIBackend
) -> None:
    async with Upstream() as other:
        other.on("/models", answers([]))
        backend.move(Endpoint(f"{other.base_url}/", "second-key"))
        await backend.models()
        assert backend.base_url == other.base_url
        assert other.received[0].headers["Authorization"] == "Bearer second-key"
    assert upstream.received == []


def test_repr_of_each_type_contains_no_key(backend: ZeroconfAIBackend) -> None:
    assert KEY not in repr(backend) + repr(Endpoint("http://127.0.0.1/v1", KEY)) + str(Endpoint("http://127.0.0.1/v1", KEY))


async def test_gateway_concurrency_default_is_five(backend: ZeroconfAIBackend) -> None:
    assert backend.max_concurrent == MAX_CONNECTIONS == 5  # PROTOCOL 3


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (answers({"error": "x"}, 500), UpstreamError),
        (answers({"error": "x"}, 400), InvalidRequestError),
        (stalls, UpstreamTimeoutError),
        (answers({"error": "x"}), UpstreamError),
    ],
)
async def test_failed_request_reports_the_reason_and_releases_its_connection(
    upstream: Upstream, backend: ZeroconfAIBackend, behaviour: Any, error: Any
) -> None:
    if behaviour is stalls:
        backend.timeouts = Timeouts(first_token=0.05, probe=0.5)
    upstream.on(CHAT, behaviour)
    for _ in range(MAX_CONNECTIONS + 1):
        with pytest.raises(error):
            await asyncio.wait_for(backend.send(chat(stream=True)), 30)


async def test_usage_chunks_are_forwarded(upstream: Upstream, backend: ZeroconfAIBackend) -> None:
    upstream.on(CHAT, streams(delta("Hi"), STOP, USAGE))
    answer = await backend.send(chat(stream=True))
    assert [chunk.usage for batch in [b async for b in answer.batches()] for chunk in batch][-1] is not None
    await answer.close()


async def test_provider_offline_is_unreachable(session: aiohttp.ClientSession) -> None:
    async with Upstream() as upstream:
        backend = ZeroconfAIBackend(session, BackendInfo("a", "Attic"), Endpoint(upstream.base_url), timeouts=QUICK)
    for asked in (backend.health(), backend.models(), backend.status(), backend.send(chat())):
        with pytest.raises(UpstreamConnectionError, match="Attic could not be reached"):
            await asked
