"""The advertised record of a server: the combination of its backends."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.fakes.upstream import StubBackend
from tests.support.waiting import advance_loop_time
from zeroconf_ai.engine import Engine
from zeroconf_ai.presence import advertised_record
from zeroconf_ai.presence.advertised_record import AdvertisedRecord, describe_engine
from zeroconf_ai.protocol.errors import UpstreamConnectionError
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.record import Capability, Cost, Load, Placement, RecordError, ServiceRecord
from zeroconf_ai.protocol.status import Health

RECORD = ServiceRecord(name="AI", host="ai.local.", port=8000, id="x")
SEES = frozenset({Capability.COMPLETION, Capability.VISION})


async def engine_of(*backends: StubBackend) -> Engine:
    engine = Engine()
    for backend in backends:
        await engine.checker.check(engine.add(backend))
    return engine


def backend(name: str, *models: ModelInfo | str, provider: str = "", **info: Any) -> StubBackend:
    stub = StubBackend(name, models=models, **info)
    stub.well = Health(provider=provider)
    return stub


async def test_advertised_models_are_unique_with_chat_models_first() -> None:
    seer = ModelInfo("seer", 32_000, capabilities=SEES)
    engine = await engine_of(backend("a", "nomic-embed-text", "m"), backend("b", ModelInfo("m", 9), seer, priority=1))
    found = describe_engine(RECORD, engine)
    assert found.models == ("m", "seer", "nomic-embed-text")
    assert found.context_window == 32_000
    assert (found.name, found.port, found.id) == ("AI", 8000, "x")


async def test_advertised_cost_is_the_highest_and_placement_local_only_if_all_are() -> None:
    free = backend("a")
    metered = backend("b", cost=Cost.METERED, placement=Placement.CLOUD)
    assert (describe_engine(RECORD, await engine_of(free)).cost, describe_engine(RECORD, await engine_of(free)).placement) == (
        Cost.FREE,
        Placement.LOCAL,
    )
    both = describe_engine(RECORD, await engine_of(free, backend("c", cost=Cost.UNKNOWN), metered))
    assert (both.cost, both.placement) == (Cost.METERED, Placement.PROXY)


async def test_advertised_capabilities_are_those_of_all_backends() -> None:
    talks, embeds = frozenset({Capability.COMPLETION}), frozenset({Capability.EMBEDDINGS})
    precise = backend("a", ModelInfo("seer", capabilities=SEES), ModelInfo("e", capabilities=embeds), capabilities=talks)
    assert describe_engine(RECORD, await engine_of(precise)).capabilities == SEES | embeds | {Capability.STREAMING}
    silent = describe_engine(RECORD, await engine_of(backend("b", "m"))).capabilities
    assert silent >= {Capability.TOOLS, Capability.COMPLETION}
    assert Capability.VISION not in silent


@pytest.mark.parametrize(
    ("providers", "told"),
    [(["vllm"], "vllm"), (["vllm", "vllm"], "vllm"), (["vllm", "ollama"], "custom"), (["Living room"], "custom"), ([], "custom")],
)
async def test_advertised_provider_of_backends_of_one_type_is_this_type(providers: list[str], told: str) -> None:
    engine = await engine_of(*(backend(f"b{number}", provider=word) for number, word in enumerate(providers)))
    assert describe_engine(RECORD, engine).provider == told


async def test_advertised_models_of_an_offline_backend_are_removed() -> None:
    seer = backend("b", ModelInfo("seer", capabilities=SEES), cost=Cost.METERED)
    engine = await engine_of(backend("a", "m"), seer)
    told: list[ServiceRecord] = []
    description = AdvertisedRecord(RECORD, engine, told.append)
    first = description.start()
    assert first.models == ("m", "seer")
    engine.pool.notify_state("a")
    engine.pool.notify_state("b")
    await advance_loop_time(2 * advertised_record.COALESCE_SECONDS)
    assert told == []
    seer.well = UpstreamConnectionError("gone")
    member = engine.pool.get("b")
    assert member is not None
    for _ in range(3):
        await engine.checker.check(member)
    await advance_loop_time(2 * advertised_record.COALESCE_SECONDS)
    assert [(record.models, record.cost, Capability.VISION in record.capabilities) for record in told] == [
        (("m",), Cost.FREE, False)
    ]
    description.close()
    seer.well = Health()
    await engine.checker.check(member)
    await advance_loop_time(2 * advertised_record.COALESCE_SECONDS)
    assert len(told) == 1


async def test_advertised_record_that_is_invalid_is_logged_and_not_updated(caplog: pytest.LogCaptureFixture) -> None:
    engine = await engine_of()

    def refuse(_: ServiceRecord) -> None:
        raise RecordError("too long")

    description = AdvertisedRecord(RECORD, engine, refuse)
    description.start()
    await engine.checker.check(engine.add(backend("a", "m")))
    await advance_loop_time(2 * advertised_record.COALESCE_SECONDS)
    description.close()
    assert "The advertisement was not updated: too long" in caplog.text


async def test_advertised_provider_and_audio_of_the_base_record_stay() -> None:
    record = replace(RECORD, provider="homeassistant", capabilities=RECORD.capabilities | {Capability.AUDIO})
    found = describe_engine(record, await engine_of(backend("a", ModelInfo("m", capabilities=SEES), provider="vllm")))
    assert found.provider == "homeassistant"
    assert found.capabilities == SEES | {Capability.STREAMING, Capability.AUDIO}


async def test_advertised_load_is_full_if_a_request_would_wait() -> None:
    engine = await engine_of(backend("a", "m"), backend("b", "m"))
    one, other = engine.pool
    assert describe_engine(RECORD, engine).load is Load.IDLE
    one.limiter.limit = other.limiter.limit = 1
    with await one.limiter.acquire():
        one.active = 1
        assert describe_engine(RECORD, engine).load is Load.BUSY
        with await other.limiter.acquire():
            assert describe_engine(RECORD, engine).load is Load.FULL
    one.active = 0
    engine.limiter.limit = 1
    with await engine.limiter.acquire():
        assert describe_engine(RECORD, engine).load is Load.FULL
    assert describe_engine(RECORD, await engine_of()).load is Load.IDLE


async def test_advertised_base_record_changed_is_sent_immediately() -> None:
    told: list[ServiceRecord] = []
    description = AdvertisedRecord(RECORD, await engine_of(backend("a", "m")), told.append)
    description.start()
    description.rebase(RECORD)
    assert told == []
    description.rebase(replace(RECORD, priority=7))
    assert [(record.priority, record.models) for record in told] == [(7, ("m",))]
    description.close()
