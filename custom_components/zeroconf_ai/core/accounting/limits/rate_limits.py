"""`RateLimiter`: limits of requests and tokens per minute, and of concurrent requests (docs/accounting.md, "Limits")."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
import math
from typing import NamedTuple

from ...protocol.addresses import subscriber
from ...protocol.errors import RateLimitError
from ...protocol.values import NOTHING
from ..admission import AdmissionRequest, RateLimits, RateLimitState, RateLimitStatus
from ..keys.key_store import KeyStore
from ..storage.database import Database
from ..storage.leases import Leases
from ..storage.write_queue import WriteQueue
from .shared import SharedPermits, SharedTokenBuckets
from .token_buckets import MINUTE, BucketDraw, BucketShortfall, MemoryPermits, MemoryTokenBuckets, Permits, TokenBuckets

NO_RATES = RateLimits()
BUSY_SECONDS = 1.0
"""The retry delay while all permits of a key are in use, since it is unknown when one is released."""
_REQUESTS, _TOKENS = "requests", "tokens"


class LimitScope(NamedTuple):
    """A key, address, user or backend with its rate limits; its requests are counted together."""

    name: str
    """The prefix of the names of its buckets."""
    words: str
    """Its name in error messages."""
    rates: RateLimits


@dataclass(slots=True)
class AcquiredLimits:
    """The amounts and the permit that one request acquired, until it is reconciled."""

    estimate: int = 0
    """Estimated tokens of prompt and answer."""
    own: tuple[BucketDraw, ...] = ()
    """Drawn from the caller's buckets."""
    of_backends: Mapping[str, tuple[BucketDraw, ...]] = NOTHING
    permit: str | None = None
    barred: frozenset[str] = frozenset()
    """Ids of the backends that have reached their rate limit."""
    refusal: RateLimitError | None = None
    """The error for a request that only they could have answered."""
    headers: Mapping[str, str] = NOTHING


class WantedPermit(NamedTuple):
    """One of `limit` permits of a caller."""

    scope: LimitScope
    limit: int

    @property
    def name(self) -> str:
        """The name under which the permits in use are counted."""
        return f"parallel:{self.scope.name}"


@dataclass(frozen=True, slots=True)
class WantedLimits:
    """What one request takes from the rate limits that apply to it."""

    estimate: int = 0
    """Estimated tokens of prompt and answer."""
    callers: Sequence[LimitScope] = ()
    permit: WantedPermit | None = None
    own: tuple[BucketDraw, ...] = ()
    """To draw from the caller's buckets."""
    of_backends: Mapping[str, tuple[BucketDraw, ...]] = NOTHING

    @property
    def draws(self) -> list[BucketDraw]:
        """All that is to be drawn."""
        return [*self.own, *(draw for draws in self.of_backends.values() for draw in draws)]

    def acquired(self, levels: Mapping[str, float], permit: str | None) -> AcquiredLimits:
        """The result if all of it was acquired. `levels` are the new levels of the buckets."""
        headers = _headers(self.own, levels)
        return AcquiredLimits(self.estimate, self.own, self.of_backends, permit, headers=headers)


