"""The options of `serve` for its operation: how it stops, where its health is, and what it logs."""

from collections.abc import Callable
from dataclasses import dataclass, fields
import logging
from typing import Any, Self

import click

from ..config.server_fields import LOG_LEVELS, MAX_DRAIN_SECONDS, LogFormat, ServerSettings

LOOPBACK = "127.0.0.1"
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
            click.option(
                "--health-port",
                type=click.IntRange(1, 65535),
                metavar="N",
                help="Also serve /healthz, /readyz and /metrics on this port, without an API key.",
            ),
            click.option(
                "--health-host",
                metavar="ADDRESS",
                help=f"With --health-port: listen on this address.  [default: {LOOPBACK}, this machine only]",
            ),
            click.option(
                "--log-format",
                type=click.Choice([form.value for form in LogFormat]),
                help="Write the log to stderr in this format.  [default: text]",
            ),
            click.option(
                "--log-level",
                type=click.Choice(LOG_LEVELS),
                help="Log messages of at least this level, besides requests.  [default: warning; debug with -v]",
            ),
            click.option(
                "--access-log/--no-access-log", default=None, help="Log one line for each request.  [default: --access-log]"
            ),
        )
    ):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True)
class Operation:
    """How the server runs."""

    drain_seconds: int = DRAIN_SECONDS
    health_host: str = LOOPBACK
    health_port: int | None = None
    log_format: LogFormat = LogFormat.TEXT
    log_level: str | None = None
    access_log: bool = True

    def level(self, *, verbose: bool) -> int:
        """The level of `logging`; `verbose`: if none is set, debug messages."""
        word = self.log_level or ("debug" if verbose else "warning")
        return logging.getLevelNamesMapping()[word.upper()]

    @classmethod
    def of(cls, said: dict[str, Any], server: ServerSettings) -> Self:
        """Take the options of `options` out of those of the command line, which go before the file's `server`."""
        values = {one.name: said.pop(one.name) for one in fields(cls)}
        found = {name: getattr(server, name) if value is None else value for name, value in values.items()}
        if found["log_format"] is not None:
            found["log_format"] = LogFormat(found["log_format"])
        return cls(**{name: value for name, value in found.items() if value is not None})
