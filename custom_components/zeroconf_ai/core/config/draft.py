"""`Draft`: a provider while it is read, before the environment variables override its file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
import re
from typing import Any
from urllib.parse import urlsplit

from .backend_config import BackendConfig
from .backend_types import BackendType
from .base_paths import base_path
from .document import ConfigError, flag

type Fail = Callable[[str], ConfigError]
"""Creates an error at a position."""


@dataclass(slots=True)
class Draft:
    """A provider as far as it was read."""

    type: BackendType
    environment: Mapping[str, str]
    fail: Fail
    """Creates errors about the provider."""
    values: dict[str, Any] = field(default_factory=dict, repr=False)
    """By `BackendField.name`."""
    uses_key: bool = True
    key_fail: Fail | None = None
    """Creates errors about the API key."""
    key_place: str = "authSecret, or "
    """Where else than in the provider's own variable its API key may be, for errors."""
    endpoint_path: str = ""
    """The path of the endpoint as it is written in the file."""
    missing_variable: str | None = None
    """The environment variable that the file names for the API key, if it is not set."""

    def resolve(self) -> BackendConfig | None:
        """Apply the environment variables; None for a disabled provider. Raises ConfigError for missing or invalid values."""
        prefix = variable_prefix(self.values["id"])
        enabled = self.values.get("enabled", True)
        if word := self.environment.get(f"{prefix}ENABLED"):
            enabled = flag(word)
            if enabled is None:
                raise ConfigError(f"{prefix}ENABLED in the environment must be true or false.")
        if not enabled:
            return None
        return BackendConfig.build(
            {
                "name": self.type.title,
                **self.values,
                "type": self.type,
                "endpoint": self._endpoint(prefix),
                "key": self._key(prefix),
                "enabled": True,
            }
        )

    def _endpoint(self, prefix: str) -> str:
        endpoint: str | None = self.values.get("endpoint", self.type.endpoint)
        if url := self.environment.get(f"{prefix}ENDPOINT"):
            endpoint = base_url(url, self.type, errors_at("the environment"), f"{prefix}ENDPOINT")
        if endpoint is None:
            raise self.fail(f"a provider of type {self.type.name} needs an endpoint, such as http://192.0.2.20:8000/v1.")
        return endpoint

    def _key(self, prefix: str) -> str | None:
        if not self.uses_key:
            return None
        given = self.environment.get(f"{prefix}API_KEY") or self.environment.get(f"{prefix}AUTH_SECRET")
        key: str | None = given or self.values.get("key")
        fail = self.key_fail or self.fail
        if key is None and self.missing_variable is not None:
            raise fail(f"the variable {self.missing_variable} is not set. Set it, or {prefix}API_KEY.")
        if key is None and self.type.needs_key:
            raise self.fail(f"a provider of type {self.type.name} requires an API key: set {self.key_place}{prefix}API_KEY.")
        if key is not None and not (key.isascii() and key.isprintable()):
            raise fail("the API key contains a line break or a character that is not ASCII.")
        return key


def variable_prefix(provider_id: str) -> str:
    """The prefix of a provider's environment variables."""
    return f"PROVIDER_{re.sub(r'[^A-Z0-9]', '_', provider_id.upper())}_"


def errors_at(place: str) -> Fail:
    """Create errors that begin with `place`."""
    return lambda message: ConfigError(f"{place}: {message}")


def base_url(url: str, backend_type: BackendType, fail: Fail, name: str) -> str:
    """Validate a base URL, and add the type's path if it has none. Errors do not repeat it: it may contain a password."""
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise fail(f"{name} must be a URL such as http://192.0.2.20:8000/v1.") from None
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url.strip():
        raise fail(f"{name} must be a URL such as http://192.0.2.20:8000/v1.")
    if "@" in parts.netloc:
        raise fail(f"{name} must not contain a user name or password. Set the API key in authSecret.")
    if parts.query or parts.fragment:
        raise fail(f"{name} must end with its path, without ? or #.")
    return f"{parts.scheme}://{parts.netloc}{base_path(parts.path) or backend_type.path}"
