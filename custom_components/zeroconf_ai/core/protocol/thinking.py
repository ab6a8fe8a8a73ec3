"""Separates what a model thinks aloud (`<think>…</think>`) from what it answers, in a stream cut anywhere.

Servers that know the model's template send thoughts in a field of their own; the others leave the tags in the text, and a voice
assistant would speak them.
"""

from typing import NamedTuple

_TAGS = {"<think>": True, "</think>": False, "<thinking>": True, "</thinking>": False}
_LONGEST = max(map(len, _TAGS))


class Piece(NamedTuple):
    """A stretch of text and whether it is thought."""

    text: str
    thought: bool


class ThinkSplitter:
    """Feed it a message's text piece by piece. A tag is recognised wherever it is cut; a stray closing tag is dropped."""

    def __init__(self) -> None:
        """A splitter for one message."""
        self._held = ""
        self._thinking = False
        self._after_tag = True

    def feed(self, text: str) -> list[Piece]:
        """What can be said for sure after `text`; a tail that may be the beginning of a tag is held back."""
        pieces: list[Piece] = []
        text = self._held + text
        self._held = ""
        while text:
            at = text.find("<")
            if at < 0:
                self._add(pieces, text)
                break
            self._add(pieces, text[:at])
            text = text[at:]
            lowered = text[:_LONGEST].lower()
            tag = next((tag for tag in _TAGS if lowered.startswith(tag)), None)
            if tag is not None:
                self._thinking = _TAGS[tag]
                self._after_tag = True
                text = text[len(tag) :]
            elif any(tag.startswith(lowered) for tag in _TAGS):
                self._held = text
                break
            else:
                self._add(pieces, "<")
                text = text[1:]
        return pieces

    def flush(self) -> list[Piece]:
        """What was held back, at the message's end."""
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
        if pieces and pieces[-1].thought == self._thinking:
            pieces[-1] = Piece(pieces[-1].text + text, self._thinking)
        else:
            pieces.append(Piece(text, self._thinking))
