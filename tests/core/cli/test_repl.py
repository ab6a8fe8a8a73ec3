"""The interactive chat: its commands, and what it says about providers."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
import json
import os
from pathlib import Path
import stat
import sys
import time

import pytest

from zeroconf_ai.cli.connecting import HINTS
from zeroconf_ai.cli.line_input import LineInput
from zeroconf_ai.cli.repl import COMMANDS, Repl, ask_provider
from zeroconf_ai.cli.state import chat_sessions_file
from zeroconf_ai.cli.talk import Talk
from zeroconf_ai.client.connections import Connections, Wanted
from zeroconf_ai.engine import Engine
from zeroconf_ai.lan.trust import TrustStore
from zeroconf_ai.protocol.errors import UpstreamConnectionError
from zeroconf_ai.protocol.record import ServiceRecord

from ...support.command import LO, Server, serving
from ...support.fakes.chunks import delta
from ...support.fakes.upstream import STOP, StubBackend
from ...support.pictures import encoded
from ...support.ports import free_port
from ...support.terminal import Terminal

terminal_test = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of forkpty:DeprecationWarning")


@contextmanager
def repl_with(*backends: StubBackend, session: str | None = None) -> Iterator[Repl]:
    """A chat with these providers, the first one preferred. `session`: its name."""
    with asyncio.Runner() as runner:

        async def begin() -> Talk:
            engine = Engine()
            stack = AsyncExitStack()
            stack.push_async_callback(engine.close)
            for backend in backends:
                await engine.checker.check(engine.add(backend))
            talk = Talk(Connections(engine, stack, TrustStore(None), Wanted(), HINTS), Wanted(), "auto")
            if session is not None:
                await talk._resume(session)
            return talk

        talk = runner.run(begin())
        yield Repl(runner, talk)
        runner.run(talk.close())


def says(text: str) -> list[object]:
    """The answer of a provider."""
    return [delta(text), STOP]


def sent(backend: StubBackend) -> list[tuple[str, object]]:
    """The messages of the last request."""
    return [(message["role"], message["content"]) for message in backend.sent[-1].body["messages"]]


def test_repl_unknown_command_is_one_line_with_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    with repl_with(gpu := StubBackend("gpu")) as repl:
        repl.handle("/modle x")
        repl.handle("/etc/hosts is what?")
        said = capsys.readouterr()
        repl.handle(" /etc/hosts is what?")
    near, far = said.err.splitlines()
    assert near.startswith("Error: Unknown command /modle. Did you mean /model?")
    assert far.startswith("Error: Unknown command /etc/hosts. /help lists the commands.")
    assert sent(gpu) == [("user", "/etc/hosts is what?")]


def test_repl_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with repl_with(StubBackend("gpu")) as repl:
        repl.handle("/help")
    shown = capsys.readouterr().out
    assert all(f"/{name}" in shown and command.meaning in shown for name, command in COMMANDS.items())


def test_repl_model_is_checked_listed_and_sent(capsys: pytest.CaptureFixture[str]) -> None:
    with repl_with(gpu := StubBackend("gpu", models=("qwen3:8b", "llama3", "nomic-embed-text"))) as repl:
        repl.handle("/model qwen")
        repl.handle("/model QWEN3:8B")
        repl.handle("hi")
        repl.handle("/model")
    said = capsys.readouterr()
    assert said.err.splitlines() == ["Error: No provider serves qwen. /model lists the models.", "Model: qwen3:8b"]
    assert gpu.sent[-1].model == "qwen3:8b"
    assert said.out.splitlines()[1:] == ["  auto  (the provider's choice)", "* qwen3:8b  (Gpu)", "  llama3  (Gpu)"]


def test_repl_provider_is_pinned_until_auto(capsys: pytest.CaptureFixture[str]) -> None:
    gpu, nas = StubBackend("gpu", models=("qwen3",)), StubBackend("nas", models=("llama3",), priority=200)
    with repl_with(gpu, nas) as repl:
        repl.handle("/model qwen3")
        repl.handle("/provider NAS")
        repl.handle("one")
        repl.handle("/provider")
        repl.handle("/provider auto")
        repl.handle("two")
    said = capsys.readouterr()
    assert [request.body["messages"][-1]["content"] for request in (*nas.sent, *gpu.sent)] == ["one", "two"]
    assert said.err.splitlines()[1:] == [
        "Answers come from Nas.",
        "It does not serve qwen3. Model: auto",
        "Answers come from Gpu, Nas.",
    ]
    assert "  Gpu  (online)\n* Nas  (online)" in said.out


def test_repl_failover_says_who_failed_and_who_answers(capsys: pytest.CaptureFixture[str]) -> None:
    gpu = StubBackend("gpu", says("first"), UpstreamConnectionError("Gpu could not be reached"))
    with repl_with(gpu, StubBackend("nas", says("second"), priority=200)) as repl:
        repl.handle("one")
        assert capsys.readouterr().err == ""
        repl.handle("two")
        taken_over = capsys.readouterr()
        repl.handle("three")
        stays = capsys.readouterr()
    assert taken_over.out == "second\n"
    assert taken_over.err == "Gpu failed: Gpu could not be reached; answering from Nas\n"
    assert (stays.out, stays.err) == ("second\n", "")


def test_repl_provider_that_went_offline_between_questions_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    gpu, nas = StubBackend("gpu", says("first")), StubBackend("nas", says("second"), priority=200)
    with repl_with(gpu, nas) as repl:
        repl.handle("one")
        gpu.well = UpstreamConnectionError("Gpu is gone")
        (member, _) = repl._talk.found
        while member.online:
            repl._runner.run(repl._talk._connections.engine.checker.check(member))
        repl.handle("two")
    assert capsys.readouterr().err == "Gpu went offline; answering from Nas\n"


def test_repl_system_prompt_images_and_earlier_messages_are_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "my cat.png"
    image.write_bytes(encoded("PNG"))
    (tmp_path / "not.png").write_bytes(b"GIF90")
    with repl_with(gpu := StubBackend("gpu", says("a cat"), says("grey"))) as repl:
        for line in (
            "/system Be brief.",
            "/image",
            f"/image {tmp_path}/none.png",
            f"/image {tmp_path}/not.png",
            f"/image {image}",
        ):
            repl.handle(line)
        repl.handle("what is it?")
        repl.handle("which colour?")
        messages = sent(gpu)
        repl.handle("/system")
        repl.handle("/clear")
        repl.handle("hi")
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Error")]
    assert errors == [
        "Error: Name the file: /image FILE",
        f"Error: {tmp_path}/none.png is not a file.",
        "Error: The file is not a PNG, JPEG, GIF or WebP image.",
    ]
    assert [role for role, _ in messages] == ["system", "user", "assistant", "user"]
    question = messages[1][1]
    assert isinstance(question, list)
    assert question[0] == {"type": "text", "text": "what is it?"}
    assert question[1]["image_url"]["url"].startswith("data:image/png;base64,")
    assert len(question) == 2
    assert messages[2:] == [("assistant", "a cat"), ("user", "which colour?")]
    assert sent(gpu) == [("user", "hi")]


def test_repl_retry_replaces_the_answer_and_keeps_it_if_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    gpu = StubBackend("gpu", says("first"), says("second"), UpstreamConnectionError("gone"), says("third"))
    with repl_with(gpu) as repl:
        repl.handle("/retry")
        repl.handle("one")
        repl.handle("/retry")
        assert sent(gpu) == [("user", "one")]
        repl.handle("/retry")
        repl.handle("two")
    assert sent(gpu) == [("user", "one"), ("assistant", "second"), ("user", "two")]
    assert capsys.readouterr().err.startswith("Error: There is no question to repeat yet.\n")


def test_repl_save_writes_markdown_and_json_and_no_other_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.md"
    other.write_text("mine")
    with repl_with(StubBackend("gpu", says("# Head"))) as repl:
        repl.handle(f"/save {tmp_path}/a.md")
        repl.handle("/system Be brief.")
        repl.handle("one")
        for name in ("a.md", "a.json", "a.json", "other.md", "a.txt", "none/a.md"):
            repl.handle(f"/save {tmp_path}/{name}")
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Error")]
    assert errors == [
        "Error: There is nothing to save yet.",
        f"Error: {other} exists already. Choose another name.",
        "Error: The name a.txt must end with .md or .json.",
        f"Error: {tmp_path}/none/a.md cannot be written: No such file or directory.",
    ]
    assert other.read_text() == "mine"
    assert (tmp_path / "a.md").read_text() == "## System\n\nBe brief.\n\n## You\n\none\n\n## Gpu (m)\n\n# Head\n"
    saved = json.loads((tmp_path / "a.json").read_text())
    assert [message["role"] for message in saved["messages"]] == ["system", "user", "assistant"]
    assert saved["messages"][2] == {"role": "assistant", "content": "# Head", "provider": "Gpu", "model": "m"}
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o600


def test_repl_tab_completes_commands_models_providers_and_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cat.png").touch()
    (tmp_path / "cats").mkdir()
    with repl_with(StubBackend("gpu", models=("qwen3:8b", "llama3")), StubBackend("living room")) as repl:
        assert repl.complete("/s") == ["/system ", "/save "]
        assert repl.complete("/model q") == ["/model qwen3:8b"]
        record = ServiceRecord(name="Locked", host="locked.local.", port=8000)
        repl._talk._connections.left_out.append(record)
        assert repl.complete("/provider l") == ["/provider Living Room", "/provider Locked"]
        repl.handle("/provider")
        assert "  Locked  (requires an API key, which is asked for)" in capsys.readouterr().out
        assert repl.complete(f"/image {tmp_path}/c") == [f"/image {tmp_path}/cat.png", f"/image {tmp_path}/cats/"]
        assert repl.complete("/image /nowhere/x") == []
        assert repl.complete("s") == repl.complete("hello /m") == []


def test_repl_answer_styles_markdown_on_a_terminal_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    thinks = [delta("<think>Hm.</think>**42**"), STOP]
    with repl_with(StubBackend("gpu", thinks)) as repl:
        repl.handle("one")
        assert capsys.readouterr().out == "**42**\n"
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("TERM", "dumb")
        repl.handle("one")
        assert capsys.readouterr().out == "\x1b[2mHm.\x1b[0m\n**42**\n"
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.delenv("NO_COLOR", raising=False)
        repl.handle("one")
        assert "\x1b[1m**42**" in capsys.readouterr().out


def test_repl_session_goes_on_the_next_time_as_it_was_left() -> None:
    with repl_with(StubBackend("gpu", says("first"), says("second"), says("third")), session="trip") as repl:
        for line in ("one", "two", "/retry"):
            repl.handle(line)
    with repl_with(gpu := StubBackend("gpu", says("fourth")), session="trip") as repl:
        repl.handle("three")
        assert sent(gpu) == [("user", "one"), ("assistant", "first"), ("user", "two"), ("assistant", "third"), ("user", "three")]
        repl.handle("/clear")
        repl.handle("four")
    with repl_with(gpu := StubBackend("gpu"), session="trip") as repl:
        repl.handle("five")
        assert sent(gpu) == [("user", "four"), ("assistant", "fourth"), ("user", "five")]
    with repl_with(gpu := StubBackend("gpu"), session="other") as repl:
        repl.handle("six")
        assert sent(gpu) == [("user", "six")]
    assert stat.S_IMODE(chat_sessions_file().stat().st_mode) == 0o600


@pytest.mark.parametrize("form", ["{}", "'{}'", '"{}" ', "{} ", "escaped"])
def test_repl_image_is_found_as_terminals_write_dropped_files(form: str, tmp_path: Path) -> None:
    image = tmp_path / "my cat.png"
    image.write_bytes(encoded("PNG"))
    with repl_with(StubBackend("gpu")) as repl:
        repl.handle("/image " + (str(image).replace(" ", "\\ ") if form == "escaped" else form.format(image)))
        assert [attachment.name for attachment in repl._talk.attachments] == ["my cat.png"]


@pytest.mark.parametrize(
    ("typed", "prompt"),
    [(("one",), "one"), (("one\\", "two"), "one\ntwo"), (('"""', "one", "", 'two"""'), "one\n\ntwo"), (('"""one"""',), "one")],
)
def test_line_input_joins_lines(typed: tuple[str, ...], prompt: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = iter(typed)
    monkeypatch.setattr("builtins.input", lambda _="": next(lines))
    monkeypatch.setattr("zeroconf_ai.cli.line_input.select.select", lambda *_: ([], [], []))
    assert LineInput(tmp_path / "history", lambda _: ()).read() == prompt
    assert list(lines) == []


@terminal_test
def test_repl_on_a_terminal_is_a_conversation(tmp_path: Path) -> None:
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
        terminal.type("/mod\tdemo-r\t\n")
        terminal.until("Model: demo-rules")
        terminal.until("> ")
        terminal.type("say one\nand two\n")  # pasted together
        terminal.until("\nand two\r\n")
        terminal.until("> ")
        server.stop()
        terminal.type("count to 4\n")
        terminal.until("Error: ")
        terminal.until("> ")
        terminal.type("\x04")
        assert terminal.end() == 0
    history = tmp_path / "zeroconf-ai" / "chat-history"
    assert "say my cat is Mia" in history.read_text()
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


@terminal_test
@pytest.mark.usefixtures("own_loopback")
def test_repl_ctrl_c_between_answers_discards_the_line(provider: Server, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "chat", "--provider", provider.url)
    terminal.until("Press Ctrl-D to exit.")
    terminal.until("> ")
    terminal.type("say no")
    terminal.until("say no")
    time.sleep(0.5)  # Python's readline misses a signal between the prompt and the wait for a key
    terminal.type("\x03")
    terminal.until("Press Ctrl-D to exit.")
    terminal.until("> ")
    terminal.type("say yes\n")
    terminal.until("\nyes")
    terminal.until("> ")
    terminal.type("/exit\n")
    assert terminal.end() == 0


def test_chat_asks_which_of_several_providers_with_keys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: "2")
    assert ask_provider(["Attic"]) == "Attic"
    assert capsys.readouterr().err == ""
    assert ask_provider(["Attic", "Cellar"]) == "Cellar"
    assert capsys.readouterr().err.splitlines()[:2] == ["  1  Attic", "  2  Cellar"]


@terminal_test
@pytest.mark.usefixtures("own_loopback")
def test_repl_provider_with_a_key_asks_for_it(tmp_path: Path) -> None:
    key, name = "zai_an-example-key-of-these-tests", f"Locked {os.getpid()}"
    with serving(tmp_path, "--key", key, "--name", name, "--port", str(free_port())) as server:
        terminal = Terminal(tmp_path, "chat", "--provider", name, *LO)
        terminal.until(f"API key of {name}: ")
        terminal.type(f"{key}\n")
        terminal.until("Press Ctrl-D to exit.")
        terminal.until("> ")
        terminal.type(f"/provider {server.url}/\n")
        terminal.until(f"API key of {server.url}/: ")
        terminal.type("zai_wrong\n")
        terminal.until("does not accept this API key")
        terminal.until("> ")
        terminal.type("count to 2\n")
        terminal.until("\n1 2")
        terminal.until("> ")
        assert key not in terminal.shown
        terminal.type("\x04")
        assert terminal.end() == 0
