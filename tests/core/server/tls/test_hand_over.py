"""A renewed certificate is followed only if the pinned one's key signed it, over real connections."""

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from zeroconf_ai.backends.identity_probe import IdentityProbe
from zeroconf_ai.client.connections import Connections, Hints, NoProviderError, Wanted
from zeroconf_ai.engine import Engine
from zeroconf_ai.lan.identity import Confirmed, Identification, Verdict, identify
from zeroconf_ai.lan.providers import Provider
from zeroconf_ai.lan.trust import Trust, TrustStore
from zeroconf_ai.protocol.hand_over import MAX_STEPS, Step, is_handed_over, parse_steps
from zeroconf_ai.protocol.record import ServiceRecord
from zeroconf_ai.server.tls.certificates import Hosts, make_server
from zeroconf_ai.server.tls.identity_files import fingerprint
from zeroconf_ai.server.tls.server_tls import ServerTls

from ....support.server import Served, served
from .certificates import HOSTS, ID, Clock, given_files, other_authority, server_tls

pytestmark = pytest.mark.usefixtures("own_loopback")


def advertised(gateway: Served) -> ServiceRecord:
    """What a gateway advertises."""
    assert gateway.gateway.tls is not None
    pin = gateway.gateway.tls.fingerprint
    address = ip_address(str(urlsplit(gateway.url).hostname))
    return ServiceRecord(
        name="Attic", host="attic.local.", port=gateway.port, id=ID, addresses=(address,), tls=True, fingerprint=pin
    )


async def identified(gateway: Served, pinned: str) -> Identification:
    """What a client that pinned `pinned` decides."""
    record = advertised(gateway)
    return await identify(record, Confirmed(ID, record.base_url(), pinned), IdentityProbe(gateway.session, "Attic", ID))


def renewed(tls: ServerTls, clock: Clock) -> str:
    """Let the certificate become due, and renew it; the former fingerprint."""
    former = tls.fingerprint
    clock.advance(300)
    assert tls.refresh(HOSTS)
    assert tls.fingerprint != former
    return former


async def test_renewed_certificate_is_followed_by_clients_that_missed_some(tmp_path: Path) -> None:
    clock = Clock()
    made = server_tls(tmp_path, clock)
    assert not made.refresh(HOSTS)
    first = renewed(made, clock)
    second = renewed(made, clock)
    restarted = server_tls(tmp_path, clock)
    assert restarted.fingerprint == made.fingerprint
    async with served(provider_id=ID, tls=restarted) as gateway:
        for pinned in (first, second):
            found = await identified(gateway, pinned)
            assert (found.verdict, found.follow, found.fingerprint) == (Verdict.MOVED_PROVEN, True, restarted.fingerprint)
        assert "handover" not in (await gateway.get("health", ssl=False))[1]
        assert "handover" not in (await gateway.get("health?handover=x", ssl=False))[1]


async def test_renewal_in_a_running_server_is_used_by_new_connections(tmp_path: Path) -> None:
    clock = Clock()
    made = server_tls(tmp_path, clock)
    async with served(provider_id=ID, tls=made) as gateway:
        pinned = made.fingerprint
        assert (await identified(gateway, pinned)).verdict is Verdict.SAME
        renewed(made, clock)
        async with aiohttp.ClientSession() as fresh:
            found = await identify(advertised(gateway), Confirmed(ID, gateway.url, pinned), IdentityProbe(fresh, "Attic", ID))
        assert found.fingerprint == made.fingerprint


async def test_unsigned_change_is_never_followed(tmp_path: Path) -> None:
    pinned = server_tls(tmp_path / "lost").fingerprint
    clock = Clock()
    other = server_tls(tmp_path / "other", clock)
    own_former = renewed(other, clock)
    async with served(provider_id=ID, tls=other) as gateway:
        found = await identified(gateway, pinned)
        assert (found.verdict, found.follow, found.fingerprint) == (Verdict.CHANGED, False, None)
        assert (await identified(gateway, own_former)).follow
    async with served(provider_id="another-id", tls=other) as gateway:
        assert not (await identified(gateway, own_former)).follow


