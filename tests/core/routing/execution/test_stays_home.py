"""A request that stays at home: nothing that moves requests to other backends moves it outside."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.core.routing.conftest import Add, backend_of, sent
from tests.support.fakes.chunks import delta
from tests.support.fakes.upstream import STOP, USAGE, chat
from tests.support.waiting import observe
from zeroconf_ai.accounting.conversations.session_row import SessionRow
from zeroconf_ai.protocol.errors import ApiError, UnavailableError, UpstreamConnectionError, UpstreamError
from zeroconf_ai.protocol.home_rule import HomeRule
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.record import Placement
from zeroconf_ai.protocol.request import Request, Urgency
from zeroconf_ai.routing.execution import hedging
from zeroconf_ai.routing.execution.leaders import lead_keys
from zeroconf_ai.routing.execution.router import Router
from zeroconf_ai.routing.execution.sessions import Sessions
from zeroconf_ai.routing.policy import ModelAlias, Policy
from zeroconf_ai.routing.pool.health import HealthChecker
from zeroconf_ai.routing.pool.pool import Pool

pytestmark = pytest.mark.usefixtures("nothing_is_left_open")

RULES = [rule for rule in HomeRule if rule is not HomeRule.SWITCH]


def private(rule: HomeRule = HomeRule.ENTITY, **meta: Any) -> Request:
    return replace(chat(model=meta.pop("model", "auto"), stream=meta.pop("stream", False)), home_rule=rule, **meta)


@pytest.mark.parametrize("placement", [Placement.CLOUD, Placement.PROXY])
@pytest.mark.parametrize("rule", RULES)
async def test_stays_home_failover_does_not_leave(router: Router, add: Add, rule: HomeRule, placement: Placement) -> None:
    home = add("home", UpstreamConnectionError("refused"), priority=1)
    second = add("second", UpstreamError("broken"), priority=2)
    cloud = add("cloud", placement=placement, priority=3)
    with pytest.raises(ApiError) as failed:
        await router.route(private(rule))
    assert f"Cloud: outside the home, and {rule.words}" in failed.value.details
    assert sent(cloud) == [0]
    assert sent(home, second)[0] >= 1
    reply = await router.route(chat(model="auto"))  # another request may leave
    assert reply.backend_id == "cloud"
    await reply.close()


@pytest.mark.parametrize("rule", RULES)
async def test_stays_home_neither_pin_nor_name_nor_alias_leaves(router: Router, add: Add, rule: HomeRule) -> None:
    cloud = add("cloud", placement=Placement.CLOUD, models=["gpt"])
    add("home", models=["qwen"])
    alias = Policy(virtual_models={"v": ModelAlias(("gpt",))})
    for request, policy in (
        (private(rule, pin="cloud", model="gpt"), Policy()),
        (private(rule, model="gpt"), Policy()),
        (private(rule, model="cloud/gpt"), Policy()),
        (private(rule, model="v"), alias),
    ):
        with pytest.raises(UnavailableError) as refused:
            await router.route(request, policy)
        assert refused.value.code == "home_only"
        assert refused.value.message.startswith(f"{rule.sentence}, and no provider at home serves the model ")
    assert sent(cloud) == [0]


async def test_stays_home_switch_is_named_before_the_rule_of_the_request(router: Router, add: Add) -> None:
    add("cloud", placement=Placement.CLOUD)
    with pytest.raises(UnavailableError, match="The home-only switch is on, and no provider at home"):
        await router.route(private(HomeRule.KEY), Policy(home_only=True))


async def test_stays_home_hedge_waits_for_the_silent_backend_at_home(
    router: Router, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hedging, "HEDGE_SECONDS", 0.01)
    go_on = asyncio.Event()
    add("home", [go_on, delta("Late"), STOP, USAGE], priority=1)
    outside = add("outside", priority=2)
    outside.leaves_home = True  # local by its placement, at an address on the internet
    asked = asyncio.create_task(router.route(private(stream=True, urgency=Urgency.VOICE)))
    await observe(0.1)
    assert sent(outside) == [0]
    go_on.set()
    reply = await asked
    assert reply.backend_id == "home"
    await reply.close()


async def test_stays_home_session_and_leader_outside_are_left(pool: Pool, checker: HealthChecker, add: Add) -> None:
    sessions = Sessions()
    router = Router(pool, checker, sessions)
    cloud, home = add("cloud", placement=Placement.CLOUD, priority=1), add("home", priority=2)
    leads = lead_keys(chat(), device_id="satellite", user_id="anna")
    first = await router.route(replace(chat(model="auto"), session="talk", leads=leads))
    await first.close()
    assert first.backend_id == "cloud"
    assert sessions.leaders.find(leads) == "cloud"
    reply = await router.route(private(session="talk", leads=leads))
    await reply.close()
    assert (reply.backend_id, sent(cloud, home)) == ("home", [1, 1])
    await router.close()


async def test_stays_home_session_is_shortened_for_the_model_at_home_and_summarized_there(
    pool: Pool, checker: HealthChecker, add: Add
) -> None:
    sessions = Sessions()
    router = Router(pool, checker, sessions)
    cloud = add("cloud", placement=Placement.CLOUD, models=["gpt"], priority=1)
    home = add("home", models=["qwen"], priority=2)
    cloud.models, home.models = (ModelInfo("gpt", context_window=100_000),), (ModelInfo("qwen", context_window=600),)
    sessions.put("talk", "cloud", "gpt")
    assert isinstance(sessions.find(private(session="talk")), SessionRow)
    long = [{"role": "user", "content": f"{number} " + "word " * 100} for number in range(20)]
    request = private(session="talk").with_body(messages=long)
    reply = await router.route(request)
    await reply.close()
    assert reply.backend_id == "home"
    assert reply.handover is not None
    assert (reply.handover.origin, reply.handover.reason) == ("Cloud", HomeRule.ENTITY.words)
    assert reply.handover.summarized > 0
    assert sent(cloud) == [0]
    assert {asked.home_rule for asked in backend_of(home).sent} == {HomeRule.ENTITY}
    await router.close()
