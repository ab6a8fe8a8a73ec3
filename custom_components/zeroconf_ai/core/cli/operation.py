"""The options of `serve` for its operation: how it stops."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Self

import click

from ..config.server_fields import MAX_DRAIN_SECONDS, ServerSettings

DRAIN_SECONDS = 30
"""How long running requests may take at a stop."""


def options[F: Callable[..., Any]](function: F) -> F:
    """Add the options whose values are the fields of `Operation`."""
    for option in reversed(
        (
            click.option(
                "--drain-seconds",
                type=click.IntRange(0, MAX_DRAIN_SECONDS),
                metavar="N",
                help=f"At a stop, give running requests N seconds.  [default: {DRAIN_SECONDS}]",
            ),
        )
    ):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True)
class Operation:
    """How the server runs."""

    drain_seconds: int = DRAIN_SECONDS

    @classmethod
    def of(cls, said: dict[str, Any], server: ServerSettings) -> Self:
        """Take the options of `options` out of those of the command line, which go before the file's `server`."""
        values = {one.name: said.pop(one.name) for one in fields(cls)}
        found = {name: getattr(server, name) if value is None else value for name, value in values.items()}
        return cls(**{name: value for name, value in found.items() if value is not None})
