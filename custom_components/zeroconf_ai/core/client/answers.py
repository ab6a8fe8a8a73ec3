"""What the client library returns."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, override

from ..protocol.chunks import ChunkWriter, Delta, Message
from ..protocol.thinking import Piece, ThinkSplitter, pieces_of
from ..protocol.usage import Usage
from ..routing.execution.reply import Reply


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer."""

    text: str
    reasoning: str
    """What a reasoning model thought before; empty for others."""
    provider: str
    """The name of the provider that answered."""
    model: str
    usage: Usage
    """Tokens as the provider reported them, else an estimate."""
    finish_reason: str | None
    """`stop`, `length`, `tool_calls` or `content_filter`; None if the provider did not say."""
    failed: Mapping[str, str]
    """Why each provider that was tried before did not answer, by its name."""
    body: Mapping[str, Any]
    """The answer as OpenAI's `chat.completion`, with tool calls."""

    @override
    def __str__(self) -> str:
        """The text."""
        return self.text


class Stream:
    """The answer as it arrives: iterate over it for pieces of text. `answer` is complete afterwards.

    `reasoning_pieces` iterates over reasoning too.
    """

    def __init__(self, reply: Reply) -> None:
        """`reply` is valid as long as the block of the engine's run."""
        self._reply = reply
        self._answer: Answer | None = None

    @property
    def provider(self) -> str:
        """The name of the provider that answers."""
        return self._reply.backend_name

    @property
    def model(self) -> str:
        """The model that answers."""
        return self._reply.model

    @property
    def complete(self) -> bool:
        """Whether the stream was read to its end."""
        return self._answer is not None

    @property
    def answer(self) -> Answer:
        """The complete answer. Raises RuntimeError before the stream was read to its end."""
        if self._answer is None:
            raise RuntimeError("The stream was not read to its end")
        return self._answer

    async def __aiter__(self) -> AsyncIterator[str]:
        """The pieces of the answer's text. Raises ApiError if the provider stops answering."""
        async for piece in self.reasoning_pieces():
            if not piece.is_reasoning:
                yield piece.text

    async def reasoning_pieces(self) -> AsyncIterator[Piece]:
        """The pieces of the answer's text and of the reasoning before it. Raises ApiError like iteration does."""
        message, splitter = Message(), ThinkSplitter()
        pieces: list[Piece] = []
        async for chunk in self._reply.chunks():
            delta = Delta.parse(chunk.data)
            message.add(delta)
            new = [Piece(delta.reasoning, True)] if delta.reasoning else []
            new += splitter.feed(delta.content)
            for piece in new:
                pieces.append(piece)
                yield piece
        for piece in splitter.flush():
            pieces.append(piece)
            yield piece
        if splitter.unopened:  # what came before the tag was reasoning: as the next question needs it
            pieces = [*(piece for piece in pieces if piece.is_reasoning), *pieces_of(message.content)]
        self._answer = answer_of(self._reply, message, pieces)


def whole_answer(reply: Reply) -> Answer:
    """The answer to a request that was not streamed."""
    message = Message()
    message.add(Delta.parse(reply.completion.data))
    reasoning = [Piece(message.reasoning, True)] if message.reasoning else []
    return answer_of(reply, message, [*reasoning, *pieces_of(message.content)])


def answer_of(reply: Reply, message: Message, pieces: list[Piece]) -> Answer:
    """The answer with this message, whose text consists of these pieces."""
    return Answer(
        text="".join(piece.text for piece in pieces if not piece.is_reasoning),
        reasoning="".join(piece.text for piece in pieces if piece.is_reasoning),
        provider=reply.backend_name,
        model=reply.model,
        usage=reply.used,
        finish_reason=message.finish_reason,
        failed={attempt.backend_name: attempt.failure for attempt in reply.attempts if attempt.failure},
        body=ChunkWriter(reply.model).completion(message),
    )
