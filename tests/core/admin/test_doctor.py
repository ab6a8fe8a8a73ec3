"""What `doctor` concludes from what it sees."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from zeroconf_ai.admin.discovery_check import described
from zeroconf_ai.admin.doctor import Examination, SeenEngine, SeenProvider, Serve, judged
from zeroconf_ai.lan.firewall import Block, Firewalls, Port
from zeroconf_ai.lan.host_network import HostNetwork, InterfaceFacts
from zeroconf_ai.lan.multicast_check import InterfaceCheck, MulticastCheck
from zeroconf_ai.lan.providers import Provider
from zeroconf_ai.lan.trust import Trust
from zeroconf_ai.presence.server_kinds import SERVER_KINDS
from zeroconf_ai.protocol.record import Auth, ServiceRecord
from zeroconf_ai.protocol.status import ProviderState

GPU = ServiceRecord(name="gpu", host="gpu.local.", port=8000, id="gpu-id", addresses=(ip_address("192.0.2.9"),))
NOBODY = Serve("", running=False)


def heard(name: str = "eth0", hosts: Iterable[str] = (), *, address: str = "192.0.2.2", **more: Any) -> InterfaceCheck:
    """An interface that received its own packets, and those of hosts."""
    return InterfaceCheck(name, 2, (ip_address(address),), False, **{"sent": True, "hosts": set(hosts), **more})


def seen(
    *interfaces: InterfaceCheck,
    host: HostNetwork | None = None,
    firewalls: Firewalls | None = None,
    providers: Iterable[SeenProvider] = (),
    engines: Iterable[SeenEngine] = (),
    serve: Serve = NOBODY,
) -> Examination:
    """What was seen."""
    checked = MulticastCheck(interfaces, False, (), 4.0)
    check = described(checked, advertises=serve.running)
    return judged(
        Examination(checked, check, host or HostNetwork({}), firewalls or Firewalls(), [*providers], [*engines], [], serve)
    )


def codes(examined: Examination, section: str) -> list[tuple[str, str]]:
    """Code and level of each finding of a section."""
    return [(found["code"], found["level"]) for where, found in examined.findings if where == section]


def provider(
    state: ProviderState, *, record: ServiceRecord = GPU, trust: Trust = Trust.NEW, closed: tuple[str, ...] = (), **more: Any
) -> SeenProvider:
    """The provider gpu, heard on eth0."""
    return SeenProvider(Provider(record, trust, state, **more), ("eth0",), closed)


HEALTHY = provider(ProviderState.HEALTHY, latency=0.01)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (InterfaceFacts(up=False), [("interface_down", "hint")]),
        (InterfaceFacts(multicast=False), [("no_multicast", "problem")]),
        (InterfaceFacts(wireless=True, neighbours=1), [("silent", "problem"), ("wireless", "hint")]),
        (InterfaceFacts(neighbours=2), [("silent", "problem"), ("unicast_only", "hint")]),
    ],
)
def test_doctor_silent_interface_is_explained_by_what_the_system_says(
    facts: InterfaceFacts, expected: list[tuple[str, str]]
) -> None:
    examined = seen(heard(), host=HostNetwork({"eth0": facts}))
    assert codes(examined, "network") == [*expected, ("no_announcement", "hint")]
    assert examined.ok is (expected[0][1] != "problem")


def test_doctor_silent_interface_beside_one_that_works_is_a_hint() -> None:
    works = heard("eth0", {"192.0.2.9"}, packets=3, providers={"gpu._zeroconfai._tcp.local."})
    examined = seen(works, heard("eth1", address="198.51.100.2"), providers=[HEALTHY])
    assert codes(examined, "network") == [("heard", "ok"), ("silent", "hint")]
    assert codes(examined, "providers") == [("healthy", "ok")]
    assert examined.ok


@pytest.mark.parametrize(
    ("interface", "host", "code", "level"),
    [
        (heard(address="fe80::1"), HostNetwork({}), "no_ipv4", "hint"),
        (heard(address="169.254.7.7"), HostNetwork({}), "no_lease", "hint"),
        (heard(), HostNetwork({}, default_route="wg0"), "vpn", "hint"),
        (heard(), HostNetwork({}, wsl=True), "wsl", "problem"),
        (heard(hosts={"192.0.2.9"}, packets=1), HostNetwork({}, wsl=True), "wsl", "hint"),
        (heard(), HostNetwork({}, port_busy=True, programs=("dnsmasq",)), "port_busy", "problem"),
        (heard(), HostNetwork({}, programs=("avahi-daemon",)), "port_shared", "ok"),
    ],
)
def test_doctor_machine_is_explained(interface: InterfaceCheck, host: HostNetwork, code: str, level: str) -> None:
    assert (code, level) in codes(seen(interface, host=host), "network")


def test_doctor_names_the_services_that_are_heard() -> None:
    many = {f"_s{number:02}._tcp" for number in range(14)}
    found = seen(heard("eth0", {"192.0.2.9"}, services=many), heard("eth1", {"192.0.2.9"}, services={"_ipp._tcp"}))
    (services,) = [one for _, one in found.findings if one["code"] == "services"]
    assert services["values"] == {"names": ", ".join(["_ipp._tcp", *sorted(many)[:11]]) + " and 3 more"}


UDP, TCP = Port("udp", 5353), Port("tcp", 8000)


@pytest.mark.parametrize(
    ("interface", "firewalls", "expected"),
    [
        (heard(), Firewalls(blocks=(Block("ufw", UDP, "in"),)), [("mdns_blocked_in", "problem")]),
        (heard(sent=False), Firewalls(blocks=(Block("iptables", UDP, "out"),)), [("mdns_blocked_out", "problem")]),
        (heard(hosts={"192.0.2.9"}), Firewalls(("ufw",), (Block("ufw", UDP, "in"),)), [("active", "ok")]),
        (heard(hosts={"192.0.2.9"}), Firewalls(blocks=(Block("ufw", TCP, "in"),)), [("serve_blocked", "problem")]),
        (heard(), Firewalls(unreadable=("nftables",)), [("unreadable", "hint")]),
        (heard(hosts={"192.0.2.9"}), Firewalls(unreadable=("nftables",)), []),
    ],
)
def test_doctor_firewall_is_named_where_it_matters(
    interface: InterfaceCheck, firewalls: Firewalls, expected: list[tuple[str, str]]
) -> None:
    assert codes(seen(interface, firewalls=firewalls), "firewall") == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (HEALTHY, [("healthy", "ok")]),
        (provider(ProviderState.DEGRADED), [("degraded", "hint")]),
        (provider(ProviderState.UNAUTHORIZED), [("needs_key", "ok")]),
        (provider(ProviderState.HEALTHY, record=replace(GPU, auth=Auth.TOKEN)), [("needs_key", "ok")]),
        (provider(ProviderState.UNAUTHORIZED, record=replace(GPU, auth=Auth.MTLS)), [("needs_certificate", "ok")]),
        (provider(ProviderState.HEALTHY, trust=Trust.CHANGED), [("changed", "problem")]),
        (provider(ProviderState.HEALTHY, trust=Trust.MOVED), [("moved", "problem")]),
        (provider(ProviderState.OFFLINE, closed=("192.0.2.9",), error="refused."), [("unreachable", "problem")]),
        (provider(ProviderState.OFFLINE, error="TLS"), [("no_answer", "problem")]),
        (provider(ProviderState.HEALTHY, closed=("2001:db8::9",)), [("healthy", "ok"), ("addresses", "hint")]),
    ],
)
def test_doctor_provider_says_what_it_needs(found: SeenProvider, expected: list[tuple[str, str]]) -> None:
    assert codes(seen(heard(), providers=[found]), "providers") == expected


def test_doctor_running_serve_must_be_seen_and_heard() -> None:
    own = Serve("gpu-id", running=True)
    unseen = seen(heard(), serve=own)
    unheard = seen(heard(), serve=own, providers=[HEALTHY])
    both = seen(heard(advertised=True), serve=own, providers=[HEALTHY])
    found = [codes(examined, "machine") for examined in (unseen, unheard, both)]
    assert found == [[("serve_unseen", "problem")], [("serve_unheard", "problem")], [("serve_seen", "ok")]]


def test_doctor_provider_of_another_user_on_this_machine_is_no_missing_serve() -> None:
    here = replace(GPU, addresses=(ip_address("192.0.2.2"),))
    examined = seen(
        heard(), engines=[SeenEngine(SERVER_KINDS[0], None)], providers=[provider(ProviderState.HEALTHY, record=here)]
    )
    assert codes(examined, "machine") == [("serve_other", "ok"), ("loopback", "ok")]


def test_doctor_engine_on_loopback_is_a_hint_until_serve_shares_it() -> None:
    ollama = SeenEngine(SERVER_KINDS[0], None)
    alone = seen(heard(), engines=[ollama, SeenEngine(SERVER_KINDS[1], "192.0.2.2")])
    shared = seen(heard(advertised=True), engines=[ollama], serve=Serve("gpu-id", running=True), providers=[HEALTHY])
    assert codes(alone, "machine") == [("no_serve", "hint"), ("loopback", "hint"), ("open_engine", "ok")]
    assert codes(shared, "machine") == [("serve_seen", "ok"), ("loopback", "ok")]
