"""`zeroconf-ai serve --demo`."""

import errno
import json
import os
from pathlib import Path
import socket
import time
from typing import Any
import urllib.error
import urllib.request
from uuid import UUID

from aiohttp import web
import click
import pytest

from zeroconf_ai.cli import ports, serve
from zeroconf_ai.cli.admission import Admission
from zeroconf_ai.cli.errors import CommandError
from zeroconf_ai.protocol.record import Auth
from zeroconf_ai.server.app import create_runner

from ...support.command import COMMAND, line_of, run, serving, started

pytestmark = pytest.mark.usefixtures("own_loopback")

KEY = "zai_an-example-key-of-these-tests"
QUIET = ("--no-advertise",)


def get(url: str, key: str | None = None) -> tuple[int, Any]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"} if key else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as err:
        with err:
            return err.code, json.load(err)


def test_serve_ready_prints_one_line(tmp_path: Path) -> None:
    command = [*COMMAND, "serve", "--demo", "--host", "127.0.0.1", "--name", "Büro", *QUIET]
    with started(tmp_path, command) as process:
        line = line_of(process)
        port = int(line.rpartition(":")[2].removesuffix("/v1\n"))
        assert line == f'serving demo-rules as "Büro" on http://127.0.0.1:{port}/v1\n'
        assert 8000 <= port <= 9000
        page = line_of(process)
        assert page.startswith(f"page: http://127.0.0.1:{port}/admin/#login=")
        assert page.endswith(" (this link logs in once)\n")
        assert [model["id"] for model in get(f"http://127.0.0.1:{port}/v1/models")[1]["data"][:2]] == ["auto", "demo-rules"]
        process.terminate()
        rest = process.communicate(timeout=20)
        assert (process.returncode, rest) == (0, (b"", b""))


def test_serve_json_line_contains_all_fields(tmp_path: Path) -> None:
    with serving(tmp_path, "--name", "Script", *QUIET) as server:
        ready = server.ready
        assert ready == {
            "name": "Script",
            "id": ready["id"],
            "url": f"http://127.0.0.1:{ready['port']}/v1",
            "port": ready["port"],
            "addresses": ["127.0.0.1"],
            "model": "demo-rules",
            "auth": "none",
            "advertised": False,
            "page": ready["page"],
        }
        assert get(f"{server.url}/health")[1]["id"] == ready["id"]


def test_serve_demo_link_logs_in_once_and_shows_its_records(tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    with serving(tmp_path, *QUIET, env={"TMPDIR": str(folder)}) as server:
        page, secret = server.ready["page"].split("#login=")
        assert page == f"http://127.0.0.1:{server.ready['port']}/admin/"
        origin = page.removesuffix("/admin/")

        def post(path: str, fields: Any, **headers: str) -> tuple[int, Any, str]:
            named = {"Origin": origin, "Content-Type": "application/json", **headers}
            request = urllib.request.Request(f"{origin}{path}", json.dumps(fields).encode(), named)
            try:
                with urllib.request.urlopen(request, timeout=10) as response:
                    return response.status, json.load(response), response.headers["Set-Cookie"]
            except urllib.error.HTTPError as err:
                with err:
                    return err.code, json.load(err), ""

        status, session, cookie = post("/admin/api/login", {"key": secret})
        assert (status, session) == (200, {"name": "", "records": True})
        assert post("/admin/api/login", {"key": secret})[0] == 401
        assert post("/v1/chat/completions", {"messages": [{"role": "user", "content": "count to 2"}]})[0] == 200
        found = post("/admin/api/requests", {}, Cookie=cookie.partition(";")[0])[1]
        assert [(record["model"], record["outcome"]) for record in found["requests"]] == [("demo-rules", "ok")]
        assert len(list(folder.iterdir())) == 1
        assert server.stop() == 0
        assert server.process.stderr is not None
        told = server.process.stderr.read().decode()
        assert told.startswith(f"page: {page}#login=")
        assert secret not in told
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (("--key", KEY), "log in with the key of this server"),
        (("--keys",), "create a key to log in: zeroconf-ai keys create NAME"),
    ],
)
def test_serve_prints_the_address_of_its_page_and_how_to_log_in(options: tuple[str, ...], hint: str, tmp_path: Path) -> None:
    with started(tmp_path, [*COMMAND, "serve", "--demo", "--host", "127.0.0.1", *options, *QUIET]) as process:
        line_of(process)
        page = line_of(process)
        process.terminate()
        process.communicate(timeout=20)
    assert page.startswith("page: http://127.0.0.1:")
    assert f"/admin/ ({hint}" in page


