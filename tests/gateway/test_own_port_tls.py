"""The certificate of the gateway's separate port: renewed in time, or given in files."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.zeroconf_ai.const import (
    CONF_AUTH,
    CONF_OWN_PORT,
    CONF_OWN_PORT_CERTIFICATE,
    CONF_OWN_PORT_KEY,
    CONF_OWN_PORT_TLS,
    DOMAIN,
)
from custom_components.zeroconf_ai.core.backends.zeroconfai import fingerprint_ssl
from custom_components.zeroconf_ai.core.server.tls.certificates import Hosts, key_to_pem, make_authority, make_server, to_pem
from custom_components.zeroconf_ai.core.server.tls.identity_files import fingerprint
from custom_components.zeroconf_ai.flows.gateway import CERTIFICATE_UNUSABLE
from custom_components.zeroconf_ai.gateway.separate_port import OWN_PORT_CLOSED
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util import dt as dt_util

from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway import bearer, gateway_with
from ..support.ports import free_port

pytestmark = pytest.mark.usefixtures("checked_texts", "ready_to_serve")

HOSTS = Hosts.of(["attic.local"], [IPv4Address("127.0.0.1")])


@pytest.fixture(autouse=True)
def only_loopback(hass: HomeAssistant, ready_to_serve: None) -> None:
    """The port is opened on 127.0.0.1."""
    hass.http.server_host = ["127.0.0.1"]


def write_given(folder: Path) -> str:
    """A certificate of another authority in two files; its fingerprint."""
    now = datetime.now(UTC)
    made = make_server("Given", HOSTS, make_authority("Another CA", HOSTS, now), now)
    (folder / "cert.pem").write_bytes(to_pem([made.certificate]))
    (folder / "key.pem").write_bytes(key_to_pem(made.key))
    return fingerprint(made.certificate)


async def status_at(hass: HomeAssistant, port: int, pin: str, path: str = "/v1/models") -> int:
    """The answer of the server with this certificate."""
    session = async_get_clientsession(hass)
    async with session.get(f"https://127.0.0.1:{port}{path}", headers=bearer(), ssl=fingerprint_ssl(pin)) as answer:
        return answer.status


async def an_hour_later(hass: HomeAssistant) -> None:
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(hours=1, minutes=1))
    await hass.async_block_till_done(wait_background_tasks=True)


def advertised_pin(entry: MockConfigEntry) -> str | None:
    found: str | None = entry.runtime_data.presence._record().fingerprint
    return found


async def test_certificate_is_renewed_by_the_hour_when_a_third_of_its_time_is_left(
    hass: HomeAssistant, hass_ws_client: WebSocketGenerator
) -> None:
    port = free_port()
    entry = await set_up(hass, gateway_with(options={CONF_OWN_PORT: port, CONF_OWN_PORT_TLS: True}))
    tls = entry.runtime_data.separate_port.tls
    former = tls.fingerprint
    for days, renewed in ((240, False), (250, True)):
        tls._now = lambda days=days: datetime.now(UTC) + timedelta(days=days)
        await an_hour_later(hass)
        assert (tls.fingerprint != former) is renewed
    assert advertised_pin(entry) == tls.fingerprint
    assert [step.fingerprint for step in tls.hand_over(former)] == [former]
    client = await hass_ws_client()
    await client.send_json_auto_id({"type": "zeroconf_ai/keys"})
    authority = (await client.receive_json())["result"]["authority"]
    assert authority["pem"].encode() == tls.authority_pem
    certificate = x509.load_pem_x509_certificate(authority["pem"].encode())
    assert bytes.fromhex(authority["sha256"].replace(":", "")) == certificate.fingerprint(hashes.SHA256())
    assert await status_at(hass, port, tls.fingerprint) == 200


async def test_given_certificate_is_checked_in_the_form_presented_and_read_again(hass: HomeAssistant, tmp_path: Path) -> None:
    port, given = free_port(), await hass.async_add_executor_job(write_given, tmp_path)
    entry = await set_up(hass, gateway_with(options={CONF_OWN_PORT: port}))
    form: dict[str, Any] = {"name": "House", CONF_AUTH: "token", CONF_OWN_PORT: port, CONF_OWN_PORT_TLS: True}
    files = {CONF_OWN_PORT_CERTIFICATE: str(tmp_path / "cert.pem"), CONF_OWN_PORT_KEY: str(tmp_path / "key.pem")}
    flow: Any = await entry.start_reconfigure_flow(hass)
    for wrong in (
        {CONF_OWN_PORT_CERTIFICATE: files[CONF_OWN_PORT_CERTIFICATE]},
        files | {CONF_OWN_PORT_KEY: files[CONF_OWN_PORT_CERTIFICATE]},
        files | {CONF_OWN_PORT_KEY: str(tmp_path / "missing.pem")},
        files | {CONF_OWN_PORT_CERTIFICATE: "/dev/zero"},
    ):
        flow = await hass.config_entries.flow.async_configure(flow["flow_id"], form | wrong)
        assert flow["errors"] == {"base": CERTIFICATE_UNUSABLE}
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"], form | files)
    assert flow["reason"] == "reconfigure_successful"
    await hass.async_block_till_done(wait_background_tasks=True)
    assert advertised_pin(entry) == given
    assert await status_at(hass, port, given) == 200
    assert await status_at(hass, port, given, "/ca.pem") == 404
    replaced = await hass.async_add_executor_job(write_given, tmp_path)
    await an_hour_later(hass)
    assert advertised_pin(entry) == replaced
    assert await status_at(hass, port, replaced) == 200
    assert entry.runtime_data.separate_port.tls.hand_over(given)
    flow = await entry.start_reconfigure_flow(hass)
    await hass.config_entries.flow.async_configure(flow["flow_id"], form)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert CONF_OWN_PORT_CERTIFICATE not in entry.options
    assert advertised_pin(entry) not in (given, replaced, None)
    assert await status_at(hass, port, advertised_pin(entry) or "", "/ca.pem") == 200


async def test_given_certificate_that_is_gone_at_the_start_is_a_repair(hass: HomeAssistant, tmp_path: Path) -> None:
    files = {CONF_OWN_PORT_CERTIFICATE: str(tmp_path / "cert.pem"), CONF_OWN_PORT_KEY: str(tmp_path / "key.pem")}
    await set_up(hass, gateway_with(options={CONF_OWN_PORT: free_port(), CONF_OWN_PORT_TLS: True, **files}))
    issue = ir.async_get(hass).async_get_issue(DOMAIN, OWN_PORT_CLOSED)
    assert issue is not None
    assert issue.translation_placeholders is not None
    assert "key.pem cannot be read" in issue.translation_placeholders["reason"]
