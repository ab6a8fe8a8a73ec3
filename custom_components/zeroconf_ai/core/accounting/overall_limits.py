"""`OverallLimits`: requests and tokens per minute of all requests of an engine together, counted in memory."""

from collections.abc import Mapping
from dataclasses import replace
from typing import override

from ..protocol.errors import ApiError
from .admission import Admission, AdmissionControl, AdmissionRequest, RateLimits, RateLimitStatus, WrappedControl
from .limits.rate_limits import AcquiredLimits, RateLimiter
from .limits.token_buckets import MemoryPermits, MemoryTokenBuckets
from .usage.generation import Generation


class OverallLimits:
    """The limits, and what is left of them."""

    def __init__(self, rates: RateLimits) -> None:
        """`rates.parallel` is ignored: the engine's own limiter has it."""
        self.limiter = RateLimiter(None, MemoryTokenBuckets(), MemoryPermits())
        self.limiter.overall = rates

    def around(self, inner: AdmissionControl | None) -> AdmissionControl:
        """The admission control that applies these limits, and then `inner`."""
        return _Limited(self.limiter, inner)


class _Limited(WrappedControl):
    def __init__(self, limiter: RateLimiter, inner: AdmissionControl | None) -> None:
        super().__init__(inner)
        self._limiter = limiter

    @override
    async def rate_limit_status(self, key_id: str | None, user_id: str | None, address: str | None) -> RateLimitStatus:
        found = await super().rate_limit_status(key_id, user_id, address)
        own = await self._limiter.rate_limit_status(None, None, None)
        return replace(found, requests=found.requests or own.requests, tokens=found.tokens or own.tokens)

    @override
    async def admit(self, asked: AdmissionRequest) -> Admission:
        # Limits of single backends are those of `inner`.
        own = await self._limiter.enter(replace(asked, key_id=None, user_id=None, address=None, backend_rates={}))
        try:
            inner = await super().admit(asked)
        except BaseException:
            self._limiter.undo(own)
            raise
        return _LimitedAdmission(self._limiter, own, inner)


class _LimitedAdmission(Admission):
    __slots__ = ("_inner", "_limiter", "_own", "_reconciled")

    def __init__(self, limiter: RateLimiter, own: AcquiredLimits, inner: Admission) -> None:
        self._limiter = limiter
        self._own = own
        self._inner = inner
        self._reconciled = False

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        return {**self._own.headers, **self._inner.headers}

    @property
    @override
    def barred(self) -> frozenset[str]:
        return self._inner.barred

    @property
    @override
    def refusal(self) -> ApiError | None:
        return self._inner.refusal

    @property
    @override
    def allowances(self) -> Mapping[str, int] | None:
        return self._inner.allowances

    @override
    def reconcile(self, generation: Generation, costs: Mapping[str, int] | None = None) -> None:
        if self._reconciled:
            return
        self._reconciled = True
        self._limiter.reconcile(self._own, generation.backend_id, generation.usage.total_tokens)
        self._inner.reconcile(generation, costs)
