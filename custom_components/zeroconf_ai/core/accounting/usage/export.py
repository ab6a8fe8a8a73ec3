"""Export of usage and records as JSON and CSV rows."""

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
from ..prices.energy import WATT_SECONDS_PER_KWH
from .rollups import OTHER, Group, UsageRow
from .summary import TOKEN_CLASSES, Aggregate

_COUNTS = ("requests", "errors", "cancelled", "estimated", "priced", "failed_attempts")
type Row = Mapping[str, Any]
type Rows = Sequence[Row]

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""Characters that start a formula in spreadsheets (OWASP, CSV Injection)."""


class Format(StrEnum):
    """File formats of an export."""

    CSV = "csv"
    JSON_LINES = "jsonl"


def usage_row(use: UsageRow) -> dict[str, Any]:
    """The usage of one group as JSON. Money is in whole units, durations are means."""
    row: dict[str, Any] = dict(_group(use))
    row |= _counts(use.aggregate)
    return row | {"cost": _money(use.aggregate.costs), "energy_cost": _money(use.aggregate.energy_costs)}


def usage_cells(uses: Iterable[UsageRow]) -> list[dict[str, Any]]:
    """The same as flat rows with equal columns: one exact cost column per currency."""
    uses = list(uses)
    currencies = sorted({currency for use in uses for currency in use.aggregate.costs})
    measured = sorted({currency for use in uses for currency in use.aggregate.energy_costs})
    return [
        {**_group(use), **_counts(use.aggregate)}
        | {f"cost_{name}": decimal(use.aggregate.costs.get(name, 0)) for name in currencies}
        | {f"energy_cost_{name}": decimal(use.aggregate.energy_costs.get(name, 0)) for name in measured}
        for use in uses
    ]


def _money(costs: Mapping[str, int]) -> dict[str, float]:
    return {currency: cost / NANO for currency, cost in sorted(costs.items())}


def usage_columns(group_by: Sequence[Group]) -> list[str]:
    """The columns of `usage_cells` for an empty result."""
    nothing = UsageRow(dict.fromkeys(group_by, ""), {}, Aggregate())
    return list(usage_cells([nothing])[0])


def total(uses: Iterable[UsageRow]) -> UsageRow:
    """Merge all groups."""
    together = UsageRow({}, {}, Aggregate())
    for use in uses:
        together.aggregate.merge(use.aggregate)
    return together


def largest_groups(uses: Sequence[UsageRow], limit: int) -> list[UsageRow]:
    """The `limit` groups with the most requests in their original order; the rest merged into `OTHER` at the end."""
    if len(uses) <= limit:
        return list(uses)
    # The sort is stable: ties go to the first groups.
    ranks = sorted(range(len(uses)), key=lambda at: -uses[at].aggregate.requests)
    rest = total(uses[at] for at in ranks[limit:])
    return [*(uses[at] for at in sorted(ranks[:limit])), UsageRow(dict.fromkeys(uses[0].group, OTHER), {}, rest.aggregate)]


def csv_text(columns: Sequence[str], rows: Iterable[Row], *, headed: bool = True) -> str:
    """Format rows as CSV (RFC 4180), with formulas escaped."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    if headed:
        writer.writerow([_cell(column) for column in columns])
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    return text.getvalue()


def decimal(nano: int) -> str:
    """Format nano-units as an exact decimal number of whole units."""
    sign = "-" if nano < 0 else ""
    whole, rest = divmod(abs(nano), NANO)
    return f"{sign}{whole}.{rest:09d}".rstrip("0").rstrip(".")


async def write(file: Path, columns: Sequence[str], pages: AsyncIterator[Rows], written: Format) -> int:
    """Write pages of rows to a file that only its owner can read; returns the number of rows. The file appears when complete.

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
    if isinstance(value, list):
        return orjson.dumps(value).decode()
    return "" if value is None else value


def _group(use: UsageRow) -> dict[str, str]:
    group: dict[str, str] = {}
    for name, value in use.group.items():
        group[name.value] = value
        if name in (Group.BACKEND, Group.KEY):
            group[f"{name.value}_name"] = use.labels.get(name, "")
    return group


def _counts(aggregate: Aggregate) -> dict[str, Any]:
    tokens = {f"tokens_{name.removesuffix('_tokens')}": getattr(aggregate, name) for name in TOKEN_CLASSES}
    counts = {name: getattr(aggregate, name) for name in _COUNTS}
    means = {
        "mean_duration_ms": _mean(aggregate.duration, aggregate.requests),
        "mean_latency_ms": _mean(aggregate.first_token, aggregate.first_tokens),
    }
    audio = {"audio_seconds": round(aggregate.audio_seconds, 3), "speech_characters": aggregate.speech_characters}
    return counts | tokens | audio | means | {"energy_kwh": round(aggregate.energy / WATT_SECONDS_PER_KWH, 9)}


def _mean(seconds: float, count: int) -> float | None:
    return round(seconds * 1000 / count, 3) if count else None
