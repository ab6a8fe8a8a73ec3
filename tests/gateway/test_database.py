"""A damaged, missing or unavailable database: metered backends are blocked until a repair confirms the loss."""

from collections.abc import Callable
from contextlib import closing
import json
from pathlib import Path
import sqlite3
from typing import Any

from aiohttp.test_utils import TestClient
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.zeroconf_ai.const import CONF_AUTH, CONF_DATABASES, CONF_FIRST_KEY, DOMAIN
from custom_components.zeroconf_ai.core.accounting.admission import AdmissionRequest
from custom_components.zeroconf_ai.core.accounting.budget import Scope
from custom_components.zeroconf_ai.core.accounting.periods import Period
from custom_components.zeroconf_ai.core.accounting.storage.database import DatabaseError
from custom_components.zeroconf_ai.core.protocol.errors import UnavailableError
from custom_components.zeroconf_ai.core.protocol.values import NANO
from custom_components.zeroconf_ai.data import DATA
from custom_components.zeroconf_ai.issues import DATABASE_LOST
from custom_components.zeroconf_ai.usage.database import DATABASE_FILE
from homeassistant.components.repairs import RepairsFlowManager
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir

from ..repairs.test_repairs import mend, repairs
from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway import CHAT, CHAT_PATH, box, gateway_with, post_chat, runtime_of

__all__ = ["repairs"]

pytestmark = pytest.mark.usefixtures("checked_texts", "ready_to_serve")

OPEN: dict[str, Any] = {CONF_AUTH: "none", "networks": ["127.0.0.0/8"]}
PAID: dict[str, Any] = {"input_price": 1.0, "output_price": 1.0, "cost": "metered"}


def issue(hass: HomeAssistant) -> ir.IssueEntry | None:
    return ir.async_get(hass).async_get_issue(DOMAIN, DATABASE_LOST)


