"""The connector: its requests, rules, reconnects and its end."""

import asyncio
import json
from pathlib import Path

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
import pytest

from tests.core.server.tls.certificates import HOSTS, ID, Clock, given_files, other_authority, server_tls
from tests.support.fakes.provider import FakeProvider, Paused, text
from tests.support.server import CHAT, Endless, upstream
from tests.support.waiting import until
from zeroconf_ai.accounting.admission import RateLimits
from zeroconf_ai.accounting.one_time_codes import Purpose
from zeroconf_ai.accounting.overall_limits import OverallLimits
from zeroconf_ai.protocol.pairing import CodeError
from zeroconf_ai.relay.connector import LONGEST_DELAY, TOLD_AFTER, Timing, backoff
from zeroconf_ai.relay.dial import ConnectError, pair
from zeroconf_ai.relay.handshake import public_bytes
from zeroconf_ai.routing.accounting import Accounting

from .connectors import LIMIT, connected, paired_with, road
from .houses import house

DEMO = {**CHAT, "model": "demo-rules"}


async def test_chat_over_the_road_is_answered_with_ids_of_both_sides() -> None:
    """Complete and streamed; the id of the request and the path through both gateways reach the provider."""
    provider = FakeProvider(answers=[text("from ", "afar")])
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, connected(backend) as found:
        named = {"X-Request-ID": "req_road", "Authorization": "Bearer secret", "Cookie": "a=secret"}
        status, body, headers = await found.home.server.ask("POST", "chat/completions", json=CHAT, headers=named)
        assert (status, body["choices"][0]["message"]["content"]) == (200, "from afar")
        assert headers["X-Request-ID"] == "req_road"
        sent = provider.received[-1].headers
        assert sent["X-Request-ID"] == "req_road"
        assert [hop.split()[1] for hop in sent["Via"].split(",")] == ["gateway-id", "connector-id"]
        assert "secret" not in str(dict(sent))
        status, streamed, _ = await found.home.server.ask("POST", "chat/completions", json={**CHAT, "stream": True})
        assert (status, streamed.endswith(b"data: [DONE]\n\n")) == (200, True)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/models", 200),
        ("GET", "/v1/health", 200),
        ("GET", "/v1/status", 200),
        ("GET", "/admin/", 403),
        ("GET", "/v1/usage", 403),
        ("POST", "/v1/enroll", 403),
        ("GET", "/v1/models/..%2f..%2fadmin", 403),
        ("GET", "/metrics", 403),
    ],
)
async def test_connector_answers_its_table_only_whatever_the_house_sends(method: str, path: str, status: int) -> None:
    """A house that does not keep to the table gets an error, and learns nothing of the machine."""
    async with connected() as found:
        link = found.home.uplink.link
        assert link is not None
        stream = await link.open(method, path, (("authorization", "Bearer x"), ("cookie", "a=b")))
        stream.end()
        head = await stream.response()
        body = b"".join([part async for part in stream])
        assert head.status == status
        assert not {"set-cookie", "server", "date", "www-authenticate"} & {name for name, _ in head.headers}
        if status != 200:
            assert json.loads(body)["error"]["code"] == "endpoint_not_allowed"


async def test_models_of_the_rules_are_the_only_ones_over_the_road() -> None:
    """The house sees and gets no others."""
    async with connected(models=("demo-e*",)) as found:
        member = next(iter(found.home.server.engine.pool))
        assert [model.id for model in member.models if not model.virtual] == ["demo-embed"]
        status, body, _ = await found.home.server.ask("POST", "chat/completions", json=DEMO)
        assert (status, body["error"]["code"]) == (404, "model_not_found")


async def test_key_that_the_provider_rejects_is_a_502_without_the_key() -> None:
    """The connector's own key stays with it."""
    provider = FakeProvider(answers=[text("no")])
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, connected(backend) as found:
        provider.key = "sk-another-key"
        status, body, _ = await found.home.server.ask("POST", "chat/completions", json=CHAT)
        assert (status, body["error"]["type"]) == (502, "upstream_error")
        assert "sk-another-key" not in json.dumps(body)


