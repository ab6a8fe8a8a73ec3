"""Separates reasoning (`<think>…</think>`) from the answer in a stream of text, wherever the stream is split.

Servers that know the model's template send reasoning in a separate field; others leave the tags in the text, and a voice
assistant would speak it. The templates of Qwen and DeepSeek end the prompt with `<think>`, so that the text has the closing tag
only: what precedes it is known to be reasoning when the tag arrives.
"""

from collections.abc import Mapping
from itertools import groupby
from typing import Any, NamedTuple

_TAGS = {"<think>": True, "</think>": False, "<thinking>": True, "</thinking>": False}
_LONGEST = max(map(len, _TAGS))
_QUOTES = ("`", '"', "'")


class Piece(NamedTuple):
    """A piece of text, and whether it is reasoning."""

    text: str
    is_reasoning: bool


class ThinkSplitter:
    """Splits the text of one message, fed piece by piece. A tag may span pieces; a stray closing tag is dropped."""

    def __init__(self, *, begun: bool = False) -> None:
        """`begun`: the text begins with reasoning, without an opening tag."""
        self._held = ""
        self._thinking = begun
        self._after_tag = True
        self._tags = 0
        self._last = ""
        """The last character, outside of a tag."""
        self.unopened = False
        """Whether the first tag was a closing one although the text did not begin with reasoning."""

    @property
    def found_tag(self) -> bool:
        """Whether the text had a tag."""
        return self._tags > 0

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
                if not (self._tags or self._thinking or _TAGS[tag]):
                    self.unopened = not self._last.endswith(_QUOTES)  # else the text is about the tag
                self._tags += 1
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
        self._last = text[-1]
        pieces.append(Piece(text, self._thinking))


def pieces_of(text: str) -> list[Piece]:
    """The pieces of a complete text. What precedes a closing tag without an opening one is reasoning."""
    splitter = ThinkSplitter()
    pieces = splitter.feed(text) + splitter.flush()
    if not splitter.unopened:
        return pieces
    splitter = ThinkSplitter(begun=True)
    return splitter.feed(text) + splitter.flush()


def with_reasoning_cut(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """A complete message whose reasoning without an opening tag is in `reasoning_content`; the same object if it has none."""
    content = message.get("content")
    if not isinstance(content, str) or "</think" not in content.lower():
        return message
    splitter = ThinkSplitter()
    splitter.feed(content)
    if not splitter.unopened:
        return message
    pieces = pieces_of(content)
    reasoning, answer = ("".join(piece.text for piece in pieces if piece.is_reasoning is kind) for kind in (True, False))
    known = message.get("reasoning_content") or message.get("reasoning")
    reasoned = {} if known or not reasoning else {"reasoning_content": reasoning.strip()}
    return {**message, "content": answer, **reasoned}


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Join adjacent pieces of the same kind."""
    return [
        Piece("".join(piece.text for piece in group), is_reasoning)
        for is_reasoning, group in groupby(pieces, lambda piece: piece.is_reasoning)
    ]
