"""`ProviderBackend`: the server at a provider's address, used through its native API.

A server with this project's protocol is a `ZeroconfAIBackend`. Other servers are recognized by their signature (`server_kinds`).
Their native API reports more than OpenAI's: Ollama's context window, the queue of vLLM or llama.cpp.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
import logging
from typing import override

import aiohttp

from ..backends.base import Answer, Backend, BackendInfo, Endpoint, ImageEdits, Timeouts
from ..backends.http import HttpUpstream
from ..backends.media import ImageGate
from ..backends.model_control import ModelControl
from ..backends.ollama.backend import OllamaOptions
from ..backends.zeroconfai import NotAProviderError, ZeroconfAIBackend
from ..config.backend_types import BACKEND_TYPES, BackendType
from ..protocol.errors import (
    ApiError,
    AuthenticationError,
    PermissionDeniedError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamTimeoutError,
)
from ..protocol.hosted_tools import HostedDialect
from ..protocol.models import ModelInfo
from ..protocol.record import Placement
from ..protocol.request import Request
from ..protocol.status import Health, ProviderStatus
from .server_kinds import SERVER_KINDS, UNKNOWN_KIND, Recognized, ServerKind, recognize
from .server_signatures import Page

_LOGGER = logging.getLogger(__name__)

_MAX_BYTES = 4 * 1024 * 1024
_MAX_DOUBTS = 3
"""Attempts to recognize a server that does not answer every path in time; then the stored kind stays."""


@dataclass(frozen=True, slots=True)
class _Native:
    """A server's native API."""

    type: BackendType
    backend: Backend
    kind: ServerKind | None
    """The recognized kind of server; None: the owner has chosen the type."""


