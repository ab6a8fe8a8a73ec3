"""Providers of the household: used by the token that they advertise, which nobody gets who has not proved it."""

from collections.abc import Iterator
import time
from typing import Any
from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai import issues
from custom_components.zeroconf_ai.const import CONF_BASE_URL, CONF_HOUSEHOLD, DOMAIN
from custom_components.zeroconf_ai.core.protocol import household
from custom_components.zeroconf_ai.core.protocol.household import HouseholdCode, HouseholdKey
from custom_components.zeroconf_ai.core.protocol.record import Auth, ServiceRecord
from custom_components.zeroconf_ai.diagnostics import async_get_config_entry_diagnostics
from custom_components.zeroconf_ai.flows.household_probe import (
    HOUSEHOLD_INVALID,
    HOUSEHOLD_NEEDED,
    HOUSEHOLD_OLD,
    HOUSEHOLD_UNPROVEN,
    HOUSEHOLD_WRONG,
)
from custom_components.zeroconf_ai.flows.probe import NEEDS_KEY
from homeassistant.config_entries import SOURCE_REAUTH, ConfigFlowResult
from homeassistant.const import CONF_API_KEY
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir

from ..support.fakes.provider import FakeProvider, running
from ..support.home_assistant.discovery import announced, discover, submit
from ..support.home_assistant.entries import announce, ask, make_entry, record_of, set_up
from ..support.home_assistant.gateway import gateway_with

pytestmark = pytest.mark.usefixtures("checked_texts", "ready_to_serve")

CODE = HouseholdCode.generate()
OTHER_CODE = HouseholdCode.generate("next door")


@pytest.fixture(scope="module")
def keys() -> dict[str, HouseholdKey]:
    """The keys of both households, derived once."""
    return {code.text: HouseholdKey(code) for code in (CODE, OTHER_CODE)}


@pytest.fixture(autouse=True)
def derived(keys: dict[str, HouseholdKey]) -> Iterator[None]:
    """Home Assistant takes the same keys, which saves 0.3 s for each."""
    with patch("custom_components.zeroconf_ai.household.HouseholdKey", lambda code: keys[code.text]):
        yield


class Household:
    """A fake provider that advertises household tokens of the test's hours."""

    def __init__(self, provider: FakeProvider, key: HouseholdKey) -> None:
        provider.proves = True
        self.provider = provider
        self.key = key
        self.sealed = ""
        self.rotate()

    def rotate(self, hours: int = 0) -> None:
        """Use a new token, sealed for an hour from now."""
        self.provider.key = household.new_token()
        self.sealed = self.key.seal(self.provider.key, self.provider.id or "", household.period_of(time.time()) + hours)

    @property
    def record(self) -> ServiceRecord:
        return record_of(self.provider, auth=Auth.TOKEN, sealed_token=self.sealed)

    @property
    def txt(self) -> dict[str, str]:
        return {"auth": "token", "tok": self.sealed}


@pytest.fixture
def member(provider: FakeProvider, keys: dict[str, HouseholdKey]) -> Household:
    return Household(provider, keys[CODE.text])


async def hear(hass: HomeAssistant, record: ServiceRecord) -> None:
    announce(hass, record)
    await hass.async_block_till_done(wait_background_tasks=True)


async def with_gateway(hass: HomeAssistant, code: HouseholdCode = CODE) -> None:
    await set_up(hass, gateway_with(options={CONF_HOUSEHOLD: code.text, "advertise": False}))


async def found_by_gateway(hass: HomeAssistant, member: Household) -> ConfigFlowResult:
    await with_gateway(hass)
    return await discover(hass, announced(member.provider, txt=member.txt))


def entry_of(provider: FakeProvider, code: str = "") -> MockConfigEntry:
    """The entry of a provider of the household; without a code, the gateway's is used."""
    data: dict[str, Any] = {CONF_API_KEY: None, CONF_HOUSEHOLD: code}
    return make_entry(provider, **data)


def reauth_of(hass: HomeAssistant) -> str | None:
    """The step of the reauthentication in progress."""
    flows = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    return next((flow["step_id"] for flow in flows if flow["context"]["source"] == SOURCE_REAUTH), None)


async def test_provider_of_the_gateways_household_is_added_without_a_key(hass: HomeAssistant, member: Household) -> None:
    result = await found_by_gateway(hass, member)
    assert result["step_id"] == "discovery_confirm"
    assert result["data_schema"] is not None
    assert not result["data_schema"].schema
    shown = result["description_placeholders"]
    assert shown is not None
    assert shown["access"] == "with the household code, by a token that changes every hour"
    announce(hass, member.record)
    result = await submit(hass, result)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done(wait_background_tasks=True)
    assert result["data"][CONF_HOUSEHOLD] == ""
    assert CONF_API_KEY not in result["data"]
    entry = result["result"]
    assert entry.runtime_data.member.online
    assert (await ask(hass))["text"] == "Hello there."
    diagnostics = str(await async_get_config_entry_diagnostics(hass, entry))
    assert (member.provider.key or "") not in f"{diagnostics}{entry.data}"


