"""A real Home Assistant that speaks HTTPS on its separate port, and providers of its household, over real mDNS."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
import errno
from ipaddress import ip_address
import json
import socket
import ssl
import time

import aiohttp
from zeroconf.asyncio import AsyncZeroconf

from devhome.client import HomeClient, eventually
from devhome.gateway import add_gateway
from devhome.home import Home
from devhome.namespaces import Lan
from tests.support.fakes.provider import FakeProvider, running
from tests.support.typescript import FOLDER
from zeroconf_ai.lan.neighbours import read_table
from zeroconf_ai.protocol import household
from zeroconf_ai.protocol.household import HouseholdCode, HouseholdKey
from zeroconf_ai.protocol.record import Auth, ServiceRecord

from .advertised import info, record_of_tester
from .conftest import StartProvider
from .steps import DOMAIN, add
from .test_typescript import started

OWN_PORT = 8443
CODE: str = json.loads((FOLDER / "test" / "vectors" / "household.json").read_text())["code"]


class Member:
    """A provider of the household on the tester's host, advertised over mDNS."""

    def __init__(self, provider: FakeProvider, network: AsyncZeroconf) -> None:
        self.provider = provider
        self._network = network
        self._key = HouseholdKey(HouseholdCode.parse(CODE))

    def record(self) -> ServiceRecord:
        """The advertisement of a new token, which the provider accepts from now on instead of the former."""
        self.provider.key = household.new_token()
        sealed = self._key.seal(self.provider.key, self.provider.id or "", household.period_of(time.time()))
        return replace(record_of_tester(self.provider, name="Attic"), auth=Auth.TOKEN, sealed_token=sealed)

    async def announce(self) -> None:
        """Advertise it for the first time."""
        await self._network.async_register_service(info(self.record()))

    async def rotate(self) -> None:
        """Change the advertised token, as a provider does each hour."""
        await self._network.async_update_service(info(self.record()))


async def test_home_follows_a_provider_of_its_household_over_mdns_and_speaks_https(
    home: Home, client: HomeClient, lan: Lan, network: AsyncZeroconf
) -> None:
    gateway = await add_gateway(client, own_port=OWN_PORT)
    await submit_switch(client, gateway.entry_id)
    await assert_https(lan, gateway.key)
    step = await client.start_flow(gateway.entry_id, kind="options")
    step = await client.continue_flow(step["flow_id"], {"next_step_id": "household"}, kind="options")
    limits = {"household_tokens_per_hour": 5000, "household_cost_per_hour": 0}
    await client.continue_flow(step["flow_id"], {"household": CODE, **limits}, kind="options")
    async with running(FakeProvider(host=lan.host("tester").ipv4, proves=True)) as provider:
        member = Member(provider, network)
        await member.announce()
        await add(client, "Attic")
        assert await until_used(client, provider)
        await member.rotate()
        assert await until_used(client, provider)
        assert "reauth" not in {flow["context"]["source"] for flow in await client.flows_in_progress(DOMAIN)}


async def test_typescript_client_follows_the_tokens_of_its_household_over_mdns(lan: Lan, network: AsyncZeroconf) -> None:
    other = HouseholdCode.generate().text
    source = f"""
    const ai = new Client(undefined, {{ household: "{CODE}" }});
    const asked = () => settled(ai.chat("Who are you?").then(({{ provider }}) => provider));
    await asked();
    await next();
    for (let tries = 0; tries < 200; tries += 1) {{
      try {{ await ai.chat("Who are you?"); break; }} catch {{ await new Promise((done) => setTimeout(done, 50)); }}
    }}
    await asked();
    await settled(new Client(undefined, {{ household: "{other}" }}).chat("Who are you?"));
    await settled(new Client("{FakeProvider.id}", {{ household: "{other}" }}).chat("Who are you?"));
    """
    lan.host("laptop")
    host = lan.host("tester").ipv4
    async with running(FakeProvider(host=host, proves=True)) as provider, running(FakeProvider(host=host)) as impostor:
        member = Member(provider, network)
        copied = replace(member.record(), name="Copy", host="copy.local.", port=impostor.port)
        await network.async_register_service(info(copied), cooperating_responders=True)
        await network.async_register_service(info(replace(copied, name="Attic", host="tester.local.", port=provider.port)))
        async with started(lan, source) as node:
            assert await node.told() == "Attic"
            await member.rotate()
            assert await node.proceed() == "Attic"
            assert provider.key in provider.keys
            assert "an API key is sent only to the provider that you name" in (await node.told())["error"]
            assert "it belongs to another household" in (await node.told())["error"]
            assert await node.ended() == 0
        assert set(impostor.keys) <= {None}
        assert impostor.requests == []


