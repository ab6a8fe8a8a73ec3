"""Whether a firewall of this machine drops packets for a port, as far as its rules can be read.

Rules are read in the form of `nft list ruleset` and of `iptables-save`, which only root may run. A table drops a port if a rule
for the port says so, or if it drops by default and no rule could accept the port. The answer is a hint: other conditions of rules
than protocol and port are not evaluated.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
from typing import Final, NamedTuple

_SECONDS = 5.0
_MAX_CHARACTERS = 1_000_000
_DENIED: Final = ("permitted", "denied", "root", "authoriz")
_UFW = Path("/etc/ufw/ufw.conf")
_MAC = "/usr/libexec/ApplicationFirewall/socketfilterfw"
_NAMES: Final = {"mdns": 5353}
_DROPS: Final = ("drop", "reject")


class Port(NamedTuple):
    """A port of this machine."""

    protocol: str
    """`udp` or `tcp`."""
    number: int


class Block(NamedTuple):
    """A port whose packets are dropped."""

    program: str
    port: Port
    direction: str
    """`in` or `out`."""


@dataclass(frozen=True, slots=True)
class Firewalls:
    """The firewalls of this machine."""

    active: tuple[str, ...] = ()
    """Programs that manage rules, and are switched on."""
    blocks: tuple[Block, ...] = ()
    unreadable: tuple[str, ...] = ()
    """Programs whose rules only root may read."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule with a verdict."""

    direction: str
    """`in`, `out`, or empty for a chain that other chains jump to."""
    verdict: str
    """`accept`, `drop` or `reject`."""
    protocol: str | None = None
    ports: tuple[range, ...] = ()
    narrow: bool = False
    """Whether it has conditions that exclude most new packets from other hosts: a state, the loopback interface, ICMP."""

    def names(self, port: Port) -> bool:
        """Whether its conditions match this port."""
        return self.protocol in (None, port.protocol) and any(port.number in ports for ports in self.ports)

    def accepts_all(self, port: Port) -> bool:
        """Whether it may accept all packets of the port's protocol."""
        return self.verdict == "accept" and self.protocol in (None, port.protocol) and not self.ports and not self.narrow


@dataclass(slots=True)
class RuleTable:
    """The rules of one table, in order. `drops`: the directions whose packets it drops by default."""

    rules: list[Rule]
    drops: set[str]

    def blocked(self, port: Port) -> Iterator[str]:
        """The directions in which the table drops packets for a port."""
        for direction in ("in", "out"):
            rules = [rule for rule in self.rules if rule.direction in (direction, "")]
            named = next((rule for rule in rules if rule.names(port)), None)
            if named is not None:
                if named.verdict in _DROPS and (named.direction or direction == "in"):
                    yield direction
                continue
            wide = any(rule.accepts_all(port) for rule in rules)
            if direction in self.drops and not wide:
                yield direction


def read_firewalls(ports: Iterable[Port]) -> Firewalls:
    """Ask the firewalls about ports. Blocking."""
    ports = [*ports]
    active, unreadable = [], []
    if "ENABLED=yes" in _file(_UFW):
        active.append("ufw")
    if _output("firewall-cmd", "--state") == "running":
        active.append("firewalld")
    if sys.platform == "darwin" and "enabled" in (_output(_MAC, "--getglobalstate") or ""):
        active.append("macOS")
    blocks: dict[tuple[Port, str], Block] = {}
    for program, arguments, parse in (
        ("nftables", ("nft", "list", "ruleset"), nft_tables),
        ("iptables", ("iptables-save", "-t", "filter"), iptables_tables),
        ("ip6tables", ("ip6tables-save", "-t", "filter"), iptables_tables),
    ):
        text = _output(*arguments)
        if text is None:
            unreadable.append(program)
            continue
        for table in parse(text):
            for port in ports:
                for direction in table.blocked(port):
                    manager = next((name for name in active if name in ("ufw", "firewalld")), program)
                    blocks.setdefault((port, direction), Block(manager, port, direction))
    return Firewalls(tuple(active), tuple(blocks.values()), tuple(unreadable))