def test_serve_page_of_a_server_with_an_administrator_asks_for_the_key(tmp_path: Path) -> None:
    assert run(tmp_path, "keys", "create", "Owner", "--endpoint", "admin").returncode == 0
    with started(tmp_path, [*COMMAND, "serve", "--demo", "--host", "127.0.0.1", "--keys", *QUIET]) as process:
        line_of(process)
        assert line_of(process).endswith("/admin/ (log in with the key of an administrator)\n")
        process.terminate()
        process.communicate(timeout=20)


def test_serve_identity_is_kept_after_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path, *QUIET) as first:
        assert UUID(first.ready["id"]).version == 5
    with serving(tmp_path, "--name", "Another name", *QUIET) as again:
        assert again.ready["id"] == first.ready["id"]
    assert (tmp_path / "zeroconf-ai" / "id").read_text() == f"{first.ready['id']}\n"


def test_serve_identity_file_is_separate_and_used_once_at_a_time(tmp_path: Path) -> None:
    with serving(tmp_path, *QUIET) as first:
        with serving(tmp_path, "--id-file", str(tmp_path / "deep" / "second"), *QUIET) as second:
            assert second.ready["id"] != first.ready["id"]
            assert second.ready["port"] != first.ready["port"]
        refused = run(tmp_path, "serve", "--demo", "--host", "127.0.0.1", *QUIET)
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: Another `zeroconf-ai serve` already uses the ID in ")
    assert "--id-file" in refused.stderr


@pytest.mark.parametrize("content", ["not a uuid", "\0"])
def test_serve_invalid_identity_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "id"
    file.write_text(content)
    done = run(tmp_path, "serve", "--demo", "--id-file", str(file), "--host", "127.0.0.1", *QUIET)
    assert done.returncode == 1
    assert done.stderr == f"Error: {file} does not contain a UUID. Delete it, or set another --id-file.\n"
    assert file.read_text() == content


def test_serve_identity_that_cannot_be_stored_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run(tmp_path, "serve", "--demo", "--id-file", str(tmp_path / "file" / "id"), *QUIET)
    assert done.returncode == 1
    assert "cannot be saved" in done.stderr
    assert "Traceback" not in done.stderr


def test_serve_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run(tmp_path, "serve", "--demo", "--host", "127.0.0.1", "--port", str(port), *QUIET)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: Port {port} is in use. Set another --port, or none to use the first free port.\n"


def test_serve_unknown_host_is_named(tmp_path: Path) -> None:
    for host in ("192.0.2.77", "no-such-host.invalid"):
        done = run(tmp_path, "serve", "--demo", "--host", host, *QUIET)
        assert (done.returncode, done.stdout) == (1, "")
        assert (
            done.stderr
            == f"Error: {host} is not an address of this machine. Set another --host, or remove --host to use all addresses.\n"
        )


def test_serve_name_with_control_characters_and_host_in_brackets_are_read(tmp_path: Path) -> None:
    with serving(tmp_path, "--host", "[::1]", "--name", "At\x1b\x7ftic", *QUIET) as server:
        assert server.url.startswith("http://[::1]:")
        assert server.ready["name"] == "Attic"


