"""Reauthentication flows of providers and of backends of the gateway start and end when needed."""

from typing import Any

from aiohttp import web
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.zeroconf_ai.const import DOMAIN, SUBENTRY_BACKEND
from custom_components.zeroconf_ai.data import DATA
from homeassistant.core import DOMAIN as HOMEASSISTANT_DOMAIN, HomeAssistant
from homeassistant.helpers import issue_registry as ir

from .flows.test_provider_entry import submit
from .support.fakes.provider import FakeProvider, running, text
from .support.home_assistant.entries import ask, make_entry, set_up
from .support.home_assistant.gateway import CHAT, CHAT_PATH, bearer, box, gateway_with

pytestmark = pytest.mark.usefixtures("checked_texts", "ready_to_serve")

BAD_KEY = {"error": {"message": "wants a key", "type": "authentication_error", "code": "invalid_api_key"}}


async def unauthorized(_: web.Request) -> web.Response:
    return web.json_response(BAD_KEY, status=401)


def flows(hass: HomeAssistant) -> list[Any]:
    return list(hass.config_entries.flow.async_progress_by_handler(DOMAIN))


def repair(hass: HomeAssistant, entry: MockConfigEntry) -> ir.IssueEntry | None:
    """Home Assistant's own, which a reauthentication raises."""
    return ir.async_get(hass).async_get_issue(HOMEASSISTANT_DOMAIN, f"config_entry_reauth_{DOMAIN}_{entry.entry_id}")


async def done(hass: HomeAssistant) -> None:
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_refusal_of_one_request_without_key_starts_no_reauthentication(hass: HomeAssistant, provider: FakeProvider) -> None:
    entry = await set_up(hass, make_entry(provider))
    provider.answers = [unauthorized, text("Hello")]
    await ask(hass, fails=True)
    await done(hass)
    assert (flows(hass), repair(hass, entry)) == ([], None)
    assert entry.runtime_data.member.online
    await ask(hass)
    assert entry.runtime_data.member.refused_requests == 0


async def test_provider_temporarily_requiring_a_key_starts_and_ends_reauthentication(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    entry = await set_up(hass, make_entry(provider))
    coordinator = entry.runtime_data.coordinator
    provider.key = "new"
    await coordinator.check_now(models=True)
    await done(hass)
    assert (len(flows(hass)), repair(hass, entry) is not None) == (1, True)
    provider.key = None
    await coordinator.check_now()
    await done(hass)
    assert (flows(hass), repair(hass, entry)) == ([], None)


async def test_provider_refusing_requests_needs_an_answered_request_to_end_reauthentication(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    entry = await set_up(hass, make_entry(provider))
    coordinator = entry.runtime_data.coordinator
    provider.answers = [unauthorized]
    for _ in range(2):
        await ask(hass, fails=True)
        await done(hass)
    assert len(flows(hass)) == 1
    await coordinator.check_now(models=True)
    await done(hass)
    assert len(flows(hass)) == 1
    provider.answers = [text("Hello")]
    await ask(hass)
    await done(hass)
    assert (flows(hass), repair(hass, entry)) == ([], None)


async def test_key_entered_elsewhere_ends_reauthentication(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.key = "new"
    entry = await set_up(hass, make_entry(provider, api_key="old"))
    await done(hass)
    assert len(flows(hass)) == 1
    hass.config_entries.async_update_entry(entry, data={**entry.data, "api_key": "new"})
    await done(hass)
    assert (flows(hass), repair(hass, entry)) == ([], None)


async def test_refusal_of_one_backend_request_without_key_starts_no_reauthentication(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator
) -> None:
    entry = await set_up(hass, gateway_with(box(provider)))
    provider.answers = [unauthorized, text("Hello")]
    client = await hass_client_no_auth()
    assert (await client.post(CHAT_PATH, json=CHAT, headers=bearer())).status >= 400
    await done(hass)
    assert (flows(hass), repair(hass, entry)) == ([], None)
    assert (await client.post(CHAT_PATH, json=CHAT, headers=bearer())).status == 200


async def test_backends_refusing_keys_are_reauthenticated_one_after_another(hass: HomeAssistant, provider: FakeProvider) -> None:
    async with running(FakeProvider(key="second")) as second:
        provider.key = "first"
        entry = await set_up(hass, gateway_with(box(provider, api_key="wrong"), box(second, "Second", api_key="wrong")))
        await done(hass)
        one, other = entry.get_subentries_of_type(SUBENTRY_BACKEND)
        [flow] = flows(hass)
        asked_first = flow["context"]["subentry_id"]
        assert asked_first in (one.subentry_id, other.subentry_id)
        server, left = (provider, other) if asked_first == one.subentry_id else (second, one)
        server.key = None
        checker, pool = hass.data[DATA].engine.checker, hass.data[DATA].engine.pool
        member = pool.get(asked_first)
        assert member is not None
        await checker.check(member, models=True)
        await done(hass)
        [flow] = flows(hass)
        assert flow["context"]["subentry_id"] == left.subentry_id
        assert flow["step_id"] == "reauth_backend"
        hass.config_entries.async_remove_subentry(entry, left.subentry_id)
        await done(hass)
        assert (flows(hass), repair(hass, entry)) == ([], None)


async def test_key_entered_in_reauthentication_ends_it(hass: HomeAssistant, provider: FakeProvider) -> None:
    provider.key = "right"
    entry = await set_up(hass, gateway_with(box(provider, api_key="wrong")))
    await done(hass)
    [flow] = flows(hass)
    result = await submit(hass, flow, {"api_key": "right"})
    assert result["reason"] == "backend_reauthenticated"
    await done(hass)
    assert (flows(hass), repair(hass, entry)) == ([], None)
