"""`EnergyMeter`: what the requests at one machine cost in electricity, from the power that it draws over idle while it works."""

from collections import deque
from dataclasses import dataclass
import math

from ...protocol.prices import DEFAULT_CURRENCY

SETTLE_SECONDS = 30.0
"""So long after its last request a machine is not yet idle: fans run on, and sensors lag behind."""
_IDLE_SAMPLES = 360
_IDLE_SHARE = 0.1
"""Idle is what a tenth of the samples without a request lie below: other work of the machine does not raise it."""
_MEMORY_SECONDS = 300.0
"""Over so much working time the usual power fades."""
_WATT_SECONDS_PER_KWH = 3_600_000


@dataclass(eq=False, slots=True)
class Run:
    """One request at the machine. Energy is in watt-seconds; `worth` is that times the nano-units that a kWh cost at the time."""

    energy: float = 0.0
    worth: float = 0.0
    waiting: float = 0.0
    """Its share, in seconds, of the time of which the power is not known yet."""
    waiting_worth: float = 0.0
    """That, times what a kWh cost."""
    known: bool = True
    """Whether the sensor and the price of electricity were there all the time."""


class EnergyMeter:
    """Shares what one machine draws over idle among the requests that it works on. All times are `time.monotonic()`.

    A power holds until the next sample. Before the first sample of a spell of work that next one holds: the one before it is of
    an idle machine. A request that ends before it is charged by the power that the machine usually draws when it works.
    """

    def __init__(self, *, idle: float | None = None, tariff: int | None = None, currency: str = DEFAULT_CURRENCY) -> None:
        """`idle` in watts, None: learnt; `tariff` in nano-units for a kWh, None: not known yet."""
        self.currency = currency
        self._set_idle = idle
        self._tariff = tariff
        self._watts: float | None = None
        self._idle_samples: deque[float] = deque(maxlen=_IDLE_SAMPLES)
        self._usual: float | None = None
        self._runs: list[Run] = []
        self._fresh = False
        self._at = -math.inf
        self._quiet_since = -math.inf

    @property
    def idle(self) -> float | None:
        """What it draws without a request, in watts: as it was set or learnt; None: not known yet."""
        if self._set_idle is not None or not self._idle_samples:
            return self._set_idle
        return sorted(self._idle_samples)[int(len(self._idle_samples) * _IDLE_SHARE)]

    @property
    def usual(self) -> float | None:
        """What it draws over idle when it works, in watts; None: not known yet."""
        return self._usual

    def sample(self, watts: float | None, at: float) -> None:
        """The sensor's word; None where it has none from now on."""
        self._advance(at)
        if watts is not None and not math.isfinite(watts):
            watts = None
        self._watts = watts
        if watts is None:
            return
        if not self._runs:
            if at - self._quiet_since >= SETTLE_SECONDS:
                self._idle_samples.append(watts)
            return
        if not self._fresh:
            self._fresh = True
            for run in self._runs:
                _settle(run, self._over_idle())

    def set_tariff(self, tariff: int | None, at: float) -> None:
        """What a kWh costs from now on, in nano-units; None: nobody knows. It may be negative."""
        self._advance(at)
        self._tariff = tariff

    def begin(self, at: float) -> Run:
        """A request goes to the machine."""
        self._advance(at)
        if not self._runs:
            self._fresh = False
        run = Run()
        self._runs.append(run)
        return run

    def end(self, run: Run, at: float) -> int | None:
        """What its share cost, in nano-units; None where something of it is not known. Once for each run."""
        self._advance(at)
        self._runs.remove(run)
        if not self._runs:
            self._quiet_since = at
        if run.waiting:
            _settle(run, self._usual)
        if not run.known:
            return None
        # Where electricity is worth less than nothing for an hour, answers are free: nobody is paid for asking.
        return max(0, math.ceil(run.worth / _WATT_SECONDS_PER_KWH))

    def _over_idle(self) -> float | None:
        idle = self.idle
        return None if idle is None or self._watts is None else max(0.0, self._watts - idle)

    def _advance(self, at: float) -> None:
        """Share out what was drawn since the last call."""
        seconds, self._at = max(0.0, at - self._at), max(at, self._at)
        if not self._runs or not seconds:
            return
        share = seconds / len(self._runs)
        over = self._over_idle()
        lost = self._watts is None or self._tariff is None
        for run in self._runs:
            run.known = run.known and not lost
            run.waiting += share
            run.waiting_worth += share * (self._tariff or 0)
            if self._fresh:
                _settle(run, over)
        if self._fresh and over is not None:
            fading = 1.0 if self._usual is None else 1 - math.exp(-seconds / _MEMORY_SECONDS)
            self._usual = (self._usual or 0.0) + fading * (over - (self._usual or 0.0))


def _settle(run: Run, over: float | None) -> None:
    """Charge a run for the time that waits, at so much power over idle; None: not known."""
    run.known = run.known and over is not None
    run.energy += run.waiting * (over or 0.0)
    run.worth += run.waiting_worth * (over or 0.0)
    run.waiting = run.waiting_worth = 0.0
