"""Alerts of budgets and API keys, and the repair of an exhausted budget."""

from collections.abc import AsyncIterator
from datetime import datetime
import logging
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed, async_mock_service

from custom_components.zeroconf_ai.const import DOMAIN
from custom_components.zeroconf_ai.core.accounting.budget import Scope
from custom_components.zeroconf_ai.core.accounting.keys.key_watch import LEAST_REQUESTS
from custom_components.zeroconf_ai.core.accounting.periods import Period
from custom_components.zeroconf_ai.core.accounting.storage.database import DatabaseError
from custom_components.zeroconf_ai.core.alerts.alert import loss_alert, provider_alert
from custom_components.zeroconf_ai.core.alerts.webhook import is_webhook
from custom_components.zeroconf_ai.core.protocol.values import NANO
from custom_components.zeroconf_ai.issues import BUDGET_EXCEEDED
from homeassistant.components import persistent_notification
from homeassistant.components.repairs import RepairsFlowManager
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util

from ..repairs.test_repairs import mend, repairs
from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway import box, gateway_with, runtime_of
from ..support.home_assistant.states import state_of
from ..support.home_assistant.usage import only_key, spend

__all__ = ["repairs"]

pytestmark = pytest.mark.usefixtures("checked_texts", "ready_to_serve")

ISSUE = f"{BUDGET_EXCEEDED}_household:month"


