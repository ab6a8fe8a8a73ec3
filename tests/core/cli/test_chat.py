"""`zeroconf-ai chat`."""

import json
import os
from pathlib import Path
import pty
import select
import signal
import sys
import time

import pytest

from zeroconf_ai.cli.chat import _show
from zeroconf_ai.protocol.thinking import Piece

from ...support.command import COMMAND, LO, Server, environment, free_port, run, serving
from .conftest import NAME

pytestmark = pytest.mark.usefixtures("own_loopback")

KEY = "zai_an-example-key-of-these-tests"


def test_chat_with_a_url_is_answered_by_its_provider(provider: Server, tmp_path: Path) -> None:
    for url in (provider.url, provider.url.removesuffix("/v1"), provider.url.removesuffix("/v1").removeprefix("http://")):
        done = run(tmp_path, "chat", "--provider", url, "count to 5")
        assert (done.returncode, done.stdout, done.stderr) == (0, "1 2 3 4 5\n", "")


def test_chat_with_a_name_or_id_finds_the_provider(provider: Server, tmp_path: Path) -> None:
    for name in (NAME.upper(), provider.ready["id"]):
        done = run(tmp_path, "chat", "--provider", name, "--model", "demo-rules", "count to 3", *LO)
        assert (done.returncode, done.stdout, done.stderr) == (0, "1 2 3\n", "")


def test_chat_without_a_provider_uses_the_best(tmp_path: Path) -> None:
    with serving(tmp_path, "--name", f"Best {os.getpid()}", "--priority", "0"):
        done = run(tmp_path, "chat", "count to 3", *LO)
    assert (done.returncode, done.stdout) == (0, "1 2 3\n")


def test_chat_prompt_that_is_not_utf8_is_sent_with_question_marks(provider: Server, tmp_path: Path) -> None:
    done = run(tmp_path, "chat", "--provider", provider.url, "say caf\udce9")
    assert (done.returncode, done.stdout, done.stderr) == (0, "caf?\n", "")


