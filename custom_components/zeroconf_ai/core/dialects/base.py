"""Base classes and helpers of all dialects: `ResponseWriter` towards clients, `Translator` towards backends."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from ..protocol import json, sse
from ..protocol.chunks import Chunk
from ..protocol.errors import ApiError, InvalidRequestError, UpstreamError
from ..protocol.request import Request
from ..protocol.sse import SSEEvent
from ..protocol.tool_calls import ToolCall, is_complete
from ..protocol.usage import Usage
from ..protocol.values import mapping
from .house_server import HouseCall, HouseServer
from .reasoning import details_of


class ResponseWriter(ABC):
    """Converts one answer to a client's dialect: `body`, or for a stream `events` for each batch, then `end` or `failure`."""

    content_type: ClassVar[str] = "text/event-stream"
    """The content type of a stream."""
    ping: bytes = sse.PING
    """Sent to keep a silent stream alive."""
    provider: str = ""
    """Name of the provider, for dialects with a field for it."""
    provider_in_each = False
    """Whether each chunk of OpenAI's format names the provider, instead of the first one."""
    used: Callable[[], Usage] = Usage
    """The usage so far, estimated where the provider has not reported it."""
    dropped_tools: tuple[str, ...] = ()
    """The client's tools that cannot run here, by type."""

    def answer_id(self, upstream: str | None) -> str | None:
        """The id of the answer in this dialect; None if it has none. `upstream` is the id in the chunks."""
        return None

    def add_items(self, _items: Sequence[Mapping[str, Any]]) -> bytes:
        """Add items about calls of the house's tools; returns their events. Only Responses has such items."""
        return b""

    @abstractmethod
    def body(self, completion: Chunk) -> bytes:
        """The JSON body of an answer that is not streamed. Raises an ApiError if the dialect cannot express it."""

    @abstractmethod
    def events(self, batch: list[Chunk]) -> bytes:
        """The events for a batch of chunks; may be empty."""

    @abstractmethod
    def end(self) -> bytes:
        """The events at the end of a complete stream."""

    @abstractmethod
    def failure(self, error: ApiError) -> bytes:
        """The events at the end of a failed stream."""


class ParsedRequest(NamedTuple):
    """A client's request in the internal format, and a factory of the response writer, called with the answering model."""

    request: Request
    writer: Callable[[str], ResponseWriter]
    dropped_tools: tuple[str, ...] = ()
    """The client's tools that cannot run here and were left out, by type. The answer names them."""
    native_writer: Callable[[str], ResponseWriter] | None = None
    """A factory of the response writer for an answer in the client's own dialect."""
    house: HouseServer | None = None
    """What the client's request says of the tools of the house, in its own words."""
    house_calls: tuple[HouseCall, ...] = ()
    """The calls of these tools in the conversation, with their results."""


def first_choice(data: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """(first choice, its delta or message) of a chunk or a complete answer."""
    choices = data.get("choices")
    choice = mapping(choices[0]) if isinstance(choices, list) and choices else {}
    return choice, mapping(choice.get("delta") or choice.get("message"))


def refusal_of(message: Mapping[str, Any]) -> str:
    """The text of a refusal, which OpenAI separates from the content; "" if the model did not refuse."""
    return refusal if isinstance(refusal := message.get("refusal"), str) else ""


def signed_reasoning(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The `reasoning_details` with signed or encrypted reasoning."""
    return [detail for detail in details_of(message) if detail.get("signature") or detail.get("data")]


def parse_arguments(call: ToolCall) -> dict[str, Any]:
    """The arguments as an object. Raises UpstreamError if they are invalid, since a tool must not run with other arguments."""
    if not call.arguments.strip():
        return {}
    parsed = json.loads(call.arguments) if is_complete(call.arguments) else None
    if not isinstance(parsed, dict):
        raise UpstreamError(f"The model called {call.name} with arguments that are not a JSON object.")
    return parsed


def sent_arguments(given: object, param: str) -> Mapping[str, Any]:
    """The arguments of a tool call in a request as an object. Raises InvalidRequestError, which names `param`."""
    if isinstance(given, Mapping):
        return given
    if given is None or (isinstance(given, str) and not given.strip()):
        return {}
    try:
        parsed = json.loads(given if isinstance(given, str) else b"")
    except json.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        raise InvalidRequestError(f"{param}.arguments must be a JSON object as text.", param=f"{param}.arguments")
    return parsed


def event_objects(event: SSEEvent) -> list[dict[str, Any]]:
    """The objects of an event of a stream, mostly one; none if the event only keeps the connection alive.

    Raises ValueError for anything else than an object or a list of objects.
    """
    try:
        parsed = json.loads(event.data)
    except json.DepthError:
        raise
    except json.JSONDecodeError:
        if event.data.startswith((b"{", b"[{")):
            raise ValueError("an event that is not JSON") from None
        return []
    objects = parsed if isinstance(parsed, list) else [] if parsed in (None, "") else [parsed]
    if not all(isinstance(item, dict) for item in objects):
        raise ValueError("an event that is not a JSON object")
    return objects


class Translator(ABC):
    """Translates one answer of a backend to OpenAI's format. Holds the state of one stream, so each request needs a new one."""

    begun = False
    """Whether the model has begun to answer. From then on the timeout between tokens applies."""
    complete = False
    """Whether the model reported that it has finished, so that the stream may end."""
    done = False
    """Whether nothing follows, so that the stream need not be read further."""

    @property
    def usage(self) -> Usage | None:
        """The usage reported so far, or None."""
        return None

    @abstractmethod
    def feed(self, data: bytes) -> list[Chunk]:
        """Return the chunks that `data` completes; b"" is the end of the stream.

        Raises an ApiError for an error in the stream (`reported_error`), ValueError for invalid data.
        """

    @abstractmethod
    def completion(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Translate an answer that is not streamed. Raises an ApiError or ValueError as `feed` does."""
