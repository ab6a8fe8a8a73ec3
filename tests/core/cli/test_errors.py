"""Errors of the command: one line that says what to do, an object with `--json`, and exit codes."""

from collections.abc import Callable, Coroutine
from contextlib import closing
import errno
import json
import os
from pathlib import Path
import re
import sqlite3
import subprocess
import sys

import click
from click.testing import CliRunner
import pytest

from zeroconf_ai.accounting.storage.database import DatabaseError
from zeroconf_ai.cli import main
from zeroconf_ai.cli.errors import CommandError, run_and_exit
from zeroconf_ai.cli.examples import EXAMPLES
from zeroconf_ai.cli.notices import warn
from zeroconf_ai.cli.output import Invocation, colour_choice
from zeroconf_ai.protocol.errors import AuthenticationError, NotFoundError

from ...support.command import environment


def invoked(*arguments: str, **options: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command that runs in this process."""
    done = CliRunner().invoke(main, arguments, **options)  # type: ignore[arg-type]
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    """All commands that do something, with their paths."""
    if not isinstance(command, click.Group):
        return [(path, command)]
    own = [(path, command)] if command.invoke_without_command else []
    context = click.Context(command)
    found = {name: command.get_command(context, name) for name in command.list_commands(context)}
    return own + [leaf for name, one in found.items() if one is not None for leaf in leaves(one, (*path, name))]


def names(command: click.Command) -> set[str | None]:
    """The names of a command's options and arguments."""
    return {param.name for param in command.params}


LEAVES = {" ".join(path): command for path, command in leaves(main)}
PATHS = list(LEAVES)


OWN_OPTIONS = [path for path in PATHS if path != "service install"]
"""Commands whose options are all their own; `service install` has those of `serve`."""


@pytest.mark.parametrize("path", OWN_OPTIONS)
def test_every_command_wrong_option_is_one_line_that_names_the_help(path: str) -> None:
    code, out, err = invoked(*path.split(), "--xyzzy")
    assert (code, out) == (2, "")
    assert err == f"Error: No such option '--xyzzy'. Options: main {path} --help\n"


@pytest.mark.parametrize("path", OWN_OPTIONS)
def test_every_command_wrong_option_with_json_is_an_object(path: str) -> None:
    code, out, err = invoked(*path.split(), "--no-such-option", "--json")
    assert (code, out) == (2, "")
    assert json.loads(err)["error"]["type"] == "usage"


@pytest.mark.parametrize("path", PATHS)
def test_every_command_help_has_one_line_of_summary(path: str) -> None:
    code, out, _ = invoked(*path.split(), "--help")
    assert code == 0
    summary = out.splitlines()[2].strip()
    assert summary[0].isupper()
    assert out.startswith(f"Usage: main {path} ")
    examples = out.partition("\n  Examples:\n")[2].splitlines()
    assert examples
    assert all(line.startswith("    ") and f"zeroconf-ai {path}" in line for line in examples)


READS_ANY = ("serve", "broker", "database version")
"""`serve` and `broker` are tried as processes, and `database version` reads any database."""
DATABASE_COMMANDS = [path for path, command in LEAVES.items() if path not in READS_ANY and "database" in names(command)]
ARGUMENTS = {
    "keys update": ("X",),
    "keys revoke": ("X",),
    "keys rotate": ("X",),
    "keys enable": ("X",),
    "keys disable": ("X",),
    "keys create": ("X",),
    "users block": ("X",),
    "users forget": ("X",),
    "users unblock": ("X",),
    "database downgrade": ("0001", "--yes"),
}


def newer(file: Path) -> None:
    """A database of a later version."""
    with closing(sqlite3.connect(file)) as made:
        made.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        made.execute("INSERT INTO alembic_version VALUES ('9999')")
        made.commit()


def foreign(file: Path) -> None:
    """A file that is no database."""
    file.write_bytes(b"no database" * 1000)


def folder(file: Path) -> None:
    """A folder instead of a file."""
    file.mkdir()


@pytest.mark.parametrize("make", [newer, foreign, folder])
@pytest.mark.parametrize("path", DATABASE_COMMANDS)
def test_every_command_of_the_database_reports_a_bad_one_in_one_line(
    path: str, make: Callable[[Path], None], tmp_path: Path
) -> None:
    file = tmp_path / "bad.db"
    make(file)
    code, out, err = invoked(*path.split(), *ARGUMENTS.get(path, ()), "--database", str(file), "--json")
    assert (code, out) == (1, "")
    problem = json.loads(err)["error"]
    assert problem["type"] == "database_failed"
    assert str(file.name) in problem["message"] or "9999" in problem["message"]


def reported(raised: BaseException, capsys: pytest.CaptureFixture[str], *, as_json: bool = False) -> tuple[object, str]:
    """Exit code and stderr for an error."""

    def fail() -> None:
        raise raised

    with pytest.raises(SystemExit) as ended:
        run_and_exit(fail, Invocation(as_json=as_json))
    out, err = capsys.readouterr()
    assert out == ""
    return ended.value.code, err


def interrupted() -> click.Abort:
    """What click raises after Ctrl-C."""
    aborted = click.Abort()
    aborted.__cause__ = KeyboardInterrupt()
    return aborted


@pytest.mark.parametrize(
    ("raised", "code", "kind", "text"),
    [
        (
            CommandError("Port 80 is in use.", "Set --port.", kind="port_in_use"),
            1,
            "port_in_use",
            "Port 80 is in use. Set --port.",
        ),
        (click.ClickException("No."), 1, "failed", "No."),
        (DatabaseError("It is locked."), 1, "database_failed", "It is locked."),
        (AuthenticationError("Invalid API key."), 1, "invalid_api_key", "Invalid API key. Set another --key or ZEROCONF_AI_KEY."),
        (
            NotFoundError("No model x.", code="model_not_found"),
            1,
            "model_not_found",
            "No model x. `zeroconf-ai models` lists the models.",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "/x"),
            1,
            "permission_denied",
            "/x: Permission denied. Give this user permission, or use another file or folder (XDG_STATE_HOME).",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "disk_full", "No space left on device. Free some space."),
        (CommandError("a\x1b[31m\nb"), 1, "failed", "a [31m b"),
    ],
)
def test_error_of_each_kind_is_one_line_and_an_object(
    raised: Exception, code: int, kind: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reported(raised, capsys) == (code, f"Error: {text}\n")
    found, err = reported(raised, capsys, as_json=True)
    problem = json.loads(err)["error"]
    assert (found, problem["type"]) == (code, kind)
    assert " ".join(filter(None, (problem["message"], problem["hint"]))) == text


def test_error_interrupted_is_130_and_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    assert reported(interrupted(), capsys) == (130, "")
    assert json.loads(reported(interrupted(), capsys, as_json=True)[1])["error"]["type"] == "interrupted"


def test_error_that_nobody_expects_is_raised() -> None:
    def fail() -> None:
        raise LookupError("a mistake in the program")

    with pytest.raises(LookupError):
        run_and_exit(fail, Invocation())


def test_command_with_closed_streams_works(tmp_path: Path) -> None:
    code = "import sys\nfrom zeroconf_ai.cli import config, main\n"
    code += "@config.command.command()\ndef shown():\n    sys.exit(7 + len(sys.stdin.read()) + sys.stdout.isatty())\n"
    code += "main(['config', 'shown'])\n"
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, code], env=environment(tmp_path), check=False
    )
    assert done.returncode == 7


