"""The options of the gateway: settings, names for models, keys, and backends from a file."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
import json
from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.const import (
    CONF_ADMIN_CONTACT,
    CONF_ADVERTISE,
    CONF_AUTH,
    CONF_CLOUD_FALLBACK,
    CONF_CONCURRENCY,
    CONF_CORS_ORIGINS,
    CONF_NEGOTIATE_PRIORITY,
    CONF_PRIORITY,
    CONF_PROVIDER_IN_CHUNKS,
    CONF_QUEUE_LENGTH,
    CONF_RETRY_METERED_TIMEOUTS,
    CONF_STRATEGY,
    CONF_VIRTUAL_MODELS,
    SUBENTRY_BACKEND,
)
from custom_components.zeroconf_ai.core.accounting.keys.key_store import KeyStore
from custom_components.zeroconf_ai.core.accounting.storage.database import DatabaseError
from custom_components.zeroconf_ai.core.protocol.errors import AuthenticationError, PermissionDeniedError
from custom_components.zeroconf_ai.core.routing.policy import DEFAULT_VIRTUAL_MODELS
from custom_components.zeroconf_ai.data import DATA
from custom_components.zeroconf_ai.gateway.backend_storage import config_of
from custom_components.zeroconf_ai.gateway.coordinators import BackendCoordinators
from custom_components.zeroconf_ai.gateway.members import GatewayMembers
from custom_components.zeroconf_ai.gateway.runtime import GatewayRuntime
from custom_components.zeroconf_ai.markdown import escape
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.util import dt as dt_util

from ..support.clouds.ollama import FakeOllama
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway_entry import backend_data, make_gateway
from ..support.waiting import until

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")

SETTINGS = {
    CONF_ADVERTISE: False,
    CONF_PRIORITY: 40,
    CONF_NEGOTIATE_PRIORITY: True,
    CONF_STRATEGY: "local_first",
    CONF_CONCURRENCY: 3,
    CONF_QUEUE_LENGTH: 7,
    CONF_CLOUD_FALLBACK: False,
    CONF_RETRY_METERED_TIMEOUTS: True,
    CONF_PROVIDER_IN_CHUNKS: False,
}


@pytest.fixture
async def gateway(hass: HomeAssistant, tmp_path: Path) -> MockConfigEntry:
    """A gateway without a key."""
    return await set_up(hass, make_gateway(tmp_path))


@pytest.fixture
def keys(gateway: MockConfigEntry) -> KeyStore:
    """Its keys."""
    store: KeyStore = gateway.runtime_data.store.keys
    return store


async def begin(hass: HomeAssistant, entry: MockConfigEntry, step: str) -> Mapping[str, Any]:
    """Open the options at one of the menu's items."""
    result = await hass.config_entries.options.async_init(entry.entry_id)
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")
    entries = ["settings", "models", "keys", "own_keys", "budgets", "exchange_rates", "alerts", "database", "import"]
    assert result["menu_options"] == entries
    return await submit(hass, result, {"next_step_id": step})


async def submit(hass: HomeAssistant, result: Mapping[str, Any], fields: dict[str, Any]) -> Mapping[str, Any]:
    """Submit the form that is shown."""
    return await hass.config_entries.options.async_configure(result["flow_id"], fields)


async def with_key(hass: HomeAssistant, entry: MockConfigEntry, key_id: str, step: str) -> Mapping[str, Any]:
    """Open one of the steps for a key."""
    result = await submit(hass, await begin(hass, entry, "keys"), {"id": key_id})
    assert (result["type"], result["menu_options"]) == (FlowResultType.MENU, ["key_edit", "key_rotate", "key_revoke"])
    return await submit(hass, result, {"next_step_id": step})


def suggested(result: Mapping[str, Any]) -> dict[str, Any]:
    """What the fields are filled in with."""
    fields = result["data_schema"].schema
    return {str(field): field.description["suggested_value"] for field in fields if field.description}


