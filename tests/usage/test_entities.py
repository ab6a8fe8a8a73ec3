"""Entities for usage and cost of the household, its backends and its keys, with a real SQLite store and real days and months."""

from datetime import datetime, timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.zeroconf_ai import async_remove_config_entry_device
from custom_components.zeroconf_ai.const import CONF_AUTH, DOMAIN
from custom_components.zeroconf_ai.core.accounting.budget import Action, Scope
from custom_components.zeroconf_ai.core.accounting.periods import Period
from custom_components.zeroconf_ai.core.accounting.usage.generation import Generation, Outcome
from custom_components.zeroconf_ai.core.protocol.usage import Usage
from custom_components.zeroconf_ai.core.protocol.values import NANO
from custom_components.zeroconf_ai.usage import trackers
from custom_components.zeroconf_ai.usage.coordinators import RATE_LIMITED_SECONDS, RECENT_REQUESTS, RecentRequests
from custom_components.zeroconf_ai.usage.display_names import DeviceNames
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.util import dt as dt_util

from ..gateway.test_entities import use
from ..support.fakes.provider import FakeProvider, refuse
from ..support.home_assistant.entries import set_up, settle
from ..support.home_assistant.gateway import CHAT, CHAT_PATH, bearer, box, gateway_with, runtime_of
from ..support.home_assistant.states import state_of, value, values
from ..support.home_assistant.usage import only_key, spend

pytestmark = pytest.mark.usefixtures("ready_to_serve", "all_entities_enabled")

KEY_DEVICE = "first_key"


@pytest.fixture
async def entry(hass: HomeAssistant, provider: FakeProvider) -> MockConfigEntry:
    """A gateway with one key and one backend."""
    hass.config.currency = "USD"
    return await set_up(hass, gateway_with(box(provider)))


def backend_of(entry: MockConfigEntry) -> str:
    return next(iter(entry.subentries))


def key_of(entry: MockConfigEntry) -> tuple[str, str]:
    """What the device of the gateway's key goes by."""
    return DOMAIN, f"key_{only_key(entry).id}"


async def midnight(hass: HomeAssistant, freezer: FrozenDateTimeFactory, local: str) -> None:
    """Set Home Assistant's clock."""
    moment = datetime.fromisoformat(local).replace(tzinfo=dt_util.get_default_time_zone())
    freezer.move_to(moment)
    async_fire_time_changed(hass, moment)
    await hass.async_block_till_done()


