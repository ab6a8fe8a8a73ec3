"""Styles for Markdown that arrives in pieces."""

import re

import pytest

from zeroconf_ai.cli.markdown_style import MarkdownStyle

_SGR = re.compile(r"(\x1b\[[\d;]*m)")


def styled(text: str, size: int) -> list[tuple[str, str]]:
    """The styles in effect for each part of a text that arrives in pieces of `size` characters; "" for none."""
    style = MarkdownStyle()
    shown = "".join(style.feed(text[start : start + size]) for start in range(0, len(text), size)) + style.flush()
    found: list[tuple[str, str]] = []
    codes = ""
    for part in _SGR.split(shown):
        if _SGR.fullmatch(part):
            codes = "" if part == "\x1b[0m" else codes + part[2:-1] + ";"
        elif part and found and found[-1][0] == codes:
            found[-1] = (codes, found[-1][1] + part)
        elif part:
            found.append((codes, part))
    return found


CYAN, BOLD, BOTH = "36;", "1;", "36;1;"


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("plain * 2 ** 3", None),
        ("say **now** or", [("", "say "), (BOLD, "**now**"), ("", " or")]),
        ("use `a**b` here", [("", "use "), (CYAN, "`a**b`"), ("", " here")]),
        ("# Head\ntext", [(BOLD, "# Head"), ("", "\ntext")]),
        ("#hash\n####### seven", [("", "#hash\n####### seven")]),
        (
            "```py\nx = `1`\n# no\n```\nend",
            [
                (CYAN, "```py"),
                ("", "\n"),
                (CYAN, "x = `1`"),
                ("", "\n"),
                (CYAN, "# no"),
                ("", "\n"),
                (CYAN, "```"),
                ("", "\nend"),
            ],
        ),
        (
            "~~~\n```\n~~~\n**b**",
            [(CYAN, "~~~"), ("", "\n"), (CYAN, "```"), ("", "\n"), (CYAN, "~~~"), ("", "\n"), (BOLD, "**b**")],
        ),
        ("**open\nnext", [(BOLD, "**open"), ("", "\nnext")]),
        ("**b `c` d**", [(BOLD, "**b "), (BOTH, "`c`"), (BOLD, " d**")]),
        ("- a\n* b\n***c***", [("", "- a\n* b\n***c***")]),
    ],
)
def test_markdown_style_pieces_of_any_size_give_the_same_styles(
    size: int, text: str, parts: list[tuple[str, str]] | None
) -> None:
    found = styled(text, size)
    assert "".join(part for _, part in found) == text
    if parts is not None:
        assert found == parts
