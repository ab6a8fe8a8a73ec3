"""A LAN provider: found by mDNS or typed in, speaks this project's protocol or something near it (PROTOCOL 1 and 2).

Read tolerantly: the origin's servers and Saturn's lack paths, wrap lists otherwise and ask for a key where none is needed.
"""

import base64
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import override

import aiohttp

from ..dialects.openai.cache_control import without_cache_marks
from ..protocol.errors import (
    ApiError,
    AuthenticationError,
    IdentityChangedError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    UpstreamConnectionError,
    UpstreamTimeoutError,
)
from ..protocol.models import ModelInfo, parse_models
from ..protocol.record import ServiceRecord
from ..protocol.request import Request
from ..protocol.status import Health, ProviderStatus
from .base import Answer, Backend, BackendInfo, Endpoint, Ssl, Timeouts
from .http import HttpUpstream
from .media import ImageGate

MAX_CONNECTIONS = 5
"""At most so many requests at once to a peer (PROTOCOL 3), unless its status names another number."""


def fingerprint_ssl(fingerprint: str) -> aiohttp.Fingerprint:
    """The check of one certificate. Raises ValueError where `fingerprint` is no base64url of 32 bytes."""
    return aiohttp.Fingerprint(base64.urlsafe_b64decode(fingerprint + "=" * (-len(fingerprint) % 4)))


def endpoint_of_record(record: ServiceRecord, *, key: str | None = None) -> Endpoint:
    """Where an advertisement says that its provider is. Raises ValueError for a fingerprint that is none."""
    ssl: Ssl = fingerprint_ssl(record.fingerprint) if record.tls and record.fingerprint else True
    return Endpoint(record.base_url(), key or record.ephemeral_key, ssl, public_only=record.names_public_host)


class NotAProviderError(ApiError):
    """Something else listens at that address."""