def test_serve_invalid_priority_is_a_usage_error(tmp_path: Path) -> None:
    done = run(tmp_path, "serve", "--demo", "--priority", "70000")
    assert done.returncode == 2
    assert "--priority" in done.stderr


@pytest.mark.parametrize("way", ["option", "environment"])
def test_serve_with_a_key_answers_only_its_holder(tmp_path: Path, way: str) -> None:
    options = ("--key", KEY) if way == "option" else ()
    env = {"ZEROCONF_AI_KEY": KEY} if way == "environment" else {}
    with serving(tmp_path, *options, *QUIET, env=env) as server:
        assert server.ready["auth"] == "token"
        assert get(f"{server.url}/models")[0] == 401
        assert get(f"{server.url}/models", KEY)[0] == 200
        assert get(f"{server.url}/health")[0] == 200
        assert KEY not in json.dumps(server.ready)


def test_serve_signal_without_requests_ends_immediately(tmp_path: Path) -> None:
    with serving(tmp_path, "--name", f"Brief {os.getpid()}") as server:
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 3.0


def test_serve_without_multicast_serves_anyway(tmp_path: Path) -> None:
    code = (
        "import click; from zeroconf_ai.cli import presence, main\n"
        "def fail(interfaces): raise click.ClickException('no multicast here')\n"
        "presence.open_zeroconf = fail\n"
        "main(['serve', '--demo', '--host', '127.0.0.1', '--json'])"
    )
    with started(tmp_path, [COMMAND[0], "-c", code]) as process:
        ready = json.loads(line_of(process))
        assert ready["advertised"] is False
        assert get(f"{ready['url']}/health")[0] == 200
        process.terminate()
        assert process.communicate(timeout=20)[1] == b"Not advertised on the network: no multicast here\n"


async def test_serve_without_a_free_port_reports_it(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = create_runner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    monkeypatch.setattr(ports, "FIRST_PORT", port)
    monkeypatch.setattr(ports, "LAST_PORT", port)
    with pytest.raises(click.ClickException, match=f"All ports from {port} to {port} are in use"):
        await ports.listen_on_first_free(runner, "127.0.0.1")
    await runner.cleanup()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(errno.EACCES, "denied"), "This user does not have permission to open port 80. Set a --port above 1023."),
        (
            OSError(errno.EMFILE, "Too many open files"),
            "Port 80 cannot be opened: Too many open files. Set another --port.",
        ),
    ],
)
def test_serve_port_that_cannot_be_opened_reports_the_reason(error: OSError, words: str) -> None:
    refused = ports.not_opened(error, None, 80, "port")
    assert f"{refused.message} {refused.hint}" == words


async def test_serve_health_port_that_cannot_be_opened_names_its_own_options() -> None:
    runner = create_runner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    with pytest.raises(CommandError, match=f"Port {port} is in use") as used:
        await ports.listen_on(runner, "127.0.0.1", port, option="health-port", otherwise="none")
    assert used.value.hint == "Set another --health-port, or none."
    with pytest.raises(CommandError, match=r"192.0.2.1 is not an address of this machine") as elsewhere:
        await ports.listen_on(runner, "192.0.2.1", port, option="health-port", otherwise="none")
    assert elsewhere.value.hint == "Set another --health-host, or remove --health-host to listen on this machine only."
    await runner.cleanup()


def test_serve_advertises_the_contact_of_its_administrator(tmp_path: Path) -> None:
    options = serve.Options("127.0.0.1", None, "x", Admission(open=True), True, False, 7, 0.0, False, "admin@example.net")
    record = serve._record(options, "0d3c8c9e-2b2f-5d53-9d0c-6f1f3c0a7e55", 8000, None)
    assert record.to_txt()["admin"] == "admin@example.net"
    assert (record.auth, record.priority) == (Auth.NONE, 7)
    done = run(tmp_path, "serve", "--demo", "--admin", "x" * 121)
    assert done.returncode == 2
    assert "at most 120 printable characters" in " ".join(done.stderr.split())
