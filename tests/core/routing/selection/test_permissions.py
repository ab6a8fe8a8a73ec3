"""Permitted models of a caller, cloud fallback, and the use of Home Assistant agents."""

import pytest

from tests.core.routing.conftest import Add
from tests.support.fakes.upstream import chat
from zeroconf_ai.protocol.errors import InvalidRequestError, NotFoundError, PermissionDeniedError, UnavailableError
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.record import Placement
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.protocol.status import ProviderState
from zeroconf_ai.routing.policy import ModelAlias, Policy, Strategy
from zeroconf_ai.routing.pool.member import Wake
from zeroconf_ai.routing.pool.pool import Pool
from zeroconf_ai.routing.selection.candidates import candidates
from zeroconf_ai.routing.selection.eligibility import Reason, Rejection, choose_model

AT_HOME = Policy(cloud_fallback=False)
KEPT = "a backend at home comes first for this request, and cloud fallback is disabled"


def scoped(model: str, *patterns: str, **meta: object) -> Request:
    return Request.parse(Kind.CHAT, dict(chat(model=model).body), models=patterns, **meta)


def pairs(pool: Pool, request: Request, policy: Policy | None = None) -> list[str]:
    return [f"{found.member.id}:{found.model}" for found in candidates(pool, request, policy or Policy()).ordered]


async def nothing() -> None:
    return


# A key's models.


@pytest.mark.parametrize("pattern", ["m", "m*", "*", "?", "a/m", "A/m", "a/*"])
def test_pattern_matches_a_model_or_a_backends_model(pool: Pool, add: Add, pattern: str) -> None:
    add("a")
    assert pairs(pool, scoped("m", "other", pattern)) == ["a:m"]


def test_pattern_without_a_matching_model_refuses_the_request(pool: Pool, add: Add) -> None:
    add("a")
    add("b", models=["other"])
    with pytest.raises(PermissionDeniedError, match="may not use the model m") as refused:
        candidates(pool, scoped("m", "other", "b/*"))
    assert (refused.value.status, refused.value.code, refused.value.param) == (403, "model_not_allowed", "model")
    assert refused.value.details == ("A: this key may not use its model m", "B: does not serve m")


def test_pattern_of_one_backend_skips_the_others(pool: Pool, add: Add) -> None:
    add("a", priority=1)
    add("b", priority=2)
    found = candidates(pool, scoped("m", "b/m"))
    assert [candidate.member.id for candidate in found.ordered] == ["b"]
    assert found.passed_over == ("A: this key may not use its model m",)
    with pytest.raises(PermissionDeniedError):
        candidates(pool, scoped("a/m", "b/m"))


def test_pattern_refuses_an_unlisted_model_that_does_not_match(pool: Pool, add: Add) -> None:
    add("a", models=[])
    with pytest.raises(PermissionDeniedError):
        candidates(pool, Request.parse(Kind.CHAT, dict(chat().body), models=("n",), pin="a"))


def test_pattern_restricts_auto(pool: Pool, add: Add) -> None:
    add("a", models=["large", "small"])
    add("b", models=["large"])
    for name in ("auto", "fast", "a/auto"):
        assert pairs(pool, scoped(name, "sm*")) == ["a:small"]
    assert pairs(pool, scoped("auto", "aut*", "small")) == ["a:small"]  # a pattern that happens to fit the word
    assert pairs(pool, scoped("openrouter/auto", "openrouter/*", "small")) == ["a:small"]
    assert pairs(pool, scoped("auto", "auto")) == ["a:large", "b:large"]
    with pytest.raises(PermissionDeniedError) as refused:
        candidates(pool, scoped("auto", "none"))
    assert refused.value.details[0] == "A: has no model for this that this key may use"


def test_pattern_of_an_alias_allows_its_targets(pool: Pool, add: Add) -> None:
    add("a", models=["m", "n"])
    policy = Policy(virtual_models={"smart": ModelAlias(("m",)), "other": ModelAlias(("n", "m"))})
    assert pairs(pool, scoped("smart", "smart"), policy) == ["a:m"]
    assert pairs(pool, scoped("other", "m"), policy) == ["a:m"]
    for asked, pattern in (("m", "smart"), ("smart", "sma*")):
        with pytest.raises(PermissionDeniedError):
            candidates(pool, scoped(asked, pattern), policy)


def test_pattern_without_a_tag_matches_latest(pool: Pool, add: Add) -> None:
    add("a", models=["m:latest", "m:8b"])
    assert pairs(pool, scoped("m:latest", "m")) == ["a:m:latest"]
    assert pairs(pool, scoped("m", "m:latest")) == ["a:m:latest"]
    assert pairs(pool, scoped("auto", "m")) == ["a:m:latest"]
    with pytest.raises(PermissionDeniedError):
        candidates(pool, scoped("m:8b", "m"))


def test_pattern_unknown_model_error_lists_only_allowed_models(pool: Pool, add: Add) -> None:
    add("a", models=["secret-model", "other-model"])
    with pytest.raises(NotFoundError) as refused:
        candidates(pool, scoped("secret-modl", "other-*"))
    assert "secret-model" not in refused.value.message


# What may leave the home.