class ZeroconfAIBackend(Backend):
    """A LAN provider."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        info: BackendInfo,
        endpoint: Endpoint,
        *,
        timeouts: Timeouts | None = None,
        gate: ImageGate | None = None,
    ) -> None:
        """`session` is shared and stays open; `gate` fetches images by URL, which the provider would fetch inside the home."""
        self._info = info
        self._gate = gate or ImageGate()
        self._upstream = HttpUpstream(session, endpoint, name=info.name, timeouts=timeouts)
        self.identity: str | None = None
        """The id that must answer, where one was confirmed."""
        self.answered_as: str | None = None
        """The id that answered last, where one was named."""
        self.relocate: Callable[[], Awaitable[bool]] | None = None
        """Moves the backend to an advertised address that answers; False where there is none that may be used."""
        self._health_wants_key = False
        self._offers_status = True
        self._takes_stream_options = True

    @override
    def __repr__(self) -> str:
        """Id and address."""
        return f"<ZeroconfAIBackend {self._info.id} at {self.base_url}>"

    @property
    @override
    def info(self) -> BackendInfo:
        return self._info

    @property
    def base_url(self) -> str:
        """Where it is now."""
        return self._upstream.base_url

    @property
    def endpoint(self) -> Endpoint:
        """Where it is now, and how it is spoken to."""
        return self._upstream.endpoint

    @property
    def key(self) -> str | None:
        """The bearer that it is spoken to with."""
        return self._upstream.key

    @property
    def timeouts(self) -> Timeouts:
        """How long it may take; what is set holds from the next request on."""
        return self._upstream.timeouts

    @timeouts.setter
    def timeouts(self, timeouts: Timeouts) -> None:
        self._upstream.timeouts = timeouts

    def announce(self, record: ServiceRecord) -> None:
        """Take over what a new advertisement says of a provider, all but its address, which must be verified first."""
        self._info = replace(
            self._info,
            capabilities=record.capabilities if record.capabilities_stated else None,
            priority=record.priority,
            cost=record.cost,
            placement=record.placement,
            announced_models=record.models,
        )
        self._offers_status = True

    def move(self, endpoint: Endpoint) -> None:
        """Speak to it at another address from the next request on."""
        self._upstream.endpoint = endpoint
        self._health_wants_key = False
        self._offers_status = True

    @property
    @override
    def max_concurrent(self) -> int:
        return MAX_CONNECTIONS

    @override
    async def health(self) -> Health:
        """Ask it where it is, and where it no longer answers there, at its other addresses."""
        try:
            return await self._health_here()
        except UpstreamConnectionError, UpstreamTimeoutError, NotAProviderError:
            if self.relocate is None or not await self.relocate():
                raise
        return await self._health_here()

    async def _health_here(self) -> Health:
        """Ask without the key first: whoever answers has to show who it is before it is shown to it."""
        try:
            health = await _health(self._upstream, secret=self._health_wants_key)
        except AuthenticationError:
            if self._health_wants_key or not self.key:
                raise
            health = await _health(self._upstream)
            self._health_wants_key = True  # Saturn's servers
        self.answered_as = health.id
        if self.identity is not None and health.id not in (None, self.identity):
            raise IdentityChangedError(
                "another provider answers at its address than the one that was confirmed",
                log_text=f"another provider answers at {self.base_url} than the one that was confirmed",
            )
        return health

    @override
    async def models(self) -> tuple[ModelInfo, ...]:
        try:
            listed = parse_models(await self._upstream.get_json("/models"))
        except NotFoundError, MethodNotAllowedError:
            listed = ()
        return listed or tuple(ModelInfo(model) for model in self._info.announced_models)

    @override
    async def status(self) -> ProviderStatus | None:
        if not self._offers_status:
            return None
        try:
            return ProviderStatus.parse(await self._upstream.get_json("/status"))
        except NotFoundError, MethodNotAllowedError, TypeError:
            self._offers_status = False  # optional: 404 means "not offered"; asked again after a new advertisement
            return None

    @override
    async def send(self, request: Request) -> Answer:
        request = await self._gate.embed(request)
        headers = _headers(request)
        if self.answered_as is None:  # only what speaks this protocol names an id; a plain server may refuse unknown fields
            request = without_cache_marks(request)
        path = f"/{request.kind.value}"
        if not (request.stream and "stream_options" in request.body):
            return await self._upstream.post(
                path, request.dump(), stream=request.stream, headers=headers, most_bytes=request.answer_bytes
            )
        if self._takes_stream_options:
            try:
                return await self._upstream.post(path, request.dump(), stream=True, headers=headers)
            except InvalidRequestError as err:
                if "stream_options" not in f"{err.param} {err.message}":
                    raise
                self._takes_stream_options = False
        plain = request.with_body(stream_options=None)
        return await self._upstream.post(path, plain.dump(), stream=True, headers=headers)


def _headers(request: Request) -> dict[str, str]:
    headers = {}
    if request.request_id:
        headers["X-Request-ID"] = request.request_id
    if request.via:
        headers["Via"] = ", ".join(f"1.1 {hop}" for hop in request.via)
    return headers


async def probe(session: aiohttp.ClientSession, endpoint: Endpoint, name: str, timeouts: Timeouts | None = None) -> Health:
    """Whether a provider answers at an address, and as whom. Raises an ApiError saying why not.

    AuthenticationError means "reachable, needs a key": Saturn's servers ask for one even here. NotAProviderError: something else
    listens there.
    """
    return await _health(HttpUpstream(session, endpoint, name=name, timeouts=timeouts))


async def _health(upstream: HttpUpstream, *, secret: bool = True) -> Health:
    """`/health`, or the models list of a plain OpenAI-compatible server, which has no such path. `secret`: with the key."""
    try:
        return Health.parse(await upstream.get_json("/health", secret=secret))
    except NotFoundError, MethodNotAllowedError:
        pass
    try:
        if parse_models(await upstream.get_json("/models")):
            return Health()
    except NotFoundError, MethodNotAllowedError:
        pass
    raise NotAProviderError(f"{upstream.name} answers, but has neither /v1/health nor models: it is no LLM provider")
