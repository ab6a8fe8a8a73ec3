"""`AdvertisedRecord`: the record that a gateway advertises, derived from its backends."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
import logging

from ..config.backend_types import ADVERTISED_PROVIDERS, CUSTOM
from ..engine import Engine
from ..protocol.models import AUDIO, ModelInfo
from ..protocol.record import Capability, Cost, Load, Placement, RecordError, ServiceRecord
from ..routing.pool.member import Member

_LOGGER = logging.getLogger(__name__)

COALESCE_SECONDS = 0.5
"""Changes within this time are combined."""
_MOST_EXPENSIVE_FIRST = (Cost.METERED, Cost.SUBSCRIPTION, Cost.UNKNOWN, Cost.FREE)
_DEFAULT_CAPABILITIES = frozenset({Capability.COMPLETION, Capability.STREAMING, Capability.TOOLS, Capability.JSON})
"""Assumed for backends that report no capabilities: clients do not try what a record lacks."""


def describe_engine(record: ServiceRecord, engine: Engine) -> ServiceRecord:
    """Fill `record` with the models, capabilities and cost of the online members (of all members if none is online).

    A provider name other than `custom` and the audio capability of `record` are kept.
    """
    members = engine.usable() or [member for member in engine.pool if member.enabled]
    models: dict[str, ModelInfo] = {}
    for _, model in engine.models():
        models.setdefault(model.id, model)
    ordered = sorted(models.values(), key=lambda model: not model.for_chat)  # clients use the first one
    infos = [member.backend.info for member in members]
    costs = {info.cost for info in infos}
    kinds = {record.provider} - {CUSTOM} or {(member.health.provider or "") for member in members if member.health is not None}
    return replace(
        record,
        models=tuple(model.id for model in ordered),
        provider=kinds.pop() if len(kinds) == 1 and kinds <= ADVERTISED_PROVIDERS | {record.provider} else CUSTOM,
        capabilities=(_capabilities(members) or record.capabilities) | record.capabilities & {Capability.AUDIO},
        cost=next((cost for cost in _MOST_EXPENSIVE_FIRST if cost in costs), record.cost),
        placement=Placement.LOCAL if all(info.placement is Placement.LOCAL for info in infos) else Placement.PROXY,
        context_window=max((model.context_window or 0 for model in ordered), default=0) or None,
        load=_load(engine, members),
    )


class AdvertisedRecord:
    """Keeps an advertisement in sync with the backends, from `start` to `close`."""

    def __init__(self, record: ServiceRecord, engine: Engine, update: Callable[[ServiceRecord], None]) -> None:
        """`update` is called with the new record after each change."""
        self._record = record
        self._engine = engine
        self._update = update
        self._last = record
        self._stops: tuple[Callable[[], None], ...] = ()
        self._compare_timer: asyncio.TimerHandle | None = None

    def start(self) -> ServiceRecord:
        """Start listening; returns the current record."""
        self._last = describe_engine(self._record, self._engine)
        pool = self._engine.pool
        self._stops = (pool.listen(self._on_state), pool.listen_load(self._on_change))
        return self._last

    def rebase(self, record: ServiceRecord) -> None:
        """Use another base record; a resulting change is reported at once."""
        self._record = record
        self._compare()

    def close(self) -> None:
        """Stop listening."""
        for stop in self._stops:
            stop()
        if self._compare_timer is not None:
            self._compare_timer.cancel()
            self._compare_timer = None

    def _on_state(self, _: object) -> None:
        self._on_change()

    def _on_change(self) -> None:
        """Compare after a delay: every request is a change, but few affect the record."""
        if self._compare_timer is None:
            self._compare_timer = asyncio.get_running_loop().call_later(COALESCE_SECONDS, self._compare)

    def _compare(self) -> None:
        if self._compare_timer is not None:
            self._compare_timer.cancel()
        self._compare_timer = None
        now = describe_engine(self._record, self._engine)
        if now == self._last:
            return
        self._last = now
        try:
            self._update(now)
        except RecordError as err:
            _LOGGER.warning("The advertisement was not updated: %s", err)


def _capabilities(members: Iterable[Member]) -> frozenset[Capability]:
    """The union of the members' capabilities."""
    found: set[Capability] = set()
    for member in members:
        said = [model.capabilities for model in member.models if model.capabilities is not None]
        found.update(*said)
        if not said or len(said) < len(member.models):
            can = member.backend.info.capabilities
            found |= _DEFAULT_CAPABILITIES if can is None else can
        found.update(*(model.abilities & AUDIO for model in member.models))
    if found & AUDIO:
        found.add(Capability.AUDIO)
    if Capability.COMPLETION in found:
        found.add(Capability.STREAMING)  # every backend streams, even if its model list does not say so
    return frozenset(found)


def _load(engine: Engine, members: list[Member]) -> Load:
    """Full if a new request would wait at every member; idle if no request is running."""
    if not engine.limiter.free or (members and not any(member.limiter.free for member in members)):
        return Load.FULL
    return Load.BUSY if any(member.active for member in members) else Load.IDLE
