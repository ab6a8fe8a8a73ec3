"""The sections of a file about the server itself: `server:` and `usage_tracking:`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from typing import Any

from ..accounting.usage.influx import InfluxTarget
from ..protocol.addresses import url_parts
from ..protocol.household import HouseholdCode, HouseholdError
from ..protocol.record import MAX_CONTACT, Auth, is_contact
from .alert_fields import COST_THRESHOLD, SECURITIES, CostAlert, SmtpSettings, is_mail_address, read_alert, read_smtp, smtp_keys
from .connection_fields import resolve_secret
from .document import Value, suggestion
from .fields import camel

KEYS = ("server", "usage_tracking", "usageTracking")
"""The keys read by this module."""
SERVER = (
    "hostname",
    "name",
    "host",
    "port",
    "priority",
    "auth_mode",
    "admin",
    "advertise",
    "saturn",
    "provider_in_chunks",
    "drain_seconds",
    "health_host",
    "health_port",
    "log_format",
    "log_level",
    "access_log",
    "household",
    "household_tokens_per_hour",
    "household_cost_per_hour",
    "tls",
    "tls_certificate",
    "tls_key",
)
MAX_DRAIN_SECONDS = 3600
MOST_HOUSEHOLD_TOKENS = 1_000_000_000
MOST_HOUSEHOLD_COST = 1_000_000.0
USAGE = ("enabled", "storage", "url", "alerts", "influxdb", "smtp")
LOG_LEVELS = ("debug", "info", "warning", "error")
_SQLITE, _POSTGRES, _INFLUXDB = "sqlite", "postgres", "influxdb"
_STORAGES = {_SQLITE: _SQLITE, _POSTGRES: _POSTGRES, "postgresql": _POSTGRES, _INFLUXDB: _INFLUXDB}
_MAX_NAME_BYTES = 63
"""Maximum length of a DNS label (RFC 6763, 4.1.1)."""


class LogFormat(StrEnum):
    """How the log is written."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The settings of the server; None: not configured. Options of the command line go first."""

    name: str | None = None
    host: str | None = None
    """The address to listen on."""
    port: int | None = None
    priority: int | None = None
    auth: Auth | None = None
    admin: str | None = None
    """The contact that is advertised."""
    advertise: bool | None = None
    saturn: bool | None = None
    provider_in_chunks: bool | None = None
    """Whether each chunk of a stream names the provider, instead of the first one."""
    drain_seconds: int | None = None
    """Seconds that running requests may take during a stop."""
    health_host: str | None = None
    health_port: int | None = None
    """Where health and metrics are served apart from the API."""
    log_format: LogFormat | None = None
    log_level: str | None = None
    """One of LOG_LEVELS."""
    access_log: bool | None = None
    """Whether the log has one line for each request."""
    household: str | None = field(default=None, repr=False)
    """The household code (`protocol.household`)."""
    household_tokens_per_hour: int | None = None
    household_cost_per_hour: float | None = None
    tls: bool | None = None
    tls_certificate: str | None = None
    """A PEM file; None: the server makes its certificate itself."""
    tls_key: str | None = None
    """The PEM file with its private key."""


@dataclass(frozen=True, slots=True)
class UsageSettings:
    """What is recorded of requests, and where; None: not configured."""

    enabled: bool | None = None
    database: str | None = field(default=None, repr=False)
    """The file or URL of the database; it may contain a password."""
    influx: InfluxTarget | None = None
    alerts: tuple[CostAlert, ...] = ()
    smtp: SmtpSettings | None = None
    """The server that carries alerts by mail; None: the one of this machine."""