class RateLimiter:
    """Enforces rate limits: stored with the keys, given with each request for backends. Used on one event loop."""

    def __init__(self, keys: KeyStore | None, buckets: TokenBuckets, permits: Permits) -> None:
        """`keys` None: no caller has limits of its own. Limits of addresses, of users and of all are set afterwards."""
        self._keys = keys
        self.buckets = buckets
        self.permits = permits
        self.per_address = NO_RATES
        """The limits of each address without a key."""
        self.per_user = NO_RATES
        """The limits of each user. `parallel` is ignored."""
        self.overall = NO_RATES
        """The limits of all requests together. `parallel` is ignored."""

    async def enter(self, asked: AdmissionRequest) -> AcquiredLimits:
        """Acquire the limits of a request, all or none. Raises RateLimitError with the retry delay, or DatabaseError."""
        wanted = self.wanted(asked)
        entry = AcquiredLimits(wanted.estimate)
        if wanted.permit is not None:
            entry.permit = await self.permits.acquire(wanted.permit.name, wanted.permit.limit)
            if entry.permit is None:
                raise _busy(wanted.permit)
        try:
            await self._draw_own(entry, wanted)
            await self._draw_backends(entry, wanted, asked)
        except BaseException:
            self.undo(entry)
            raise
        return entry

    def wanted(self, asked: AdmissionRequest) -> WantedLimits:
        """What `enter` acquires for a request."""
        if asked.nested:
            return WantedLimits()
        estimate = asked.prompt_tokens + asked.answer_tokens
        callers = list(self._callers(asked.key_id, asked.user_id, asked.address))
        return WantedLimits(
            estimate,
            callers,
            next((WantedPermit(scope, scope.rates.parallel) for scope in callers if scope.rates.parallel is not None), None),
            tuple(draw for scope in callers for draw in _draws(scope, estimate)),
            {
                backend_id: tuple(_draws(LimitScope(f"backend:{backend_id}", "", rates), estimate))
                for backend_id, rates in asked.backend_rates.items()
            },
        )

    def undo(self, entry: AcquiredLimits) -> None:
        """Release everything, because the request is not admitted. Never blocks and never raises."""
        draws = [*entry.own, *(draw for theirs in entry.of_backends.values() for draw in theirs)]
        self._leave(entry, {draw.name: draw.amount for draw in draws})

    def reconcile(self, entry: AcquiredLimits, backend_id: str | None, tokens: int) -> None:
        """Replace the estimated tokens by the used ones, and release the permit. Never blocks and never raises."""
        back: dict[str, float] = {draw.name: draw.amount - tokens for draw in entry.own if _is_tokens(draw)}
        for of, draws in entry.of_backends.items():
            for draw in draws:
                if of != backend_id:
                    back[draw.name] = draw.amount
                elif _is_tokens(draw):
                    back[draw.name] = draw.amount - tokens
        self._leave(entry, back)

    async def rate_limit_status(self, key_id: str | None, user_id: str | None, address: str | None) -> RateLimitStatus:
        """The state of the limits of a caller. Raises DatabaseError."""
        found: dict[str, RateLimitState] = {}
        for scope in self._callers(key_id, user_id, address):
            for draw in _draws(scope, 0):
                kind = _TOKENS if _is_tokens(draw) else _REQUESTS
                if kind not in found:
                    found[kind] = _rate(draw, await self.buckets.level(draw.name, draw.capacity))
            if (limit := scope.rates.parallel) is not None:
                in_use = await self.permits.in_use(f"parallel:{scope.name}")
                found["parallel"] = RateLimitState(limit, max(0, limit - in_use), 0.0)
        return RateLimitStatus(**found)

    def _callers(self, key_id: str | None, user_id: str | None, address: str | None) -> Iterator[LimitScope]:
        """The scopes that a request counts for, the narrowest first."""
        if key_id is not None:
            own_rates = NO_RATES if self._keys is None else self._keys.rates(key_id)
            if own_rates:
                yield LimitScope(f"key:{key_id}", "this key", own_rates)
        elif address is not None and self.per_address:
            yield LimitScope(f"address:{subscriber(address)}", "this address", self.per_address)
        if user_id is not None and self.per_user:
            rates = RateLimits(self.per_user.requests_per_minute, self.per_user.tokens_per_minute)
            yield LimitScope(f"user:{user_id}", "this user", rates)
        if self.overall:
            rates = RateLimits(self.overall.requests_per_minute, self.overall.tokens_per_minute)
            yield LimitScope("overall", "this provider", rates)

    async def _draw_own(self, entry: AcquiredLimits, wanted: WantedLimits) -> None:
        if not wanted.own:
            return
        levels = await self.buckets.draw(wanted.own)
        if isinstance(levels, BucketShortfall):
            scope = next(scope for scope in wanted.callers if levels.draw.name.startswith(f"{scope.name}:"))
            raise _too_many(scope.words, levels)
        entry.own = wanted.own
        entry.headers = _headers(wanted.own, levels)

    async def _draw_backends(self, entry: AcquiredLimits, wanted: WantedLimits, asked: AdmissionRequest) -> None:
        short: dict[str, BucketShortfall] = {}
        drawn: dict[str, tuple[BucketDraw, ...]] = {}
        for backend_id, draws in wanted.of_backends.items():
            levels = await self.buckets.draw(draws) if draws else {}
            if isinstance(levels, BucketShortfall):
                short[backend_id] = levels
            else:
                drawn[backend_id] = draws
                entry.of_backends = drawn
        entry.barred = frozenset(short)
        if short:
            entry.refusal = _too_many("the only provider for this", min(short.values(), key=lambda one: one.wait))
            if asked.worst_costs and short.keys() >= asked.worst_costs.keys():
                raise entry.refusal

    async def flush(self) -> None:
        """Write pending releases."""
        await self.permits.flush()

    async def close(self) -> None:
        """Write pending releases and stop."""
        await self.permits.close()

    def _leave(self, entry: AcquiredLimits, back: Mapping[str, float]) -> None:
        if back:
            self.buckets.give(back)
        if entry.permit is not None:
            self.permits.release(entry.permit)
            entry.permit = None


