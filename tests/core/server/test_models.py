"""`/v1/models`: the first entry answers chats, names that stand for others are listed, and a key sees what it may use."""

from typing import Any, override

from aiohttp import web

from tests.support.fakes.upstream import StubBackend
from tests.support.server import Served, served
from zeroconf_ai.backends.base import BackendInfo, Endpoint
from zeroconf_ai.backends.zeroconfai import ZeroconfAIBackend
from zeroconf_ai.engine import Caller, Source
from zeroconf_ai.presence.advertised_record import describe_engine
from zeroconf_ai.protocol.models import ModelInfo, best_model, parse_models
from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.record import Capability, ServiceRecord
from zeroconf_ai.protocol.status import ProviderState
from zeroconf_ai.routing.policy import ModelAlias, Policy, Strategy, Terms
from zeroconf_ai.server.access.auth import Access


class Scoped(Access):
    """Lets everybody in, for some models."""

    def __init__(self, *patterns: str) -> None:
        """Of the models that they may use."""
        self._patterns = patterns

    @property
    @override
    def required(self) -> bool:
        return False

    @override
    async def admit(self, request: web.Request, scope: str) -> Caller:
        return Caller(Source.HTTP, models=self._patterns)


async def ids(gateway: Served) -> list[str]:
    status, body, _ = await gateway.get("models")
    assert status == 200
    assert body["data"] == body["models"]
    return [model["id"] for model in body["data"]]


async def one(gateway: Served, model: str) -> tuple[int, Any]:
    status, body, _ = await gateway.get(f"models/{model}")
    return status, body


async def test_models_list_starts_with_chat_models() -> None:
    async with served(StubBackend("a", models=["nomic-embed", "qwen3:8b"])) as gateway:
        assert await ids(gateway) == ["auto", "qwen3:8b", "fast", "cheap", "generic-chat", "openrouter/auto", "nomic-embed"]


async def test_models_list_without_chat_models_has_no_auto() -> None:
    async with served(StubBackend("a", models=["nomic-embed"])) as gateway:
        gateway.engine.policy = Policy(virtual_models={"fast": ModelAlias(), "embeddings": ModelAlias(("nomic-embed",))})
        assert await ids(gateway) == ["nomic-embed", "embeddings"]


async def test_models_list_has_aliases_with_an_available_target() -> None:
    async with served(StubBackend("a", models=["m"]), StubBackend("b", models=["n"])) as gateway:
        chains = {
            "smart": ModelAlias(("B/n", "m"), Strategy.COST),
            "outer": ModelAlias(("only",)),
            "only": ModelAlias(("b/n",)),
            "lost": ModelAlias(("gone", "lost")),
        }
        gateway.engine.policy = Policy(virtual_models=chains)
        assert await ids(gateway) == ["auto", "m", "n", "smart", "outer", "only"]
        assert (await one(gateway, "smart"))[1] == {
            "id": "smart",
            "object": "model",
            "created": 0,
            "owned_by": "zeroconf-ai",
            "supports_streaming": True,
            "provider": "zeroconf-ai",
            "virtual": True,
            "targets": ["B/n", "m"],
        }
        member = gateway.engine.pool.get("b")
        assert member is not None
        member.state = ProviderState.OFFLINE
        assert await ids(gateway) == ["auto", "m", "smart"]
        assert (await one(gateway, "only"))[0] == 404


async def test_models_list_alias_hides_a_model_of_its_name() -> None:
    async with served(StubBackend("a", models=["m", "fast"])) as gateway:
        listed = (await gateway.get("models"))[1]["data"]
        assert [model.get("virtual") for model in listed if model["id"] == "fast"] == [True]


async def test_models_list_of_a_key_has_its_models() -> None:
    backends = StubBackend("a", models=["m", "secret"]), StubBackend("b", models=["n", "m"])
    async with served(*backends, access=Scoped("m", "secure")) as gateway:
        chains = {"open": ModelAlias(("secret", "m")), "closed": ModelAlias(("secret",)), "secure": ModelAlias(("secret",))}
        gateway.engine.policy = Policy(virtual_models=chains)
        assert await ids(gateway) == ["auto", "m", "open", "secure"]
        status, body = await one(gateway, "secret")
        assert (status, body["error"]["code"]) == (404, "model_not_found")
        assert "secret" not in body["error"]["message"].removeprefix("The model secret")
    async with served(StubBackend("a", models=["m"]), access=Scoped("none")) as gateway:
        assert await ids(gateway) == []
    async with served(StubBackend("a", models=["m"]), StubBackend("b", models=["n"]), access=Scoped("b/*")) as gateway:
        assert (await ids(gateway))[:2] == ["auto", "n"]


