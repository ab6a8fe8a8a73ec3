"""`Guard`: who has a key, or is known to Home Assistant; or who is at home, with browsers kept from being used against it.

What each check is for stands in docs/security.md.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
import hmac
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
import re
import time
from typing import override
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from ...accounting.keys.key_store import KeyStore
from ...engine import Caller, Source
from ...protocol.errors import AuthenticationError, PermissionDeniedError, RateLimitError, UnsupportedMediaTypeError
from ...protocol.key_proof import digest
from ...protocol.record import Auth
from .auth import Access, needed_key, presented_key
from .auth_throttle import AuthThrottle
from .cors import Origins

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
"""Names that nobody can own in the public DNS: reserved (RFC 6761, 6762, 8375; ICANN, 2024), or never delegated."""
_HOST = re.compile(r"(?:\[([^\]]*)\]|([^:]*))(?::\d*)?")
"""An IPv6 address or a name, and a port."""
_JSON, _FORM = "application/json", "multipart/form-data"
_FORM_SCOPE = "audio"
"""The scope of the paths that take files."""


@dataclass(frozen=True, slots=True)
class HomeUser:
    """A user of Home Assistant, whom it has recognised by itself."""

    id: str
    name: str
    admin: bool = False


class Guard(Access):
    """In mode `token`, lets in who has a key or is a user of Home Assistant; in mode `none`, who is at home too.

    Keys and users are known in both modes: they stand in for what is asked of requests without, and a key's limits hold.
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
        remote: Callable[[web.Request], bool] | None = None,
        device_name: Callable[[str], str | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`key` is one for all, beside those of `keys`. The rest is for requests without one, where none is needed.

        `networks` (CIDR) may ask; `host_names` are this server's, beyond those that are private by nature; `origins` are those
        of web pages that may ask (`https://chat.example.net`, or `*`); `proxies` (CIDR) are believed in `X-Forwarded-For`;
        `remote` tells a request from outside whose address does not show it; `device_name` knows devices by address.
        `active_user` says whether the user with an id may still ask: keys do not outlive their users. Raises ValueError for what
        is no network or origin.
        """
        self._keys = keys
        self._open = mode is Auth.NONE
        self._digest = digest(key) if key else None
        self._networks = tuple(ip_network(text, strict=False) for text in networks)
        self._host_names = frozenset(name.casefold().rstrip(".") for name in host_names)
        self._origins = Origins(origins)
        self._proxies = tuple(ip_network(text, strict=False) for text in proxies)
        self._home_user = home_user
        self._active_user = active_user
        self._remote = remote
        self._device_name = device_name
        self._throttle = AuthThrottle(clock)

    @property
    @override
    def required(self) -> bool:
        return not self._open

    @override
    async def admit(self, request: web.Request, scope: str) -> Caller:
        caller = self._recognized(request, scope)
        if caller.key_id is not None and caller.user_id is not None and self._active_user is not None:
            if not await self._active_user(caller.user_id):
                message = "The user of this key is deactivated or deleted in Home Assistant. Use another key."
                raise PermissionDeniedError(message, code="key_disabled")
        return caller

    def _recognized(self, request: web.Request, scope: str) -> Caller:
        """Who asks. Raises as `admit` does."""
        if self._home_user is not None and (user := self._home_user(request)) is not None:
            return Caller(Source.HTTP, user.name, user_id=user.id, username=user.name, address=request.remote, admin=user.admin)
        if self._open:
            secret = presented_key(request.headers)
            try:
                if secret is not None:
                    return self._keyholder(secret, request, scope)
            except AuthenticationError:
                pass  # programs that must send some key send anything
            return self._at_home(request, scope)
        try:
            return self._keyholder(needed_key(request.headers), request, scope)
        except AuthenticationError as err:
            if err.code != AuthenticationError.default_code:
                raise  # none was sent: that is no guess
            self._slow_down(request.remote)
            raise

    @override
    def masked(self, key_id: str) -> str | None:
        key = self._keys.get(key_id) if self._keys is not None else None
        return f"{key.prefix}…" if key is not None else None

    @override
    def proof_digest(self, kid: bytes) -> bytes | None:
        return self._keys.proof_digest(kid) if self._keys is not None else None  # `key` was chosen by its owner

    def _keyholder(self, secret: str, request: web.Request, scope: str) -> Caller:
        """Whose key it is. Raises AuthenticationError for an unknown one, PermissionDeniedError for what its key may not do."""
        if self._digest is not None and hmac.compare_digest(digest(secret), self._digest):
            return Caller(Source.HTTP, request.remote or "", address=request.remote)
        if self._keys is None:
            raise AuthenticationError("Invalid API key.")
        key = self._keys.verify(secret)
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
            background=key.background,
        )

    def _slow_down(self, address: str | None) -> None:
        """Note a wrong key. Raises RateLimitError for an address that sent many; a right one gets in from there all the same."""
        wait = self._throttle.failed(address)
        if wait:
            message = f"Too many wrong keys came from {address}. Check the key, and try again in {wait:.0f} s."
            raise RateLimitError(message, code="too_many_wrong_keys", retry_after=wait)

    def _at_home(self, request: web.Request, scope: str) -> Caller:
        """Who asks without a key. Raises PermissionDeniedError or UnsupportedMediaTypeError where that may not be answered."""
        if self._remote is not None and self._remote(request):
            raise PermissionDeniedError("A request from outside the home needs a key. Send one.", code="network_not_allowed")
        address = self._address(request)
        if not _within(address, self._networks):
            message = f"{address} is in none of the networks that may ask without a key. Send a key, or allow its network."
            raise PermissionDeniedError(message, code="network_not_allowed")
        self._check_browser(request)
        if request.method == hdrs.METH_POST:
            kind = request.content_type
            if kind != _JSON and not (scope == _FORM_SCOPE and kind == _FORM):
                message = "A request without a key needs the header 'Content-Type: application/json'. Send it, or a key."
                raise UnsupportedMediaTypeError(message)
        known = None if self._device_name is None else self._device_name(str(address))
        return Caller(Source.HTTP, known or str(address), address=str(address))

    def _address(self, request: web.Request) -> Address:
        """Where a request comes from, behind proxies that are believed. Raises PermissionDeniedError where nobody can know."""
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
            message = "This came through a proxy that is not trusted here, so a key is needed. Send one."
            raise PermissionDeniedError(message, code="network_not_allowed") from None
        return address

    def _check_browser(self, request: web.Request) -> None:
        """Raises PermissionDeniedError for what a web page makes a browser of this home send.

        Another site's page is known by its `Origin`; one that turned its own name into this server's address (DNS rebinding) has
        no foreign origin, but still its name in `Host`.
        """
        host = request.headers.get(hdrs.HOST, "").casefold()
        if host and not self._is_ours(host):
            message = f"{host!r} is no name of this server. Use its address, send a key, or add the name to its host names."
            raise PermissionDeniedError(message, code="host_not_allowed")
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None or self._origins.allow(origin) or (host and urlsplit(origin).netloc.casefold() == host):
            return
        raise PermissionDeniedError(
            "A web page of another site asked for this. Add its origin to the allowed ones, or send a key.",
            code="origin_not_allowed",
        )

    def _is_ours(self, host: str) -> bool:
        """Whether a `Host` can only mean this server: an address, a name without a domain, a private one, a configured one."""
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
    """Raises ValueError for what is no address. IPv4 clients of an IPv6 socket count as what they are."""
    address = ip_address(text)
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)
