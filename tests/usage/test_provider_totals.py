"""Totals of providers: from the ledger, with and without a gateway, continued from what older versions showed."""

import asyncio
from collections.abc import Callable
from pathlib import Path
import time
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    mock_restore_cache_with_extra_data,
)

from custom_components.zeroconf_ai.const import DOMAIN
from custom_components.zeroconf_ai.core.accounting.store import AccountingStore
from custom_components.zeroconf_ai.core.accounting.usage.generation import FailedAttempt, Generation, Outcome
from custom_components.zeroconf_ai.core.accounting.usage.rollups import Group
from custom_components.zeroconf_ai.core.accounting.usage.totals import Subject
from custom_components.zeroconf_ai.core.protocol.usage import Usage
from custom_components.zeroconf_ai.data import DATA
from custom_components.zeroconf_ai.issues import DATABASE_UNAVAILABLE
from custom_components.zeroconf_ai.usage import shared_store
from custom_components.zeroconf_ai.usage.database import CONF_DATABASE_URL, DATABASE_FILE, async_open_store
from custom_components.zeroconf_ai.usage.shared_store import SHARED_STORE, SharedStore
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant, State
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.helpers.restore_state import async_get
from homeassistant.util import dt as dt_util

from ..support.fakes.provider import FakeProvider, refuse, text, usage
from ..support.home_assistant.entries import ask, make_entry, set_up, settle
from ..support.home_assistant.gateway import gateway_with, runtime_of
from ..support.home_assistant.states import values

pytestmark = pytest.mark.usefixtures("ready_to_serve", "all_entities_enabled")

ENTRY_ID = "01PROVIDER"
COUNTS = ("requests", "errors", "tokens_in", "tokens_out", "cached_tokens", "cost_total")
ANSWER = [*text("Yes.")[:-1], usage(10, 4, cost=0.5, prompt_tokens_details={"cached_tokens": 5})]


def shown(hass: HomeAssistant, *keys: str) -> list[str | None]:
    """The states of the provider's sensors."""
    return values(hass, "test_provider", *(keys or COUNTS))


def restore(hass: HomeAssistant, **values: Any) -> None:
    """Let Home Assistant have saved these values when an older version ran."""
    unit = {"cost_total": "USD"}
    mock_restore_cache_with_extra_data(
        hass,
        [
            (
                State(f"sensor.test_provider_{key}", str(value)),
                {"native_value": value, "native_unit_of_measurement": unit.get(key)},
            )
            for key, value in values.items()
        ],
    )


def shared(hass: HomeAssistant) -> SharedStore:
    """The holder of the store."""
    return hass.data[SHARED_STORE]


def opened(hass: HomeAssistant) -> AccountingStore:
    """The open store."""
    store = shared(hass).store
    assert store is not None
    return store


async def use(hass: HomeAssistant, provider: FakeProvider) -> None:
    """Two answers, and a request that fails."""
    provider.answers = [ANSWER, ANSWER, refuse(400, "no")]
    await ask(hass)
    await ask(hass)
    await ask(hass, fails=True)
    await settle(hass)


async def restart(hass: HomeAssistant, *entries: MockConfigEntry) -> None:
    """Unload the entries, with which the store closes, and set them up again."""
    for entry in entries:
        assert await hass.config_entries.async_unload(entry.entry_id)
    assert shared(hass).store is None
    for entry in entries:
        assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


def generation(backend_id: str, **fields: Any) -> Generation:
    usual: dict[str, Any] = {"usage": Usage(10, 4, 5), "cost": 500_000_000}
    return Generation("gen", time.time(), "http", "chat", "auto", Outcome.OK, backend_id=backend_id, **(usual | fields))


@pytest.mark.parametrize("with_gateway", [False, True])
async def test_provider_totals_are_the_same_with_and_without_a_gateway(
    hass: HomeAssistant, provider: FakeProvider, with_gateway: bool
) -> None:
    entries = [await set_up(hass, gateway_with())] if with_gateway else []
    entries.append(await set_up(hass, make_entry(provider)))
    assert shown(hass) == ["0", "0", "0", "0", "0", None]
    await use(hass, provider)
    expected = ["2", "1", "20", "8", "10", "1.0"]
    assert shown(hass) == expected
    await restart(hass, *entries)
    assert shown(hass) == expected
    await use(hass, provider)
    assert shown(hass) == ["4", "2", "40", "16", "20", "2.0"]


