"""Messages of a command to people, on stderr; with `serve --log-format json`, part of the log."""

import logging

import click

LOGGER = logging.getLogger("zeroconf_ai.notices")
LOGGER.propagate = False
LOGGER.setLevel(logging.INFO)


def notice(text: str, level: int = logging.INFO) -> None:
    """Print one or more lines to stderr, or log them if `serve` logs as JSON. `level`: WARNING adds a prefix."""
    if LOGGER.handlers:
        LOGGER.log(level, "%s", text)
    else:
        click.echo(f"{click.style('Warning:', fg='yellow')} {text}" if level == logging.WARNING else text, err=True)


def warn(text: str) -> None:
    """Print a warning."""
    notice(text, logging.WARNING)
