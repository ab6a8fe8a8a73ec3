"""Every field that the documentation of the command lists is read, and changes something."""

from pathlib import Path
import re

import click
import pytest

from zeroconf_ai.cli.keys import command as keys_command
from zeroconf_ai.cli.serve import command as serve_command
from zeroconf_ai.config.providers_file import read_config

DOCUMENT = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")


def test_documented_example_is_read() -> None:
    (text,) = re.findall(r"```yaml\n(providers:.*?)```", DOCUMENT, re.DOTALL)
    found = read_config(text, "p.yaml", {"OPENAI_API_KEY": "secret"})
    assert [upstream.id for upstream in found.upstreams] == ["attic", "cloud"]
    assert found.upstreams[1].monthly_limit == 20 * 10**9
    assert found.per_address is not None
    assert found.per_user is not None


@pytest.mark.parametrize("group", ["serve", "keys"])
def test_documented_option_is_one_of_the_command(group: str) -> None:
    section = DOCUMENT.split(f"\n## `{group}`", 1)[1].split("\n## ", 1)[0]
    documented = {
        option for row in re.findall(r"^\| (`--[^|]*)\|", section, re.MULTILINE) for option in re.findall(r"`(--[a-z0-9-]+)", row)
    }
    commands = [serve_command] if group == "serve" else list(_commands(keys_command))
    known = {option for command in commands for param in command.params for option in (*param.opts, *param.secondary_opts)}
    assert documented
    assert documented <= known


def _commands(command: click.Command) -> list[click.Command]:
    return [command, *(command.commands.values() if isinstance(command, click.Group) else ())]
