"""Styles for Markdown on a terminal while it arrives: headings, bold text and code. All characters of the text are kept."""

from typing import Final

import click

_MARKERS: Final = "`*#~"
_FENCE: Final = 3
"""Backticks or tildes that begin or end a block of code (CommonMark 4.5)."""
_HEADING: Final = 6
"""Maximum number of `#` before a heading (CommonMark 4.2)."""
_RESET: Final = "\x1b[0m"


class MarkdownStyle:
    """Adds styles to a text that arrives in pieces. A style ends with its line, except that of a block of code."""

    def __init__(self) -> None:
        """At the beginning of a text."""
        self._run = ""
        """Markers of one kind whose number is not known yet."""
        self._indent = True
        """Whether only spaces precede on this line."""
        self._fence = ""
        """The marker that began a block of code; empty outside of one."""
        self._closing = False
        """Whether the block of code ends with this line."""
        self._code = self._bold = self._heading = False

    def feed(self, text: str) -> str:
        """The next piece, with styles. Markers at its end are returned with the piece after it."""
        return "".join(map(self._char, text))

    def flush(self) -> str:
        """What was held back, and the end of all styles."""
        return self._resolve("") + _RESET

    def _char(self, char: str) -> str:
        if self._run and char == self._run[0]:
            self._run += char
            return ""
        shown = self._resolve(char)
        if char in _MARKERS:
            self._run = char
            return shown
        if char == "\n":
            if self._closing:
                self._fence, self._closing = "", False
            self._code = self._bold = self._heading = False
            self._indent = True
            return f"{shown}{_RESET}\n{self._style() if self._fence else ''}"
        self._indent = self._indent and char == " "
        return shown + char

    def _resolve(self, following: str) -> str:
        """The markers that were held back, with the styles that they begin or end."""
        run, self._run = self._run, ""
        if not run:
            return ""
        first, self._indent = self._indent, False
        if self._fence:
            self._closing = first and run[0] == self._fence and len(run) >= _FENCE
            return run
        if first and run[0] in "`~" and len(run) >= _FENCE:
            self._fence = run[0]
            return self._style() + run
        if run[0] == "`":
            self._code = not self._code
            return self._style() + run if self._code else run + self._style()
        if first and run[0] == "#" and len(run) <= _HEADING and following == " ":
            self._heading = True
            return self._style() + run
        if run == "**" and not self._code:
            self._bold = not self._bold
            return self._style() + run if self._bold else run + self._style()
        return run

    def _style(self) -> str:
        code = "cyan" if self._code or self._fence else None
        return _RESET + click.style("", fg=code, bold=self._bold or self._heading or None, reset=False)
