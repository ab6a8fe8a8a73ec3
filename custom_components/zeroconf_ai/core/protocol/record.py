"""A provider's advertisement: `ServiceRecord` ↔ the TXT record, in our format and in Saturn's (docs/protocol.md, section 1).

Data from the network is untrusted: values are truncated, control characters removed, and invalid records refused with
`RecordError`. Sizes follow RFC 6763, 6.1-6.4; the limit of 1200 bytes for all strings together lets a record fit into an Ethernet
frame.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
import re
from typing import Self
from uuid import UUID, uuid5

from yarl import URL

from .addresses import unmapped
from .values import clean

SERVICE_TYPE = "_zeroconfai._tcp.local."
SATURN_TYPE = "_saturn._tcp.local."
SERVICE_TYPES = (SERVICE_TYPE, SATURN_TYPE)

PROTOCOL_VERSION = "1.0"
PROTOCOL_MAJOR = 1
SATURN_MAJORS = (1, 2)

DEFAULT_PRIORITY = 100
MAX_STRING = 255
MAX_TXT = 1200
MAX_ADDRESSES = 16
"""Maximum number of addresses of one advertisement, each of which may be probed."""
_MAX_ID = 64
_NAMESPACE = UUID("5b0f3a52-6a0e-5c0c-9a55-0f2f8a4d8f10")


class RecordError(ValueError):
    """An invalid advertisement; the message gives the reason."""


class VersionError(RecordError):
    """An advertisement of an unsupported protocol version."""


class Capability(StrEnum):
    """A capability of a provider or a model."""

    COMPLETION = "completion"
    STREAMING = "streaming"
    EMBEDDINGS = "embeddings"
    VISION = "vision"
    TOOLS = "tools"
    JSON = "json"
    AUDIO = "audio"
    IMAGE_GENERATION = "image_generation"
    """It makes images from texts."""
    TRANSCRIPTION = "transcription"
    """It writes down what a recording says. A provider with such a model or one for speech also has `audio`."""
    SPEECH = "speech"
    """It speaks texts."""


MAX_CONTACT = 120
"""Characters of `admin`, so that the models have room."""


def is_contact(text: str) -> bool:
    """Whether a text can be advertised as the contact of the administrator."""
    return 0 < len(text) <= MAX_CONTACT and text.isprintable()


class Auth(StrEnum):
    """How a caller authenticates."""

    NONE = "none"
    TOKEN = "token"
    MTLS = "mtls"


class Cost(StrEnum):
    """How requests are billed."""

    FREE = "free"
    METERED = "metered"
    SUBSCRIPTION = "subscription"
    UNKNOWN = "unknown"


class Placement(StrEnum):
    """Where the inference runs: TXT key `backend`."""

    LOCAL = "local"
    PROXY = "proxy"
    CLOUD = "cloud"
    """Saturn's `cloud`: clients connect directly to the upstream that the record names."""


class Load(StrEnum):
    """The load of a provider."""

    IDLE = "idle"
    BUSY = "busy"
    FULL = "full"
    """New requests are queued."""


DEFAULT_CAPABILITIES = frozenset({Capability.COMPLETION, Capability.STREAMING})

