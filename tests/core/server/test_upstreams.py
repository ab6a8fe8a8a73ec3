"""`Upstreams`: an engine's backends become what a configuration says, and no request is dropped for it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
import json

import aiohttp
import pytest

from tests.core.clouds.openai import FakeOpenAI
from tests.core.clouds.server import Reply
from tests.core.fakes import chat
from zeroconf_ai.engine import Caller, Engine, Source
from zeroconf_ai.protocol.chunks import Delta
from zeroconf_ai.server.config import UpstreamConfig
from zeroconf_ai.server.kinds import KINDS
from zeroconf_ai.server.upstreams import Upstreams

CALLER = Caller(Source.HTTP)
LONG = "A long story of a house that answers. " * 5


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    engine = Engine()
    yield engine
    await engine.close()


@pytest.fixture
async def upstreams(engine: Engine) -> AsyncIterator[Upstreams]:
    async with aiohttp.ClientSession() as session:
        yield Upstreams(engine, session)


def config(cloud: FakeOpenAI, backend_id: str = "cloud") -> UpstreamConfig:
    return UpstreamConfig(backend_id, backend_id.title(), KINDS["openai"], cloud.base_url, cloud.key)


async def ask(engine: Engine, model: str = "gpt-4.1") -> str:
    async with engine.run(chat(model=model), CALLER) as reply:
        return Delta.parse(json.loads(reply.body)).content


async def test_they_come_change_and_go(engine: Engine, upstreams: Upstreams) -> None:
    async with FakeOpenAI(Reply("one")) as one, FakeOpenAI(Reply("two")) as two:
        first, second = config(one, "first"), replace(config(two, "second"), priority=200)
        await upstreams.apply([first, second])
        assert [(member.id, member.priority, bool(member.models)) for member in engine.pool] == [
            ("first", 100, True),
            ("second", 200, True),
        ]
        kept = engine.pool.get("first")
        assert await ask(engine) == "one"
        await upstreams.apply([first, replace(second, priority=1)])
        assert engine.pool.get("first") is kept
        assert await ask(engine) == "two"
        await upstreams.apply([first])
        assert [member.id for member in engine.pool] == ["first"]
        assert await ask(engine) == "one"
        await upstreams.apply([])
        assert not list(engine.pool)


async def test_what_runs_goes_on_when_its_backend_changes_or_goes(engine: Engine, upstreams: Upstreams) -> None:
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


async def test_a_change_leaves_no_moment_in_which_nobody_answers(engine: Engine, upstreams: Upstreams) -> None:
    async with FakeOpenAI() as cloud:
        await upstreams.apply([config(cloud)])
        changing = asyncio.create_task(upstreams.apply([replace(config(cloud), priority=7)]))
        answered = 0
        while not changing.done():
            assert await ask(engine, "auto") == "Hello there."  # which takes a model that is known
            answered += 1
        await changing
        assert answered
        assert await ask(engine, "auto") == "Hello there."
        assert [member.priority for member in engine.pool] == [7]


async def test_an_allow_list_holds(engine: Engine, upstreams: Upstreams) -> None:
    async with FakeOpenAI() as cloud:
        await upstreams.apply([replace(config(cloud), models=("o4-mini",))])
        assert [model.id for _, model in engine.models()] == ["o4-mini"]


async def test_a_dead_one_delays_nobody_and_its_key_is_told_nobody(engine: Engine, upstreams: Upstreams) -> None:
    async with FakeOpenAI() as cloud:
        dead = replace(config(cloud, "dead"), endpoint="http://127.0.0.1:9/v1", priority=1)
        wrong = replace(config(cloud, "wrong"), key="sk-canary-wrong", priority=2)
        await upstreams.apply([dead, wrong, config(cloud)])
        assert [member.online for member in engine.pool] == [False, False, True]
        assert await ask(engine) == "Hello there."
        told = repr([(member, member.backend) for member in engine.pool])
        assert "sk-canary" not in told
