"""Key proofs on Home Assistant's port and on the separate port, each with its address."""

import secrets

import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.zeroconf_ai.const import CONF_OWN_PORT
from custom_components.zeroconf_ai.core.backends.base import Endpoint
from custom_components.zeroconf_ai.core.backends.identity_probe import proves_key
from custom_components.zeroconf_ai.core.protocol import key_proof
from homeassistant.core import HomeAssistant

from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway import KEY, box, gateway_with, runtime_of
from ..support.home_assistant.gateway_entry import GATEWAY_ID
from ..support.ports import free_port

pytestmark = pytest.mark.usefixtures("ready_to_serve")


async def test_key_proof_on_both_ports_works_for_keys_but_not_tokens(
    hass: HomeAssistant, provider: FakeProvider, hass_client_no_auth: ClientSessionGenerator, hass_access_token: str
) -> None:
    port = free_port()
    hass.http.server_host = ["127.0.0.1"]
    entry = await set_up(hass, gateway_with(box(provider), options={CONF_OWN_PORT: port}))
    client = await hass_client_no_auth()
    created, secret = await runtime_of(entry).store.keys.create("Laptop")
    for number in (client.port, port):
        endpoint = Endpoint(f"http://127.0.0.1:{number}/v1")
        assert await proves_key(endpoint, "It", GATEWAY_ID, KEY)
        assert await proves_key(endpoint, "It", GATEWAY_ID, secret)
    params = {
        "kid": key_proof.encode(key_proof.key_id(key_proof.digest(KEY))),
        "challenge": key_proof.encode(secrets.token_bytes(32)),
    }
    forged = {"Host": f"192.0.2.66:{port}", "X-Forwarded-Host": "192.0.2.66", "X-Forwarded-Port": "1"}
    plain = await (await client.get("/v1/health", params=params)).json()
    assert (await (await client.get("/v1/health", params=params, headers=forged)).json())["proof"] == plain["proof"]
    await runtime_of(entry).store.keys.update(created.id, enabled=False)
    assert not await proves_key(Endpoint(f"http://127.0.0.1:{port}/v1"), "It", GATEWAY_ID, secret)
    assert not await proves_key(Endpoint(f"http://127.0.0.1:{port}/v1"), "It", GATEWAY_ID, hass_access_token)
    bad = await client.get("/v1/health", params={"kid": "x"})
    assert (bad.status, (await bad.json())["error"]["param"]) == (400, "kid")
