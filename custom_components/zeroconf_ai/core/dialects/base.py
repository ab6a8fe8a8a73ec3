"""What every dialect's answers have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

from ..protocol import json, sse
from ..protocol.chunks import Chunk, ToolCall
from ..protocol.errors import MESSAGE_LIMIT, ApiError, StreamBrokenError, UpstreamError
from ..protocol.request import Request
from ..protocol.usage import Usage
from ..protocol.values import mapping
from .reasoning import SEALED


class ResponseWriter(ABC):
    """Says one answer: `whole`, or as a stream: `events` for each batch of chunks, then `end` or `failure`."""

    content_type: ClassVar[str] = "text/event-stream"
    """Of a stream."""
    ping: bytes = sse.PING
    """What a silent stream is kept alive with."""
    provider: str = ""
    """Who answers, for dialects that have a place for it."""

    @abstractmethod
    def whole(self, completion: Chunk) -> bytes:
        """The JSON of the answer, from a completion. Raises an ApiError where the dialect cannot say it."""

    @abstractmethod
    def events(self, batch: list[Chunk]) -> bytes:
        """The events that a batch makes; empty for none."""

    @abstractmethod
    def end(self) -> bytes:
        """The events that close a stream which came to its end."""

    @abstractmethod
    def failure(self, error: ApiError) -> bytes:
        """The events that close a stream which broke off."""


class ParsedRequest(NamedTuple):
    """A client's request in the inner language, and what will say its answer, given the model that made it."""

    request: Request
    writer: Callable[[str], ResponseWriter]


def spoken(data: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """(first choice, its delta or message) of a chunk or a completion."""
    choices = data.get("choices")
    choice = mapping(choices[0]) if isinstance(choices, list) and choices else {}
    return choice, mapping(choice.get("delta") or choice.get("message"))


def refusal_of(said: Mapping[str, Any]) -> str:
    """The words with which a model refuses, which OpenAI keeps apart from its answers."""
    return words if isinstance(words := said.get("refusal"), str) else ""


def sealed_thoughts(said: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The `reasoning_details` that hold a Claude model's thought with its seal, or a hidden one."""
    details = said.get("reasoning_details")
    found = (mapping(detail) for detail in (details if isinstance(details, list) else ()))
    return [detail for detail in found if detail.get("format") == SEALED and (detail.get("signature") or detail.get("data"))]


def is_complete(arguments: str) -> bool:
    """Whether a tool call's arguments are all there."""
    try:
        json.loads(arguments)
    except json.JSONDecodeError:
        return False
    return True


def arguments_of(call: ToolCall) -> dict[str, Any]:
    """The arguments as the object that they must be. Raises UpstreamError: a tool must not run with others than were meant."""
    if not call.arguments.strip():
        return {}
    parsed = json.loads(call.arguments) if is_complete(call.arguments) else None
    if not isinstance(parsed, dict):
        raise UpstreamError(f"The model called {call.name} with arguments that are no JSON object.")
    return parsed


class Translator(ABC):
    """Turns one answer of another dialect into OpenAI's. Holds the state of one stream; made anew for each request."""

    begun = False
    """The model has started to say something: from here on the silence between tokens is measured."""
    complete = False
    """The model said that it has finished: an end of the stream is a clean one."""
    done = False
    """Nothing more will come: the stream need not be read on."""

    @property
    def usage(self) -> Usage | None:
        """What it was told of the use so far."""
        return None

    @abstractmethod
    def feed(self, data: bytes) -> list[Chunk]:
        """The chunks that `data` completes; b"" is the end of the stream.

        Raises StreamBrokenError for an error that the stream carries, ValueError for what is not of this dialect.
        """

    @abstractmethod
    def whole(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """An answer that was not streamed, as OpenAI's object. Raises StreamBrokenError or ValueError as `feed` does."""


def reported(name: str, words: str) -> StreamBrokenError:
    """The error for one that an answer carries; `words` are the provider's, without secrets."""
    message = f"{name} reported an error instead of an answer"
    log_text = f"{message}: {words[:MESSAGE_LIMIT] or 'it does not say which'}"
    return StreamBrokenError(message, log_text=log_text, reported=True)
