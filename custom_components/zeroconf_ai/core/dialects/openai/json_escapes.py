"""Lone surrogates in a JSON text that arrives in pieces, as the arguments of a tool call do: replaced with U+FFFD."""

import re

_HIGH = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}")
_LOW = re.compile(r"\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_LOW_BEGIN = re.compile(r"(?:\\(?:u(?:[dD](?:[c-fC-F][0-9a-fA-F]{0,2})?)?)?)?")
_UNIT = 6
_REPLACEMENT = r"\ufffd"


class EscapeRepair:
    r"""Repairs one text. Holds back what may be half of a surrogate pair (`\ud83d`), and nothing else."""

    def __init__(self) -> None:
        self._open = ""
        """The unfinished escape at the end, or the first half of a pair."""
        self._sent = 0
        """Number of its characters that were returned already: `\\u` begins the replacement, too."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held back."""
        return not self._open

    def feed(self, text: str) -> str:
        """Return the text that is complete."""
        if not self._open and "\\" not in text:
            return text
        sent, text = self._sent, self._open + text
        self._open, self._sent = "", 0
        parts: list[str] = []
        at = 0
        while (begin := text.find("\\", at)) >= 0:
            parts.append(text[at:begin])
            escape = _first(text[begin : begin + 2 * _UNIT])
            if escape is None:
                self._open = text[begin:]
                self._sent = 2 if self._open[2:3] in ("d", "D") else len(self._open)
                if not begin:
                    return self._open[sent : self._sent]
                parts.append(self._open[: self._sent])
                break
            length, replacement = escape
            parts.append(replacement or text[begin : begin + length])
            at = begin + length
        else:
            parts.append(text[at:])
        return "".join(parts)[sent:]

    def flush(self) -> str:
        """Return what was held back, at the end of the text."""
        held = _REPLACEMENT + self._open[_UNIT:] if len(self._open) >= _UNIT else self._open
        sent, self._open, self._sent = self._sent, "", 0
        return held[sent:]


def _first(text: str) -> tuple[int, str] | None:
    """(length, replacement or "") of the escape at the beginning of `text`; None if more characters decide."""
    if len(text) < 2 or (text[1] == "u" and len(text) < _UNIT):
        return None
    if text[1] != "u":
        return 2, ""
    if _HIGH.match(text):
        if _LOW.match(text, _UNIT):
            return 2 * _UNIT, ""
        return None if _LOW_BEGIN.fullmatch(text, _UNIT) else (_UNIT, _REPLACEMENT)
    return (_UNIT, _REPLACEMENT) if _LOW.match(text) else (_UNIT, "")