def read_server(sections: Mapping[str, Value], environment: Mapping[str, str]) -> ServerSettings:
    """Read `server:`. Raises ConfigError."""
    if "server" not in sections:
        return ServerSettings()
    given = given_values(sections["server"], SERVER)
    host = name = None
    if "hostname" in given:
        host, name = (text, None) if _is_address(text := given["hostname"].text()) else (None, text)
    if "host" in given:
        host = given["host"].text()
    if "name" in given:
        name = given["name"].text()
    if name is not None and len(name.encode()) > _MAX_NAME_BYTES:
        raise given["name" if "name" in given else "hostname"].error(f"a name must have at most {_MAX_NAME_BYTES} bytes.")
    port = given["port"].whole(1, 65535) if "port" in given else None
    if port is not None and port < 1024:
        given["port"].warn(f"port {port} is unusual: most systems reserve ports below 1024 for their administrator.")
    return ServerSettings(
        name,
        host,
        port,
        given["priority"].whole(0, 65535) if "priority" in given else None,
        _auth(given["auth_mode"]) if "auth_mode" in given else None,
        _contact(given["admin"]) if "admin" in given else None,
        given["advertise"].flag() if "advertise" in given else None,
        given["saturn"].flag() if "saturn" in given else None,
        given["provider_in_chunks"].flag() if "provider_in_chunks" in given else None,
        given["drain_seconds"].whole(0, MAX_DRAIN_SECONDS) if "drain_seconds" in given else None,
        given["health_host"].text() if "health_host" in given else None,
        given["health_port"].whole(1, 65535) if "health_port" in given else None,
        LogFormat(_word(given["log_format"], list(LogFormat))) if "log_format" in given else None,
        _word(given["log_level"], LOG_LEVELS) if "log_level" in given else None,
        given["access_log"].flag() if "access_log" in given else None,
        _household(given["household"], environment) if "household" in given else None,
        given["household_tokens_per_hour"].whole(1, MOST_HOUSEHOLD_TOKENS) if "household_tokens_per_hour" in given else None,
        given["household_cost_per_hour"].number(0.0, MOST_HOUSEHOLD_COST) if "household_cost_per_hour" in given else None,
        given["tls"].flag() if "tls" in given else None,
        given["tls_certificate"].text() if "tls_certificate" in given else None,
        given["tls_key"].text() if "tls_key" in given else None,
    )


def read_usage(sections: Mapping[str, Value], environment: Mapping[str, str]) -> UsageSettings:
    """Read `usage_tracking:`. Raises ConfigError."""
    section = sections.get("usage_tracking", sections.get("usageTracking"))
    if section is None:
        return UsageSettings()
    given = given_values(section, USAGE)
    storage = _SQLITE
    if "storage" in given:
        if (word := given["storage"].text()) not in _STORAGES:
            raise given["storage"].error(f"this storage is not known. {suggestion(word, list(_STORAGES))}")
        storage = _STORAGES[word]
    database = _database(section, given, storage, environment)
    influx = None
    if storage == _INFLUXDB or "influxdb" in given:
        influx = _influx(section, given.get("influxdb"), environment)
    alerts = tuple(map(_alert, given["alerts"].items())) if "alerts" in given else ()
    smtp = read_smtp(given_values(given["smtp"], smtp_keys()) if "smtp" in given else None, environment)
    if smtp is None and any(is_mail_address(target) for alert in alerts for target in alert.notify):
        given["alerts"].warn("alerts by mail go through the mail server of this machine. Set `smtp: {host: …}` for another one.")
    return UsageSettings(given["enabled"].flag() if "enabled" in given else None, database, influx, alerts, smtp)


def server_schema() -> dict[str, Any]:
    """The JSON Schema of `server:`."""
    text, flag, number = {"type": "string"}, {"type": "boolean"}, {"type": "integer", "minimum": 0, "maximum": 65535}
    texts = ("hostname", "name", "host", "admin", "health_host", "tls_certificate", "tls_key", "household")
    properties = dict.fromkeys(texts, text)
    return _object(
        {
            **properties,
            "port": {**number, "minimum": 1},
            "priority": number,
            "auth_mode": {"enum": list(Auth)},
            "advertise": flag,
            "saturn": flag,
            "provider_in_chunks": flag,
            "health_port": {**number, "minimum": 1},
            "log_format": {"enum": list(LogFormat)},
            "log_level": {"enum": list(LOG_LEVELS)},
            "access_log": flag,
            "tls": flag,
            "drain_seconds": {**number, "maximum": MAX_DRAIN_SECONDS},
            "household_tokens_per_hour": {"type": "integer", "minimum": 1, "maximum": MOST_HOUSEHOLD_TOKENS},
            "household_cost_per_hour": {"type": "number", "minimum": 0, "maximum": MOST_HOUSEHOLD_COST},
        }
    )


def usage_schema() -> dict[str, Any]:
    """The JSON Schema of `usage_tracking:`."""
    text = {"type": "string"}
    port = {"type": "integer", "minimum": 1, "maximum": 65535}
    notify = {"anyOf": [text, {"type": "array", "items": text}]}
    alert = _object({"type": {"enum": [COST_THRESHOLD]}, "value": {"type": "number", "minimum": 0}, "notify": notify})
    return _object(
        {
            "enabled": {"type": "boolean"},
            "storage": {"enum": list(_STORAGES)},
            "url": text,
            "influxdb": _object(dict.fromkeys(("url", "org", "bucket", "token"), text)),
            "alerts": {"type": "array", "items": alert},
            "smtp": _object({**dict.fromkeys(smtp_keys(), text), "port": port, "security": {"enum": list(SECURITIES)}}),
        }
    )


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    both = {name: schema for key, schema in properties.items() for name in (key, camel(key))}
    return {"type": "object", "properties": both, "additionalProperties": False}