@pytest.mark.parametrize("state", list(ProviderState))
def test_cloud_fallback_off_keeps_local_requests_local(pool: Pool, add: Add, state: ProviderState) -> None:
    add("home", priority=9).state = state
    add("cloud", placement=Placement.CLOUD)
    add("proxy", placement=Placement.PROXY)
    found = candidates(pool, chat(), AT_HOME)
    assert [candidate.member.id for candidate in found.ordered] == ["home"]
    assert {f"Cloud: {KEPT}", f"Proxy: {KEPT}"} <= set(found.passed_over)
    assert "cloud:m" in pairs(pool, chat())


def test_cloud_fallback_off_uses_the_cloud_if_no_local_backend_can(pool: Pool, add: Add) -> None:
    add("home", models=[ModelInfo("m", context_window=5)])
    add("off").enabled = False
    add("cloud", placement=Placement.CLOUD, models=["m", "gpt"])
    assert pairs(pool, chat(model="gpt"), AT_HOME) == ["cloud:gpt"]
    assert pairs(pool, chat(messages=[{"role": "user", "content": "x" * 100}]), AT_HOME) == ["cloud:m"]
    assert pairs(pool, chat(), AT_HOME) == ["home:m"]


def test_cloud_fallback_off_unreached_local_backend_keeps_its_advertised_models(pool: Pool, add: Add) -> None:
    add("home", models=[], advertised_models=("m",))
    add("cloud", placement=Placement.CLOUD, models=["m", "gpt"])
    assert pairs(pool, chat(), AT_HOME) == ["home:m"]
    assert "cloud:gpt" in pairs(pool, chat(model="gpt"), AT_HOME)


def test_cloud_fallback_off_sleeping_local_backend_keeps_auto(pool: Pool, add: Add) -> None:
    sleeper = add("home", models=[])
    sleeper.state, sleeper.wake = ProviderState.OFFLINE, Wake(nothing, 1)
    add("cloud", placement=Placement.CLOUD)
    assert pairs(pool, chat(model="auto"), AT_HOME) == ["home:auto"]


def test_cloud_fallback_off_agent_does_not_keep_requests_local(pool: Pool, add: Add) -> None:
    add("assist", agent=True)
    add("cloud", placement=Placement.CLOUD)
    assert pairs(pool, chat(model="auto"), AT_HOME) == ["cloud:m", "assist:m"]


def test_cloud_fallback_off_provider_in_another_home_is_used_unless_one_at_home_comes_first(pool: Pool, add: Add) -> None:
    add("relayed", priority=2).leaves_home = True
    assert pairs(pool, chat(), AT_HOME) == ["relayed:m"]
    add("attic", priority=1)
    assert pairs(pool, chat(), AT_HOME) == ["attic:m"]


def test_cloud_fallback_off_chain_stays_local_and_a_pin_is_followed(pool: Pool, add: Add) -> None:
    add("home")
    add("cloud", placement=Placement.CLOUD, models=["gpt", "m"])
    first = Policy(virtual_models={"v": ModelAlias(("gpt", "m"))}, cloud_fallback=False)
    assert pairs(pool, chat(model="v"), first) == ["cloud:gpt", "home:m"]
    last = Policy(virtual_models={"v": ModelAlias(("m", "gpt"))}, cloud_fallback=False)
    assert pairs(pool, chat(model="v"), last) == ["home:m"]
    assert pairs(pool, chat(model="cloud/m"), last) == ["cloud:m"]
    assert pairs(pool, scoped("m", pin="cloud"), last) == ["cloud:m"]


def test_cloud_fallback_off_preferred_cloud_is_used(pool: Pool, add: Add) -> None:
    add("home", priority=100)
    cloud = add("cloud", placement=Placement.CLOUD, priority=50)
    assert pairs(pool, chat(), AT_HOME) == ["cloud:m", "home:m"]
    cloud.priority_override = 100
    assert pairs(pool, chat(), AT_HOME) == ["home:m"]


# The home's agents.


def test_agents_come_last_for_auto(pool: Pool, add: Add) -> None:
    add("assist", agent=True, models=["homeassistant/assist"], priority=1)
    full = add("model", priority=9)
    full.limiter.limit, full.limiter.active = 1, 1
    for strategy in Strategy:
        assert pairs(pool, chat(model="auto"), Policy(strategy)) == ["model:m", "assist:homeassistant/assist"]
    assert pairs(pool, chat(model="homeassistant/assist")) == ["assist:homeassistant/assist"]


@pytest.mark.parametrize("model", ["auto", "homeassistant/assist", "assist/auto"])
def test_agents_are_not_used_for_requests_of_agents(pool: Pool, add: Add, model: str) -> None:
    add("assist", agent=True, models=["homeassistant/assist"])
    with pytest.raises(UnavailableError, match="Assist: conversation agents do not answer requests of other agents"):
        candidates(pool, scoped(model, inside=True))
    assert pairs(pool, scoped(model)) == ["assist:homeassistant/assist"]


def test_agents_are_not_used_for_embeddings(pool: Pool, add: Add) -> None:
    agent = add("assist", agent=True, models=["embed"])
    request = Request.parse(Kind.EMBEDDINGS, {"input": "Hi", "model": "embed"})
    with pytest.raises(InvalidRequestError, match="Assist: conversation agents do not support embeddings"):
        candidates(pool, request)
    assert choose_model(agent, "embed", request) == Rejection(
        Reason.CANNOT, "Assist", "conversation agents do not support embeddings"
    )
