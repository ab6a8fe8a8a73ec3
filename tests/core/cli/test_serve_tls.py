"""`zeroconf-ai serve --tls` as a process, and `zeroconf-ai ca`."""

import asyncio
import json
from pathlib import Path
import ssl
import subprocess
import sys
import urllib.request

import pytest

from zeroconf_ai.cli import tls as tls_module
from zeroconf_ai.cli.tls import TlsOfServer

from ...support.command import environment, run, serving
from ...support.waiting import until
from ..server.tls.certificates import HOSTS, Clock, given_files, other_authority, server_tls, trusting

pytestmark = pytest.mark.usefixtures("own_loopback")

QUIET = ("--no-advertise",)


def health(url: str, context: ssl.SSLContext) -> str:
    """The ID of the server."""
    with urllib.request.urlopen(f"{url}/health", timeout=10, context=context) as answer:
        found: str = json.load(answer)["id"]
    return found


def test_serve_tls_is_reached_with_its_authority_and_keeps_its_certificate_after_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path, *QUIET, env={"ZEROCONF_AI_TLS": "true"}) as server:
        ready = server.ready
        assert ready["url"].startswith("https://127.0.0.1:")
        assert ready["page"].startswith(ready["url"].removesuffix("/v1"))
        printed = run(tmp_path, "ca")
        assert printed.stdout == Path(ready["ca"]).read_text()
        assert health(server.url, trusting(printed.stdout.encode())) == ready["id"]
        assert health(server.url.replace("127.0.0.1", "localhost"), trusting(printed.stdout.encode())) == ready["id"]
        assert [one["name"] for one in json.loads(run(tmp_path, "status", "--json").stdout)["servers"]] == [ready["name"]]
        healthy = [sys.executable, "-m", "zeroconf_ai.cli.container_health"]
        assert subprocess.run(healthy, env=environment(tmp_path), timeout=60, check=False).returncode == 0
        folder = Path(ready["ca"]).parent
        assert folder.stat().st_mode & 0o077 == 0
        assert [file.name for file in folder.iterdir() if file.stat().st_mode & 0o077] == []
        server.stop()
    with serving(tmp_path, *QUIET, "--tls") as again:
        assert again.ready["fingerprint"] == ready["fingerprint"]


def test_serve_with_a_given_certificate_speaks_tls_without_an_authority_of_its_own(tmp_path: Path) -> None:
    given, _ = given_files(tmp_path / "given", other_authority())
    with serving(tmp_path, *QUIET, "--tls-certificate", str(given.certificate), "--tls-key", str(given.key)) as server:
        assert "ca" not in server.ready
        context = ssl.create_default_context(cafile=given.certificate)
        assert health(server.url, context) == server.ready["id"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--tls-certificate", "{certificate}"), "--tls-certificate and --tls-key belong together"),
        (("--tls-certificate", "{certificate}", "--tls-key", "{other}"), "are not usable together"),
        (("--tls-certificate", "{certificate}", "--tls-key", "{certificate}"), "does not contain a private key"),
        (("--tls-certificate", "{key}", "--tls-key", "{key}"), "does not contain a certificate"),
    ],
)
def test_serve_with_an_unusable_certificate_says_which_file_and_why(options: tuple[str, ...], told: str, tmp_path: Path) -> None:
    given, _ = given_files(tmp_path / "given", other_authority())
    other, _ = given_files(tmp_path / "other", other_authority())
    named = [text.format(certificate=given.certificate, key=given.key, other=other.key) for text in options]
    done = run(tmp_path, "serve", "--demo", "--host", "127.0.0.1", *QUIET, *named)
    assert done.returncode != 0
    assert told in done.stderr
    assert "Traceback" not in done.stderr


async def test_serve_renews_its_certificate_when_it_is_due_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tls_module, "CHECK_SECONDS", 0.01)
    clock, renewed = Clock(), asyncio.Event()
    made = TlsOfServer(server_tls(tmp_path, clock), lambda: HOSTS)
    made.renewed = renewed.set
    former = made.tls.fingerprint
    watching = asyncio.create_task(made.watch())
    try:
        clock.advance(250)
        await asyncio.wait_for(renewed.wait(), 10)
        assert made.tls.fingerprint != former
        assert made.tls.hand_over(former)
        assert f"A new certificate is used, which expires on {made.tls.expires.date()}" in caplog.text
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_serve_keeps_its_certificate_while_the_given_files_are_being_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tls_module, "CHECK_SECONDS", 0.01)
    given, _ = given_files(tmp_path / "given", other_authority())
    made, renewed = TlsOfServer(server_tls(tmp_path / "own", given=given), lambda: HOSTS), asyncio.Event()
    made.renewed = renewed.set
    former = made.tls.fingerprint
    given.certificate.write_text("half")
    watching = asyncio.create_task(made.watch())
    try:
        await until(lambda: "The certificate stays as it is" in caplog.text)
        assert made.tls.fingerprint == former
        given_files(tmp_path / "given", other_authority())
        await asyncio.wait_for(renewed.wait(), 10)
        assert made.tls.hand_over(former)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def test_ca_without_a_server_that_speaks_tls_says_how_to_make_one(tmp_path: Path) -> None:
    done = run(tmp_path, "ca")
    assert (done.returncode, done.stdout) == (1, "")
    assert "zeroconf-ai serve --tls" in done.stderr