async def test_rate_limit_of_the_machine_reaches_the_client_with_its_delay() -> None:
    """429 with Retry-After, as from a provider in the house."""
    async with connected() as found:
        await found.remote.engine.attach(Accounting(overall=OverallLimits(RateLimits(1))))
        assert (await found.home.server.ask("POST", "chat/completions", json=DEMO))[0] == 200
        status, body, headers = await found.home.server.ask("POST", "chat/completions", json=DEMO)
        assert (status, body["error"]["type"]) == (429, "rate_limit_error")
        assert 30 < int(headers["Retry-After"]) <= 60


async def test_provider_of_the_machine_that_is_down_is_a_502() -> None:
    """The house says which provider failed."""
    provider = FakeProvider()
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, connected(backend) as found:
        await provider.stop()
        status, body, _ = await found.home.server.ask("POST", "chat/completions", json=CHAT)
        assert (status, body["error"]["type"]) == (502, "upstream_error")


async def test_stream_ends_with_an_error_when_the_road_is_cut_and_the_next_one_works() -> None:
    """What was said is not said again, the provider stops, and the connector comes back by itself."""
    endless = Endless()
    provider = FakeProvider(answers=[endless, text("again")])
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, connected(backend) as found:
        async with found.home.server.session.post(f"{found.url}/chat/completions", json={**CHAT, "stream": True}) as response:
            await response.content.readline()
            link = found.home.uplink.link
            assert link is not None
            await link.close("cut")
            rest = (await asyncio.wait_for(response.content.read(), LIMIT)).decode()
        assert '"error"' in rest
        assert "[DONE]" not in rest
        await asyncio.wait_for(endless.gone.wait(), LIMIT)
        await found.opened(2)
        status, body, _ = await found.home.server.ask("POST", "chat/completions", json=CHAT)
        assert (status, body["choices"][0]["message"]["content"]) == (200, "again")


async def test_request_that_only_waits_goes_on_over_the_new_link() -> None:
    """Nothing of its answer has arrived: the client does not notice the cut."""
    waits = Endless(silent=True)
    provider = FakeProvider(answers=[waits, text("after the cut")])
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, connected(backend) as found:
        asking = asyncio.create_task(found.home.server.ask("POST", "chat/completions", json=CHAT))
        await asyncio.wait_for(waits.begun.wait(), LIMIT)
        link = found.home.uplink.link
        assert link is not None
        await link.close("cut")
        status, body, _ = await asyncio.wait_for(asking, LIMIT)
        assert (status, body["choices"][0]["message"]["content"]) == (200, "after the cut")


async def test_client_that_leaves_ends_the_request_at_the_machine() -> None:
    """No tokens are made for nobody."""
    endless = Endless()
    provider = FakeProvider(answers=[endless])
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, connected(backend) as found:
        async with found.home.server.session.post(f"{found.url}/chat/completions", json={**CHAT, "stream": True}) as response:
            await response.content.readline()
        await asyncio.wait_for(endless.gone.wait(), LIMIT)
        await until(lambda: not found.connector.streams, seconds=LIMIT)


async def test_connector_that_stops_lets_running_requests_finish() -> None:
    """It takes no new ones meanwhile."""
    paused = Paused()
    provider = FakeProvider(answers=[paused])
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, connected(backend) as found:
        async with found.home.server.session.post(f"{found.url}/chat/completions", json={**CHAT, "stream": True}) as response:
            await asyncio.wait_for(paused.begun.wait(), LIMIT)
            draining = asyncio.create_task(found.connector.drain(LIMIT))
            await until(lambda: found.home.uplink.link is None, seconds=LIMIT)
            assert not draining.done()
            paused.go.set()
            rest = await asyncio.wait_for(response.content.read(), LIMIT)
        await asyncio.wait_for(draining, LIMIT)
        assert rest.endswith(b"data: [DONE]\n\n")
        assert not found.connector.is_open


