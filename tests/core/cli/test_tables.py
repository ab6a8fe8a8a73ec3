"""Tables of the command."""

from hypothesis import given, strategies as st
import pytest
from rich.cells import cell_len

from zeroconf_ai.cli.discover import _COLUMNS as DISCOVER
from zeroconf_ai.cli.keys import _COLUMNS as KEYS
from zeroconf_ai.cli.tables import Column, Styled, table_lines

PROVIDER = (
    "Living room",
    "http://192.168.178.100:8000/v1",
    "qwen3:8b, llama3.1:70b-instruct-q4_K_M, nomic-embed-text",
    Styled("healthy, 12 ms", "green"),
    "token",
    "free",
    "chat, images, streaming, structured data, tools (device control)",
    "100",
    "4c7a6720-aaaa-bbbb-cccc-123456789012",
)
HOSTILE = (
    "\x1b[31mred\x1b[0m",
    "a\nb\r\tc",
    "\u202eevil\u2066",
    "日本語" * 30,
    "e\u0301" * 40,
    "\x00\x9b2J",
    "👩‍👩‍👧 family",
    "",
)


def plain(lines: list[str]) -> list[str]:
    """Without the styles of headings and colours."""
    return [line.replace("\x1b[1m", "").replace("\x1b[32m", "").replace("\x1b[0m", "") for line in lines]


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (None, ["Name", "Address", "Models", "State", "Auth", "Cost", "Capabilities", "Priority", "ID"]),
        (120, ["Name", "Address", "Models", "State", "Auth", "Cost", "Capabilities", "Priority"]),
        (80, ["Name", "Address", "Models", "State"]),
        (60, ["Name", "Address", "State"]),
    ],
)
def test_table_of_providers_shows_what_fits(width: int | None, headings: list[str]) -> None:
    lines = plain(table_lines(DISCOVER, [PROVIDER], None, width))
    assert lines[0].split() == headings
    assert len(lines) == 2
    assert width is None or max(map(cell_len, lines)) <= width


def test_table_at_80_columns_shows_name_address_and_state_completely() -> None:
    line = plain(table_lines(DISCOVER, [PROVIDER], None, 80))[1]
    assert line.startswith("Living room  http://192.168.178.100:8000/v1  qwen3:8b, llama3.1")
    assert line.endswith("…  healthy, 12 ms")


def test_table_that_is_piped_has_complete_values() -> None:
    line = plain(table_lines(DISCOVER, [PROVIDER]))[1]
    assert all(str(value) in line for value in (*PROVIDER[:3], PROVIDER[3].text, *PROVIDER[4:]))


@given(
    st.lists(st.lists(st.text(max_size=60) | st.sampled_from(HOSTILE), min_size=9, max_size=9), max_size=4),
    st.sampled_from((60, 80, 100)),
    st.sampled_from((DISCOVER, KEYS)),
)
def test_table_of_any_content_has_one_line_per_row_and_fits(
    rows: list[list[str]], width: int, columns: tuple[Column, ...]
) -> None:
    lines = plain(table_lines(columns, rows, None, width))
    assert len(lines) == 1 + len(rows)
    for line in lines:
        assert cell_len(line) <= width
        assert line.isprintable()


@pytest.mark.parametrize("text", HOSTILE)
def test_table_hostile_values_are_shown_as_text(text: str) -> None:
    [_, line] = table_lines([Column("Name"), Column("State")], [(text, "fine")])
    assert line.isprintable()
    assert "\u202e" not in line
    assert line.endswith("fine")


def test_table_columns_of_wide_characters_are_aligned() -> None:
    lines = table_lines([Column("Name"), Column("State")], [("日本語", "x"), ("abc", "y")])
    assert [cell_len(line) for line in lines[1:]] == [9, 9]


def test_table_numbers_are_right_aligned_and_the_footer_is_the_last_row() -> None:
    lines = table_lines([Column("Day"), Column("Requests", right=True)], [("1", "5"), ("2", "1,000")], ("Total", "1,005"))
    assert plain(lines) == ["Day    Requests", "1             5", "2         1,000", "Total     1,005"]
