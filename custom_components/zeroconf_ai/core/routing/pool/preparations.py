"""What a backend prepares before it answers: it wakes up, or loads a model. The durations are measured, for a progress."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
import time

MEASURED = 9
"""Durations kept of waking, and of each model; the usual one is their median."""
MAX_MODELS = 32
"""Models of a backend whose loading is measured."""
LOADED_SECONDS = 60.0
"""How long a model counts as loaded after it has answered; then the backend has reported its loaded models again."""


class PreparationKind(StrEnum):
    """What is prepared."""

    WAKING = "waking"
    LOADING = "loading"


@dataclass(slots=True, eq=False)
class Preparation:
    """One that is in progress. `model`: None for waking."""

    kind: PreparationKind
    model: str | None
    usual: float | None
    """Seconds that it usually takes; None: it was never measured."""
    started: float = field(default_factory=time.time)
    """Seconds since the epoch."""
    _begun: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Seconds since its start."""
        return time.perf_counter() - self._begun


class Preparations:
    """Those of one backend, with the measured durations since the start of the program."""

    def __init__(self) -> None:
        """Nothing is in progress, and nothing was measured."""
        self._measured: dict[str | None, deque[float]] = {}
        """By model; None: of waking."""
        self._loaded_at: dict[str, float] = {}
        self._running: dict[Preparation, None] = {}

    def __iter__(self) -> Iterator[Preparation]:
        """Those in progress, oldest first; requests that wait for the same model are one."""
        seen: set[str | None] = set()
        for running in tuple(self._running):
            if running.model not in seen:
                seen.add(running.model)
                yield running

    def is_loaded(self, model: str) -> bool:
        """Whether a model has answered just now, whatever the backend reported last."""
        return time.monotonic() - self._loaded_at.get(model, float("-inf")) < LOADED_SECONDS

    def begin(self, model: str | None = None) -> Preparation:
        """The backend begins to wake up, or to load a model. `end` must be called."""
        measured = self._measured.get(model)
        kind = PreparationKind.WAKING if model is None else PreparationKind.LOADING
        preparation = Preparation(kind, model, median(measured) if measured else None)
        self._running[preparation] = None
        return preparation

    def end(self, preparation: Preparation, *, measured: bool) -> None:
        """It has ended. `measured`: its duration is that of the preparation alone, and it succeeded."""
        if self._running.pop(preparation, self) is self or not measured:
            return
        durations = self._measured.pop(preparation.model, None) or deque(maxlen=MEASURED)
        durations.append(preparation.seconds)
        self._measured[preparation.model] = durations  # the newest is last
        if len(self._measured) > MAX_MODELS:
            self._measured.pop(next(iter(self._measured)))

    def answered(self, model: str) -> None:
        """A model has answered, so it is loaded."""
        self._loaded_at.pop(model, None)
        self._loaded_at[model] = time.monotonic()
        if len(self._loaded_at) > MAX_MODELS:
            self._loaded_at.pop(next(iter(self._loaded_at)))