async def test_connector_that_is_restarted_lets_the_requests_of_the_former_process_finish() -> None:
    """The new process is connected while the former one still answers."""
    paused = Paused()
    provider = FakeProvider(answers=[paused, text("from the new one")])
    async with (
        aiohttp.ClientSession() as session,
        upstream(provider, session) as backend,
        connected(backend) as found,
        found.home.server.session.post(f"{found.url}/chat/completions", json={**CHAT, "stream": True}) as response,
    ):
        await asyncio.wait_for(paused.begun.wait(), LIMIT)
        draining = asyncio.create_task(found.connector.drain(LIMIT))
        await until(lambda: found.home.uplink.link is None, seconds=LIMIT)
        async with found.another() as anew:
            await until(lambda: anew.is_open and found.home.uplink.link is not None, seconds=LIMIT)
            status, body, _ = await found.home.server.ask("POST", "chat/completions", json=CHAT)
            assert (status, body["choices"][0]["message"]["content"]) == (200, "from the new one")
            paused.go.set()
            assert (await asyncio.wait_for(response.content.read(), LIMIT)).endswith(b"data: [DONE]\n\n")
            await asyncio.wait_for(draining, LIMIT)


async def test_connector_that_cannot_wait_ends_running_requests() -> None:
    """`stop` closes the links, and nothing is left."""
    endless = Endless()
    provider = FakeProvider(answers=[endless])
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, connected(backend) as found:
        async with found.home.server.session.post(f"{found.url}/chat/completions", json={**CHAT, "stream": True}) as response:
            await response.content.readline()
            await asyncio.wait_for(found.connector.stop(), LIMIT)
            assert b'"error"' in await asyncio.wait_for(response.content.read(), LIMIT)
        await asyncio.wait_for(endless.gone.wait(), LIMIT)


async def test_house_that_stops_is_connected_again_when_it_is_back() -> None:
    """A house that is restarted: goaway, then no answer, then the same key at the same address."""
    async with connected() as found:
        await found.home.hub.close(0.0)
        await until(lambda: not found.connector.is_open and found.connector.failures >= 2, seconds=LIMIT)
        found.home.hub._closing = False
        await found.opened(2)
        member = next(iter(found.home.server.engine.pool))
        await found.home.server.engine.checker.check(member)
        assert (await found.home.server.ask("POST", "chat/completions", json=DEMO))[0] == 200


async def test_owner_is_told_after_five_failures_and_again_when_the_link_stays() -> None:
    """The connector goes on meanwhile."""
    ports: list[str] = []

    def elsewhere(url: str) -> str:
        ports.append(url)
        return "ws://127.0.0.1:1/v1/relay"  # nothing listens at port 1

    async with road(url=elsewhere, timing=Timing(steady=0.05, delay=lambda _: 0.01)) as found:
        found.connector.start()
        await until(lambda: bool(found.heard.all("failing")), seconds=LIMIT)
        assert found.heard.all("failing") == [("failing", "no connection (the connection was refused)", TOLD_AFTER)]
        await until(lambda: found.connector.failures > TOLD_AFTER + 3, seconds=LIMIT)
        assert len(found.heard.all("failing")) == 1
        found.connector.house = paired_with(found.home)
        await until(lambda: bool(found.heard.all("steady")), seconds=LIMIT)
        assert found.connector.failures == 0


async def test_connector_with_a_key_that_was_not_paired_is_refused_and_its_owner_told() -> None:
    """As is one that was removed, or whose pairing was stolen and revoked."""
    async with road(key=Ed25519PrivateKey.generate()) as found:
        found.connector.start()
        await until(lambda: bool(found.heard.all("failing")), seconds=LIMIT)
        _, reason, attempts = found.heard.all("failing")[0]
        assert "does not know this connector" in reason
        assert attempts == 1
        assert not found.heard.all("opened")


