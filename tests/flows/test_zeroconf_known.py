"""Advertisements of providers that are set up: ignored, unchanged, moved, adopted, or with another identity."""

from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.const import (
    CONF_BASE_URL,
    CONF_EPHEMERAL,
    CONF_FINGERPRINT,
    CONF_PROVIDER_ID,
    CONF_SERVICE_NAME,
    DOMAIN,
)
from homeassistant.config_entries import SOURCE_IGNORE
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir

from ..support.fakes.provider import FakeProvider, running
from ..support.home_assistant.discovery import announced, discover, submit
from ..support.home_assistant.entries import make_entry, set_up

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")

OTHER_ID = "22222222-2222-4222-8222-222222222222"


async def test_ignored_provider_stays_ignored(hass: HomeAssistant, provider: FakeProvider) -> None:
    MockConfigEntry(domain=DOMAIN, source=SOURCE_IGNORE, unique_id=provider.id).add_to_hass(hass)
    result = await discover(hass, announced(provider))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert not provider.paths


async def test_known_provider_at_its_address_is_not_probed(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = make_entry(provider)
    entry.add_to_hass(hass)
    result = await discover(hass, announced(provider))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert not provider.paths


async def test_moved_provider_is_followed(hass: HomeAssistant, provider: FakeProvider, moved: FakeProvider) -> None:
    moved.key, moved.proves = "zai_example-key-of-the-tests-0000000", True
    entry = make_entry(provider, api_key=moved.key)
    entry.add_to_hass(hass)
    await provider.stop()
    result = await discover(hass, announced(moved))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert entry.data[CONF_BASE_URL] == moved.base_url
    assert set(moved.keys) == {None}


async def test_moved_provider_that_proves_nothing_is_not_followed(
    hass: HomeAssistant, provider: FakeProvider, moved: FakeProvider
) -> None:
    entry = make_entry(provider, api_key="secret")
    entry.add_to_hass(hass)
    await provider.stop()
    await discover(hass, announced(moved))
    assert entry.data[CONF_BASE_URL] == provider.base_url
    assert set(moved.keys) == {None}
    assert moved.challenged == 0  # the public id of a chosen key would help to guess it


async def test_manual_provider_that_reports_no_id_adopts_none(hass: HomeAssistant, provider: FakeProvider) -> None:
    typed = MockConfigEntry(domain=DOMAIN, data={CONF_BASE_URL: provider.base_url})
    typed.add_to_hass(hass)
    info = announced(provider)
    provider.id = None
    result = await discover(hass, info)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert typed.unique_id is None
    assert CONF_PROVIDER_ID not in typed.data


async def test_copy_of_an_id_is_not_followed_while_the_provider_answers(
    hass: HomeAssistant, provider: FakeProvider, moved: FakeProvider
) -> None:
    entry = make_entry(provider)
    entry.add_to_hass(hass)
    await discover(hass, announced(moved))
    assert entry.data[CONF_BASE_URL] == provider.base_url


@pytest.mark.parametrize("identity", [OTHER_ID, None])
async def test_moved_provider_with_another_or_no_id_is_not_followed(
    hass: HomeAssistant, provider: FakeProvider, moved: FakeProvider, identity: str | None
) -> None:
    entry = make_entry(provider)
    entry.add_to_hass(hass)
    await provider.stop()
    info = announced(moved)
    moved.id = identity
    result = await discover(hass, info)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert entry.data[CONF_BASE_URL] == provider.base_url


@pytest.mark.parametrize("changes", [{CONF_FINGERPRINT: "A" * 43}, {CONF_EPHEMERAL: True}])
async def test_moved_provider_with_a_pinned_certificate_or_ephemeral_key_is_not_followed(
    hass: HomeAssistant, provider: FakeProvider, moved: FakeProvider, changes: dict[str, Any]
) -> None:
    entry = make_entry(provider, **changes)
    entry.add_to_hass(hass)
    await provider.stop()
    await discover(hass, announced(moved))
    assert entry.data[CONF_BASE_URL] == provider.base_url
    assert not moved.paths


async def test_manual_provider_adopts_the_advertised_id(hass: HomeAssistant, provider: FakeProvider) -> None:
    far = MockConfigEntry(domain=DOMAIN, data={CONF_BASE_URL: "http://192.0.2.1:8000/v1"})
    far.add_to_hass(hass)
    typed = MockConfigEntry(domain=DOMAIN, data={CONF_BASE_URL: provider.base_url})
    typed.add_to_hass(hass)
    result = await discover(hass, announced(provider))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert typed.unique_id == provider.id
    assert typed.data == {
        CONF_BASE_URL: provider.base_url,
        CONF_PROVIDER_ID: provider.id,
        CONF_SERVICE_NAME: "GPU box",
    }
    assert far.unique_id is None


async def test_manual_provider_with_another_id_does_not_adopt_the_advertised_one(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    typed = MockConfigEntry(domain=DOMAIN, data={CONF_BASE_URL: provider.base_url})
    typed.add_to_hass(hass)
    result = await discover(hass, announced(provider, txt={"id": OTHER_ID}))
    assert result["reason"] == "identity_mismatch"
    assert typed.unique_id is None


async def test_same_name_with_another_id_requires_a_confirmation(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider, title="GPU box"))
    async with running(FakeProvider(id=OTHER_ID)) as other:
        result = await discover(hass, announced(other))
        assert result["step_id"] == "identity_confirm"
        assert result["description_placeholders"] is not None
        assert result["description_placeholders"]["former"] == "GPU box"
        issue_id = f"identity_changed_{entry.entry_id}"
        assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is None
        result = await submit(hass, result)
        assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.unique_id == provider.id


async def test_same_name_in_place_of_an_offline_provider_is_a_repair(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider, title="GPU box"))
    await provider.stop()
    for _ in range(3):
        await entry.runtime_data.coordinator.async_refresh()
    async with running(FakeProvider(id=OTHER_ID)) as other:
        await discover(hass, announced(other))
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"identity_changed_{entry.entry_id}")
    assert issue is not None
    assert issue.data is not None
    assert issue.data["provider_id"] == OTHER_ID
