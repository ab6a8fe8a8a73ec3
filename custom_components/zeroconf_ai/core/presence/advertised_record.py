"""What a server says of itself on the network, taken from what the backends behind it say."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
import logging

from ..engine import Engine
from ..protocol.models import ModelInfo
from ..protocol.record import Capability, Cost, Load, Placement, RecordError, ServiceRecord
from ..routing.pool.pool import Member

_LOGGER = logging.getLogger(__name__)

PROVIDERS = frozenset({"openai", "anthropic", "ollama", "vllm", "llamacpp", "litellm", "openrouter"})
"""The protocol's words for a server of one kind alone; all else is `custom`."""
CUSTOM = "custom"
LOOK_SECONDS = 0.5
"""Changes of so long are looked at together."""
_DEAREST_FIRST = (Cost.METERED, Cost.SUBSCRIPTION, Cost.UNKNOWN, Cost.FREE)
_PASSED_ON = frozenset({Capability.COMPLETION, Capability.STREAMING, Capability.TOOLS, Capability.JSON})
"""What is asked of a backend that does not say what it can do: what a record lacks is not even tried by clients."""


def describe_engine(record: ServiceRecord, engine: Engine) -> ServiceRecord:
    """`record` with the models of those that answer now, and with what they, or all where none does, can do and cost.

    It keeps the name of its provider where it has one of its own, and that it hears and speaks.
    """
    members = [member for member in engine.pool if member.enabled]
    members = [member for member in members if member.online] or members
    models: dict[str, ModelInfo] = {}
    for _, model in engine.models():
        models.setdefault(model.id, model)
    ordered = sorted(models.values(), key=lambda model: not model.for_chat)  # clients take the first
    infos = [member.backend.info for member in members]
    costs = {info.cost for info in infos}
    kinds = {record.provider} - {CUSTOM} or {(member.health.provider or "") for member in members if member.health is not None}
    return replace(
        record,
        models=tuple(model.id for model in ordered),
        provider=kinds.pop() if len(kinds) == 1 and kinds <= PROVIDERS | {record.provider} else CUSTOM,
        capabilities=(_capabilities(members) or record.capabilities) | record.capabilities & {Capability.AUDIO},
        cost=next((cost for cost in _DEAREST_FIRST if cost in costs), record.cost),
        placement=Placement.LOCAL if all(info.placement is Placement.LOCAL for info in infos) else Placement.PROXY,
        context_window=max((model.context_window or 0 for model in ordered), default=0) or None,
        load=_load(engine, members),
    )


class AdvertisedRecord:
    """Keeps an advertisement true to the backends, from `start` to `close`."""

    def __init__(self, record: ServiceRecord, engine: Engine, update: Callable[[ServiceRecord], None]) -> None:
        """`update` is called with `record` as it is described from then on, whenever that changes."""
        self._record = record
        self._engine = engine
        self._update = update
        self._last = record
        self._stop: Callable[[], None] | None = None
        self._look: asyncio.TimerHandle | None = None

    def start(self) -> ServiceRecord:
        """Begin; returns the record as it is now."""
        self._last = describe_engine(self._record, self._engine)
        self._stop = self._engine.pool.listen(self._on_change)
        return self._last

    def rebase(self, record: ServiceRecord) -> None:
        """Describe `record` from now on; told at once where that changes anything."""
        self._record = record
        self._compare()

    def close(self) -> None:
        """End it."""
        if self._stop is not None:
            self._stop()
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _on_change(self, _: object) -> None:
        """Look a moment later: every request is a change, and few of them change what is told."""
        if self._look is None:
            self._look = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._compare)

    def _compare(self) -> None:
        if self._look is not None:
            self._look.cancel()
        self._look = None
        now = describe_engine(self._record, self._engine)
        if now == self._last:
            return
        self._last = now
        try:
            self._update(now)
        except RecordError as err:
            _LOGGER.warning("The advertisement stays as it was: %s", err)


def _capabilities(members: Iterable[Member]) -> frozenset[Capability]:
    """What at least one of them can do."""
    found: set[Capability] = set()
    for member in members:
        said = [model.capabilities for model in member.models if model.capabilities is not None]
        found.update(*said)
        if not said or len(said) < len(member.models):
            can = member.backend.info.capabilities
            found |= _PASSED_ON if can is None else can
    if Capability.COMPLETION in found:
        found.add(Capability.STREAMING)  # every backend streams, whatever its models' list leaves out
    return frozenset(found)


def _load(engine: Engine, members: list[Member]) -> Load:
    """Full where a new request would wait, whoever of them answered it; idle where nothing runs."""
    if not engine.limiter.free or (members and not any(member.limiter.free for member in members)):
        return Load.FULL
    return Load.BUSY if any(member.active for member in members) else Load.IDLE
