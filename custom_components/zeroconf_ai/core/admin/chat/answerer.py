"""How a home answers: `Answerer`, and the one that asks a model through the engine, without tools."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, override

from ...engine import Caller, Engine
from ...protocol.chunks import Delta
from ...protocol.request import Kind, Request
from ...protocol.thinking import Piece, ThinkSplitter, pieces_of
from ..images import HomeImages
from .answer import LiveAnswer
from .history import Said, chat_messages
from .messages import Choice


def no_images() -> None:
    """The images of a home without any."""


class AnswerError(Exception):
    """There is no complete answer. The text is one sentence for the person."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What is to be answered."""

    conversation_id: str
    caller: Caller
    choice: Choice
    history: Sequence[Said]
    """Ends with the person's message."""
    new_request_id: Callable[[], str]
    """Returns the id for a request of this answer. Each request needs one of its own, so that its costs are found."""
    language: str | None = None
    """The person's language (BCP 47), as far as the page knows it."""


class Answerer(ABC):
    """Answers the newest message of a conversation."""

    offers_tools = False
    """Whether models may control the home."""

    @abstractmethod
    async def answer(self, turn: Turn, answer: LiveAnswer) -> None:
        """Write the answer. Raises an ApiError or AnswerError if there is no complete one."""


class EngineAnswerer(Answerer):
    """Sends the conversation to a model."""

    def __init__(self, engine: Engine, images: Callable[[], HomeImages | None] = no_images) -> None:
        """`images`: those of the home; None while it stores none, then models see none."""
        self._engine = engine
        self._images = images

    @override
    async def answer(self, turn: Turn, answer: LiveAnswer) -> None:
        body: dict[str, Any] = {
            "model": turn.choice.model,
            "messages": await chat_messages(turn.history, self._images()),
            "stream": True,
        }
        request = Request.parse(
            Kind.CHAT, body, pin=turn.choice.backend_id, session=turn.conversation_id, request_id=turn.new_request_id()
        )
        async with self._engine.run(request, turn.caller) as reply:
            answer.reached(reply.backend_id, reply.backend_name, reply.model)
            splitter = ThinkSplitter()
            spoken: list[str] = []
            async for chunk in reply.chunks():
                delta = Delta.parse(chunk.data)
                if delta.reasoning:
                    answer.add_thinking(delta.reasoning)
                if delta.content:
                    spoken.append(delta.content)
                    _add(answer, splitter.feed(delta.content))
            _add(answer, splitter.flush())
            if splitter.unopened:  # what looked like text until its closing tag was reasoning
                pieces = pieces_of("".join(spoken))
                text, thinking = ("".join(one.text for one in pieces if one.is_reasoning is kind) for kind in (False, True))
                answer.replace_text(text, thinking)
        if not answer.text.strip():
            raise AnswerError("The answer has no text. Ask again, or choose another model.")


def _add(answer: LiveAnswer, pieces: Sequence[Piece]) -> None:
    for piece in pieces:
        if piece.is_reasoning:
            answer.add_thinking(piece.text)
        else:
            answer.add_text(piece.text)
