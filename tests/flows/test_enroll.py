"""A provider that requires a client certificate: Home Assistant enrols by a code, or asks the provider's owner."""

from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiohttp
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.zeroconf_ai.certificates import CERTIFICATES
from custom_components.zeroconf_ai.const import CONF_BASE_URL, CONF_CLIENT_CERTIFICATE, CONF_FINGERPRINT, CONF_PROVIDER_ID, DOMAIN
from custom_components.zeroconf_ai.core.backends.http import HttpUpstream
from custom_components.zeroconf_ai.core.protocol.errors import CertificateError
from custom_components.zeroconf_ai.core.protocol.hand_over import fingerprint_of
from custom_components.zeroconf_ai.core.protocol.record import SERVICE_TYPE, Auth, ServiceRecord
from custom_components.zeroconf_ai.core.protocol.status import ProviderState
from custom_components.zeroconf_ai.diagnostics import async_get_config_entry_diagnostics
from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_USER, ConfigEntry
from homeassistant.const import CONF_HOST, CONF_PORT, CONF_SSL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from homeassistant.setup import async_setup_component
from zeroconf_ai.accounting.one_time_codes import Purpose

from ..core.server.tls.certificates import server_tls
from ..support.enrolling import EnrollingServer, enrolling
from ..support.home_assistant.discovery import discover, submit
from ..support.home_assistant.entries import announce

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")


@pytest.fixture
async def server(tmp_path: Path, socket_enabled: None) -> AsyncIterator[EnrollingServer]:
    """A server that needs a client certificate."""
    async with enrolling(tmp_path / "server", server_tls(tmp_path / "tls")) as running:
        yield running


def announced(server: EnrollingServer, fingerprint: str | None = None) -> ZeroconfServiceInfo:
    return ZeroconfServiceInfo(
        ip_address=ip_address("127.0.0.1"),
        ip_addresses=[ip_address("127.0.0.1")],
        port=server.served.port,
        hostname="attic.local.",
        type=SERVICE_TYPE,
        name=f"Attic.{SERVICE_TYPE}",
        properties={"id": "gateway-id", "auth": "mtls", "tls": "1", "fp": fingerprint or server.tls.fingerprint},
    )


def code_of(server: EnrollingServer) -> dict[str, str]:
    return {"code": server.enrolment.codes.make(Purpose.ENROLL).code}


def modes(hass: HomeAssistant, *folder: str) -> dict[str, int]:
    """The files of the folder with client certificates, and who may read them."""
    found = Path(hass.config.path("zeroconf_ai", "clients", *folder))
    return {file.name: file.stat().st_mode & 0o777 for file in found.iterdir()} if found.is_dir() else {}


async def enrolled(hass: HomeAssistant, server: EnrollingServer) -> ConfigEntry:
    """The entry of the provider, which a code has added."""
    result = await discover(hass, announced(server))
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "discovery_confirm")
    result = await submit(hass, result)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "enroll")
    result = await submit(hass, result, code_of(server))
    assert result["type"] is FlowResultType.CREATE_ENTRY, result
    await hass.async_block_till_done()
    entry: ConfigEntry = result["result"]
    return entry


async def test_discovered_provider_is_added_with_a_code_and_used_with_the_certificate(
    hass: HomeAssistant, server: EnrollingServer
) -> None:
    entry = await enrolled(hass, server)
    assert entry.data == {
        CONF_BASE_URL: server.served.url,
        CONF_PROVIDER_ID: "gateway-id",
        CONF_FINGERPRINT: server.tls.fingerprint,
        CONF_CLIENT_CERTIFICATE: True,
        "service_name": "Attic",
    }
    assert entry.runtime_data.member.online
    assert modes(hass, "gateway-id") == {"client.pem": 0o600, "enrolment.json": 0o600}
    shown = str(await async_get_config_entry_diagnostics(hass, entry))
    assert "expires" in shown
    assert "PRIVATE" not in shown
    assert server.tls.fingerprint not in shown
    assert await hass.config_entries.async_reload(entry.entry_id)
    await entry.runtime_data.coordinator.check_now(models=True)
    assert entry.runtime_data.member.online
    (key,) = server.store.keys
    assert key.name == hass.config.location_name
    await hass.config_entries.async_remove(entry.entry_id)
    assert modes(hass) == {}


async def test_owner_of_the_provider_is_asked_without_a_code(hass: HomeAssistant, server: EnrollingServer) -> None:
    result = await submit(hass, await discover(hass, announced(server)))
    result = await submit(hass, result)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "enroll_owner")
    (asked,) = server.enrolment.pending
    shown = result["description_placeholders"]
    assert shown is not None
    assert shown["digits"].replace(" ", "") == asked.check
    result = await submit(hass, result)
    assert result["errors"] == {"base": "enroll_pending"}
    await server.enrolment.approve(asked.id)
    result = await submit(hass, result)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert result["result"].runtime_data.member.online


async def test_owner_who_refuses_is_told(hass: HomeAssistant, server: EnrollingServer) -> None:
    result = await submit(hass, await discover(hass, announced(server)))
    result = await submit(hass, result)
    (asked,) = server.enrolment.pending
    server.enrolment.refuse(asked.id)
    result = await submit(hass, result)
    assert result["errors"] == {"base": "enroll_refused"}


