"""The options of `zeroconf-ai connect` for its rules, which hold whatever the house asks."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click

from ..accounting.admission import RateLimits
from ..accounting.keys.client_key import LARGEST_RATE
from ..accounting.limits.opening_hours import OpeningHours
from ..config.alert_fields import NTFY, is_mail_address
from ..config.connector_fields import ConnectorRules
from ..protocol.addresses import url_parts


def _hours(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> OpeningHours:
    """Raises click.BadParameter for texts that are no hours."""
    try:
        return OpeningHours.parse(values)
    except ValueError as err:
        raise click.BadParameter(f"{str(err)[0].upper()}{str(err)[1:]}.") from None


def _targets(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Raises click.BadParameter, without repeating the text, which may be a secret URL."""
    for text in values:
        parts = url_parts(text)
        if not (
            is_mail_address(text) or NTFY.fullmatch(text) or (parts and parts.scheme in ("http", "https") and parts.hostname)
        ):
            raise click.BadParameter("Enter a mail address, the URL of a webhook, or ntfy:TOPIC.")
    return values


def options[F: Callable[..., Any]](function: F) -> F:
    """Add the options whose values `rules_of` takes."""
    rate = click.IntRange(1, LARGEST_RATE)
    for option in reversed(
        (
            click.option(
                "--allow-model",
                "models",
                multiple=True,
                metavar="PATTERN",
                help="Offer only this model, such as `qwen*`. Repeatable.",
            ),
            click.option("--parallel", type=rate, metavar="N", help="Maximum concurrent requests."),
            click.option("--requests-per-minute", type=rate, metavar="N", help="Maximum requests per minute."),
            click.option("--tokens-per-minute", type=rate, metavar="N", help="Maximum tokens per minute."),
            click.option(
                "--hours",
                multiple=True,
                callback=_hours,
                metavar="FROM-TO",
                help="Answer only at these hours of the day, such as 22:00-07:00. Repeatable.",
            ),
            click.option(
                "--notify",
                multiple=True,
                callback=_targets,
                metavar="TARGET",
                help="Tell this mail address, URL of a webhook, or ntfy:TOPIC when a link stays down. Repeatable.",
            ),
        )
    ):
        function = option(function)
    return function


def rules_of(said: dict[str, Any], file: ConnectorRules) -> ConnectorRules:
    """The rules of the command line, each of which replaces the one of the file."""
    models, hours, notify = said["models"], said["hours"], said["notify"]
    rates = {
        name: getattr(file.rates, name) if said[name] is None else said[name]
        for name in ("requests_per_minute", "tokens_per_minute", "parallel")
    }
    return replace(
        file,
        models=models or file.models,
        rates=RateLimits(**rates),
        hours=hours or file.hours,
        notify=notify or file.notify,
    )
