"""`ConfiguredMembers`: an engine's backends follow the configuration without dropping requests."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
import json
from typing import Any

import aiohttp
import pytest

from tests.support.clouds.ollama import PLAIN, FakeOllama
from tests.support.clouds.openai import FakeOpenAI
from tests.support.clouds.server import Reply
from tests.support.engine import CALLER, complete
from tests.support.fakes.upstream import chat
from zeroconf_ai.backends.base import Timeouts
from zeroconf_ai.backends.catalogue import ModelOverride
from zeroconf_ai.config.backend_config import BackendConfig
from zeroconf_ai.config.backend_types import BACKEND_TYPES
from zeroconf_ai.config.members import ConfiguredMembers
from zeroconf_ai.engine import Engine
from zeroconf_ai.protocol.chunks import Delta
from zeroconf_ai.protocol.errors import UnavailableError
from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.record import Cost
from zeroconf_ai.server.endpoints.models import listed as models_listed

LONG = "A long story of a house that answers. " * 5


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    engine = Engine()
    yield engine
    await engine.close()


@pytest.fixture
async def upstreams(engine: Engine) -> AsyncIterator[ConfiguredMembers]:
    async with aiohttp.ClientSession() as session:
        yield ConfiguredMembers(engine, session)


def config(cloud: FakeOpenAI, backend_id: str = "cloud") -> BackendConfig:
    return BackendConfig(backend_id, backend_id.title(), BACKEND_TYPES["openai"], cloud.base_url, cloud.key)


async def answer_of(engine: Engine, model: str = "gpt-4.1") -> str:
    return Delta.parse(json.loads(await complete(engine, chat(model=model)))).content


async def test_configured_members_are_added_changed_and_removed(engine: Engine, upstreams: ConfiguredMembers) -> None:
    async with FakeOpenAI(Reply("one")) as one, FakeOpenAI(Reply("two")) as two:
        first, second = config(one, "first"), replace(config(two, "second"), priority=200)
        await upstreams.apply([first, second])
        assert [(member.id, member.priority, bool(member.models)) for member in engine.pool] == [
            ("first", 100, True),
            ("second", 200, True),
        ]
        kept = engine.pool.get("first")
        assert await answer_of(engine) == "one"
        await upstreams.apply([first, replace(second, priority=1)])
        assert engine.pool.get("first") is kept
        assert await answer_of(engine) == "two"
        await upstreams.apply([first])
        assert [member.id for member in engine.pool] == ["first"]
        assert await answer_of(engine) == "one"
        await upstreams.apply([])
        assert not list(engine.pool)


async def test_configured_member_changed_or_removed_completes_running_requests(
    engine: Engine, upstreams: ConfiguredMembers
) -> None:
    async with FakeOpenAI(Reply(LONG)) as cloud:
        cloud.pause = 0.01
        for following in ([replace(config(cloud), models=("o4-mini",))], []):
            await upstreams.apply([config(cloud)])
            said = ""
            async with engine.run(chat(stream=True, model="gpt-4.1"), CALLER) as reply:
                async for chunk in reply.chunks():
                    if not said:
                        await upstreams.apply(following)
                    said += Delta.parse(chunk.data).content
            assert said == LONG
            assert not cloud.last.cut


async def test_configured_member_changed_is_always_available(engine: Engine, upstreams: ConfiguredMembers) -> None:
    async with FakeOpenAI() as cloud:
        await upstreams.apply([config(cloud)])
        changing = asyncio.create_task(upstreams.apply([replace(config(cloud), priority=7)]))
        answered = 0
        while not changing.done():
            assert await answer_of(engine, "auto") == "Hello there."  # which takes a model that is known
            answered += 1
        await changing
        assert answered
        assert await answer_of(engine, "auto") == "Hello there."
        assert [member.priority for member in engine.pool] == [7]


async def test_configured_member_other_settings_are_changed_in_place(engine: Engine, upstreams: ConfiguredMembers) -> None:
    async with FakeOpenAI() as cloud:
        first = config(cloud)
        await upstreams.apply([first])
        kept = engine.pool.get("cloud")
        assert kept is not None
        backend, price = kept.backend, Prices(1, 2)
        changed = replace(
            first,
            priority=7,
            weight=3,
            max_concurrent=2,
            queue_length=1,
            prices={"*": price},
            cost=Cost.SUBSCRIPTION,
            aliases={"house": "gpt-4.1"},
            models=("o4-mini",),
            tags=frozenset({"away"}),
        )
        await upstreams.apply([changed])
        now = engine.pool.get("cloud")
        assert now is kept
        assert now.backend is backend
        assert (now.priority, now.backend.info.cost) == (7, Cost.SUBSCRIPTION)
        assert (now.terms.weight, now.terms.prices, now.terms.tags) == (3, {"*": price}, frozenset({"away"}))
        assert (now.limiter.limit, now.limiter.queue_length) == (2, 1)
        assert [model.id for _, model in engine.models()] == ["o4-mini", "house"]
        assert await answer_of(engine, "house") == "Hello there."
        assert cloud.bodies("/v1/chat/completions")[-1]["model"] == "gpt-4.1"


@pytest.mark.parametrize(
    "change",
    [
        {"key": "sk-other"},
        {"headers": {"X-Team": "house"}},
        {"key_header": "x-api-key"},
        {"verify_ssl": False},
        {"timeouts": Timeouts(connect=1.0)},
        {"name": "Other"},
        {"health_path": "/models?x"},
    ],
)
async def test_configured_member_with_another_address_is_replaced(
    engine: Engine, upstreams: ConfiguredMembers, change: dict[str, Any]
) -> None:
    async with FakeOpenAI() as cloud:
        await upstreams.apply([config(cloud)])
        before = engine.pool.get("cloud")
        await upstreams.apply([replace(config(cloud), weight=2, **change)])
        after = engine.pool.get("cloud")
        assert before is not None
        assert after is not None
        assert after.backend is not before.backend
        assert after.terms.weight == 2


async def test_configured_member_disabled_gets_no_requests(engine: Engine, upstreams: ConfiguredMembers) -> None:
    async with FakeOpenAI() as cloud, FakeOpenAI() as moved:
        off = replace(config(cloud), enabled=False)
        await upstreams.apply([off])
        await upstreams.apply([replace(off, weight=2)])
        await upstreams.apply([replace(off, endpoint=moved.base_url)])
        member = engine.pool.get("cloud")
        assert member is not None
        assert not member.enabled
        assert not cloud.received
        assert not moved.received
        await upstreams.apply([replace(off, endpoint=moved.base_url, enabled=True)])
        assert await answer_of(engine, "auto") == "Hello there."
        await upstreams.apply([replace(off, endpoint=moved.base_url)])
        with pytest.raises(UnavailableError):
            await answer_of(engine)


async def test_configured_member_unchanged_keeps_its_state(engine: Engine, upstreams: ConfiguredMembers) -> None:
    async with FakeOpenAI() as cloud:
        await upstreams.apply([config(cloud)])
        member = engine.pool.get("cloud")
        assert member is not None
        member.enabled = False  # by its switch
        await upstreams.apply([config(cloud)])
        assert engine.pool.get("cloud") is member
        assert not member.enabled


async def test_configured_headers_are_sent_to_their_backend_only(engine: Engine, upstreams: ConfiguredMembers) -> None:
    async with FakeOpenAI(key=None) as one, FakeOpenAI() as two:
        headers = {"X-Access": "canary-of-one", "accept-language": "de"}
        with_headers = replace(config(one, "one"), key="canary-key", headers=headers, key_header="X-Token")
        await upstreams.apply([with_headers, config(two, "two")])
        await answer_of(engine, "one/gpt-4.1")
        await answer_of(engine, "two/gpt-4.1")
        for request in one.received:
            assert (request.headers["X-Access"], request.headers["X-Token"]) == ("canary-of-one", "canary-key")
            assert "Authorization" not in request.headers
        assert not any("X-Access" in request.headers for request in two.received)
        assert "canary" not in repr([(member, member.backend) for member in engine.pool])


async def test_configured_health_path_is_used(engine: Engine, upstreams: ConfiguredMembers) -> None:
    async with FakeOpenAI() as cloud:
        await upstreams.apply([replace(config(cloud), health_path="/models?limit=1")])
        assert (cloud.received[0].path, cloud.received[0].query) == ("/v1/models", "limit=1")
        await upstreams.apply([replace(config(cloud), health_path="//nowhere")])
        member = engine.pool.get("cloud")
        assert member is not None
        assert not member.online


async def test_configured_context_and_keep_alive_are_sent_to_ollama(engine: Engine, upstreams: ConfiguredMembers) -> None:
    async with FakeOllama() as fake:
        usual = BackendConfig("attic", "Attic", BACKEND_TYPES["ollama"], fake.root)
        for changed in (replace(usual, num_ctx=9000, keep_alive="1h"), replace(usual, num_ctx=7000, keep_alive="-1")):
            await upstreams.apply([changed])
            await complete(engine, chat(model=PLAIN))
        sent = [(body["options"]["num_ctx"], body["keep_alive"]) for body in fake.bodies("/api/chat")]
        assert sent == [(9000, "1h"), (7000, -1)]


async def test_configured_model_list_is_enforced(engine: Engine, upstreams: ConfiguredMembers) -> None:
    async with FakeOpenAI() as cloud:
        await upstreams.apply([replace(config(cloud), models=("o4-mini",))])
        assert [model.id for _, model in engine.models()] == ["o4-mini"]


async def test_configured_member_offline_delays_nothing_and_leaks_no_key(engine: Engine, upstreams: ConfiguredMembers) -> None:
    async with FakeOpenAI() as cloud:
        dead = replace(config(cloud, "dead"), endpoint="http://127.0.0.1:9/v1", priority=1)
        wrong = replace(config(cloud, "wrong"), key="sk-canary-wrong", priority=2)
        await upstreams.apply([dead, wrong, config(cloud)])
        assert [member.online for member in engine.pool] == [False, False, True]
        assert await answer_of(engine) == "Hello there."
        told = repr([(member, member.backend) for member in engine.pool])
        assert "sk-canary" not in told


async def test_configured_cloud_prices_apply_to_models_and_aliases(engine: Engine, upstreams: ConfiguredMembers) -> None:
    public = Prices(2_000_000_000, 8_000_000_000, 500_000_000)
    async with FakeOpenAI() as cloud:
        named = replace(config(cloud), aliases={"big": "gpt-4.1"})
        await upstreams.apply([named])
        (member,) = engine.pool
        assert [member.served.prices(model) for model in ("gpt-4.1", "big", "no-such-model")] == [public, public, None]
        own = Prices(1, 2)
        await upstreams.apply([replace(named, prices={"big": own})])
        assert [member.served.prices(model) for model in ("gpt-4.1", "big")] == [public, own]
        await upstreams.apply([replace(named, cost=Cost.SUBSCRIPTION)])
        assert member.served.prices("gpt-4.1") is None
        listed = {model["id"]: model.get("pricing") for model in models_listed(engine)}
        assert listed["gpt-4.1"] is None
        await upstreams.apply([named])
        listed = {model["id"]: model.get("pricing") for model in models_listed(engine)}
        assert listed["big"] == public.to_json() | public.per_thousand()


async def test_configured_cloud_lists_context_windows_that_its_api_does_not_report(
    engine: Engine, upstreams: ConfiguredMembers
) -> None:
    async with FakeOpenAI() as cloud:
        first = config(cloud)
        await upstreams.apply([first])
        shown = {model["id"]: model for model in models_listed(engine)}
        assert shown["gpt-4.1"]["context_window"] == 1_000_000
        assert shown["gpt-4.1"]["pricing"]["input_cost_per_1k"] == 0.002
        owners = ModelOverride(context_window=1000)
        await upstreams.apply([replace(first, overrides={"gpt-4.1": owners})])
        shown = {model["id"]: model for model in models_listed(engine)}
        assert shown["gpt-4.1"]["context_window"] == 1000
