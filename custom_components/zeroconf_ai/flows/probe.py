"""Probes the addresses of a provider, and maps failures to flow errors."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
import re
import time
from urllib.parse import urlsplit

import aiohttp

from ..core.backends.base import BackendInfo, Endpoint, Ssl
from ..core.backends.locate import locate
from ..core.backends.zeroconfai import NotAProviderError, endpoint_of_record, probe
from ..core.config.backend_types import BackendType
from ..core.config.base_paths import base_path
from ..core.lan.open_port import accepts_connections
from ..core.presence.provider_backend import ProviderBackend
from ..core.presence.server_kinds import SERVER_KINDS, ServerKind
from ..core.protocol.errors import (
    ApiError,
    AuthenticationError,
    CertificateError,
    ClientCertificateError,
    IdentityChangedError,
    InvalidRequestError,
    PermissionDeniedError,
    UpstreamConnectionError,
    UpstreamError,
)
from ..core.protocol.models import ModelInfo, best_model
from ..core.protocol.reasons import status_reason
from ..core.protocol.record import PROTOCOL_MAJOR, ServiceRecord
from ..core.protocol.status import Health, ProviderStatus
from ..core.routing.pool.health import CheckResult

_FIRST_PORTS = (8000, 11434, 1234, 8080, 4000)
USUAL_PORTS = (*dict.fromkeys((*_FIRST_PORTS, *(port for kind in SERVER_KINDS for port in kind.ports))), None)
"""The ports tried for a bare host: the first that the protocol recommends, which is vLLM's too, then those of Ollama, LM Studio,
llama.cpp and LocalAI, LiteLLM, the other kinds of servers, and the standard web port."""
_CONNECT_SECONDS = 2.0
"""Maximum time for a connection to a usual port: a reachable host of the same network accepts it at once."""

_HOST = re.compile(r"[\w.:%-]+")
_ENDINGS = ("/models", "/health", "/status")

CANNOT_CONNECT = "cannot_connect"
IDENTITY_MISMATCH = "identity_mismatch"
INVALID_AUTH = "invalid_auth"
INVALID_CERTIFICATE = "invalid_certificate"
INVALID_RECORD = "invalid_record"
INVALID_URL = "invalid_url"
MOVED = "moved"
NEEDS_KEY = "needs_key"
NEEDS_TLS = "needs_tls"
NO_MODELS = "no_models"
NOT_ALLOWED = "not_allowed"
NOT_A_PROVIDER = "not_a_provider"
UNIQUE_ID_MISMATCH = "unique_id_mismatch"
UNSUPPORTED_VERSION = "unsupported_version"

_TRY_NEXT_ADDRESS = (NO_MODELS, NOT_A_PROVIDER, CANNOT_CONNECT)
"""Errors after which another address of the provider is tried; the most informative one comes first."""
_REFUSED = (NEEDS_KEY, INVALID_AUTH)


class Problem(Exception):
    """A provider cannot be used. `key` is the flow error, `reason` its placeholder."""

    def __init__(self, key: str, reason: str = "") -> None:
        """`reason` is shown, so it must not contain secrets."""
        super().__init__(f"{key}: {reason}")
        self.key = key
        self.placeholders = {"reason": reason}
        self.base_url: str | None = None
        """The address that requires an API key."""
        self.wants_certificate = False
        """Whether the provider requires a client certificate."""
        self.kind: ServerKind | None = None
        """The kind of server that refuses requests without a valid API key; None if it is unknown."""


@dataclass(frozen=True, slots=True)
class ProbedProvider:
    """A provider that answered and can be used."""

    endpoint: Endpoint
    health: Health
    models: tuple[ModelInfo, ...]
    best: ModelInfo | None
    """The default model of a new agent; None if it has models for speech only."""
    id: str | None
    """The reported id; None if the server reports none."""
    status: ProviderStatus | None
    latency: float
    """Duration of the health check in seconds."""
    kind: ServerKind | None = None
    """The recognized kind of server; None for this project's protocol and for unknown kinds."""

    @property
    def check(self) -> CheckResult:
        """The answers as the result of a health check."""
        return CheckResult(self.health, self.models, self.status, self.latency)


@dataclass(frozen=True, slots=True)
class KnownProvider:
    """A configured provider that is probed again. Its API key is sent only to the same address or a proven identity."""

    id: str | None
    base_url: str
    key: str | None = field(default=None, repr=False)
    chosen: BackendType | None = None
    """The backend type that its owner has chosen; None: the server is recognized."""
    token: Callable[[Endpoint], Awaitable[str | None]] | None = None
    """Gives the household token that the server at an endpoint proves; None for a provider that uses none."""


