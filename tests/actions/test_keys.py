"""The actions of the gateway's owner: keys, and names that stand for models."""

from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
import voluptuous as vol

from custom_components.zeroconf_ai.const import CONF_VIRTUAL_MODELS, DOMAIN
from custom_components.zeroconf_ai.core.protocol.errors import AuthenticationError
from custom_components.zeroconf_ai.core.routing.policy import DEFAULT_VIRTUAL_MODELS, ModelAlias, Strategy
from custom_components.zeroconf_ai.data import DATA
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError, Unauthorized
from homeassistant.util import dt as dt_util

from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway import CHAT, CHAT_PATH, KEY, bearer, box, gateway_with, runtime_of

pytestmark = pytest.mark.usefixtures("ready_to_serve")


@pytest.fixture
async def entry(hass: HomeAssistant) -> MockConfigEntry:
    """A gateway with one key and no backends."""
    return await set_up(hass, gateway_with())


async def call(hass: HomeAssistant, action: str, context: Context | None = None, /, **data: Any) -> dict[str, Any]:
    """The response of an action."""
    answer = await hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True, context=context)
    assert answer is not None
    return answer


async def do(hass: HomeAssistant, action: str, context: Context | None = None, /, **data: Any) -> None:
    """Run an action that answers nothing."""
    await hass.services.async_call(DOMAIN, action, data, blocking=True, context=context)


async def test_key_action_created_key_is_returned_once_and_works(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator, hass_admin_user: MockUser
) -> None:
    await set_up(hass, gateway_with(box(provider)))
    expires = dt_util.utcnow().replace(microsecond=0, year=dt_util.utcnow().year + 1)
    made = await call(
        hass,
        "create_key",
        name="Laptop",
        user_id=hass_admin_user.id,
        models=["test-*"],
        endpoints=["chat"],
        background=True,
        home_only=True,
        expires=expires,
        labels=["Kitchen"],
        llm_apis=["assist"],
        hosted_tools=["web_search"],
    )
    secret = made.pop("key")
    assert secret.startswith("zai_")
    assert made == {
        "key_id": made["key_id"],
        "name": "Laptop",
        "certificate_expires": None,
        "prefix": secret[:8],
        "user_id": hass_admin_user.id,
        "models": ["test-*"],
        "endpoints": ["chat"],
        "background": True,
        "home_only": True,
        "enabled": True,
        "created": made["created"],
        "expires": expires.isoformat(),
        "last_used": None,
        "former_until": None,
        "requests_per_minute": None,
        "tokens_per_minute": None,
        "parallel": None,
        "labels": ["Kitchen"],
        "llm_apis": ["assist"],
        "hosted_tools": ["web_search"],
    }
    client = await hass_client_no_auth()
    assert (await client.post(CHAT_PATH, json=CHAT, headers=bearer(secret))).status == 200
    assert (await client.get("/v1/models", headers=bearer(secret))).status == 403
    listed = (await call(hass, "list_keys"))["keys"]
    assert [key["name"] for key in listed] == ["First key", "Laptop"]
    assert listed[1]["last_used"] is not None
    assert secret not in str(listed)