async def test_provider_asks_for_the_code_and_tells_wrong_old_and_unproven_apart(
    hass: HomeAssistant, member: Household, caplog: pytest.LogCaptureFixture
) -> None:
    result = await discover(hass, announced(member.provider, txt=member.txt))
    assert result["data_schema"] is not None
    assert {str(field) for field in result["data_schema"].schema} == {CONF_HOUSEHOLD, CONF_API_KEY}
    for fields, error in (
        ({}, HOUSEHOLD_NEEDED),
        ({CONF_HOUSEHOLD: "a word"}, HOUSEHOLD_INVALID),
        ({CONF_HOUSEHOLD: OTHER_CODE.text}, HOUSEHOLD_WRONG),
    ):
        result = await submit(hass, result, fields)
        assert result["errors"] == {"base": error}
    member.provider.proves = False
    result = await submit(hass, result, {CONF_HOUSEHOLD: CODE.text})
    assert result["errors"] == {"base": HOUSEHOLD_UNPROVEN}
    assert member.provider.key not in member.provider.keys
    member.provider.proves = True
    result = await submit(hass, result, {CONF_HOUSEHOLD: CODE.text.upper()})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_HOUSEHOLD] == CODE.text
    assert CODE.passphrase[:8] not in caplog.text


async def test_old_advertisement_is_told_from_a_wrong_code_in_the_form(hass: HomeAssistant, member: Household) -> None:
    member.rotate(hours=-5)
    result = await discover(hass, announced(member.provider, txt=member.txt))
    result = await submit(hass, result, {CONF_HOUSEHOLD: CODE.text})
    assert result["errors"] == {"base": HOUSEHOLD_OLD}
    assert result["description_placeholders"] is not None
    assert result["description_placeholders"]["reason"] == "5"
    member.provider.key = "chosen"
    result = await submit(hass, result, {CONF_API_KEY: "chosen"})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert CONF_HOUSEHOLD not in result["data"]


async def test_provider_that_does_not_prove_its_token_asks_for_a_key(hass: HomeAssistant, member: Household) -> None:
    member.provider.proves = False
    result = await submit(hass, await found_by_gateway(hass, member))
    assert result["errors"] == {"base": HOUSEHOLD_UNPROVEN}
    assert result["data_schema"] is not None
    assert {str(field) for field in result["data_schema"].schema} == {CONF_HOUSEHOLD, CONF_API_KEY}
    assert set(member.provider.keys) == {None}


async def test_token_is_followed_over_the_hours_and_after_a_restart(hass: HomeAssistant, member: Household) -> None:
    await with_gateway(hass)
    former = member.provider.key
    entry = await set_up(hass, entry_of(member.provider))
    assert reauth_of(hass) is None  # it has not been heard yet
    await hear(hass, member.record)
    assert entry.runtime_data.member.online
    assert (await ask(hass))["text"] == "Hello there."
    member.rotate()
    await hear(hass, member.record)
    assert entry.runtime_data.backend.key == member.provider.key != former
    assert (await ask(hass))["text"] == "Hello there."
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.runtime_data.member.online
    assert reauth_of(hass) is None


async def test_request_refused_with_the_former_token_takes_the_advertised_one(hass: HomeAssistant, member: Household) -> None:
    await with_gateway(hass)
    entry = await set_up(hass, entry_of(member.provider))
    await hear(hass, member.record)
    entry.runtime_data.backend.authorize("zai_" + "0" * 32)
    assert (await ask(hass))["text"] == "Hello there."
    assert entry.runtime_data.backend.key == member.provider.key
    assert reauth_of(hass) is None