async def test_settings_form_applies_and_keeps_other_options(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    before = dict(gateway.options)
    result = await begin(hass, gateway, "settings")
    result = await submit(hass, result, SETTINGS | {CONF_CORS_ORIGINS: [" https://chat.example.net ", ""]})
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")
    await hass.async_block_till_done()
    assert gateway.options == before | SETTINGS | {CONF_CORS_ORIGINS: ["https://chat.example.net"]}
    policy = hass.data[DATA].engine.policy
    assert (policy.strategy, policy.cloud_fallback, policy.retry_metered_timeouts) == ("local_first", False, True)
    result = await begin(hass, gateway, "settings")
    assert suggested(result)[CONF_STRATEGY] == "local_first"


async def test_settings_form_contact_and_provider_in_chunks_are_used_and_can_be_removed(
    hass: HomeAssistant, gateway: MockConfigEntry
) -> None:
    said = SETTINGS | {CONF_PROVIDER_IN_CHUNKS: True, CONF_ADMIN_CONTACT: " admin@example.net "}
    form = await submit(hass, await begin(hass, gateway, "settings"), said | {CONF_ADMIN_CONTACT: "x" * 121})
    assert form["errors"] == {CONF_ADMIN_CONTACT: "contact_invalid"}
    await submit(hass, form, said)
    await hass.async_block_till_done()
    assert gateway.options[CONF_ADMIN_CONTACT] == "admin@example.net"
    assert gateway.runtime_data.server.provider_in_chunks
    await submit(hass, await begin(hass, gateway, "settings"), SETTINGS)
    await hass.async_block_till_done()
    assert CONF_ADMIN_CONTACT not in gateway.options
    assert not gateway.runtime_data.server.provider_in_chunks


async def test_forms_return_to_the_menu_and_keep_what_others_saved(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    before = dict(gateway.options)
    menu = await submit(hass, await begin(hass, gateway, "settings"), SETTINGS)
    form = await submit(hass, menu, {"next_step_id": "alerts"})
    menu = await submit(hass, form, {"alert_kinds": ["provider_down"], "alert_from": 90, "key_factor": 8})
    form = await submit(hass, menu, {"next_step_id": "settings"})
    assert suggested(form)[CONF_STRATEGY] == "local_first"
    menu = await submit(hass, form, SETTINGS | {CONF_STRATEGY: "cost"})
    form = await submit(hass, await submit(hass, menu, {"next_step_id": "models"}), {"id": "fast"})
    menu = await submit(hass, form, {"targets": ["auto"], "remove": False})
    assert (menu["type"], menu["step_id"]) == (FlowResultType.MENU, "init")
    saved = {
        **before,
        **SETTINGS,
        CONF_STRATEGY: "cost",
        "alerts": {"alert_kinds": ["provider_down"], "alert_from": 90, "key_factor": 8},
    }
    assert {name: value for name, value in gateway.options.items() if name != CONF_VIRTUAL_MODELS} == saved | {
        CONF_CORS_ORIGINS: []
    }
    assert gateway.options[CONF_VIRTUAL_MODELS]["fast"]["targets"] == ["auto"]


@pytest.mark.parametrize("origin", ["chat.example.net", "https://chat.example.net/", "ftp://chat.example.net", "https://", "["])
async def test_settings_form_invalid_origin_is_refused(hass: HomeAssistant, gateway: MockConfigEntry, origin: str) -> None:
    result = await submit(hass, await begin(hass, gateway, "settings"), SETTINGS | {CONF_CORS_ORIGINS: [origin]})
    assert (result["errors"], result["description_placeholders"]) == ({"base": "origin_invalid"}, {"reason": origin})
    result = await submit(hass, result, SETTINGS | {CONF_CORS_ORIGINS: ["*", "http://192.0.2.1:3000"]})
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")


async def test_settings_form_advertising_without_a_key_is_refused(
    hass: HomeAssistant, gateway: MockConfigEntry, keys: KeyStore
) -> None:
    result = await submit(hass, await begin(hass, gateway, "settings"), SETTINGS | {CONF_ADVERTISE: True})
    assert result["errors"] == {CONF_ADVERTISE: "advertise_without_key"}
    result = await submit(hass, result, SETTINGS)
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")
    assert gateway.options[CONF_ADVERTISE] is False


async def test_model_aliases_are_added_changed_and_removed(hass: HomeAssistant, tmp_path: Path) -> None:
    async with FakeOllama() as ollama:
        entry = await set_up(hass, make_gateway(tmp_path, backend_data("ollama", ollama.root)))
        result = await begin(hass, entry, "models")
        listed = [option["value"] for option in result["data_schema"].schema["id"].config["options"]]
        assert listed == [*DEFAULT_VIRTUAL_MODELS, "new"]

        result = await submit(hass, result, {"id": "new"})
        assert "qwen3:8b" in result["data_schema"].schema["targets"].config["options"]
        result = await submit(hass, result, {"name": "fast", "targets": ["auto"]})
        assert result["errors"] == {"name": "name_taken"}
        result = await submit(hass, result, {"name": " \u202e", "targets": ["auto"]})
        assert result["errors"] == {"name": "name_needed"}
        result = await submit(hass, result, {"name": "x" * 257, "targets": ["auto"]})
        assert result["errors"] == {"name": "too_long"}
        result = await submit(hass, result, {"name": "gpt-4o", "targets": ["gpt-4o"]})
        assert result["errors"] == {"targets": "own_target"}
        result = await submit(hass, result, {"name": "gpt-4o", "targets": ["qwen3:8b", "cloud/o4-mini"], "strategy": "cost"})
        assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")
        await hass.async_block_till_done()
        assert entry.options[CONF_VIRTUAL_MODELS]["gpt-4o"] == {"targets": ["qwen3:8b", "cloud/o4-mini"], "strategy": "cost"}
        assert set(entry.options[CONF_VIRTUAL_MODELS]) == {*DEFAULT_VIRTUAL_MODELS, "gpt-4o"}
        assert hass.data[DATA].engine.policy.virtual_models["gpt-4o"].targets == ("qwen3:8b", "cloud/o4-mini")

        result = await submit(hass, await begin(hass, entry, "models"), {"id": "gpt-4o"})
        assert suggested(result) == {"targets": ["qwen3:8b", "cloud/o4-mini"], "strategy": "cost"}
        await submit(hass, result, {"targets": ["phi4:latest"], "remove": False})
        assert entry.options[CONF_VIRTUAL_MODELS]["gpt-4o"] == {"targets": ["phi4:latest"], "strategy": None}

        result = await submit(hass, await begin(hass, entry, "models"), {"id": "cheap"})
        await submit(hass, result, {"targets": ["auto"], "remove": True})
        assert "cheap" not in entry.options[CONF_VIRTUAL_MODELS]
        result = await submit(hass, await begin(hass, entry, "models"), {"id": "auto"})
        assert "remove" not in result["data_schema"].schema  # `auto` is always needed
        await submit(hass, result, {"targets": ["qwen3:8b", "auto"]})
        await hass.async_block_till_done()
        assert entry.options[CONF_VIRTUAL_MODELS]["auto"]["targets"] == ["qwen3:8b", "auto"]


async def test_new_key_is_shown_once_and_works_immediately(
    hass: HomeAssistant, gateway: MockConfigEntry, keys: KeyStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    user = await hass.auth.async_create_user("Ada")
    result = await begin(hass, gateway, "keys")
    assert result["description_placeholders"] == {"keys": "| – | – | – | – | – |"}
    result = await submit(hass, result, {"id": "new"})
    result = await submit(hass, result, {"name": " ", "background": False})
    assert result["errors"] == {"base": "name_needed"}
    result = await submit(hass, result, {"name": "Laptop", "background": False, "expires": "2001-01-01 00:00:00"})
    assert result["errors"] == {"base": "expired"}
    until = dt_util.now().replace(microsecond=0) + timedelta(days=3)
    fields = {
        "name": "Lap|top",
        "owner": user.id,
        "model_patterns": ["qwen*"],
        "endpoints": ["chat", "models"],
        "background": True,
        "expires": until.strftime("%Y-%m-%d %H:%M:%S"),
    }
    result = await submit(hass, result, fields)
    assert result["step_id"] == "key_shown"
    shown = result["description_placeholders"]
    secret = shown["key"]
    assert secret in shown["curl"]
    assert secret in shown["python"]
    for example in (shown["curl"], shown["python"]):
        assert '[{"role": "user", "content": "Hello"}]' in example, "any model may answer, which knows nothing of the home"
    (key,) = keys
    assert keys.verify(secret).id == key.id
    assert (key.name, key.user_id, key.models, key.endpoints) == ("Lap|top", user.id, ("qwen*",), ("chat", "models"))
    assert (key.background, key.expires) == (True, until.timestamp())
    before = dict(gateway.options)
    assert (await submit(hass, result, {}))["step_id"] == "init"
    assert gateway.options == before

    result = await begin(hass, gateway, "keys")
    placeholders = result["description_placeholders"]
    row = placeholders["keys"]
    assert row.startswith(f"| Lap\\|top | `{secret[:8]}…` | Ada | 2")
    assert row.endswith(f"| {until:%Y-%m-%d %H:%M} |")
    assert secret not in json.dumps(gateway.as_dict(), default=str)
    assert secret not in caplog.text


async def test_key_is_changed_and_disabled(hass: HomeAssistant, gateway: MockConfigEntry, keys: KeyStore) -> None:
    key, secret = await keys.create("Laptop", models=("a",), expires=dt_util.utcnow().timestamp() + 90.5)
    result = await with_key(hass, gateway, key.id, "key_edit")
    filled = suggested(result)
    assert (filled["name"], filled["model_patterns"], filled["enabled"]) == ("Laptop", ["a"], True)
    result = await submit(hass, result, {"name": "Desk", "background": False, "enabled": False})
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")
    changed = keys.get(key.id)
    assert changed is not None
    assert (changed.name, changed.models, changed.expires, changed.enabled) == ("Desk", (), None, False)
    with pytest.raises(PermissionDeniedError):
        keys.verify(secret)


async def test_expired_key_can_still_be_changed(hass: HomeAssistant, gateway: MockConfigEntry, keys: KeyStore) -> None:
    key, _ = await keys.create("Laptop", expires=1_600_000_000.0)
    result = await with_key(hass, gateway, key.id, "key_edit")
    filled = suggested(result)
    result = await submit(hass, result, {"name": "Old", "background": False, "enabled": True, "expires": "2020-01-01 00:00:00"})
    assert result["errors"] == {"base": "expired"}
    result = await submit(hass, result, {"name": "Old", "background": False, "enabled": True, "expires": filled["expires"]})
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "init")
    changed = keys.get(key.id)
    assert changed is not None
    assert (changed.name, changed.expires) == ("Old", 1_600_000_000.0)


@pytest.mark.parametrize("overlap", [0, 24])
async def test_key_rotated_accepts_the_former_secret_only_for_the_overlap(
    hass: HomeAssistant, gateway: MockConfigEntry, keys: KeyStore, overlap: int
) -> None:
    key, former = await keys.create("Laptop")
    result = await with_key(hass, gateway, key.id, "key_rotate")
    result = await submit(hass, result, {"overlap": overlap})
    assert result["step_id"] == "key_shown"
    shown = result["description_placeholders"]
    assert keys.verify(shown["key"]).id == key.id
    assert shown["key"] != former
    if overlap:
        assert keys.verify(former).id == key.id
    else:
        with pytest.raises(AuthenticationError):
            keys.verify(former)
    assert (await submit(hass, result, {}))["step_id"] == "init"


async def test_key_revoked_is_refused_and_cannot_be_changed(
    hass: HomeAssistant, gateway: MockConfigEntry, keys: KeyStore
) -> None:
    key, secret = await keys.create("Laptop")
    other = await with_key(hass, gateway, key.id, "key_edit")
    result = await with_key(hass, gateway, key.id, "key_revoke")
    assert result["description_placeholders"] == {"name": "Laptop", "prefix": escape(secret[:8])}
    assert keys.verify(secret).id == key.id  # until it is confirmed
    assert (await submit(hass, result, {}))["step_id"] == "init"
    with pytest.raises(AuthenticationError):
        keys.verify(secret)
    result = await submit(hass, other, {"name": "Desk", "background": False, "enabled": True})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "key_gone")


async def test_key_that_cannot_be_stored_aborts_with_the_reason(
    hass: HomeAssistant, gateway: MockConfigEntry, keys: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise DatabaseError("The disk is full.")

    monkeypatch.setattr(keys, "create", fail)
    result = await submit(hass, await begin(hass, gateway, "keys"), {"id": "new"})
    result = await submit(hass, result, {"name": "Laptop", "background": False})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "key_not_saved")
    assert result["description_placeholders"] == {"reason": "The disk is full."}


async def test_keys_form_of_an_unloaded_gateway_aborts(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    assert await hass.config_entries.async_unload(gateway.entry_id)
    result = await begin(hass, gateway, "keys")
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "entry_not_loaded")


YAML = """
providers:
  - id: attic
    name: The attic
    type: ollama
    endpoint: {attic}
    priority: 20
  - id: cloud
    type: openai
    authSecret: sk-canary-0123456789
    enabled: {enabled}
"""


async def test_import_adds_backends_and_updates_them_by_id(
    hass: HomeAssistant, gateway: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with FakeOllama() as first, FakeOllama() as second:
        result = await begin(hass, gateway, "import")
        result = await submit(hass, result, {"yaml": YAML.format(attic=first.root, enabled="false")})
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "imported")
        assert result["description_placeholders"] == {"added": "1", "updated": "0"}
        (attic,) = gateway.get_subentries_of_type(SUBENTRY_BACKEND)
        assert (attic.title, attic.unique_id) == ("The attic", "attic")
        assert attic.data == {"type": "ollama", "base_url": first.root, "priority": 20}

        text = YAML.format(attic=second.root, enabled="false") + "routing:\n  strategy: cost\n"
        result = await submit(hass, await begin(hass, gateway, "import"), {"yaml": text})
        assert result["description_placeholders"] == {"added": "0", "updated": "1"}
        await hass.async_block_till_done()
        (same,) = gateway.get_subentries_of_type(SUBENTRY_BACKEND)
        assert (same.subentry_id, config_of(same).endpoint) == (attic.subentry_id, second.root)
        assert (gateway.options[CONF_STRATEGY], gateway.options[CONF_AUTH]) == ("cost", "token")
        assert CONF_VIRTUAL_MODELS not in gateway.options
    assert "canary" not in caplog.text


async def test_import_of_many_backends_is_applied_in_steps_and_not_once_for_each(
    hass: HomeAssistant, gateway: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work is counted, not time: with 400 backends Home Assistant stood still for minutes."""
    count = 40
    applied, turns, added_in = 0, 0, []
    apply_options, add = GatewayRuntime.apply_options, BackendCoordinators._add
    member_checks: list[str] = []
    on_member = GatewayMembers._on_member

    async def counted_options(self: GatewayRuntime) -> None:
        nonlocal applied
        applied += 1
        await apply_options(self)

    def counted_add(self: BackendCoordinators, subentry: ConfigSubentry) -> None:
        added_in.append(turns)
        add(self, subentry)

    def counted_member(self: GatewayMembers, backend_id: str, event: object) -> None:
        member_checks.append(backend_id)
        on_member(self, backend_id, event)

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(GatewayRuntime, "apply_options", counted_options)
    monkeypatch.setattr(BackendCoordinators, "_add", counted_add)
    monkeypatch.setattr(GatewayMembers, "_on_member", counted_member)
    text = "providers:\n" + "".join(
        f"  - id: p{number}\n    type: ollama\n    endpoint: http://127.0.0.1:9/\n" for number in range(count)
    )
    turning = asyncio.create_task(count_turns())
    result = await submit(hass, await begin(hass, gateway, "import"), {"yaml": text})
    assert result["description_placeholders"] == {"added": str(count), "updated": "0"}
    await until(lambda: len(set(member_checks)) >= count)
    turning.cancel()
    await hass.async_block_till_done()
    assert applied <= 6
    assert len(added_in) == len(set(added_in)) == count
    assert len(member_checks) <= 6 * count
    titles = [subentry.title for subentry in gateway.get_subentries_of_type(SUBENTRY_BACKEND)]
    assert titles[:2] == ["Ollama", "Ollama (p1)"]
    assert len(set(titles)) == count
    result = await submit(hass, await begin(hass, gateway, "import"), {"yaml": text})
    assert result["description_placeholders"] == {"added": "0", "updated": str(count)}
    assert [subentry.title for subentry in gateway.get_subentries_of_type(SUBENTRY_BACKEND)] == titles
    await hass.async_block_till_done()


async def test_import_replaces_the_exchange_rates_by_those_of_a_file(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    for text, expected in (("", None), ("currency: CHF\nexchangeRates: {USD: 0.8}\n", "CHF"), ("", "CHF")):
        result = await begin(hass, gateway, "import")
        await submit(hass, result, {"yaml": f"{text}providers:\n  - {{id: attic, type: ollama}}\n"})
        await hass.async_block_till_done()
        assert hass.data[DATA].engine.exchange.currency == expected
    assert hass.data[DATA].engine.exchange.rates == {"USD": 0.8}


async def test_import_adds_model_aliases(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    async with FakeOllama() as ollama:
        text = YAML.format(attic=ollama.root, enabled="false") + "models:\n  gpt-4o: [qwen3:8b, auto]\n"
        result = await submit(hass, await begin(hass, gateway, "import"), {"yaml": text})
        assert result["reason"] == "imported"
        await hass.async_block_till_done()
        assert set(gateway.options[CONF_VIRTUAL_MODELS]) == {*DEFAULT_VIRTUAL_MODELS, "gpt-4o"}
        assert gateway.options[CONF_VIRTUAL_MODELS]["gpt-4o"]["targets"] == ["qwen3:8b", "auto"]


async def test_import_with_an_error_shows_the_line_and_changes_nothing(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    wrong = YAML.format(attic="http://192.0.2.20:11434", enabled="perhaps")
    result = await submit(hass, await begin(hass, gateway, "import"), {"yaml": wrong})
    assert result["errors"] == {"base": "config_invalid"}
    placeholders = result["description_placeholders"]
    assert placeholders["reason"].startswith("YAML:11:")
    assert "canary" not in placeholders["reason"]
    assert gateway.get_subentries_of_type(SUBENTRY_BACKEND) == []


async def test_import_nested_too_deeply_is_refused_with_the_position(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    result = await submit(hass, await begin(hass, gateway, "import"), {"yaml": "providers: " + "[" * 500 + "]" * 500})
    assert result["errors"] == {"base": "config_invalid"}
    assert result["description_placeholders"]["reason"].startswith("YAML:1:75: no valid YAML: nested deeper than 64 levels")


async def test_import_with_an_environment_variable_is_refused(
    hass: HomeAssistant, gateway: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_SECRET", "sk-canary-0123456789")
    text = "providers:\n  - id: cloud\n    type: openai\n    authSecret: ${CANARY_SECRET}\n"
    result = await submit(hass, await begin(hass, gateway, "import"), {"yaml": text})
    assert result["errors"] == {"base": "config_invalid"}
    assert gateway.get_subentries_of_type(SUBENTRY_BACKEND) == []