async def test_key_action_llm_apis_need_a_user(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    with pytest.raises(vol.Invalid, match="Only an API key of a user"):
        await call(hass, "create_key", name="Shared", llm_apis=["assist"])


@pytest.mark.parametrize("by", ["key_id", "name"])
async def test_key_action_revoked_key_is_invalid(hass: HomeAssistant, entry: MockConfigEntry, by: str) -> None:
    made = await call(hass, "create_key", name="Laptop")
    await do(hass, "revoke_key", key_id=made[by])
    with pytest.raises(AuthenticationError):
        runtime_of(entry).store.keys.verify(made["key"])
    with pytest.raises(ServiceValidationError) as caught:
        await do(hass, "revoke_key", key_id=made[by])
    assert caught.value.translation_key == "unknown_key"


async def test_key_action_rotated_key_accepts_both_secrets_during_the_overlap(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    keys = runtime_of(entry).store.keys
    rotated = await call(hass, "rotate_key", key_id="First key", overlap={"minutes": 5})
    assert keys.verify(rotated["key"]).id == keys.verify(KEY).id == rotated["key_id"]
    assert rotated["former_until"] is not None
    again = await call(hass, "rotate_key", key_id="First key", overlap={"seconds": 0})
    assert keys.verify(again["key"]).name == "First key"
    for former in (KEY, rotated["key"]):
        with pytest.raises(AuthenticationError):
            keys.verify(former)


async def test_key_action_rotates_no_client_certificate(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    until = dt_util.utcnow().timestamp() + 60
    key = await runtime_of(entry).store.keys.adopt("Phone", bytes(32), "0a1b2c3d", certificate_expires=until)
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "rotate_key", key_id=key.id, overlap={"seconds": 0})
    assert caught.value.translation_key == "no_secret"


async def test_key_action_with_an_ambiguous_name_is_refused(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await call(hass, "create_key", name="Laptop")
    await call(hass, "create_key", name="Laptop")
    with pytest.raises(ServiceValidationError) as caught:
        await do(hass, "revoke_key", key_id="Laptop")
    assert caught.value.translation_key == "ambiguous_key"
    assert len(runtime_of(entry).store.keys) == 3


async def test_key_action_for_an_unknown_user_is_refused(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    with pytest.raises(ServiceValidationError) as caught:
        await call(hass, "create_key", name="Laptop", user_id="nobody")
    assert caught.value.translation_key == "unknown_user"
    assert len(runtime_of(entry).store.keys) == 1


async def test_alias_action_applies_immediately_and_can_be_removed(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    engine, runtime = hass.data[DATA].engine, entry.runtime_data
    await do(hass, "set_model_alias", name="smart", targets=["big-model", "auto"], strategy="latency")
    await hass.async_block_till_done()
    named = ModelAlias(("big-model", "auto"), Strategy.LATENCY)
    assert engine.policy.virtual_models == {**DEFAULT_VIRTUAL_MODELS, "smart": named}
    await do(hass, "set_model_alias", name="smart")
    await do(hass, "set_model_alias", name="cheap")
    await hass.async_block_till_done()
    assert engine.policy.virtual_models.keys() == DEFAULT_VIRTUAL_MODELS.keys() - {"cheap"}
    assert entry.runtime_data is runtime
    for name, error in (("auto", "auto_stays"), ("smart", "unknown_alias")):
        with pytest.raises(ServiceValidationError) as caught:
            await do(hass, "set_model_alias", name=name)
        assert caught.value.translation_key == error
    assert "auto" in entry.options[CONF_VIRTUAL_MODELS]
    with pytest.raises(ServiceValidationError, match="cannot refer to itself") as caught:
        await do(hass, "set_model_alias", name="mine", targets=["mine"])
    assert caught.value.translation_key == "invalid_alias"


@pytest.mark.parametrize(
    ("action", "data", "answers"),
    [
        ("create_key", {"name": "Mine"}, True),
        ("list_keys", {}, True),
        ("revoke_key", {"key_id": "First key"}, False),
        ("rotate_key", {"key_id": "First key"}, True),
        ("set_model_alias", {"name": "x", "targets": ["y"]}, False),
    ],
)
async def test_key_actions_need_an_administrator(
    hass: HomeAssistant, entry: MockConfigEntry, hass_read_only_user: MockUser, action: str, data: dict[str, Any], answers: bool
) -> None:
    with pytest.raises(Unauthorized):
        await (call if answers else do)(hass, action, Context(user_id=hass_read_only_user.id), **data)
    assert [key.name for key in runtime_of(entry).store.keys] == ["First key"]
    await hass.config_entries.async_unload(entry.entry_id)
    if action != "set_model_alias":  # which is kept for when it is back
        with pytest.raises(ServiceValidationError) as caught:
            await (call if answers else do)(hass, action, **data)
        assert caught.value.translation_key == "no_gateway"


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("create_key", {"name": "  "}),
        ("create_key", {"name": "x", "endpoints": ["everything"]}),
        ("create_key", {"name": "x", "labels": ["a,b"]}),
        ("rotate_key", {"key_id": "First key", "overlap": {"days": 31}}),
        ("set_model_alias", {"name": "x", "targets": ["y"], "strategy": "luck"}),
    ],
)
async def test_key_actions_with_invalid_data_are_refused(
    hass: HomeAssistant, entry: MockConfigEntry, action: str, data: dict[str, Any]
) -> None:
    with pytest.raises(vol.Invalid):
        await (do if action == "set_model_alias" else call)(hass, action, **data)
