"""Budgets, alerts, database and the limits of keys in the gateway's options."""

from collections.abc import Mapping
import json
from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.zeroconf_ai.core.accounting.admission import RateLimits
from custom_components.zeroconf_ai.core.accounting.budget import Action, Budget, Scope
from custom_components.zeroconf_ai.core.accounting.budgets.budget_store import BudgetStore
from custom_components.zeroconf_ai.core.accounting.conversations.conversation import Owner, Role
from custom_components.zeroconf_ai.core.accounting.periods import Period
from custom_components.zeroconf_ai.core.accounting.storage.database import DatabaseError
from custom_components.zeroconf_ai.core.protocol.values import NANO
from custom_components.zeroconf_ai.diagnostics import async_get_config_entry_diagnostics
from custom_components.zeroconf_ai.gateway.own_keys import own_keys_of
from custom_components.zeroconf_ai.usage.database import CONF_DATABASE_URL, DATABASE_FILE
from homeassistant.auth.const import GROUP_ID_ADMIN, GROUP_ID_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway import box, gateway_with, post_chat, runtime_of
from ..support.home_assistant.usage import only_key, spend
from .options import begin, submit, suggested, with_key

pytestmark = pytest.mark.usefixtures("checked_texts", "ready_to_serve")

FIELDS = {"amount": 5, "action": "refuse", "thresholds": ["80", "100"]}


@pytest.fixture
async def entry(hass: HomeAssistant, provider: FakeProvider) -> MockConfigEntry:
    """A gateway with one key and one backend."""
    return await set_up(hass, gateway_with(box(provider)))


@pytest.fixture
def budgets(entry: MockConfigEntry) -> BudgetStore:
    return runtime_of(entry).store.budgets


async def open_budget(hass: HomeAssistant, entry: MockConfigEntry, choice: str) -> Mapping[str, Any]:
    return await submit(hass, await begin(hass, entry, "budgets"), {"id": choice})


async def test_budget_form_creates_budgets_of_each_scope(
    hass: HomeAssistant, entry: MockConfigEntry, budgets: BudgetStore, hass_admin_user: MockUser
) -> None:
    result = await open_budget(hass, entry, "new")
    owners = [option["value"] for option in result["data_schema"].schema["whose"].config["options"]]
    backend = f"backend:{next(iter(entry.subentries))}"
    assert owners == ["household", backend, f"key:{only_key(entry).id}", f"user:{hass_admin_user.id}"]
    for owner in owners:
        result = await open_budget(hass, entry, "new")
        result = await submit(hass, result, FIELDS | {"whose": owner, "period": "week", "action": "free_only"})
        assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")
    assert {budget.scope for budget in budgets} == set(Scope)
    assert {(budget.amount, budget.period, budget.action) for budget in budgets} == {(5 * NANO, Period.WEEK, Action.FREE_ONLY)}
    result = await submit(hass, await open_budget(hass, entry, "new"), FIELDS | {"whose": backend, "period": "week"})
    assert result["errors"] == {"base": "budget_taken"}


async def test_budget_form_thresholds_that_are_no_percentages_are_refused(
    hass: HomeAssistant, entry: MockConfigEntry, budgets: BudgetStore
) -> None:
    result = await open_budget(hass, entry, "new")
    for wrong in (["0"], ["101"], ["half"]):
        result = await submit(hass, result, FIELDS | {"whose": "household", "period": "day", "thresholds": wrong})
        assert result["errors"] == {"base": "threshold_invalid"}
    result = await submit(hass, result, FIELDS | {"whose": "household", "period": "day", "thresholds": ["75 %", "5"]})
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")
    assert [budget.thresholds for budget in budgets] == [(5, 75)]