@pytest.mark.parametrize("earlier_rows", [0, 3])
async def test_provider_totals_of_an_older_version_continue(
    hass: HomeAssistant, provider: FakeProvider, entity_registry: er.EntityRegistry, tmp_path: Path, earlier_rows: int
) -> None:
    registered = f"{ENTRY_ID}_cost_total"
    entity_registry.async_get_or_create("sensor", DOMAIN, registered, suggested_object_id="test_provider_cost_total")
    store = await AccountingStore.open(tmp_path / DATABASE_FILE)
    for _ in range(earlier_rows):  # what a gateway recorded is in the count that was restored, too
        failed = FailedAttempt(ENTRY_ID, "Test provider", "m")
        store.ledger.record(generation(ENTRY_ID, failed_attempts=[failed]))
    await store.close()
    restore(hass, requests=41, errors=3, tokens_in=400, tokens_out=50, cached_tokens=6, cost_total=17.25)
    entry = await set_up(hass, make_entry(provider, entry_id=ENTRY_ID))
    assert shown(hass) == ["41", "3", "400", "50", "6", "17.25"]
    provider.answers = [ANSWER]
    await ask(hass)
    await settle(hass)
    after = ["42", "3", "410", "54", "11", "17.75"]
    assert shown(hass) == after
    household = opened(hass).totals.household.total
    assert (household.requests, household.costs) == (earlier_rows + 1, {"USD": (earlier_rows + 1) * 500_000_000})
    await restart(hass, entry)
    assert shown(hass) == after


async def test_provider_totals_that_lag_behind_the_ledger_do_not_jump(
    hass: HomeAssistant, provider: FakeProvider, tmp_path: Path
) -> None:
    store = await AccountingStore.open(tmp_path / DATABASE_FILE)
    for _ in range(5):
        store.ledger.record(generation(ENTRY_ID))
    await store.close()
    restore(hass, requests=2)
    await set_up(hass, make_entry(provider, entry_id=ENTRY_ID))
    assert shown(hass, "requests") == ["2"]
    await ask(hass)
    await settle(hass)
    assert shown(hass, "requests") == ["3"]


async def test_requests_recorded_while_an_entity_is_not_loaded_count_after_it_was(
    hass: HomeAssistant, provider: FakeProvider, tmp_path: Path
) -> None:
    entry = await set_up(hass, make_entry(provider, entry_id=ENTRY_ID))
    await use(hass, provider)
    assert await hass.config_entries.async_unload(entry.entry_id)
    store = await AccountingStore.open(tmp_path / DATABASE_FILE)
    store.ledger.record(generation(ENTRY_ID))
    await store.close()
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert shown(hass, "requests", "tokens_in") == ["3", "30"]


def delete(file: Path) -> None:
    """Delete a database."""
    for found in file.parent.glob(f"{file.name}*"):
        found.unlink()


def damage(file: Path) -> None:
    """Overwrite a database."""
    file.write_bytes(b"no database" * 1000)


