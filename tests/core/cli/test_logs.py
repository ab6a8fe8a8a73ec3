"""The log of `serve`: one line for each request, its ids on every line, text and JSON, and no line that a stranger forged."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
import io
import json
import logging
from pathlib import Path
import threading
from typing import Any, override

import aiohttp
import pytest

from zeroconf_ai.cli.errors import CommandError
from zeroconf_ai.cli.line_writer import MAX_WAITING, LineWriter
from zeroconf_ai.cli.logs import logging_to
from zeroconf_ai.cli.notices import notice, warn
from zeroconf_ai.config.server_fields import LogFormat
from zeroconf_ai.server.request_log import CURRENT, RequestLog

from ...support.command import run
from ...support.fakes.provider import FakeProvider, Paused, refuse, running
from ...support.waiting import until, until_in_thread
from .test_serve_upstreams import gateway

SECRET = "zai_a1b2c3d4e5f6a1b2c3d4e5f6"
HOSTILE = f"a\nb\x1b[2J\u202e\x9b31m {SECRET} Bearer {SECRET}"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
LOGGED = {"ZEROCONF_AI_ACCESS_LOG": "true", "ZEROCONF_AI_LOG_FORMAT": "json", "ZEROCONF_AI_LOG_LEVEL": "info"}

type Write = Callable[[Mapping[str, Any]], None]


@contextmanager
def logged(form: LogFormat, level: int = logging.INFO) -> Iterator[tuple[Write, list[str]]]:
    """A log, and its lines when it has been closed."""
    stream, lines = io.StringIO(), list[str]()
    with logging_to(LineWriter(stream), form, level) as write:
        yield write, lines
    lines += stream.getvalue().splitlines()


def fail() -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        logging.getLogger("aiohttp.server").exception("It failed: %s", HOSTILE)


@pytest.mark.parametrize("form", LogFormat)
def test_log_lines_contain_neither_control_characters_nor_secrets(form: LogFormat) -> None:
    with logged(form) as (write, lines):
        fail()
        write({"event": "GET / 200", "key": "Living \x1b[2J room\n", "model": "=x y"})
    text = "\n".join(lines)
    assert SECRET not in text
    assert all(line.isprintable() for line in lines)
    if form is LogFormat.JSON:
        failed, request = map(json.loads, lines)
        assert (failed["logger"], failed["level"], failed["event"][:15]) == ("aiohttp.server", "error", "It failed: a b ")
        assert failed["exception"].startswith("Traceback")
        assert request["model"] == "=x y"
    else:
        # A traceback is indented: no line in it looks like one of the log.
        assert [line[:1] for line in lines] == ["2", *" " * (len(lines) - 2), "2"]
        assert lines[-1].endswith(' INFO access: GET / 200 key="Living  [2J room " model="=x y"')


def test_log_lines_of_a_request_contain_its_ids() -> None:
    def log() -> None:
        CURRENT.set(RequestLog("req_1", f"00-{TRACE}-00f067aa0ba902b7-01"))
        logging.getLogger("zeroconf_ai.routing").info("next")

    with logged(LogFormat.JSON) as (_, lines):
        thread = threading.Thread(target=log)  # a context of its own
        thread.start()
        thread.join()
        logging.getLogger("zeroconf").warning("none of a request, and not of interest")
        logging.getLogger("zeroconf_ai.lan").debug("below the level")
        logging.getLogger("zeroconf_ai.lan").warning("none of a request")
    found = [json.loads(line) for line in lines]
    assert [entry.get("request_id") for entry in found] == ["req_1", None]
    assert (found[0]["trace_id"], found[0]["span_id"]) == (TRACE, "00f067aa0ba902b7")
    assert [entry["logger"] for entry in found] == ["zeroconf_ai.routing", "zeroconf_ai.lan"]


@pytest.mark.parametrize(
    "traceparent",
    ["", "00-x", f"ff-{TRACE}-00f067aa0ba902b7-01", f"00-{'0' * 32}-00f067aa0ba902b7-01", f"00-{TRACE}-{'0' * 16}-01"],
)
def test_log_invalid_traceparent_is_ignored(traceparent: str) -> None:
    assert RequestLog("r", traceparent).ids() == {"request_id": "r"}
    assert RequestLog("r", f"01-{TRACE}-00f067aa0ba902b7-01-more").ids()["trace_id"] == TRACE


def fail_to_start(form: LogFormat, error: Exception, stream: io.StringIO) -> None:
    with logging_to(LineWriter(stream), form, logging.WARNING):
        notice("Found Ollama")
        warn("be careful")
        raise error


def test_log_in_json_contains_what_the_command_says_and_why_it_ended(capsys: pytest.CaptureFixture[str]) -> None:
    errors = (CommandError("Port 80 is in use.", "Set another --port."), ZeroDivisionError())
    stream = io.StringIO()
    for error in errors:
        with pytest.raises(SystemExit) as ended:
            fail_to_start(LogFormat.JSON, error, stream)
        assert ended.value.code == 1
    found = [json.loads(line) for line in stream.getvalue().splitlines()]
    said = [("info", "Found Ollama"), ("warning", "be careful")]
    expected = [*said, ("error", "Port 80 is in use. Set another --port."), *said, ("critical", "The server failed")]
    assert [(entry["level"], entry["event"]) for entry in found] == expected
    assert "ZeroDivisionError" in found[-1]["exception"]
    assert capsys.readouterr().err == ""


def test_log_in_text_leaves_to_stderr_what_the_command_says(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    with pytest.raises(CommandError, match="Port 80"):
        fail_to_start(LogFormat.TEXT, CommandError("Port 80 is in use."), stream)
    assert (capsys.readouterr().err, stream.getvalue()) == ("Found Ollama\nWarning: be careful\n", "")


class Unread(io.StringIO):
    """A stream whose reader has stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.blocked, self.reads = threading.Event(), threading.Event()

    @override
    def write(self, text: str, /) -> int:
        self.blocked.set()
        assert self.reads.wait(60)
        return super().write(text)


