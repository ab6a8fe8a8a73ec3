"""The interface of backends and their answers."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from ssl import SSLContext
from types import MappingProxyType
from typing import override

import aiohttp

from ..protocol.chunks import Chunk
from ..protocol.hosted_tools import HostedDialect
from ..protocol.models import ModelInfo
from ..protocol.record import DEFAULT_PRIORITY, Capability, Cost, Placement
from ..protocol.request import Request
from ..protocol.status import Health, ProviderStatus
from ..protocol.usage import Usage
from .home_address import is_outside
from .model_control import ModelControl

type Ssl = bool | SSLContext | aiohttp.Fingerprint


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Address, API key, TLS and headers of a provider."""

    base_url: str
    key: str | None = None
    ssl: Ssl = True
    """False: certificates are not verified."""
    headers: Mapping[str, str] = MappingProxyType({})
    """Configured headers, which override all others. Their values are secrets, as the key is."""
    public_only: bool = False
    """Whether only connections to public addresses are allowed, because the host comes from an advertisement."""

    @override
    def __repr__(self) -> str:
        """Without the key and the headers."""
        return f"<Endpoint {self.base_url}>"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds (PROTOCOL 3, "Timeouts"). `first_token` covers the time a model takes to load.

    `answer` limits a request that is not streamed: the upstream sends nothing until its model has finished. `silence` limits how
    long a stream may consist of pings and empty chunks only: a model can reason for minutes meanwhile.
    """

    connect: float = 5.0
    first_token: float = 30.0
    between_tokens: float = 60.0
    answer: float = 300.0
    silence: float = 1800.0
    probe: float = 5.0


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """What is known about a backend without a request to it."""

    id: str
    name: str
    capabilities: frozenset[Capability] | None = None
    """None: unknown; all are assumed."""
    priority: int = DEFAULT_PRIORITY
    cost: Cost = Cost.FREE
    placement: Placement = Placement.LOCAL
    advertised_models: tuple[str, ...] = field(default=())
    agent: bool = False
    """Whether it is an agent of this home: `auto` selects it last, and never for a request of another agent of the home."""


class ImageEdits(Enum):
    """Whether a backend edits images."""

    NO = auto()
    WITHOUT_MASK = auto()
    YES = auto()


class Answer(ABC):
    """One upstream's answer to one request, open until `close`.

    A streaming answer is read once through `batches`, any other through `completion`.
    """

    headers: Mapping[str, str] = {}
    native = False
    """Whether the request was passed on in the client's dialect, so that its chunks have their native events."""

    @property
    def usage(self) -> Usage | None:
        """The usage that the upstream has reported so far; None if it reports none before the end."""
        return None

    @abstractmethod
    def batches(self) -> AsyncIterator[list[Chunk]]:
        """The chunks, in groups as they arrive.

        Raises StreamBrokenError if the stream is incomplete, UpstreamTimeoutError if it stalls, and the error that it contains.
        """

    @abstractmethod
    async def completion(self) -> Chunk:
        """The complete answer, parsed once. Raises an ApiError if it is not complete, or contains an error."""

    async def body(self) -> bytes:
        """The JSON of the complete answer."""
        return (await self.completion()).raw

    @abstractmethod
    async def close(self) -> None:
        """Close the upstream connection, which cancels an unfinished answer there. Safe to call twice."""


class SpeechAnswer(Answer):
    """An answer that is audio, which is read once through `parts`."""

    content_type: str
    """The media type of the audio that the upstream states."""

    @abstractmethod
    def parts(self) -> AsyncIterator[bytes]:
        """The audio as it arrives. Raises StreamBrokenError if it is incomplete, UpstreamTimeoutError if it stalls."""

    @override
    async def batches(self) -> AsyncIterator[list[Chunk]]:
        """No chunks."""
        none: tuple[list[Chunk], ...] = ()
        for batch in none:
            yield batch

    @override
    async def completion(self) -> Chunk:
        """An empty object: audio has no other content."""
        return Chunk.of({})


