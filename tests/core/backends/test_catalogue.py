"""`Catalogue`: an owner's word on a backend's models."""

from dataclasses import replace
from typing import Any, override

from aiohttp import web
import pytest

from tests.support.clouds.asking import before, chat, say
from tests.support.clouds.openai import FakeOpenAI
from tests.support.clouds.server import Refusal
from tests.support.fakes.upstream import StubBackend
from zeroconf_ai.backends.catalogue import BackendOverrides, Catalogue, ModelOverride
from zeroconf_ai.protocol.errors import NotFoundError
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.record import Capability, Cost
from zeroconf_ai.protocol.request import Kind, Request

CHAT = "/v1/chat/completions"
CAN_CHAT = frozenset({Capability.COMPLETION})


KNOWN = ModelInfo("known", 8192, 1024, CAN_CHAT, pricing={"input_cost_per_1m": 9.0, "output_cost_per_1m": 9.0})
MODELS = (KNOWN, "plain", "qwen3:latest")


async def shown(**overrides: Any) -> dict[str, ModelInfo]:
    return {
        model.id: model
        for model in await Catalogue(StubBackend("attic", models=MODELS), BackendOverrides(100, **overrides)).models()
    }


async def test_model_list_of_the_owner_is_enforced() -> None:
    async with before("openai", cloud := FakeOpenAI()) as inner:
        backend = Catalogue(inner, BackendOverrides(100, allowed=("o4-mini", "not-there", "gpt-4.1")))
        assert [model.id for model in await backend.models()] == ["o4-mini", "gpt-4.1"]
        assert (await say(backend, chat("gpt-4.1"))).content == "Hello there."
        with pytest.raises(NotFoundError) as raised:
            await backend.send(chat("gpt-3.5-turbo-instruct"))
        assert raised.value.code == "model_not_found"
        assert [body["model"] for body in cloud.bodies(CHAT)] == ["gpt-4.1"]
        assert (await backend.health()).provider == "openai"
        assert await backend.status() is None
        assert cloud.key is not None
        assert cloud.key not in repr(backend)


class Listless(FakeOpenAI):
    """It knows no list of models."""

    @override
    async def models(self, _: web.Request) -> web.Response:
        return self.refusal(Refusal(404, "Not Found"))


async def test_models_without_a_list_are_the_owners() -> None:
    async with before("openai", Listless()) as inner:
        backend = Catalogue(inner, BackendOverrides(100, allowed=("a", "b", "a"), aliases={"c": "a"}))
        assert [model.id for model in await backend.models()] == ["a", "b", "c"]
        backend.overrides = BackendOverrides(100)
        with pytest.raises(NotFoundError):
            await backend.models()


async def test_alias_is_listed_beside_or_instead_of_its_model() -> None:
    aliases = {"house": "plain", "gone": "not-there"}
    assert list(await shown(aliases=aliases)) == ["known", "plain", "qwen3:latest", "house"]
    assert list(await shown(aliases=aliases, allowed=("known",))) == ["known", "house"]


async def test_alias_is_sent_as_its_model() -> None:
    async with before("openai", cloud := FakeOpenAI()) as inner:
        backend = Catalogue(inner, BackendOverrides(100, allowed=("o4-mini",), aliases={"house": "gpt-4.1"}))
        await say(backend, chat("house"))
        with pytest.raises(NotFoundError):
            await backend.send(chat("gpt-4.1"))
    assert [body["model"] for body in cloud.bodies(CHAT)] == ["gpt-4.1"]


async def test_model_without_tag_is_latest() -> None:
    assert list(await shown(allowed=("qwen3",), aliases={"big": "qwen3"})) == ["qwen3:latest", "big"]
    backend = StubBackend("attic", models=MODELS)
    await Catalogue(backend, BackendOverrides(100, allowed=("qwen3",))).send(chat("qwen3:latest"))
    assert [request.model for request in backend.sent] == ["qwen3:latest"]