async def test_model_without_a_tag_is_latest() -> None:
    async with served(StubBackend("a", models=["llama3.2:latest"])) as gateway:
        status, body = await one(gateway, "llama3.2")
        assert (status, body["id"]) == (200, "llama3.2:latest")
        assert (await one(gateway, "fast:latest"))[1]["id"] == "fast"


async def test_models_list_has_the_owners_prices() -> None:
    named = ModelInfo("m", pricing={"input_cost_per_1m": 9.0, "output_cost_per_1m": 9.0, "currency": "USD"})
    async with served(StubBackend("a", models=[named])) as gateway:
        per_thousand = {"input_cost_per_1k": 0.009, "output_cost_per_1k": 0.009}
        assert (await one(gateway, "m"))[1]["pricing"] == {**(named.pricing or {}), **per_thousand}
        member = gateway.engine.pool.get("a")
        assert member is not None
        member.terms = Terms(prices={"*": Prices(1_500_000_000, 2_000_000_000, currency="EUR")})
        expected = {"input_cost_per_1m": 1.5, "output_cost_per_1m": 2.0, "currency": "EUR"}
        expected |= {"input_cost_per_1k": 0.0015, "output_cost_per_1k": 0.002}
        assert (await one(gateway, "m"))[1]["pricing"] == expected


async def test_models_list_has_whether_a_model_can_be_streamed() -> None:
    vectors = ModelInfo("e5", capabilities=frozenset({Capability.EMBEDDINGS}))
    async with served(StubBackend("a", models=["chat", vectors])) as gateway:
        gateway.engine.policy = Policy(virtual_models={"fast": ModelAlias(), "search": ModelAlias(("e5",))})
        _, body, _ = await gateway.get("models")
        shown = {model["id"]: model["supports_streaming"] for model in body["data"]}
        assert shown == {"auto": True, "chat": True, "fast": True, "e5": False, "search": False}
        assert [(await one(gateway, name))[1]["supports_streaming"] for name in shown] == list(shown.values())


async def test_models_list_aliases_are_not_models_for_other_gateways() -> None:
    async with served(StubBackend("a", models=["m"])) as gateway:
        read = parse_models((await gateway.get("models"))[1])
    assert [model.id for model in read if not model.virtual] == ["m"]
    best = best_model(read)
    assert best is not None
    assert best.id == "m"
    async with served(StubBackend("peer", models=read), provider_id="second") as second:
        assert await ids(second) == ["auto", "m", "fast", "cheap", "generic-chat", "openrouter/auto"]
        assert [model.id for _, model in second.engine.models()] == ["m"]
        record = ServiceRecord("Second", "second.local.", 8000)
        assert describe_engine(record, second.engine).models == ("m",)


async def test_models_list_via_prevents_loops_between_gateways() -> None:
    async with served(StubBackend("gpu", models=["m"]), provider_id="first") as first:
        assert (await one(first, "m"))[1]["via"] == ["first"]
        async with served(peer_of(first), provider_id="second") as second:
            assert (await one(second, "m"))[1]["via"] == ["first", "second"]
            member = first.engine.add(peer_of(second))
            await first.engine.checker.check(member, models=True)
            assert not [model for model in member.models if not model.virtual], "its own model, by a detour"
            assert (await one(first, "m"))[1]["provider"] == "Gpu"
            await first.engine.remove("gpu")
            await second.engine.checker.check(next(iter(second.engine.pool)), models=True)
            assert "m" not in await ids(first) + await ids(second)


def peer_of(gateway: Served) -> ZeroconfAIBackend:
    """The gateway as a backend of another one."""
    return ZeroconfAIBackend(gateway.session, BackendInfo("peer", "peer"), Endpoint(f"http://127.0.0.1:{gateway.port}/v1"))
