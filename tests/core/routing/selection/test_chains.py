"""Model aliases: chains with their own strategies."""

import pytest

from tests.core.routing.conftest import Add
from tests.support.fakes.upstream import chat
from zeroconf_ai.protocol.errors import NotFoundError, UnavailableError
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.record import Cost, Placement
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.protocol.status import ProviderState
from zeroconf_ai.routing.policy import ModelAlias, Policy, Strategy
from zeroconf_ai.routing.pool.pool import Pool
from zeroconf_ai.routing.selection.candidates import Candidates, candidates


def chains(strategy: Strategy = Strategy.PRIORITY, **named: ModelAlias) -> Policy:
    return Policy(strategy=strategy, virtual_models=named)


def candidates_of(pool: Pool, model: str, policy: Policy, **body: object) -> Candidates:
    return candidates(pool, chat(model=model, **body), policy)  # type: ignore[arg-type]


def pairs(found: Candidates) -> list[str]:
    return [f"{candidate.member.id}:{candidate.model}" for candidate in found.ordered]


def test_chain_is_tried_by_target_and_order(pool: Pool, add: Add) -> None:
    add("a", models=["small", "large"], priority=2)
    add("b", models=["small"], priority=1)
    add("c", models=["large"], priority=0)
    policy = chains(smart=ModelAlias(("large", "small")))
    assert pairs(candidates_of(pool, "smart", policy)) == ["c:large", "a:large", "b:small", "a:small"]


def test_chain_target_may_name_its_backend(pool: Pool, add: Add) -> None:
    add("a", models=["m", "n"], priority=1)
    add("b", models=["m", "n"], priority=2)
    policy = chains(mine=ModelAlias(("b/n", "m", "B/auto")))
    assert pairs(candidates_of(pool, "mine", policy)) == ["b:n", "a:m", "b:m"]


def test_chain_target_unavailable_yields_to_the_next(pool: Pool, add: Add) -> None:
    add("a", models=["m"]).state = ProviderState.OFFLINE
    add("b", models=["n"])
    found = candidates_of(pool, "v", chains(v=ModelAlias(("m", "n"))))
    assert pairs(found) == ["b:n"]
    assert found.passed_over == ("A: offline",)


def test_chain_target_without_free_permit_yields_to_the_next(pool: Pool, add: Add) -> None:
    full = add("a", models=["m"])
    add("b", models=["n"])
    full.limiter.limit, full.limiter.active = 1, 1
    assert pairs(candidates_of(pool, "v", chains(v=ModelAlias(("m", "n"))))) == ["b:n", "a:m"]


def test_chain_target_unknown_is_skipped_with_a_reason(pool: Pool, add: Add) -> None:
    add("a", models=["m"])
    add("b", models=["n"])
    found = candidates_of(pool, "v", chains(v=ModelAlias(("gone", "m", "b/gone"))))
    assert pairs(found) == ["a:m"]
    assert found.passed_over == ("gone: no provider serves it", "B/gone: no provider serves it")


def test_chain_of_unknown_targets_is_not_an_unknown_model(pool: Pool, add: Add) -> None:
    add("a", models=["m"])
    with pytest.raises(UnavailableError, match="gone: no provider serves it; lost: no provider serves it"):
        candidates_of(pool, "v", chains(v=ModelAlias(("gone", "lost"))))
    with pytest.raises(UnavailableError, match="v: its chain is empty"):
        candidates_of(pool, "v", chains(v=ModelAlias(())))


def test_alias_strategy_replaces_the_default(pool: Pool, add: Add) -> None:
    add("slow", cost=Cost.FREE, priority=1).first_token_seconds = 3.0
    add("fast", cost=Cost.METERED, priority=2).first_token_seconds = 0.2
    policy = Policy(strategy=Strategy.COST)
    assert [candidate.member.id for candidate in candidates_of(pool, "fast", policy).ordered] == ["fast", "slow"]
    assert [candidate.member.id for candidate in candidates_of(pool, "generic-chat", policy).ordered] == ["slow", "fast"]


def test_alias_within_a_chain_keeps_its_strategy_unless_the_outer_has_one(pool: Pool, add: Add) -> None:
    add("a", models=["m"], placement=Placement.CLOUD, priority=1)
    add("b", models=["m", "n"], priority=2)
    inner = ModelAlias(("m",), Strategy.LOCAL_FIRST)
    assert pairs(candidates_of(pool, "outer", chains(inner=inner, outer=ModelAlias(("n", "inner"))))) == ["b:n", "b:m", "a:m"]
    outer = ModelAlias(("inner",), Strategy.PRIORITY)
    assert pairs(candidates_of(pool, "outer", chains(inner=inner, outer=outer))) == ["a:m", "b:m"]


def test_alias_cycle_is_detected(pool: Pool, add: Add) -> None:
    add("a", models=["m", "n"])
    policy = chains(one=ModelAlias(("m", "two")), two=ModelAlias(("one", "n", "two")))
    found = candidates_of(pool, "one", policy)
    assert pairs(found) == ["a:m", "a:n"]
    assert found.passed_over == ("one: it contains itself", "two: it contains itself")
    with pytest.raises(UnavailableError, match="me: it contains itself"):
        candidates_of(pool, "me", chains(me=ModelAlias(("me",))))


