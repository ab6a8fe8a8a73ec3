"""`GET /v1/health` and `GET /v1/status`."""

from itertools import islice

from aiohttp import web

from ... import __version__
from ...accounting.usage.summary import Aggregate
from ...engine import Caller
from ...protocol.prices import DEFAULT_CURRENCY
from ...protocol.record import PROTOCOL_VERSION
from ...protocol.status import Health, Period, ProviderState, ProviderStatus, Queue, RateLimit, Waiting
from ...routing.pool.concurrency import ConcurrencyLimiter
from ..dispatch import RequestContext
from ..gateway import Gateway

MAX_WAITING = 100
"""Of the caller's requests that wait, so many are listed."""


async def health(gateway: Gateway, context: RequestContext) -> web.Response:
    """Whether requests are answered, from what is known already: no backend is asked for it. With `kid`, the proof of a key."""
    proof = gateway.key_proofs.answer(context.http, gateway.id, gateway.access)
    states = {member.state for member in gateway.engine.pool if member.enabled}
    if gateway.draining or not gateway.enabled or not states & {ProviderState.HEALTHY, ProviderState.DEGRADED}:
        return context.json(Health("unavailable", gateway.name, __version__, gateway.uptime, gateway.id).to_json(), status=503)
    word = "ok" if ProviderState.HEALTHY in states else "degraded"
    return context.json(Health(word, gateway.name, __version__, gateway.uptime, gateway.id, proof).to_json())


async def status(gateway: Gateway, context: RequestContext) -> web.Response:
    """Load and use. Where a key is asked for, only who has it gets here; where none is, the network is trusted with it."""
    usage = None if gateway.totals is None else gateway.totals.household
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
    """The caller's own."""
    if gateway.engine.admission_control is None:
        return {}
    standing = await gateway.engine.admission_control.standing(caller.key_id, caller.user_id, caller.address)
    found = {"requests": standing.requests, "tokens": standing.tokens, "parallel": standing.parallel}
    return {name: RateLimit(rate.limit, rate.remaining, rate.reset) for name, rate in found.items() if rate is not None}


def _period(sums: Aggregate) -> Period:
    """The usage of a period. Its cost is reported if all of it is in one currency."""
    return Period(sums.requests, sums.usage, next(iter(sums.costs), DEFAULT_CURRENCY))


def _queue(gateway: Gateway, caller: Caller) -> Queue:
    """The load that went through here, and which of the caller's requests wait."""
    engine = gateway.engine
    members = [member for member in engine.pool if member.enabled and member.online]
    limits = [member.limiter.limit for member in members]
    capacity = sum(limit for limit in limits if limit is not None) if limits and None not in limits else None
    capacity = min((limit for limit in (capacity, engine.limiter.limit) if limit is not None), default=0)
    rooms = [engine.limiter, *(member.limiter for member in members)]
    # A new request waits behind those that wait for the engine, then at the backend that has a place first.
    wait = engine.limiter.wait + min((member.limiter.wait for member in members), default=0.0)
    mine = _waiting(rooms, caller)
    return Queue(sum(room.waiting for room in rooms), sum(member.active for member in members), capacity, wait, mine)


def _waiting(rooms: list[ConcurrencyLimiter], caller: Caller) -> tuple[Waiting, ...]:
    """The requests that wait, of the caller's own key; all where no key is asked for."""
    found = (
        Waiting(waiter.request_id, position, room.estimate(position))
        for room in rooms
        for position, waiter in enumerate(room.waiters(), 1)
        if waiter.request_id is not None and caller.key_id in (None, waiter.key_id)
    )
    return tuple(islice(found, MAX_WAITING))
