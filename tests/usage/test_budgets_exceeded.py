"""A budget that does not pay for the next request is exceeded: event, sensors, alert, repair; a backend's limit, too."""

from typing import Any

from aiohttp.test_utils import TestClient
import pytest
from pytest_homeassistant_custom_component.common import async_mock_service
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.zeroconf_ai.const import CONF_MONTHLY_LIMIT, DOMAIN, SUBENTRY_BACKEND
from custom_components.zeroconf_ai.core.accounting.budget import Action, Scope
from custom_components.zeroconf_ai.core.accounting.periods import Period
from custom_components.zeroconf_ai.core.protocol.values import NANO
from custom_components.zeroconf_ai.issues import BUDGET_EXCEEDED
from homeassistant.components.repairs import RepairsFlowManager
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir

from ..gateway.test_entities import use
from ..repairs.test_repairs import mend, repairs
from ..support.fakes.provider import FakeProvider, running
from ..support.home_assistant.entries import set_up, settle
from ..support.home_assistant.gateway import box, gateway_with, post_chat, runtime_of
from ..support.home_assistant.states import state_of, value
from ..support.home_assistant.usage import spend
from .test_entities import backend_of

__all__ = ["repairs"]

pytestmark = pytest.mark.usefixtures("checked_texts", "ready_to_serve", "all_entities_enabled")

PAID: dict[str, Any] = {"input_price": 1.0, "output_price": 100.0, "cost": "metered"}


async def chat_status(client: TestClient[Any, Any]) -> int:
    """The status of a chat that costs at most 0.1."""
    return (await post_chat(client, max_tokens=1_000))[0]


def issue(hass: HomeAssistant, budget_id: str) -> ir.IssueEntry | None:
    return ir.async_get(hass).async_get_issue(DOMAIN, f"{BUDGET_EXCEEDED}_{budget_id}")


async def test_first_refusal_of_a_small_budget_is_event_sensor_alert_and_repair_once(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    sent = async_mock_service(hass, "notify", "phone")
    entry = await set_up(hass, gateway_with(box(provider, **PAID), options={"alerts": {"notify_actions": ["phone"]}}))
    await use(hass, "set_value", "number.test_gateway_monthly_budget", value=0.02)
    await spend(hass, entry, 0.015)
    await settle(hass)
    assert value(hass, "binary_sensor.test_gateway_budget_exceeded") == STATE_OFF
    client = await hass_client_no_auth()
    for _ in range(3):
        assert await chat_status(client) == 429
    await settle(hass)
    assert value(hass, "binary_sensor.test_gateway_budget_exceeded") == STATE_ON
    assert value(hass, "binary_sensor.test_gateway_budget_warning") == STATE_ON
    assert value(hass, "sensor.test_gateway_budget_left") == "25.0"
    happened = state_of(hass, "event.test_gateway_budget_alert")
    assert (happened.attributes["event_type"], happened.attributes["spent"]) == ("exceeded", 0.015)
    found = issue(hass, "household:month")
    assert found is not None
    await hass.async_block_till_done(wait_background_tasks=True)
    [alert] = sent
    assert alert.data["title"] == "AI budget: exceeded"
    assert "0.0150 of 0.0200 USD" in alert.data["message"].replace("EUR", "USD")
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert await chat_status(client) == 429
    await settle(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert len(sent) == 1
    assert value(hass, "binary_sensor.test_gateway_budget_exceeded") == STATE_ON
    await use(hass, "set_value", "number.test_gateway_monthly_budget", value=10)
    await settle(hass)
    assert (value(hass, "binary_sensor.test_gateway_budget_exceeded"), issue(hass, "household:month")) == (STATE_OFF, None)
    assert await chat_status(client) == 200


async def test_new_budget_leaves_a_free_backend_and_a_known_one_keeps_what_it_does(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    async with running(FakeProvider()) as second:
        await _new_and_known(hass, provider, second, hass_client_no_auth)


async def _new_and_known(
    hass: HomeAssistant, provider: FakeProvider, second: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    entry = await set_up(hass, gateway_with(box(provider, **PAID), box(second, "Free", cost="free")))
    budgets = runtime_of(entry).store.budgets
    await use(hass, "set_value", "number.test_gateway_monthly_budget", value=0.02)
    data = {"scope": "household", "period": "day", "amount": 0.02}
    await hass.services.async_call(DOMAIN, "set_budget", data, blocking=True)
    assert [budget.action for budget in budgets] == [Action.FREE_ONLY] * 2
    assert await chat_status(await hass_client_no_auth()) == 200
    assert second.requests
    await budgets.set(Scope.HOUSEHOLD, None, NANO, Period.MONTH, action=Action.REFUSE)
    await use(hass, "set_value", "number.test_gateway_monthly_budget", value=0.03)
    await budgets.set(Scope.HOUSEHOLD, None, NANO, Period.DAY, action=Action.REFUSE)
    await hass.services.async_call(DOMAIN, "set_budget", data, blocking=True)
    assert [budget.action for budget in budgets] == [Action.REFUSE] * 2


async def test_monthly_limit_of_a_backends_form_is_in_its_entities(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator, repairs: RepairsFlowManager
) -> None:
    entry = await set_up(hass, gateway_with(box(provider, **PAID, monthly_limit=2.0)))
    assert [value(hass, f"sensor.box_{name}") for name in ("budget", "budget_left")] == ["2.0", "100.0"]
    assert value(hass, "number.box_monthly_budget") == "2.0"
    assert value(hass, "binary_sensor.box_budget_exceeded") == STATE_OFF
    client = await hass_client_no_auth()
    await use(hass, "set_value", "number.box_monthly_budget", value=0.05)
    await hass.async_block_till_done()
    [subentry] = entry.get_subentries_of_type(SUBENTRY_BACKEND)
    assert subentry.data[CONF_MONTHLY_LIMIT] == 0.05
    assert await chat_status(client) >= 400
    await settle(hass)
    assert value(hass, "binary_sensor.box_budget_exceeded") == STATE_ON
    assert state_of(hass, "event.box_budget_alert").attributes["event_type"] == "exceeded"
    issue_id = f"limit:{backend_of(entry)}"
    found = issue(hass, issue_id)
    assert found is not None
    assert found.translation_placeholders is not None
    assert (found.translation_placeholders["name"], found.translation_placeholders["amount"]) == ("Box", "0.05")
    result = await mend(repairs, f"{BUDGET_EXCEEDED}_{issue_id}")
    result = await repairs.async_configure(result["flow_id"], {"next_step_id": "more"})
    result = await repairs.async_configure(result["flow_id"], {"amount": 5})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await settle(hass)
    [subentry] = entry.get_subentries_of_type(SUBENTRY_BACKEND)
    assert subentry.data[CONF_MONTHLY_LIMIT] == 5.0
    assert (issue(hass, issue_id), value(hass, "number.box_monthly_budget")) == (None, "5.0")
    assert await chat_status(client) == 200
    await use(hass, "set_value", "number.box_monthly_budget", value=0)
    await hass.async_block_till_done()
    [subentry] = entry.get_subentries_of_type(SUBENTRY_BACKEND)
    assert CONF_MONTHLY_LIMIT not in subentry.data
    assert value(hass, "sensor.box_budget") == STATE_UNKNOWN