_PRIVATE_SUFFIXES = (
    ".local", ".localhost", ".localdomain", ".internal", ".intranet", ".private", ".lan", ".home", ".corp", ".home.arpa"
)  # fmt: skip
_DOMAIN = re.compile(r"(?:[a-z0-9-]{1,63}\.)+[a-z][a-z0-9-]{1,62}\.?")
"""Labels, the last of which begins with a letter: resolvers treat `127.1` and `10.0.0.0x1` as addresses."""
_LOCAL_HOST = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63})*\.local\.?", re.IGNORECASE)
"""The host names that mDNS resolves. Any other text could be `localhost` or contain a URL."""
_NEGATIVE = frozenset({"none", "no", "0", "false", "off", "open", "anonymous", "disabled"})
"""Values of `auth`, `tls` and `mtrunc` that deny them. Any other value affirms them, which is the careful reading."""
_SATURN_COST = {"paid": Cost.METERED, "free": Cost.FREE, "unknown": Cost.UNKNOWN}
_SATURN_PLACEMENT = {"network": Placement.PROXY, "local": Placement.LOCAL, "cloud": Placement.CLOUD}
_SATURN_FEATURES = {"chat": Capability.COMPLETION, "function_calling": Capability.TOOLS, "images": Capability.VISION}


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """One advertisement. `addresses` starts with those that are most likely reachable."""

    name: str
    """Instance name without the service type."""
    host: str
    """Host name, `something.local.`"""
    port: int
    addresses: tuple[IPv4Address | IPv6Address, ...] = ()
    service_type: str = SERVICE_TYPE
    id: str = ""
    id_derived: bool = False
    """Whether the record has no `id`, so that `id` was derived from instance name and host."""
    version: str = PROTOCOL_VERSION
    models: tuple[str, ...] = ()
    models_truncated: bool = False
    provider: str = "custom"
    capabilities: frozenset[Capability] = DEFAULT_CAPABILITIES
    capabilities_stated: bool = True
    """False: the record lists none, so these are the protocol's default; the server may have more."""
    auth: Auth = Auth.NONE
    priority: int = DEFAULT_PRIORITY
    cost: Cost = Cost.FREE
    placement: Placement = Placement.LOCAL
    admin: str | None = None
    tls: bool = False
    fingerprint: str | None = None
    """SHA-256 of the server certificate, base64url."""
    sealed_token: str | None = field(default=None, repr=False)
    context_window: int | None = None
    load: Load | None = None
    """None: unknown."""
    api_base: str | None = None
    """Saturn: the base URL, if it passed `_checked_api_base`."""
    ephemeral_key: str | None = field(default=None, repr=False)
    """Saturn: a short-lived bearer token for `api_base`. It is neither stored nor logged."""

    @classmethod
    def from_txt(
        cls,
        txt: Mapping[str, str | None],
        *,
        name: str,
        host: str,
        port: int | None,
        addresses: Iterable[str | IPv4Address | IPv6Address] = (),
        service_type: str = SERVICE_TYPE,
        srv_priority: int = 0,
    ) -> Self:
        """Parse an advertisement of either service type. Raises RecordError (VersionError for an unknown major version)."""
        if not port or not 0 < port <= 65535:
            raise RecordError(f"invalid port {port}")
        saturn = service_type == SATURN_TYPE
        values = {key.lower(): value for key, raw in reversed(list(txt.items())) if (value := clean(raw or ""))}
        version = _version(values, saturn=saturn)
        instance, host = clean(name, 63), clean(host)
        identity = "".join(char for char in values.get("id", "") if char.isalnum() or char in "-_.:")[:_MAX_ID]
        if identity and "v" in values:
            # A record of a Saturn server has the machine's id, which several providers with different names may share.
            identity = str(uuid5(_NAMESPACE, f"{identity}/{instance}"))
        try:
            found = tuple(_ordered(ip_address(address) for address in addresses))
        except ValueError as err:
            raise RecordError(f"invalid address: {err}") from None
        if not found and not _LOCAL_HOST.fullmatch(host):
            raise RecordError(f"no address, and {host!r} is not a host name of the local network")
        return cls(
            name=instance,
            host=host,
            port=port,
            addresses=found,
            service_type=service_type,
            id=identity or str(uuid5(_NAMESPACE, f"{instance}@{host}")),
            id_derived=not identity,
            version=version,
            models=tuple(dict.fromkeys(_listed(values.get("models", "")))),
            models_truncated=values.get("mtrunc", "0").lower() not in _NEGATIVE,
            provider=_provider(values),
            capabilities=_capabilities(values) or DEFAULT_CAPABILITIES,
            # Saturn's servers advertise "chat" if no capabilities are configured.
            capabilities_stated=_capabilities(values) not in (frozenset(), {Capability.COMPLETION} if saturn else None),
            auth=_auth(values.get("auth")),
            priority=_priority(values.get("priority"), srv_priority),
            cost=_cost(values.get("cost")),
            placement=_placement(values),
            admin=values.get("admin"),
            tls=values.get("tls", "0").lower() not in _NEGATIVE,
            fingerprint=values.get("fp"),
            sealed_token=values.get("tok"),
            context_window=_count(values.get("context")),
            load=_load(values.get("load")),
            api_base=_checked_api_base(values.get("api_base"), found),
            ephemeral_key=values.get("ephemeral_key"),
        )

    def to_txt(self) -> dict[str, str]:
        """The TXT record in our format, with as many models as fit. Raises RecordError if it is too long even without models."""
        fixed = {
            "version": PROTOCOL_VERSION,
            "id": self.id,
            "provider": self.provider,
            "capabilities": ",".join(sorted(self.capabilities)),
            "auth": self.auth.value,
            "priority": str(self.priority),
            "cost": self.cost.value,
            "backend": self.placement.value,
        }
        optional = {
            "tls": "1" if self.tls else None,
            "fp": self.fingerprint,
            "tok": self.sealed_token,
            "context": str(self.context_window) if self.context_window else None,
            "load": self.load.value if self.load else None,
            "admin": self.admin,
        }
        txt = fixed | {key: value for key, value in optional.items() if value}
        return _with_models(txt, self.models, truncated=self.models_truncated)

    def to_saturn_txt(self) -> dict[str, str]:
        """The TXT record in Saturn's format (docs/protocol.md, section 1). Raises RecordError as `to_txt` does."""
        txt = self.to_txt()
        txt.pop("models", None)
        txt.pop("mtrunc", None)
        txt |= {
            "deployment": "local" if self.placement is Placement.LOCAL else "network",
            "api_type": "openai",
            "features": ",".join(sorted(self.capabilities)),
            "cost": {Cost.FREE: "free", Cost.UNKNOWN: "unknown"}.get(self.cost, "paid"),
        }
        return _with_models(txt, self.models, truncated=self.models_truncated)

    def base_url(self, address: IPv4Address | IPv6Address | str | None = None) -> str:
        """`http(s)://host:port/v1` at `address` (default: the first one, else the host name), or a cloud record's upstream."""
        if self.api_base and self.placement is Placement.CLOUD:
            return self.api_base
        target = address or (self.addresses[0] if self.addresses else self.host.rstrip("."))
        text = str(target)
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{f'[{text}]' if ':' in text else text}:{self.port}/v1"

    @property
    def names_public_host(self) -> bool:
        """Whether `base_url` has a public host name, which must then not resolve to a private address."""
        return self.placement is Placement.CLOUD and names_public_host(self.api_base or "")

    def urls(self) -> tuple[str, ...]:
        """`base_url` at each address, in the order in which to try them."""
        return tuple(dict.fromkeys(map(self.base_url, self.addresses))) or (self.base_url(),)

    def base_urls(self) -> frozenset[str]:
        """`base_url` at each address and by host name."""
        return frozenset(self.base_url(address) for address in (*self.addresses, self.host.rstrip(".")))

    def with_addresses(self, addresses: Iterable[str | IPv4Address | IPv6Address]) -> Self:
        """The same record at other addresses."""
        found = tuple(_ordered(ip_address(address) for address in addresses))
        return replace(self, addresses=found, api_base=_checked_api_base(self.api_base, found))


