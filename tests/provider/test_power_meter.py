"""Power meters of backends: sensor values are converted to watts and to a price per kilowatt-hour."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.core.accounting.prices.energy import EnergyMeter
from custom_components.zeroconf_ai.core.protocol.usage import Usage
from custom_components.zeroconf_ai.core.routing.pool.member import Member
from custom_components.zeroconf_ai.core.routing.pricing.costs import Charge, CostSource, quote
from custom_components.zeroconf_ai.data import DATA
from custom_components.zeroconf_ai.provider import power_meter
from homeassistant.core import HomeAssistant

from ..support.clouds.ollama import FakeOllama
from ..support.fakes.provider import FakeProvider, running
from ..support.home_assistant.entries import make_entry, set_up
from ..support.home_assistant.gateway_entry import backend_data, make_gateway

pytestmark = pytest.mark.usefixtures("ready_to_serve")

POWER = "sensor.attic_power"
PRICE = "sensor.electricity_price"
WATTS = {"unit_of_measurement": "W", "device_class": "power"}


class Clock(SimpleNamespace):
    """Stands still until it is set."""

    now = 1000.0

    def monotonic(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The glue's clock."""
    clock = Clock()
    monkeypatch.setattr(power_meter, "time", clock)
    return clock


async def measured(hass: HomeAssistant, folder: Path, ollama: FakeOllama, **options: Any) -> tuple[MockConfigEntry, Member]:
    """A gateway with one backend whose machine has a power sensor."""
    data = {"power_sensor": POWER, "idle_power": 50, **options}
    entry = await set_up(hass, make_gateway(folder, backend_data("ollama", ollama.root, **data)))
    (subentry,) = entry.get_subentries_of_type("backend")
    member = hass.data[DATA].engine.pool.get(subentry.subentry_id)
    assert member is not None
    return entry, member


def meter_of(member: Member) -> EnergyMeter:
    """Its meter."""
    assert member.meter is not None
    return member.meter


async def work(hass: HomeAssistant, clock: Clock, meter: EnergyMeter, watts: object, unit: str | None = "W") -> int | None:
    """The cost of a request of one hour with this sensor value."""
    run = meter.begin(clock.now)
    hass.states.async_set(POWER, str(watts), {"unit_of_measurement": unit} if unit else {})
    await hass.async_block_till_done()
    clock.now += 3600
    cost = meter.end(run, clock.now)
    hass.states.async_set(POWER, "50", WATTS)
    await hass.async_block_till_done()
    return cost


async def test_energy_above_idle_is_the_cost_of_a_request(hass: HomeAssistant, tmp_path: Path, clock: Clock) -> None:
    await hass.config.async_update(currency="EUR")
    hass.states.async_set(POWER, "50", WATTS)
    async with FakeOllama() as ollama:
        _, member = await measured(hass, tmp_path, ollama, electricity_price=0.3)
        meter = meter_of(member)
        for watts, unit, cost in ((250, "W", 60_000_000), (1.05, "kW", 300_000_000), (250, None, 60_000_000), (20, "W", 0)):
            assert await work(hass, clock, meter, watts, unit) == cost
        assert meter.currency == "EUR"
        await hass.config.async_update(currency="SEK")
        await hass.async_block_till_done()
        assert meter.currency == "SEK"
        for lost in ("unavailable", "unknown", "nan"):
            assert await work(hass, clock, meter, lost) is None
        assert await work(hass, clock, meter, 250, "furlongs") is None


@pytest.mark.parametrize(
    ("price", "unit", "cost"),
    [
        ("0.3", "EUR/kWh", 60_000_000),
        ("30", "ct/kWh", 60_000_000),
        ("300", "EUR/MWh", 60_000_000),
        ("0.3", None, 60_000_000),
        ("-0.1", "EUR/kWh", 0),
        ("unavailable", "EUR/kWh", None),
        ("0.3", "EUR/parsec", None),
    ],
)
async def test_price_sensor_sets_the_cost_by_its_value_and_unit(
    hass: HomeAssistant, tmp_path: Path, clock: Clock, price: str, unit: str | None, cost: int | None
) -> None:
    hass.states.async_set(POWER, "50", WATTS)
    hass.states.async_set(PRICE, "9")
    async with FakeOllama() as ollama:
        _, member = await measured(hass, tmp_path, ollama, electricity_price=5, electricity_price_sensor=PRICE)
        hass.states.async_set(PRICE, price, {"unit_of_measurement": unit} if unit else {})
        await hass.async_block_till_done()
        assert await work(hass, clock, meter_of(member), 250) == cost


async def test_power_sensor_repeating_its_value_is_measured(hass: HomeAssistant, tmp_path: Path, clock: Clock) -> None:
    hass.states.async_set(POWER, "250", {"unit_of_measurement": "W"})
    async with FakeOllama() as ollama:
        _, member = await measured(hass, tmp_path, ollama, electricity_price=0.3)
        assert await work(hass, clock, meter_of(member), 250) == 60_000_000


async def test_power_sensor_unavailable_leaves_requests_free_of_charge(hass: HomeAssistant, tmp_path: Path, clock: Clock) -> None:
    async with FakeOllama() as ollama:
        _, member = await measured(hass, tmp_path, ollama, electricity_price=0.3)
        cost = await work(hass, clock, meter_of(member), "unavailable")
    assert cost is None
    assert quote(member, "m").charge(Usage(10, 10), None) == Charge(0, CostSource.FREE, prompt=0)


async def test_power_measurements_are_kept_for_a_changed_backend_but_not_sensor(
    hass: HomeAssistant, tmp_path: Path, clock: Clock
) -> None:
    hass.states.async_set(POWER, "50", WATTS)
    async with FakeOllama() as ollama:
        entry, member = await measured(hass, tmp_path, ollama, electricity_price=0.3)
        (subentry,) = entry.get_subentries_of_type("backend")
        first = member.meter

        async def change(**data: Any) -> EnergyMeter | None:
            hass.config_entries.async_update_subentry(entry, subentry, data={**subentry.data, **data})
            await hass.async_block_till_done(wait_background_tasks=True)
            found = hass.data[DATA].engine.pool.get(subentry.subentry_id)
            assert found is not None
            return found.meter

        assert await change(weight=3) is first
        assert await change(verify_ssl=False) is first  # the connection is replaced
        second = await change(idle_power=60)
        assert second not in (None, first)
        assert await change(power_sensor=None) is None


async def test_power_of_a_provider_with_its_own_entry_is_measured(hass: HomeAssistant, clock: Clock) -> None:
    hass.states.async_set(POWER, "50", WATTS)
    async with running(FakeProvider()) as provider:
        entry = make_entry(provider, options={"power_sensor": POWER, "idle_power": 50, "electricity_price": 0.3})
        await set_up(hass, entry)
        member = entry.runtime_data.member
        assert await work(hass, clock, meter_of(member), 250) == 60_000_000
        hass.config_entries.async_update_entry(entry, options={})
        await hass.async_block_till_done()
        assert member.meter is None
