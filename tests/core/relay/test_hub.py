"""The house's side of the relay: admission, and requests of backends over a link."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
import gc
import json
import logging
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
import pytest

from tests.support.fakes.provider import FakeProvider, refuse
from tests.support.server import CHAT, Endless, Served, served, upstream
from zeroconf_ai.accounting.one_time_codes import OneTimeCodes, Purpose
from zeroconf_ai.protocol.errors import ApiError, RateLimitError, UpstreamConnectionError
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.relay import uplink as uplinks
from zeroconf_ai.relay.frames import SUBPROTOCOL
from zeroconf_ai.relay.handshake import HandshakeError, Welcome, authenticate_to_house, pair_with_house, public_bytes
from zeroconf_ai.relay.hub import RelayHub
from zeroconf_ai.relay.link import Link
from zeroconf_ai.relay.stream import Stream
from zeroconf_ai.server.access.guard import Guard

from .houses import Connectors, House, answering, house, open_socket

LIMIT = 20.0
DEMO = {"model": "demo-rules", "messages": [{"role": "user", "content": "Hello"}]}


@asynccontextmanager
async def relayed(*backends: Any) -> AsyncGenerator[tuple[House, Served]]:
    """A house whose own server uses a provider that is reached over the relay only; the provider has `backends`."""
    async with (
        asyncio.timeout(LIMIT),
        served(*backends, provider_id="connector-id") as remote,
        house() as home,
        home.connected(answering(home, remote)),
    ):
        for member in home.server.engine.pool:
            await home.server.engine.remove(member.id)
        await home.server.engine.checker.check(home.server.engine.add(home.backend()), models=True)
        yield home, remote


async def test_provider_over_the_relay_answers_chat_and_stream() -> None:
    async with relayed() as (home, _):
        status, found, headers = await home.server.ask(
            "POST", "chat/completions", json=DEMO, headers={"X-Request-ID": "req_road"}
        )
        assert status == 200
        assert found["choices"][0]["message"]["content"]
        assert headers["X-Request-ID"] == "req_road"
        assert headers["X-ZeroconfAI-Provider"] == "GPU box"
        status, streamed, _ = await home.server.ask("POST", "chat/completions", json={**DEMO, "stream": True})
        assert status == 200
        assert streamed.endswith(b"data: [DONE]\n\n")


async def test_provider_over_the_relay_gets_request_id_and_via() -> None:
    provider = FakeProvider()
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, relayed(backend) as (home, _):
        status, _, _ = await home.server.ask("POST", "chat/completions", json=CHAT, headers={"X-Request-ID": "req_road"})
        assert status == 200
        sent = provider.received[-1].headers
        assert sent["X-Request-ID"] == "req_road"
        assert [hop.split()[1] for hop in sent["Via"].split(",")] == ["gateway-id", "connector-id"]


async def test_provider_over_the_relay_lists_its_models_and_health() -> None:
    async with relayed() as (home, _):
        backend = home.backend()
        assert (await backend.health()).id == "connector-id"
        assert "demo-rules" in [model.id for model in await backend.models()]
        assert await backend.status() is not None


async def test_provider_over_the_relay_whose_upstream_is_down_is_502() -> None:
    provider = FakeProvider()
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, relayed(backend) as (home, _):
        await provider.stop()
        status, found, _ = await home.server.ask("POST", "chat/completions", json=CHAT)
        assert status == 502
        assert "GPU box" in found["error"]["message"]


async def test_path_that_may_not_cross_is_not_sent() -> None:
    asked: list[str] = []

    async def accept(stream: Stream) -> None:
        asked.append(stream.request.path)

    async with (
        asyncio.timeout(LIMIT),
        house() as home,
        home.connected(accept),
        home.session.get("http://x.invalid/admin/usage") as response,
    ):
        assert response.status == 404
        assert (await response.json())["error"]["code"] == "not_found"
    assert not asked


async def test_form_with_an_image_crosses_in_parts() -> None:
    received: dict[str, Any] = {}

    async def accept(stream: Stream) -> None:
        received["headers"] = dict(stream.request.headers)
        received["body"] = b"".join([part async for part in stream])
        link.answer(stream, 200, (("content-type", "application/json"),))
        await stream.send(b"{}")
        stream.end()

    async with asyncio.timeout(LIMIT), house() as home, home.connected(accept) as link:

        async def parts() -> AsyncGenerator[bytes]:
            for number in range(30):
                yield bytes([number]) * 100_000

        form = aiohttp.FormData()
        form.add_field("image", parts(), filename="a.png")  # of unknown size, so it is sent in chunks
        headers = {"Authorization": "Bearer secret", "Cookie": "a=b", "X-Request-ID": "req_1"}
        async with home.session.post("http://x.invalid/v1/images/edits", data=form, headers=headers) as response:
            assert (response.status, await response.json()) == (200, {})
    assert b"".join(bytes([number]) * 100_000 for number in range(30)) in received["body"]
    assert received["body"].rstrip().endswith(b"--")
    assert set(received["headers"]) <= {"accept", "content-type", "x-request-id"}


async def test_client_that_leaves_ends_the_upstream_request() -> None:
    endless = Endless()
    provider = FakeProvider(answers=[endless])
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, relayed(backend) as (home, _):
        async with home.server.session.post(f"{home.server.url}/chat/completions", json={**CHAT, "stream": True}) as response:
            await response.content.readany()
        await endless.gone.wait()


async def test_link_lost_in_mid_answer_ends_the_stream_with_an_error() -> None:
    provider = FakeProvider(answers=[Endless()])
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, relayed(backend) as (home, _):
        async with home.server.session.post(f"{home.server.url}/chat/completions", json={**CHAT, "stream": True}) as response:
            await response.content.readany()
            await home.links[-1].close()
            rest = await response.content.read()
        assert b'"error"' in rest
        assert b"[DONE]" not in rest


async def test_request_that_waits_goes_on_over_the_new_link() -> None:
    """Nothing of its answer had arrived when the link dropped."""
    arrived, asked = asyncio.Event(), []

    async def never(stream: Stream) -> None:
        asked.append(b"".join([part async for part in stream]))
        arrived.set()
        await asyncio.Event().wait()

    async with asyncio.timeout(LIMIT), served() as remote, house() as home:
        body = json.dumps({**DEMO, "padding": "x" * 500_000})
        async with home.connected(never) as link:
            waiting = asyncio.create_task(home.backend().send(Request(Kind.CHAT, json.loads(body))))
            await arrived.wait()
            await link.close()
        async with home.connected(answering(home, remote)):
            answer = await waiting
            assert b"choices" in (await answer.completion()).raw
            await answer.close()
    assert len(asked[0]) > 500_000


async def test_request_on_a_connector_that_stops_goes_on_over_the_new_link() -> None:
    async with asyncio.timeout(LIMIT), served() as remote, house() as home, home.connected(answering(home, remote)) as link:
        link.goaway()
        while home.uplink.link is not None:
            await asyncio.sleep(0.01)
        waiting = asyncio.create_task(home.backend().models())
        await asyncio.sleep(0)
        async with home.connected(answering(home, remote)):
            assert await waiting


async def test_connector_that_says_by_a_reset_that_it_stops_gets_the_request_once() -> None:
    asked: list[str] = []

    async def refuse_all(stream: Stream) -> None:
        asked.append(stream.request.path)
        stream.reset({"code": "going_away", "message": "The connector stops."})

    async with asyncio.timeout(LIMIT), served() as remote, house() as home, home.connected(refuse_all):
        waiting = asyncio.create_task(home.backend().models())
        while home.uplink.link is not None:
            await asyncio.sleep(0.01)
        async with home.connected(answering(home, remote)):
            assert await waiting
    assert asked == ["/v1/models"]


async def test_request_whose_new_link_is_lost_at_once_goes_on_over_the_next_one(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(_: bytes) -> None:
        raise ConnectionResetError

    def break_link() -> None:
        if (link := home.uplink.link) is not None and not broken:
            broken.append(link)
            link._socket.send_bytes = fail  # type: ignore[method-assign, assignment]

    async def never(_: Stream) -> None:
        arrived.set()
        await asyncio.Event().wait()

    arrived = asyncio.Event()
    broken: list[Link] = []
    async with asyncio.timeout(LIMIT), served() as remote, house() as home:
        async with home.connected(never):
            waiting = asyncio.create_task(home.backend().send(Request(Kind.CHAT, dict(DEMO))))
            await arrived.wait()
        home.uplink.listen(break_link)
        async with home.open() as socket:
            await authenticate_to_house(socket, home.key_of_connector, public_bytes(home.key))
            async for _ in socket:
                pass
        async with home.connected(answering(home, remote)):
            await (await waiting).close()
        gc.collect()  # an error of a task that nobody awaits is logged now
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_connector_that_is_away_is_an_error_at_once() -> None:
    async with asyncio.timeout(LIMIT), house() as home:
        with pytest.raises(UpstreamConnectionError, match="GPU box could not be reached: its connector is not connected"):
            await home.backend().health()


async def test_connector_that_does_not_come_back_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uplinks, "RECONNECT_SECONDS", 0.3)

    async def never(_: Stream) -> None:
        await asyncio.Event().wait()

    async with asyncio.timeout(LIMIT), house() as home:
        gone = asyncio.Event()
        home.uplink.listen(lambda: None if home.uplink.connected else gone.set())
        async with home.connected(never):
            waiting = asyncio.create_task(home.backend().models())
            while not home.links[-1].streams:
                await asyncio.sleep(0.01)
        with pytest.raises(UpstreamConnectionError):
            await waiting
        await gone.wait()


async def test_connector_refuses_a_request_by_a_reset() -> None:
    async def accept(stream: Stream) -> None:
        stream.reset({"code": "too_many_streams", "message": "Too many requests are open."})

    async with asyncio.timeout(LIMIT), house() as home, home.connected(accept):
        with pytest.raises(ApiError) as raised:
            await home.backend().send(Request(Kind.CHAT, dict(CHAT)))
        assert raised.value.upstream_status == 503


async def test_connector_connected_twice_uses_the_newer_link() -> None:
    async with (
        asyncio.timeout(LIMIT),
        served() as remote,
        house() as home,
        home.connected(answering(home, remote)) as first,
        home.connected(answering(home, remote)),
    ):
        while not first.closed:
            await asyncio.sleep(0.01)
        assert await home.backend().models()


async def test_connector_that_is_forgotten_is_disconnected_and_refused() -> None:
    async with asyncio.timeout(LIMIT), served() as remote, house() as home:
        async with home.connected(answering(home, remote)) as link:
            home.connectors.known.clear()
            await home.hub.forget(home.id)
            while not link.closed:
                await asyncio.sleep(0.01)
        async with home.open() as socket:
            with pytest.raises(HandshakeError) as raised:
                await authenticate_to_house(socket, home.key_of_connector, public_bytes(home.key))
        assert raised.value.code == "not_paired"


async def test_connector_pairs_at_the_server_and_is_reported() -> None:
    async with asyncio.timeout(LIMIT), house() as home:
        found: list[str] = []
        home.hub.listen(lambda connector: found.append(connector.name))
        code, key = home.hub.codes.make(Purpose.RELAY).code, Ed25519PrivateKey.generate()
        async with home.open() as socket:
            paired = await pair_with_house(socket, key, "Attic", code)
            await authenticate_to_house(socket, key, paired.house_key)
            while not found:
                await asyncio.sleep(0.01)
        assert found[0] == "Attic"


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"protocols": ()}, 400),
        ({"protocols": ("zeroconfai.relay.9",)}, 400),
    ],
)
async def test_connection_that_is_no_connectors_is_refused(options: dict[str, Any], status: int) -> None:
    async with asyncio.timeout(LIMIT), house() as home, aiohttp.ClientSession() as session:
        wanted = {"protocols": (SUBPROTOCOL,), **options}
        with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
            await session.ws_connect(f"{home.server.url}/relay", **wanted)
        assert raised.value.status == status


async def test_request_without_a_websocket_is_told_to_upgrade() -> None:
    async with asyncio.timeout(LIMIT), house() as home:
        status, found, headers = await home.server.get("relay")
        assert (status, found["error"]["code"], headers["Upgrade"]) == (426, "upgrade_required", "websocket")


async def test_server_without_a_relay_has_no_such_path() -> None:
    async with served() as gateway:
        status, found, _ = await gateway.get("relay")
        assert (status, found["error"]["code"]) == (404, "not_found")


async def test_connection_without_a_pairing_waits_after_many_tries() -> None:
    async with asyncio.timeout(LIMIT), house() as home:

        async def fail() -> None:
            async with home.open() as socket:
                with pytest.raises(HandshakeError):
                    await authenticate_to_house(socket, Ed25519PrivateKey.generate(), public_bytes(home.key))

        with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
            await _one_after_the_other(fail, 40)
        assert raised.value.status == 429


async def _one_after_the_other(run: Callable[[], Awaitable[None]], times: int) -> None:
    for _ in range(times):
        await run()


async def test_connections_that_prove_nothing_are_few() -> None:
    async with asyncio.timeout(LIMIT), house() as home, home.open(), home.open(), home.open(), home.open():
        with pytest.raises(aiohttp.WSServerHandshakeError) as raised:
            async with home.open():
                pass
        assert raised.value.status == 429


async def test_key_that_is_needed_twice_at_once_is_loaded_once() -> None:
    made: list[Ed25519PrivateKey] = []

    async def load() -> Ed25519PrivateKey:
        await asyncio.sleep(0)
        made.append(Ed25519PrivateKey.generate())
        return made[-1]

    async with asyncio.timeout(LIMIT):
        hub = RelayHub(load, Welcome("gateway-id", "Home"), Connectors(), OneTimeCodes())
        first, second = await asyncio.gather(hub.key(), hub.key())
        assert first is second
        assert made == [first]


async def test_connections_that_wait_for_the_key_of_the_house_are_few() -> None:
    go = asyncio.Event()

    async def load() -> Ed25519PrivateKey:
        await go.wait()
        return Ed25519PrivateKey.generate()

    async with asyncio.timeout(LIMIT), served() as server, aiohttp.ClientSession() as session:
        server.gateway.relay = RelayHub(load, Welcome("gateway-id", "Home"), Connectors(), OneTimeCodes())
        url = f"{server.url}/relay"
        tries = [asyncio.create_task(session.ws_connect(url, protocols=(SUBPROTOCOL,))) for _ in range(5)]
        (refused,), waiting = await asyncio.wait(tries, return_when=asyncio.FIRST_COMPLETED)
        error = refused.exception()
        assert isinstance(error, aiohttp.WSServerHandshakeError)
        assert error.status == 429
        go.set()
        for socket in await asyncio.gather(*waiting):
            await socket.close()


async def test_connections_behind_a_trusted_proxy_count_for_their_own_addresses() -> None:
    async with asyncio.timeout(LIMIT), house(access=Guard(proxies=["127.0.0.1/32"])) as home, AsyncExitStack() as stack:
        for number in range(4):
            await stack.enter_async_context(open_socket(home.server.url, {"X-Forwarded-For": "203.0.113.7"}))
            await stack.enter_async_context(open_socket(home.server.url, {"X-Forwarded-For": f"198.51.100.{number}"}))
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await stack.enter_async_context(open_socket(home.server.url, {"X-Forwarded-For": "203.0.113.7"}))


async def test_rate_limit_of_the_upstream_is_passed_on() -> None:
    provider = FakeProvider(answers=[refuse(429, "Too many requests.", {"Retry-After": "7"})])
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, relayed(backend) as (home, _):
        with pytest.raises(RateLimitError) as raised:
            await home.backend().send(Request(Kind.CHAT, dict(CHAT)))
        assert raised.value.retry_after is not None
        assert 0 < raised.value.retry_after <= 7


async def test_house_that_stops_lets_running_requests_finish() -> None:
    go = asyncio.Event()

    async def accept(stream: Stream) -> None:
        home.links[-1].answer(stream, 200, (("content-type", "application/json"),))
        await go.wait()
        await stream.send(b'{"object": "list", "data": []}')
        stream.end()

    async with asyncio.timeout(LIMIT), house() as home, home.connected(accept):
        waiting = asyncio.create_task(home.backend().models())
        while not home.links[-1].streams:
            await asyncio.sleep(0.01)
        closing = asyncio.create_task(home.hub.close(LIMIT))
        await asyncio.sleep(0.05)
        assert not closing.done()
        go.set()
        assert await waiting == ()
        await closing
        assert home.links[-1].closed or home.links[-1].draining
