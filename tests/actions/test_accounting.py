"""The actions of accounting: usage export, budgets, deletion of personal data."""

import json
from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
import voluptuous as vol

from custom_components.zeroconf_ai.actions.accounting import MOST_ROWS
from custom_components.zeroconf_ai.const import DOMAIN
from custom_components.zeroconf_ai.core.accounting.budget import Action, Scope
from custom_components.zeroconf_ai.core.accounting.periods import Period
from custom_components.zeroconf_ai.core.accounting.storage.database import DatabaseError
from custom_components.zeroconf_ai.core.protocol.values import NANO
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized

from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway import box, gateway_with, runtime_of
from ..support.home_assistant.usage import only_key, spend
from .test_keys import call, do

pytestmark = pytest.mark.usefixtures("ready_to_serve")


@pytest.fixture
async def entry(hass: HomeAssistant, provider: FakeProvider) -> MockConfigEntry:
    """A gateway with one key and one backend."""
    return await set_up(hass, gateway_with(box(provider)))


async def refused(hass: HomeAssistant, action: str, /, **data: Any) -> str | None:
    """Why an action does nothing."""
    with pytest.raises(ServiceValidationError) as raised:
        await do(hass, action, **data)
    return raised.value.translation_key


async def test_export_usage_groups_by_each_criterion(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    key = only_key(entry)
    await spend(hass, entry, 0.25, key_id=key.id, model="=cmd")
    await spend(hass, entry, 0.5)
    today = runtime_of(entry).store.totals.date
    told = await call(hass, "export_usage")
    assert (told["from"], told["to"]) == (today.replace(day=1).isoformat(), today.isoformat())
    [day] = told["usage"]
    assert (day["day"], day["requests"], day["cost"]) == (today.isoformat(), 2, {"USD": 0.75})
    by_key = (await call(hass, "export_usage", group_by=["key"]))["usage"]
    assert {row["key"]: row["cost"] for row in by_key} == {key.id: {"USD": 0.25}, "": {"USD": 0.5}}
    lines = (await call(hass, "export_usage", group_by=["model"], format="csv"))["csv"].splitlines()
    assert lines[0].split(",")[:2] == ["model", "requests"]
    assert any(line.startswith("'=cmd,1") for line in lines)
    nothing = await call(hass, "export_usage", **{"from": "2020-01-01", "to": "2020-01-31"}, format="csv")
    assert len(nothing["csv"].splitlines()) == 1


async def test_export_usage_writes_a_file_in_an_allowed_folder(
    hass: HomeAssistant, entry: MockConfigEntry, tmp_path: Path
) -> None:
    await spend(hass, entry, 0.5)
    (tmp_path / "www").mkdir()
    hass.config.allowlist_external_dirs = {str(tmp_path / "www")}
    told = await call(hass, "export_usage", file="www/usage.csv", format="csv")
    assert (told["rows"], Path(told["file"])) == (1, tmp_path / "www" / "usage.csv")
    assert (tmp_path / "www" / "usage.csv").read_text().splitlines()[1].endswith("0.5")
    await do(hass, "export_usage", file="www/usage.json")
    [line] = (tmp_path / "www" / "usage.json").read_text().splitlines()
    assert json.loads(line)["requests"] == 1
    for file in ("usage.csv", "/etc/usage.csv", "www/none/usage.csv", "www/usage.html"):
        assert await refused(hass, "export_usage", file=file) == "file_not_allowed"
    with pytest.raises(vol.Invalid):
        await do(hass, "export_usage", file="www/../secrets.csv")
    assert await refused(hass, "export_usage") == "file_or_answer"
    assert await refused(hass, "export_usage", **{"from": "2026-02-01", "to": "2026-01-01"}) == "period_reversed"
    (tmp_path / "www" / "taken.csv").mkdir()
    with pytest.raises(HomeAssistantError, match="taken"):
        await do(hass, "export_usage", file="www/taken.csv")


async def test_export_usage_response_has_a_maximum_of_rows(
    hass: HomeAssistant, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.zeroconf_ai.actions.accounting.MOST_ROWS", 1)
    assert MOST_ROWS > 1
    await spend(hass, entry, 0.5, model="one")
    await spend(hass, entry, 0.5, model="two")
    with pytest.raises(ServiceValidationError) as raised:
        await call(hass, "export_usage", group_by="model")
    assert raised.value.translation_key == "too_many_rows"


async def test_budget_action_creates_changes_and_resets(
    hass: HomeAssistant, entry: MockConfigEntry, hass_admin_user: MockUser
) -> None:
    budgets = runtime_of(entry).store.budgets
    await do(hass, "set_budget", scope="household", amount=5)
    await do(hass, "set_budget", scope="key", subject="first key", amount=1, period="week", action="free_only", thresholds=[50])
    await do(hass, "set_budget", scope="user", subject=hass_admin_user.id, amount=2, period="day")
    await do(hass, "set_budget", scope="backend", subject="Box", amount=3)
    assert {(budget.scope, budget.amount // NANO, budget.period) for budget in budgets} == {
        (Scope.HOUSEHOLD, 5, Period.MONTH),
        (Scope.KEY, 1, Period.WEEK),
        (Scope.USER, 2, Period.DAY),
        (Scope.BACKEND, 3, Period.MONTH),
    }
    await do(hass, "set_budget", scope="key", subject=only_key(entry).id, amount=4, period="week")
    [budget] = budgets.of(Scope.KEY, only_key(entry).id)
    assert (budget.amount, budget.action, budget.thresholds) == (4 * NANO, Action.FREE_ONLY, (50,))
    await spend(hass, entry, 1.0)
    assert budgets.state("household:month").spent == NANO
    await do(hass, "reset_budget", Context(user_id=hass_admin_user.id), scope="household")
    assert budgets.state("household:month").spent == 0
    [act, *_] = await runtime_of(entry).store.audit.list()
    assert (act.act, act.actor, act.subject) == ("budget.reset", hass_admin_user.id, "household:month")


async def test_budget_action_with_invalid_data_reports_the_error(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await runtime_of(entry).store.keys.create("First key")
    assert await refused(hass, "set_budget", scope="household", subject="me", amount=1) == "household_needs_no_name"
    assert await refused(hass, "set_budget", scope="key", amount=1) == "name_needed"
    assert await refused(hass, "set_budget", scope="key", subject="First key", amount=1) == "ambiguous_name"
    assert await refused(hass, "set_budget", scope="backend", subject="Attic", amount=1) == "unknown_name"
    assert await refused(hass, "reset_budget", scope="household") == "unknown_budget"
    for wrong in ({"amount": -1}, {"amount": 1, "thresholds": [101]}, {"amount": 1, "period": "year"}):
        with pytest.raises(vol.Invalid):
            await do(hass, "set_budget", scope="household", **wrong)


async def test_forget_action_deletes_the_data_of_a_key(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    store, key = runtime_of(entry).store, only_key(entry)
    await do(hass, "set_budget", scope="key", subject="First key", amount=1)
    await spend(hass, entry, 0.5, key_id=key.id)
    await do(hass, "forget", key="First key")
    await hass.async_block_till_done()
    assert (list(store.keys), list(store.budgets)) == ([], [])
    assert store.totals.household.total.costs == {"USD": NANO // 2}
    told = (await call(hass, "export_usage", group_by="key"))["usage"]
    assert [row["key"] for row in told] == ["forgotten"]
    assert await refused(hass, "forget", key="First key") == "unknown_name"
    await do(hass, "forget", key=key.id)  # again, by its id: what came in since


async def test_forget_action_deletes_the_data_of_a_user_and_the_keys(
    hass: HomeAssistant, entry: MockConfigEntry, hass_admin_user: MockUser
) -> None:
    store = runtime_of(entry).store
    await store.keys.create("Phone", user_id=hass_admin_user.id)
    await do(hass, "set_budget", scope="user", subject=hass_admin_user.id, amount=1)
    await spend(hass, entry, 0.5, user_id=hass_admin_user.id)
    await do(hass, "forget", user=hass_admin_user.id)
    assert [key.name for key in store.keys] == ["First key"]
    assert list(store.budgets) == []
    for wrong in ({}, {"key": "First key", "user": hass_admin_user.id}):
        with pytest.raises(vol.Invalid):
            await do(hass, "forget", **wrong)


async def test_accounting_actions_need_an_administrator_and_a_gateway(
    hass: HomeAssistant, entry: MockConfigEntry, hass_read_only_user: MockUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: dict[str, dict[str, Any]] = {
        "export_usage": {"file": "usage.csv"},
        "set_budget": {"scope": "household", "amount": 1},
        "reset_budget": {"scope": "household"},
        "forget": {"key": "First key"},
    }
    for action, data in calls.items():
        with pytest.raises(Unauthorized):
            await do(hass, action, Context(user_id=hass_read_only_user.id), **data)

    async def fail(*_: object, **__: object) -> None:
        raise DatabaseError("the disk is full")

    await do(hass, "set_budget", scope="household", amount=1)
    store = runtime_of(entry).store
    for owner, name in ((store.budgets, "set"), (store.budgets, "reset"), (store, "forget"), (store.ledger, "usage")):
        monkeypatch.setattr(owner, name, fail)
    with pytest.raises(HomeAssistantError, match="the disk is full"):
        await call(hass, "export_usage")
    for action in ("set_budget", "reset_budget", "forget"):
        with pytest.raises(HomeAssistantError, match="the disk is full"):
            await do(hass, action, **calls[action])
    await hass.config_entries.async_unload(entry.entry_id)
    for action, data in calls.items():
        assert await refused(hass, action, **data) == "no_gateway"
    assert DOMAIN in hass.services.async_services()
