"""`zeroconf-ai config`: check the file of `serve`, convert it, and print its JSON Schema for editors."""

from collections.abc import Mapping
import os
from pathlib import Path

import click

from ..config.converted import converted, placeholders
from ..config.document import ConfigError
from ..config.file_schema import file_schema
from ..config.providers_file import Configuration, read_config
from .errors import CommandError
from .output import json_option, print_json
from .upstreams import read_text
from .variables import Environment

_file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group("config")
def command() -> None:
    """Check, convert and describe the file of `zeroconf-ai serve --config`."""


@command.command("check")
@_file_argument
@json_option
def check(file: Path, as_json: bool) -> None:
    """Check FILE with the environment of this shell and `.env` beside it, and print what is wrong or unusual in it."""
    found = _read(file, Environment(os.environ, file.absolute().parent))
    if as_json:
        providers = [{"id": upstream.id, "type": upstream.type.name} for upstream in found.upstreams]
        print_json({"providers": providers, "warnings": list(found.warnings)})
        return
    for warning in found.warnings:
        click.echo(f"Warning: {warning}", err=True)
    names = ", ".join(upstream.id for upstream in found.upstreams) or "none"
    click.echo(f"{file} is valid. Enabled providers: {names}.")


@command.command("schema")
@json_option
def schema(as_json: bool) -> None:
    """Print the JSON Schema of the file, for editors. It is JSON with and without --json."""
    del as_json
    print_json(file_schema())


@command.command("convert")
@_file_argument
@json_option
def convert(file: Path, as_json: bool) -> None:
    """Print FILE, in any of the accepted forms, in the form of this program's documentation. Secrets become variables."""
    text, secrets = converted(_read(file, None))
    if as_json:
        print_json({"text": text, "variables": list(secrets)})
        return
    click.echo(text, nl=False)
    for variable in secrets:
        click.echo(f"Set {variable} to the secret that the file contains.", err=True)


def _read(file: Path, environment: Mapping[str, str] | None) -> Configuration:
    """Read a file; without an environment, its variables contain their own names. Raises CommandError."""
    try:
        text = read_text(file)
        return read_config(text, str(file), placeholders(text) if environment is None else environment)
    except ConfigError as err:
        raise CommandError(str(err), kind="config_invalid") from None