async def test_budget_form_lists_changes_resets_and_removes(
    hass: HomeAssistant, entry: MockConfigEntry, budgets: BudgetStore
) -> None:
    result = await begin(hass, entry, "budgets")
    assert result["description_placeholders"] == {"budgets": "| – | – | – | – | – |"}
    budget = await budgets.set(Scope.HOUSEHOLD, None, 2 * NANO, Period.MONTH)
    await spend(hass, entry, 0.5)
    result = await begin(hass, entry, "budgets")
    assert "| Test gateway | 2.00 | month | 0.50 (25 %) |" in result["description_placeholders"]["budgets"]
    result = await submit(hass, result, {"id": budget.id})
    assert suggested(result) == {"amount": 2.0, "action": "free_only", "thresholds": ["80", "100"]}
    before = dict(entry.options)
    result = await submit(hass, result, FIELDS | {"reset": True, "remove": False})
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")
    assert dict(entry.options) == before
    state = budgets.state(budget.id)
    assert (state.budget.amount, state.spent) == (5 * NANO, 0)
    result = await submit(
        hass, await open_budget(hass, entry, budget.id), FIELDS | {"thresholds": ["x"], "reset": False, "remove": False}
    )
    assert result["errors"] == {"base": "threshold_invalid"}
    result = await submit(hass, result, FIELDS | {"reset": False, "remove": True})
    assert list(budgets) == []


