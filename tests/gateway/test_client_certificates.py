"""Client certificates of the gateway's separate port in Home Assistant: enrolment, approval as a repair, backups."""

from http import HTTPStatus
from pathlib import Path, PurePath
import ssl
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator, WebSocketGenerator

from custom_components.zeroconf_ai.const import CONF_AUTH, CONF_OWN_PORT, CONF_OWN_PORT_TLS, DOMAIN
from custom_components.zeroconf_ai.core.backends.zeroconfai import fingerprint_ssl
from custom_components.zeroconf_ai.core.protocol.key_proof import encode
from custom_components.zeroconf_ai.core.protocol.pairing import commitment, new_nonce
from custom_components.zeroconf_ai.core.protocol.record import Auth
from homeassistant.components.backup.const import EXCLUDE_DATABASE_FROM_BACKUP, EXCLUDE_FROM_BACKUP
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.setup import async_setup_component

from ..support.enrolling import signing_request
from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway import bearer, box, gateway_with, runtime_of
from ..support.ports import free_port

pytestmark = pytest.mark.usefixtures("ready_to_serve")


@pytest.fixture
async def entry(hass: HomeAssistant, provider: FakeProvider, tmp_path: Path) -> MockConfigEntry:
    """A gateway that needs client certificates."""
    hass.config.config_dir = str(tmp_path)
    hass.http.server_host = ["127.0.0.1"]
    options = {CONF_OWN_PORT: free_port(), CONF_OWN_PORT_TLS: True, CONF_AUTH: Auth.MTLS}
    return await set_up(hass, gateway_with(box(provider), options=options))


async def ask(hass: HomeAssistant, entry: MockConfigEntry, method: str, path: str, **options: Any) -> tuple[int, Any]:
    """Status and JSON of a request to the separate port."""
    port = runtime_of(entry).separate_port
    assert port.tls is not None
    options = {"ssl": fingerprint_ssl(port.tls.fingerprint), **options}
    async with async_get_clientsession(hass).request(method, f"https://127.0.0.1:{port.port}/v1/{path}", **options) as answer:
        return answer.status, await answer.json()


def certified(entry: MockConfigEntry, folder: Path, key: ec.EllipticCurvePrivateKey, pem: str) -> ssl.SSLContext:
    """A context with a client certificate."""
    tls = runtime_of(entry).separate_port.tls
    assert tls is not None
    assert tls.authority_pem is not None
    file = folder / "client.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + pem.encode())
    made = ssl.create_default_context(cadata=tls.authority_pem.decode())
    made.load_cert_chain(file)
    return made


async def test_gateway_with_client_certificates_accepts_only_them(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    hass_ws_client: WebSocketGenerator,
    hass_client_no_auth: ClientSessionGenerator,
    tmp_path: Path,
) -> None:
    socket = await hass_ws_client(hass)
    await socket.send_json_auto_id({"type": "zeroconf_ai/clients/code", "name": "Laptop", "endpoints": ["models"]})
    made = (await socket.receive_json())["result"]
    assert (made["offered"], made["mode"]) == (True, "mtls")
    key = ec.generate_private_key(ec.SECP256R1())
    body = {"csr": signing_request(key), "name": "laptop", "code": made["code"]["code"]}
    status, found = await ask(hass, entry, "POST", "enroll", json=body)
    assert status == HTTPStatus.OK
    context = certified(entry, tmp_path, key, found["certificate"])
    assert (await ask(hass, entry, "GET", "models", ssl=context))[0] == HTTPStatus.OK
    assert (await ask(hass, entry, "GET", "models", headers=bearer()))[1]["error"]["code"] == "missing_certificate"
    client = await hass_client_no_auth()  # on Home Assistant's own port, without TLS of the gateway
    async with client.get("/v1/models", headers=bearer()) as answer:
        assert answer.status == HTTPStatus.UNAUTHORIZED
    async with client.post("/v1/enroll", json=body) as answer:
        assert answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
    record = runtime_of(entry).presence._record()
    assert (record.auth, record.tls) == (Auth.MTLS, True)
    stored = runtime_of(entry).store.keys.get(found["id"])
    assert stored is not None
    assert (stored.name, stored.certificate) == ("Laptop", True)
    await runtime_of(entry).store.keys.revoke(found["id"])
    async with aiohttp.ClientSession() as session:
        url = f"https://127.0.0.1:{runtime_of(entry).separate_port.port}/v1/models"
        async with session.get(url, ssl=context) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (401, "invalid_certificate")