async def test_wrong_code_and_another_certificate_are_told_and_store_nothing(
    hass: HomeAssistant, server: EnrollingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = await submit(hass, await discover(hass, announced(server)))
    for text, error in (("hello", "enroll_code_invalid"), ("0000-0000", "enroll_code_wrong")):
        code_of(server)
        result = await submit(hass, result, {"code": text})
        assert result["errors"] == {"base": error}
    pinned = fingerprint_of(b"another certificate")
    flow: Any = hass.config_entries.flow._progress[result["flow_id"]]
    monkeypatch.setattr(flow, "_target", type(flow._target)(server.served.url, "Attic", pinned))
    result = await submit(hass, result, code_of(server))
    assert result["errors"] == {"base": "enroll_pin_changed"}
    assert modes(hass) == {}
    assert not list(server.store.keys)


async def test_provider_that_is_entered_by_its_address_asks_for_a_code_too(hass: HomeAssistant, server: EnrollingServer) -> None:
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    result = await hass.config_entries.flow.async_configure(result["flow_id"], {"next_step_id": "provider"})
    address = {
        CONF_HOST: "127.0.0.1",
        CONF_PORT: server.served.port,
        "advanced": {CONF_SSL: True, CONF_VERIFY_SSL: False},
    }
    result = await submit(hass, result, address)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "enroll"), result
    result = await submit(hass, result, code_of(server))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert result["result"].unique_id == "gateway-id"
    assert result["result"].data[CONF_FINGERPRINT] == server.tls.fingerprint
    assert result["result"].runtime_data.member.online


async def test_revoked_certificate_is_replaced_by_reauthentication(hass: HomeAssistant, server: EnrollingServer) -> None:
    entry = await enrolled(hass, server)
    (key,) = server.store.keys
    await server.store.keys.revoke(key.id)
    await entry.runtime_data.coordinator.check_now(models=True)
    await hass.async_block_till_done()
    assert entry.runtime_data.member.state is ProviderState.UNAUTHORIZED
    (flow,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN, match_context={"source": SOURCE_REAUTH})
    assert flow["step_id"] == "enroll"
    result = await hass.config_entries.flow.async_configure(flow["flow_id"], code_of(server))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reauth_successful")
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.runtime_data.member.online


async def test_certificate_is_renewed_by_the_timer_and_used_without_a_restart(
    hass: HomeAssistant, server: EnrollingServer, freezer: FrozenDateTimeFactory
) -> None:
    entry = await enrolled(hass, server)
    file = Path(hass.config.path("zeroconf_ai", "clients", "gateway-id", "client.pem"))
    former = await hass.async_add_executor_job(file.read_bytes)
    context = entry.runtime_data.backend.endpoint.ssl
    freezer.tick(timedelta(days=61))
    async_fire_time_changed(hass)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert await hass.async_add_executor_job(file.read_bytes) != former
    assert entry.runtime_data.backend.endpoint.ssl is not context
    await entry.runtime_data.coordinator.check_now(models=True)
    assert entry.runtime_data.member.online


async def test_another_certificate_of_the_provider_is_an_error_and_is_never_pinned_silently(
    hass: HomeAssistant, server: EnrollingServer, tmp_path: Path
) -> None:
    entry = await enrolled(hass, server)
    pinned = server.tls.fingerprint
    other = await hass.async_add_executor_job(server_tls, tmp_path / "other")
    server.tls.context.load_cert_chain(other.folder / "server.pem")  # as a machine that has taken the address
    async with aiohttp.ClientSession() as session:  # its connection is new
        with pytest.raises(CertificateError, match="different certificate"):
            await HttpUpstream(session, entry.runtime_data.backend.endpoint, name="Attic").get("/models")
    with pytest.raises(CertificateError, match="did not sign it"):
        await hass.data[CERTIFICATES].follow("gateway-id")
    assert entry.data[CONF_FINGERPRINT] == pinned
    held = hass.data[CERTIFICATES].of("gateway-id")
    assert held is not None
    assert held.enrolment.pin == pinned


async def test_certificate_of_the_provider_that_was_made_anew_is_accepted_by_the_repair_only_and_then_enrolled_again(
    hass: HomeAssistant, server: EnrollingServer, tmp_path: Path
) -> None:
    entry = await enrolled(hass, server)
    pinned = server.tls.fingerprint
    tls = await hass.async_add_executor_job(server_tls, tmp_path / "anew")
    async with enrolling(tmp_path / "reinstalled", tls) as anew:
        record = ServiceRecord(
            name="Attic",
            host="attic.local.",
            port=anew.served.port,
            addresses=(ip_address("127.0.0.1"),),
            id="gateway-id",
            auth=Auth.MTLS,
            tls=True,
            fingerprint=anew.tls.fingerprint,
        )
        await server.served.runner.cleanup()
        announce(hass, record)
        await hass.async_block_till_done(wait_background_tasks=True)
        assert entry.data[CONF_FINGERPRINT] == pinned
        assert not list(anew.store.keys)
        (issue,) = [key for domain, key in ir.async_get(hass).issues if domain == DOMAIN and entry.entry_id in key]
        await async_setup_component(hass, "repairs", {})
        repairs = repairs_flow_manager(hass)
        assert repairs is not None
        shown = await repairs.async_init(DOMAIN, context={"issue_id": issue})
        shown = await repairs.async_configure(shown["flow_id"], {"next_step_id": "accept"})
        shown = await repairs.async_configure(shown["flow_id"], {})
        assert shown["type"] is FlowResultType.CREATE_ENTRY, shown
        assert (entry.data[CONF_FINGERPRINT], entry.data[CONF_BASE_URL]) == (anew.tls.fingerprint, anew.served.url)
        await hass.async_block_till_done(wait_background_tasks=True)
        entry.async_start_reauth(hass)
        await hass.async_block_till_done()
        (flow,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN, match_context={"source": SOURCE_REAUTH})
        result = await hass.config_entries.flow.async_configure(flow["flow_id"], code_of(anew))
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reauth_successful")
        await hass.async_block_till_done(wait_background_tasks=True)
        assert entry.runtime_data.member.online
