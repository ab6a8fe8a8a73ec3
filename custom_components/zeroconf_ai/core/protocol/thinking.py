"""Separates reasoning (`<think>…</think>`) from the answer in a stream of text, wherever the stream is split.

Servers that know the model's template send reasoning in a separate field; others leave the tags in the text, and a voice
assistant would speak it.
"""

from itertools import groupby
from typing import NamedTuple

_TAGS = {"<think>": True, "</think>": False, "<thinking>": True, "</thinking>": False}
_LONGEST = max(map(len, _TAGS))


class Piece(NamedTuple):
    """A piece of text, and whether it is reasoning."""

    text: str
    is_reasoning: bool


class ThinkSplitter:
    """Splits the text of one message, fed piece by piece. A tag may span pieces; a stray closing tag is dropped."""

    def __init__(self) -> None:
        self._held = ""
        self._thinking = False
        self._after_tag = True

    def feed(self, text: str) -> list[Piece]:
        """Return the pieces that `text` completes; an end that may be the beginning of a tag is held back."""
        pieces: list[Piece] = []
        text = self._held + text
        self._held = ""
        begin = at = 0
        while (at := text.find("<", at)) >= 0:
            lowered = text[at : at + _LONGEST].lower()
            tag = next((tag for tag in _TAGS if lowered.startswith(tag)), None)
            if tag is not None:
                self._add(pieces, text[begin:at])
                self._thinking = _TAGS[tag]
                self._after_tag = True
                begin = at = at + len(tag)
            elif any(tag.startswith(lowered) for tag in _TAGS):
                self._held = text[at:]
                text = text[:at]
            else:
                at += 1
        self._add(pieces, text[begin:])
        return _joined(pieces)

    def flush(self) -> list[Piece]:
        """Return the text held back, at the end of the message."""
        pieces: list[Piece] = []
        held, self._held = self._held, ""
        self._add(pieces, held)
        return pieces

    def _add(self, pieces: list[Piece], text: str) -> None:
        if self._after_tag:
            text = text.lstrip()
        if not text:
            return
        self._after_tag = False
        pieces.append(Piece(text, self._thinking))


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Join adjacent pieces of the same kind."""
    return [
        Piece("".join(piece.text for piece in group), is_reasoning)
        for is_reasoning, group in groupby(pieces, lambda piece: piece.is_reasoning)
    ]
