"""Terminal styles for streamed Markdown: headings, bold text and code. All characters of the text are kept."""

from typing import Final

import click

_MARKERS: Final = "`*#~"
_FENCE: Final = 3
"""Backticks or tildes that begin or end a block of code (CommonMark 4.5)."""
_HEADING: Final = 6
"""Maximum number of `#` before a heading (CommonMark 4.2)."""
_RESET: Final = "\x1b[0m"


class MarkdownStyle:
    """Adds styles to a text that arrives in pieces. Styles end at the end of a line, except in a block of code."""

    def __init__(self) -> None:
        """At the beginning of a text."""
        self._run = ""
        """A run of equal markers that may continue in the next piece."""
        self._indent = True
        """Whether this line has had only spaces so far."""
        self._fence = ""
        """The marker that began the block of code; empty outside blocks."""
        self._closing = False
        """Whether the block of code ends with this line."""
        self._code = self._bold = self._heading = False

    def feed(self, text: str) -> str:
        """The next piece, with styles. Markers at its end are returned with the piece after it."""
        return "".join(map(self._char, text))

    def flush(self) -> str:
        """The text that was held back, and the code that ends all styles."""
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