def base_urls(address: str, port: int | None = None, *, tls: bool = False) -> tuple[str, ...]:
    """The base URLs that an entered address may stand for, most likely first. Raises Problem for an invalid one.

    A host name, an IP address or a URL, with or without port and path; `port` overrides the one in it, a scheme in it overrides
    `tls`. The path of an endpoint (`/v1/models`) is cut off.
    """
    scheme, named, rest = address.strip().partition("://")
    if not named:
        scheme, rest = "https" if tls else "http", scheme
    if ":" in rest and _is_ip(rest):
        rest = f"[{rest}]"
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        in_address = parts.port
    except ValueError as err:
        raise Problem(INVALID_URL, "its host or port cannot be read") from err
    host = parts.hostname or ""
    if scheme.lower() not in ("http", "https"):
        raise Problem(INVALID_URL, f"{scheme}:// is not http:// or https://")
    if not _HOST.fullmatch(host) or in_address == 0:
        raise Problem(INVALID_URL, "there is no host name or IP address in it")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise Problem(INVALID_URL, "it must not hold a user name, a question mark or a hash sign")
    ports: tuple[int | None, ...] = (port or in_address,)
    if ports == (None,) and not named:
        ports = USUAL_PORTS
    path = base_path(parts.path)
    for ending in _ENDINGS:
        path = path.removesuffix(ending)
    paths = (path,) if path.endswith("/v1") else (f"{path}/v1", path)
    shown = f"[{host}]" if ":" in host else host
    return tuple(
        f"{scheme.lower()}://{shown}{'' if number is None else f':{number}'}{path}" for number in ports for path in paths
    )


async def probe_endpoint(
    session: aiohttp.ClientSession,
    endpoint: Endpoint,
    name: str,
    *,
    advertised: tuple[str, ...] = (),
    known: KnownProvider | None = None,
    identify: bool = False,
) -> ProbedProvider:
    """Probe one address. Raises Problem; with `identify`, it has the kind of a server that requires an API key.

    With `known`, a server with another id is rejected before an API key is sent. Without a new key, the stored one is sent to
    the known address, and to the known id.
    """
    chosen = None if known is None else known.chosen
    if known is not None:
        reported = None if chosen is not None else await _reported_id(session, endpoint, name)
        _compare(reported, known.id)
        same = endpoint.base_url == known.base_url or (reported is not None and reported == known.id)
        if endpoint.key is None and same:
            endpoint = replace(endpoint, key=known.key)
        if endpoint.key is None and known.token is not None:
            endpoint = replace(endpoint, key=await known.token(endpoint))
    backend = ProviderBackend(session, BackendInfo(name, name, advertised_models=advertised), endpoint, chosen=chosen)
    started = time.perf_counter()
    try:
        health = await backend.health()
        latency = time.perf_counter() - started
        models = await backend.models()
    except ApiError as err:
        problem = problem_of(err, keyed=endpoint.key is not None)
        if identify and isinstance(err, AuthenticationError) and chosen is None:
            problem.base_url = endpoint.base_url
            problem.kind = None if (recognized := await backend.identify()) is None else recognized.kind
        raise problem from err
    try:
        status = await backend.status()
    except ApiError:  # the status is optional
        status = None
    identity = health.id or (status.id if status else None)
    if status and status.id and status.version:
        _check_version(status.version)
    if known is not None:
        _compare(identity, known.id)
    best = best_model(models)
    if best is None and not any(model.is_audio for model in models):
        raise Problem(NO_MODELS)
    return ProbedProvider(endpoint, health, models, best, identity, status, latency, backend.kind)


async def probe_urls(
    session: aiohttp.ClientSession,
    urls: Iterable[str],
    *,
    key: str | None = None,
    ssl: Ssl = True,
    name: str | None = None,
    advertised: tuple[str, ...] = (),
    known: KnownProvider | None = None,
) -> ProbedProvider:
    """The provider at the first of `urls` that answers. Raises the most informative Problem if none does."""
    problems: list[Problem] = []
    urls = tuple(urls)
    dead = await _closed(urls)
    for url in urls:
        parts = urlsplit(url)
        if parts.netloc in dead:
            continue
        try:
            endpoint = Endpoint(url, key, ssl)
            shown = name or parts.hostname or url
            return await probe_endpoint(session, endpoint, shown, advertised=advertised, known=known, identify=True)
        except Problem as problem:
            # A refusal by a server of no known kind says little: an inference server may answer on another port.
            is_unknown = problem.kind is None and not problem.wants_certificate
            is_stranger = problem.key in _REFUSED and is_unknown and len(urls) > 2
            if problem.key not in _TRY_NEXT_ADDRESS and not is_stranger:
                raise
            problems.append(problem)
            if is_stranger:
                dead.add(parts.netloc)
            if problem.key == CANNOT_CONNECT:
                dead.add(parts.netloc)
    raise min(problems, key=lambda problem: (*_REFUSED, *_TRY_NEXT_ADDRESS).index(problem.key))


