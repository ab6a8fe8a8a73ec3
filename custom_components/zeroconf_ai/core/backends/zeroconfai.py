"""A LAN provider, discovered or entered by its address, with this project's protocol or a similar one (PROTOCOL 1 and 2).

Tolerant: servers of the original protocol and Saturn's lack paths, wrap lists differently and require a key for public paths.
"""

import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, override
from urllib.parse import urlencode

import aiohttp

from ..dialects.openai.cache_control import without_cache_marks, without_extras
from ..dialects.openai.expected import Expected
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
from ..protocol.hosted_tools import HostedDialect
from ..protocol.models import ModelInfo, parse_models
from ..protocol.record import Capability, ServiceRecord
from ..protocol.request import Kind, Request
from ..protocol.status import Health, ProviderStatus
from ..protocol.values import mapping
from .answer_errors import lacks_path, no_edits
from .audio_paths import AudioPaths
from .base import Answer, Backend, BackendInfo, Endpoint, ImageEdits, Ssl, Timeouts
from .http import HttpUpstream
from .media import ImageGate
from .message_forms import MessageForms
from .openai.image_edits import edit_form
from .voices import Voices

MAX_CONNECTIONS = 5
"""Maximum parallel requests to a peer (PROTOCOL 3), unless its status names another number."""


def fingerprint_ssl(fingerprint: str) -> aiohttp.Fingerprint:
    """The check of a pinned certificate. Raises ValueError if `fingerprint` is not base64url of 32 bytes."""
    return aiohttp.Fingerprint(base64.urlsafe_b64decode(fingerprint + "=" * (-len(fingerprint) % 4)))


def endpoint_of_record(record: ServiceRecord, *, key: str | None = None) -> Endpoint:
    """The endpoint in an advertisement. Raises ValueError for an invalid fingerprint."""
    ssl: Ssl = fingerprint_ssl(record.fingerprint) if record.tls and record.fingerprint else True
    return Endpoint(record.base_url(), key or record.ephemeral_key, ssl, public_only=record.names_public_host)


