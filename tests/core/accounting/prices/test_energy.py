"""What requests cost in electricity: the energy over idle is shared among them, and none of it is lost or made up."""

from itertools import pairwise

from hypothesis import given, strategies as st
import pytest

from zeroconf_ai.accounting.prices.energy import SETTLE_SECONDS, EnergyMeter

NANO = 10**9
KWH = 3_600_000
"""Watt-seconds."""
TARIFF = 360_000_000
"""0.36 for a kWh: 100 nano-units for a watt-second."""


def cost(watt_seconds: float, tariff: int = TARIFF) -> int:
    """Nano-units."""
    return round(watt_seconds * tariff / KWH)


def metered(*, idle: float | None = 50.0, tariff: int | None = TARIFF) -> EnergyMeter:
    """A meter whose sensor reported 50 W some time ago."""
    meter = EnergyMeter(idle=idle, tariff=tariff, currency="EUR")
    meter.sample(50.0, 0.0)
    return meter


def test_power_of_one_request_is_the_energy_above_idle() -> None:
    meter = metered()
    run = meter.begin(100)
    meter.sample(250, 100)
    meter.sample(150, 110)
    assert meter.end(run, 120) == cost(200 * 10 + 100 * 10)


def test_power_of_concurrent_requests_is_shared() -> None:
    meter = metered()
    first = meter.begin(100)
    meter.sample(250, 100)
    second = meter.begin(110)
    assert meter.end(first, 130) == cost(200 * 10 + 200 * 20 / 2)
    assert meter.end(second, 140) == cost(200 * 20 / 2 + 200 * 10)


def test_power_before_the_first_sample_is_not_idle() -> None:
    meter = metered()
    run = meter.begin(100)
    meter.sample(250, 110)
    assert meter.end(run, 120) == cost(200 * 20)


def test_power_of_a_short_request_without_a_sample_is_the_usual() -> None:
    meter = metered()
    unknown = meter.begin(100)
    assert meter.end(unknown, 101) is None  # the power is unknown, not zero
    known = meter.begin(200)
    meter.sample(250, 201)
    meter.end(known, 210)
    assert meter.usual == 200
    short = meter.begin(300)
    assert meter.end(short, 302) == cost(200 * 2)


@pytest.mark.parametrize("lost_at", [105, 110])
def test_power_sensor_lost_makes_the_cost_unknown(lost_at: int) -> None:
    meter = metered()
    run = meter.begin(100)
    meter.sample(250, 101)
    meter.sample(None, lost_at)
    meter.sample(250, lost_at + 2)
    assert meter.end(run, 120) is None
    after = meter.begin(130)
    meter.sample(250, 130)
    assert meter.end(after, 140) == cost(200 * 10)


@pytest.mark.parametrize("watts", [None, float("nan"), float("inf")])
def test_power_sensor_without_a_value_makes_the_cost_unknown(watts: float | None) -> None:
    meter = EnergyMeter(idle=10, tariff=TARIFF)
    meter.sample(watts, 0)
    assert meter.end(meter.begin(1), 5) is None


def test_electricity_price_unknown_makes_the_cost_unknown() -> None:
    meter = metered(tariff=None)
    run = meter.begin(100)
    meter.sample(250, 100)
    assert meter.end(run, 110) is None


def test_electricity_price_change_applies_from_then_on() -> None:
    meter = metered()
    run = meter.begin(100)
    meter.sample(250, 100)
    meter.set_tariff(2 * TARIFF, 110)
    assert meter.end(run, 120) == cost(200 * 10) + cost(200 * 10, 2 * TARIFF)
    waiting = meter.begin(200)
    meter.set_tariff(TARIFF, 210)  # the power of all this time is known only later
    meter.sample(250, 220)
    assert meter.end(waiting, 220) == cost(200 * 10, 2 * TARIFF) + cost(200 * 10)


def test_electricity_price_negative_costs_nothing() -> None:
    meter = metered(tariff=-TARIFF)
    run = meter.begin(100)
    meter.sample(250, 100)
    assert meter.end(run, 200) == 0


def test_power_below_idle_costs_nothing() -> None:
    meter = metered()
    run = meter.begin(100)
    meter.sample(30, 100)
    assert meter.end(run, 200) == 0


def test_power_idle_is_measured_without_requests() -> None:
    meter = EnergyMeter(tariff=TARIFF)
    known = [meter.idle]
    for second in range(100):
        meter.sample(300 if second % 3 == 0 else 40 + second % 2, second)  # it also does other things
    assert [*known, meter.idle] == [None, 40]
    run = meter.begin(1000)
    meter.sample(240, 1000)
    assert meter.end(run, 1010) == cost(200 * 10)


def test_power_just_after_work_is_not_idle() -> None:
    meter = EnergyMeter(tariff=TARIFF)
    meter.sample(40, 0)
    meter.end(meter.begin(1), 2)
    for second in range(500):
        meter.sample(200, 3 + second * SETTLE_SECONDS / 1000)
    assert meter.idle == 40
    for _ in range(1000):
        meter.sample(200, 2000)
    assert meter.idle == 200


def test_power_clock_going_back_charges_nothing_twice() -> None:
    meter = metered()
    run = meter.begin(100)
    meter.sample(250, 100)
    meter.sample(250, 110)
    meter.sample(250, 105)
    assert meter.end(run, 110) == cost(200 * 10)


def test_power_tiny_share_is_not_free() -> None:
    meter = metered(tariff=1)
    run = meter.begin(100)
    meter.sample(51, 100)
    assert meter.end(run, 100.5) == 1


_TIMES = st.floats(0, 3600, allow_nan=False)


@given(
    st.lists(st.tuples(_TIMES, _TIMES).map(sorted), min_size=1, max_size=12),
    st.lists(st.tuples(_TIMES, st.floats(0, 2000)), max_size=30),
    st.integers(1, NANO),
)
def test_power_shares_add_up_to_the_energy_above_idle(
    spans: list[list[float]], samples: list[tuple[float, float]], tariff: int
) -> None:
    meter = EnergyMeter(idle=100, tariff=tariff)
    meter.sample(100, -1)
    events = [(begin, 0, number, 0.0) for number, (begin, _) in enumerate(spans)]
    events += [(end, 2, number, 0.0) for number, (_, end) in enumerate(spans)]
    events += [(at, 1, -1, watts) for at, watts in samples]
    # The sensor speaks with each beginning, so that the power is known all the time.
    power = sorted([(-1.0, 100.0), *samples])
    events.sort()
    runs, paid, working = {}, 0.0, 0
    drawn = [(at, watts) for at, watts in power]
    for at, what, number, watts in events:
        if what == 0:
            runs[number] = meter.begin(at)
            working += 1
            if working == 1:
                now = [level for since, level in power if since < at][-1]
                meter.sample(now, at)
        elif what == 1:
            meter.sample(watts, at)
        else:
            run = runs.pop(number)
            found = meter.end(run, at)
            working -= 1
            assert found is not None
            assert found >= run.energy * tariff / KWH - 1
            paid += run.energy
    assert paid == pytest.approx(_over_idle(spans, drawn), rel=1e-6, abs=1e-3)


def _over_idle(spans: list[list[float]], power: list[tuple[float, float]]) -> float:
    """What was drawn over 100 W while at least one request ran, in watt-seconds, found without the meter."""
    edges = sorted({*(edge for span in spans for edge in span), *(at for at, _ in power)})
    total = 0.0
    for start, end in pairwise(edges):
        if any(begin <= start and end <= finish for begin, finish in spans):
            watts = [level for since, level in power if since <= start][-1]
            total += max(0.0, watts - 100) * (end - start)
    return total
