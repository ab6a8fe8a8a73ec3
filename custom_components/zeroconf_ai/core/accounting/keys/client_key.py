"""`ClientKey`: the stored properties of an API key, or of a client certificate, which is an identity like a key."""

from dataclasses import dataclass

from ...protocol.errors import PermissionDeniedError
from ...protocol.home_rule import HomeRule
from ..admission import RateLimits

_REQUEST_SCOPES = ("models", "chat", "completions", "embeddings", "responses", "messages", "audio", "images")
SCOPES = (*_REQUEST_SCOPES, "status", "generation", "usage", "metrics")
"""The groups of paths that a key can be limited to: all values of `server.dispatch.Route.scope`."""
LARGEST_RATE = 1_000_000_000
ADMIN = "admin"
"""The permission of an administrator. A key has it only if `endpoints` names it; a key for all endpoints has it not."""


@dataclass(frozen=True, slots=True)
class ClientKey:
    """An API key without its secret, or a client certificate. Times are seconds since the epoch."""

    id: str
    name: str
    prefix: str
    """The first characters of its secret, or of its certificate's serial number (hexadecimal)."""
    created: float
    user_id: str | None = None
    """The Home Assistant id of the user who uses the key."""
    device: str | None = None
    """The device that uses the key."""
    models: tuple[str, ...] = ()
    """Patterns of allowed models; empty: all."""
    endpoints: tuple[str, ...] = ()
    """Allowed `SCOPES` and `ADMIN`; empty: all scopes, without `ADMIN`."""
    background: bool = False
    """Whether requests with this key have low priority."""
    enabled: bool = True
    expires: float | None = None
    """When the key expires."""
    last_used: float | None = None
    former_until: float | None = None
    """Until when the secret from before a rotation, or the certificate over which it was renewed, stays valid."""
    requests_per_minute: int | None = None
    """None: unlimited."""
    tokens_per_minute: int | None = None
    parallel: int | None = None
    """The maximum number of concurrent requests."""
    labels: tuple[str, ...] = ()
    """Free text such as a room, a device or an app, sorted; usage is grouped by it."""
    llm_apis: tuple[str, ...] = ()
    """Ids of the LLM APIs of Home Assistant whose tools run with the rights of its user; empty: none."""
    hosted_tools: tuple[str, ...] = ()
    """The values of `GRANTS` that it may use: hosted tools, and what their options may name; empty: no hosted tools."""
    disabled_by: str | None = None
    """Who disabled the key, as in the audit log; None for an enabled key. Users enable only what they disabled themselves."""
    home_only: bool = False
    """Whether requests with this key stay at home."""
    certificate_expires: float | None = None
    """When the current client certificate expires; None for a key with a secret."""

    @property
    def certificate(self) -> bool:
        """Whether it is a client certificate, which has no secret."""
        return self.certificate_expires is not None

    @property
    def admin(self) -> bool:
        """Whether the key logs in to the page of `zeroconf-ai serve` and sees the usage of all callers."""
        return ADMIN in self.endpoints

    @property
    def home_rule(self) -> HomeRule | None:
        """Why requests with this key stay at home; None: they may leave."""
        return HomeRule.KEY if self.home_only else None

    def valid_at(self, moment: float) -> bool:
        """Whether the key is enabled and has not expired at `moment`, in seconds since the epoch."""
        return self.enabled and (self.expires is None or moment < self.expires)

    def check(self, moment: float) -> None:
        """Raise PermissionDeniedError, which says why, if the key is not valid at `moment`."""
        if not self.enabled:
            raise PermissionDeniedError("This key is disabled. Enable it, or use another.", code="key_disabled")
        if not self.valid_at(moment):
            raise PermissionDeniedError("This key has expired. Use another.", code="key_expired")

    @property
    def rates(self) -> RateLimits:
        """The rate limits of the key."""
        return RateLimits(self.requests_per_minute, self.tokens_per_minute, self.parallel)
