"""Which networks may be scanned, and what a scan keeps of the machines that it asks."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from tests.support.clouds.ollama import FakeOllama
from tests.support.clouds.server import engine
from zeroconf_ai.admin.network_scan import describe_scan
from zeroconf_ai.presence import network_scan
from zeroconf_ai.presence.network_scan import Known, NetworkScan, ScanResult, home_networks, neighbours

from .test_local_engines import JSON, TAGS, at

LOOPBACK = IPv4Address("127.0.0.1")
HERE = IPv4Network("127.0.0.1/32")


@pytest.mark.parametrize(
    ("interface", "network"),
    [
        ("192.168.1.20/24", "192.168.1.0/24"),
        ("10.0.5.9/8", "10.0.4.0/22"),
        ("172.16.3.4/16", "172.16.0.0/22"),
        ("192.168.1.20/22", "192.168.0.0/22"),
        ("100.64.1.2/10", None),
        ("127.0.0.1/8", None),
        ("169.254.3.4/16", None),
        ("8.8.8.8/24", None),
        ("10.6.0.2/32", None),
        ("10.6.0.2/31", None),
    ],
)
def test_network_of_an_interface_is_private_and_at_most_a_22(interface: str, network: str | None) -> None:
    found = home_networks([IPv4Interface(interface)] * 2)
    assert [str(one) for one in found] == ([] if network is None else [network])


def test_networks_of_many_interfaces_are_bounded() -> None:
    assert len(home_networks(IPv4Interface(f"10.{number}.0.1/24") for number in range(50))) == network_scan.MAX_NETWORKS


def test_neighbours_are_those_whose_hardware_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "arp"
    table.write_text(
        "IP address       HW type     Flags       HW address            Mask     Device\n"
        "192.168.1.7      0x1         0x2         02:13:00:00:00:07     *        eth0\n"
        "192.168.1.8      0x1         0x0         00:00:00:00:00:00     *        eth0\n"
        "nonsense\n"
        "192.168.1.x      0x1         0x2         02:13:00:00:00:07     *        eth0\n"
    )
    monkeypatch.setattr(network_scan, "_NEIGHBOURS", table)
    assert neighbours() == frozenset({IPv4Address("192.168.1.7")})
    monkeypatch.setattr(network_scan, "_NEIGHBOURS", tmp_path / "missing")
    assert neighbours() is None


@pytest.mark.parametrize("table", [None, frozenset({LOOPBACK})])
async def test_scan_offers_servers_with_their_models_once(table: frozenset[IPv4Address] | None) -> None:
    async with FakeOllama() as fake:
        scan = NetworkScan([HERE], [Known(LOOPBACK, "gpu")], at(fake.port, "ollama"), table=lambda: table)
        result = await scan.run()
    (server,) = result.servers
    assert (server.title, server.base_url, len(server.models)) == ("Ollama on gpu", f"{fake.root}/v1", 4)
    found = describe_scan(result, [f"{fake.root}/"])
    assert (found["networks"], found["servers"][0]["state"], found["silent"]) == (["127.0.0.1/32"], "set_up", [])
    assert describe_scan(result)["servers"][0]["state"] == "new"


async def test_scan_leaves_out_servers_of_this_protocol_and_those_without_a_signature() -> None:
    page = {"": (200, "text/plain", "Ollama is running"), "api__tags": TAGS}
    health = (200, JSON, {"status": "ok", "id": "11111111-1111-4111-8111-111111111111"})
    for paths in ({**page, "v1__health": health}, {"api__tags": TAGS}, {"": page[""]}):
        async with engine(**paths) as fake:
            result = await NetworkScan([HERE], kinds=at(fake.port), table=lambda: None).run()
            assert (result.servers, result.silent) == ((), ("127.0.0.1",))


async def test_scan_without_a_server_of_its_own_does_not_ask_it() -> None:
    async with FakeOllama() as fake:
        await NetworkScan([HERE], kinds=at(fake.port), without=frozenset({(LOOPBACK, fake.port)}), table=lambda: None).run()
        assert fake.received == []


async def test_scan_of_no_network_finds_nothing() -> None:
    assert await NetworkScan([]).run() == ScanResult(())


@pytest.mark.parametrize("has_table", [True, False])
async def test_scan_asks_all_ports_only_of_machines_that_are_there(has_table: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    async def closed(_: NetworkScan, host: IPv4Address, port: int) -> bool:
        asked.append((str(host), port))
        return False

    monkeypatch.setattr(NetworkScan, "_is_open", closed)
    shares: list[float] = []
    there = frozenset({IPv4Address("192.0.2.2")}) if has_table else None
    scan = NetworkScan([IPv4Network("192.0.2.0/29")], [Known(IPv4Address("192.0.2.5"))], table=lambda: there)
    scan.on_progress = shares.append
    await scan.run()
    ports = len({kind.port for kind in scan.kinds})
    times = {host: sum(one == host for one, _ in asked) for host, _ in asked}
    silent = 1 if has_table else 3  # a firewall may drop what is not open
    known = {"192.0.2.5": ports, **({"192.0.2.2": ports} if has_table else {})}
    assert times == {f"192.0.2.{number}": silent for number in range(1, 7)} | known
    assert [host for host, _ in asked[:2]] == ["192.0.2.5", "192.0.2.2" if has_table else "192.0.2.1"]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
