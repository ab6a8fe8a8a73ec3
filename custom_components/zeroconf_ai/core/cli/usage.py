"""`zeroconf-ai usage`: show usage and cost."""

import asyncio
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import click

from ..accounting.store import AccountingStore
from ..accounting.usage import export
from ..accounting.usage.rollups import Group, UsageFilter, UsageRow
from .databases import database_option, existing_database
from .output import json_option, print_json
from .tables import Column, print_table

_COUNTS = (
    Column("Requests", rank=2, right=True),
    Column("Errors", rank=4, right=True),
    Column("Prompt", rank=1, right=True),
    Column("Cached", rank=3, right=True),
    Column("Completion", rank=1, right=True),
    Column("Cost", right=True),
)
_AUDIO = (Column("Minutes heard", rank=3, right=True), Column("Characters spoken", rank=3, right=True))
"""Shown before the cost if there was audio."""
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
@json_option
def command(
    start: date | None,
    end: date | None,
    groups: tuple[str, ...],
    label: str | None,
    written: str,
    database: str | None,
    as_json: bool,
) -> None:
    """Show usage and cost from the database of a gateway, which may be running."""
    group_by = [Group(name) for name in dict.fromkeys(groups)]
    start, end, uses, total = asyncio.run(_read(existing_database(database), start, end, group_by, label))
    if as_json:
        written = "json"
    if written == "csv":
        cells = export.usage_cells(uses)
        click.echo(export.csv_text(list(cells[0]) if cells else export.usage_columns(group_by), cells), nl=False)
    elif written == "json":
        rows = {"data": [export.usage_row(use) for use in uses], "total": export.usage_row(total)}
        print_json({"from": start.isoformat(), "to": end.isoformat(), **rows})
    elif uses:
        audio = bool(total.aggregate.audio_seconds or total.aggregate.speech_characters)
        columns = (
            *(Column(group.value.capitalize(), usual=12, rank=5 if at else 0) for at, group in enumerate(group_by)),
            *_COUNTS[:-1],
            *(_AUDIO if audio else ()),
            _COUNTS[-1],
        )
        last = ("Total", *("" for _ in group_by[1:]), *_cells(total, audio=audio))
        print_table(columns, [_row(use, audio=audio) for use in uses], last if len(uses) > 1 else None)
    else:
        click.echo(f"There is no usage from {start} to {end}.", err=True)


async def _read(
    where: str | Path, start: date | None, end: date | None, group_by: Sequence[Group], label: str | None
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


def _row(use: UsageRow, *, audio: bool) -> tuple[str, ...]:
    return (*(use.labels.get(group) or value or "–" for group, value in use.group.items()), *_cells(use, audio=audio))


def _cells(use: UsageRow, *, audio: bool) -> tuple[str, ...]:
    sums = use.aggregate
    cost = ", ".join(f"{export.decimal(cost)} {currency}" for currency, cost in sorted(sums.costs.items()))
    counts = (sums.requests, sums.errors, sums.prompt_tokens, sums.cached_tokens, sums.completion_tokens)
    heard = (f"{sums.audio_seconds / 60:,.1f}", f"{sums.speech_characters:,}") if audio else ()
    return (*(f"{count:,}" for count in counts), *heard, cost or "–")
