"""`zeroconf-ai doctor` on a LAN, with real faults."""

from collections.abc import Iterator
from contextlib import contextmanager
import json
import os
from pathlib import Path
import subprocess
from typing import Any

from devhome.namespaces import Lan, ip
from devhome.process import ManagedProcess
from devhome.provider import COMMAND
from tests.support.clouds.ollama import FakeOllama

from .conftest import StartProvider


async def doctor(state: Path, *arguments: str) -> tuple[int | None, str]:
    """Exit code and output of the command on the tester."""
    command = ("env", f"XDG_STATE_HOME={state}", str(COMMAND), "doctor", *arguments)
    process = ManagedProcess("doctor", command, state / "doctor.log").start()
    return await process.wait(), process.output()


def codes(output: str) -> dict[str, list[tuple[str, str]]]:
    """Code and level of the findings by section."""
    found: dict[str, list[tuple[str, str]]] = {}
    for one in json.loads(output)["findings"]:
        found.setdefault(one["section"], []).append((one["code"], one["level"]))
    return found


@contextmanager
def rules(*lines: str) -> Iterator[None]:
    """Rules of this machine's firewall."""
    for line in lines:
        subprocess.run(line.split(), check=True, capture_output=True)
    try:
        yield
    finally:
        for line in lines:
            subprocess.run(line.replace(" -A ", " -D ").split(), check=True, capture_output=True)


async def test_doctor_names_providers_engines_and_serve_and_what_does_not_answer(
    lan: Lan, tmp_path: Path, start_provider: StartProvider, started: list[ManagedProcess]
) -> None:
    await start_provider("attic", name="Attic", key="zai_example-key")
    hidden = await start_provider("cellar", name="Cellar", port=8501)
    serve = ("env", f"XDG_STATE_HOME={tmp_path}", str(COMMAND), "serve", "--demo", "--name", "Own", "--port", "8502")
    own = ManagedProcess("serve", serve, tmp_path / "serve.log").start()
    started.append(own)

    async def printed() -> bool:
        return "serving" in own.output()

    await own.until(printed, 60)
    target = lan.host("cellar").ipv4
    ollama = FakeOllama()
    await ollama.start(11434)
    try:
        with rules(
            f"iptables -A OUTPUT -p tcp -d {target} --dport {hidden.port} -j REJECT",
            "iptables -A INPUT -p tcp --dport 8502 -j DROP",
        ):
            code, output = await doctor(tmp_path, "--json")
    finally:
        await ollama.stop()
        await own.stop()
    found: dict[str, Any] = json.loads(output)
    assert (code, found["ok"]) == (1, False)
    said = codes(output)
    assert {("heard", "ok"), ("services", "ok")} <= set(said["network"])
    assert "_zeroconfai._tcp" in found["services"]["eth0"]
    assert said["firewall"] == [("serve_blocked", "problem")]
    levels = {
        one["values"]["name"]: one["code"]
        for one in found["findings"]
        if one["section"] == "providers" and one["code"] != "addresses"
    }
    assert (levels["Cellar"], levels["Attic"]) == ("unreachable", "needs_key")
    assert said["machine"] == [("serve_seen", "ok"), ("loopback", "ok")]
    seen = {provider["name"]: provider["interfaces"] for provider in found["providers"]}
    assert seen == {"Attic": ["eth0"], "Cellar": ["eth0"], "Own": []}
    assert [engine["title"] for engine in found["engines"]] == ["Ollama"]
    assert "zai_example-key" not in output


async def test_doctor_names_the_firewall_that_drops_multicast(lan: Lan, tmp_path: Path, start_provider: StartProvider) -> None:
    await start_provider("attic", name="Attic")
    drop = "-A INPUT -p udp --dport 5353 -j DROP"
    with rules(f"iptables {drop}", f"ip6tables {drop}"):
        code, output = await doctor(tmp_path)
    assert code == 1
    assert "eth0: not even the packets of this machine come back." in output
    assert "drops incoming packets of multicast DNS." in output
    assert "No provider was found." in output
    assert os.linesep + "2 problems found." in output


async def test_doctor_names_the_interface_without_multicast(lan: Lan, tmp_path: Path) -> None:
    name = lan.host("tester").namespace.name
    ip("-netns", name, "link", "set", "eth0", "multicast", "off")
    try:
        code, output = await doctor(tmp_path, "--json")
    finally:
        ip("-netns", name, "link", "set", "eth0", "multicast", "on")
    assert code == 1
    assert ("no_multicast", "problem") in codes(output)["network"]
