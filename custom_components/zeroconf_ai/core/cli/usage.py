"""`zeroconf-ai usage`: show usage and cost."""

import asyncio
from collections.abc import Sequence
from datetime import date
from pathlib import Path
import sys

import click
import orjson
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..accounting.storage.database import DatabaseError, parse_url
from ..accounting.store import AccountingStore
from ..accounting.usage import export
from ..accounting.usage.rollups import Group, UsageFilter, UsageRow
from . import state
from .keys import database_option

_PIPE_WIDTH = 240
"""Width of a table that is not printed on a terminal, in columns."""
_FORMATS = ("table", "json", "csv")


def _date(_ctx: click.Context, _param: click.Parameter, value: str | None) -> date | None:
    try:
        return None if value is None else date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a date. Enter it as 2030-12-31.") from None


@click.command("usage")
@click.option("--from", "start", callback=_date, metavar="DATE", help="The first day.  [default: the first of this month]")
@click.option("--to", "end", callback=_date, metavar="DATE", help="The last day.  [default: today]")
@click.option(
    "--group-by",
    "groups",
    multiple=True,
    type=click.Choice([group.value for group in Group]),
    default=["day"],
    show_default=True,
    help="Show one row per value of this. Repeatable.",
)
@click.option("--label", metavar="LABEL", help="Show only the usage of API keys with this label.")
@click.option("--format", "written", type=click.Choice(_FORMATS), default="table", show_default=True)
@database_option
def command(
    start: date | None, end: date | None, groups: tuple[str, ...], label: str | None, written: str, database: str | None
) -> None:
    """Show usage and cost from the database of a gateway, which may be running."""
    group_by = [Group(name) for name in dict.fromkeys(groups)]
    try:
        where = database or str(state.database_file())
        _check(where)
        start, end, uses, total = asyncio.run(_read(where, start, end, group_by, label))
    except DatabaseError as err:
        raise click.ClickException(str(err)) from None
    if written == "csv":
        cells = export.usage_cells(uses)
        click.echo(export.csv_text(list(cells[0]) if cells else export.usage_columns(group_by), cells), nl=False)
    elif written == "json":
        rows = {"data": [export.usage_row(use) for use in uses], "total": export.usage_row(total)}
        body = {"from": start.isoformat(), "to": end.isoformat(), **rows}
        click.echo(orjson.dumps(body, option=orjson.OPT_INDENT_2))
    elif uses:
        console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)
        console.print(_table(group_by, uses, total))
    else:
        click.echo(f"There is no usage from {start} to {end}.", err=True)


def _check(where: str) -> None:
    """Raise click.ClickException if the database file is missing: a mistyped path must not look like no usage."""
    url = parse_url(where)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        raise click.ClickException(f"There is no database at {url.database}. Set another --database.")


async def _read(
    where: str, start: date | None, end: date | None, group_by: Sequence[Group], label: str | None
) -> tuple[date, date, list[UsageRow], UsageRow]:
    """The first and last day, the usage between them, and its total.

    Raises DatabaseError; click.UsageError if the range is reversed.
    """
    store = await AccountingStore.open(where, set_damaged_aside=False)
    try:
        today = store.totals.date
        first, last = start or (end or today).replace(day=1), end or today
        if last < first:
            raise click.UsageError(f"{last} is before {first}: --from must not be after --to.")
        return first, last, *await store.ledger.usage_and_total(first, last, group_by, only=UsageFilter(label=label))
    finally:
        await store.close()


def _table(group_by: Sequence[Group], uses: list[UsageRow], total: UsageRow) -> Table:
    table = Table(box=SIMPLE_HEAD, show_footer=len(uses) > 1)
    totals = _cells(total)
    for group in group_by:
        table.add_column(group.value.capitalize(), "Total" if group is group_by[0] else "", overflow="fold")
    for heading, footer in zip(("Requests", "Errors", "Prompt", "Cached", "Completion", "Cost"), totals, strict=True):
        table.add_column(heading, footer, justify="right")
    for use in uses:
        # As text: a name may look like markup.
        table.add_row(*(Text(use.labels.get(group) or value or "–") for group, value in use.group.items()), *_cells(use))
    return table


def _cells(use: UsageRow) -> tuple[str, ...]:
    sums = use.aggregate
    cost = ", ".join(f"{export.decimal(cost)} {currency}" for currency, cost in sorted(sums.costs.items()))
    counts = (sums.requests, sums.errors, sums.prompt_tokens, sums.cached_tokens, sums.completion_tokens)
    return (*(f"{count:,}" for count in counts), cost or "–")
