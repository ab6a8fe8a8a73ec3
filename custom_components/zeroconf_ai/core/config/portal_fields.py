"""The section of a file about the portal: `portal:`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
import re
from typing import Any, Final
from urllib.parse import urlsplit

from ..accounting.keys.client_key import LARGEST_RATE, SCOPES
from ..protocol.addresses import url_parts
from .connection_fields import resolve_secret
from .document import Value, suggestion
from .fields import camel
from .server_fields import given_values

KEYS = ("portal",)
"""The keys read by this module."""
PORTAL: Final = (
    "public_url",
    "issuer",
    "client_id",
    "client_secret",
    "client_secret_file",
    "scopes",
    "groups_claim",
    "allow",
    "keys",
    "provider_name",
)
ALLOW: Final = ("subjects", "groups", "domains")
"""The lists of which one must contain a person."""
PORTAL_KEYS: Final = (
    "limit",
    "models",
    "endpoints",
    "background",
    "home_only",
    "valid_days",
    "requests_per_minute",
    "tokens_per_minute",
    "parallel",
    "monthly_budget",
)
SCOPES_OF_PROVIDER: Final = ("openid", "profile", "email")
WELL_KNOWN: Final = "/.well-known/openid-configuration"
MOST_KEYS: Final = 100
MOST_DAYS: Final = 3650
MOST_MONTHLY: Final = 1_000_000.0
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,255}")
"""RFC 6749, section 3.3."""
_DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+")


@dataclass(frozen=True, slots=True)
class AllowList:
    """The people who may use the portal: those who are in at least one of the lists."""

    subjects: frozenset[str] = frozenset()
    """`sub` of single people."""
    groups: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    """Domains of verified mail addresses, in lower case; their subdomains are others."""


@dataclass(frozen=True, slots=True)
class KeySettings:
    """What a person may have. The limits apply to each key."""

    limit: int = 1
    """How many keys."""
    models: tuple[str, ...] = ()
    """Patterns; empty: all."""
    endpoints: tuple[str, ...] = ()
    """The allowed endpoint groups (`SCOPES`); empty: all."""
    background: bool = False
    home_only: bool = False
    valid_days: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    parallel: int | None = None
    monthly_budget: float | None = None
    """The budget of each person per month, in whole units of the currency; None: unlimited."""


@dataclass(frozen=True, slots=True)
class PortalSettings:
    """The settings of the portal."""

    public_url: str
    """The origin under which people reach it, such as `https://ai.example.net`."""
    issuer: str
    client_id: str
    allow: AllowList
    client_secret: str | None = field(default=None, repr=False)
    """None: a public client, which has only PKCE."""
    client_secret_file: str | None = None
    """The file that contains the secret."""
    scopes: tuple[str, ...] = SCOPES_OF_PROVIDER
    groups_claim: str = "groups"
    """The claim that names the groups of a person."""
    keys: KeySettings = KeySettings()
    provider_name: str | None = None
    """How the page calls the OpenID provider; None: by its host."""


def read_portal(sections: Mapping[str, Value], environment: Mapping[str, str]) -> PortalSettings | None:
    """Read `portal:`; None if the file has no such section. Raises ConfigError, also without anybody who is allowed."""
    if "portal" not in sections:
        return None
    section = sections["portal"]
    given = given_values(section, PORTAL)
    for needed in ("public_url", "issuer", "client_id"):
        if needed not in given:
            raise section.error(f"the portal needs `{needed}:`.")
    if "allow" not in given:
        raise section.error("the portal needs `allow:` with `subjects:`, `groups:` or `domains:`: it does not let in everybody.")
    secret, file = _secret(given, environment)
    scopes = given["scopes"].texts("name at least openid") if "scopes" in given else SCOPES_OF_PROVIDER
    if "openid" not in scopes or not all(map(_SCOPE.fullmatch, scopes)):
        raise given["scopes"].error("the scopes must be words without spaces, and one of them openid.")
    return PortalSettings(
        _public_url(given["public_url"]),
        _issuer(given["issuer"]),
        given["client_id"].text(),
        _allow_list(given["allow"]),
        secret,
        file,
        scopes,
        given["groups_claim"].text() if "groups_claim" in given else "groups",
        _keys(given["keys"]) if "keys" in given else KeySettings(),
        given["provider_name"].text() if "provider_name" in given else None,
    )


def portal_schema() -> dict[str, Any]:
    """The JSON Schema of `portal:`."""
    text, flag = {"type": "string"}, {"type": "boolean"}
    texts = {"type": "array", "items": text}
    rate = {"type": "integer", "minimum": 1, "maximum": LARGEST_RATE}
    keys = {
        "limit": {"type": "integer", "minimum": 1, "maximum": MOST_KEYS},
        "models": texts,
        "endpoints": {"type": "array", "items": {"enum": list(SCOPES)}},
        "background": flag,
        "home_only": flag,
        "valid_days": {"type": "integer", "minimum": 1, "maximum": MOST_DAYS},
        **dict.fromkeys(("requests_per_minute", "tokens_per_minute", "parallel"), rate),
        "monthly_budget": {"type": "number", "minimum": 0, "maximum": MOST_MONTHLY},
    }
    both = dict.fromkeys(PORTAL, text) | {"scopes": texts, "allow": _object(dict.fromkeys(ALLOW, texts)), "keys": _object(keys)}
    return _object(both)


def is_loopback(host: str) -> bool:
    """Whether a host is a loopback address or `localhost`: only these are allowed without TLS, for trying things out."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    both = {name: schema for key, schema in properties.items() for name in (key, camel(key))}
    return {"type": "object", "properties": both, "additionalProperties": False}