class ProviderBackend(ZeroconfAIBackend):
    """A provider, discovered or entered by its address. Health checks recognize its kind of server."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        info: BackendInfo,
        endpoint: Endpoint,
        *,
        chosen: BackendType | None = None,
        kind: ServerKind | None = None,
        settings: OllamaOptions | None = None,
        gate: ImageGate | None = None,
    ) -> None:
        """`session` is shared and stays open. `chosen`: the backend type that the owner has chosen; None: recognize it.

        `kind`: the kind of server that was recognized last.
        """
        super().__init__(session, info, endpoint, gate=gate)
        self.describe: Callable[[ModelInfo, str], ModelInfo] | None = None
        """Adds published data to the server's data of a model, by its id; None: no published list has its models."""
        self._session = session
        self._first_token: float | None = None
        self._settings = settings or OllamaOptions()
        self._is_recognized = False
        """Whether the kind of server was checked since the server was last unreachable."""
        self._doubts = 0
        self._described: tuple[BackendInfo, BackendInfo] | None = None
        self._native: _Native | None = None
        if chosen is not None:
            self._native = self._native_of(chosen, None)
        elif kind is not None:
            self._native = self._native_of(BACKEND_TYPES[kind.type], kind)

    @property
    def type(self) -> BackendType | None:
        """The backend type with the server's native API; None for this project's protocol, and for servers of no known kind."""
        return None if self._native is None else self._native.type

    @property
    def kind(self) -> ServerKind | None:
        """The recognized kind of server."""
        return None if self._native is None else self._native.kind

    @property
    def settings(self) -> OllamaOptions:
        """How the server holds its models. A new value applies from the next request on."""
        return self._settings

    @settings.setter
    def settings(self, settings: OllamaOptions) -> None:
        if settings != self._settings:
            self._settings = settings
            self._renew()

    @property
    def first_token(self) -> float | None:
        """Maximum seconds to the first token; None: as usual for the server. A new value applies from the next request on."""
        return self._first_token

    @first_token.setter
    def first_token(self, seconds: float | None) -> None:
        if seconds != self._first_token:
            self._first_token = seconds
            self.timeouts = self._limited(Timeouts())
            self._renew()

    def _limited(self, timeouts: Timeouts) -> Timeouts:
        return timeouts if self._first_token is None else replace(timeouts, first_token=self._first_token)

    @property
    @override
    def info(self) -> BackendInfo:
        """Advertised or default properties; with the type's properties for a proxy or a cloud."""
        if self._native is None:
            return self._info
        if self._described is None or self._described[0] is not self._info:
            self._described = (self._info, self._described_as(self._native.type))
        return self._described[1]

    def _described_as(self, backend_type: BackendType) -> BackendInfo:
        usual = backend_type.info(self._info.id, self._info.name)
        found = self._info if self._info.capabilities is not None else replace(self._info, capabilities=usual.capabilities)
        return found if usual.placement is Placement.LOCAL else replace(found, placement=usual.placement, cost=usual.cost)

    @property
    @override
    def model_control(self) -> ModelControl | None:
        return None if self._native is None else self._native.backend.model_control

    @property
    @override
    def hosted_dialects(self) -> frozenset[HostedDialect]:
        return super().hosted_dialects if self._native is None else self._native.backend.hosted_dialects

    @property
    @override
    def image_edits(self) -> ImageEdits:
        return super().image_edits if self._native is None else self._native.backend.image_edits

    @override
    def move(self, endpoint: Endpoint) -> None:
        super().move(endpoint)
        self._is_recognized, self._doubts = False, 0
        self._renew()

    def _renew(self) -> None:
        """Create the native backend again, with the present endpoint and settings. Requests in progress continue."""
        if (native := self._native) is not None:
            self._native = self._native_of(native.type, native.kind)

    def _native_of(self, backend_type: BackendType, kind: ServerKind | None) -> _Native:
        """Without network requests. `backend_type` may have earlier settings of its models."""
        backend_type = backend_type.with_options(self._settings)
        endpoint = self.endpoint if kind is None else replace(self.endpoint, base_url=f"{self._root}{kind.path}")
        made = backend_type.make(self._session, self._info, endpoint, timeouts=self._limited(backend_type.timeouts))
        return _Native(backend_type, made, kind)

    @property
    def _root(self) -> str:
        return self.base_url.removesuffix("/v1")

    @override
    async def health(self) -> Health:
        """Check the server by its native API if that is known. The kind of a server that was unreachable is checked again."""
        if (native := self._native) is not None and (native.kind is None or self._is_recognized):
            try:
                return await native.backend.health()
            except ApiError as err:
                if native.kind is None or isinstance(err, AuthenticationError | PermissionDeniedError):
                    raise
                self._is_recognized, self._doubts = False, 0
                if isinstance(err, UpstreamConnectionError | UpstreamTimeoutError) and not await self._relocated():
                    raise
        try:
            health = await super().health()
        except (UpstreamConnectionError, UpstreamTimeoutError):
            self._is_recognized, self._doubts = False, 0
            raise
        except (NotAProviderError, UpstreamError) as err:
            # Its API may be at another path, which its kind tells.
            if err.upstream_status is not None or self._is_recognized:
                raise
            await self._recognize()
            if self._native is None:
                raise
            return await self._native.backend.health()
        if health.id is not None or health.provider is not None:  # this project's protocol, or a similar one
            self._use(None)
        elif not self._is_recognized:
            await self._recognize()
        return health if self._native is None else await self._native.backend.health()

    async def _relocated(self) -> bool:
        return self.relocate is not None and await self.relocate()

    async def _recognize(self) -> None:
        try:
            async with asyncio.timeout(self._upstream.timeouts.probe):
                found = await recognize(self._get)
        except (TimeoutError, UpstreamConnectionError, UpstreamTimeoutError):
            self._doubts += 1
            self._is_recognized = self._doubts >= _MAX_DOUBTS
            return
        if found is not None and found.is_locked and (self.key is None or found.kind.checks_keys):
            # Some servers list their models for everybody, and refuse all requests without a valid key.
            raise AuthenticationError(f"{self._info.name} requires {'an' if self.key is None else 'another'} API key")
        self._use(None if found is None else found.kind)

    async def identify(self) -> Recognized | None:
        """What the server is, also if it refuses the key; None if it is of no known kind or does not answer in time."""
        try:
            async with asyncio.timeout(self._upstream.timeouts.probe):
                return await recognize(self._get, (*SERVER_KINDS, UNKNOWN_KIND))
        except (TimeoutError, UpstreamConnectionError, UpstreamTimeoutError):
            return None

    def _use(self, kind: ServerKind | None) -> None:
        self._is_recognized = True
        if (None if self._native is None else self._native.kind) is kind:
            return
        self._described = None
        self._native = None if kind is None else self._native_of(BACKEND_TYPES[kind.type], kind)
        _LOGGER.debug("The server at %s is of %s", self.base_url, "no known kind" if kind is None else f"the kind {kind.title}")

    async def _get(self, path: str) -> Page | None:
        """Ask the server for a path below its root; it gets the key only if it requires one. Raises errors of the connection."""
        upstream = HttpUpstream(
            self._session, replace(self.endpoint, base_url=self._root), name=self._info.name, timeouts=self._upstream.timeouts
        )
        page = await self._look(upstream, path, secret=False)
        if page is None or not page.is_refused or upstream.headers() == upstream.headers(secret=False):
            return page
        return await self._look(upstream, path, secret=True)

    async def _look(self, upstream: HttpUpstream, path: str, *, secret: bool) -> Page | None:
        try:
            status, headers, body = await upstream.look(path, secret=secret, limit=_MAX_BYTES)
        except (UpstreamConnectionError, UpstreamTimeoutError):
            raise
        except ApiError:
            return None
        return Page.parse(body, status, headers.get("Server"))

    @override
    async def models(self) -> tuple[ModelInfo, ...]:
        found = await (super().models() if self._native is None else self._native.backend.models())
        return found if self.describe is None else tuple(self.describe(model, model.id) for model in found)

    @override
    async def voices(self, model: str) -> Mapping[str, str]:
        return await (super().voices(model) if self._native is None else self._native.backend.voices(model))

    @property
    @override
    def lists_models(self) -> bool:
        return super().lists_models if self._native is None else self._native.backend.lists_models

    @override
    async def status(self) -> ProviderStatus | None:
        return await (super().status() if self._native is None else self._native.backend.status())

    @override
    async def send(self, request: Request) -> Answer:
        return await (super().send(request) if self._native is None else self._native.backend.send(request))
