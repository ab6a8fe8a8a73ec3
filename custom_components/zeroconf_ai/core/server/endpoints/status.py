"""`GET /v1/health` and `GET /v1/status`."""

from itertools import islice

from aiohttp import web

from ... import __version__
from ...engine import Caller
from ...protocol.record import PROTOCOL_VERSION
from ...protocol.status import Health, ProviderState, ProviderStatus, Queue, Waiting
from ...routing.slots import Slots
from ..dispatch import Call
from ..gateway import Gateway

MAX_WAITING = 100
"""Of the caller's requests that wait, so many are listed."""


async def health(gateway: Gateway, call: Call) -> web.Response:
    """Whether requests are answered, from what is known already: nobody is asked for it."""
    states = {member.state for member in gateway.engine.pool if member.enabled}
    if gateway.draining or not gateway.enabled or not states & {ProviderState.HEALTHY, ProviderState.DEGRADED}:
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
        queue=_queue(gateway, call.caller),
        today=today,
        month=month,
        total=total,
        warm_models=frozenset(model.id for _, model in gateway.engine.models() if model.warm),
    )
    return call.json(report.to_json())


def _queue(gateway: Gateway, caller: Caller) -> Queue:
    """The load that went through here, and which of the caller's requests wait."""
    engine = gateway.engine
    members = [member for member in engine.pool if member.enabled and member.online]
    limits = [member.slots.limit for member in members]
    capacity = sum(limit for limit in limits if limit is not None) if limits and None not in limits else None
    capacity = min((limit for limit in (capacity, engine.slots.limit) if limit is not None), default=0)
    rooms = [engine.slots, *(member.slots for member in members)]
    # A new request waits behind those that wait for the engine, then at the backend that has a place first.
    wait = engine.slots.wait + min((member.slots.wait for member in members), default=0.0)
    mine = _waiting(rooms, caller)
    return Queue(sum(room.waiting for room in rooms), sum(member.active for member in members), capacity, wait, mine)


def _waiting(rooms: list[Slots], caller: Caller) -> tuple[Waiting, ...]:
    """The requests that wait, of the caller's own key; all where no key is asked for."""
    found = (
        Waiting(waiter.request_id, position, room.estimate(position))
        for room in rooms
        for position, waiter in enumerate(room.waiters(), 1)
        if waiter.request_id is not None and caller.key_id in (None, waiter.key_id)
    )
    return tuple(islice(found, MAX_WAITING))
