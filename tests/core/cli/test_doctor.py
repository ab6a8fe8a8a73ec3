"""`zeroconf-ai doctor`: its sentences, and the command on a machine without a network."""

import ast
import inspect
import json
from pathlib import Path

import pytest

from zeroconf_ai.admin import discovery_check, doctor
from zeroconf_ai.cli.doctor_texts import HEADINGS, LISTEN, SENTENCES, sentence
from zeroconf_ai.presence.server_kinds import LOCAL_KINDS

from ...support.command import run

ELSEWHERE = {"own_off", "own_seen", "own_missing", "found"}
"""Findings of the page that other sections of `doctor` replace."""


def judged_codes(source: object) -> set[str]:
    """The codes that a module's calls of `finding` name."""
    tree = ast.parse(inspect.getsource(source))  # type: ignore[arg-type]
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "finding")
    named = [*calls, *(node for node in ast.walk(tree) if isinstance(node, ast.IfExp | ast.Assign))]
    return {
        leaf.value for node in named for leaf in ast.walk(node) if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)
    }


def test_doctor_every_finding_of_the_page_has_a_sentence() -> None:
    known = set(SENTENCES["network"]) | ELSEWHERE
    tree = ast.parse(inspect.getsource(discovery_check))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "finding"]
    codes = {leaf.value for call in calls for leaf in ast.walk(call.args[0]) if isinstance(leaf, ast.Constant)}
    assert len(codes) > 10
    assert codes <= known


def test_doctor_every_sentence_belongs_to_a_finding() -> None:
    judged = judged_codes(doctor) | judged_codes(discovery_check) | {"healthy", "degraded", "mdns_blocked_in", "mdns_blocked_out"}
    assert set(HEADINGS) == set(SENTENCES) == set(doctor.SECTIONS)
    assert {code for sentences in SENTENCES.values() for code in sentences} <= judged
    assert set(LISTEN) == {engine.id for engine in LOCAL_KINDS}


@pytest.mark.parametrize(
    ("program", "command"),
    [
        ("ufw", "sudo ufw allow in 5353/udp"),
        ("nftables", "sudo nft insert rule inet filter input udp dport 5353 accept"),
        ("ip6tables", "sudo ip6tables -I INPUT -p udp --dport 5353 -j ACCEPT"),
    ],
)
def test_doctor_firewall_advice_is_the_command_of_that_firewall(program: str, command: str) -> None:
    values: dict[str, str | int] = {"program": program, "direction": "in", "protocol": "udp", "port": 5353}
    said = sentence("firewall", "mdns_blocked_in", values)
    assert (said.text, said.advice) == (f"{program} drops incoming packets of multicast DNS.", f"Allow them: {command}")


@pytest.mark.usefixtures("own_loopback")
def test_doctor_without_a_network_says_so_and_fails(tmp_path: Path) -> None:
    done = run(tmp_path, "doctor", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["ok"], found["providers"], found["interfaces"]) == (1, False, [], [])
    (first, *_) = found["findings"]
    assert (first["section"], first["code"], first["level"]) == ("network", "no_network", "problem")
    assert first["text"] == "This machine has no network connection."
    assert first["advice"]
    assert found["serve"] == {"id": None, "running": False}