def test_alias_shared_by_two_targets_is_expanded_once(pool: Pool, add: Add) -> None:
    add("a", models=["m", "n"])
    policy = chains(base=ModelAlias(("m",)), left=ModelAlias(("base",)), v=ModelAlias(("left", "base", "n")))
    found = candidates_of(pool, "v", policy)
    assert pairs(found) == ["a:m", "a:n"]
    assert found.passed_over == ()


def test_alias_auto_may_be_a_chain(pool: Pool, add: Add) -> None:
    add("a", models=["first", "m"])
    policy = chains(auto=ModelAlias(("m",)), fast=ModelAlias(("auto",), Strategy.LATENCY))
    assert pairs(candidates_of(pool, "auto", policy)) == ["a:m"]
    assert pairs(candidates_of(pool, "fast", policy)) == ["a:m"]
    assert pairs(candidates_of(pool, "a/auto", policy)) == ["a:first"]
    assert pairs(candidates_of(pool, "auto", chains(auto=ModelAlias(("m", "auto"))))) == ["a:m", "a:first"]
    assert pairs(candidates_of(pool, "auto", chains())) == ["a:first"]


def test_alias_hides_a_model_of_its_name_except_when_pinned(pool: Pool, add: Add) -> None:
    add("a", models=["fast", "m"], priority=2)
    add("b", models=["m"], priority=1)
    policy = chains(fast=ModelAlias(("m",)))
    assert pairs(candidates_of(pool, "fast", policy)) == ["b:m", "a:m"]
    assert pairs(candidates_of(pool, "a/fast", policy)) == ["a:fast"]
    pinned = Request.parse(Kind.CHAT, dict(chat(model="fast").body), pin="a")
    assert pairs(candidates(pool, pinned, policy)) == ["a:fast"]


def test_alias_with_latest_is_the_alias(pool: Pool, add: Add) -> None:
    add("a", models=["m", "n"])
    policy = chains(fast=ModelAlias(("n",)))
    assert pairs(candidates_of(pool, "fast:latest", policy)) == ["a:n"]
    assert pairs(candidates_of(pool, "auto:latest", policy)) == ["a:m"]
    add("b", models=["fast:latest"])
    assert pairs(candidates_of(pool, "fast:latest", policy)) == ["b:fast:latest"]


def test_alias_openrouter_auto_uses_any_model(pool: Pool, add: Add) -> None:
    add("a", models=["m"])
    assert pairs(candidates_of(pool, "openrouter/auto", Policy())) == ["a:m"]


def test_alias_that_is_not_defined_is_not_found(pool: Pool, add: Add) -> None:
    add("a", models=["m"])
    with pytest.raises(NotFoundError):
        candidates_of(pool, "fast", chains())


def test_alias_of_another_gateway_is_not_used_for_auto_but_can_be_requested(pool: Pool, add: Add) -> None:
    add("peer", models=[ModelInfo("auto", virtual=True), ModelInfo("smart", virtual=True), "m"])
    assert pairs(candidates_of(pool, "auto", Policy())) == ["peer:m"]
    assert pairs(candidates_of(pool, "smart", Policy())) == ["peer:smart"]
    assert pairs(candidates_of(pool, "peer/auto", Policy())) == ["peer:m"]


def test_chain_together_is_ranked_by_its_strategy_and_equal_targets_by_their_order(pool: Pool, add: Add) -> None:
    add("cloud", models=["large"], placement=Placement.CLOUD, cost=Cost.METERED)
    add("home", models=["small"])
    add("other", models=["tiny"])
    chain = ("home", "cloud", "other")

    def asked(text: str, model: str) -> Request:
        return Request.parse(Kind.CHAT, {"model": model, "messages": [{"role": "user", "content": text}]})

    simple, hard = "turn on the light", "Prove step by step, and analyse the trade-offs in detail: ```python\nimport x```"
    ruled = chains(router=ModelAlias(chain, Strategy.COMPLEXITY, together=True), outer=ModelAlias(("large", "router")))
    assert pairs(candidates(pool, asked(simple, "router"), ruled)) == ["home:small", "other:tiny", "cloud:large"]
    assert pairs(candidates(pool, asked(hard, "router"), ruled)) == ["cloud:large", "home:small", "other:tiny"]
    ordered = chains(router=ModelAlias(chain, Strategy.COMPLEXITY))
    assert pairs(candidates(pool, asked(hard, "router"), ordered)) == ["home:small", "cloud:large", "other:tiny"]
    assert pairs(candidates(pool, asked(simple, "outer"), ruled)) == ["cloud:large", "home:small", "other:tiny"]


@pytest.mark.parametrize("name", ["gpu", "GPU", "gpu:latest", "gpu/auto"])
def test_provider_name_alone_is_its_default_model(pool: Pool, add: Add, name: str) -> None:
    add("cloud", models=["large"], priority=1)
    add("gpu", models=[ModelInfo("first"), ModelInfo("chosen", preferred=True)], priority=200)
    assert pairs(candidates_of(pool, name, Policy())) == ["gpu:chosen"]
    assert pairs(candidates_of(pool, "auto", Policy())) == ["cloud:large", "gpu:chosen"]
