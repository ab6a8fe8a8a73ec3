"""The plan of a request that is not sent."""

from collections.abc import AsyncIterator

import pytest

from tests.support.engine import CALLER
from tests.support.fakes.upstream import StubBackend
from zeroconf_ai.admin.why import why
from zeroconf_ai.engine import Engine
from zeroconf_ai.protocol.errors import InvalidRequestError, UpstreamConnectionError
from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.record import Cost
from zeroconf_ai.routing.policy import Terms

HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    engine = Engine()
    yield engine
    await engine.close()


async def test_why_candidates_have_order_reasons_and_worst_cost_and_nothing_is_sent(engine: Engine) -> None:
    prices = {"*": Prices(2_000_000_000, 8_000_000_000)}
    cloud = StubBackend("cloud", models=["gpt"], priority=20, cost=Cost.METERED)
    attic = StubBackend("attic", models=["qwen"], priority=10)
    for backend, terms in ((cloud, Terms(prices=prices)), (attic, Terms())):
        await engine.checker.check(engine.add(backend, terms), models=True)
    plan = why(engine, HELLO | {"max_tokens": 1000}, CALLER)
    assert [(one["backend"], one["model"]) for one in plan["candidates"]] == [("Attic", "qwen"), ("Cloud", "gpt")]
    assert plan["candidates"][1]["most"] == pytest.approx(0.008, rel=0.6)
    assert plan["candidates"][1]["currency"] == "USD"
    assert plan["error"] is None
    assert (plan["requested_model"], plan["strategy"]) == ("auto", "priority")
    assert cloud.sent == attic.sent == []
    assert len(engine.running) == 0


async def test_why_backend_that_cannot_is_named_with_its_reason(engine: Engine) -> None:
    attic, away = StubBackend("attic", models=["qwen"]), StubBackend("cellar", models=["qwen"])
    members = [engine.add(backend) for backend in (attic, away)]
    for member in members:
        await engine.checker.check(member, models=True)
    for _ in range(3):
        engine.pool.record_failure(members[1], UpstreamConnectionError("unreachable"))
    plan = why(engine, HELLO | {"model": "qwen"}, CALLER)
    assert [(one["backend"], one["now"]) for one in plan["candidates"]] == [("Attic", True), ("Cellar", False)]
    assert plan["rejections"] == [{"backend": "Cellar", "reason": "offline"}]


async def test_why_unknown_model_has_the_error_that_a_request_would_get(engine: Engine) -> None:
    await engine.checker.check(engine.add(StubBackend("attic", models=["qwen"])), models=True)
    plan = why(engine, HELLO | {"model": "gpt-9"}, CALLER)
    assert plan["candidates"] == []
    assert plan["error"] is not None
    assert "gpt-9" in plan["error"]


async def test_why_invalid_request_is_an_error_that_names_the_parameter(engine: Engine) -> None:
    with pytest.raises(InvalidRequestError, match="messages"):
        why(engine, {"model": "auto"}, CALLER)
