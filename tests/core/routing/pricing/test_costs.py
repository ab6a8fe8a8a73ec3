"""The cost of a request by class of tokens, and the precedence of its sources."""

from typing import Any

import pytest

from tests.support.fakes.upstream import StubBackend
from zeroconf_ai.accounting.prices.energy import EnergyMeter
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.prices import Prices, Tier
from zeroconf_ai.protocol.record import Cost
from zeroconf_ai.protocol.usage import Usage
from zeroconf_ai.routing.policy import Terms
from zeroconf_ai.routing.pool.member import Member
from zeroconf_ai.routing.pricing.costs import Charge, CostSource, cost_of, price_of, quote, record_measured, worst_cost

DOLLAR = 10**9
PRICES = Prices(3 * DOLLAR, 15 * DOLLAR, DOLLAR // 2, 20 * DOLLAR, "USD", 4 * DOLLAR, 6 * DOLLAR)
"""Money for a million tokens, so that so many dollars are so many thousand nano-dollars for one."""
LONG = Prices(6 * DOLLAR, 22 * DOLLAR)
LISTED = {"input_cost_per_1m": 1, "output_cost_per_1m": 2, "currency": "USD"}
PUBLIC = Prices(7 * DOLLAR, 8 * DOLLAR)


def member(*, pricing: Any = None, prices: Any = None, public: bool = False, cost: Cost = Cost.METERED) -> Member:
    """A backend with one model, `m`."""
    listed = (lambda model: PUBLIC if model == "m" else None) if public else None
    found = Member(StubBackend("a", cost=cost), Terms(prices=prices or {}, listed=listed))
    found.models = (ModelInfo("m", pricing=pricing),)
    return found


@pytest.mark.parametrize(
    ("usage", "nano"),
    [
        pytest.param(Usage(), 0, id="nothing"),
        pytest.param(Usage(1), 3000, id="input"),
        pytest.param(Usage(0, 1), 15_000, id="output"),
        pytest.param(Usage(10, cached_tokens=4), 6 * 3000 + 4 * 500, id="cached, which is among the prompt's"),
        pytest.param(Usage(10, cached_tokens=10), 10 * 500, id="all cached"),
        pytest.param(Usage(10, cached_tokens=99), 10 * 500, id="more cached than there was"),
        pytest.param(Usage(0, 10, reasoning_tokens=4), 6 * 15_000 + 4 * 20_000, id="thoughts, which are among the answer's"),
        pytest.param(Usage(0, 10, reasoning_tokens=99), 10 * 20_000, id="more thoughts than answer"),
        pytest.param(Usage(10, cache_write_tokens=4), 6 * 3000 + 4 * 4000, id="written for minutes"),
        pytest.param(
            Usage(10, cache_write_tokens=4, cache_write_1h_tokens=3), 6 * 3000 + 4000 + 3 * 6000, id="written for an hour"
        ),
        pytest.param(
            Usage(10, cached_tokens=8, cache_write_tokens=8), 8 * 500 + 2 * 4000, id="read and written more than there was"
        ),
        pytest.param(
            Usage.parse(
                {
                    "prompt_tokens": 100,
                    "completion_tokens": 10,
                    "prompt_tokens_details": {"cached_tokens": 60},
                    "completion_tokens_details": {"reasoning_tokens": 4},
                }
            ),
            40 * 3000 + 60 * 500 + 6 * 15_000 + 4 * 20_000,
            id="OpenAI's usage",
        ),
    ],
)
def test_cost_each_class_of_tokens_has_its_rate(usage: Usage, nano: int) -> None:
    found = cost_of(member(prices={"m": PRICES}), "m", usage)
    assert found is not None
    assert found[:3] == (nano, CostSource.OWNER, "USD")


def test_cost_class_without_a_rate_uses_input_or_output() -> None:
    plain = Prices(3 * DOLLAR, 15 * DOLLAR)
    usage = Usage(10, 10, 2, 3, cache_write_tokens=4, cache_write_1h_tokens=1)
    assert plain.cost(usage) == 10 * 3000 + 10 * 15_000


def test_fraction_of_a_nano_unit_is_rounded_up() -> None:
    assert Prices(1, 0).cost(Usage(1)) == 1


@pytest.mark.parametrize(("tokens", "rate"), [(1, 3000), (200_000, 3000), (200_001, 6000), (500_001, 9000)])
def test_long_prompt_changes_the_price_of_all_its_tokens(tokens: int, rate: int) -> None:
    tiers = (Tier(200_000, LONG), Tier(500_000, Prices(9 * DOLLAR, DOLLAR)))
    prices = Prices(3 * DOLLAR, 15 * DOLLAR, tiers=tiers)
    assert prices.cost(Usage(tokens)) == tokens * rate
    assert Prices.parse(prices.to_json()) == prices


def test_prices_untrusted_tiers_are_validated() -> None:
    odd = [None, {}, {"above_prompt_tokens": -1}, {"above_prompt_tokens": 5, "input_cost_per_1m": -1, "output_cost_per_1m": 1}]
    assert Prices.parse(LISTED | {"tiers": odd}) == Prices.parse(LISTED | {"tiers": 7}) == Prices(DOLLAR, 2 * DOLLAR)
    many = [{"above_prompt_tokens": above, **LISTED} for above in range(1, 1000)]
    read = Prices.parse(LISTED | {"tiers": many})
    assert read is not None
    assert len(read.tiers) == 8


@pytest.mark.parametrize(
    ("usage", "given", "charge"),
    [
        pytest.param(Usage(10, cost=77), {"prices": {"m": PRICES}, "pricing": LISTED}, (77, "upstream"), id="cost in the answer"),
        pytest.param(Usage(10, cost=0), {"prices": {"m": PRICES}}, (0, "upstream"), id="cost of zero in the answer"),
        pytest.param(Usage(10), {"prices": {"m": PRICES}, "pricing": LISTED}, (30_000, "owner"), id="configured prices"),
        pytest.param(
            Usage(10), {"prices": {"*": PRICES}, "pricing": LISTED}, (30_000, "owner"), id="configured prices of all models"
        ),
        pytest.param(Usage(10), {"pricing": LISTED, "public": True}, (10_000, "list"), id="prices of the backend"),
        pytest.param(Usage(10), {"public": True}, (70_000, "list"), id="the public list"),
        pytest.param(Usage(10), {}, None, id="no prices"),
        pytest.param(Usage(10), {"cost": Cost.UNKNOWN}, None, id="unknown cost and no prices"),
        pytest.param(Usage(10), {"cost": Cost.FREE, "public": True}, (0, "free"), id="free"),
        pytest.param(Usage(10), {"cost": Cost.SUBSCRIPTION, "pricing": LISTED, "public": True}, (0, "free"), id="subscription"),
        pytest.param(
            Usage(10),
            {"pricing": {"input_cost_per_1m": "-1", "output_cost_per_1m": "-1"}, "public": True},
            (70_000, "list"),
            id="a router's -1 is no price",
        ),
    ],
)
def test_cost_sources_have_their_precedence(usage: Usage, given: dict[str, Any], charge: tuple[int, str] | None) -> None:
    found = cost_of(member(**given), "m", usage)
    assert (None if found is None else (found.nano, found.source)) == charge


def test_cost_of_embeddings_has_no_output() -> None:
    embedding = member(pricing={"input_cost_per_1m": "0.02", "output_cost_per_1m": 0})
    assert cost_of(embedding, "m", Usage(1)) == Charge(20, CostSource.LIST, prompt=20)


def test_cost_is_in_the_currency_of_the_prices() -> None:
    found = cost_of(member(prices={"m": Prices(DOLLAR, DOLLAR, currency="EUR")}), "m", Usage(1))
    assert found == Charge(1000, CostSource.OWNER, "EUR", prompt=1000)


def test_cost_measured_precedes_lists_and_follows_the_owner() -> None:
    measured = Charge(5, CostSource.MEASURED, "EUR")
    home = member(cost=Cost.FREE)
    assert quote(home, "m").charge(Usage(10), measured) == measured
    assert quote(member(pricing=LISTED), "m").charge(Usage(10), measured) == measured
    assert quote(member(prices={"m": PRICES}), "m").charge(Usage(10), measured) == Charge(30_000, CostSource.OWNER, prompt=30_000)
    assert quote(home, "m").charge(Usage(10, cost=1), measured) == Charge(1, CostSource.UPSTREAM, prompt=1)


@pytest.mark.parametrize(
    ("usage", "given", "prompt", "total"),
    [
        pytest.param(Usage(10, 2), {"prices": {"m": PRICES}}, 30_000, 60_000, id="owner's prices"),
        pytest.param(Usage(10, 2, 10, 2), {"prices": {"m": PRICES}}, 5_000, 45_000, id="cached prompt and reasoning"),
        pytest.param(Usage(1, 1), {"prices": {"m": Prices(1, 1)}}, 1, 1, id="fractions add up to the total"),
        pytest.param(Usage(10, 10), {"pricing": LISTED}, 10_000, 30_000, id="the backend's prices"),
        pytest.param(
            Usage(200_001, 10),
            {"prices": {"m": Prices(1000, 1000, tiers=(Tier(200_000, LONG),))}},
            200_001 * 6000,
            200_001 * 6000 + 10 * 22_000,
            id="prices of a long prompt",
        ),
        pytest.param(Usage(10, 10, cost=900), {"pricing": LISTED}, 300, 900, id="reported cost, in the proportion of the prices"),
        pytest.param(Usage(10, 10, cost=900), {}, None, 900, id="reported cost without prices"),
        pytest.param(Usage(10, 0, cost=900), {}, 900, 900, id="reported cost of embeddings"),
        pytest.param(Usage(10, 10, cost=0), {}, 0, 0, id="reported cost of zero"),
        pytest.param(Usage(10, 10, cost=9), {"prices": {"m": Prices(0, 0)}}, None, 9, id="reported cost, prices of zero"),
        pytest.param(Usage(10, 10), {"cost": Cost.FREE}, 0, 0, id="free"),
    ],
)
def test_cost_is_split_into_prompt_and_answer(usage: Usage, given: dict[str, Any], prompt: int | None, total: int) -> None:
    found = cost_of(member(**given), "m", usage)
    assert found is not None
    assert (found.prompt, found.nano) == (prompt, total)


def test_cost_of_attempts_is_split_only_if_each_is() -> None:
    one, other = Charge(30, CostSource.LIST, "EUR", 10), Charge(5, CostSource.LIST, "EUR", 2)
    assert one.plus(other) == Charge(35, CostSource.LIST, "EUR", 12)
    assert one.plus(other._replace(prompt=None)) == Charge(35, CostSource.LIST, "EUR")


def test_cost_of_an_unlisted_model_uses_public_prices() -> None:
    assert price_of(member(public=True), "unlisted") is None
    unlisted = member(public=True)
    unlisted.models = ()
    assert price_of(unlisted, "m") == PUBLIC


def test_cost_worst_case_is_never_below_the_charged_cost() -> None:
    priced = member(prices={"m": PRICES})
    worst = worst_cost(priced, "m", 100, 50)
    assert worst == 100 * 6000 + 50 * 20_000
    for usage in (Usage(100, 50), Usage(100, 50, 100, 50), Usage(100, 50, cache_write_tokens=100, cache_write_1h_tokens=100)):
        found = cost_of(priced, "m", usage)
        assert found is not None
        assert found.nano <= worst
    tiered = member(prices={"m": Prices(DOLLAR, DOLLAR, tiers=(Tier(200_000, LONG),))})
    assert worst_cost(tiered, "m", 150_000, 0) == 150_000 * 6000  # an estimate: it may be a long one
    assert worst_cost(tiered, "m", 50_000, 0) == 50_000 * 1000
    assert worst_cost(member(), "m", 100, 50) == 0


def test_cost_worst_case_of_a_measured_backend_is_its_mean() -> None:
    measured = member(cost=Cost.FREE)
    measured.meter = EnergyMeter(idle=0.0)
    assert worst_cost(measured, "m", 100, 50) == 0
    record_measured(measured, 1000)
    assert worst_cost(measured, "m", 100, 50) == 1000
    record_measured(measured, 2000)
    assert worst_cost(measured, "m", 100, 50) == 1200
    own = member(cost=Cost.FREE, prices={"m": PRICES})
    own.meter, own.usual_cost = measured.meter, measured.usual_cost
    assert worst_cost(own, "m", 1, 0) == worst_cost(member(prices={"m": PRICES}), "m", 1, 0)
