"""What is known of an API key."""

from dataclasses import dataclass

from ..admission import RateLimits


@dataclass(frozen=True, slots=True)
class ClientKey:
    """What is known of a key. Times are seconds since the epoch."""

    id: str
    name: str
    prefix: str
    """The first characters of its secret."""
    created: float
    user_id: str | None = None
    """Home Assistant's id of the user who asks by it."""
    device: str | None = None
    """The device that asks by it."""
    models: tuple[str, ...] = ()
    """Patterns of the models it may use; empty: all."""
    endpoints: tuple[str, ...] = ()
    """Those of `SCOPES` that it may use; empty: all."""
    background: bool = False
    """Whether others go first."""
    enabled: bool = True
    expires: float | None = None
    """When it stops to be good."""
    last_used: float | None = None
    former_until: float | None = None
    """Until when the secret from before a rotation is good too."""
    requests_per_minute: int | None = None
    """The most that it may ask; None: any number."""
    tokens_per_minute: int | None = None
    parallel: int | None = None
    """Requests that it may have answered at a time."""

    @property
    def rates(self) -> RateLimits:
        """Its limits."""
        return RateLimits(self.requests_per_minute, self.tokens_per_minute, self.parallel)
