"""The options of `zeroconf-ai keys`: one for each field of an API key, for new keys and for existing ones."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
import re
import time
from typing import Any, Final

import click

from ..accounting.budget import parse_amount
from ..accounting.keys.client_key import ADMIN, LARGEST_RATE, SCOPES, ClientKey
from ..accounting.keys.labels import checked_labels
from ..accounting.keys.llm_apis import checked_llm_apis
from ..accounting.periods import Period
from ..protocol.errors import InvalidRequestError
from ..protocol.hosted_tools import GRANTS

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
NEVER: Final = "never"
_RATES = ("requests_per_minute", "tokens_per_minute", "parallel")


def duration(_ctx: click.Context, _param: click.Parameter, value: str) -> float:
    """Parse `90s`, `30m`, `24h`, `7d` or `4w` to seconds. Raises click.BadParameter."""
    found = re.fullmatch(r"(\d{1,6})([smhdw])", value.strip())
    if found is None:
        raise click.BadParameter(f"{value!r} is not a duration. Enter a number and a unit: 90s, 30m, 24h, 7d or 4w.")
    return float(found[1]) * _UNITS[found[2]]


def _moment(ctx: click.Context, param: click.Parameter, value: str | None) -> float | str | None:
    """Parse a duration from now, a date (its start in local time) or a date and time to seconds since the epoch.

    `never` is returned as it is.
    """
    if value is None or value == NEVER:
        return value
    if "-" not in value:
        return time.time() + duration(ctx, param, value)
    try:
        moment = datetime.fromisoformat(value).timestamp()
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a date. Enter 2030-12-31, 2030-12-31T18:00 or a duration: 30d.") from None
    if moment <= time.time():
        raise click.BadParameter(f"{value} is in the past.")
    return moment


def _budget(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[int, Period], ...]:
    """Parse `5/month`, `2.50/week` or `0.5/day` to the amount in nano-units and the period. Raises click.BadParameter."""
    try:
        return tuple(parse_amount(value) for value in values)
    except ValueError as err:
        raise click.BadParameter(str(err)) from None


def _checked(check: Callable[[Iterable[str]], tuple[str, ...]]) -> Callable[..., tuple[str, ...]]:
    """A callback of an option that raises click.BadParameter for invalid values."""

    def callback(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return check(values)
        except InvalidRequestError as err:
            raise click.BadParameter(err.message) from None

    return callback


_ENDPOINT_HELP = "Allow only this endpoint group. Repeatable. `admin` logs in to the page of `zeroconf-ai serve --keys`."
_LISTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "models": ("--model", {"metavar": "PATTERN", "help": "Allow only this model, such as `qwen*`. Repeatable."}),
    "endpoints": ("--endpoint", {"type": click.Choice((*SCOPES, ADMIN)), "help": _ENDPOINT_HELP}),
    "llm_apis": (
        "--llm-api",
        {
            "metavar": "ID",
            "callback": _checked(checked_llm_apis),
            "help": "Allow the tools of this LLM API of Home Assistant, such as `assist`, with the permissions of --user. "
            "Repeatable.",
        },
    ),
    "hosted_tools": (
        "--hosted-tool",
        {
            "type": click.Choice(GRANTS),
            "help": "Pass on this tool that providers run, or what its options name. Repeatable.",
        },
    ),
    "labels": (
        "--label",
        {
            "metavar": "TEXT",
            "callback": _checked(checked_labels),
            "help": "A room, a device or an app, to group and filter usage by. Repeatable.",
        },
    ),
}
"""The fields with several values: their option, and what click needs to know of it."""
_FLAGS: Mapping[str, str] = {
    "background": "Requests of this API key wait until no other requests are waiting.",
    "home_only": "Requests with this API key stay at home: providers outside never get them.",
}


def _option_name(field: str) -> str:
    return field.replace("_", "-")


def _lists(fields: Iterable[str]) -> list[Callable[..., Any]]:
    return [click.option(_LISTS[field][0], field, multiple=True, **_LISTS[field][1]) for field in fields]


def _limits() -> list[Callable[..., Any]]:
    number = click.IntRange(1, LARGEST_RATE)
    return [
        click.option(
            "--expires",
            callback=_moment,
            metavar="WHEN",
            help="Expire after a duration (`30d`), or at a date; `never` for no expiry.",
        ),
        click.option("--requests-per-minute", type=number, metavar="N", help="Maximum requests per minute."),
        click.option("--tokens-per-minute", type=number, metavar="N", help="Maximum tokens per minute."),
        click.option("--parallel", type=number, metavar="N", help="Maximum concurrent requests."),
    ]


def _common() -> list[Callable[..., Any]]:
    return [
        click.option("--user", "user_id", metavar="ID", help="The Home Assistant user who uses it."),
        click.option("--device", metavar="NAME", help="The device that uses it."),
        *_lists(_LISTS),
        *_limits(),
        click.option(
            "--budget",
            "budgets",
            multiple=True,
            callback=_budget,
            metavar="AMOUNT/PERIOD",
            help="Maximum cost, such as 5/month, 2.50/week or 0.5/day. Repeatable.",
        ),
    ]


def _decorated[F: Callable[..., Any]](function: F, options: Iterable[Callable[..., Any]]) -> F:
    for option in reversed(list(options)):
        function = option(function)
    return function


def options_of_a_new_key[F: Callable[..., Any]](function: F) -> F:
    """Add the options for the fields of a new key."""
    return _decorated(function, (*_common(), *_flags()))


def options_of_a_new_client[F: Callable[..., Any]](function: F) -> F:
    """Add the options for the fields of the key of a client that enrols: all that no person of the home is named by."""
    fields = (field for field in _LISTS if field != "llm_apis")
    return _decorated(function, (*_lists(fields), *_limits(), *_flags()))


def _flags() -> list[Callable[..., Any]]:
    return [click.option(f"--{_option_name(field)}", is_flag=True, help=text) for field, text in _FLAGS.items()]


def options_of_a_change[F: Callable[..., Any]](function: F) -> F:
    """Add the options for changes of a key: an option that is not given changes nothing."""
    flags = (
        click.option(f"--{_option_name(field)}/--no-{_option_name(field)}", default=None, help=text)
        for field, text in _FLAGS.items()
    )
    removals = (
        click.option(
            f"--no-{_option_name(field)}",
            is_flag=True,
            help=f"Remove all {field.replace('_', ' ').replace('llm apis', 'LLM APIs')} that are not set by this command.",
        )
        for field in _LISTS
    )
    return _decorated(
        function,
        (
            click.option("--name", metavar="TEXT", help="Another name."),
            *_common(),
            *flags,
            click.option("--no-owner", is_flag=True, help="Remove the user and the device that are not set by this command."),
            *removals,
            click.option("--no-limits", is_flag=True, help="Remove all limits and budgets that are not set by this command."),
        ),
    )


def new_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a new key."""
    return {**options, "expires": None if options["expires"] == NEVER else options["expires"]}


def changed_fields(key: ClientKey, options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a key that the options of `update` change; values of lists are added to those of the key."""
    changes: dict[str, Any] = {field: options[field] for field in ("name", *_FLAGS, "expires") if options[field] is not None}
    if changes.get("expires") == NEVER:
        changes["expires"] = None
    changes |= {field: options[field] for field in ("user_id", "device") if options["no_owner"] or options[field] is not None}
    changes |= {field: options[field] for field in _RATES if options["no_limits"] or options[field] is not None}
    for field in _LISTS:
        given, only = options[field], options[f"no_{field}"]
        if given or only:
            changes[field] = given if only else tuple(dict.fromkeys((*getattr(key, field), *given)))
    return changes