def test_log_that_nobody_reads_holds_nothing_up_and_counts_what_it_lost() -> None:
    stream = Unread()
    writer = LineWriter(stream)
    writer.start()
    writer.write("first")
    assert stream.blocked.wait(60)
    for _ in range(MAX_WAITING + 7):
        writer.write("line")
    stream.reads.set()
    until_in_thread(lambda: stream.getvalue().count("\n") > MAX_WAITING)
    writer.write("last")
    writer.close()
    writer.write("after the end")
    lines = stream.getvalue().splitlines()
    assert lines.count("line") == MAX_WAITING
    assert lines[-3:] == ["(7 lines of the log were dropped here: stderr was read too slowly)", "last", "after the end"]


@pytest.mark.usefixtures("own_loopback")
async def test_serve_logs_each_request_once_with_its_key_usage_and_ids(tmp_path: Path) -> None:
    secret = run(tmp_path, "keys", "create", "Living room").stdout.strip()
    bearer = {"Authorization": f"Bearer {secret}"}
    chat = {"model": "test-model", "messages": [{"role": "user", "content": f"canary {SECRET}"}]}
    paused = Paused()
    async with running(FakeProvider()) as failing, running(FakeProvider()) as provider, aiohttp.ClientSession() as session:
        failing.answers = [refuse(503, "busy", {"Retry-After": "60"})]
        options = (
            *("--upstream", f"openai_compatible={failing.base_url}", "--upstream", f"openai_compatible={provider.base_url}"),
            *("--no-advertise", "--keys"),
        )
        async with gateway(tmp_path, *options, verbose=False, env=LOGGED) as served:
            url = served.ready["url"]

            async def ask(method: str, path: str, status: int, **more: Any) -> None:
                async with session.request(method, url + path, **more) as response:
                    await response.read()
                    assert response.status == status

            traced = {**bearer, "X-Request-ID": "mine-1", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
            await ask("POST", "/chat/completions", 200, json=chat, headers=traced)
            await ask("GET", f"/models?key={SECRET}", 401)
            await ask("GET", "/health", 200)
            await ask("GET", f"/%0aINFO%1b[2J/{SECRET}", 404, headers=bearer)
            provider.answers = failing.answers = [paused]
            async with session.post(f"{url}/chat/completions", json={**chat, "stream": True}, headers=bearer) as response:
                await paused.begun.wait()
                response.close()
            paused.go.set()
            await until(lambda: status_of(session, url, bearer))
            said = (await served.stop()).splitlines()
    entries = [json.loads(line) for line in said]
    assert SECRET not in "".join(said)
    assert secret not in "".join(said)
    assert "canary" not in "".join(said)
    requests = [entry for entry in entries if entry["logger"] == "access" and entry["path"] != "/v1/status"]
    answered, refused, unknown, left = requests
    assert {
        name: answered[name]
        for name in ("method", "path", "status", "client", "key", "model", "request_id", "trace_id", "attempts")
    } == {
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
        "client": "127.0.0.1",
        "key": "Living room",
        "model": "test-model",
        "request_id": "mine-1",
        "trace_id": TRACE,
        "attempts": 2,
    }
    assert answered["prompt_tokens"] > 0 < answered["completion_tokens"]
    assert answered["bytes"] > 100
    assert answered["duration_ms"] > 0
    assert answered["provider"]
    [other] = [entry for entry in entries if entry["logger"] != "access" and entry.get("request_id") == "mine-1"]
    assert "did not answer" in other["event"]
    assert (refused["path"], refused["status"], "key" in refused) == ("/v1/models", 401, False)
    assert (unknown["status"], unknown["path"]) == (404, "/v1/%0AINFO%1B%5B2J/***")
    assert (left["status"], left["key"], "bytes" in left) == (499, "Living room", False)


async def status_of(session: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> bool:
    """Whether no request is in progress any more."""
    async with session.get(f"{url}/status", headers=headers) as response:
        return bool((await response.json())["queue"]["active"] == 0)
