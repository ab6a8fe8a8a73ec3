"""The text of one streamed answer: separates reasoning, and adapts spoken text for speech."""

from dataclasses import dataclass
from enum import Enum, auto
import re
from typing import Final

from ..core.protocol.speech.plain import PlainSpeech
from ..core.protocol.thinking import Piece, ThinkSplitter

_SENTENCE: Final = re.compile(r"[.!?…:;]\s|[。！？\n]")
"""The end of a sentence."""
_LONG: Final = 400
"""Characters of a first sentence after which its beginning is spoken before it is complete."""
_THINKERS: Final = re.compile(
    r"(?<![a-z0-9])(?:r1|qwq|qwen-?3(?!.*(?:instruct|coder))|think\w*|reason\w*|magistral|deepseek|glm-?(?:4\.[5-9]|[5-9])|nemotron|"
    r"cogito|minimax|gpt-oss|seed-oss|hunyuan|exaone-deep)(?![a-z])",
    re.IGNORECASE,
)
"""Models that reason before they answer. Templates may contain the opening tag; answers then have only the closing tag."""
_THINKING_ALOUD: Final = re.compile(
    r"\W*(?:okay|ok|alright|hmm+|well|so|wait|now|first|let me|let's|the user|they|we (?:need|have|should|must|are)|"
    r"i (?:need|should|have|must|think)|thinking|好的|嗯|用户|首先|我们|我需要)(?![a-z])",
    re.IGNORECASE,
)
"""Words with which reasoning begins: mostly English, in conversations of every language."""


class Hold(Enum):
    """How long the text of an answer is held back, because it may be reasoning."""

    NEVER = auto()
    SENTENCE = auto()
    """Until its first sentence is complete; until its end if that sentence sounds like reasoning."""
    END = auto()


@dataclass(slots=True)
class AnswerProgress:
    """The progress of an answer."""

    begun: bool = False
    """Whether content arrived or a tool was called. From then on, no other agent can answer instead."""
    notice: str = ""
    """A sentence that precedes the text."""
    wordless: bool = False
    """Whether the last text had nothing to speak, such as a picture alone."""

    def preceded(self, text: str) -> str:
        """The text; the first text that is not only white space gets the notice before it."""
        if not self.notice or text.isspace():
            return text
        notice, self.notice = self.notice, ""
        return f"{notice} {text}"


def hold_for(model: str) -> Hold:
    """How long the first spoken text of a model is held back."""
    return Hold.END if _THINKERS.search(model) is not None else Hold.SENTENCE


class AnswerText:
    """Splits text into reasoning and answer. Spoken text cannot be taken back, so the text may be held back.

    A server that does not know a model's template sends reasoning as text, with the closing tag alone. Only this tag shows
    that the text before it was reasoning. Until a model has given one answer, its text is held back: until its first sentence
    is complete, or if that sentence sounds like reasoning, until the tag or the end.
    """

    def __init__(self, *, begun: bool = False, hold: Hold = Hold.NEVER, plain: bool = False) -> None:
        """`begun`: the text begins with reasoning, without an opening tag. `plain`: without Markdown and emoji."""
        self._splitter = ThinkSplitter(begun=begun)
        self._speech = PlainSpeech() if plain else None
        self._hold = Hold.NEVER if begun else hold
        self._held = ""
        self.had_text = False
        """Whether there was text, spoken or not."""
        self.unopened = False
        """Whether the text began with reasoning, without an opening tag, which was not known before."""
        self.spoke_reasoning = False
        """Whether that reasoning was returned as text."""

    @property
    def found_tag(self) -> bool:
        """Whether the text had a tag."""
        return self._splitter.found_tag

    def feed(self, text: str) -> list[Piece]:
        """Return the pieces that `text` completes."""
        pieces = self._splitter.feed(text)
        if self._splitter.unopened and not self.unopened:
            self.unopened, self.spoke_reasoning = True, self._hold is Hold.NEVER
        if self._hold is Hold.NEVER:
            return self._spoken(pieces)
        self._held += text
        self.had_text = self.had_text or not text.isspace()
        return self.release() if self._splitter.found_tag or self._is_answer() else []

    def release(self) -> list[Piece]:
        """Return the held-back text, and hold back no more: reasoning arrives in a separate field, or the text is an answer."""
        if self._hold is Hold.NEVER:
            return []
        self._hold = Hold.NEVER
        self._splitter = ThinkSplitter(begun=self.unopened)
        return self._spoken(self._splitter.feed(self._held))

    def flush(self) -> list[Piece]:
        """Return the rest, at the end of the answer."""
        pieces = self.release() + self._spoken(self._splitter.flush())
        rest = "" if self._speech is None else self._speech.flush()
        return [*pieces, Piece(rest, is_reasoning=False)] if rest else pieces

    def _is_answer(self) -> bool:
        if self._hold is Hold.END:
            return False
        if _THINKING_ALOUD.match(self._held) is not None:
            self._hold = Hold.END
            return False
        return len(self._held) > _LONG or _SENTENCE.search(self._held) is not None

    def _spoken(self, pieces: list[Piece]) -> list[Piece]:
        self.had_text = self.had_text or any(not (piece.is_reasoning or piece.text.isspace()) for piece in pieces)
        if self._speech is None:
            return pieces
        spoken = (piece if piece.is_reasoning else Piece(self._speech.feed(piece.text), is_reasoning=False) for piece in pieces)
        return [piece for piece in spoken if piece.text]