async def _closed(urls: Sequence[str]) -> set[str]:
    """The servers (host and port) that accept no connection. If none does, the first is left out: its probe reports why."""
    servers = list(dict.fromkeys(urlsplit(url).netloc for url in urls))
    if len(servers) == 1:
        return set()
    accepts = await asyncio.gather(*map(_accepts, {urlsplit(url).netloc: url for url in urls}.values()))
    if not any(accepts):
        return set(servers[1:])
    return {server for server, is_open in zip(servers, accepts, strict=True) if not is_open}


async def _accepts(url: str) -> bool:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return await accepts_connections(parts.hostname or "", port, _CONNECT_SECONDS)


async def probe_record(session: aiohttp.ClientSession, record: ServiceRecord, key: str | None = None) -> ProbedProvider:
    """Probe an advertised provider, at the first of its addresses that answers. Raises Problem."""
    try:
        endpoint = endpoint_of_record(record, key=key)
    except ValueError as err:
        raise Problem(INVALID_RECORD, "its certificate fingerprint is invalid") from err
    try:
        located = await locate(session, record)
    except IdentityChangedError as err:
        raise Problem(IDENTITY_MISMATCH) from err
    except ApiError as err:
        raise problem_of(err, keyed=False) from err
    try:
        found = await probe_endpoint(session, replace(endpoint, base_url=located.base_url), record.name, advertised=record.models)
    except Problem as problem:
        problem.base_url = located.base_url
        raise
    if found.id is not None and found.id != record.id and not record.id_derived:
        raise Problem(IDENTITY_MISMATCH)
    return found


async def has_id(session: aiohttp.ClientSession, endpoint: Endpoint, name: str, provider_id: str) -> bool | None:
    """Whether the server reports `provider_id`, without the API key: True, or False for another id or no answer.

    None: a server without an id answers.
    """
    try:
        reported = await _reported_id(session, endpoint, name)
    except Problem:
        return False
    return None if reported is None else reported == provider_id


async def _reported_id(session: aiohttp.ClientSession, endpoint: Endpoint, name: str) -> str | None:
    """The id that the server reports without the API key; None if it reports none. Raises Problem if it does not answer."""
    try:
        return (await probe(session, replace(endpoint, key=None), name)).id
    except AuthenticationError:
        return None
    except ApiError as err:
        raise problem_of(err, keyed=False) from err


def _compare(identity: str | None, expected: str | None) -> None:
    if identity is not None and expected is not None and identity != expected:
        raise Problem(UNIQUE_ID_MISMATCH)


def problem_of(err: ApiError, *, keyed: bool) -> Problem:
    """The flow error of a failed request; `keyed`: an API key was sent."""
    if isinstance(err, AuthenticationError):
        problem = Problem(INVALID_AUTH if keyed else NEEDS_KEY)
        problem.wants_certificate = isinstance(err, ClientCertificateError)
        return problem
    if isinstance(err, PermissionDeniedError):
        return Problem(NOT_ALLOWED, reason_of(err))
    if isinstance(err, CertificateError):
        return Problem(INVALID_CERTIFICATE, reason_of(err))
    if err.code == "https_required":
        return Problem(NEEDS_TLS)
    foreign = isinstance(err, UpstreamError) and not isinstance(err, UpstreamConnectionError) and err.upstream_status is None
    redirected = err.upstream_status is not None and 300 <= err.upstream_status < 400
    if foreign or redirected or isinstance(err, NotAProviderError | InvalidRequestError):
        return Problem(NOT_A_PROVIDER, reason_of(err))
    return Problem(CANNOT_CONNECT, reason_of(err))


def reason_of(err: ApiError) -> str:
    """A standard reason for a form; texts of the server are not shown."""
    status = err.upstream_status
    return err.message if status is None or 300 <= status < 400 else f"the provider {status_reason(status)}"


def _check_version(version: str) -> None:
    """Raise Problem for an unknown major version of the protocol."""
    major = version.partition(".")[0]
    if major.isdecimal() and int(major) > PROTOCOL_MAJOR:
        raise Problem(UNSUPPORTED_VERSION, f"It speaks protocol version {version}, this integration {PROTOCOL_MAJOR}.x.")


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
