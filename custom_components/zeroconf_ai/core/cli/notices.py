"""What a command says to people on stderr besides its results; part of the log where `serve` logs as JSON."""

import logging

import click

LOGGER = logging.getLogger("zeroconf_ai.notices")
LOGGER.propagate = False
LOGGER.setLevel(logging.INFO)


def notice(text: str, level: int = logging.INFO) -> None:
    """Print a line, or several, to stderr; a warning as such."""
    if LOGGER.handlers:
        LOGGER.log(level, "%s", text)
    else:
        click.echo(f"{click.style('Warning:', fg='yellow')} {text}" if level == logging.WARNING else text, err=True)


def warn(text: str) -> None:
    """Print a warning."""
    notice(text, logging.WARNING)
