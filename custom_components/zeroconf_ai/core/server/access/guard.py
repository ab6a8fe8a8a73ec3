"""`Guard`: accepts API keys, users of Home Assistant and, if configured, devices of the home network without a key.

docs/security.md explains each check.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
import hmac
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
import re
import time
from typing import override

from aiohttp import hdrs, web

from ...accounting.keys.certificates import UnknownCertificateError
from ...accounting.keys.client_key import ClientKey
from ...accounting.keys.key_store import KeyStore
from ...engine import Caller, Source
from ...protocol.addresses import url_parts
from ...protocol.errors import AuthenticationError, PermissionDeniedError, RateLimitError, UnsupportedMediaTypeError
from ...protocol.household import CALLER_ID, SCOPES
from ...protocol.key_proof import digest
from ...protocol.presented_key import presented_key
from ...protocol.record import Auth
from .auth import Access, required_key
from .auth_throttle import AuthThrottle
from .cors import Origins
from .devices import AllowedDevices
from .household import HouseholdTokens
from .peer_certificate import peer_digest

type Network = IPv4Network | IPv6Network
type Address = IPv4Address | IPv6Address

PRIVATE_NETWORKS = (
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
)
"""Loopback, RFC 1918, link-local (RFC 3927, RFC 4291) and unique local addresses (RFC 4193)."""

_HOME_SUFFIXES = (".localhost", ".local", ".internal", ".home.arpa", ".lan", ".home")
"""Domains that cannot be registered in the public DNS: reserved (RFC 6761, 6762, 8375; ICANN, 2024), or never delegated."""
_HOST = re.compile(r"(?:\[([^\]]*)\]|([^:]*))(?::\d*)?")
"""An IPv6 address or a name, and an optional port."""
_JSON, _FORM = "application/json", "multipart/form-data"
_FORM_SCOPE = "audio"
"""The scope of the paths that accept file uploads."""

HOUSEHOLD = "Household"
"""The name of callers with a household token."""
BLOCKED = "An administrator has blocked this user. Ask an administrator."
"""What a blocked user is told."""


@dataclass(frozen=True, slots=True)
class HomeUser:
    """A user whom Home Assistant has authenticated."""

    id: str
    name: str
    admin: bool = False


class Guard(Access):
    """In mode `token`, accepts keys and users of Home Assistant; in mode `none`, also requests without a key from home.

    In both modes, a valid key or a user replaces the checks of requests without a key, and a key's limits apply. A client
    certificate that the keys know counts as its key, whatever else is sent. Mode `mtls` accepts only these and users.
    """

    def __init__(
        self,
        keys: KeyStore | None = None,
        *,
        mode: Auth = Auth.TOKEN,
        key: str | None = None,
        networks: Iterable[str] = PRIVATE_NETWORKS,
        host_names: Iterable[str] = (),
        origins: Iterable[str] = (),
        proxies: Iterable[str] = (),
        home_user: Callable[[web.Request], HomeUser | None] | None = None,
        active_user: Callable[[str], Awaitable[bool]] | None = None,
        blocked_user: Callable[[str], Awaitable[bool]] | None = None,
        remote: Callable[[web.Request], bool] | None = None,
        device_name: Callable[[str], str | None] | None = None,
        household: HouseholdTokens | None = None,
        devices: AllowedDevices | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`key` is a shared key, in addition to those of `keys`. `networks` to `proxies` apply to requests without a key.

        `networks` (CIDR) are allowed; `host_names` are names of this server, in addition to private ones; `origins` are allowed
        origins of web pages (`https://chat.example.net`, or `*`); `proxies` (CIDR) are trusted to set `X-Forwarded-For`;
        `remote` returns whether a request comes from outside the home although its address is local; `device_name` returns the
        name of a device by its address; `active_user` returns whether the user with an id is still active, because a key is
        invalid without its user; `blocked_user` returns whether the owner has blocked the user with an id; `household` issues the
        tokens of the household; `devices`: which of the networks' devices need no key (None: all). Raises ValueError
        for an invalid network or origin.
        """
        self._keys = keys
        self._mode = mode
        self._digest = digest(key) if key else None
        self._networks = tuple(ip_network(text, strict=False) for text in networks)
        self._host_names = frozenset(name.casefold().rstrip(".") for name in host_names)
        self._origins = Origins(origins)
        self._proxies = tuple(ip_network(text, strict=False) for text in proxies)
        self._home_user = home_user
        self._active_user = active_user
        self._blocked_user = blocked_user
        self._remote = remote
        self._device_name = device_name
        self._household = household
        self._devices = devices
        self._throttle = AuthThrottle(clock)

    @property
    @override
    def required(self) -> bool:
        return self._mode is not Auth.NONE

    @property
    @override
    def mode(self) -> Auth:
        return self._mode

    @override
    async def admit(self, request: web.Request, scope: str) -> Caller:
        caller = await self._identify(request, scope)
        if caller.key_id is not None and caller.user_id is not None and self._active_user is not None:
            if not await self._active_user(caller.user_id):
                message = "The user of this key is deactivated or deleted, or may not have keys any more. Use another key."
                raise PermissionDeniedError(message, code="key_disabled")
        if caller.user_id is not None and self._blocked_user is not None and await self._blocked_user(caller.user_id):
            raise PermissionDeniedError(BLOCKED, code="user_blocked")
        return caller

    async def _identify(self, request: web.Request, scope: str) -> Caller:
        """The caller. Raises as `admit` does."""
        if self._home_user is not None and (user := self._home_user(request)) is not None:
            return Caller(Source.HTTP, user.name, user_id=user.id, username=user.name, address=request.remote, admin=user.admin)
        certificate = peer_digest(request.transport)
        if certificate is not None and self._keys is not None and self._keys.knows_certificate(certificate):
            return self._caller_of(self._keys.verify_certificate(certificate), request, scope)
        if self._mode is Auth.MTLS:
            if certificate is not None:
                raise UnknownCertificateError
            message = "This server needs a client certificate. Get one with 'zeroconf-ai enroll HOST'."
            raise AuthenticationError(message, code="missing_certificate")
        if self._mode is Auth.NONE:
            secret = presented_key(request.headers)
            try:
                if secret is not None:
                    return await self._key_caller(secret, request, scope)
            except AuthenticationError:
                pass  # programs that cannot send requests without a key send a made-up one
            return self._keyless_caller(request, scope)
        try:
            return await self._key_caller(required_key(request), request, scope)
        except AuthenticationError as err:
            if err.code != AuthenticationError.default_code:
                raise  # a missing key is not a guess
            self._record_invalid_key(request.remote)
            raise

    @override
    def masked(self, key_id: str) -> str | None:
        key = self._keys.get(key_id) if self._keys is not None else None
        return f"{key.prefix}…" if key is not None else None

    @override
    def proof_digest(self, kid: bytes) -> bytes | None:
        # No proof for `key`: it was chosen, not generated.
        own = self._keys.proof_digest(kid) if self._keys is not None else None
        return self._household.proof_digest(kid) if own is None and self._household is not None else own

    async def _key_caller(self, secret: str, request: web.Request, scope: str) -> Caller:
        """A key's caller. Raises AuthenticationError for an invalid key, PermissionDeniedError for one without this scope."""
        if self._digest is not None and hmac.compare_digest(digest(secret), self._digest):
            return Caller(Source.HTTP, request.remote or "", address=request.remote)
        if self._household is not None and self._household.accepts(secret):
            if scope not in SCOPES:
                message = f"A household token may not use {request.path}. Use an API key."
                raise PermissionDeniedError(message, code="endpoint_not_allowed")
            return Caller(Source.HTTP, HOUSEHOLD, key_id=CALLER_ID, address=request.remote)
        if self._keys is None:
            raise AuthenticationError("Invalid API key.")
        try:
            key = self._keys.verify(secret)
        except AuthenticationError:
            await self._keys.look_up(secret)
            key = self._keys.verify(secret)
        return self._caller_of(key, request, scope)

    def _caller_of(self, key: ClientKey, request: web.Request, scope: str) -> Caller:
        """The caller with a valid key or client certificate. Raises PermissionDeniedError if the key has not this scope."""
        if key.endpoints and scope not in key.endpoints:
            message = f"This key may not use {request.path}, only: {', '.join(key.endpoints)}."
            raise PermissionDeniedError(message, code="endpoint_not_allowed")
        return Caller(
            Source.HTTP,
            key.name,
            key_id=key.id,
            user_id=key.user_id,
            address=request.remote,
            models=key.models,
            llm_apis=key.llm_apis,
            hosted_tools=key.hosted_tools,
            background=key.background,
            home_rule=key.home_rule,
            admin=key.admin,
        )

    def _record_invalid_key(self, address: str | None) -> None:
        """Record an invalid key. Raises RateLimitError for an address that sent many; valid keys are still accepted from it."""
        wait = self._throttle.failed(address)
        if wait:
            message = f"Too many invalid API keys were sent from {address}. Check the key, and try again in {wait:.0f} s."
            raise RateLimitError(message, code="too_many_wrong_keys", retry_after=wait)

    def _keyless_caller(self, request: web.Request, scope: str) -> Caller:
        """The caller of a request without a key. Raises PermissionDeniedError or UnsupportedMediaTypeError if it needs one."""
        address = self._local_address(request)
        self._check_browser(request)
        if request.method == hdrs.METH_POST:
            kind = request.content_type
            if kind != _JSON and not (scope == _FORM_SCOPE and kind == _FORM):
                message = "A request without a key needs the header 'Content-Type: application/json'. Send it, or a key."
                raise UnsupportedMediaTypeError(message)
        known = None if self._device_name is None else self._device_name(str(address))
        return Caller(Source.HTTP, known or str(address), address=str(address))

    @override
    def check_page(self, request: web.Request) -> None:
        self._check_browser(request)
        if request.content_type != _JSON:
            raise UnsupportedMediaTypeError("Send JSON, with the header 'Content-Type: application/json'.")

    @override
    def check_network(self, request: web.Request) -> None:
        self._local_address(request)

    @override
    def client_address(self, request: web.Request) -> str | None:
        try:
            return str(self._address(request))
        except PermissionDeniedError:
            return request.remote

    def _local_address(self, request: web.Request) -> Address:
        """The client's address in a network that needs no key. Raises PermissionDeniedError for another one."""
        if self._remote is not None and self._remote(request):
            raise PermissionDeniedError("A request from outside the home needs an API key.", code="network_not_allowed")
        address = self._address(request)
        if not _within(address, self._networks):
            message = f"{address} is not in a network that is allowed without an API key. Send a key, or allow its network."
            raise PermissionDeniedError(message, code="network_not_allowed")
        if self._devices is not None:
            self._devices.check(address)
        return address

    def _address(self, request: web.Request) -> Address:
        """The client's address, also behind trusted proxies. Raises PermissionDeniedError if it cannot be determined."""
        hops = [hop.strip() for line in request.headers.getall("X-Forwarded-For", ()) for hop in line.split(",")]
        peer = request.transport.get_extra_info("peername") if request.transport is not None else None
        try:
            address = _parsed(peer[0] if isinstance(peer, tuple) else "")
            for hop in reversed(hops):
                if not _within(address, self._proxies):
                    raise ValueError
                address = _parsed(hop)
            if "Forwarded" in request.headers:
                raise ValueError
        except ValueError:
            message = "A request through a proxy that is not trusted needs an API key."
            raise PermissionDeniedError(message, code="network_not_allowed") from None
        return address

    def _check_browser(self, request: web.Request) -> None:
        """Raise PermissionDeniedError for a request that a web page of another site made a browser of this home send.

        `Origin` names such a site. A site whose own name resolves to this server's address (DNS rebinding) has the same origin,
        but its name is in `Host`.
        """
        host = request.headers.get(hdrs.HOST, "").casefold()
        if host and not self._is_own_host(host):
            message = f"{host!r} is not a host name of this server. Use its address, send an API key, or add the name."
            raise PermissionDeniedError(message, code="host_not_allowed")
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None or self._origins.allow(origin):
            return
        site = url_parts(origin)
        if host and site is not None and site.netloc.casefold() == host:
            return
        raise PermissionDeniedError(
            "A web page of another site sent this request. Add its origin to the allowed origins, or send an API key.",
            code="origin_not_allowed",
        )

    def _is_own_host(self, host: str) -> bool:
        """Whether a `Host` can only mean this server: an address, a name without a domain, a private or a configured name."""
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = (found[1] or found[2]).rstrip(".")
        if "." not in name and ":" not in name:
            return bool(name)
        if name.endswith(_HOME_SUFFIXES) or name in self._host_names:
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return True


def _parsed(text: str) -> Address:
    """The address; IPv4 for an IPv4 client of an IPv6 socket. Raises ValueError for an invalid one."""
    address = ip_address(text)
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)
