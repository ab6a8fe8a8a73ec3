"""What is read from the rules of a firewall."""

from pathlib import Path
import stat

import pytest

from zeroconf_ai.lan.firewall import Block, Port, iptables_tables, nft_tables, read_firewalls

MDNS, SERVE = Port("udp", 5353), Port("tcp", 8000)

UFW = """\
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:ufw-before-input - [0:0]
-A INPUT -j ufw-before-input
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A ufw-before-input -d 224.0.0.251/32 -p udp -m udp --dport 5353 -j ACCEPT
COMMIT
"""
NFT = """\
table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		iifname "lo" accept
		udp dport { 53, mdns } accept comment "drop nothing"
		tcp dport 22 counter packets 3 bytes 180 accept
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
	}
	chain output {
		type filter hook output priority filter; policy accept;
		udp dport 5353 counter packets 0 bytes 0 drop
	}
}
"""


@pytest.mark.parametrize(
    ("text", "mdns", "serve"),
    [
        (UFW, [], ["in"]),
        (UFW.replace("--dport 5353", "--dport 67"), ["in"], ["in"]),
        (UFW.replace("COMMIT", "-A INPUT -s 192.168.0.0/16 -j ACCEPT\nCOMMIT"), [], []),
        (":INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m multiport --dports 22,8000:8010 -j ACCEPT\n-A INPUT -j REJECT", ["in"], []),
        (":INPUT ACCEPT [0:0]\n-A INPUT -p udp -m udp --dport 5353 -j DROP", ["in"], []),
        (":OUTPUT ACCEPT [0:0]\n-A OUTPUT -p udp -m udp --dport 5353 -j REJECT --reject-with icmp-port-unreachable", ["out"], []),
        (":FORWARD DROP [0:0]\n-A FORWARD -p udp --dport 5353 -j DROP", [], []),
        (":INPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport 5353 -j DROP\n-A INPUT -p udp --dport 99999 -j DROP\n-A", [], []),
        (":INPUT DROP [0:0]\n-A INPUT -p tcp -j ACCEPT\n-A INPUT -p igmp -j ACCEPT", ["in"], []),
        (":INPUT ACCEPT [0:0]\n-A INPUT -m pkttype --pkt-type multicast -j DROP", ["in"], []),
        (":INPUT DROP [0:0]\n-A INPUT -d 224.0.0.0/4 -j ACCEPT", [], ["in"]),
        ("", [], []),
    ],
)
def test_iptables_rules_name_the_dropped_directions(text: str, mdns: list[str], serve: list[str]) -> None:
    (table,) = iptables_tables(text)
    assert list(table.blocked(MDNS)) == mdns
    assert list(table.blocked(SERVE)) == serve


@pytest.mark.parametrize(
    ("text", "mdns", "serve"),
    [
        (NFT, ["out"], ["in"]),
        (NFT.replace("53, mdns", "53"), ["in", "out"], ["in"]),
        (NFT.replace("tcp dport 22", "tcp dport 8000-8010"), ["out"], []),
        (
            NFT.replace("policy drop", "policy accept").replace("tcp dport 22 counter packets 3 bytes 180 accept", "reject"),
            ["out"],
            ["in"],
        ),
        (NFT.replace("53, mdns", "53").replace("tcp dport 22", "ip protocol igmp"), ["in", "out"], ["in"]),
        (NFT.replace("53, mdns", "53").replace("tcp dport 22", "meta l4proto tcp"), ["in", "out"], []),
        ("table ip a {\n chain input {\n  ip daddr 224.0.0.0/4 drop\n }\n}", ["in"], []),
        ("table inet a {\n chain b {\n  udp dport 5353 drop\n }\n}", ["in"], []),
    ],
)
def test_nft_rules_name_the_dropped_directions(text: str, mdns: list[str], serve: list[str]) -> None:
    (table,) = nft_tables(text)
    assert list(table.blocked(MDNS)) == mdns
    assert list(table.blocked(SERVE)) == serve


def test_nft_accept_in_another_table_allows_nothing() -> None:
    tables = nft_tables("table inet other {\n chain input {\n  udp dport 5353 accept\n }\n}\n" + NFT.replace("53, mdns", "53"))
    assert [list(table.blocked(MDNS)) for table in tables] == [[], ["in", "out"]]


def program(folder: Path, name: str, script: str) -> None:
    """A program of the test's own."""
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def test_firewalls_of_this_machine_are_asked_and_those_of_root_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rules").write_text(UFW)
    program(tmp_path, "iptables-save", f"cat {tmp_path}/rules")
    program(tmp_path, "ip6tables-save", "exit 3")
    program(tmp_path, "nft", "echo 'Operation not permitted (you must be root)' >&2; exit 1")
    program(tmp_path, "firewall-cmd", "echo running")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = read_firewalls([MDNS, SERVE])
    assert "firewalld" in found.active
    assert found.unreadable == ("nftables",)
    assert found.blocks == (Block("firewalld", SERVE, "in"),)