async def test_house_with_another_key_gets_no_link() -> None:
    """A machine that took over the house's address learns nothing, and is sent nothing."""
    async with road() as found:
        found.home.hub._key = Ed25519PrivateKey.generate()
        found.connector.start()
        await until(lambda: bool(found.heard.all("failing")), seconds=LIMIT)
        assert "another key" in found.heard.all("failing")[0][1]
        assert not found.heard.all("opened")


async def test_renewed_certificate_of_the_house_is_followed_if_the_pinned_one_signed_it(tmp_path: Path) -> None:
    """A house with a certificate of its own renews it every year: the machine, which nobody visits, must not be locked out."""
    clock = Clock()
    tls = server_tls(tmp_path, clock)
    async with connected(house_id=ID, tls=tls) as found:
        former = tls.fingerprint
        assert found.connector.house.pin == former
        clock.advance(300)
        assert tls.refresh(HOSTS)
        link = found.home.uplink.link
        assert link is not None
        await link.close("cut")
        await found.opened(2)
        assert found.connector.house.pin == tls.fingerprint != former
        assert found.heard.all("changed")[-1][1].pin == tls.fingerprint
        assert not found.heard.all("failing")
        assert (await found.home.server.ask("POST", "chat/completions", json=DEMO, ssl=False))[0] == 200


async def test_certificate_that_the_pinned_one_has_not_signed_is_not_followed(tmp_path: Path) -> None:
    """Somebody is in between: nothing is sent, and the owner is told at once."""
    tls = server_tls(tmp_path / "own", Clock())
    async with connected(house_id=ID, tls=tls) as found:
        given, _ = given_files(tmp_path / "given", other_authority())
        tls.context.load_cert_chain(given.certificate, given.key)
        link = found.home.uplink.link
        assert link is not None
        await link.close("cut")
        await until(lambda: bool(found.heard.all("failing")), seconds=LIMIT)
        assert "which has not signed it" in found.heard.all("failing")[0][1]
        assert found.connector.house.pin == tls.fingerprint
        assert len(found.heard.all("opened")) == 1


async def test_pairing_by_a_code_works_once() -> None:
    """The connector stores the key of the house; the code is used up."""
    async with house() as home, aiohttp.ClientSession() as session:
        code, key = home.hub.codes.make(Purpose.RELAY).code, Ed25519PrivateKey.generate()
        url = paired_with(home).url
        found = await pair(session, url, None, key, "GPU box", code.lower().replace("-", " "))
        assert (found.key, found.name, found.url) == (public_bytes(home.key), "Home", url)
        assert public_bytes(key) in home.connectors.known
        with pytest.raises(ConnectError, match="code is wrong, expired or used up") as caught:
            await pair(session, url, None, Ed25519PrivateKey.generate(), "Other", code)
        assert caught.value.refused
        with pytest.raises(CodeError):
            await pair(session, url, None, key, "GPU box", "no code")


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/v1/nothing", "there is no relay at this address"), ("/v1/models", "refuses the connection")],
)
async def test_server_that_is_no_house_is_named_as_such(path: str, reason: str) -> None:
    """The message says what to check."""
    async with house() as home, aiohttp.ClientSession() as session:
        url = f"ws://127.0.0.1:{home.server.port}{path}"
        with pytest.raises(ConnectError, match=reason):
            await pair(session, url, None, Ed25519PrivateKey.generate(), "GPU box", "3F7A-9KMT")


@pytest.mark.parametrize(("failures", "longest"), [(0, 1.0), (1, 1.0), (2, 2.0), (3, 4.0), (6, 32.0), (7, 60.0), (10_000, 60.0)])
def test_backoff_grows_to_its_limit_with_full_jitter(failures: int, longest: float) -> None:
    """Many connectors of a broker that was restarted do not come back in the same second."""
    ranges: list[tuple[float, float]] = []

    def upper(low: float, high: float) -> float:
        ranges.append((low, high))
        return high

    assert backoff(failures, upper) == longest <= LONGEST_DELAY
    assert ranges == [(0.0, longest)]
