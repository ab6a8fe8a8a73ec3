"""The backends and what is known of each right now: state, load, models, failures, and when it may be asked again."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
import logging
import time

from ...protocol.errors import (
    ApiError,
    AuthenticationError,
    IdentityChangedError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    UnavailableError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamTimeoutError,
)
from ...protocol.status import ProviderState
from .events import EventKind, RoutingEvent
from .member import Member

_LOGGER = logging.getLogger(__name__)

FAILURES_UNTIL_OFFLINE = 3
DEGRADED_SECONDS = 5.0
DEFAULT_REST = 10.0
"""Seconds that a backend rests after a 429 or a 503 that names no time."""
LONGEST_REST = 600.0

type Listener = Callable[[RoutingEvent | None], None]
type LoadListener = Callable[[], None]


class Pool:
    """All members, by id. Every change of a member goes through the pool, which notifies the listeners.

    Changes of state (health, models, failures, circuit breaker) are notified at once. Changes of load (running and waiting
    requests), of which each request makes several, are notified together, once for each turn of the event loop.
    """

    def __init__(self) -> None:
        """An empty pool."""
        self.own_id: str | None = None
        """The id of the gateway that the pool is behind, if there is one."""
        self._members: dict[str, Member] = {}
        self._listeners: dict[str | None, list[Listener]] = {}
        self._load_listeners: dict[str | None, list[LoadListener]] = {}
        self._load_changed: set[str] = set()
        """Ids of the members whose load changed in this turn of the event loop."""

    def __iter__(self) -> Iterator[Member]:
        """The members in the order they were added."""
        return iter(tuple(self._members.values()))

    def __contains__(self, backend_id: object) -> bool:
        """Whether there is such a member."""
        return backend_id in self._members

    def get(self, backend_id: str) -> Member | None:
        """The member with that id."""
        return self._members.get(backend_id)

    def add(self, member: Member) -> None:
        """Add a member. Raises ValueError where its id is taken."""
        if member.id in self._members:
            raise ValueError(f"there is a backend with the id {member.id} already")
        self._enter(member)

    def replace(self, member: Member) -> Member:
        """Put a member in the place of the one with its id, which is returned and goes on with its requests.

        Raises KeyError where there is none.
        """
        former = self._members[member.id]
        member.limiter, former_slots = former.limiter, member.limiter  # those of its requests that go on are taken
        member.limiter.limit, member.limiter.queue_length = former_slots.limit, former_slots.queue_length
        member.meter = member.meter or former.meter
        member.usual_cost = former.usual_cost
        self._enter(member)
        self.notify_state(member.id)
        return former

    def remove(self, backend_id: str) -> Member | None:
        """Take a member out; requests that it is answering go on."""
        return self._members.pop(backend_id, None)

    def listen(self, listener: Listener, backend_id: str | None = None) -> Callable[[], None]:
        """Call `listener` after each change of state of one member, or of any; with the event, or None for a plain change.

        Returns a function that unsubscribes.
        """
        return _subscribe(self._listeners.setdefault(backend_id, []), listener)

    def listen_load(self, listener: LoadListener, backend_id: str | None = None) -> Callable[[], None]:
        """Call `listener` once for each turn of the event loop in which the load of one member, or of any, changed.

        Returns a function that unsubscribes.
        """
        return _subscribe(self._load_listeners.setdefault(backend_id, []), listener)

    def notify_state(self, backend_id: str, event: RoutingEvent | None = None) -> None:
        """Notify the listeners of a change of state, at once."""
        for key in (backend_id, None):
            for listener in tuple(self._listeners.get(key, ())):
                try:
                    listener(event)
                except Exception:  # a failing listener must not fail the request
                    _LOGGER.exception("A listener failed on a change of %s", backend_id)

    def notify_load(self, backend_id: str) -> None:
        """Notify the listeners, later in this turn of the event loop, that a member has more or fewer requests."""
        if not self._load_listeners:
            return
        if not self._load_changed:
            asyncio.get_running_loop().call_soon(self._notify_load)
        self._load_changed.add(backend_id)

    def _notify_load(self) -> None:
        changed, self._load_changed = self._load_changed, set()
        for key in (*changed, None):
            for listener in tuple(self._load_listeners.get(key, ())):
                try:
                    listener()
                except Exception:
                    _LOGGER.exception("A listener failed on a change of the load of %s", ", ".join(sorted(changed)))

    def record_success(self, member: Member, *, latency: float | None = None) -> None:
        """The member answered: it is healthy after one success. A rest that it asked for goes on until its end.

        `latency` in seconds, of a health check; None: a request was answered, which changes the state of few members.
        """
        changed = latency is not None or not member.known or member.failures > 0 or member.refused_requests > 0
        member.failures = 0
        member.last_seen = time.time()
        if latency is None:
            member.refused_requests = 0
        else:
            member.latency = latency
        slow = member.latency is not None and member.latency > DEGRADED_SECONDS
        unwell = member.health is not None and member.health.status != "ok"
        state = ProviderState.DEGRADED if slow or unwell else ProviderState.HEALTHY
        if changed or member.state is not state:
            self._set_state(member, state)
        else:
            self.notify_load(member.id)

    def record_failure(self, member: Member, error: ApiError) -> None:
        """It could not be reached, or a check failed: offline after three in a row (at once if never heard of).

        Where it answered that it wants to be left alone, it rests; where it refuses the key, it needs its owner.
        """
        if self._record_refusal(member, error):
            return
        member.failures += 1
        final = not member.known or isinstance(error, IdentityChangedError)
        if member.failures >= FAILURES_UNTIL_OFFLINE or final:
            self._set_state(member, ProviderState.OFFLINE, error.message, error.log_text)
        elif isinstance(error, UpstreamTimeoutError) and member.online:
            self._set_state(member, ProviderState.DEGRADED)  # it takes longer than it may, but it is there
        else:
            self.notify_state(member.id)

    def record_request_failure(self, member: Member, error: ApiError) -> None:
        """A request failed there. That counts for its breaker; for being offline only where it could not be reached."""
        if isinstance(error, UpstreamError | UpstreamTimeoutError) and member.breaker.fail():
            _LOGGER.info("%s failed %s requests in a row and is left alone for a while", member.name, member.breaker.failures)
        if isinstance(error, AuthenticationError | PermissionDeniedError):
            member.refused_requests += 1
        if isinstance(error, UpstreamConnectionError):
            self.record_failure(member, error)
        elif not self._record_refusal(member, error):
            self.notify_state(member.id)

    def _record_refusal(self, member: Member, error: ApiError) -> bool:
        """Whether an error is an answer of one that is there and will not: then it is taken at its word."""
        member.last_error, member.last_reason = error.log_text, error.message
        if isinstance(error, AuthenticationError | PermissionDeniedError):
            self._set_state(member, ProviderState.UNAUTHORIZED, error.message, error.log_text)
            return True
        if isinstance(error, RateLimitError | QuotaError | UnavailableError):
            rest = DEFAULT_REST if error.retry_after is None else error.retry_after
            member.resting_until = time.time() + min(rest, LONGEST_REST)
            self.notify_state(member.id)
            return True
        return False

    def record_goodbye(self, member: Member) -> None:
        """It said that it goes. The next success brings it back, but not that of a check that was under way by then."""
        member.left_at = time.monotonic()
        self._set_state(member, ProviderState.OFFLINE, "it said goodbye on the network")

    def _enter(self, member: Member) -> None:
        self._members[member.id] = member
        member.limiter.changed = partial(self.notify_load, member.id)

    def _set_state(self, member: Member, state: ProviderState, reason: str = "", log_text: str = "") -> None:
        was_online, first = member.online, not member.known
        member.state = state
        member.known = True
        event = None
        if was_online and not member.online:
            member.offline_since = time.monotonic()
        if was_online and not member.online and not first:
            event = RoutingEvent(EventKind.OFFLINE, member.id, reason, log_text=log_text or reason)
        elif member.online and not was_online:
            event = RoutingEvent(EventKind.RECOVERED, member.id)
        member._changed.set()
        self.notify_state(member.id, event)


def _subscribe[T](listeners: list[T], listener: T) -> Callable[[], None]:
    listeners.append(listener)

    def unsubscribe() -> None:
        if listener in listeners:
            listeners.remove(listener)

    return unsubscribe