def iptables_tables(text: str) -> list[RuleTable]:
    """The table of `iptables-save -t filter`."""
    table = RuleTable([], set())
    for line in text.splitlines():
        words = line.split()
        if words[:1] and words[0].startswith(":") and len(words) > 1:
            if words[1] == "DROP" and (direction := _direction(words[0][1:])):
                table.drops.add(direction)
        elif words[:1] == ["-A"] and "-j" in words[:-1]:
            verdict = words[words.index("-j") + 1].lower()
            if verdict not in ("accept", *_DROPS):
                continue
            protocol = words[words.index("-p") + 1] if "-p" in words[:-1] else None
            named = [
                words[at + 1] for at, word in enumerate(words[:-1]) if word in ("--dport", "--dports", "--sport", "--sports")
            ]
            narrow = any(word in line for word in ("--ctstate", "--state", "-i lo ", "-o lo ", "icmp"))
            ports = _ranges(",".join(named).split(",")) or _multicast(line)
            rule = Rule(_direction(words[1]), verdict, protocol, ports, narrow)
            _add(table, rule, catches_all=words[2] == "-j")
    return [table]


def nft_tables(text: str) -> list[RuleTable]:
    """The tables of `nft list ruleset`."""
    tables: list[RuleTable] = []
    direction = ""
    for raw in text.splitlines():
        line = re.sub(r'counter packets \d+ bytes \d+ ?|comment "[^"]*"', "", raw).strip()
        if line.startswith("table "):
            tables.append(RuleTable([], set()))
        elif line.startswith("chain "):
            direction = _direction(line.split()[1])
        elif (hook := re.search(r"\bhook (\w+)", line)) and tables:
            direction = {"input": "in", "output": "out"}.get(hook[1], "other")
            if "policy drop" in line:
                tables[-1].drops.add(direction)
        elif (found := re.search(r"\b(accept|drop|reject)\b", line)) and tables:
            port = re.search(r"\b(udp|tcp|th) [ds]port (\{[^}]*\}|\S+)", line)
            ports = _ranges(port[2].strip("{} ").split(",")) if port else _multicast(line)
            whole = re.search(r"\b(?:meta l4proto|ip protocol|ip6 nexthdr) (\w+)", line)
            protocol = port[1] if port and port[1] != "th" else whole[1] if whole else None
            narrow = bool(re.search(r'\bct state\b|"lo"|icmp|igmp', line))
            _add(tables[-1], Rule(direction, found[1], protocol, ports, narrow), catches_all=line.startswith(found[1]))
    return tables


def _add(table: RuleTable, rule: Rule, *, catches_all: bool) -> None:
    if catches_all and rule.verdict in _DROPS:
        if rule.direction:
            table.drops.add(rule.direction)
        return
    table.rules.append(rule)


def _multicast(line: str) -> tuple[range, ...]:
    """The port of multicast DNS for a rule about all multicast."""
    return (range(5353, 5354),) if re.search(r"multicast|\b224\.0\.0\.(?:0/|251)|\bff0[02]::", line) else ()


def _direction(chain: str) -> str:
    """The direction of a chain, by its name: iptables' chain names, which are also common in nftables."""
    name = chain.lower()
    if "forward" in name:
        return "other"
    if "output" in name:
        return "out"
    return "in" if name == "input" else ""


def _ranges(words: Sequence[str]) -> tuple[range, ...]:
    """Ports and ranges of them (`5000:6000`, `5000-6000`)."""
    found = []
    for word in words:
        first, _, last = word.strip().replace(":", "-").partition("-")
        numbers = [
            _NAMES.get(text) or (int(text) if text.isdecimal() and len(text) < 6 else None) for text in (first, last or first)
        ]
        if numbers[0] is not None and numbers[1] is not None:
            found.append(range(numbers[0], numbers[1] + 1))
    return tuple(found)


def _output(program: str, *arguments: str) -> str | None:
    """What a program prints, at most a million characters; empty if it is missing or fails, None if only root may run it."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    if (found := shutil.which(program, path=path)) is None:
        return ""
    try:
        done = subprocess.run(
            [found, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    if done.returncode and any(word in done.stderr.lower() for word in _DENIED):
        return None
    return done.stdout[:_MAX_CHARACTERS].strip()


def _file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
