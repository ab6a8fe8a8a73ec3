"""`GET /v1/health` and `GET /v1/status`."""

from aiohttp import web

from ... import __version__
from ...protocol.record import PROTOCOL_VERSION
from ...protocol.status import Health, ProviderState, ProviderStatus, Queue
from ..dispatch import Call
from ..gateway import Gateway


async def health(gateway: Gateway, call: Call) -> web.Response:
    """Whether requests are answered, from what is known already: nobody is asked for it."""
    states = {member.state for member in gateway.engine.pool if member.enabled}
    if gateway.draining or not states & {ProviderState.HEALTHY, ProviderState.DEGRADED}:
        return call.json(Health("unavailable", gateway.name, __version__, gateway.uptime, gateway.id).to_json(), status=503)
    word = "ok" if ProviderState.HEALTHY in states else "degraded"
    return call.json(Health(word, gateway.name, __version__, gateway.uptime, gateway.id).to_json())


async def status(gateway: Gateway, call: Call) -> web.Response:
    """Load and use. Where a key is asked for, only who has it gets here; where none is, the network is trusted with it."""
    today, month, total = gateway.statistics.periods
    report = ProviderStatus(
        id=gateway.id,
        version=PROTOCOL_VERSION,
        uptime_seconds=gateway.uptime,
        queue=_queue(gateway),
        today=today,
        month=month,
        total=total,
        warm_models=frozenset(model.id for _, model in gateway.engine.models() if model.warm),
    )
    return call.json(report.to_json())


def _queue(gateway: Gateway) -> Queue:
    """The load that went through here: of a backend that names its capacity, what exceeds that is waiting."""
    active = depth = capacity = 0
    known = True
    for member in gateway.engine.pool:
        if not (member.enabled and member.online):
            continue
        places = member.status.queue.max_concurrent if member.status and member.status.queue else 0
        known = known and bool(places)
        capacity += places
        active += min(member.active, places) if places else member.active
        depth += max(0, member.active - places) if places else 0
    wait = (depth + 1) * gateway.statistics.mean_seconds / capacity if known and capacity and active >= capacity else 0.0
    return Queue(depth, active, capacity if known else 0, wait)