async def test_another_code_of_the_provider_asks_for_it_and_the_entered_one_is_used_by_all(
    hass: HomeAssistant, member: Household, keys: dict[str, HouseholdKey]
) -> None:
    entry = await set_up(hass, entry_of(member.provider, CODE.text))
    other = entry_of(FakeProvider(id="22222222-2222-4222-8222-222222222222"), CODE.text)
    other.add_to_hass(hass)
    await hear(hass, member.record)
    assert entry.runtime_data.member.online
    member.key = keys[OTHER_CODE.text]
    member.rotate()
    await hear(hass, member.record)
    assert reauth_of(hass) == "reauth_household"
    assert ir.async_get(hass).async_get_issue(DOMAIN, f"{issues.HOUSEHOLD_TOKEN_OLD}_{entry.entry_id}") is None
    [flow] = [flow for flow in hass.config_entries.flow.async_progress() if flow["context"]["source"] == SOURCE_REAUTH]
    result = await submit(hass, flow, {CONF_HOUSEHOLD: CODE.text})
    assert result["errors"] == {"base": HOUSEHOLD_WRONG}
    result = await submit(hass, flow, {CONF_HOUSEHOLD: OTHER_CODE.text})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reauth_successful")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.data[CONF_HOUSEHOLD] == other.data[CONF_HOUSEHOLD] == OTHER_CODE.text
    assert (await ask(hass))["text"] == "Hello there."


async def test_provider_that_left_the_household_is_used_with_a_key(hass: HomeAssistant, member: Household) -> None:
    entry = await set_up(hass, entry_of(member.provider, CODE.text))
    await hear(hass, member.record)
    member.provider.key = "chosen"
    await hear(hass, record_of(member.provider, auth=Auth.TOKEN))
    assert reauth_of(hass) == "reauth_household"
    [flow] = [flow for flow in hass.config_entries.flow.async_progress() if flow["context"]["source"] == SOURCE_REAUTH]
    result = await submit(hass, flow)
    assert result["errors"] == {"base": NEEDS_KEY}
    result = await submit(hass, flow, {CONF_API_KEY: "chosen"})
    assert result["reason"] == "reauth_successful"
    await hass.async_block_till_done(wait_background_tasks=True)
    assert (entry.data[CONF_API_KEY], CONF_HOUSEHOLD in entry.data) == ("chosen", False)
    assert (await ask(hass))["text"] == "Hello there."


async def test_old_token_creates_a_repair_about_clocks_and_a_new_one_ends_it(hass: HomeAssistant, member: Household) -> None:
    await with_gateway(hass)
    entry = await set_up(hass, entry_of(member.provider))
    member.rotate(hours=-3)
    await hear(hass, member.record)
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"{issues.HOUSEHOLD_TOKEN_OLD}_{entry.entry_id}")
    assert issue is not None
    assert issue.translation_placeholders == {"provider": "Test provider", "hours": "3"}
    assert reauth_of(hass) is None
    member.rotate()
    await hear(hass, member.record)
    assert ir.async_get(hass).async_get_issue(DOMAIN, f"{issues.HOUSEHOLD_TOKEN_OLD}_{entry.entry_id}") is None
    assert entry.runtime_data.member.online


async def test_new_code_of_the_gateway_applies_to_its_providers_at_once(
    hass: HomeAssistant, member: Household, keys: dict[str, HouseholdKey]
) -> None:
    gateway = await set_up(hass, gateway_with(options={CONF_HOUSEHOLD: OTHER_CODE.text, "advertise": False}))
    entry = await set_up(hass, entry_of(member.provider))
    await hear(hass, member.record)
    assert reauth_of(hass) == "reauth_household"
    hass.config_entries.async_update_entry(gateway, options={**gateway.options, CONF_HOUSEHOLD: CODE.text})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.runtime_data.member.online
    assert reauth_of(hass) is None


async def test_copied_advertisement_at_another_address_gets_neither_token_nor_prompt(
    hass: HomeAssistant, member: Household
) -> None:
    await with_gateway(hass)
    entry = await set_up(hass, entry_of(member.provider))
    await hear(hass, member.record)
    async with running(FakeProvider(id=member.provider.id)) as impostor:
        await member.provider.stop()
        await hear(hass, record_of(impostor, auth=Auth.TOKEN, sealed_token=member.sealed))
        await ask(hass, fails=True)
        assert entry.data[CONF_BASE_URL] == member.provider.base_url
        assert (set(impostor.keys), impostor.requests) == ({None}, [])
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"{issues.IDENTITY_CHANGED}_{entry.entry_id}")
    assert issue is not None
    assert issue.translation_key == issues.PROVIDER_MOVED


async def test_provider_of_the_household_is_followed_to_an_address_where_it_proves_its_token(
    hass: HomeAssistant, member: Household
) -> None:
    await with_gateway(hass)
    entry = await set_up(hass, entry_of(member.provider))
    await hear(hass, member.record)
    await member.provider.stop()
    async with running(FakeProvider(id=member.provider.id, key=member.provider.key, proves=True)) as moved:
        await hear(hass, record_of(moved, auth=Auth.TOKEN, sealed_token=member.sealed))
        assert entry.data[CONF_BASE_URL] == moved.base_url
        assert (await ask(hass))["text"] == "Hello there."
