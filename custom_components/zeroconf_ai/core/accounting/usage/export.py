"""Use and records as rows for spreadsheets and programs."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
import csv
from enum import StrEnum
import io
import os
from pathlib import Path
import re
from typing import Any
from uuid import uuid4

import orjson

from ...protocol.values import NANO
from .rollups import OTHER, Group, Use
from .summary import TOKEN_CLASSES, Aggregate

type Row = Mapping[str, Any]
type Rows = Sequence[Row]

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV Injection)."""


class Format(StrEnum):
    """How rows are written."""

    CSV = "csv"
    JSON_LINES = "jsonl"


def use_row(use: Use) -> dict[str, Any]:
    """One group's use, for JSON. Money in whole units, durations as means."""
    row: dict[str, Any] = dict(_group(use))
    row |= _counts(use.sums)
    return row | {"cost": {currency: cost / NANO for currency, cost in sorted(use.sums.costs.items())}}


def use_cells(uses: Iterable[Use]) -> list[dict[str, Any]]:
    """The same as flat rows of the same columns: the cost is a column for each currency, exact to the last digit."""
    uses = list(uses)
    currencies = sorted({currency for use in uses for currency in use.sums.costs})
    return [
        {**_group(use), **_counts(use.sums)} | {f"cost_{name}": decimal(use.sums.costs.get(name, 0)) for name in currencies}
        for use in uses
    ]


def columns_of_use(group_by: Sequence[Group]) -> list[str]:
    """The columns of `use_cells` where there are no rows."""
    nothing = Use(dict.fromkeys(group_by, ""), {}, Aggregate())
    return list(use_cells([nothing])[0])


def total(uses: Iterable[Use]) -> Use:
    """All groups together."""
    together = Use({}, {}, Aggregate())
    for use in uses:
        together.sums.merge(use.sums)
    return together


def most(uses: Sequence[Use], limit: int) -> list[Use]:
    """The groups of the most requests, at most `limit` in their order, and the others together as one `OTHER` after them."""
    if len(uses) <= limit:
        return list(uses)
    # Of those with as many, the first ones.
    ranks = sorted(range(len(uses)), key=lambda at: -uses[at].sums.requests)
    rest = total(uses[at] for at in ranks[limit:])
    return [*(uses[at] for at in sorted(ranks[:limit])), Use(dict.fromkeys(uses[0].group, OTHER), {}, rest.sums)]


def csv_text(columns: Sequence[str], rows: Iterable[Row], *, headed: bool = True) -> str:
    """Rows as CSV (RFC 4180), in which no text can act as a formula."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    if headed:
        writer.writerow([_cell(column) for column in columns])
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    return text.getvalue()


def decimal(nano: int) -> str:
    """Nano-units as a decimal number in whole units, without rounding."""
    sign = "-" if nano < 0 else ""
    whole, rest = divmod(abs(nano), NANO)
    return f"{sign}{whole}.{rest:09d}".rstrip("0").rstrip(".")


async def write(file: Path, columns: Sequence[str], pages: AsyncIterator[Rows], written: Format) -> int:
    """Write pages of rows to a file that only its owner reads; how many rows. The file appears when it is whole.

    Raises OSError.
    """
    part = file.with_name(f".{file.name}.{uuid4().hex}")
    count = 0
    try:
        await asyncio.to_thread(_append, part, csv_text(columns, ()) if written is Format.CSV else "")
        async for page in pages:
            count += len(page)
            await asyncio.to_thread(_append_rows, part, columns, page, written)
        await asyncio.to_thread(part.replace, file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return count


def _text(columns: Sequence[str], rows: Rows, written: Format) -> str:
    if written is Format.CSV:
        return csv_text(columns, rows, headed=False)
    return "".join(f"{orjson.dumps({column: row.get(column) for column in columns}).decode()}\n" for row in rows)


def _append_rows(file: Path, columns: Sequence[str], rows: Rows, written: Format) -> None:
    _append(file, _text(columns, rows, written))


def _append(file: Path, text: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8", newline="") as handle:
        handle.write(text)


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return "" if value is None else value


def _group(use: Use) -> dict[str, str]:
    group: dict[str, str] = {}
    for name, value in use.group.items():
        group[name.value] = value
        if name in (Group.BACKEND, Group.KEY):
            group[f"{name.value}_name"] = use.labels.get(name, "")
    return group


def _counts(sums: Aggregate) -> dict[str, Any]:
    tokens = {f"tokens_{name.removesuffix('_tokens')}": getattr(sums, name) for name in TOKEN_CLASSES}
    counts = {name: getattr(sums, name) for name in ("requests", "errors", "cancelled", "estimated", "priced")}
    means = {
        "mean_duration_ms": _mean(sums.duration, sums.requests),
        "mean_latency_ms": _mean(sums.first_token, sums.first_tokens),
    }
    return counts | tokens | means


def _mean(seconds: float, count: int) -> float | None:
    return round(seconds * 1000 / count, 3) if count else None
