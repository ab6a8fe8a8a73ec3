"""`zeroconf-ai keys`: create, list, change and revoke API keys."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
import re
import time
from typing import Any

import click

from ..accounting.budget import Scope, parse_amount
from ..accounting.keys.client_key import ADMIN, ClientKey
from ..accounting.keys.key_store import LARGEST_RATE, SCOPES, KeyStore
from ..accounting.keys.labels import checked_labels
from ..accounting.periods import Period
from ..accounting.store import AccountingStore
from ..protocol.errors import InvalidRequestError
from ..protocol.hosted_tools import GRANTS
from . import state
from .databases import database_option, existing_database
from .errors import CommandError
from .output import json_option, print_json
from .remembered import complete_keys, remember
from .tables import Column, Styled, print_table

_COLUMNS = (
    Column("Name", usual=16),
    Column("Secret"),
    Column("Owner", usual=12, rank=3),
    Column("Labels", usual=12, rank=2),
    Column("Allowed", usual=12, rank=1),
    Column("State"),
    Column("Expires", rank=4),
    Column("Last used"),
    Column("ID", rank=5),
)
_STATE_COLOURS = {"enabled": "green", "disabled": "yellow", "expired": "red"}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def _duration(_ctx: click.Context, _param: click.Parameter, value: str) -> float:
    """Parse `90s`, `30m`, `24h`, `7d` or `4w` to seconds. Raises click.BadParameter."""
    found = re.fullmatch(r"(\d{1,6})([smhdw])", value.strip())
    if found is None:
        raise click.BadParameter(f"{value!r} is not a duration. Enter a number and a unit: 90s, 30m, 24h, 7d or 4w.")
    return float(found[1]) * _UNITS[found[2]]


def _moment(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Parse a duration from now, a date (its start in local time) or a date and time to seconds since the epoch."""
    if value is None:
        return None
    if "-" not in value:
        return time.time() + _duration(ctx, param, value)
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


def _limit_options[F: Callable[..., Any]](function: F) -> F:
    """Add the options for limits and budgets of a key."""
    number = click.IntRange(1, LARGEST_RATE)
    for option in (
        click.option("--requests-per-minute", type=number, metavar="N", help="Maximum requests per minute."),
        click.option("--tokens-per-minute", type=number, metavar="N", help="Maximum tokens per minute."),
        click.option("--parallel", type=number, metavar="N", help="Maximum concurrent requests."),
        click.option(
            "--budget",
            "budgets",
            multiple=True,
            callback=_budget,
            metavar="AMOUNT/PERIOD",
            help="Maximum cost, such as 5/month, 2.50/week or 0.5/day. Repeatable.",
        ),
    ):
        function = option(function)
    return function