def _has_tls(value: Value, text: str, what: str) -> str:
    """The URL without its last slash. Raises ConfigError unless it has TLS, or leads to this machine."""
    parts = url_parts(text)
    if parts is None or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise value.error(f"{what} must be a URL such as https://ai.example.net.")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise value.error(f"{what} must begin with https://. Only this machine's own address may do without.")
    return text


def _public_url(value: Value) -> str:
    text = _has_tls(value, value.text().rstrip("/"), "public_url")
    parts = urlsplit(text)
    if parts.path:
        raise value.error("public_url must have no path: the portal is at /portal/ of it.")
    return f"{parts.scheme}://{parts.netloc}".lower()


def _issuer(value: Value) -> str:
    """The issuer; the address of its description is understood too."""
    return _has_tls(value, value.text().removesuffix(WELL_KNOWN), "issuer")


def _secret(given: Mapping[str, Value], environment: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The client's secret, and the file that contains it."""
    if "client_secret" in given and "client_secret_file" in given:
        raise given["client_secret"].error("client_secret and client_secret_file mean the same; keep one of them.")
    if "client_secret_file" in given:
        return None, given["client_secret_file"].text()
    if "client_secret" not in given:
        return None, None
    secret, missing = resolve_secret(given["client_secret"], environment)
    if secret is None:
        raise given["client_secret"].error(f"the variable {missing} is not set. Set it in the environment.")
    return secret, None


def _allow_list(value: Value) -> AllowList:
    given = value.fields(ALLOW)
    found = {name: frozenset(entry.texts("add an entry, or delete the line")) for name, entry in given.items()}
    if not found:
        raise value.error("allow needs `subjects:`, `groups:` or `domains:`: the portal does not let in everybody.")
    domains = frozenset(domain.lower().removeprefix("@") for domain in found.get("domains", ()))
    if not all(map(_DOMAIN.fullmatch, domains)):
        raise given["domains"].error("a domain must be the part of mail addresses behind the @, such as example.net.")
    return AllowList(found.get("subjects", frozenset()), found.get("groups", frozenset()), domains)


def _keys(value: Value) -> KeySettings:
    given = given_values(value, PORTAL_KEYS)
    endpoints = given["endpoints"].texts("name one, or delete the line") if "endpoints" in given else ()
    for word in endpoints:
        if word not in SCOPES:
            raise given["endpoints"].error(f"an endpoint is not known. {suggestion(word, SCOPES)}")

    def rate(name: str) -> int | None:
        return given[name].whole(1, LARGEST_RATE) if name in given else None

    def is_on(name: str) -> bool:
        return given[name].flag() if name in given else False

    return KeySettings(
        given["limit"].whole(1, MOST_KEYS) if "limit" in given else 1,
        given["models"].texts("name one, or delete the line") if "models" in given else (),
        endpoints,
        is_on("background"),
        is_on("home_only"),
        given["valid_days"].whole(1, MOST_DAYS) if "valid_days" in given else None,
        rate("requests_per_minute"),
        rate("tokens_per_minute"),
        rate("parallel"),
        given["monthly_budget"].number(0.0, MOST_MONTHLY) if "monthly_budget" in given else None,
    )
