"""`GET /v1/health` and `GET /v1/status`."""

from itertools import islice

from aiohttp import web

from ...accounting.usage.summary import Aggregate
from ...engine import Caller
from ...protocol.household import CALLER_ID
from ...protocol.prices import DEFAULT_CURRENCY
from ...protocol.record import PROTOCOL_VERSION
from ...protocol.status import Health, Period, ProviderState, ProviderStatus, Queue, RateLimit, Waiting
from ...routing.pool.concurrency import ConcurrencyLimiter
from ...version import __version__
from ..dispatch import RequestContext
from ..gateway import Gateway

MAX_WAITING = 100
"""Maximum number of listed waiting requests."""


async def health(gateway: Gateway, context: RequestContext) -> web.Response:
    """The health of the pool as last checked, without probing a backend; 503 if none is online. With `kid`, a key proof.

    With `handover`, the fingerprint of the certificate that the client has pinned: the steps to the current one.
    """
    proof = gateway.key_proofs.answer(context.http, gateway.id, gateway.access)
    pinned = context.http.query.get("handover")
    handover = () if pinned is None or gateway.tls is None else gateway.tls.hand_over(pinned)
    states = {member.state for member in gateway.engine.pool if member.enabled}
    if not gateway.answers or not states & {ProviderState.HEALTHY, ProviderState.DEGRADED}:
        found = Health("unavailable", gateway.name, __version__, gateway.uptime, gateway.id, handover=handover)
        return context.json(found.to_json(), status=503)
    word = "ok" if ProviderState.HEALTHY in states else "degraded"
    return context.json(Health(word, gateway.name, __version__, gateway.uptime, gateway.id, proof, handover).to_json())


async def status(gateway: Gateway, context: RequestContext) -> web.Response:
    """Load and usage. Like other routes, it needs a key unless the network is trusted. A household token shows no usage."""
    of_household = context.caller.key_id == CALLER_ID
    usage = None if gateway.totals is None or of_household else gateway.totals.household
    report = ProviderStatus(
        id=gateway.id,
        version=PROTOCOL_VERSION,
        uptime_seconds=gateway.uptime,
        queue=_queue(gateway, context.caller),
        today=None if usage is None else _period(usage.today),
        month=None if usage is None else _period(usage.month),
        total=None if usage is None else _period(usage.total),
        warm_models=frozenset(model.id for _, model in gateway.engine.models() if model.warm),
        rate_limits=await _rate_limits(gateway, context.caller),
    )
    return context.json(report.to_json())


async def _rate_limits(gateway: Gateway, caller: Caller) -> dict[str, RateLimit]:
    """The rate limits of the caller."""
    if gateway.engine.admission_control is None:
        return {}
    limits = await gateway.engine.admission_control.rate_limit_status(caller.key_id, caller.user_id, caller.address)
    found = {"requests": limits.requests, "tokens": limits.tokens, "parallel": limits.parallel}
    return {name: RateLimit(rate.limit, rate.remaining, rate.reset) for name, rate in found.items() if rate is not None}


def _period(sums: Aggregate) -> Period:
    """The usage of a period. Its cost is reported if all of it is in one currency."""
    return Period(sums.requests, sums.usage, next(iter(sums.costs), DEFAULT_CURRENCY))


def _queue(gateway: Gateway, caller: Caller) -> Queue:
    """The load of this gateway and the waiting requests of the caller."""
    engine = gateway.engine
    members = [member for member in engine.pool if member.enabled and member.online]
    limits = [member.limiter.limit for member in members]
    capacity = sum(limit for limit in limits if limit is not None) if limits and None not in limits else None
    capacity = min((limit for limit in (capacity, engine.limiter.limit) if limit is not None), default=0)
    limiters = [engine.limiter, *(member.limiter for member in members)]
    # A new request waits at the engine, then at the backend with the shortest wait.
    wait = engine.limiter.wait + min((member.limiter.wait for member in members), default=0.0)
    waiting = _waiting(limiters, caller)
    depth = sum(limiter.waiting for limiter in limiters)
    return Queue(depth, sum(member.active for member in members), capacity, wait, waiting)


def _waiting(limiters: list[ConcurrencyLimiter], caller: Caller) -> tuple[Waiting, ...]:
    """The waiting requests of the caller's key; all for a caller without a key."""
    found = (
        Waiting(waiter.request_id, position, limiter.estimate(position))
        for limiter in limiters
        for position, waiter in enumerate(limiter.waiters(), 1)
        if waiter.request_id is not None and caller.key_id in (None, waiter.key_id)
    )
    return tuple(islice(found, MAX_WAITING))