async def test_budget_form_removed_budget_or_failed_save_aborts_with_the_reason(
    hass: HomeAssistant, entry: MockConfigEntry, budgets: BudgetStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = await budgets.set(Scope.HOUSEHOLD, None, 2 * NANO, Period.MONTH)
    result = await begin(hass, entry, "budgets")
    opened = await open_budget(hass, entry, budget.id)
    await budgets.remove(budget.id)
    assert (await submit(hass, result, {"id": budget.id}))["reason"] == "budget_gone"
    assert (await submit(hass, opened, FIELDS | {"reset": False, "remove": True}))["reason"] == "budget_gone"

    async def fail(*_: object, **__: object) -> Budget:
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(budgets, "set", fail)
    result = await submit(hass, await open_budget(hass, entry, "new"), FIELDS | {"whose": "household", "period": "day"})
    assert result["reason"] == "budget_not_saved"
    await hass.config_entries.async_unload(entry.entry_id)
    assert (await begin(hass, entry, "budgets"))["reason"] == "entry_not_loaded"


async def test_key_form_sets_limits_and_a_budget(hass: HomeAssistant, entry: MockConfigEntry, budgets: BudgetStore) -> None:
    key = only_key(entry)
    fields = {"name": "First key", "background": False, "enabled": True}
    limits = {"requests_per_minute": 10, "tokens_per_minute": 2000, "parallel": 2, "monthly_budget": 3}
    result = await submit(hass, await with_key(hass, entry, key.id, "key_edit"), fields | limits)
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")
    assert only_key(entry).rates == RateLimits(10, 2000, 2)
    [budget] = budgets.of(Scope.KEY, key.id)
    await budgets.set(Scope.KEY, key.id, budget.amount, Period.MONTH, action=Action.FREE_ONLY, thresholds=(10,))
    result = await with_key(hass, entry, key.id, "key_edit")
    assert limits.items() <= suggested(result).items()
    await submit(hass, result, fields | limits | {"monthly_budget": 4})
    [budget] = budgets
    assert (budget.amount, budget.action, budget.thresholds) == (4 * NANO, Action.FREE_ONLY, (10,))
    await submit(hass, await with_key(hass, entry, key.id, "key_edit"), fields)
    assert (only_key(entry).rates, list(budgets)) == (RateLimits(), [])
    result = await submit(hass, await begin(hass, entry, "keys"), {"id": "new"})
    result = await submit(hass, result, {"name": "Phone", "background": False, "parallel": 1, "monthly_budget": 1})
    assert result["step_id"] == "key_shown"
    assert [budget.amount for budget in budgets] == [NANO]


async def test_key_form_sets_offers_and_removes_labels(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    key = only_key(entry)
    fields = {"name": "First key", "background": False, "enabled": True}
    await submit(hass, await with_key(hass, entry, key.id, "key_edit"), fields | {"labels": ["Kitchen", " Tablet "]})
    assert only_key(entry).labels == ("Kitchen", "Tablet")
    result = await with_key(hass, entry, key.id, "key_edit")
    assert suggested(result)["labels"] == ["Kitchen", "Tablet"]
    result = await submit(hass, result, fields | {"labels": ["a,b"]})
    assert result["errors"] == {"base": "labels_invalid"}
    await submit(hass, result, fields)
    assert only_key(entry).labels == ()


async def test_key_form_grants_and_removes_hosted_tools(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    key = only_key(entry)
    fields = {"name": "First key", "background": False, "enabled": True}
    form = await with_key(hass, entry, key.id, "key_edit")
    await submit(hass, form, fields | {"hosted_tools": ["mcp", "web_search"]})
    assert only_key(entry).hosted_tools == ("web_search", "mcp")
    result = await with_key(hass, entry, key.id, "key_edit")
    assert suggested(result)["hosted_tools"] == ["web_search", "mcp"]
    await submit(hass, result, fields)
    assert only_key(entry).hosted_tools == ()


async def test_own_keys_form_stores_what_users_may_do(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    administrator = await hass.auth.async_create_user("Anna", group_ids=[GROUP_ID_ADMIN])
    user = await hass.auth.async_create_user("Bo", group_ids=[GROUP_ID_USER])
    result = await begin(hass, entry, "own_keys")
    assert result["data_schema"]({}) == {"limit": 0, "background": False, "home_only": False}
    offered = result["data_schema"].schema["blocked"].config["options"]
    assert user.id in {option["value"] for option in offered}
    assert administrator.id not in {option["value"] for option in offered}
    given = {"limit": 2, "models": ["test-*"], "background": False, "parallel": 1, "monthly_budget": 2.5, "blocked": [user.id]}
    result = await submit(hass, result, given)
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")
    policy = own_keys_of(hass)
    assert (policy.limit, policy.models, policy.parallel, policy.monthly_budget) == (2, ("test-*",), 1, 2_500_000_000)
    assert policy.blocked == {user.id}
    assert given.items() <= suggested(await begin(hass, entry, "own_keys")).items()


async def test_alert_form_stores_targets_and_refuses_an_insecure_webhook(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    hass.services.async_register("notify", "mobile_app_phone", lambda _: None)
    before = dict(entry.options)
    result = await begin(hass, entry, "alerts")
    assert result["data_schema"].schema["notify_actions"].config["options"] == ["mobile_app_phone"]
    assert suggested(result) == {}
    kinds = result["data_schema"]({})["alert_kinds"]
    assert kinds == ["budget_threshold", "budget_exceeded", "key_unusual_use"]
    wanted = {
        "notify_entities": ["notify.family"],
        "notify_actions": ["mobile_app_phone"],
        "alert_kinds": [*kinds, "provider_down"],
        "alert_from": 90,
        "key_factor": 8,
    }
    result = await submit(hass, result, wanted | {"webhook_url": "http://hooks.example.net/x"})
    assert result["errors"] == {"webhook_url": "webhook_invalid"}
    result = await submit(hass, result, wanted | {"webhook_url": " https://hooks.example.net/x "})
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")
    assert entry.options == before | {"alerts": wanted | {"webhook_url": "https://hooks.example.net/x"}}
    diagnostics = str(await async_get_config_entry_diagnostics(hass, entry))
    assert "hooks.example.net" not in diagnostics
    result = await begin(hass, entry, "alerts")
    assert suggested(result) == wanted | {"webhook_url": "https://hooks.example.net/x"}
    await submit(hass, result, {"alert_from": 80})
    assert entry.options["alerts"] == {"alert_kinds": kinds, "alert_from": 80, "key_factor": 5}


async def test_database_form_tests_another_database_first(hass: HomeAssistant, entry: MockConfigEntry, tmp_path: Path) -> None:
    store = runtime_of(entry).store
    result = await begin(hass, entry, "database")
    kept = {"keep_days": 30, "keep_bodies": False}
    for wrong in (
        "mysql://nas/ai",
        "sqlite:///",
        f"sqlite:///{tmp_path / DATABASE_FILE}/ai.db",
        "postgresql://me:secret@127.0.0.1:9/ai",
    ):
        result = await submit(hass, result, kept | {"database_url": wrong})
        assert result["errors"] == {"base": "database_invalid"}
        assert "secret" not in result["description_placeholders"]["reason"]
    url = f"sqlite:///{tmp_path / 'other.db'}"
    result = await submit(hass, result, kept | {"database_url": url})
    await hass.async_block_till_done()
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")
    assert (entry.options[CONF_DATABASE_URL], entry.options["keep_days"]) == (url, 30)
    assert runtime_of(entry).store is not store  # loaded again
    assert (tmp_path / "other.db").exists()
    assert list(runtime_of(entry).store.keys) == []
    await submit(hass, await begin(hass, entry, "database"), kept)
    await hass.async_block_till_done()
    assert CONF_DATABASE_URL not in entry.options
    assert only_key(entry).name == "First key"


async def test_database_form_sets_how_long_conversations_are_kept(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    owner = Owner(user_id="anna")
    kept = {"keep_days": 7, "keep_bodies": False}
    for days, left in ((None, 1), (365, 1), (2, 0)):
        fields = kept if days is None else kept | {"keep_chats_days": days}
        await submit(hass, await begin(hass, entry, "database"), fields)
        await hass.async_block_till_done()
        store = runtime_of(entry).store
        assert entry.options["keep_chats_days"] == (days or 90)
        made = await store.conversations.create(owner, source="page")
        await store.conversations.append(owner, made.id, Role.USER, "Hello")
        await store._database.write(
            lambda connection: connection.exec_driver_sql("UPDATE conversations SET last_used = last_used - 3 * 86400")
        )
        await store.tidy()
        assert len((await store.conversations.conversations(owner)).items) == left
        if left:
            await store.conversations.delete(owner, made.id)


async def test_entry_removed_deletes_default_database_files_and_keeps_a_configured_one(
    hass: HomeAssistant, tmp_path: Path
) -> None:
    entry = await set_up(hass, gateway_with(options={CONF_DATABASE_URL: f"sqlite:///{tmp_path / 'mine.db'}"}))
    (tmp_path / f"{DATABASE_FILE}.before-0001").touch()
    (tmp_path / "zeroconf_ai.yaml").touch()
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert (tmp_path / "mine.db").exists()
    assert (tmp_path / "zeroconf_ai.yaml").exists()
    assert not (tmp_path / f"{DATABASE_FILE}.before-0001").exists()


async def test_database_form_stores_prompts_only_if_enabled(
    hass: HomeAssistant, entry: MockConfigEntry, hass_client_no_auth: ClientSessionGenerator
) -> None:
    client = await hass_client_no_auth()

    async def chat_id(*, stream: bool) -> str:
        assert (await post_chat(client, stream=stream))[0] == 200
        last = runtime_of(entry).coordinator.counts.last
        assert last is not None
        return last.id

    assert await runtime_of(entry).store.exchanges.get(await chat_id(stream=True)) is None
    await submit(hass, await begin(hass, entry, "database"), {"keep_days": 1, "keep_bodies": True})
    await hass.async_block_till_done()
    whole, streamed = await chat_id(stream=False), await chat_id(stream=True)
    kept = await runtime_of(entry).store.exchanges.get(streamed)
    assert kept is not None
    assert "Hello" in kept[0]
    found = await runtime_of(entry).store.exchanges.get(whole)
    assert found is not None
    assert kept[1]
    assert json.loads(found[1])["choices"][0]["message"]["content"] == kept[1]
    await submit(hass, await begin(hass, entry, "database"), {"keep_days": 1, "keep_bodies": False})
    await hass.async_block_till_done()
    assert await runtime_of(entry).store.exchanges.get(streamed) is None  # stored prompts are deleted