async def test_usage_cost_of_a_request_is_shown_by_its_trackers(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    key = only_key(entry)
    assert values(hass, "test_gateway", "cost_today", "requests", "budget_left") == [None, "0", None]
    await spend(hass, entry, 0.25, key_id=key.id, backend_id=backend_of(entry))
    await spend(hass, entry, 0.5, backend_id=backend_of(entry))
    await spend(hass, entry, None, outcome=Outcome.ERROR, usage=Usage())
    await settle(hass)
    costs = ("cost_today", "cost_this_month", "cost_total", "requests", "tokens_in", "tokens_out")
    assert values(hass, "test_gateway", *costs) == ["0.75", "0.75", "0.75", "3", "200", "40"]
    assert values(hass, "box", *costs) == ["0.75", "0.75", "0.75", "2", "200", "40"]
    assert values(hass, KEY_DEVICE, *costs) == ["0.25", "0.25", "0.25", "1", "100", "20"]
    assert values(hass, "test_gateway", "tokens", "errors") == ["240", "1"]
    today = state_of(hass, "sensor.test_gateway_cost_today").attributes
    assert (today["device_class"], today["state_class"], today["unit_of_measurement"]) == ("monetary", "total", "USD")
    assert today["last_reset"] == dt_util.start_of_local_day().isoformat()
    month = state_of(hass, "sensor.first_key_cost_this_month").attributes["last_reset"]
    assert month == dt_util.start_of_local_day(dt_util.now().replace(day=1)).isoformat()
    assert state_of(hass, "sensor.box_cost_total").attributes.get("last_reset") is None


async def test_usage_figures_are_the_same_after_a_restart(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    key = only_key(entry)
    await spend(hass, entry, 0.25, key_id=key.id, backend_id=backend_of(entry))
    await settle(hass)
    shown = ("cost_today", "cost_this_month", "cost_total", "requests", "tokens_in", "tokens_out")
    before = [values(hass, device, *shown) for device in ("test_gateway", "box", KEY_DEVICE)]
    assert await hass.config_entries.async_unload(entry.entry_id)
    seen: list[str] = []
    hass.bus.async_listen(
        "state_changed",
        lambda event: (
            seen.append(event.data["new_state"].state)
            if event.data["entity_id"] == "sensor.test_gateway_cost_total" and event.data["new_state"]
            else None
        ),
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert [values(hass, device, *shown) for device in ("test_gateway", "box", KEY_DEVICE)] == before
    assert set(seen) <= {"0.25", "unavailable"}


async def test_usage_periods_end_in_home_assistants_time_zone(
    hass: HomeAssistant, provider: FakeProvider, freezer: FrozenDateTimeFactory
) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    freezer.move_to("2026-11-30T22:30:00+00:00")  # half an hour before midnight there
    entry = await set_up(hass, gateway_with(box(provider)))
    await use(hass, "set_value", "number.test_gateway_monthly_budget", value=1)
    await spend(hass, entry, 1.5)
    await settle(hass)
    assert values(hass, "test_gateway", "cost_today", "cost_this_month", "budget_left") == ["1.5", "1.5", "0.0"]
    assert value(hass, "binary_sensor.test_gateway_budget_exceeded") == STATE_ON
    await midnight(hass, freezer, "2026-12-01T00:00:00")
    assert values(hass, "test_gateway", "cost_today", "cost_this_month", "cost_total") == ["0.0", "0.0", "1.5"]
    assert value(hass, "sensor.test_gateway_budget_left") == "100.0"
    assert value(hass, "binary_sensor.test_gateway_budget_exceeded") == STATE_OFF
    reset = state_of(hass, "sensor.test_gateway_cost_this_month").attributes["last_reset"]
    assert reset == "2026-12-01T00:00:00+01:00"
    await hass.config_entries.async_unload(entry.entry_id)


async def test_usage_time_zone_change_applies_immediately(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await hass.config.async_update(time_zone="Asia/Tokyo")
    await hass.async_block_till_done()
    store = runtime_of(entry).store
    assert str(store.totals.zone) == str(store.budgets.zone) == "Asia/Tokyo"


async def test_key_devices_are_added_renamed_and_removed(
    hass: HomeAssistant, entry: MockConfigEntry, device_registry: dr.DeviceRegistry, entity_registry: er.EntityRegistry
) -> None:
    keys, budgets = runtime_of(entry).store.keys, runtime_of(entry).store.budgets
    key, _ = await keys.create("Laptop")
    await hass.async_block_till_done()
    assert value(hass, "sensor.laptop_requests") == "0"
    device = device_registry.async_get_device_by_identifier((DOMAIN, f"key_{key.id}"), entry.entry_id)
    assert device is not None
    assert (device.model, device.via_device_id) == ("API key", runtime_of(entry).device_id)
    await keys.update(key.id, name="Notebook")
    renamed = device_registry.async_get(device.id)
    assert renamed is not None
    assert renamed.name == "Notebook"
    await use(hass, "set_value", "number.laptop_monthly_budget", value=2)
    assert [budget.amount for budget in budgets.of(Scope.KEY, key.id)] == [2 * NANO]
    await keys.revoke(key.id)
    await hass.async_block_till_done()
    assert device_registry.async_get(device.id) is None
    assert value(hass, "sensor.laptop_requests") is None
    assert not [known for known in entity_registry.entities.values() if key.id in known.unique_id]
    assert budgets.of(Scope.KEY, key.id) == ()


async def test_key_revoked_elsewhere_has_no_device_after_a_restart(
    hass: HomeAssistant, entry: MockConfigEntry, device_registry: dr.DeviceRegistry
) -> None:
    gone = device_registry.async_get_or_create(config_entry_id=entry.entry_id, identifiers={(DOMAIN, "key_gone")})
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert device_registry.async_get(gone.id) is None
    assert device_registry.async_get_device_by_identifier(key_of(entry), entry.entry_id) is not None


async def test_key_devices_have_a_maximum_number(
    hass: HomeAssistant, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trackers, "MAX_KEY_DEVICES", 1)
    await runtime_of(entry).store.keys.create("Laptop")
    await hass.async_block_till_done()
    assert value(hass, "sensor.laptop_requests") is None
    await runtime_of(entry).store.keys.revoke(next(iter(runtime_of(entry).store.keys)).id)
    await hass.async_block_till_done()
    assert value(hass, "sensor.laptop_requests") == "0"


async def test_budget_entities_show_warning_exceeded_and_removal(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    key, budgets = only_key(entry), runtime_of(entry).store.budgets
    number = f"number.{KEY_DEVICE}_monthly_budget"
    assert value(hass, number) == "0.0"
    await use(hass, "set_value", number, value=1)
    await budgets.set(Scope.KEY, key.id, NANO, Period.MONTH, action=Action.FREE_ONLY, thresholds=(50, 100))
    await use(hass, "set_value", number, value=2)
    [budget] = budgets
    assert (budget.amount, budget.action, budget.thresholds) == (2 * NANO, Action.FREE_ONLY, (50, 100))
    flags = [f"binary_sensor.{KEY_DEVICE}_budget_{name}" for name in ("warning", "exceeded")]
    assert [value(hass, flag) for flag in flags] == [STATE_OFF, STATE_OFF]
    event = f"event.{KEY_DEVICE}_budget_alert"
    await spend(hass, entry, 1.2, key_id=key.id)
    await settle(hass)
    assert [value(hass, flag) for flag in flags] == [STATE_ON, STATE_OFF]
    told = state_of(hass, event).attributes
    assert (told["event_type"], told["threshold"], told["spent"], told["amount"]) == ("threshold_reached", 50, 1.2, 2.0)
    assert values(hass, KEY_DEVICE, "budget", "budget_left") == ["2.0", "40.0"]
    await spend(hass, entry, 0.8, key_id=key.id)
    await settle(hass)
    assert [value(hass, flag) for flag in flags] == [STATE_ON, STATE_ON]
    assert state_of(hass, event).attributes["event_type"] == "exceeded"
    assert value(hass, "event.test_gateway_budget_alert") is None  # it is the key's
    assert state_of(hass, f"sensor.{KEY_DEVICE}_budget_left").attributes["action"] == "free_only"
    await use(hass, "set_value", number, value=0)
    assert list(budgets) == []
    assert values(hass, KEY_DEVICE, "budget", "budget_left") == [STATE_UNKNOWN] * 2
    assert [value(hass, flag) for flag in flags] == [STATE_UNKNOWN] * 2


async def test_budget_of_a_user_is_an_event_of_the_household(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await runtime_of(entry).store.budgets.set(Scope.USER, "somebody", NANO, Period.DAY)
    await spend(hass, entry, 0.9, user_id="somebody")
    await settle(hass)
    told = state_of(hass, "event.test_gateway_budget_alert").attributes
    assert (told["scope"], told["subject"], told["threshold"], told["period"]) == ("user", "somebody", 80, "day")


async def test_costs_of_several_currencies_are_shown_in_one(hass: HomeAssistant, provider: FakeProvider) -> None:
    hass.config.currency = "EUR"
    entry = await set_up(hass, gateway_with(box(provider)))
    await spend(hass, entry, 2.0, currency="USD")
    await settle(hass)
    cost = state_of(hass, "sensor.test_gateway_cost_total")
    assert (cost.state, cost.attributes["unit_of_measurement"]) == ("2.0", "USD")
    await spend(hass, entry, 3.0, currency="EUR")
    await settle(hass)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await settle(hass)
    cost = state_of(hass, "sensor.test_gateway_cost_total")
    assert (cost.state, cost.attributes["unit_of_measurement"]) == ("2.0", "USD")  # statistics are of one unit
    assert cost.attributes["other_currencies"] == {"EUR": 3.0}


async def test_rate_limited_sensor_is_on_for_a_minute(
    hass: HomeAssistant, entry: MockConfigEntry, hass_client_no_auth: ClientSessionGenerator
) -> None:
    flag = f"binary_sensor.{KEY_DEVICE}_rate_limited"
    await runtime_of(entry).store.keys.update(only_key(entry).id, requests_per_minute=1)
    client = await hass_client_no_auth()
    assert (await client.post(CHAT_PATH, json=CHAT, headers=bearer())).status == 200
    await settle(hass)
    assert value(hass, flag) == STATE_OFF
    assert value(hass, f"sensor.{KEY_DEVICE}_last_used") != STATE_UNKNOWN
    assert (await client.post(CHAT_PATH, json=CHAT, headers=bearer())).status == 429
    await settle(hass)
    assert (value(hass, flag), value(hass, "binary_sensor.test_gateway_rate_limited")) == (STATE_ON, STATE_ON)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=RATE_LIMITED_SECONDS + 1))
    await hass.async_block_till_done()
    assert (value(hass, flag), value(hass, "binary_sensor.test_gateway_rate_limited")) == (STATE_OFF, STATE_OFF)


async def test_rate_limited_sensor_of_a_backend_follows_retry_after(
    hass: HomeAssistant, provider: FakeProvider, entry: MockConfigEntry, hass_client_no_auth: ClientSessionGenerator
) -> None:
    flag = "binary_sensor.box_rate_limited"
    assert value(hass, flag) == STATE_OFF
    provider.answers = [refuse(429, "slowly")]
    client = await hass_client_no_auth()
    assert (await client.post(CHAT_PATH, json=CHAT, headers=bearer())).status >= 400
    await settle(hass)
    assert value(hass, flag) == STATE_ON
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(hours=2))
    await hass.async_block_till_done()
    assert value(hass, flag) == STATE_OFF


async def test_budget_exhausted_refuses_http_requests(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    entry = await set_up(hass, gateway_with(box(provider, input_price=1.0, output_price=1.0, cost="metered")))
    await use(hass, "set_value", "number.test_gateway_monthly_budget", value=0.01)
    await spend(hass, entry, 0.01)
    client = await hass_client_no_auth()
    answer = await client.post(CHAT_PATH, json=CHAT, headers=bearer())
    assert (answer.status, (await answer.json())["error"]["code"]) == (429, "budget_exceeded")


async def test_statistics_sensors_disabled_by_default_show_the_last_requests(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    key = only_key(entry)
    await spend(hass, entry, 0.5, key_id=key.id)
    await spend(hass, entry, 0.1, key_id=key.id, outcome=Outcome.ERROR, first_token=None)
    await settle(hass)
    shown = ("tokens_per_second", "time_to_first_token", "time_to_first_token_slowest_5", "error_rate", "cost_per_request")
    assert [float(found or "nan") for found in values(hass, KEY_DEVICE, *shown)] == pytest.approx([20 / 1.5, 0.5, 0.5, 50.0, 0.3])
    assert value(hass, f"sensor.{KEY_DEVICE}_cached_tokens") == "20"


def test_statistics_sensors_use_only_the_last_requests() -> None:
    recent = RecentRequests()
    assert (recent.tokens_per_second, recent.error_rate, recent.first_token(50)) == (None, None, None)

    def add(**fields: Any) -> None:
        recent.add(Generation("gen", 0.0, "http", "chat", "auto", **{"outcome": Outcome.OK, **fields}))

    for _ in range(RECENT_REQUESTS):
        add(outcome=Outcome.ERROR)
    assert recent.error_rate == 100.0
    for number in range(1, RECENT_REQUESTS + 1):
        add(first_token=number / 100, stream=True, duration=number / 100 + 1, usage=Usage(completion_tokens=30))
    assert (recent.error_rate, recent.first_token(50), recent.first_token(95)) == (0.0, 0.5, 0.95)
    assert recent.tokens_per_second == pytest.approx(30)
    add(outcome=Outcome.CANCELLED)
    assert recent.error_rate == 0.0


async def test_client_without_a_key_has_the_name_of_its_device(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator, device_registry: dr.DeviceRegistry
) -> None:
    options = {CONF_AUTH: "none", "networks": ["127.0.0.0/8"]}
    entry = await set_up(hass, gateway_with(box(provider), options=options, key=None))
    mac = (dr.CONNECTION_NETWORK_MAC, "00:00:5e:00:53:01")
    device_registry.async_get_or_create(config_entry_id=entry.entry_id, connections={mac}, name="Kitchen tablet")
    hass.states.async_set("device_tracker.tablet", "home", {"ip": "127.0.0.1", "mac": "00:00:5E:00:53:01"})
    hass.states.async_set("device_tracker.other", "home", {"ip": "192.0.2.7", "friendly_name": "Phone"})
    hass.states.async_set("device_tracker.none", "home", {"ip": "nowhere"})
    names = DeviceNames(hass)
    assert [names(address) for address in ("127.0.0.1", "192.0.2.7", "192.0.2.8")] == ["Kitchen tablet", "Phone", None]
    client = await hass_client_no_auth()
    answer = await client.post(CHAT_PATH, json=CHAT)
    assert answer.status == 200
    last = runtime_of(entry).coordinator.counts.last
    assert last is not None
    assert (last.caller, last.address) == ("Kitchen tablet", "127.0.0.1")


async def test_key_in_use_keeps_its_device(
    hass: HomeAssistant, entry: MockConfigEntry, device_registry: dr.DeviceRegistry
) -> None:
    device = device_registry.async_get_device_by_identifier(key_of(entry), entry.entry_id)
    assert device is not None
    assert not await async_remove_config_entry_device(hass, entry, device)
