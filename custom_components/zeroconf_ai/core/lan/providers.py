"""`ProviderRegistry`: merges advertisements to providers and notifies listeners of changes."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
import logging
import time

from ..protocol.record import SERVICE_TYPE, ServiceRecord
from ..protocol.status import ProviderState
from .advertisements import Advertisements, Key
from .trust import Trust, TrustStore

_LOGGER = logging.getLogger(__name__)


class ChangeKind(StrEnum):
    """The kind of a change."""

    ADDED = "added"
    UPDATED = "updated"
    MOVED = "moved"
    """Its addresses or port changed."""
    HEARD = "heard"
    """It advertised itself again, unchanged except for its load."""
    REMOVED = "removed"
    """It sent a goodbye, or its record expired."""
    STATE = "state"
    """The result of its health probe changed."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider: its best advertisement and the result of the latest probe."""

    record: ServiceRecord
    trust: Trust = Trust.NEW
    state: ProviderState | None = None
    """None before the first probe."""
    latency: float | None = None
    """Duration of the last successful probe in seconds."""
    error: str | None = None
    last_seen: float = field(default_factory=time.time)
    """Unix time of the last advertisement or successful probe."""
    failures: int = 0
    """Number of failed probes since the last successful one."""
    answered_at: str | None = None
    """The base URL of its last answer."""
    rivals: tuple[ServiceRecord, ...] = ()
    """Other advertisements of the same id; those from other hosts may be an impostor's."""

    @property
    def records(self) -> tuple[ServiceRecord, ...]:
        """All advertisements, best first."""
        return (self.record, *self.rivals)

    @property
    def id(self) -> str:
        """The advertised identity."""
        return self.record.id

    @property
    def base_url(self) -> str:
        """The base URL to use: the advertised address that answered, else the first one."""
        return self.answered_at if self.answered_at in self.record.urls() else self.record.base_url()


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one provider."""

    kind: ChangeKind
    provider: Provider


type ChangeCallback = Callable[[Change], None]


class ProviderRegistry:
    """The advertised providers by id. All calls come from one event loop."""

    def __init__(self, trust: TrustStore, own_ids: Iterable[str] = ()) -> None:
        """`own_ids` are advertised by this program and not stored."""
        self.own_ids = set(own_ids)
        self.kept_ids: set[str] = set()
        """Ids of providers in use: a flood of advertisements does not displace them."""
        self.activity = asyncio.Event()
        """Set with every stored or removed advertisement."""
        self._trust = trust
        self._answered: set[str] = set()
        self._records = Advertisements(self._is_known)
        self._providers: dict[str, Provider] = {}
        self._callbacks: list[ChangeCallback] = []

    @property
    def providers(self) -> list[Provider]:
        """The advertised providers in order of preference."""
        return sorted(self._providers.values(), key=_rank)

    def get(self, provider_id: str) -> Provider | None:
        """The advertised provider with an id, or None."""
        return self._providers.get(provider_id)

    @property
    def subscribers(self) -> int:
        """The number of subscribed callbacks."""
        return len(self._callbacks)

    def subscribe(self, callback: ChangeCallback) -> Callable[[], None]:
        """Call `callback` after every change; returns a function that unsubscribes and may be called twice."""
        self._callbacks.append(callback)

        def stop() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

        return stop

    def put(self, key: Key, record: ServiceRecord) -> None:
        """Store an advertisement, unless it is this program's own or displaces only providers that answered."""
        if record.id in self.own_ids:
            return
        try:
            displaced = self._records.to_displace(key)
        except OverflowError as err:
            _LOGGER.debug("The advertisement of %r is not stored: %s", record.name, err)
            return
        if displaced is not None:
            self.remove(displaced)
        former_record = self._records.get(key)
        if former_record is not None and former_record.id != record.id:
            self.remove(key)
        self._records.set(key, record)
        self._refresh(record.id)

    def remove(self, key: Key) -> None:
        """Remove an advertisement, if it is stored."""
        record = self._records.pop(key)
        if record is not None:
            self._refresh(record.id)

    def repeated(self, key: Key) -> bool:
        """Record that an advertisement was repeated unchanged; False if it is not stored."""
        record = self._records.get(key)
        if record is None:
            return False
        if (provider := self._providers.get(record.id)) is not None:
            self._providers[provider.id] = provider = replace(provider, last_seen=time.time())
            self._notify(ChangeKind.HEARD, provider)
        return True

    def record_answer(self, provider_id: str, base_url: str | None) -> None:
        """Record that the provider answered, and at which base URL. Its advertisement is then protected from displacement."""
        if (provider := self._providers.get(provider_id)) is not None:
            self._answered.add(provider_id)
            self._providers[provider_id] = replace(provider, answered_at=base_url)

    def record_probe(
        self, provider_id: str, state: ProviderState, *, error: str | None, latency: float | None, failures: int
    ) -> Provider | None:
        """Store the result of a health probe. Returns the updated provider, None if it was removed in the meantime."""
        former = self._providers.get(provider_id)
        if former is None:
            return None
        last_seen = former.last_seen if failures else time.time()
        fresh = replace(former, state=state, error=error, latency=latency, failures=failures, last_seen=last_seen)
        self._providers[provider_id] = fresh
        if state is not former.state:
            self._notify(ChangeKind.STATE, fresh)
        return fresh

    def _refresh(self, provider_id: str) -> None:
        """Rebuild a provider from its advertisements (one per service type and host)."""
        records = [record for record in self._records if record.id == provider_id]
        former = self._providers.get(provider_id)
        self.activity.set()
        if not records:
            if former is not None:
                del self._providers[provider_id]
                self._answered.discard(provider_id)
                self._notify(ChangeKind.REMOVED, former)
            return
        # Our own service type has more fields; of two hosts with the same id, the first one wins.
        first_host = former.record.host if former is not None else records[0].host
        best = min(records, key=lambda record: (record.host != first_host, record.service_type != SERVICE_TYPE))
        if any(record.host != best.host for record in records):
            _LOGGER.warning("Several hosts advertise the same id: %s and others as %s", best.host, best.name)
        rivals = tuple(record for record in records if record is not best)
        trust = self._trust.judge(best)
        if former is None:
            self._providers[provider_id] = Provider(best, trust, rivals=rivals)
            self._notify(ChangeKind.ADDED, self._providers[provider_id])
            return
        provider = replace(former, record=best, trust=trust, rivals=rivals, last_seen=time.time())
        self._providers[provider_id] = provider
        if (kind := _kind_of_change(former, provider)) is not None:
            self._notify(kind, provider)

    def _is_known(self, record: ServiceRecord) -> bool:
        """Whether the record's provider has answered or was confirmed."""
        confirmed = self._trust.judge(record) in (Trust.KNOWN, Trust.MOVED)
        return confirmed or record.id in self._answered or record.id in self.kept_ids

    def _notify(self, kind: ChangeKind, provider: Provider) -> None:
        for callback in tuple(self._callbacks):
            try:
                callback(Change(kind, provider))
            except Exception:
                _LOGGER.exception("A listener for changes of %s failed", provider.record.name)


def _kind_of_change(former: Provider, provider: Provider) -> ChangeKind | None:
    """How a provider changed with its advertisements; None if it did not."""
    old, new = former.record, provider.record
    moved = (new.addresses, new.port, new.tls) != (old.addresses, old.port, old.tls)
    if moved or _other_base_urls(provider) - _other_base_urls(former):
        return ChangeKind.MOVED
    if (replace(new, load=None), provider.trust) != (replace(old, load=None), former.trust):
        return ChangeKind.UPDATED
    return ChangeKind.HEARD if new.load is not old.load else None


def _other_base_urls(provider: Provider) -> frozenset[str]:
    """The base URLs that only the rivals advertise."""
    return frozenset(url for rival in provider.rivals for url in rival.base_urls()) - provider.record.base_urls()


def _rank(provider: Provider) -> tuple[bool, int, float, str]:
    unusable = provider.state in (ProviderState.OFFLINE, ProviderState.UNAUTHORIZED)
    return unusable, provider.record.priority, provider.latency or 0.0, provider.record.name