async def test_server_without_keys_admits_devices_by_their_mac(lan: Lan, start_provider: StartProvider) -> None:
    gpu, laptop = lan.host("gpu"), lan.host("laptop")
    mac = json.loads(laptop.namespace.run("ip", "-j", "link", "show", "eth0"))[0]["address"]
    provider = await start_provider(gpu, options=("--open", "--allow-mac", mac))
    url = f"{provider.base_url}/models"
    asked = ("curl", "--silent", "--show-error", "--max-time", "20", "--write-out", " %{http_code}", url)
    for allowed in (laptop, gpu):  # the machine itself is no neighbour of its own
        answer = await asyncio.to_thread(allowed.namespace.run, *asked)
        assert answer.endswith(" 200"), answer
    async with aiohttp.ClientSession() as tester, tester.get(url) as response:
        error = (await response.json())["error"]
    assert (response.status, error["code"]) == (403, "network_not_allowed")
    assert "allow its MAC address" in error["message"]
    with laptop.namespace.entered(), socket.socket(socket.AF_INET6) as stranger:
        stranger.settimeout(10)
        assert stranger.connect_ex((gpu.ipv6, 9)) == errno.ECONNREFUSED
    with gpu.namespace.entered():
        table = read_table()
    assert (table[ip_address(laptop.ipv4)], table[ip_address(laptop.ipv6)]) == (mac, mac)


async def submit_switch(client: HomeClient, entry_id: str) -> None:
    """Turn on HTTPS in the form of the gateway's access."""
    step = await client.start_flow(DOMAIN, entry_id=entry_id)
    fields = {"name": "Demo home AI", "auth": "token", "own_port": OWN_PORT, "own_port_tls": True}
    step = await client.continue_flow(step["flow_id"], fields)
    assert (step["type"], step["reason"]) == ("abort", "reconfigure_successful")


async def assert_https(lan: Lan, key: str) -> None:
    """The separate port answers over HTTPS, verified by its authority, and plain HTTP with the https address."""
    at = f"{lan.host('home').ipv4}:{OWN_PORT}"
    async with aiohttp.ClientSession() as session:

        async def authority() -> str | None:
            async with session.get(f"https://{at}/ca.pem", ssl=False) as response:
                return await response.text()

        context = ssl.create_default_context(cadata=await eventually(tried(authority)))
        headers = {"Authorization": f"Bearer {key}"}
        async with session.get(f"https://{at}/v1/models", ssl=context, headers=headers) as response:
            assert response.status == 200
        async with session.get(f"http://{at}/v1/models", headers=headers) as response:
            assert response.status == 400
            assert f"https://{at}" in await response.text()


def tried[T](look: Callable[[], Awaitable[T | None]]) -> Callable[[], Awaitable[T | None]]:
    """The same, with None while the server does not answer."""

    async def attempt() -> T | None:
        try:
            return await look()
        except aiohttp.ClientError:
            return None

    return attempt


async def until_used(client: HomeClient, provider: FakeProvider) -> bool:
    """Whether Home Assistant sends the provider a request with its present token, within a generous time."""

    async def look() -> bool:
        before = len(provider.requests)
        try:
            await client.call_service(DOMAIN, "chat", {"prompt": "Is it?", "model": "test-model"}, response=True)
        except Exception:  # noqa: BLE001 - not found yet
            return False
        return len(provider.requests) > before and provider.keys[-1] == provider.key

    return await eventually(look)