def given_values(section: Value, keys: tuple[str, ...]) -> dict[str, Value]:
    """The values by key in snake case; a key in camel case means the same, and null is no value. Raises ConfigError."""
    names = {name: key for key in keys for name in (key, camel(key))}
    found: dict[str, Value] = {}
    for name, value in section.fields(names).items():
        if names[name] in found:
            raise value.error(f"{name} and {found[names[name]].name} mean the same; keep one of them.")
        if not value.is_null:
            found[names[name]] = value
    return found


def _is_reference(text: str) -> bool:
    """Whether a resolved value is still `${VARIABLE}`, as in a file that is converted without its environment."""
    return text.startswith("${")


def _is_address(text: str) -> bool:
    """Whether a host name is an address to listen on instead of a name to show."""
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return text.lower() == "localhost"
    return True


def _word(value: Value, known: Sequence[str]) -> str:
    """One of the words `known`. Raises ConfigError."""
    if (word := value.text().lower()) not in known:
        raise value.error(f"{value.name} must be {', '.join(known[:-1])} or {known[-1]}. {suggestion(word, list(known))}")
    return word


def _auth(value: Value) -> Auth:
    word = value.text().lower()
    if word not in list(Auth):
        raise value.error(f"auth_mode must be none, token or mtls. {suggestion(word, list(Auth))}")
    return Auth(word)


def _household(value: Value, environment: Mapping[str, str]) -> str:
    """The household code; the error never contains it."""
    text, missing = resolve_secret(value, environment)
    if text is None:
        raise value.error(f"the variable {missing} is not set. Set it in the environment.")
    if _is_reference(text):
        return text
    try:
        return HouseholdCode.parse(text).text
    except HouseholdError as err:
        raise value.error(f"this is no household code: {err}. Make one: zeroconf-ai household") from None


def _contact(value: Value) -> str:
    text = value.text()
    if not is_contact(text):
        raise value.error(f"admin must be a contact of at most {MAX_CONTACT} printable characters, such as admin@example.net.")
    return text


def _database(section: Value, given: Mapping[str, Value], storage: str, environment: Mapping[str, str]) -> str | None:
    """The database of the ledger; None: the command line's. InfluxDB gets a copy of the usage, and the ledger stays in SQL."""
    url = None
    if "url" in given:
        url, missing = resolve_secret(given["url"], environment)
        if url is None:
            raise given["url"].error(f"the variable {missing} is not set. Set it in the environment.")
    if storage == _POSTGRES:
        url = url or environment.get("ZEROCONF_AI_DATABASE") or environment.get("DATABASE_URL")
        parts = None if url is None else url_parts(url)
        if url is None or not (_is_reference(url) or (parts and parts.scheme in ("postgres", "postgresql"))):
            where = given.get("storage", section)
            raise where.error("storage postgres needs `url: postgresql://USER:PASSWORD@HOST/NAME`, or ZEROCONF_AI_DATABASE.")
        return url
    return url if storage == _SQLITE else None


def _influx(section: Value, own: Value | None, environment: Mapping[str, str]) -> InfluxTarget:
    """The InfluxDB server of the file, or of the variables that InfluxDB's own clients read. Raises ConfigError."""
    given = {} if own is None else given_values(own, ("url", "org", "bucket", "token"))
    found: dict[str, str] = {}
    for name in ("url", "org", "bucket", "token"):
        if name in given:
            text, missing = resolve_secret(given[name], environment)
            if text is None:
                raise given[name].error(f"the variable {missing} is not set. Set it in the environment.")
            found[name] = text
        elif text := environment.get(f"INFLUXDB_V2_{name.upper()}") or environment.get(f"INFLUXDB_{name.upper()}"):
            found[name] = text
    where = own or section
    for name in ("url", "bucket"):
        if name not in found:
            raise where.error(f"storage influxdb needs `influxdb: {{{name}: …}}`, or INFLUXDB_{name.upper()} in the environment.")
    parts = url_parts(found["url"])
    valid = parts is not None and parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    if not valid and not _is_reference(found["url"]):
        raise given.get("url", where).error("the URL of InfluxDB must be one such as http://192.0.2.30:8086.")
    return InfluxTarget(found["url"].rstrip("/"), found["bucket"], found.get("org", ""), found.get("token"))


def _alert(value: Value) -> CostAlert:
    value.name = "an alert"
    return read_alert(value, given_values(value, ("type", "value", "notify")))
