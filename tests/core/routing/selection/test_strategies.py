"""PROTOCOL 3, rules 4 and 5: strategies, weights, and a deterministic order."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, strategies as st
import pytest

from tests.core.routing.conftest import Add
from tests.support.fakes.upstream import StubBackend, chat
from zeroconf_ai.protocol.errors import InvalidRequestError, NotFoundError, PermissionDeniedError, UnavailableError
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.record import Capability, Cost, Placement
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.protocol.status import ProviderState, ProviderStatus, Queue
from zeroconf_ai.routing.policy import Policy, Strategy, Terms
from zeroconf_ai.routing.pool.member import Member
from zeroconf_ai.routing.pool.model_index import may_use
from zeroconf_ai.routing.pool.pool import Pool
from zeroconf_ai.routing.selection.candidates import candidates

HARD = "Analyse the trade-offs of both designs step by step."


def order(pool: Pool, strategy: Strategy, request: Request | None = None) -> list[str]:
    found = candidates(pool, request or chat(), Policy(strategy=strategy))
    return [candidate.member.id for candidate in found.ordered]


def priced(name: str, input_cost: float, output_cost: float) -> ModelInfo:
    return ModelInfo(name, pricing={"input_cost_per_1m": input_cost, "output_cost_per_1m": output_cost})


# Place.


def test_strategy_local_first_precedes_priority(pool: Pool, add: Add) -> None:
    add("cloud", placement=Placement.CLOUD, priority=1)
    add("proxy", placement=Placement.PROXY, priority=2)
    add("attic", priority=90)
    add("cellar", priority=80)
    assert order(pool, Strategy.LOCAL_FIRST) == ["cellar", "attic", "cloud", "proxy"]
    assert order(pool, Strategy.PRIORITY) == ["cloud", "proxy", "cellar", "attic"]


def test_strategy_local_first_knows_that_a_local_server_may_be_in_another_home(pool: Pool, add: Add) -> None:
    add("relayed", priority=1).leaves_home = True
    add("attic", priority=2)
    assert order(pool, Strategy.LOCAL_FIRST) == ["attic", "relayed"]


# Cost.


def test_strategy_cost_orders_free_subscription_metered_unknown(pool: Pool, add: Add) -> None:
    add("unknown", cost=Cost.METERED, priority=1)
    add("dear", cost=Cost.METERED, models=[priced("m", 10, 30)], priority=2)
    add("cheap", cost=Cost.METERED, models=[priced("m", 1, 2)], priority=3)
    add("flat", cost=Cost.SUBSCRIPTION, models=[priced("m", 100, 100)], priority=4)
    add("home", priority=5)
    assert order(pool, Strategy.COST) == ["home", "flat", "cheap", "dear", "unknown"]


def test_strategy_cost_uses_the_owners_prices_first(pool: Pool, add: Add) -> None:
    a = add("a", cost=Cost.METERED, models=[priced("m", 1, 1)])
    b = add("b", cost=Cost.METERED, models=[priced("m", 2, 2)])
    a.terms = Terms(prices={"*": Prices(3, 3)})
    assert order(pool, Strategy.COST) == ["a", "b"]  # 3 nano-units a million, not 3 of money
    a.terms = Terms(prices={"m": Prices(5 * 10**9, 5 * 10**9), "*": Prices(3, 3)})
    assert order(pool, Strategy.COST) == ["b", "a"]
    b.terms = Terms(prices={"m:latest": Prices(6 * 10**9, 6 * 10**9)})
    assert order(pool, Strategy.COST) == ["a", "b"]


def test_strategy_cost_is_that_of_the_request(pool: Pool, add: Add) -> None:
    add("reads-cheaply", cost=Cost.METERED, models=[priced("m", 1, 10)])
    add("writes-cheaply", cost=Cost.METERED, models=[priced("m", 5, 5)])
    long = [{"role": "user", "content": "word " * 4000}]
    assert order(pool, Strategy.COST, chat(messages=long, max_tokens=10))[0] == "reads-cheaply"
    assert order(pool, Strategy.COST, chat(messages=long, max_completion_tokens=50_000))[0] == "writes-cheaply"
    assert order(pool, Strategy.COST)[0] == "writes-cheaply"  # without a limit an answer is taken to be longer than "Hi"


def test_strategy_cost_follows_changed_prices(pool: Pool, add: Add) -> None:
    backend = StubBackend("b", cost=Cost.METERED)
    a, b = add("a", cost=Cost.SUBSCRIPTION), add(backend)
    assert order(pool, Strategy.COST) == ["a", "b"]
    backend.described = replace(backend.info, cost=Cost.FREE)
    assert order(pool, Strategy.COST) == ["b", "a"]
    b.models = (priced("m", 1, 1),)
    assert order(pool, Strategy.COST) == ["a", "b"]
    a.models = ()
    assert a.served.find("m") is None


def test_strategy_cost_for_auto_uses_the_cheapest_model(pool: Pool, add: Add) -> None:
    add("a", cost=Cost.METERED, models=[priced("dear", 9, 9), priced("cheap", 1, 1), ModelInfo("unknown")])
    found = candidates(pool, chat(model="auto"), Policy(strategy=Strategy.COST))
    assert [candidate.model for candidate in found.ordered] == ["cheap"]
    assert candidates(pool, chat(model="auto")).ordered[0].model == "dear"  # the provider's own order


def test_strategy_cost_keeps_the_model_of_embeddings(pool: Pool, add: Add) -> None:
    add("a", cost=Cost.METERED, models=[priced("embed-large", 9, 9), priced("embed-small", 1, 1)])
    request = Request.parse(Kind.EMBEDDINGS, {"input": "Hi"})
    found = candidates(pool, request, Policy(strategy=Strategy.COST))
    assert [candidate.model for candidate in found.ordered] == ["embed-large"]


# Latency and load.


def test_strategy_latency_tries_unmeasured_backends_then_the_fastest(pool: Pool, add: Add) -> None:
    slow, fast, new = add("slow", priority=1), add("fast", priority=2), add("new", priority=3)
    slow.first_token_seconds, fast.first_token_seconds = 2.0, 0.3
    assert order(pool, Strategy.LATENCY) == ["new", "fast", "slow"]
    new.first_token_seconds = 1.0
    assert order(pool, Strategy.LATENCY) == ["fast", "new", "slow"]
    new.first_token_seconds, new.latency = None, 5.0
    assert order(pool, Strategy.LATENCY) == ["fast", "slow", "new"]


def test_strategy_least_busy_includes_reported_requests(pool: Pool, add: Add) -> None:
    a, b, c = add("a", priority=1), add("b", priority=2), add("c", priority=3)
    a.active, b.active = 2, 1
    c.status = ProviderStatus(queue=Queue(active=4, depth=2, max_concurrent=4))
    assert order(pool, Strategy.LEAST_BUSY) == ["b", "c", "a"]
    a.limiter.limit = 8
    assert order(pool, Strategy.LEAST_BUSY) == ["a", "b", "c"]


# Complexity.


def test_strategy_complexity_sends_complex_requests_to_strong_backends(pool: Pool, add: Add) -> None:
    add("cloud", placement=Placement.CLOUD, priority=1)
    add("home", priority=3)
    add("workstation", priority=2).terms = Terms(tags=frozenset({"strong"}))
    simple, hard = chat(model="auto"), chat(model="auto", messages=[{"role": "user", "content": HARD}])
    assert order(pool, Strategy.COMPLEXITY, simple) == ["home", "cloud", "workstation"]
    assert order(pool, Strategy.COMPLEXITY, hard) == ["workstation", "cloud", "home"]


def test_strategy_complexity_without_tags_uses_price_and_context(pool: Pool, add: Add) -> None:
    add("small", models=[ModelInfo("s", context_window=8000)])
    add("large", models=[ModelInfo("l", context_window=128_000)])
    add("unknown", cost=Cost.METERED, placement=Placement.CLOUD)
    add("mini", cost=Cost.METERED, placement=Placement.CLOUD, models=[priced("mini", 1, 2)])
    add("max", cost=Cost.METERED, placement=Placement.CLOUD, models=[priced("max", 5, 25)])
    hard = chat(model="auto", messages=[{"role": "user", "content": HARD}])
    assert order(pool, Strategy.COMPLEXITY, hard) == ["max", "mini", "unknown", "large", "small"]


def test_strategy_complexity_does_not_apply_to_a_requested_model(pool: Pool, add: Add) -> None:
    add("home", priority=1)
    add("cloud", placement=Placement.CLOUD, priority=2)
    hard = chat(messages=[{"role": "user", "content": HARD}])
    assert order(pool, Strategy.COMPLEXITY, hard) == ["home", "cloud"]


# Weights.


@pytest.mark.parametrize("weights", [(3, 1), (1, 1), (5, 3, 2), (1, 10)])
def test_weight_sets_the_share_of_equal_backends(pool: Pool, add: Add, weights: tuple[int, ...]) -> None:
    for number, weight in enumerate(weights):
        add(f"b{number}").terms = Terms(weight=weight)
    asked: Counter[str] = Counter()
    turns = 20 * sum(weights)
    for turn in range(1, turns + 1):
        member = candidates(pool, chat()).ordered[0].member
        member.record_use(turn)
        asked[member.id] += 1
    for number, weight in enumerate(weights):
        assert asked[f"b{number}"] == pytest.approx(20 * weight, abs=0.05 * turns)


def test_weight_of_a_recovered_backend_causes_no_overload(pool: Pool, add: Add) -> None:
    stayed, back = add("stayed"), add("back")
    back.state = ProviderState.OFFLINE
    for turn in range(1, 5001):
        candidates(pool, chat()).ordered[0].member.record_use(turn)
    assert stayed.last_used == 5000
    back.state = ProviderState.HEALTHY
    asked: Counter[str] = Counter()
    for turn in range(5001, 5401):
        member = candidates(pool, chat()).ordered[0].member
        member.record_use(turn)
        asked[member.id] += 1
    assert 150 < asked["stayed"] <= 200


def test_weight_scales_the_load(pool: Pool, add: Add) -> None:
    heavy, light = add("heavy"), add("light")
    heavy.terms = Terms(weight=3)
    heavy.active, light.active = 2, 1
    assert order(pool, Strategy.PRIORITY) == ["heavy", "light"]
    heavy.active = 4
    assert order(pool, Strategy.PRIORITY) == ["light", "heavy"]


# Whatever the pool looks like.

MODELS = ("m", "m:latest", "n", "embed-x")


@st.composite
def members(draw: st.DrawFn, number: int) -> Member:
    names = draw(st.lists(st.sampled_from(MODELS), unique=True))
    models = [ModelInfo(name, context_window=draw(st.sampled_from([None, 1, 9000]))) for name in names]
    backend = StubBackend(
        f"b{number}",
        models=models,
        priority=draw(st.integers(0, 2)),
        cost=draw(st.sampled_from(Cost)),
        placement=draw(st.sampled_from(Placement)),
        agent=draw(st.booleans()),
        capabilities=draw(st.sampled_from([None, frozenset({Capability.COMPLETION})])),
    )
    member = Member(backend, Terms(weight=draw(st.integers(1, 3))), models=backend.listed)
    member.state = draw(st.sampled_from(ProviderState))
    member.enabled = draw(st.booleans())
    member.active = draw(st.integers(0, 2))
    member.last_used = draw(st.integers(0, 3))
    member.first_token_seconds = draw(st.none() | st.floats(0, 9))
    return member


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    pool = Pool()
    for number in range(draw(st.integers(0, 5))):
        pool.add(draw(members(number)))
    return pool


@given(
    pool=pools(),
    asked=st.sampled_from([*MODELS, "auto", "fast", "cheap", "b0/m", "B1/auto", "never-heard-of"]),
    strategy=st.sampled_from(Strategy),
    fallback=st.booleans(),
    patterns=st.sampled_from([(), ("m",), ("n*",), ("b1/*",), ("embed-*", "n")]),
    inside=st.booleans(),
)
def test_order_is_deterministic_unique_and_follows_all_rules(
    pool: Pool, asked: str, strategy: Strategy, fallback: bool, patterns: tuple[str, ...], inside: bool
) -> None:
    request = Request.parse(Kind.CHAT, dict(chat(model=asked).body), models=patterns, inside=inside)
    policy = Policy(strategy=strategy, cloud_fallback=fallback)
    try:
        found = candidates(pool, request, policy)
    except (InvalidRequestError, PermissionDeniedError, NotFoundError, UnavailableError):
        return
    assert found.ordered
    assert candidates(pool, request, policy) == found
    pairs = [(candidate.member.id, candidate.model) for candidate in found.ordered]
    assert len(set(pairs)) == len(pairs)
    for member_id, model in pairs:
        member = pool.get(member_id)
        assert member is not None
        if asked in MODELS:
            assert model.removesuffix(":latest") == asked.removesuffix(":latest")
        if patterns:
            assert asked in patterns or may_use(patterns, model, f"{member_id}/{model}", f"{member.name}/{model}")
        assert not (inside and member.backend.info.agent)
        assert member.enabled or "/" in asked
    if not fallback and "/" not in asked and not any(member.active for member in pool):
        ordered = [candidate.member for candidate in found.ordered]
        home = [m for m in ordered if m.backend.info.placement is Placement.LOCAL and not m.backend.info.agent and m.models]
        # A cloud that the strategy prefers to the home is no fallback.
        later = ordered[ordered.index(home[0]) :] if home else []
        assert not [m for m in later if m.backend.info.placement is Placement.CLOUD and not m.backend.info.agent]
