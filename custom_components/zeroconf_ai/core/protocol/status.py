"""The bodies of `/v1/health` and `/v1/status`, and the states of a provider."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
import re
from typing import Any, Self

from .hand_over import Step, parse_steps
from .usage import Usage
from .values import NANO, clean, mapping, money, parse_count


class ProviderState(StrEnum):
    """The current state of a provider."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    OFFLINE = "offline"
    UNAUTHORIZED = "unauthorized"


@dataclass(frozen=True, slots=True)
class Health:
    """`GET /v1/health`: the status ("ok", "degraded" or "unavailable") and the identity of the provider."""

    status: str = "ok"
    provider: str | None = None
    version: str | None = None
    uptime_seconds: float | None = None
    id: str | None = None
    proof: str | None = None
    """The proof of the key (`key_proof`), if one was requested."""
    handover: tuple[Step, ...] = ()
    """The steps from the certificate that the client names to the current one (`hand_over`)."""

    @classmethod
    def parse(cls, data: object) -> Self:
        """Parse tolerantly: any body of a 200 response that states no other status counts as "ok"."""
        if not isinstance(data, Mapping):
            return cls()
        word = clean(data.get("status") or "ok").lower()
        uptime = data.get("uptime_seconds")
        return cls(
            status=word if word in ("degraded", "unavailable") else "ok",
            provider=clean(data.get("provider") or "") or None,
            version=clean(data.get("version") or "", 64) or None,
            uptime_seconds=float(uptime) if isinstance(uptime, int | float) and uptime >= 0 else None,
            id=clean(data.get("id") or "", 64) or None,
            proof=clean(data.get("proof") or "", 64) or None,
            handover=parse_steps(data.get("handover")),
        )

    def to_json(self) -> dict[str, Any]:
        """The body; what is not known is left out."""
        named = {"status": self.status, "id": self.id, "provider": self.provider, "version": self.version}
        fields = named | {"proof": self.proof, "handover": [step.to_json() for step in self.handover]}
        return {key: value for key, value in fields.items() if value} | {"uptime_seconds": round(self.uptime_seconds or 0.0, 1)}


@dataclass(frozen=True, slots=True)
class Located:
    """The advertised address at which a provider answered, asked without a key."""

    base_url: str
    health: Health | None
    """None if it requires a key even for its health."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A waiting request: its id, its position in the queue (1 is next) and the estimated wait in seconds."""

    id: str
    position: int
    estimated_wait_seconds: float

    def to_json(self) -> dict[str, Any]:
        """One of `queue.waiting`."""
        return {"id": self.id, "position": self.position, "estimated_wait_seconds": round(self.estimated_wait_seconds, 3)}


@dataclass(frozen=True, slots=True)
class Queue:
    """The queue of a provider. `max_concurrent` 0: unknown."""

    depth: int = 0
    active: int = 0
    max_concurrent: int = 0
    estimated_wait_seconds: float = 0.0
    waiting: tuple[Waiting, ...] = ()
    """The caller's own waiting requests; not parsed from other providers."""

    @classmethod
    def parse(cls, data: object) -> Self | None:
        """The `queue` object, or None."""
        if not isinstance(data, Mapping):
            return None
        wait = data.get("estimated_wait_seconds")
        return cls(
            parse_count(data.get("depth")),
            parse_count(data.get("active")),
            parse_count(data.get("max_concurrent")),
            float(wait) if isinstance(wait, int | float) and wait >= 0 else 0.0,
        )

    def to_json(self) -> dict[str, Any]:
        """The `queue` object."""
        body: dict[str, Any] = {
            "depth": self.depth,
            "active": self.active,
            "max_concurrent": self.max_concurrent,
            "estimated_wait_seconds": round(self.estimated_wait_seconds, 3),
        }
        return body | {"waiting": [waiting.to_json() for waiting in self.waiting]} if self.waiting else body


@dataclass(frozen=True, slots=True)
class Period:
    """The usage within a period."""

    requests: int = 0
    usage: Usage = field(default_factory=Usage)
    currency: str = "USD"

    @classmethod
    def parse(cls, data: object) -> Self | None:
        """One of `usage.today`, `usage.month`, `usage.total`, or None."""
        if not isinstance(data, Mapping):
            return None
        currency = clean(data.get("currency") or "USD").upper()
        usage = Usage(
            parse_count(data.get("prompt_tokens")), parse_count(data.get("completion_tokens")), cost=money(data.get("cost"))
        )
        return cls(parse_count(data.get("requests")), usage, currency if re.fullmatch("[A-Z]{3}", currency) else "USD")

    def to_json(self) -> dict[str, Any]:
        """The object under `today`, `month` or `total`."""
        body: dict[str, Any] = {
            "requests": self.requests,
            "prompt_tokens": self.usage.prompt_tokens,
            "completion_tokens": self.usage.completion_tokens,
        }
        return body if self.usage.cost is None else body | {"cost": self.usage.cost / NANO, "currency": self.currency}


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The state of one of the caller's own rate limits; not parsed from other providers."""

    limit: int
    remaining: int
    reset_seconds: float
    """Seconds until the limit is fully available again."""

    def to_json(self) -> dict[str, Any]:
        """One of `rate_limits`."""
        return {"limit": self.limit, "remaining": self.remaining, "reset_seconds": round(self.reset_seconds, 3)}


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """`GET /v1/status`. None: the provider does not report it to this caller."""

    id: str | None = None
    version: str | None = None
    uptime_seconds: float | None = None
    queue: Queue | None = None
    today: Period | None = None
    month: Period | None = None
    total: Period | None = None
    warm_models: frozenset[str] = frozenset()
    graphics_memory: int | None = None
    """Bytes that the loaded models use; only of servers whose own API reports it."""
    rate_limits: Mapping[str, RateLimit] = field(default_factory=dict)
    """By the limited quantity: "requests" and "tokens" per minute, "parallel" requests."""

    @classmethod
    def parse(cls, data: object) -> Self:
        """Parse tolerantly. Raises TypeError if the body is not a JSON object."""
        if not isinstance(data, Mapping):
            raise TypeError("the status is not an object")
        usage = mapping(data.get("usage"))
        uptime = data.get("uptime_seconds")
        listed = data.get("models")
        models = [mapping(model) for model in listed] if isinstance(listed, list) else []
        return cls(
            id=clean(data.get("id") or "", 64) or None,
            version=clean(data.get("version") or "", 64) or None,
            uptime_seconds=float(uptime) if isinstance(uptime, int | float) and uptime >= 0 else None,
            queue=Queue.parse(data.get("queue")),
            today=Period.parse(usage.get("today")),
            month=Period.parse(usage.get("month")),
            total=Period.parse(usage.get("total")),
            warm_models=frozenset(clean(model["id"]) for model in models if model.get("warm") is True and "id" in model),
        )

    def to_json(self) -> dict[str, Any]:
        """The response body, without what is unknown."""
        body: dict[str, Any] = {"object": "status", "id": self.id, "version": self.version}
        if self.uptime_seconds is not None:
            body["uptime_seconds"] = round(self.uptime_seconds, 1)
        if self.queue is not None:
            body["queue"] = self.queue.to_json()
        periods = {"today": self.today, "month": self.month, "total": self.total}
        if usage := {name: period.to_json() for name, period in periods.items() if period is not None}:
            body["usage"] = usage
        if self.rate_limits:
            body["rate_limits"] = {name: limit.to_json() for name, limit in self.rate_limits.items()}
        body["models"] = [{"id": model, "warm": True} for model in sorted(self.warm_models)]
        return body