@pytest.mark.parametrize("approved", [True, False])
async def test_client_that_asks_is_a_repair_with_digits_which_approves_or_refuses(
    hass: HomeAssistant, entry: MockConfigEntry, hass_client: ClientSessionGenerator, *, approved: bool
) -> None:
    assert await async_setup_component(hass, "repairs", {})
    nonce, key = new_nonce(), ec.generate_private_key(ec.SECP256R1())
    body = {"csr": signing_request(key), "name": "phone [x](y)", "commitment": encode(commitment(nonce))}
    _, begun = await ask(hass, entry, "POST", "enroll", json=body)
    ticket = {"Authorization": f"Bearer {begun['ticket']}"}
    reveal = {"request": begun["request"], "nonce": encode(nonce)}
    _, waiting = await ask(hass, entry, "POST", "enroll", json=reveal, headers=ticket)
    issue_id = f"client_waiting_{begun['request']}"
    issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
    assert issue is not None
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["digits"].replace(" ", "") == waiting["check"]
    assert "[x](y)" not in issue.translation_placeholders["name"]

    client = await hass_client()
    async with client.post("/api/repairs/issues/fix", json={"handler": DOMAIN, "issue_id": issue_id}) as answer:
        flow = await answer.json()
    assert flow["menu_options"] == ["approve", "refuse"]
    step = f"/api/repairs/issues/fix/{flow['flow_id']}"
    async with client.post(step, json={"next_step_id": "approve" if approved else "refuse"}) as answer:
        found = await answer.json()
    if approved:
        assert found["type"] == "form"
        async with client.post(step, json={"name": "Phone"}) as answer:
            found = await answer.json()
    assert found["type"] == "create_entry"
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is None
    status, found = await ask(hass, entry, "GET", f"enroll/{begun['request']}", headers=ticket)
    assert status == (HTTPStatus.OK if approved else HTTPStatus.FORBIDDEN)
    names = [stored.name for stored in runtime_of(entry).store.keys if stored.certificate]
    assert names == (["Phone"] if approved else [])


async def test_client_whose_time_is_over_is_no_repair_any_more(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    enrolment = runtime_of(entry).server.enrolment
    assert enrolment is not None
    nonce = new_nonce()
    request, ticket = enrolment.pending.add("x", "127.0.0.1", None, bytes(32), bytes(32), commitment(nonce))
    enrolment.reveal(request.id, ticket, nonce)
    assert ir.async_get(hass).async_get_issue(DOMAIN, f"client_waiting_{request.id}") is not None
    request.ends = 0.0
    runtime_of(entry).waiting_clients.refresh()
    assert ir.async_get(hass).async_get_issue(DOMAIN, f"client_waiting_{request.id}") is None


async def test_backup_of_home_assistant_has_the_keys_of_the_certificates_and_the_database(
    hass: HomeAssistant, entry: MockConfigEntry, tmp_path: Path
) -> None:
    excluded = (*EXCLUDE_FROM_BACKUP, *EXCLUDE_DATABASE_FROM_BACKUP)
    files = [file.relative_to(tmp_path) for file in (tmp_path / "zeroconf_ai" / "tls").iterdir()]
    assert {file.name for file in files} >= {"server.pem", "ca-private.pem", "client-ca-private.pem", "client-ca.pem"}
    for file in files:
        assert not any(PurePath(file).match(pattern) for pattern in excluded), file
        assert (tmp_path / file).stat().st_mode & 0o077 == 0


async def test_mode_of_a_running_gateway_changes_what_handshakes_ask_for(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    tls = runtime_of(entry).separate_port.tls
    assert tls is not None
    modes = [tls.context.verify_mode]
    hass.config_entries.async_update_entry(entry, options={**entry.options, CONF_AUTH: Auth.TOKEN})
    await hass.async_block_till_done()
    modes.append(tls.context.verify_mode)
    assert modes == [ssl.CERT_OPTIONAL, ssl.CERT_NONE]
    assert (await ask(hass, entry, "GET", "models", headers=bearer()))[0] == HTTPStatus.OK