def _labels(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Raises click.BadParameter for invalid labels."""
    try:
        return checked_labels(values)
    except InvalidRequestError as err:
        raise click.BadParameter(err.message) from None


_label_option = click.option(
    "--label",
    "labels",
    multiple=True,
    callback=_labels,
    metavar="TEXT",
    help="A room, a device or an app, to group and filter usage by. Repeatable.",
)
_url_option = click.option(
    "--url", default="http://localhost:8000/v1", show_default=True, help="The gateway's URL in the printed example."
)
_hosted_option = click.option(
    "--hosted-tool",
    "hosted_tools",
    multiple=True,
    type=click.Choice(GRANTS),
    help="Pass on this tool that providers run, or what its options name. Repeatable.",
)
_key_argument = click.argument("key", shell_complete=complete_keys)


@click.group("keys")
def command() -> None:
    """Create, list and revoke API keys of clients.

    KEY is the ID or name of an API key, or a unique prefix of its ID, name or secret. A running gateway with the same database
    applies every change within a second.
    """


@command.command("create")
@click.argument("name")
@click.option("--user", "user_id", metavar="ID", help="The Home Assistant user who uses it.")
@click.option("--device", metavar="NAME", help="The device that uses it.")
@click.option("--model", "models", multiple=True, metavar="PATTERN", help="Allow only this model, such as `qwen*`. Repeatable.")
@click.option(
    "--endpoint",
    "endpoints",
    multiple=True,
    type=click.Choice((*SCOPES, ADMIN)),
    help="Allow only this endpoint group. Repeatable. `admin` logs in to the page of `zeroconf-ai serve --keys`.",
)
@_hosted_option
@click.option("--background", is_flag=True, help="Requests of this API key wait until no other requests are waiting.")
@click.option("--home-only", is_flag=True, help="Requests with this API key stay at home: providers outside never get them.")
@click.option(
    "--expires", callback=_moment, metavar="WHEN", help="Expire after a duration (`30d`), or at a date.  [default: never]"
)
@_label_option
@_limit_options
@_url_option
@database_option
@json_option
def create(
    name: str, url: str, database: str | None, as_json: bool, budgets: tuple[tuple[int, Period], ...], **options: Any
) -> None:
    """Create an API key for NAME. Its secret is shown only once and is not stored."""

    async def do(store: AccountingStore) -> None:
        key, secret = await store.keys.create(name, actor="command", **options)
        await _set_budgets(store, key, budgets)
        _show_secret(key, secret, url, as_json=as_json)

    _with_store(database, do, may_create=True)


@command.command("update")
@_key_argument
@_limit_options
@_label_option
@click.option(
    "--home-only/--no-home-only",
    default=None,
    help="Whether requests with this API key stay at home: providers outside never get them.",
)
@_hosted_option
@click.option("--no-limits", is_flag=True, help="Remove all limits and budgets that are not set by this command.")
@click.option("--no-labels", is_flag=True, help="Remove all labels that are not set by this command.")
@click.option("--no-hosted-tools", is_flag=True, help="Remove all hosted tools that are not set by this command.")
@database_option
@json_option
def update(
    key: str,
    database: str | None,
    as_json: bool,
    budgets: tuple[tuple[int, Period], ...],
    no_limits: bool,
    labels: tuple[str, ...],
    no_labels: bool,
    home_only: bool | None,
    hosted_tools: tuple[str, ...],
    no_hosted_tools: bool,
    **rates: int | None,
) -> None:
    """Change labels, hosted tools, limits, budgets and --home-only of KEY.

    Options that are not given keep their values; labels and hosted tools are added.
    """

    async def do(store: AccountingStore) -> None:
        found = _find(store.keys, key)
        if no_limits:
            periods = {period for _, period in budgets}
            for budget in store.budgets.of(Scope.KEY, found.id):
                if budget.period not in periods:
                    await store.budgets.remove(budget.id, actor="command")
        changes: dict[str, Any] = {name: rate for name, rate in rates.items() if no_limits or rate is not None}
        if home_only is not None:
            changes["home_only"] = home_only
        if labels or no_labels:
            changes["labels"] = labels if no_labels else (*found.labels, *labels)
        if hosted_tools or no_hosted_tools:
            changes["hosted_tools"] = hosted_tools if no_hosted_tools else (*found.hosted_tools, *hosted_tools)
        found = await store.keys.update(found.id, actor="command", **changes)
        await _set_budgets(store, found, budgets)
        _show(found, f'"{found.name}" ({found.prefix}…) is changed', as_json=as_json)

    _with_store(database, do)


async def _set_budgets(store: AccountingStore, key: ClientKey, budgets: Iterable[tuple[int, Period]]) -> None:
    for amount, period in budgets:
        await store.budgets.set(Scope.KEY, key.id, amount, period, actor="command")


@command.command("list")
@click.option("--label", metavar="TEXT", help="List only API keys with this label.")
@database_option
@json_option
def list_keys(label: str | None, database: str | None, as_json: bool) -> None:
    """List the API keys, without their secrets."""

    async def do(keys: KeyStore) -> None:
        found = [key for key in keys if label is None or label in key.labels]
        if as_json:
            print_json([key_json(key) for key in found])
        elif found:
            print_table(_COLUMNS, map(_row, found))
        elif len(keys):
            click.echo(f"No API key has the label {label!r}.", err=True)
        else:
            click.echo("There is no API key yet. Create one: zeroconf-ai keys create NAME", err=True)

    _with_keys(database, do)


@command.command("revoke")
@_key_argument
@database_option
@json_option
def revoke(key: str, database: str | None, as_json: bool) -> None:
    """Revoke KEY permanently."""

    async def do(keys: KeyStore) -> None:
        found = _find(keys, key)
        await keys.revoke(found.id, actor="command")
        _show(found, f'"{found.name}" ({found.prefix}…) is revoked', as_json=as_json)

    _with_keys(database, do)


@command.command("rotate")
@_key_argument
@click.option(
    "--overlap",
    callback=_duration,
    default="24h",
    show_default=True,
    help="How long the old secret stays valid.",
)
@_url_option
@database_option
@json_option
def rotate(key: str, overlap: float, url: str, database: str | None, as_json: bool) -> None:
    """Create a new secret for KEY, shown only once."""

    async def do(keys: KeyStore) -> None:
        _show_secret(*await keys.rotate(_find(keys, key).id, overlap, actor="command"), url, as_json=as_json)

    _with_keys(database, do)


@command.command("enable")
@_key_argument
@database_option
@json_option
def enable(key: str, database: str | None, as_json: bool) -> None:
    """Enable KEY."""
    _set_enabled(key, database, enabled=True, as_json=as_json)


@command.command("disable")
@_key_argument
@database_option
@json_option
def disable(key: str, database: str | None, as_json: bool) -> None:
    """Disable KEY until it is enabled again."""
    _set_enabled(key, database, enabled=False, as_json=as_json)


@command.command("confirm-loss")
@database_option
@json_option
def confirm_loss(database: str | None, as_json: bool) -> None:
    """Confirm the loss of API keys and budgets, so that a running gateway uses metered backends again."""

    async def do(store: AccountingStore) -> None:
        needed = store.loss_unconfirmed
        if needed:
            await store.confirm_loss(actor="command")
        if as_json:
            print_json({"confirmed": needed})
        elif needed:
            click.echo("Metered backends answer again.")
        else:
            click.echo("No loss of API keys and budgets needs to be confirmed.", err=True)

    _with_store(database, do)


def _set_enabled(key: str, database: str | None, *, enabled: bool, as_json: bool) -> None:
    async def do(keys: KeyStore) -> None:
        found = await keys.update(_find(keys, key).id, actor="command", enabled=enabled)
        _show(found, f'"{found.name}" ({found.prefix}…) is {"enabled" if enabled else "disabled"}', as_json=as_json)

    _with_keys(database, do)


def _with_keys(database: str | None, do: Callable[[KeyStore], Awaitable[None]]) -> None:
    """Run `do` with the API keys of the database. Raises CommandError or DatabaseError if it cannot be used."""
    _with_store(database, lambda store: do(store.keys))


def _with_store(database: str | None, do: Callable[[AccountingStore], Awaitable[None]], *, may_create: bool = False) -> None:
    """Run `do` with the opened accounting store; `may_create`: a new database may be created.

    Raises CommandError or DatabaseError if it cannot be used.
    """
    hint = "Create an API key: zeroconf-ai keys create NAME. Or set another --database."
    where = (database or state.database_file()) if may_create else existing_database(database, hint)

    async def run() -> None:
        store = await AccountingStore.open(where, set_damaged_aside=False)
        try:
            await do(store)
            if not database:
                remember(replace=True, keys=[key.name for key in store.keys])
        finally:
            await store.close()

    asyncio.run(run())


def _find(keys: KeyStore, text: str) -> ClientKey:
    """The key that matches `text`. Raises CommandError unless exactly one does."""
    found = [key for key in keys if text in (key.id, key.name)]
    found = found or [key for key in keys if text and (key.id.startswith(text) or key.name.startswith(text))]
    # A complete secret is compared by its stored prefix: looking it up would count as its use.
    found = found or [key for key in keys if len(text) >= 5 and (key.prefix.startswith(text) or text.startswith(key.prefix))]
    if len(found) > 1:
        several = ", ".join(f"{key.name} ({key.id[:8]})" for key in found[:10])
        raise CommandError(f"More than one API key matches: {several}.", "Use the ID.", kind="ambiguous")
    if not found:
        raise CommandError("No API key matches.", "List all: zeroconf-ai keys list", kind="not_found")
    return found[0]


def _show(key: ClientKey, line: str, *, as_json: bool) -> None:
    if as_json:
        print_json(key_json(key))
    else:
        click.echo(line)


def _show_secret(key: ClientKey, secret: str, url: str, *, as_json: bool) -> None:
    if as_json:
        print_json(key_json(key) | {"secret": secret})
        return
    click.echo(secret)
    body = '{"model": "auto", "messages": [{"role": "user", "content": "Hello!"}]}'
    base = url.rstrip("/")
    click.echo(
        f"Shown only once. Try it:\n  curl {base}/chat/completions -H 'Authorization: Bearer {secret}' -d '{body}'",
        err=True,
    )


def key_json(key: ClientKey) -> dict[str, Any]:
    """One API key in the output of `--json`."""
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "user_id": key.user_id,
        "device": key.device,
        "models": list(key.models),
        "endpoints": list(key.endpoints),
        "background": key.background,
        "home_only": key.home_only,
        "enabled": key.enabled,
        "state": _state(key),
        "created": _iso(key.created),
        "expires": _iso(key.expires),
        "last_used": _iso(key.last_used),
        "former_secret_until": _iso(key.former_until),
        "requests_per_minute": key.requests_per_minute,
        "tokens_per_minute": key.tokens_per_minute,
        "parallel": key.parallel,
        "labels": list(key.labels),
        "hosted_tools": list(key.hosted_tools),
    }


def _row(key: ClientKey) -> tuple[str | Styled, ...]:
    state = _state(key)
    return (
        key.name,
        f"{key.prefix}…",
        key.device or key.user_id or "",
        ", ".join(key.labels),
        ", ".join((*key.models, *key.endpoints)) or "everything",
        Styled(state, _STATE_COLOURS[state]),
        _minute(key.expires) or "never",
        _minute(key.last_used) or "never",
        key.id,
    )


def _state(key: ClientKey) -> str:
    if not key.enabled:
        return "disabled"
    return "expired" if key.expires is not None and time.time() >= key.expires else "enabled"


def _iso(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _minute(moment: float | None) -> str:
    return "" if moment is None else f"{datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M}"