async def test_pin_of_the_client_library_moves_with_a_signature_only(tmp_path: Path) -> None:
    clock = Clock()
    made = server_tls(tmp_path / "tls", clock)
    file = tmp_path / "trusted.json"
    async with served(provider_id=ID, tls=made) as gateway:
        TrustStore(file).confirm(advertised(gateway))
    renewed(made, clock)
    for tls, expected in ((server_tls(tmp_path / "other"), Trust.CHANGED), (made, Trust.KNOWN)):
        async with served(provider_id=ID, tls=tls) as gateway:
            trust, record = TrustStore(file), advertised(gateway)
            assert trust.judge(record) is Trust.CHANGED
            connections = Connections(Engine(), None, trust, Wanted(), Hints())  # type: ignore[arg-type] # nothing to close
            found = await connections._followed(gateway.session, Provider(record, trust.judge(record)))
            assert (found.trust, TrustStore(file).judge(record)) == (expected, expected)


async def test_client_library_uses_the_pinned_certificate_also_for_an_entered_address(tmp_path: Path) -> None:
    file = tmp_path / "trusted.json"
    async with served(provider_id=ID, tls=server_tls(tmp_path / "tls")) as gateway:
        wanted = Wanted(provider=gateway.url)
        with pytest.raises(NoProviderError, match="certificate that cannot be verified"):
            await Connections.open(wanted, trust_file=file)
        TrustStore(file).confirm(advertised(gateway), gateway.url)
        connections = await Connections.open(wanted, trust_file=file)
        assert [member.online for member in connections.members] == [True]
        await connections.close()
        TrustStore(file).confirm(replace(advertised(gateway), fingerprint="A" * 43), gateway.url)
        with pytest.raises(NoProviderError):
            await Connections.open(wanted, trust_file=file)


def test_steps_are_bounded_and_each_signature_counts(tmp_path: Path) -> None:
    clock = Clock()
    made = server_tls(tmp_path, clock)
    pins = [renewed(made, clock) for _ in range(MAX_STEPS + 1)]
    assert made.hand_over(pins[0]) == ()
    steps = made.hand_over(pins[1])
    assert len(steps) == MAX_STEPS
    assert parse_steps([step.to_json() for step in steps]) == steps
    assert is_handed_over(ID, pins[1], made.fingerprint, steps)
    broken = Step(steps[3].certificate, steps[2].signature)
    for wrong in ((), steps[1:], steps[:-1], (*steps[:3], broken, *steps[4:]), (Step(b"no certificate", b"x"),)):
        assert not is_handed_over(ID, pins[1], made.fingerprint, wrong)
    assert not is_handed_over("another-id", pins[1], made.fingerprint, steps)
    malformed: tuple[object, ...] = (
        None,
        "x",
        [],
        [{}],
        [{"certificate": "!", "signature": "AA"}],
        [steps[0].to_json()] * (MAX_STEPS + 1),
        [1],
    )
    for text in malformed:
        assert parse_steps(text) == ()


def test_given_certificate_is_handed_over_while_the_server_runs_or_with_the_same_key(tmp_path: Path) -> None:
    authority = other_authority()
    given, first = given_files(tmp_path / "given", authority)
    running = server_tls(tmp_path / "tls", given=given)
    given_files(tmp_path / "given", authority)
    assert running.refresh(HOSTS)  # replaced while it runs: the former key is in memory
    assert is_handed_over(
        ID, fingerprint(first.certificate), running.fingerprint, running.hand_over(fingerprint(first.certificate))
    )
    pinned = running.fingerprint
    given_files(tmp_path / "given", authority)
    assert server_tls(tmp_path / "tls", given=given).hand_over(pinned) == ()  # replaced while it did not run


def test_new_address_makes_a_new_authority_that_permits_the_former_ones_and_hands_the_pin_over(tmp_path: Path) -> None:
    made = server_tls(tmp_path)
    pinned, authority = made.fingerprint, made.authority_pem
    moved = Hosts.of(["attic.local"], [ip_address("192.0.2.99"), ip_address("2001:db8::1")])
    assert made.refresh(moved)
    assert made.authority_pem != authority
    assert is_handed_over(ID, pinned, made.fingerprint, made.hand_over(pinned))
    assert not made.refresh(HOSTS)  # the former network again
    assert not made.refresh(Hosts.of(["attic.local"], [ip_address("192.0.2.99"), ip_address("2001:db8::2")]))


def test_certificate_of_the_future_is_made_anew(tmp_path: Path) -> None:
    ahead = server_tls(tmp_path, Clock(datetime(2060, 1, 1, tzinfo=UTC))).fingerprint
    assert server_tls(tmp_path).fingerprint != ahead
    assert make_server("x", HOSTS, other_authority(), datetime.now(UTC)).certificate.not_valid_before_utc < datetime.now(UTC)