class StaticAnswer(Answer):
    """A complete answer: computed here, or from a server that did not stream."""

    def __init__(self, completion: Chunk, chunks: Iterable[Chunk] = ()) -> None:
        """`completion`: the complete answer; `chunks`: the same as a stream."""
        self._completion = completion
        self._chunks = list(chunks)

    @override
    async def batches(self) -> AsyncIterator[list[Chunk]]:
        """All chunks at once."""
        yield self._chunks

    @override
    async def completion(self) -> Chunk:
        """The complete answer."""
        return self._completion

    @override
    async def close(self) -> None:
        """Nothing is open."""


class WrappedAnswer(Answer):
    """Another answer, parts of which a subclass changes."""

    def __init__(self, answer: Answer) -> None:
        """`close` closes `answer`."""
        self._answer = answer
        self.headers = answer.headers
        self.native = answer.native

    @property
    @override
    def usage(self) -> Usage | None:
        return self._answer.usage

    @override
    def batches(self) -> AsyncIterator[list[Chunk]]:
        return self._answer.batches()

    @override
    async def completion(self) -> Chunk:
        return await self._answer.completion()

    @override
    async def close(self) -> None:
        await self._answer.close()


class ReleasingAnswer(WrappedAnswer):
    """An answer that releases a resource of its backend when it is closed."""

    def __init__(self, answer: Answer, release: Callable[[], None]) -> None:
        """`release` is called once, and must not wait: it runs in the clean-up of cancelled requests."""
        super().__init__(answer)
        self._release: Callable[[], None] | None = release

    @override
    async def close(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            release()
            await super().close()


class Backend(ABC):
    """Anything that a request can be sent to. Stateless between requests: the pool keeps its health."""

    @property
    @abstractmethod
    def info(self) -> BackendInfo:
        """Its description. May change at any time, for example with a new advertisement, except for the id."""

    @property
    def hosted_dialects(self) -> frozenset[HostedDialect]:
        """The dialects in which it passes on requests with hosted tools; elsewhere such tools are left out."""
        return frozenset()

    @property
    def image_edits(self) -> ImageEdits:
        """Whether it edits images, as far as is known."""
        return ImageEdits.NO

    @property
    def model_control(self) -> ModelControl | None:
        """Installs, removes, loads and unloads its models; None if its API cannot."""
        return None

    @property
    def max_concurrent(self) -> int | None:
        """The maximum number of parallel requests, unless its status reports another; None: unlimited."""
        return None

    @property
    def address(self) -> str | None:
        """The base URL to which requests go; None if no server is asked."""
        return None

    async def leaves_home(self) -> bool:
        """Whether requests to it leave the home although its placement is local, such as to a server on the internet."""
        return self.address is not None and await is_outside(self.address)

    @abstractmethod
    async def health(self) -> Health:
        """Check its health with requests that cost nothing. Raises an ApiError if it is not healthy."""

    @abstractmethod
    async def models(self) -> tuple[ModelInfo, ...]:
        """List its models. Raises an ApiError if it cannot."""

    async def voices(self, model: str) -> Mapping[str, str]:
        """The names of a model's voices for speech by id; empty if it lists none. Raises an ApiError if it cannot be asked."""
        return {}

    @property
    def lists_models(self) -> bool:
        """Whether it has a list of models, as of the last call of `models`; without one, it may serve any model."""
        return True

    async def status(self) -> ProviderStatus | None:
        """Its load and usage, or None if it does not offer them. Raises an ApiError on failure."""
        return None

    @abstractmethod
    async def send(self, request: Request) -> Answer:
        """Send a request and return once the upstream has accepted it.

        Raises an ApiError if it has not. Cancellation closes the connection, here as in the answer.
        """

    async def close(self) -> None:
        """Release its resources. The shared session stays open."""
        return
