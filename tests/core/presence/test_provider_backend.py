"""The server at a provider's address, used through its native API."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.support.clouds.anthropic import FakeAnthropic
from tests.support.clouds.ollama import PLAIN, THINKER, FakeOllama
from tests.support.clouds.server import engine
from tests.support.fakes.provider import FakeProvider, running
from zeroconf_ai.backends.base import BackendInfo, Endpoint
from zeroconf_ai.backends.ollama.backend import OllamaOptions
from zeroconf_ai.config.backend_types import BACKEND_TYPES
from zeroconf_ai.presence.provider_backend import ProviderBackend
from zeroconf_ai.presence.server_kinds import SERVER_KINDS, kind_of
from zeroconf_ai.protocol.errors import ApiError, UpstreamConnectionError
from zeroconf_ai.protocol.record import Cost, Placement
from zeroconf_ai.protocol.request import Kind, Request

from .test_local_engines import CASES, JSON, listed


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def backend_at(session: aiohttp.ClientSession, url: str, key: str | None = None) -> ProviderBackend:
    return ProviderBackend(session, BackendInfo("attic", "Attic"), Endpoint(url, key))


async def chat(backend: ProviderBackend, model: str, words: str = "Is it?") -> None:
    body = {"model": model, "messages": [{"role": "user", "content": words}]}
    answer = await backend.send(Request.parse(Kind.CHAT, body))
    try:
        await answer.completion()
    finally:
        await answer.close()


async def test_ollama_at_an_address_is_asked_for_the_context_that_a_prompt_needs(session: aiohttp.ClientSession) -> None:
    async with FakeOllama() as fake:
        backend = backend_at(session, f"{fake.root}/v1")
        health = await backend.health()
        assert (health.provider, health.version) == ("ollama", "0.33.0")
        (model,) = (model for model in await backend.models() if model.id == PLAIN)
        assert model.context_window == 16_384
        await chat(backend, PLAIN, "word " * 5000)
        (body,) = fake.bodies("/api/chat")
        assert body["options"]["num_ctx"] == 16_384
        assert fake.bodies("/v1/chat/completions") == []


async def test_ollama_options_fix_the_context_and_keep_the_model_loaded(session: aiohttp.ClientSession) -> None:
    async with FakeOllama() as fake:
        backend = backend_at(session, f"{fake.root}/v1")
        await backend.health()
        backend.settings = OllamaOptions(num_ctx=12_288, keep_alive="30m")
        windows = {model.id: model.context_window for model in await backend.models()}
        assert (windows[THINKER], windows["nomic-embed-text:latest"]) == (12_288, 2048)  # never more than the model has
        await chat(backend, THINKER)
        (body,) = fake.bodies("/api/chat")
        assert (body["options"]["num_ctx"], body["keep_alive"]) == (12_288, "30m")


async def test_ollama_known_from_before_is_used_natively_by_the_first_request(session: aiohttp.ClientSession) -> None:
    async with FakeOllama() as fake:
        backend = ProviderBackend(session, BackendInfo("a", "A"), Endpoint(f"{fake.root}/v1"), kind=kind_of("ollama"))
        await chat(backend, PLAIN)
        assert [received.path for received in fake.received] == ["/api/chat"]


@pytest.mark.parametrize(("kind_id", "paths"), CASES)
async def test_server_of_each_kind_is_used_through_its_own_type(
    session: aiohttp.ClientSession, kind_id: str, paths: dict[str, tuple[int, str, object]]
) -> None:
    (kind,) = (kind for kind in SERVER_KINDS if kind.id == kind_id)
    more = {"api__version": (200, JSON, {"version": "0.12.0"}), "v1__models": listed("x"), "health": (200, JSON, "{}")}
    async with engine(**{**more, **paths}) as fake:  # what its native health check asks for
        backend = backend_at(session, f"{fake.root}/v1")
        await backend.health()
        assert backend.type is not None
        assert (backend.kind, backend.type.name) == (kind, kind.type)
        expected = (Placement.PROXY, Cost.UNKNOWN) if kind.is_proxy else (Placement.LOCAL, Cost.FREE)
        assert (backend.info.placement, backend.info.cost) == expected


async def test_provider_with_this_protocol_is_not_asked_for_signatures(session: aiohttp.ClientSession) -> None:
    async with running(FakeProvider()) as fake:
        backend = backend_at(session, fake.base_url)
        await backend.health()
        assert (backend.kind, fake.paths) == (None, ["/v1/health"])


async def test_server_of_no_known_kind_is_asked_once(session: aiohttp.ClientSession) -> None:
    async with engine(v1__models=listed("a stranger")) as fake:
        backend = backend_at(session, f"{fake.root}/v1")
        await backend.health()
        asked = len(fake.received)
        await backend.health()
        assert (backend.kind, [received.path for received in fake.received[asked:]]) == (None, ["/v1/health", "/v1/models"])


async def test_server_that_was_replaced_while_it_was_off_is_recognized_again(session: aiohttp.ClientSession) -> None:
    async with FakeOllama() as fake:
        backend = backend_at(session, f"{fake.root}/v1")
        await backend.health()
        port = fake.port
    with pytest.raises(UpstreamConnectionError):
        await backend.health()
    assert backend.kind is kind_of("ollama")  # it may be asleep
    async with engine(v1__models=listed("llamacpp"), health=(200, JSON, "{}")) as other:
        await other.stop()
        await other.start(port)
        await backend.health()
        assert backend.kind is kind_of("llamacpp")


async def test_server_that_answers_slowly_stays_what_it_was(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeOllama() as fake:
        backend = backend_at(session, f"{fake.root}/v1")
        await backend.health()
        backend.move(Endpoint(f"{fake.root}/v1"))

        async def refuse(path: str) -> None:
            raise UpstreamConnectionError(path)

        with monkeypatch.context() as patch:
            patch.setattr(backend, "_get", refuse)
            await backend.health()
        assert backend.kind is kind_of("ollama")


async def test_key_is_sent_only_where_a_server_requires_it(session: aiohttp.ClientSession) -> None:
    async with FakeOllama(key="sk-secret") as walled, FakeOllama() as free:
        for fake in (walled, free):
            backend = backend_at(session, f"{fake.root}/v1", "sk-secret")
            await backend.health()
            assert backend.kind is kind_of("ollama")
        keys = {received.path: received.headers.get("Authorization") for received in free.received[:3]}
        assert keys["/v1/health"] is None


@pytest.mark.parametrize("status", [429, 500])
async def test_native_server_that_fails_is_not_taken_for_another(session: aiohttp.ClientSession, status: int) -> None:
    async with FakeOllama() as fake:
        backend = backend_at(session, f"{fake.root}/v1")
        await backend.health()

        port = fake.port
    async with engine(**{path: (status, JSON, {}) for path in ("api__version", "v1__health", "v1__models")}) as broken:
        await broken.stop()
        await broken.start(port)
        for _ in range(2):
            with pytest.raises(ApiError):
                await backend.health()
        assert backend.kind is kind_of("ollama")


async def test_chosen_cloud_is_used_by_its_own_api_and_described_as_a_cloud(session: aiohttp.ClientSession) -> None:
    async with FakeAnthropic() as fake:
        chosen = BACKEND_TYPES["anthropic"]
        backend = ProviderBackend(session, BackendInfo("a", "A"), Endpoint(fake.base_url, fake.key), chosen=chosen)
        assert (await backend.health()).provider == "anthropic"
        assert (backend.info.placement, backend.info.cost) == (Placement.CLOUD, Cost.METERED)
        assert {received.path for received in fake.received} == {"/v1/models"}
