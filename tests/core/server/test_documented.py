"""Every field that the documentation of the command lists is read, and changes something."""

from pathlib import Path
import re
from typing import Any

import click
import pytest
import yaml

from zeroconf_ai.cli.keys import command as keys_command
from zeroconf_ai.cli.serve import command as serve_command
from zeroconf_ai.config.providers_file import read_config

DOCUMENT = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
NEEDED = {"id": "attic", "type": "vllm", "endpoint": "http://192.0.2.20:8000/v1", "authSecret": "secret"}

EXAMPLES: dict[str, tuple[dict[str, Any], ...]] = {
    "enabled": ({"enabled": False},),
    "isDefault": ({"isDefault": True},),
    "weight": ({"weight": 2},),
    "queueLength": ({"queueLength": 1},),
    "health": ({"health": {"interval": 60}}, {"health": {"timeout": 2}}, {"health": {"path": "//ready"}}),
    "authType": tuple({"authType": word} for word in ("x-api-key", "header X-Token")),
    "headers": ({"headers": {"X-Team": "house"}},),
    "verifySsl": ({"verifySsl": False},),
    "contextWindow": ({"contextWindow": 4096},),
    "maxTokens": ({"maxTokens": 512},),
    "capabilities": ({"capabilities": ["completion", "streaming", "tools", "vision", "audio", "embeddings", "json"]},),
    "cost": tuple({"cost": word} for word in ("free", "metered", "subscription")),
    "prices": (
        {"prices": {"*": {"input": 1, "output": 2, "cached": 3, "reasoning": 4, "cacheWrite": 5, "cacheWrite1h": 6}}},
        {"prices": {"m": {"input": 1, "output": 2, "currency": "EUR"}}},
    ),
    "costPer1kTokens": ({"costPer1kTokens": 0.5},),
    "monthlyLimit": ({"monthlyLimit": 20},),
    "requestsPerMinute": ({"requestsPerMinute": 30},),
    "tokensPerMinute": ({"tokensPerMinute": 1000},),
    "tags": ({"tags": ["garage"]},),
    "models": ({"models": ["m"]}, {"models": [{"id": "m", "alias": "a", "contextWindow": 1, "maxTokens": 1}]}),
    "aliases": ({"aliases": {"house": "m"}},),
}
"""By the documented key: values that are not the default ones."""


def rows(title: str) -> list[str]:
    """The first cells of the table below a line that begins so, word by word."""
    table = DOCUMENT.split(f"\n| {title} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [word for row in table for word in re.findall(r"`([^`]+)`", row.split("|")[1])]


def read(fields: dict[str, Any]) -> Any:
    return read_config(yaml.safe_dump({"providers": [NEEDED | fields]}), "p.yaml", {}).upstreams


def test_field_table_of_the_documentation_is_the_one_that_is_tested() -> None:
    assert set(rows("key")) == EXAMPLES.keys()


@pytest.mark.parametrize("key", EXAMPLES)
def test_documented_field_is_read_and_changes_the_provider(key: str) -> None:
    plain = read({})
    for fields in EXAMPLES[key]:
        assert read(fields) != plain, fields


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