class Hook:
    """What a webhook got."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.status = 200
        self.url = ""

    async def __call__(self, request: web.Request) -> web.Response:
        self.got.append(await request.json())
        return web.Response(status=self.status)


@pytest.fixture
async def hook(socket_enabled: None) -> AsyncIterator[Hook]:
    """A webhook on 127.0.0.1."""
    found = Hook()
    app = web.Application()
    app.router.add_post("/hook", found)
    async with TestServer(app) as server:
        found.url = str(server.make_url("/hook"))
        yield found


async def with_alerts(hass: HomeAssistant, **alerts: Any) -> MockConfigEntry:
    """A gateway with a household budget of 1 a month."""
    hass.config.currency = "USD"
    entry = await set_up(hass, gateway_with(options={"alerts": alerts}))
    await runtime_of(entry).store.budgets.set(Scope.HOUSEHOLD, None, NANO, Period.MONTH)
    return entry


async def done(hass: HomeAssistant) -> None:
    await hass.async_block_till_done(wait_background_tasks=True)


def issue(hass: HomeAssistant) -> ir.IssueEntry | None:
    return ir.async_get(hass).async_get_issue(DOMAIN, ISSUE)


async def test_alert_of_each_threshold_is_sent_once(hass: HomeAssistant, hook: Hook) -> None:
    sent: list[ServiceCall] = async_mock_service(hass, "notify", "send_message")
    phone: list[ServiceCall] = async_mock_service(hass, "notify", "mobile_app_phone")
    entry = await with_alerts(
        hass, notify_entities=["notify.family"], notify_actions=["mobile_app_phone"], webhook_url=hook.url, alert_from=80
    )
    await spend(hass, entry, 0.5)
    await done(hass)
    assert (sent, phone, hook.got) == ([], [], [])
    for _ in range(2):
        await spend(hass, entry, 0.2)
        await done(hass)
    assert [call.data["entity_id"] for call in sent] == ["notify.family"]
    assert "0.90 of 1.00 USD of Test gateway's budget for this month" in phone[0].data["message"]
    [facts] = hook.got
    assert (facts["event"], facts["threshold"], facts["spent"], facts["currency"]) == ("budget_threshold", 80, 0.9, "USD")
    await spend(hass, entry, 0.3)
    await done(hass)
    assert [facts["event"] for facts in hook.got] == ["budget_threshold", "budget_exceeded"]
    assert (len(sent), len(phone)) == (2, 2)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await done(hass)
    assert (len(sent), len(hook.got)) == (2, 2)  # nor after a restart


async def test_alert_of_several_thresholds_is_sent_for_the_highest(hass: HomeAssistant, hook: Hook) -> None:
    entry = await with_alerts(hass, webhook_url=hook.url)
    await spend(hass, entry, 3.0)
    await done(hass)
    assert [facts["threshold"] for facts in hook.got] == [100]


async def test_alert_below_the_minimum_threshold_is_not_sent(hass: HomeAssistant, hook: Hook) -> None:
    entry = await with_alerts(hass, webhook_url=hook.url, alert_from=100)
    await spend(hass, entry, 0.9)
    await done(hass)
    assert hook.got == []


async def test_alert_failure_is_logged_and_does_not_affect_others(
    hass: HomeAssistant, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: ServiceCall) -> None:
        raise HomeAssistantError("the phone is off")

    async def break_down(_: ServiceCall) -> None:
        raise RuntimeError("out of order")

    hass.services.async_register("notify", "phone", fail)
    hass.services.async_register("notify", "broken", break_down)
    hook.status = 403
    entry = await with_alerts(hass, notify_actions=["phone", "broken", "nobody"], webhook_url=f"{hook.url}?token=secret")
    with caplog.at_level(logging.WARNING):
        await spend(hass, entry, 1.0)
        await done(hass)
    assert len(hook.got) == 1
    for said in ("notify.phone: the phone is off", "notify.broken", "notify.nobody", "127.0.0.1: status 403"):
        assert said in caplog.text
    assert "secret" not in caplog.text
    caplog.clear()
    hass.config_entries.async_update_entry(entry, options={"alerts": {"webhook_url": "http://127.0.0.1:9/hook?token=secret"}})
    await runtime_of(entry).store.budgets.set(Scope.HOUSEHOLD, None, NANO, Period.DAY)
    await done(hass)
    assert "could not be sent by 127.0.0.1: no connection" in caplog.text
    assert "secret" not in caplog.text


def test_alert_webhook_without_tls_must_be_local() -> None:
    for good in (
        "https://hooks.example.net/x",
        "http://192.168.1.5:8080/",
        "http://nas/hook",
        "http://nas.local",
        "http://[fd00::1]/",
    ):
        assert is_webhook(good)
    for wrong in ("http://hooks.example.net/", "http://8.8.8.8/", "ftp://nas.local/", "nas.local", "https://", "http://[::1", ""):
        assert not is_webhook(wrong)


async def test_budget_exhausted_is_a_repair_until_it_renews(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    freezer.move_to("2026-10-31T20:00:00+00:00")
    entry = await set_up(hass, gateway_with())
    await runtime_of(entry).store.budgets.set(Scope.HOUSEHOLD, None, NANO, Period.MONTH)
    await spend(hass, entry, 0.9)
    await done(hass)
    assert issue(hass) is None
    await spend(hass, entry, 0.2)
    await done(hass)
    found = issue(hass)
    assert found is not None
    assert found.translation_placeholders == {
        "name": "Test gateway",
        "amount": "1.00",
        "currency": "USD",
        "renews": "2026-11-01",
    }
    moment = datetime(2026, 11, 1, tzinfo=dt_util.get_default_time_zone())
    freezer.move_to(moment)
    async_fire_time_changed(hass, moment)
    await done(hass)
    assert issue(hass) is None
    await hass.config_entries.async_unload(entry.entry_id)


async def exceed(hass: HomeAssistant) -> MockConfigEntry:
    entry = await with_alerts(hass)
    await spend(hass, entry, 2.0)
    await done(hass)
    assert issue(hass) is not None
    return entry


async def choose(repairs: RepairsFlowManager, step: str) -> Any:
    """Open the repair, and choose a way out."""
    result = await mend(repairs, ISSUE)
    assert (result["type"], result["menu_options"]) == (FlowResultType.MENU, ["more", "reset", "wait"])
    return await repairs.async_configure(result["flow_id"], {"next_step_id": step})


async def test_budget_repair_raises_the_budget(hass: HomeAssistant, repairs: RepairsFlowManager) -> None:
    entry = await exceed(hass)
    result = await choose(repairs, "more")
    result = await repairs.async_configure(result["flow_id"], {"amount": 2})
    assert result["errors"] == {"amount": "amount_spent"}
    result = await repairs.async_configure(result["flow_id"], {"amount": 5})
    await done(hass)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    [budget] = runtime_of(entry).store.budgets
    assert (budget.amount, issue(hass)) == (5 * NANO, None)
    await spend(hass, entry, 3.0)
    await done(hass)
    assert issue(hass) is not None


async def test_budget_repair_resets_the_budget(hass: HomeAssistant, repairs: RepairsFlowManager) -> None:
    entry = await exceed(hass)
    result = await choose(repairs, "reset")
    await done(hass)
    assert (result["type"], issue(hass)) == (FlowResultType.CREATE_ENTRY, None)
    assert runtime_of(entry).store.budgets.state("household:month").spent == 0


async def test_budget_repair_waits_until_it_renews(hass: HomeAssistant, repairs: RepairsFlowManager) -> None:
    entry = await exceed(hass)
    result = await choose(repairs, "wait")
    assert result["reason"] == "waiting"
    assert await hass.config_entries.async_reload(entry.entry_id)
    await done(hass)
    found = issue(hass)
    assert found is not None
    assert found.dismissed_version is not None


async def test_budget_repair_failure_is_reported(
    hass: HomeAssistant, repairs: RepairsFlowManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = await exceed(hass)
    budgets = runtime_of(entry).store.budgets

    async def fail(*_: object, **__: object) -> None:
        raise DatabaseError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(budgets, "reset", fail)
        patched.setattr(budgets, "set", fail)
        assert (await choose(repairs, "reset"))["reason"] == "budget_not_saved"
        result = await choose(repairs, "more")
        result = await repairs.async_configure(result["flow_id"], {"amount": 5})
        assert result["reason"] == "budget_not_saved"
    opened = await mend(repairs, ISSUE)
    monkeypatch.setattr("custom_components.zeroconf_ai.issues.budget_fine", lambda *_: None)  # the flow was faster
    await budgets.remove("household:month")
    assert (await repairs.async_configure(opened["flow_id"], {"next_step_id": "reset"}))["reason"] == "gone"


async def test_budget_repair_is_removed_with_the_gateway(hass: HomeAssistant, repairs: RepairsFlowManager) -> None:
    entry = await exceed(hass)
    await runtime_of(entry).store.budgets.set(Scope.KEY, only_key(entry).id, 0, Period.DAY)
    await done(hass)
    await hass.config_entries.async_remove(entry.entry_id)
    await done(hass)
    assert not [key for domain, key in ir.async_get(hass).issues if domain == DOMAIN]
    assert not [file.name for file in (await _files(hass)) if file.name.startswith("zeroconf_ai.db")]


async def _files(hass: HomeAssistant) -> list[Any]:
    return await hass.async_add_executor_job(lambda: list(Path(hass.config.config_dir).iterdir()))


async def unusual(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """As many requests of a key that is ten days old as are reported, and one more."""
    key = only_key(entry)
    object.__setattr__(key, "created", key.created - 10 * 86_400)
    await runtime_of(entry).key_watch.refresh()
    for _ in range(LEAST_REQUESTS + 1):
        await spend(hass, entry, None, key_id=key.id)
    await done(hass)


async def test_unusual_use_of_a_key_is_sent_once_and_an_event(
    hass: HomeAssistant, hook: Hook, all_entities_enabled: None
) -> None:
    phone: list[ServiceCall] = async_mock_service(hass, "notify", "mobile_app_phone")
    entry = await set_up(
        hass, gateway_with(options={"alerts": {"notify_actions": ["mobile_app_phone"], "webhook_url": hook.url}})
    )
    await unusual(hass, entry)
    [facts] = hook.got
    assert (facts["event"], facts["name"], facts["requests"]) == ("key_unusual_use", "First key", LEAST_REQUESTS)
    assert (facts["key"], facts["usual_requests"]) == (only_key(entry).id, 0.0)
    assert f"The API key First key made {LEAST_REQUESTS} requests" in phone[0].data["message"]
    assert len(phone) == 1
    told = state_of(hass, "event.test_gateway_api_key_alert").attributes
    assert (told["event_type"], told["name"], told["requests"]) == ("unusual_use", "First key", LEAST_REQUESTS)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await spend(hass, entry, None, key_id=only_key(entry).id)
    await done(hass)
    assert len(hook.got) == 1


async def test_unusual_use_of_a_key_without_notifiers_is_a_notification_of_home_assistant(hass: HomeAssistant) -> None:
    entry = await set_up(hass, gateway_with())
    await runtime_of(entry).store.keys.update(only_key(entry).id, name="**Phone**")
    await unusual(hass, entry)
    [found] = persistent_notification._async_get_or_create_notifications(hass).values()
    assert found["title"] == "AI API key: unusual use"
    assert r"\*\*Phone\*\*" in found["message"]


async def test_unusual_use_turned_off_is_not_sent(hass: HomeAssistant, hook: Hook) -> None:
    entry = await set_up(hass, gateway_with(options={"alerts": {"webhook_url": hook.url, "key_factor": 0}}))
    await unusual(hass, entry)
    assert hook.got == []


async def test_alert_of_a_provider_that_stops_answering_is_sent_where_it_is_wanted(
    hass: HomeAssistant, hook: Hook, provider: FakeProvider
) -> None:
    alerts = {"webhook_url": hook.url, "alert_kinds": ["provider_down", "provider_up", "provider_discovered"]}
    entry = await set_up(hass, gateway_with(box(provider), options={"alerts": alerts}))
    alert = provider_alert([("a", "Box", None)], up=False)
    assert runtime_of(entry).alerts.dispatcher.notify(alert)
    await done(hass)
    assert [facts["event"] for facts in hook.got] == ["provider_down"]
    hass.config_entries.async_update_entry(entry, options={"alerts": alerts | {"alert_kinds": []}})
    await done(hass)
    assert not runtime_of(entry).alerts.dispatcher.notify(provider_alert([("b", "Box", None)], up=False))


async def test_alert_of_lost_records_is_a_notification_without_notifiers(hass: HomeAssistant) -> None:
    entry = await with_alerts(hass, alert_kinds=["records_lost"])
    assert runtime_of(entry).alerts.dispatcher.notify(loss_alert())
    await done(hass)
    shown = persistent_notification._async_get_or_create_notifications(hass)
    assert "lost or damaged" in shown["zeroconf_ai_records_lost"]["message"]
