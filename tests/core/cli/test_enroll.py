"""`zeroconf-ai enroll` as a process, against a real server; other commands then use the certificate."""

import asyncio
from collections.abc import AsyncIterator
import json
from pathlib import Path

from click.testing import CliRunner
import pytest

from zeroconf_ai.accounting.one_time_codes import Purpose
from zeroconf_ai.cli import main
from zeroconf_ai.protocol.hand_over import fingerprint_of
from zeroconf_ai.protocol.key_proof import decode

from ...support.command import run
from ...support.enrolling import EnrollingServer, enrolling
from ...support.terminal import Terminal
from ...support.waiting import until
from ..server.tls.certificates import server_tls

pytestmark = pytest.mark.usefixtures("own_loopback")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EnrollingServer]:
    """A server that needs a client certificate."""
    async with enrolling(tmp_path / "server", server_tls(tmp_path / "tls")) as running:
        yield running


def address(server: EnrollingServer) -> str:
    return f"127.0.0.1:{server.served.port}"


def digits_of(pin: str) -> str:
    """A fingerprint as OpenSSL prints it."""
    return ":".join(f"{byte:02X}" for byte in decode(pin, 32))


async def test_enroll_with_a_code_file_and_a_pin_lets_other_commands_use_the_certificate(
    server: EnrollingServer, tmp_path: Path
) -> None:
    code = tmp_path / "code.txt"
    code.write_text(f"{server.enrolment.codes.make(Purpose.ENROLL).code.lower()}\n")
    options = ("--code-file", str(code), "--name", "GPU machine", "--json")
    wrong = await asyncio.to_thread(run, tmp_path, "enroll", address(server), *options, "--pin", fingerprint_of(b"another"))
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "Nothing was sent" in json.loads(wrong.stderr)["error"]["message"]
    pin = digits_of(server.tls.fingerprint)
    done = await asyncio.to_thread(run, tmp_path, "enroll", address(server), *options, "--pin", pin)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["id"], found["url"], found["pin"]) == ("gateway-id", server.served.url, server.tls.fingerprint)
    assert [key.name for key in server.store.keys] == ["GPU machine"]
    listed = await asyncio.to_thread(run, tmp_path, "models", "--provider", server.served.url, "--json")
    assert json.loads(listed.stdout)["models"]
    shown = await asyncio.to_thread(run, tmp_path, "status", "--provider", server.served.url, "--json")
    assert json.loads(shown.stdout)["servers"][0]["running"] == 0


async def test_enroll_on_a_terminal_asks_for_the_code(server: EnrollingServer, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "enroll", address(server))
    await asyncio.to_thread(terminal.until, "One-time code", 30)
    terminal.type(f"{server.enrolment.codes.make(Purpose.ENROLL).code}\n")
    await asyncio.to_thread(terminal.until, "knows this client now", 30)
    assert await asyncio.to_thread(terminal.end) == 0


async def test_enroll_without_a_code_shows_the_digits_of_the_owner_and_asks_for_their_comparison(
    server: EnrollingServer, tmp_path: Path
) -> None:
    terminal = Terminal(tmp_path, "enroll", address(server), "--ask-owner")
    await asyncio.to_thread(terminal.until, "with the digits", 30)
    await until(lambda: len(list(server.enrolment.pending)) == 1)
    (asked,) = server.enrolment.pending
    check = str(asked.check)
    await asyncio.to_thread(terminal.until, f"{check[:3]} {check[3:]}", 30)
    await server.enrolment.approve(asked.id)
    await asyncio.to_thread(terminal.until, "Did the owner see the digits", 30)
    terminal.type("n\n")
    await asyncio.to_thread(terminal.until, "another machine answers", 30)
    assert await asyncio.to_thread(terminal.end) == 1
    assert not (tmp_path / "zeroconf-ai" / "clients").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("http://attic.local:8000", "--code-file", "-"), "by HTTPS only"),
        (("attic.local", "--pin", "abc", "--code-file", "-"), "SHA-256 fingerprint"),
        (("attic.local",), "--code-file"),
        (("attic.local", "--ask-owner"), "the digits cannot be compared"),
        (("attic.local", "--ask-owner", "--code-file", "-"), "Use one of"),
        (("attic.local", "--code-file", "-"), "no one-time code"),
        (("127.0.0.1:9", "--code-file", "-"), "could not be reached"),
    ],
)
def test_enroll_that_cannot_work_says_why_in_one_sentence(arguments: tuple[str, ...], told: str) -> None:
    said = "7K4M-2XQP" if arguments[0].endswith(":9") else "hunter2"
    done = CliRunner().invoke(main, ["enroll", *arguments], input=said, prog_name="zeroconf-ai")
    assert done.exit_code in (1, 2)
    assert told in done.stderr
    assert "hunter2" not in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
