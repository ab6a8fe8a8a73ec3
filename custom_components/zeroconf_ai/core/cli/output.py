"""What all commands have in common: `--json`, and when the terminal gets colours."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
import os
from typing import Any, Final

import click
import orjson

JSON_HELP: Final = "Print JSON, also for errors."


@dataclass(slots=True)
class Invocation:
    """One run of the command, from its arguments to its errors. It is the `obj` of click's contexts."""

    arguments: Sequence[str] = ()
    as_json: bool | None = None
    """Whether the command has `--json`; None before that is known."""

    @property
    def wants_json(self) -> bool:
        """Whether errors are printed as JSON. The arguments count for an error before the options are read."""
        if self.as_json is not None:
            return self.as_json
        arguments = [*self.arguments]
        return "--json" in arguments[: arguments.index("--") if "--" in arguments else None]


def json_option[F: Callable[..., Any]](function: F) -> F:
    """Add `--json` (`as_json`): one JSON document on stdout instead of text, and errors as JSON on stderr."""
    return click.option("--json", "as_json", is_flag=True, callback=_remember_json, help=JSON_HELP)(function)


def _remember_json(context: click.Context, _: click.Parameter, value: bool) -> bool:
    decides = value or not isinstance(context.command, click.Group)  # the options of a group's command come later
    if decides and (invocation := context.find_object(Invocation)) is not None:
        invocation.as_json = value
    return value


def print_json(value: Any) -> None:
    """Print one document, for programs and for people."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def print_json_line(value: Any, *, err: bool = False) -> None:
    """Print one document of several, each in a line of its own, at once. `err`: to stderr."""
    click.echo(orjson.dumps(value), err=err)


def colour_choice(environment: Mapping[str, str] = os.environ) -> bool | None:
    """Whether output has colours; None: if it is a terminal. See no-color.org and force-color.org."""
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return False
    if environment.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return None