def remove(file: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def overwrite(file: Path) -> None:
    file.write_bytes(b"no database" * 1000)


def zero_beginning(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.write(bytes(4096))


async def chat_outcome(client: TestClient[Any, Any]) -> tuple[int, str | None]:
    """The status of a chat, and the code of its error."""
    status, answer = await post_chat(client, key=None)
    return status, json.loads(answer)["error"]["code"] if status >= 400 else None


async def used(hass: HomeAssistant, provider: FakeProvider) -> MockConfigEntry:
    """An open gateway with a backend that costs money and a budget, unloaded again."""
    entry = await set_up(hass, gateway_with(box(provider, **PAID), options=OPEN))
    assert issue(hass) is None
    await runtime_of(entry).store.budgets.set(Scope.HOUSEHOLD, None, NANO, Period.MONTH)
    assert await hass.config_entries.async_unload(entry.entry_id)
    return entry


async def load(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("harm", "kept"),
    [
        (remove, "0"),
        (lambda file: file.write_bytes(b""), "0"),
        (lambda file: file.write_bytes(b"no"), "0"),
        (zero_beginning, "1"),
    ],
    ids=["deleted", "emptied", "no database", "first page zeroed"],
)
async def test_lost_database_blocks_metered_backends_until_the_repair_is_confirmed(
    hass: HomeAssistant,
    provider: FakeProvider,
    hass_client_no_auth: ClientSessionGenerator,
    repairs: RepairsFlowManager,
    tmp_path: Path,
    harm: Callable[[Path], object],
    kept: str,
) -> None:
    entry = await used(hass, provider)
    harm(tmp_path / DATABASE_FILE)
    await load(hass, entry)
    client = await hass_client_no_auth()
    assert await chat_outcome(client) == (503, "budgets_lost")
    found = issue(hass)
    assert found is not None
    assert (found.is_fixable, found.is_persistent) == (True, True)
    assert found.translation_placeholders is not None
    assert (found.translation_placeholders["keys"], found.translation_placeholders["budgets"]) == (kept, kept)
    # Metered backends stay blocked after a reload and a restart, and the repair still shows what was rescued.
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert await chat_outcome(client) == (503, "budgets_lost")
    again = issue(hass)
    assert again is not None
    assert again.translation_placeholders == found.translation_placeholders
    result = await mend(repairs, DATABASE_LOST)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "confirm")
    assert result["description_placeholders"] == found.translation_placeholders
    result = await repairs.async_configure(result["flow_id"], {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert issue(hass) is None
    assert await chat_outcome(client) == (200, None)
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert (issue(hass), await chat_outcome(client)) == (None, (200, None))


async def test_lost_database_does_not_block_free_backends(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator, tmp_path: Path
) -> None:
    entry = await set_up(hass, gateway_with(box(provider, cost="free"), options=OPEN))
    assert await hass.config_entries.async_unload(entry.entry_id)
    remove(tmp_path / DATABASE_FILE)
    await load(hass, entry)
    assert issue(hass) is not None
    assert await chat_outcome(await hass_client_no_auth()) == (200, None)


async def test_lost_database_of_an_older_installation_blocks_metered_backends(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    entry = gateway_with(box(provider, **PAID), options=OPEN, key=None)
    data = {key: value for key, value in entry.data.items() if key not in (CONF_DATABASES, CONF_FIRST_KEY)}
    entry = gateway_with(box(provider, **PAID), options=OPEN, key=None)
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, data=data)
    await load(hass, entry)
    assert issue(hass) is not None
    assert await chat_outcome(await hass_client_no_auth()) == (503, "budgets_lost")


async def test_new_installation_needs_no_confirmation_of_a_loss(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator, tmp_path: Path
) -> None:
    entry = await set_up(hass, gateway_with(box(provider, **PAID), options=OPEN))
    client = await hass_client_no_auth()
    assert (issue(hass), await chat_outcome(client)) == (None, (200, None))
    # Neither does another database.
    hass.config_entries.async_update_entry(entry, options={**OPEN, "database_url": f"sqlite:///{tmp_path}/other.db"})
    await hass.async_block_till_done()
    assert (issue(hass), await chat_outcome(client)) == (None, (200, None))
    assert len(entry.data[CONF_DATABASES]) == 2
    # Neither does a gateway that is removed and added again.
    await hass.config_entries.async_remove(entry.entry_id)
    await set_up(hass, gateway_with(box(provider, **PAID), options=OPEN))
    assert (issue(hass), await chat_outcome(client)) == (None, (200, None))


async def test_confirmation_of_a_loss_that_cannot_be_stored_shows_the_reason(
    hass: HomeAssistant,
    provider: FakeProvider,
    repairs: RepairsFlowManager,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = await used(hass, provider)
    remove(tmp_path / DATABASE_FILE)
    await load(hass, entry)

    async def fail(**_: object) -> None:
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(runtime_of(entry).store, "confirm_loss", fail)
    result = await mend(repairs, DATABASE_LOST)
    result = await repairs.async_configure(result["flow_id"], {})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "not_saved")
    result = await mend(repairs, DATABASE_LOST)
    assert await hass.config_entries.async_unload(entry.entry_id)
    result = await repairs.async_configure(result["flow_id"], {})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "gone")


def later_version(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")


def others(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE states (id INTEGER)")


def nothing(_: Path) -> None:
    pass


_WHYS: dict[str, tuple[Callable[[Path], object], Callable[[Path], object], dict[str, str]]] = {
    "a folder in its place": (Path.mkdir, Path.rmdir, {}),
    "created by a later version": (later_version, Path.unlink, {}),
    "another program's": (others, Path.unlink, {}),
    "no server": (nothing, nothing, {"database_url": "postgresql://nobody@127.0.0.1:9/nothing"}),
}


@pytest.mark.parametrize("why", list(_WHYS))
async def test_database_that_cannot_be_opened_answers_503_in_the_paths_format(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator, tmp_path: Path, why: str
) -> None:
    file = tmp_path / DATABASE_FILE
    harm, mend_it, url = _WHYS[why]
    harm(file)
    entry = gateway_with(box(provider, **PAID), options=OPEN | url)
    entry.add_to_hass(hass)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    client = await hass_client_no_auth()
    for path, kind in ((CHAT_PATH, None), ("/v1/messages", "error"), ("/v1/responses", None)):
        answer = await client.post(path, json=CHAT)
        assert (answer.status, answer.content_type) == (503, "application/json")
        assert answer.headers["Retry-After"]
        data = await answer.json()
        assert "No gateway is running" in data["error"]["message"]
        assert data.get("type") == kind
    assert (await client.get("/v1/models")).status == 503
    # Providers with entries of their own go on: without budgets, only those that cost nothing.
    admission_control = hass.data[DATA].engine.admission_control
    assert admission_control is not None
    both = AdmissionRequest("assist", "chat", "auto", worst_costs={"cloud": 1, "local": 0})
    assert (await admission_control.admit(both)).barred == {"cloud"}
    with pytest.raises(UnavailableError) as caught:
        await admission_control.admit(AdmissionRequest("assist", "chat", "auto", worst_costs={"cloud": 1}))
    assert caught.value.code == "database_unavailable"
    assert (admission_control.free_only, admission_control.counts_money) == (True, True)
    mend_it(file)
    hass.config_entries.async_update_entry(entry, options=OPEN)
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert await chat_outcome(client) == (200, None)
    assert (admission_control.free_only, admission_control.counts_money) == (False, False)
    assert not (await admission_control.admit(both)).barred


async def test_database_deleted_while_in_use_is_written_again(
    hass: HomeAssistant,
    provider: FakeProvider,
    hass_client_no_auth: ClientSessionGenerator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    entry = await set_up(hass, gateway_with(box(provider, **PAID), options=OPEN))
    store = runtime_of(entry).store
    await store.budgets.set(Scope.HOUSEHOLD, None, NANO, Period.MONTH)
    remove(tmp_path / DATABASE_FILE)
    await store._follow_file()
    assert (tmp_path / DATABASE_FILE).is_file()
    assert "deleted while in use" in caplog.text
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert issue(hass) is None
    assert [budget.id for budget in runtime_of(entry).store.budgets] == ["household:month"]


async def test_gateway_set_up_failure_keeps_metered_backends_blocked(
    hass: HomeAssistant, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of order")

    with monkeypatch.context() as patched:
        patched.setattr("custom_components.zeroconf_ai.gateway.runtime.GatewayRuntime.apply_access", fail)
        entry = gateway_with(box(provider, **PAID), options=OPEN)
        entry.add_to_hass(hass)
        assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_ERROR
    admission_control = hass.data[DATA].engine.admission_control
    assert admission_control is not None
    both = AdmissionRequest("assist", "chat", "auto", worst_costs={"cloud": 1, "local": 0})
    assert (await admission_control.admit(both)).barred == {"cloud"}
    await hass.config_entries.async_remove(entry.entry_id)
    assert not (await admission_control.admit(both)).barred