def _version(values: Mapping[str, str], *, saturn: bool) -> str:
    """The record's version. Saturn has `v=2` or `version=…` and its own major versions. Raises VersionError.

    The servers of the original project, which have `api` and no `id`, have its versions under both service types.
    """
    version = (values.get("version") or values.get("v") or PROTOCOL_VERSION).removeprefix("v")
    major, _, _ = version.partition(".")
    if not major.isdecimal():
        raise VersionError(f"invalid protocol version {version!r}")
    original = saturn or ("api" in values and "id" not in values)
    if int(major) not in (SATURN_MAJORS if original else (PROTOCOL_MAJOR,)):
        raise VersionError(f"protocol version {version} is not supported, only {PROTOCOL_MAJOR}.x: update this program")
    return version


def _ordered(addresses: Iterable[IPv4Address | IPv6Address]) -> list[IPv4Address | IPv6Address]:
    """Usable addresses, those that are most likely reachable first."""
    meant = {address: unmapped(address) for address in addresses}
    usable = [address for address, plain in meant.items() if not (plain.is_unspecified or plain.is_multicast)]
    likely = sorted(usable, key=lambda address: (meant[address].is_loopback, address.is_link_local, address.version))
    return likely[:MAX_ADDRESSES]


def _listed(value: str) -> list[str]:
    return [item for part in value.split(",") if (item := part.strip())]