@pytest.mark.parametrize("harm", [delete, damage])
async def test_provider_totals_continue_after_the_database_was_lost(
    hass: HomeAssistant, provider: FakeProvider, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    entry = await set_up(hass, make_entry(provider))
    await use(hass, provider)
    before = shown(hass)
    assert await hass.config_entries.async_unload(entry.entry_id)
    harm(tmp_path / DATABASE_FILE)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert opened(hass).totals.household.total.requests == 0
    assert not opened(hass).loss_unconfirmed  # without a gateway there were no keys and budgets to lose
    assert shown(hass) == before == ["2", "1", "20", "8", "10", "1.0"]
    await use(hass, provider)
    assert shown(hass, "requests", "cost_total") == ["4", "2.0"]


async def test_provider_totals_are_unavailable_while_the_database_cannot_be_opened(
    hass: HomeAssistant, provider: FakeProvider, tmp_path: Path
) -> None:
    (tmp_path / DATABASE_FILE).mkdir()
    restore(hass, requests=41, errors=3)
    entry = await set_up(hass, make_entry(provider))
    assert entry.state is ConfigEntryState.LOADED
    assert shown(hass, "requests", "errors", "status") == [STATE_UNAVAILABLE, STATE_UNAVAILABLE, "healthy"]
    issue = ir.async_get(hass).async_get_issue(DOMAIN, DATABASE_UNAVAILABLE)
    assert issue is not None
    assert issue.translation_placeholders is not None
    assert DATABASE_FILE in issue.translation_placeholders["error"]
    await ask(hass)  # answered all the same
    saved = async_get(hass).async_get_stored_states()
    kept = {one.state.entity_id: one.extra_data.as_dict() for one in saved if one.extra_data is not None}
    assert kept["sensor.test_provider_requests"]["native_value"] == 41
    (tmp_path / DATABASE_FILE).rmdir()
    async_fire_time_changed(hass, dt_util.utcnow())
    await shared(hass).open("test")  # as the next attempt does
    await settle(hass)
    assert ir.async_get(hass).async_get_issue(DOMAIN, DATABASE_UNAVAILABLE) is None
    assert shown(hass, "requests", "errors") == ["41", "3"]
    await ask(hass)
    await settle(hass)
    assert shown(hass, "requests") == ["42"]
    await shared(hass).release("test")


async def test_database_that_cannot_be_opened_is_tried_again(
    hass: HomeAssistant, provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_store, "RETRY_SECONDS", 0.01)
    (tmp_path / DATABASE_FILE).mkdir()
    await set_up(hass, make_entry(provider))
    assert shown(hass, "requests") == [STATE_UNAVAILABLE]
    (tmp_path / DATABASE_FILE).rmdir()
    await hass.async_block_till_done(wait_background_tasks=True)
    await settle(hass)
    assert shown(hass, "requests") == ["0"]


async def test_set_up_with_a_database_that_does_not_answer_is_finished(
    hass: HomeAssistant, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = asyncio.Event()

    async def slow(*arguments: Any) -> AccountingStore:
        await answers.wait()
        return await async_open_store(*arguments)

    monkeypatch.setattr(shared_store, "WAIT_SECONDS", 0.0)
    monkeypatch.setattr(shared_store, "async_open_store", slow)
    entry = await set_up(hass, make_entry(provider))
    await ask(hass)
    assert (entry.state, shown(hass, "requests")) == (ConfigEntryState.LOADED, [STATE_UNAVAILABLE])
    assert await hass.config_entries.async_reload(entry.entry_id)
    answers.set()
    await hass.async_block_till_done(wait_background_tasks=True)
    await settle(hass)
    await ask(hass)
    await settle(hass)
    assert shown(hass, "requests") == ["1"]


async def test_store_stays_open_over_reloads_and_closes_with_the_last_entry(hass: HomeAssistant, provider: FakeProvider) -> None:
    gateway = await set_up(hass, gateway_with())
    entry = await set_up(hass, make_entry(provider))
    store = opened(hass)
    assert runtime_of(gateway).store is store
    assert await hass.config_entries.async_reload(gateway.entry_id)
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert opened(hass) is runtime_of(gateway).store is store
    assert await hass.config_entries.async_unload(gateway.entry_id)
    assert opened(hass) is store
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert shared(hass).store is None


async def test_provider_totals_continue_in_another_database(hass: HomeAssistant, provider: FakeProvider, tmp_path: Path) -> None:
    gateway = await set_up(hass, gateway_with())
    await set_up(hass, make_entry(provider))
    await use(hass, provider)
    first = opened(hass)
    url = f"sqlite:///{tmp_path / 'other.db'}"
    hass.config_entries.async_update_entry(gateway, options={CONF_DATABASE_URL: url})
    await hass.async_block_till_done()
    await settle(hass)
    assert opened(hass) is runtime_of(gateway).store is not first
    assert shown(hass) == ["2", "1", "20", "8", "10", "1.0"]
    await use(hass, provider)
    assert shown(hass, "requests", "errors") == ["4", "2"]
    hass.config_entries.async_update_entry(gateway, options={})
    await hass.async_block_till_done()
    await settle(hass)
    assert shown(hass, "requests", "errors") == ["4", "2"]


async def test_removed_gateway_takes_its_database_along_and_provider_totals_continue(
    hass: HomeAssistant, provider: FakeProvider, tmp_path: Path
) -> None:
    gateway = await set_up(hass, gateway_with())
    entry = await set_up(hass, make_entry(provider))
    await use(hass, provider)
    assert len(runtime_of(gateway).store.keys) == 1
    await hass.config_entries.async_remove(gateway.entry_id)
    await settle(hass)
    assert len(opened(hass).keys) == opened(hass).totals.household.total.requests == 0
    assert shown(hass, "requests", "errors") == ["2", "1"]
    await hass.config_entries.async_remove(entry.entry_id)
    assert shared(hass).store is None
    assert await hass.async_add_executor_job(lambda: list(tmp_path.glob(f"{DATABASE_FILE}*"))) == []


async def test_provider_that_is_removed_and_added_again_continues(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider, title="Other", id="2"))
    entry = await set_up(hass, make_entry(provider))
    await use(hass, provider)
    before = shown(hass, "requests")
    await hass.config_entries.async_remove(entry.entry_id)
    again = await set_up(hass, make_entry(provider))
    assert again.entry_id != entry.entry_id
    assert shown(hass, "requests") == before
    assert opened(hass).totals.of(Subject.BACKEND, again.entry_id).total.requests == 0


async def test_usage_of_a_home_without_a_gateway_is_exported_pruned_and_forgotten(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    entry = await set_up(hass, make_entry(provider))
    await use(hass, provider)
    answer = await hass.services.async_call(
        DOMAIN, "export_usage", {"group_by": ["backend"]}, blocking=True, return_response=True
    )
    assert answer is not None
    rows = answer["usage"]
    assert isinstance(rows, list)
    counted = {row["backend"]: (row["requests"], row["failed_attempts"]) for row in rows if isinstance(row, dict)}
    assert counted[entry.entry_id] == (2, 1)
    store = opened(hass)
    recorder = hass.data[DATA].engine.recorder
    assert recorder is not None
    recorder.record(generation(entry.entry_id, user_id="0" * 32))
    await hass.services.async_call(DOMAIN, "forget", {"user": "0" * 32}, blocking=True)
    uses = await store.ledger.usage(store.totals.date, store.totals.date, (Group.USER,))
    assert "0" * 32 not in [use.group[Group.USER] for use in uses]
    await settle(hass)
    assert shown(hass, "requests", "errors") == ["3", "1"]
    with pytest.raises(ServiceValidationError) as caught:
        await hass.services.async_call(DOMAIN, "set_budget", {"scope": "household", "amount": 1}, blocking=True)
    assert caught.value.translation_key == "no_gateway"