class NotAProviderError(ApiError):
    """The server at the address is not a provider."""


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
        """`session` is shared and stays open; `gate` fetches images by URL instead of the provider."""
        self._info = info
        self._gate = gate or ImageGate()
        self._upstream = HttpUpstream(session, endpoint, name=info.name, timeouts=timeouts)
        self.identity: str | None = None
        """The confirmed id of the provider, if there is one."""
        self.answered_as: str | None = None
        """The id in the last response, if there was one."""
        self.relocate: Callable[[], Awaitable[bool]] | None = None
        """Switches to another advertised address that answers; returns False if none may be used."""
        self._health_wants_key = False
        self._offers_status = True
        self._lists_models = True
        self._takes_stream_options = True
        self._edits_images = True
        self._forms = MessageForms()
        self._voices = Voices()
        self._audio = AudioPaths()

    @override
    def __repr__(self) -> str:
        """Id and address."""
        return f"<ZeroconfAIBackend {self._info.id} at {self.base_url}>"

    @property
    @override
    def info(self) -> BackendInfo:
        return self._info

    @property
    @override
    def hosted_dialects(self) -> frozenset[HostedDialect]:
        # In a chat: the gateway passes them on to its own backends if the key is granted them there.
        return frozenset({HostedDialect.CHAT, HostedDialect.GEMINI})

    @property
    @override
    def image_edits(self) -> ImageEdits:
        return ImageEdits.YES if self._edits_images else ImageEdits.NO

    @property
    def base_url(self) -> str:
        """Its current address."""
        return self._upstream.base_url

    @property
    def home_page(self) -> str | None:
        """The address of its server for people; None if no browser reaches it."""
        return self.base_url.removesuffix("/v1")

    @property
    @override
    def address(self) -> str:
        return self.base_url

    @property
    def endpoint(self) -> Endpoint:
        """Its current endpoint."""
        return self._upstream.endpoint

    @property
    def key(self) -> str | None:
        """Its API key."""
        return self._upstream.key

    @property
    def timeouts(self) -> Timeouts:
        """Its timeouts; a new value applies from the next request on."""
        return self._upstream.timeouts

    @timeouts.setter
    def timeouts(self, timeouts: Timeouts) -> None:
        self._upstream.timeouts = timeouts

    def update_record(self, record: ServiceRecord) -> None:
        """Update the info from a new advertisement, except for the address, which must be verified first."""
        self._info = replace(
            self._info,
            capabilities=record.capabilities if record.capabilities_stated else None,
            priority=record.priority,
            cost=record.cost,
            placement=record.placement,
            advertised_models=record.models,
        )
        self._offers_status = True

    def authorize(self, key: str) -> None:
        """Use another key at the same address from the next request on."""
        self._upstream.endpoint = replace(self._upstream.endpoint, key=key)

    def renew_key_by(self, renew: Callable[[], Awaitable[bool]]) -> None:
        """Call `renew` after a 401. If it returns True it has set another key, with which the request is repeated once."""
        self._upstream.renew_key = renew

    def move(self, endpoint: Endpoint) -> None:
        """Use another endpoint from the next request on."""
        self._upstream.endpoint = endpoint
        self._health_wants_key = False
        self._offers_status = True

    @property
    @override
    def max_concurrent(self) -> int:
        return MAX_CONNECTIONS

    @override
    async def health(self) -> Health:
        """Check its address, and if that is unreachable, its other advertised addresses."""
        try:
            return await self._health_here()
        except (UpstreamConnectionError, UpstreamTimeoutError, NotAProviderError):
            if self.relocate is None or not await self.relocate():
                raise
        return await self._health_here()

    async def _health_here(self) -> Health:
        """Check without the key first: the server must identify itself before it gets the key."""
        try:
            health = await _health(self._upstream, self._audio, secret=self._health_wants_key)
        except AuthenticationError:
            if self._health_wants_key or not self.key:
                raise
            health = await _health(self._upstream, self._audio)
            self._health_wants_key = True  # Saturn's servers
        self.answered_as = health.id
        if self.identity is not None and health.id not in (None, self.identity):
            raise IdentityChangedError(
                "a different provider answers at the confirmed address",
                log_text=f"a different provider answers at the confirmed address {self.base_url}",
            )
        return health

    @override
    async def models(self) -> tuple[ModelInfo, ...]:
        advertised = tuple(ModelInfo(model) for model in self._info.advertised_models)
        try:
            listed = parse_models(await self._upstream.get_json("/models"))
        except (NotFoundError, MethodNotAllowedError):
            found = advertised or await self._audio.described(self._upstream, ())
            self._lists_models = bool(found)
            return found
        self._lists_models = True
        self._edits_images = True  # it may have been updated
        listed = listed or advertised
        if self.answered_as is None:  # another protocol than this project's, whose servers state what their models can do
            listed = await self._audio.described(self._upstream, listed)
        if Capability.AUDIO not in (self._info.capabilities or ()) or any(model.is_audio for model in listed):
            return listed
        try:  # a gateway's own engines are in this list only
            return (*listed, *parse_models(await self._upstream.get_json("/audio/models")))
        except ApiError:
            return listed

    @property
    @override
    def lists_models(self) -> bool:
        return self._lists_models

    @override
    async def status(self) -> ProviderStatus | None:
        if not self._offers_status:
            return None
        try:
            return ProviderStatus.parse(await self._upstream.get_json("/status"))
        except (NotFoundError, MethodNotAllowedError, TypeError):
            self._offers_status = False  # optional: 404 means "not offered" until the next advertisement
            return None

    async def usage(self, query: Mapping[str, str]) -> Mapping[str, Any]:
        """The usage that a gateway recorded, as an administrator or the owner of the key may see it. Raises ApiError."""
        return mapping(await self._upstream.get_json(f"/usage?{urlencode(query)}"))

    @override
    async def send(self, request: Request) -> Answer:
        if request.kind.is_audio:
            return await self._voices.send(self._upstream, request, _headers(request))
        return await self._forms.send(await self._gate.embed(request), self._post)

    @override
    async def voices(self, model: str) -> Mapping[str, str]:
        return await self._voices.of(self._upstream, model)

    async def _post(self, request: Request) -> Answer:
        headers = _headers(request)
        # Only servers with this protocol report an id. Others may reject unknown fields, as their backends may.
        request = without_cache_marks(request) if self.answered_as is None else without_extras(request)
        path = f"/{request.kind.value}"
        if request.kind is Kind.IMAGE_EDITS:
            return await self._edit_images(request, path, headers)
        expected = Expected.by(request) if request.kind.writes else None
        if not (request.stream and "stream_options" in request.body):
            return await self._upstream.post(
                path, request.dump(), stream=request.stream, headers=headers, max_bytes=request.answer_bytes, expected=expected
            )
        if self._takes_stream_options:
            try:
                return await self._upstream.post(path, request.dump(), stream=True, headers=headers, expected=expected)
            except InvalidRequestError as err:
                if "stream_options" not in f"{err.param} {err.message}":
                    raise
                self._takes_stream_options = False
        plain = request.with_body(stream_options=None)
        return await self._upstream.post(path, plain.dump(), stream=True, headers=headers, expected=expected)

    async def _edit_images(self, request: Request, path: str, headers: Mapping[str, str]) -> Answer:
        try:
            return await self._upstream.post(
                path, edit_form(request), stream=False, headers=headers, max_bytes=request.answer_bytes
            )
        except ApiError as err:
            if not lacks_path(err):
                raise
        self._edits_images = False
        raise no_edits(self._info.name)


def _headers(request: Request) -> dict[str, str]:
    headers = {}
    if request.request_id:
        headers["X-Request-ID"] = request.request_id
    if request.via:
        headers["Via"] = ", ".join(f"1.1 {hop}" for hop in request.via)
    return headers


async def probe(session: aiohttp.ClientSession, endpoint: Endpoint, name: str, timeouts: Timeouts | None = None) -> Health:
    """The health of the provider at an address. Raises an ApiError if none answers.

    AuthenticationError: a provider is reachable but requires a key; Saturn's servers do even here. NotAProviderError: another
    kind of server answers.
    """
    return await _health(HttpUpstream(session, endpoint, name=name, timeouts=timeouts), AudioPaths())


async def _health(upstream: HttpUpstream, audio: AudioPaths, *, secret: bool = True) -> Health:
    """`/health`, or the model list of an OpenAI-compatible server without that path, or the paths of one for speech.

    `secret`: with the key.
    """
    try:
        return Health.parse(await upstream.get_json("/health", secret=secret))
    except (NotFoundError, MethodNotAllowedError):
        pass
    try:
        listed = await upstream.get_json("/models")
        if parse_models(listed) or mapping(listed).get("object") == "list":  # an empty list: no model is installed yet
            return Health()
    except (NotFoundError, MethodNotAllowedError):
        if await audio.described(upstream, ()):
            return Health()
    raise NotAProviderError(f"{upstream.name} answers, but is not an LLM provider: it has neither /v1/health nor /v1/models")