@pytest.mark.parametrize("arguments", [(), ("-",)])
def test_chat_prompt_from_stdin_is_answered(provider: Server, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(tmp_path, "chat", "--provider", provider.url, *arguments, said="say one\ntwo\n")
    assert (done.returncode, done.stdout) == (0, "one\ntwo\n")


def test_chat_without_a_prompt_is_a_usage_error(provider: Server, tmp_path: Path) -> None:
    done = run(tmp_path, "chat", "--provider", provider.url)
    assert done.returncode == 2
    assert "The prompt is empty" in done.stderr


def test_chat_unknown_name_lists_the_known_ones(provider: Server, tmp_path: Path) -> None:
    done = run(tmp_path, "chat", "--provider", "Nobody", "hello", *LO)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: No provider named Nobody was found. Found: ")
    assert NAME in done.stderr


def test_chat_unknown_model_lists_the_known_ones(provider: Server, tmp_path: Path) -> None:
    done = run(tmp_path, "chat", "--provider", provider.url, "--model", "demo-rule", "hello")
    assert done.returncode == 1
    assert "demo-rules" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_chat_url_without_answer_is_one_error_line(tmp_path: Path) -> None:
    done = run(tmp_path, "chat", "--provider", "http://127.0.0.1:9", "hello")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: http://127.0.0.1:9/v1 could not be reached: the connection was refused")
    assert len(done.stderr.splitlines()) == 1


def test_chat_key_is_requested_and_sent_to_its_provider_only(tmp_path: Path) -> None:
    with serving(tmp_path, "--key", KEY, "--no-advertise") as server:
        missing = run(tmp_path, "chat", "--provider", server.url, "count to 2")
        wrong = run(tmp_path, "chat", "--provider", server.url, "--key", "zai_wrong", "count to 2")
        right = run(tmp_path, "chat", "--provider", server.url, "--key", KEY, "count to 2")
        quiet = run(tmp_path, "chat", "--provider", server.url, "count to 2", env={"ZEROCONF_AI_KEY": KEY})
    assert (missing.returncode, wrong.returncode) == (1, 1)
    assert "requires an API key" in missing.stderr
    assert "does not accept this API key" in wrong.stderr
    assert (right.stdout, quiet.stdout) == ("1 2\n", "1 2\n")
    homeless = run(tmp_path, "chat", "--key", KEY, "hello", *LO)
    assert homeless.returncode == 2
    assert "--provider" in homeless.stderr


def test_chat_changed_identity_needs_confirmation(tmp_path: Path) -> None:
    name = f"Twin {os.getpid()}"
    ask = ("chat", "--provider", name, "count to 2", *LO)
    with serving(tmp_path, "--name", name) as first:
        assert run(tmp_path, *ask).stdout == "1 2\n"
        pins = json.loads((tmp_path / "zeroconf-ai" / "trusted.json").read_text())
        assert [(pin["id"], pin["name"]) for pin in pins] == [(first.ready["id"], name)]
        first.stop()
    with serving(tmp_path, "--name", name, "--id-file", str(tmp_path / "twin")):
        refused = run(tmp_path, *ask)
        assert refused.returncode == 1
        assert "has another identity" in refused.stderr
        assert refused.stdout == ""
        assert run(tmp_path, *ask, "--trust").stdout == "1 2\n"
        assert run(tmp_path, *ask).stdout == "1 2\n"


def test_chat_key_is_sent_to_a_new_address_only_if_proven_or_trusted(tmp_path: Path) -> None:
    name = f"Mover {os.getpid()}"
    secret = run(tmp_path, "keys", "create", "Chat").stdout.strip()
    ask = ("chat", "--provider", name, "--key", secret, "count to 2", *LO)

    def pinned() -> str:
        (pin,) = json.loads((tmp_path / "zeroconf-ai" / "trusted.json").read_text())
        address: str = pin["base_url"]
        return address

    with serving(tmp_path, "--name", name, "--keys", "--port", str(free_port())) as first:
        assert run(tmp_path, *ask).stdout == "1 2\n"
        assert pinned() == first.url
        first.stop()
    with serving(tmp_path, "--name", name, "--keys", "--port", str(free_port())) as moved:
        assert moved.ready["id"] == first.ready["id"]
        assert run(tmp_path, *ask).stdout == "1 2\n"
        assert pinned() == moved.url
        moved.stop()
    # A chosen key is never proven: to a client, this is an impostor that would take the key.
    with serving(tmp_path, "--name", name, "--key", secret, "--port", str(free_port())) as impostor:
        listed = json.loads(run(tmp_path, "discover", "--json", *LO).stdout)
        assert [found["trust"] for found in listed if found["name"] == name] == ["moved"]
        refused = run(tmp_path, *ask)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "--trust" in refused.stderr
        assert pinned() == moved.url
        assert run(tmp_path, *ask, "--trust").stdout == "1 2\n"
        assert pinned() == impostor.url
        assert run(tmp_path, *ask).stdout == "1 2\n"


class Terminal:
    """The command on a terminal."""

    def __init__(self, state: Path, *arguments: str) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execve(COMMAND[0], [*COMMAND, *arguments], environment(state, {"TERM": "dumb"}))
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def until(self, text: str, seconds: float = 15.0) -> None:
        """Wait until it shows a text that it has not shown before."""
        end = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < end, f"{text!r} is not in {self.shown!r}"
            if select.select([self._fd], [], [], 0.1)[0]:
                self.shown += os.read(self._fd, 4096).decode(errors="replace")
        self.shown = self.shown.partition(text)[2]

    def end(self) -> int:
        """Its exit code."""
        end = time.monotonic() + 15
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self._fd)
                return os.waitstatus_to_exitcode(status)
            if select.select([self._fd], [], [], 0.05)[0]:
                try:
                    os.read(self._fd, 4096)
                except OSError:
                    continue
        os.kill(self.pid, signal.SIGKILL)
        raise TimeoutError


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of forkpty:DeprecationWarning")
def test_chat_on_a_terminal_is_a_conversation(tmp_path: Path) -> None:
    with serving(tmp_path, "--delay", "0.02", "--no-advertise") as server:
        terminal = Terminal(tmp_path, "chat", "--provider", server.url)
        terminal.until("Press Ctrl-D to exit.")
        terminal.until("> ")
        terminal.type("say my cat is Mia\n")
        terminal.until("\nmy cat is Mia")
        terminal.until("> ")
        terminal.type("what did I say?\n")
        terminal.until("Before this, you said: say my cat is Mia")
        terminal.until("> ")
        terminal.type("count to 900\n")
        terminal.until("1 2 3 4")
        terminal.type("\x03")
        terminal.until("interrupted")
        terminal.until("> ")
        terminal.type("\n")
        terminal.until("> ")
        terminal.type("count to 3\n")
        terminal.until("\n1 2 3")
        terminal.until("> ")
        server.stop()
        terminal.type("count to 4\n")
        terminal.until("Error: ")
        terminal.until("> ")
        terminal.type("\x04")
        assert terminal.end() == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of forkpty:DeprecationWarning")
def test_chat_ctrl_c_between_answers_ends_the_conversation(provider: Server, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "chat", "--provider", provider.url)
    terminal.until("> ")
    time.sleep(0.5)  # Python's readline misses a signal between the prompt and the wait for a key
    terminal.type("\x03")
    assert terminal.end() == 130


def test_chat_reasoning_is_shown_on_a_terminal_only(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [Piece("Hm. ", True), Piece("42", False)]
    assert "".join(map(_show, pieces)) == "42"
    assert capsys.readouterr().out == "42"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "".join(map(_show, pieces)) == "42"
    assert "Hm. " in capsys.readouterr().out