def _auth(value: str | None) -> Auth:
    """How a caller authenticates. An unknown word is a method that needs a key: prompts must not go there without being asked."""
    word = (value or "none").lower()
    return Auth.NONE if word in _NEGATIVE else _member(Auth, word, Auth.TOKEN)


def _cost(value: str | None) -> Cost:
    """How requests are billed. An unknown word is not free."""
    word = (value or "free").lower()
    return _SATURN_COST.get(word) or _member(Cost, word, Cost.UNKNOWN)


def _member[E: StrEnum](kind: type[E], word: str, default: E) -> E:
    return kind(word) if word in kind else default


def _load(value: str | None) -> Load | None:
    word = (value or "").lower()
    return Load(word) if word in Load else None


def _provider(values: Mapping[str, str]) -> str:
    return (values.get("provider") or values.get("api_type") or values.get("api") or "custom").lower()[:32]


def _capabilities(values: Mapping[str, str]) -> frozenset[Capability]:
    named = _listed(values.get("capabilities") or values.get("caps") or values.get("features") or "")
    known = {
        _SATURN_FEATURES[word] if word in _SATURN_FEATURES else Capability(word)
        for word in map(str.lower, named)
        if word in _SATURN_FEATURES or word in Capability
    }
    return frozenset(known)


def _placement(values: Mapping[str, str]) -> Placement:
    """Where the inference runs. An unknown word does not mean this network, in which prompts stay."""
    saturn = (values.get("deployment") or values.get("dep") or "").lower()
    if saturn:
        return _SATURN_PLACEMENT.get(saturn, Placement.PROXY)
    return _member(Placement, values.get("backend", Placement.LOCAL).lower(), Placement.PROXY)


def _priority(value: str | None, srv_priority: int) -> int:
    if value is not None and value.isdecimal():
        return min(int(value), 65535)
    return srv_priority or DEFAULT_PRIORITY


def _count(value: str | None) -> int | None:
    return int(value) if value and value.isdecimal() and 0 < int(value) < 10**9 else None


def _checked_api_base(url: str | None, own: tuple[IPv4Address | IPv6Address, ...]) -> str | None:
    """`url` if it is https to a public host name or one of the advertising host's own addresses (`own`), else None.

    An advertisement must not direct prompts to a loopback or link-local address or to the private address of another host.
    """
    text = (url or "").rstrip("/")
    try:
        parsed = URL(text)  # aiohttp's parser: others parse some hosts differently
        host, port = parsed.raw_host or "", parsed.port
    except ValueError:
        return None
    if parsed.scheme not in ("http", "https") or not port or "@" in text or parsed.raw_query_string or parsed.raw_fragment:
        return None
    try:
        address = ip_address(host)
    except ValueError:
        return str(parsed) if parsed.scheme == "https" and _is_public_name(host) else None
    return str(parsed) if address in own and not unmapped(address).is_loopback else None


def names_public_host(url: str) -> bool:
    """Whether a URL's host has the form of a public host name."""
    return _is_public_name(URL(url).raw_host or "")


def _is_public_name(host: str) -> bool:
    return _DOMAIN.fullmatch(host) is not None and not host.rstrip(".").endswith(_PRIVATE_SUFFIXES)


def _with_models(txt: dict[str, str], models: tuple[str, ...], *, truncated: bool) -> dict[str, str]:
    """`txt` with as many models as fit, and `mtrunc=1` if some are missing. Raises RecordError."""
    for key, value in txt.items():
        if _size(key, value) > MAX_STRING:
            raise RecordError(f"{key} is longer than {MAX_STRING} bytes: shorten it")
    room = MAX_TXT - sum(1 + _size(key, value) for key, value in txt.items()) - len("mtrunc=1") - 2
    if room < 0:
        raise RecordError(f"the TXT record is longer than {MAX_TXT} bytes even without its models: shorten admin")
    kept: list[str] = []
    for model in models:
        listed = ",".join([*kept, model])
        if "," in model or _size("models", listed) > min(MAX_STRING, room):
            truncated = True
            break
        kept.append(model)
    if kept:
        txt = txt | {"models": ",".join(kept)}
    return txt | {"mtrunc": "1"} if truncated else txt


def _size(key: str, value: str) -> int:
    return len(f"{key}={value}".encode())