def test_command_whose_reader_has_gone_ends_without_a_word(tmp_path: Path) -> None:
    code = "import click\nfrom zeroconf_ai.cli import config, main\n"
    code += "@config.command.command()\ndef much():\n    for _ in range(100_000): click.echo('word')\n"
    code += "main(['config', 'much'])\n"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tmp_path)
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"word\n"
    process.stdout.close()
    assert process.stderr is not None
    assert (process.wait(60), process.stderr.read()) == (141, b"")
    process.stderr.close()


@pytest.mark.parametrize(
    ("variables", "choice"),
    [
        ({}, None),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, None),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "0"}, None),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colours_follow_the_variables(variables: dict[str, str], choice: bool | None) -> None:
    assert colour_choice(variables) is choice


def test_errors_have_colours_only_if_they_are_wanted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert reported(CommandError("No."), capsys)[1] == "\x1b[31mError:\x1b[0m No.\n"
    monkeypatch.setenv("NO_COLOR", "1")
    assert reported(CommandError("No."), capsys)[1] == "Error: No.\n"


@pytest.mark.parametrize(("colours", "shown"), [(True, "\x1b[33mWarning:\x1b[0m Look.\n"), (False, "Warning: Look.\n")])
def test_warnings_are_yellow_only_with_colours(colours: bool, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    with click.Context(main, color=colours):
        warn("Look.")
    assert capsys.readouterr().err == shown


PRINTS_NO_DATA = {"chat", "completion", "mcp"}


@pytest.mark.parametrize("path", [path for path in PATHS if path not in PRINTS_NO_DATA])
def test_every_command_that_prints_data_has_json(path: str) -> None:
    assert "as_json" in names(LEAVES[path])


DOCUMENT = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")


def section_of(name: str) -> str:
    """What the document says of a command."""
    return DOCUMENT.split(f"\n## `{name}`", 1)[1].split("\n## ", 1)[0]


@pytest.mark.parametrize("path", PATHS)
def test_every_command_and_option_is_documented(path: str) -> None:
    name, *rest = path.split()
    assert f"\n## `{name}`" in DOCUMENT
    section = section_of(name)
    assert all(word in section for word in rest)
    if name == "broker":
        section += section_of("serve")  # whose options it has
    spellings = [{*param.opts, *param.secondary_opts} for param in LEAVES[path].params if isinstance(param, click.Option)]
    words = set(re.findall(r"--[a-z-]+|-[a-z]\b", section))
    assert [names for names in spellings if not names & words and names != {"--json"}] == []


@pytest.mark.parametrize("path", PATHS)
def test_every_example_has_options_of_its_command(path: str) -> None:
    known = {option for param in LEAVES[path].params for option in (*param.opts, *param.secondary_opts)}
    if path == "service install":
        known |= {option for command in ("serve", "connect") for param in LEAVES[command].params for option in param.opts}
    for line in EXAMPLES[path]:
        used = re.findall(r" (--[a-z-]+)", line.partition(f"zeroconf-ai {path}")[2].partition(" | ")[0].partition(" -- ")[0])
        assert set(used) <= known, line


ARGUMENTS_OF_ALL = {
    **ARGUMENTS,
    "ask": ("hello",),
    "chat": ("hello",),
    "clients approve": ("X",),
    "clients refuse": ("X",),
    "clients replace-ca": ("--yes",),
    "completion": ("bash",),
    "connect": ("--demo",),
    **{f"connectors {command}": ("X",) for command in ("disable", "enable", "remove")},
    "connectors rename": ("X", "Y"),
    "enroll": ("127.0.0.1:9", "--ask-owner", "--pin", "A" * 43),
    "config check": (os.devnull,),
    "config convert": (os.devnull,),
    "models delete": ("llama2:7b", "--yes"),
    "models load": ("qwen3:8b",),
    "models pull": ("qwen3:8b",),
    "models unload": ("qwen3:8b",),
    "replay": (".",),
    "serve": ("--demo", "--no-advertise", "--host", "127.0.0.1"),
}
NO_LOOP = tuple("broker ca clients completion config connect connectors database household replay serve service".split())
RUNS_A_LOOP = [path for path in PATHS if path.split()[0] not in NO_LOOP]
"""Ctrl-C ends `serve`, `broker`, `connect` and `replay` as usual; the others ask a server that runs, or wait for nothing."""


@pytest.mark.parametrize("path", RUNS_A_LOOP)
def test_every_command_interrupted_ends_with_130_and_without_a_word(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*given: object, **_: object) -> None:
        for one in given:
            if isinstance(one, Coroutine):
                one.close()
        raise KeyboardInterrupt

    (tmp_path / "gateway.db").touch()
    more = ("--database", str(tmp_path / "gateway.db")) if path in DATABASE_COMMANDS else ()
    with monkeypatch.context() as patched:
        patched.setattr("asyncio.run", interrupt)
        patched.setattr("asyncio.Runner.run", interrupt)
        code, out, err = invoked(*path.split(), *ARGUMENTS_OF_ALL.get(path, ()), *more)
    assert (code, out, err.strip()) == (130, "", "")


USES_STATE = [path for path in PATHS if path.split()[0] not in ("discover", "doctor", "mcp", "service")]
"""Without those that search the network first, whose own tests are in their files."""


@pytest.mark.parametrize("path", USES_STATE)
def test_every_command_with_a_state_folder_that_is_a_file_says_so_in_one_line_or_works(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(file))
    monkeypatch.setenv("ZEROCONF_AI_PROVIDER", "http://127.0.0.1:9")
    code, out, err = invoked(*path.split(), *ARGUMENTS_OF_ALL.get(path, ()))
    assert code in (0, 1, 3)
    if code == 1:
        assert out == ""
        assert re.fullmatch(r"Error: [^\n]+\n", err), err


def test_database_that_is_locked_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "gateway.db"
    assert invoked("keys", "create", "X", "--database", str(file))[0] == 0
    monkeypatch.setattr("zeroconf_ai.accounting.storage.sqlite.BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(file)) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        code, out, err = invoked("keys", "create", "Y", "--database", str(file), "--json")
    assert (code, out) == (1, "")
    problem = json.loads(err)["error"]
    assert problem["type"] == "database_failed"
    assert "locked" in problem["message"]


@pytest.mark.parametrize("said", ["", "n\n"])
def test_question_that_nobody_confirms_says_what_to_pass(said: str, tmp_path: Path) -> None:
    file = tmp_path / "gateway.db"
    assert invoked("keys", "create", "X", "--database", str(file))[0] == 0
    code, out, err = invoked("database", "downgrade", "0001", "--database", str(file), input=said)
    assert (code, out) == (1, "")
    assert err.endswith("Error: Nothing was changed: it was not confirmed. Confirm it, or pass --yes.\n")
