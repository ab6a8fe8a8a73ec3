"""Converts streamed text for speech: removes Markdown and emoji.

A model's text arrives in pieces, and a marker may be split between two pieces, so a few characters may be held back until the
next piece. All other text passes at once. The words stay: the text of a link, the host of an address, the cells of a table
separated by commas, the content of code.
"""

import re
from typing import Final, override

from .inline import InlineSpeech, inline

_TABLE_ROW: Final = 4_000
_CODE_HEAD: Final = 300
"""Maximum characters that are held back until a row of a table, or the first line of a block of code, is complete."""
_MARKERS: Final = re.compile(r"[ \t]*[#>*+\-•`~|_=: \t]*")
_BLOCK: Final = re.compile(
    r"[ \t]*(?:(?P<heading>#{1,6})[ \t]+|(?P<quote>>)[ \t]?|(?P<bullet>[-*+•])[ \t]+|(?P<row>\|)|(?P<fence>`{3,}|~{3,}))"
)
_TASK: Final = re.compile(r"\[[ xX]\][ \t]+")
_DIVIDER: Final = re.compile(r"[\s|:-]*-[\s|:-]*")


def plain(text: str) -> str:
    """Convert a complete text to speech."""
    speech = PlainSpeech()
    return speech.feed(text) + speech.flush()


class PlainSpeech(InlineSpeech):
    """Converts the pieces of one message to speech."""

    def __init__(self) -> None:
        super().__init__()
        self._line_begins = True
        self._fence = ""
        """The marker that ends the block of code."""

    @override
    def _step(self, text: str) -> int | None:
        if self._line_begins:
            return self._begin_line(text)
        return self._code_line(text) if self._fence else self._inline(text)

    @override
    def _end_line(self) -> None:
        super()._end_line()
        self._line_begins = True

    def _begin_line(self, text: str) -> int | None:
        if self._fence:
            return self._end_of_code(text)
        markers = _MARKERS.match(text)
        assert markers is not None
        end = markers.end()
        if end == len(text) and not self._final and end < _TABLE_ROW:
            return None
        if _is_end(text, end):  # nothing but markers
            found = _BLOCK.match(text)
            if found is not None and found["fence"]:
                return self._begin_code(text, found["fence"], end)
            if not markers[0].strip() and end < len(text):
                self._end_line()
            return min(end + 1, len(text))
        found = _BLOCK.match(text)
        if found is None:
            self._line_begins = False
            return 0
        if found["fence"]:
            return self._begin_code(text, found["fence"], found.end())
        if found["row"]:
            return self._table_row(text)
        if found["quote"]:
            return found.end()
        used = found.end()
        if found["bullet"]:
            rest = text[used : used + 5]
            if len(rest) < 4 and not self._final and "[ ]x"[: len(rest)].startswith(rest[:1]) and rest[:1] in ("[", ""):
                return None
            if (task := _TASK.match(text, used)) is not None:
                used = task.end()
        self._line_begins = False
        return used

    def _begin_code(self, text: str, fence: str, start: int) -> int | None:
        """The first line of a block of code, which names the language."""
        end = text.find("\n", start)
        if fence[0] in text[start : end if end >= 0 else None] or (
            end < 0 and len(text) >= _CODE_HEAD
        ):  # code within a line, or text
            self._line_begins = False
            return 0
        if end < 0:
            return len(text) if self._final else None
        self._fence, self._line_begins = fence, True
        return end + 1

    def _end_of_code(self, text: str) -> int | None:
        """The beginning of a line in a block of code, which may be its end."""
        line = text.lstrip(" ")
        blanks = len(text) - len(line)
        run = len(line) - len(line.lstrip(self._fence[0]))
        if blanks + run == len(text) and not self._final and blanks < _CODE_HEAD:
            return None
        if run >= len(self._fence):
            end = text.find("\n", blanks + run)
            if end < 0 and not self._final and not text[blanks + run :].strip():
                return None
            if not text[blanks + run : end if end >= 0 else None].strip():
                self._fence, self._line_begins = "", True
                return len(text) if end < 0 else end + 1
        self._line_begins = False
        return 0

    def _code_line(self, text: str) -> int:
        """Code is spoken as it is."""
        end = text.find("\n")
        if end < 0:
            self._say(text)
            return len(text)
        self._say(text[:end])
        self._end_line()
        return end + 1

    def _table_row(self, text: str) -> int | None:
        end = text.find("\n")
        if end < 0:
            if not self._final and len(text) < _TABLE_ROW:
                return None
            end = len(text)
        row = text[:end]
        if _DIVIDER.fullmatch(row) is None:
            cells = (inline(cell.strip()) for cell in row.strip().strip("|").split("|"))
            self._say(", ".join(cell for cell in cells if cell))
            self._end_line()
            if end == len(text):
                self._out.pop()
        return min(end + 1, len(text))


def _is_end(text: str, at: int) -> bool:
    return at >= len(text) or text[at] == "\n"
