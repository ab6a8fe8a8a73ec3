"""Tables that fit the terminal: one line per row, long values shortened, the least important columns left out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
import shutil
import sys
from typing import Final, NamedTuple

import click
from rich.cells import cell_len, set_cell_size

from ..protocol.values import printable

_GAP: Final = 2
"""Spaces between two columns."""
_ELLIPSIS: Final = "…"


class Styled(NamedTuple):
    """A value in a colour of the terminal (`click.style`)."""

    text: str
    colour: str


type Cell = str | Styled


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. Widths are in columns of the terminal."""

    heading: str
    usual: int = 0
    """Values longer than this are shortened before a column is left out; 0: shortened only when no column can be left out."""
    rank: int = 0
    """Where the table is too wide, the columns with the highest rank are left out first; 0: always shown."""
    right: bool = False
    """Whether values are aligned to the right, as numbers are."""


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], footer: Sequence[Cell] | None = None) -> None:
    """Print a table to stdout: no wider than the terminal; complete values if stdout is not a terminal.

    Values may come from the network: control characters and characters that reorder text are shown as spaces.
    """
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in table_lines(columns, rows, footer, width):
        click.echo(line)


def table_lines(
    columns: Sequence[Column], rows: Iterable[Sequence[Cell]], footer: Sequence[Cell] | None = None, width: int | None = None
) -> list[str]:
    """The lines of a table that is at most `width` columns wide (None: as wide as its values). Headings and footer are bold."""
    body = [[_cleaned(cell) for cell in row] for row in rows]
    last = [] if footer is None else [[_cleaned(cell) for cell in footer]]
    headings = [Styled(column.heading, "") for column in columns]
    natural = [max(map(cell_len, (row[index].text for row in (headings, *body, *last)))) for index in range(len(columns))]
    shown = _fitted(columns, natural, width)
    lines = [_line(columns, headings, shown, bold=True)]
    lines += [_line(columns, row, shown) for row in body]
    return lines + [_line(columns, row, shown, bold=True) for row in last]


def _cleaned(cell: Cell) -> Styled:
    text, colour = (cell, "") if isinstance(cell, str) else cell
    return Styled(printable(text).strip(), colour)


def _fitted(columns: Sequence[Column], natural: Sequence[int], available: int | None) -> dict[int, int]:
    """The indexes of the shown columns, with their widths."""
    shown = dict(enumerate(natural))
    if available is None or _total(shown) <= available:
        return shown
    usual = {index: min(width, max(columns[index].usual, cell_len(columns[index].heading))) for index, width in shown.items()}
    least = {index: usual[index] if columns[index].usual else width for index, width in shown.items()}
    for index in sorted(shown, key=lambda index: columns[index].rank, reverse=True):
        if _total(least) <= available or not columns[index].rank:
            break
        del shown[index], least[index]
    if _total(least) > available:
        return _shortened(least, dict.fromkeys(least, 1), available)
    return _shortened({index: min(width, available) for index, width in shown.items()}, least, available)


def _shortened(widths: dict[int, int], least: dict[int, int], available: int) -> dict[int, int]:
    """`widths`, of which the largest are reduced, at most to `least`, until their total fits."""
    widths = dict(widths)
    for _ in range(max(0, _total(widths) - available)):
        reducible = [index for index, width in widths.items() if width > least[index]]
        if not reducible:
            break
        widths[max(reducible, key=lambda index: widths[index])] -= 1
    return widths


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + _GAP * (len(widths) - 1)


def _line(columns: Sequence[Column], row: Sequence[Styled], shown: dict[int, int], *, bold: bool = False) -> str:
    cells = []
    for index, width in shown.items():
        text, colour = row[index]
        short = text if cell_len(text) <= width else set_cell_size(text, width - 1) + _ELLIPSIS
        space = " " * (width - cell_len(short))
        styled = click.style(short, fg=colour or None, bold=bold or None) if short and (colour or bold) else short
        cells.append(space + styled if columns[index].right else styled + space)
    return (" " * _GAP).join(cells).rstrip()