def limits_of(database: Database, batches: WriteQueue, keys: KeyStore, leases: Leases | None) -> RateLimiter:
    """Create the limiter: in memory, or with `leases` in a database that gateways share."""
    if leases is None:
        return RateLimiter(keys, MemoryTokenBuckets(), MemoryPermits())
    return RateLimiter(keys, SharedTokenBuckets(database, batches), SharedPermits(database, leases))


def go_duration(seconds: float) -> str:
    """Format seconds as a Go duration, as OpenAI does: `12ms`, `8.64s`, `6m0s`."""
    milliseconds = math.ceil(seconds * 1000)
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    seconds_text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    return f"{minutes}m{seconds_text}" if minutes else seconds_text


def _draws(scope: LimitScope, tokens: int) -> Iterator[BucketDraw]:
    if scope.rates.requests_per_minute is not None:
        yield BucketDraw(f"{scope.name}:{_REQUESTS}", scope.rates.requests_per_minute, 1)
    if scope.rates.tokens_per_minute is not None:
        yield BucketDraw(f"{scope.name}:{_TOKENS}", scope.rates.tokens_per_minute, tokens)


def _is_tokens(draw: BucketDraw) -> bool:
    return draw.name.endswith(f":{_TOKENS}")


def _rate(draw: BucketDraw, level: float) -> RateLimitState:
    return RateLimitState(draw.capacity, max(0, math.floor(level)), max(0.0, draw.capacity - level) * MINUTE / draw.capacity)


def _headers(draws: Sequence[BucketDraw], levels: Mapping[str, float]) -> dict[str, str]:
    """The `x-ratelimit-*` headers of the narrowest limit of each kind."""
    headers: dict[str, str] = {}
    for draw in draws:
        kind = _TOKENS if _is_tokens(draw) else _REQUESTS
        if f"x-ratelimit-limit-{kind}" not in headers:
            rate = _rate(draw, levels[draw.name])
            headers[f"x-ratelimit-limit-{kind}"] = str(rate.limit)
            headers[f"x-ratelimit-remaining-{kind}"] = str(rate.remaining)
            headers[f"x-ratelimit-reset-{kind}"] = go_duration(rate.reset)
    return headers


def _too_many(words: str, short: BucketShortfall) -> RateLimitError:
    kind = _TOKENS if _is_tokens(short.draw) else _REQUESTS
    wait = max(0.001, short.wait)
    message = (
        f"Too many {kind}: {words} has a limit of {short.draw.capacity} per minute. Try again in {max(1, math.ceil(wait))} s."
    )
    headers = {
        f"x-ratelimit-limit-{kind}": str(short.draw.capacity),
        f"x-ratelimit-remaining-{kind}": "0",
        f"x-ratelimit-reset-{kind}": go_duration(wait),
    }
    return RateLimitError(message, retry_after=wait, more_headers=headers)


def _busy(permit: WantedPermit) -> RateLimitError:
    limited = f"{permit.scope.words} has a limit of {permit.limit}"
    message = f"Too many concurrent requests: {limited}. Try again when one of them has ended."
    return RateLimitError(message, retry_after=BUSY_SECONDS)
