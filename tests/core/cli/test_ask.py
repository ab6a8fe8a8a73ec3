"""`zeroconf-ai ask`, `endpoint`, `models` and `completion`: all with one server, which requires an API key."""

from collections.abc import Iterator
import json
import os
from pathlib import Path
import re
import shlex
import shutil
import subprocess
import sys

from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result
import pytest
from rich.cells import cell_len

from zeroconf_ai.cli import ask, endpoint, main, piped
from zeroconf_ai.cli.outcome import exit_code_of
from zeroconf_ai.cli.remembered import KEYS, remember, remembered
from zeroconf_ai.client.answers import Answer
from zeroconf_ai.protocol.thinking import Piece
from zeroconf_ai.protocol.usage import Usage

from ...support.command import Server, serving
from ...support.terminal import Terminal

KEY = "zai_an-example-key-of-these-tests"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that is not advertised."""
    with serving(tmp_path_factory.mktemp("server"), "--key", KEY, "--no-advertise") as running:
        yield running


@pytest.fixture(autouse=True)
def _known(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEROCONF_AI_PROVIDER", server.url)
    monkeypatch.setenv("ZEROCONF_AI_KEY", KEY)


def called(*arguments: str, said: str | bytes | None = None) -> Result:
    """A command that ran in this process."""
    done = CliRunner().invoke(main, arguments, input=said, prog_name="zeroconf-ai")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.mark.parametrize("more", [(), ("--no-stream",)])
def test_ask_words_are_the_question(more: tuple[str, ...]) -> None:
    done = called("ask", *more, "count", "to", "3")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "1 2 3\n", "")


def test_ask_pipe_is_appended_to_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "_is_piped", lambda: True)
    assert called("ask", "say one", said="two\nthree\n").stdout == "one\n\ntwo\nthree\n"


@pytest.mark.parametrize("question", [(), ("-",)])
def test_ask_pipe_is_the_question(question: tuple[str, ...]) -> None:
    assert called("ask", *question, said=b"say caf\xe9\n").stdout == "caf\ufffd\n"


def test_ask_stdin_that_is_no_pipe_is_not_read() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from zeroconf_ai.cli import ask; print(ask._is_piped())"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "False\n"


def test_ask_nothing_is_a_usage_error() -> None:
    done = called("ask", said="")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "The question is empty. Pass QUESTION, or pipe it in." in done.stderr


@pytest.mark.parametrize("command", ["ask", "chat"])
def test_ask_too_much_input_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr(piped, "_MAX_BYTES", 1024 * 1024)
    done = called(command, said="x" * (1024 * 1024 + 1))
    hint = "Pipe in a part of it, such as its last lines: tail -n 500"
    assert (done.exit_code, done.stderr) == (1, f"Error: The input is longer than 1 MB. {hint}\n")


def test_ask_json_is_the_answer_with_provider_model_and_usage(server: Server) -> None:
    told = json.loads(called("ask", "--json", "say hi").stdout)
    assert (told["text"], told["model"], told["finish_reason"], told["failed"]) == ("hi", "demo-rules", "stop", {})
    assert (told["provider"], told["usage"]["completion_tokens"]) == (server.url, 1)


def test_ask_unknown_model_says_how_to_list_them() -> None:
    done = called("ask", "--model", "demo-rule", "hello")
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
    assert done.stderr.endswith("`zeroconf-ai models` lists the models.\n")
    problem = json.loads(called("ask", "--model", "demo-rule", "--json", "hello").stderr)["error"]
    assert (problem["type"], problem["hint"]) == ("model_not_found", "`zeroconf-ai models` lists the models.")


def test_ask_image_is_sent_and_a_wrong_file_is_one_line(tmp_path: Path) -> None:
    text = tmp_path / "text.png"
    text.write_text("no image")
    for file in (text, tmp_path / "none.png"):
        done = called("ask", "--image", str(file), "what is this?")
        assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    picture = Path(__file__).parents[3] / "docs/images/assist.png"
    refused = called("ask", "--image", str(picture), "--model", "demo-rules", "--json", "what is this?")
    assert refused.exit_code == 1  # the rules see no images
    assert "vision" in json.loads(refused.stderr)["error"]["message"]


@pytest.mark.parametrize("command", [("ask", "hi"), ("models",), ("endpoint",)])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--key", "zai_wrong"), "does not accept this API key"),
        (("--key", ""), "requires an API key. Set --key or ZEROCONF_AI_KEY."),
        (("--provider", "http://127.0.0.1:9"), "could not be reached: the connection was refused"),
    ],
)
def test_commands_that_cannot_connect_say_why_in_one_line(command: tuple[str, ...], options: tuple[str, ...], says: str) -> None:
    done = called(*command, *options)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert says in done.stderr
    assert KEY not in done.stderr


@pytest.mark.parametrize("command", ["ask", "models", "endpoint", "chat", "mcp"])
def test_key_without_a_provider_is_a_usage_error(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZEROCONF_AI_PROVIDER")
    done = called(command, "--key", KEY)
    assert done.exit_code == 2
    assert "--key applies to one provider. Set it with --provider." in done.stderr


def test_ask_reasoning_goes_to_stderr_of_a_terminal_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def printed(*, reasoning: bool) -> tuple[str, str]:
        shown = ask._Shown(reasoning=reasoning)
        for piece in (Piece("Hm.\x1b[2J", True), Piece("42", False)):
            shown.show(piece)
        shown.end()
        read = capsys.readouterr()
        return read.out, read.err

    assert printed(reasoning=True) == ("42\n", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    out, err = printed(reasoning=True)
    assert (out, "Hm.[2J" in err) == ("42\n", True)
    assert printed(reasoning=False) == ("42\n", "")


def test_ask_failover_and_a_cut_answer_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    answer = Answer("x", "", "Attic\x1b[31m", "m", Usage(), "length", {"GPU\u202e": "it is\noffline"}, {})
    ask._tell_failed(answer)
    assert exit_code_of(answer) == 3
    read = capsys.readouterr()
    assert read.out == ""
    assert read.err == (
        "GPU failed: it is offline; Attic[31m answered.\nThe answer is incomplete: it reached the maximum length.\n"
    )


def test_models_lists_capabilities_context_and_price(server: Server) -> None:
    lines = called("models").stdout.splitlines()
    assert lines[0].split() == ["Model", "Provider", "Context", "Capabilities", "Price", "per", "million", "tokens"]
    assert lines[2].split() == ["demo-rules", server.url, "32,768", "chat,", "tools,", "structured", "data", "free"]
    told = json.loads(called("models", "--json").stdout)
    assert ([model["id"] for model in told["models"]], told["providers_not_asked"]) == (["demo-embed", "demo-rules"], [])


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of forkpty:DeprecationWarning")
def test_models_on_a_terminal_of_60_columns_fit_and_have_colours(server: Server, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "models", "--provider", server.url, "--key", KEY, columns=60)
    shown = terminal.rest()
    assert terminal.end() == 0
    assert "\x1b[1mModel\x1b[0m" in shown
    table = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown[shown.index("\x1b[1mModel") :]).splitlines()
    assert [line.split()[0] for line in table if line] == ["Model", "demo-embed", "demo-rules"]
    assert max(map(cell_len, table)) <= 60


ODD = 'a\'b "c" $(touch /tmp/x) `y` \\ ; & | < > * \u2019 é'


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_endpoint_values_are_quoted_for_the_shell(shell: str) -> None:
    script = f'{endpoint.SHELLS["sh"]("ODD", ODD)}\nprintf %s "$ODD"'
    done = subprocess.run([shell, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == ODD


def test_endpoint_values_are_quoted_for_powershell_and_fish() -> None:
    assert endpoint.SHELLS["powershell"]("A", "it's \u2019") == "$env:A = 'it''s \u2019\u2019'"
    assert endpoint.SHELLS["fish"]("A", "it's \\") == "set -gx A 'it\\'s \\\\'"


@pytest.mark.parametrize(
    ("path", "shell"), [("/usr/bin/fish", "fish"), ("/bin/bash", "sh"), ("/usr/bin/pwsh", "powershell"), ("", "sh")]
)
def test_endpoint_is_written_for_the_shell_of_the_user(path: str, shell: str) -> None:
    assert endpoint._usual_shell({"SHELL": path}) == shell


def test_endpoint_prints_what_each_client_reads(server: Server) -> None:
    lines = called("endpoint", "--shell", "sh").stdout.splitlines()
    found = dict(shlex.split(line)[1].split("=", 1) for line in lines)
    root = server.url.removesuffix("/v1")
    assert found == {
        **dict.fromkeys(("OPENAI_BASE_URL", "OPENAI_API_BASE", "ZEROCONF_AI_PROVIDER"), server.url),
        **dict.fromkeys(("ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "OLLAMA_HOST"), root),
        **dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_AUTH_TOKEN", "GEMINI_API_KEY", "OLLAMA_API_KEY", "ZEROCONF_AI_KEY"), KEY),
    }
    told = json.loads(called("endpoint", "--json").stdout)
    assert (told["base_url"], told["api_key"], told["variables"]) == (server.url, KEY, found)
    written = dict(line.split("=", 1) for line in called("endpoint", "--env").stdout.splitlines())
    assert written == found


def test_endpoint_without_a_key_sends_no_key_for_another_service() -> None:
    found = endpoint.variables("http://192.0.2.10:8000/v1", None)
    assert {found[name] for name in ("OPENAI_API_KEY", "ANTHROPIC_AUTH_TOKEN", "GEMINI_API_KEY", "OLLAMA_API_KEY")} == {"none"}


def test_endpoint_exec_runs_a_program_with_the_variables(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, list[str], dict[str, str]]] = []

    def execve(program: str, arguments: list[str], variables: dict[str, str]) -> None:
        ran.append((program, arguments, variables))
        sys.exit(7)

    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "the key for Anthropic")
    done = called("endpoint", "--exec", "sh", "--", "-c", "echo hi", "--json")
    [(program, arguments, variables)] = ran
    assert (done.exit_code, program, arguments) == (7, shutil.which("sh"), ["sh", "-c", "echo hi", "--json"])
    assert (variables["OPENAI_BASE_URL"], variables["ANTHROPIC_AUTH_TOKEN"]) == (server.url, KEY)
    assert "ANTHROPIC_API_KEY" not in variables


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--exec", "no-such-program"), 1, "no-such-program is not installed."),
        (("stray",), 2, "Name it: --exec PROGRAM -- ARGS"),
        (("--env", "--json"), 2, "Use one of --shell, --env, --exec and --json."),
    ],
)
def test_endpoint_wrong_use_is_one_line(arguments: tuple[str, ...], code: int, says: str) -> None:
    done = called("endpoint", *arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert says in done.stderr


def completed(*arguments: str, start: str = "") -> list[str]:
    """What a shell would offer after these arguments."""
    found = ShellComplete(main, {}, "zeroconf-ai", "_ZEROCONF_AI_COMPLETE").get_completions([*arguments], start)
    return [item.value for item in found]


def test_completion_offers_commands_options_and_remembered_names() -> None:
    remember(providers=["Attic", "GPU"], models=["qwen3:8b", "bad\x1b[31m"], keys=["Phone"])
    assert {"ask", "endpoint", "models"} <= set(completed())
    assert completed("ask", start="--mo") == ["--model"]
    assert completed("ask", "--provider", start="a") == ["Attic"]
    assert completed("chat", "--model") == ["qwen3:8b", "bad[31m"]
    assert completed("keys", "revoke", start="ph") == ["Phone"]


def test_completion_without_or_with_a_damaged_file_offers_nothing(tmp_path: Path) -> None:
    assert completed("ask", "--model") == []
    file = tmp_path / "state" / "zeroconf-ai" / "completion.json"
    file.parent.mkdir(parents=True)
    for content in (b"", b"[]", b'{"models": 7}', b'{"models": [7]}', b"\xff" * 10):
        file.write_bytes(content)
        assert completed("ask", "--model") == []


def test_completion_learns_names_from_commands() -> None:
    called("models")
    assert completed("ask", "--model", start="demo-e") == ["demo-embed"]
    assert called("keys", "create", "Laptop").exit_code == 0
    assert remembered(KEYS) == ["Laptop"]
    called("keys", "revoke", "Laptop")
    assert remembered(KEYS) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_is_valid(shell: str, tmp_path: Path) -> None:
    script = called("completion", shell).stdout
    assert "_ZEROCONF_AI_COMPLETE" in script
    if shutil.which(shell) is not None:
        file = tmp_path / "script"
        file.write_text(script)
        subprocess.run([shell, "-n", str(file)], timeout=60, check=True)


def test_completion_answers_what_the_script_of_bash_asks() -> None:
    remember(models=["qwen3:8b"])
    asked = {"_ZEROCONF_AI_COMPLETE": "bash_complete", "COMP_WORDS": "zeroconf-ai ask --model q", "COMP_CWORD": "3"}
    done = CliRunner().invoke(main, [], prog_name="zeroconf-ai", env=asked)
    assert done.stdout == "plain,qwen3:8b\n"
