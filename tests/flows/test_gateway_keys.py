"""The API keys of the gateway, in its options."""

from datetime import timedelta
import json
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.core.accounting.keys.key_store import KeyStore
from custom_components.zeroconf_ai.core.accounting.storage.database import DatabaseError
from custom_components.zeroconf_ai.core.protocol.errors import AuthenticationError, PermissionDeniedError
from custom_components.zeroconf_ai.markdown import escape
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from .options import begin, submit, suggested, with_key

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")


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
        "home_only": True,
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
    assert (key.background, key.home_only, key.expires) == (True, True, until.timestamp())
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


async def test_key_may_use_llm_apis_only_with_an_owner(hass: HomeAssistant, gateway: MockConfigEntry, keys: KeyStore) -> None:
    assert await async_setup_component(hass, "llm", {})
    user = await hass.auth.async_create_user("Ada")
    result = await submit(hass, await begin(hass, gateway, "keys"), {"id": "new"})
    result = await submit(hass, result, {"name": "Laptop", "background": False, "llm_apis": ["assist"]})
    assert result["errors"] == {"base": "apis_need_owner"}
    await submit(hass, result, {"name": "Laptop", "background": False, "llm_apis": ["assist"], "owner": user.id})
    (key,) = keys
    assert key.llm_apis == ("assist",)
    assert suggested(await with_key(hass, gateway, key.id, "key_edit"))["llm_apis"] == ["assist"]


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
