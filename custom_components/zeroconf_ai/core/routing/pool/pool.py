"""`Pool`: all backends with their current state, and the listeners to its changes."""

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
"""Seconds without requests after a 429 or 503 that names no time."""
LONGEST_REST = 600.0

type Listener = Callable[[RoutingEvent | None], None]
type LoadListener = Callable[[], None]


class Pool:
    """All members, by id. Every change of a member goes through the pool, which notifies the listeners.

    Changes of state (health, models, failures, circuit breaker) are notified at once. Changes of load (running and waiting
    requests), of which each request makes several, are notified together, once for each turn of the event loop.
    """

    def __init__(self) -> None:
        """Create an empty pool."""
        self.own_id: str | None = None
        """The id of the gateway that uses the pool; None without a gateway."""
        self.last_failover: tuple[float, RoutingEvent] | None = None
        """`time.time()` of the last failover and its event; None: there was none since the start."""
        self._members: dict[str, Member] = {}
        self._listeners: dict[str | None, list[Listener]] = {}
        self._load_listeners: dict[str | None, list[LoadListener]] = {}
        self._load_changed: set[str] = set()
        """Ids of the members whose load changed in this turn of the event loop."""

    def __iter__(self) -> Iterator[Member]:
        """The members in the order in which they were added."""
        return iter(tuple(self._members.values()))

    def __contains__(self, backend_id: object) -> bool:
        """Whether there is a member with that id."""
        return backend_id in self._members

    def get(self, backend_id: str) -> Member | None:
        """The member with that id, or None."""
        return self._members.get(backend_id)

    def add(self, member: Member) -> None:
        """Add a member. Raises ValueError if there is one with its id."""
        if member.id in self._members:
            raise ValueError(f"there is a backend with the id {member.id} already")
        self._enter(member)

    def replace(self, member: Member) -> Member:
        """Replace the member with the same id, which is returned and finishes its requests.

        Raises KeyError if no member has that id.
        """
        former = self._members[member.id]
        member.limiter, former_slots = former.limiter, member.limiter  # the permits of its running requests stay in use
        member.limiter.limit, member.limiter.queue_length = former_slots.limit, former_slots.queue_length
        member.meter = member.meter or former.meter
        member.usual_cost = former.usual_cost
        member.preparations = former.preparations
        self._enter(member)
        self.notify_state(member.id)
        return former

    def remove(self, backend_id: str) -> Member | None:
        """Remove and return a member, or None; its running requests finish."""
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
        if event is not None and event.kind is EventKind.FAILOVER:
            self.last_failover = (time.time(), event)
        self._notify((backend_id, None), event)

    def notify_all(self) -> None:
        """Notify all listeners of a change that concerns every member, such as of the rules."""
        self._notify(tuple(self._listeners), None)

    def _notify(self, keys: tuple[str | None, ...], event: RoutingEvent | None) -> None:
        for key in keys:
            for listener in tuple(self._listeners.get(key, ())):
                try:
                    listener(event)
                except Exception:  # a failing listener must not fail the request
                    _LOGGER.exception("A listener failed on a change of %s", key or "a provider")

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
        """The member answered: it is healthy after one success. A pause that it asked for continues.

        `latency` in seconds, of a health check; None: a request was answered, which changes the state of few members.
        """
        changed = latency is not None or not member.known or member.failures > 0 or member.refused_requests > 0
        member.failures = 0
        member.last_seen = time.time()
        if latency is None:
            member.refused_requests = 0
        else:
            member.latency = latency
            member.latencies.append(latency)
        slow = member.latency is not None and member.latency > DEGRADED_SECONDS
        unwell = member.health is not None and member.health.status != "ok"
        state = ProviderState.DEGRADED if slow or unwell else ProviderState.HEALTHY
        if changed or member.state is not state:
            self._set_state(member, state)
        else:
            self.notify_load(member.id)

    def record_failure(self, member: Member, error: ApiError) -> None:
        """Record a failed check or connection: the member is offline after three in a row (at once if it never answered).

        After a 429 or 503 it rests instead; after a rejected API key it is unauthorized.
        """
        if self._record_refusal(member, error):
            return
        member.failures += 1
        final = not member.known or isinstance(error, IdentityChangedError)
        if member.failures >= FAILURES_UNTIL_OFFLINE or final:
            self._set_state(member, ProviderState.OFFLINE, error.message, error.log_text)
        elif isinstance(error, UpstreamTimeoutError) and member.online:
            self._set_state(member, ProviderState.DEGRADED)  # slow, but reachable
        else:
            self.notify_state(member.id)

    def record_request_failure(self, member: Member, error: ApiError) -> None:
        """Record a failed request: it counts for the circuit breaker, and as offline only if the member was unreachable."""
        if isinstance(error, UpstreamError | UpstreamTimeoutError) and member.breaker.fail():
            _LOGGER.info("%s failed %s requests in a row and is skipped for a while", member.name, member.breaker.failures)
        if isinstance(error, AuthenticationError | PermissionDeniedError):
            member.refused_requests += 1
        if isinstance(error, UpstreamConnectionError):
            self.record_failure(member, error)
        elif not self._record_refusal(member, error):
            self.notify_state(member.id)

    def _record_refusal(self, member: Member, error: ApiError) -> bool:
        """Whether the error is a rejection by a reachable member, which is then recorded: no API key, or too many requests."""
        member.record_error(error)
        if isinstance(error, AuthenticationError | PermissionDeniedError):
            self._set_state(member, ProviderState.UNAUTHORIZED, error.message, error.log_text)
            return True
        if isinstance(error, RateLimitError | QuotaError | UnavailableError):
            rest = DEFAULT_REST if error.retry_after is None else error.retry_after
            member.resting_until = time.monotonic() + min(rest, LONGEST_REST)
            self.notify_state(member.id)
            return True
        return False

    def record_goodbye(self, member: Member, reason: str = "it is no longer advertised on the network") -> None:
        """Record that a member has left. The next success brings it back, unless that check began before."""
        member.left_at = time.monotonic()
        self._set_state(member, ProviderState.OFFLINE, reason)

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