async def test_settings_of_a_model_apply_to_equivalent_names() -> None:
    window = {"QWEN3": ModelOverride(context_window=4096)}
    price = Prices(1_000_000_000, 2_000_000_000)
    found = await shown(models=window, prices={"qwen3": price}, allowed=("Known", "qwen3"))
    assert list(found) == ["known", "qwen3:latest"]
    assert (found["qwen3:latest"].context_window, found["qwen3:latest"].pricing) == (4096, price.to_json())


async def test_backend_settings_of_the_owner_precede_the_backends() -> None:
    vision = frozenset({Capability.COMPLETION, Capability.VISION})
    models = await shown(
        aliases={"house": "known"},
        general=ModelOverride(context_window=4096, capabilities=vision),
        models={"known": ModelOverride(max_output_tokens=99), "house": ModelOverride(2048, capabilities=vision)},
        prices={"known": Prices(2_000_000_000, 3_000_000_000), "*": Prices(0, 1)},
    )
    known, plain, house = models["known"], models["plain"], models["house"]
    assert (known.context_window, known.max_output_tokens, known.capabilities) == (4096, 99, CAN_CHAT)
    assert (plain.context_window, plain.max_output_tokens, plain.capabilities) == (4096, None, vision)
    assert (house.context_window, house.max_output_tokens, house.capabilities) == (2048, 99, vision)
    assert known.pricing == house.pricing == {"input_cost_per_1m": 2.0, "output_cost_per_1m": 3.0, "currency": "USD"}
    assert plain.pricing is not None
    assert plain.pricing["input_cost_per_1m"] == 0
    assert (await shown())["known"] == KNOWN


@pytest.mark.parametrize(
    ("model", "asked", "sent"),
    [
        ("m", {}, {"max_tokens": 50}),
        ("m", {"max_tokens": 20}, {"max_tokens": 20}),
        ("m", {"max_tokens": 999}, {"max_tokens": 50}),
        ("m", {"max_completion_tokens": 999, "max_tokens": 7}, {"max_completion_tokens": 50, "max_tokens": 7}),
        ("small", {"max_completion_tokens": 999}, {"max_completion_tokens": 10}),
        ("alias", {}, {"max_tokens": 10}),
    ],
)
async def test_answer_length_is_limited_by_the_owner(model: str, asked: Any, sent: Any) -> None:
    backend = StubBackend("attic")
    overrides = BackendOverrides(
        100,
        aliases={"alias": "small"},
        general=ModelOverride(max_output_tokens=50),
        models={"small": ModelOverride(max_output_tokens=10)},
    )
    await Catalogue(backend, overrides).send(chat(model, **asked))
    body = backend.sent[0].body
    assert {name: body[name] for name in ("max_tokens", "max_completion_tokens") if name in body} == sent


async def test_token_limit_is_not_added_to_embeddings() -> None:
    backend = StubBackend("attic")
    request = Request.parse(Kind.EMBEDDINGS, {"model": "m", "input": "x"})
    await Catalogue(backend, BackendOverrides(100, general=ModelOverride(max_output_tokens=50))).send(request)
    assert backend.sent == [request]


def test_backend_info_combines_owner_and_backend() -> None:
    inner = StubBackend("attic")
    backend = Catalogue(inner, BackendOverrides(7, Cost.SUBSCRIPTION, general=ModelOverride(capabilities=CAN_CHAT)))
    assert (backend.info.priority, backend.info.cost, backend.info.capabilities) == (7, Cost.SUBSCRIPTION, CAN_CHAT)
    assert backend.info is backend.info
    backend.overrides = BackendOverrides(8, allowed=("a",))
    inner.described = replace(inner.info, name="Renamed", advertised_models=("a", "b"))
    assert (backend.info.priority, backend.info.cost, backend.info.name) == (8, inner.info.cost, "Renamed")
    assert backend.info.advertised_models == ("a",)
