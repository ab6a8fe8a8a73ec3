"""Settings of `serve` from variables, from `.env` beside its file, and secrets from files."""

import json
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner
import pytest

from zeroconf_ai.cli import config, serve
from zeroconf_ai.cli.errors import CommandError
from zeroconf_ai.cli.variables import Environment, environment_of, load_beside, variable_of, with_variables

from ...support.command import COMMAND, environment, line_of, started

DOCUMENT = (Path(__file__).parents[3] / "docs" / "cli.md").read_text("utf-8")
SECRET = "zai_canary-of-a-file"


def options_of(command: click.Command) -> list[click.Option]:
    return [param for param in command.params if isinstance(param, click.Option) and param.name != "help"]


@with_variables
@click.command()
@click.option("--config", type=click.Path(path_type=Path), is_eager=True, callback=load_beside)
@click.option("--port", type=int)
@click.option("--cors-origin", "origins", multiple=True)
@click.option("--open", is_flag=True)
@click.option("--saturn/--no-saturn", default=None)
@click.option("--key", envvar="ZEROCONF_AI_KEY")
@click.pass_context
def probe(context: click.Context, /, **said: Any) -> None:
    said["config"] = None if said["config"] is None else said["config"].name
    click.echo(json.dumps({**said, "cloud": environment_of(context).get("OPENAI_API_KEY")}))


def said(*arguments: str, **variables: str) -> dict[str, Any]:
    done = CliRunner().invoke(probe, arguments, env=variables)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.output)
    return {name: value for name, value in found.items() if value not in (None, [], False)}


def test_variables_set_every_kind_of_option_and_options_go_first() -> None:
    variables = {
        "ZEROCONF_AI_PORT": "8001",
        "ZEROCONF_AI_CORS_ORIGIN": "https://a.example https://b.example",
        "ZEROCONF_AI_OPEN": "true",
        "ZEROCONF_AI_SATURN": "yes",
        "ZEROCONF_AI_KEY": "k",
    }
    expected = {"port": 8001, "origins": ["https://a.example", "https://b.example"], "open": True, "saturn": True, "key": "k"}
    assert said(**variables) == expected
    assert said("--port", "9", **variables) == {**expected, "port": 9}
    assert "saturn" not in said("--no-saturn", **variables)


def test_variables_of_env_beside_the_file_are_used_and_those_of_the_process_go_first(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").touch()
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (tmp_path / ".env").write_text(
        f"# cloud\nZEROCONF_AI_PORT=8002\nexport ZEROCONF_AI_CORS_ORIGIN='https://a.example'\n"
        f'OPENAI_API_KEY="from the file"\nZEROCONF_AI_KEY_FILE={tmp_path / "secret"}\n'
    )
    file = str(tmp_path / "p.yaml")
    found = {"config": "p.yaml", "port": 8002, "origins": ["https://a.example"], "key": SECRET, "cloud": "from the file"}
    assert said("--config", file) == found
    assert said(ZEROCONF_AI_CONFIG=file) == found
    assert said("--config", file, ZEROCONF_AI_PORT="8003", OPENAI_API_KEY="mine") == {**found, "port": 8003, "cloud": "mine"}
    assert said() == {}


@pytest.mark.parametrize(("content", "reason"), [(b"A=" + b"a" * 5_000_000, "larger than 4 MB"), (b"A=\xff", "cannot be read")])
def test_variables_of_env_that_cannot_be_used_are_an_error(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(CommandError, match=reason):
        Environment({}, tmp_path)


def test_variables_in_files_are_read_without_line_break_and_errors_name_the_variable(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"sk-1\r\n")
    found = Environment({"CLOUD_KEY_FILE": str(file), "OTHER_KEY": "set", "OTHER_KEY_FILE": "/nowhere"})
    assert (found["CLOUD_KEY"], found["OTHER_KEY"], found.get("THIRD_KEY")) == ("sk-1", "set", None)
    assert "sk-1" not in repr(found)
    for path, reason in ((str(tmp_path / "gone"), "No such file"), (str(tmp_path), "Is a directory")):
        with pytest.raises(click.ClickException, match=f"The file that CLOUD_KEY_FILE names cannot be read: {reason}"):
            Environment({"CLOUD_KEY_FILE": path})["CLOUD_KEY"]
    file.write_bytes(b"\xff")
    with pytest.raises(click.ClickException, match="it is not UTF-8"):
        found["CLOUD_KEY"]
    (tmp_path / ".env").write_bytes(b"A=\xff")
    with pytest.raises(click.ClickException, match=r"\.env cannot be read"):
        Environment({}, tmp_path)


def test_every_option_of_serve_has_a_variable_that_the_documentation_lists() -> None:
    names = [option.envvar for option in options_of(serve.command)]
    assert len(set(names)) == len(names)
    assert all(option.envvar == variable_of(option) for option in options_of(serve.command))
    assert [name for name in names if f"`{name}`" not in DOCUMENT] == []


def test_config_check_uses_the_variables_beside_the_file(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("providers: [{id: cloud, type: openai, authSecret: '${CLOUD_KEY}'}]\n")
    assert CliRunner().invoke(config.command, ["check", str(file)]).exit_code == 1
    (tmp_path / ".env").write_text("CLOUD_KEY=sk-1\n")
    assert CliRunner().invoke(config.command, ["check", str(file)]).exit_code == 0


@pytest.mark.usefixtures("own_loopback")
def test_serve_is_set_up_by_variables_alone(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    variables = {
        "ZEROCONF_AI_DEMO": "1",
        "ZEROCONF_AI_HOST": "127.0.0.1",
        "ZEROCONF_AI_NAME": "From variables",
        "ZEROCONF_AI_NO_ADVERTISE": "1",
        "ZEROCONF_AI_JSON": "1",
        "ZEROCONF_AI_KEY_FILE": str(secret),
    }
    assert "ZEROCONF_AI_DEMO" not in environment(tmp_path)
    with started(tmp_path, [*COMMAND, "serve"], variables) as process:
        ready = json.loads(line_of(process))
        process.terminate()
        process.communicate(timeout=20)
    assert (ready["name"], ready["auth"], ready["advertised"]) == ("From variables", "token", False)
