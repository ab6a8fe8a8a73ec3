"""Replaces the texts in arguments of tool calls, which are JSON within strings of JSON, and arrive in pieces.

The pieces must still be valid JSON when they are put together, although `true` may have been cut into `tr` and `ue`.
"""

from collections.abc import Callable
from dataclasses import dataclass
import re
from typing import Final

_PIECES: Final = re.compile(r"\\u[\da-fA-F]{4}|\\.|.", re.DOTALL)
_WORDS: Final = ("true", "false", "null")
_HIDDEN: Final = "0078"
"""Hexadecimal digits of `x`, which replace every escaped character."""


@dataclass(slots=True)
class ArgumentState:
    """The state of the JSON parser at the end of the last piece of one call's arguments."""

    in_string: bool = False
    escaped: bool = False
    """Whether a backslash was the last character of a string."""
    digits: int = 0
    """Digits that the escaped character still needs."""
    word: str = ""
    """The beginning of `true`, `false` or `null`."""
    after_digit: bool = False

    def scrubbed(self, raw: str, hide: Callable[[str], str]) -> str:
        """The next piece, escaped for a JSON string. `hide` replaces a private character by another of the same size."""
        return "".join(self._next(found[0], hide) for found in _PIECES.finditer(raw))

    def _next(self, piece: str, hide: Callable[[str], str]) -> str:
        char = piece[1] if piece in ('\\"', "\\\\", "\\/") else piece
        return self._within(piece, char, hide) if self.in_string else self._between(piece, char, hide)

    def _within(self, piece: str, char: str, hide: Callable[[str], str]) -> str:
        """A character of a string."""
        if self.digits:
            self.digits -= 1
            return _HIDDEN[3 - self.digits] if len(piece) == 1 and piece.isalnum() else piece
        if self.escaped:
            self.escaped = False
            self.digits = 4 if char == "u" else 0
            return piece
        if char == "\\":
            self.escaped = True
        elif char == '"':
            self.in_string = False
        else:
            return hide(piece)
        return piece

    def _between(self, piece: str, char: str, hide: Callable[[str], str]) -> str:
        """A character between strings."""
        after_digit, self.after_digit = self.after_digit, char.isdecimal()
        if char.isalpha():
            self.word += char
            is_exponent = after_digit and char in "eE"
            return piece if is_exponent or any(word.startswith(self.word) for word in _WORDS) else hide(piece)
        self.word = ""
        if char == '"':
            self.in_string = True
        elif len(piece) == 1 and "2" <= piece <= "9":
            return "1"
        return piece if len(piece) > 1 or piece.isascii() else hide(piece)
