"""`EnergyMeter`: the electricity cost of the requests at one machine, from its power draw above idle."""

from collections import deque
from dataclasses import dataclass
import math

from ...protocol.prices import DEFAULT_CURRENCY

SETTLE_SECONDS = 30.0
"""How long after its last request a machine is not yet idle: fans keep running, and sensors lag."""
_IDLE_SAMPLES = 360
_IDLE_SHARE = 0.1
"""The idle power is this quantile of the samples without a request, so that other work of the machine does not raise it."""
_MEMORY_SECONDS = 300.0
"""The time constant of the mean power under load."""
WATT_SECONDS_PER_KWH = 3_600_000


@dataclass(eq=False, slots=True)
class Run:
    """One request at the machine. Energy is in watt-seconds; `worth` is energy times the tariff in nano-units per kWh."""

    energy: float = 0.0
    worth: float = 0.0
    waiting: float = 0.0
    """Its share, in seconds, of the time without a known power."""
    waiting_worth: float = 0.0
    """The same times the tariff."""
    known: bool = True
    """Whether the power sensor and the tariff were available all the time. `energy` is complete once the run has ended."""


class EnergyMeter:
    """Divides the power draw above idle among the running requests. All times are `time.monotonic()`.

    A sample holds until the next one. Until the first sample under load, that next sample applies, since the one before it is
    of the idle machine. A request that ends earlier is charged by the mean power under load.
    """

    def __init__(self, *, idle: float | None = None, tariff: int | None = None, currency: str = DEFAULT_CURRENCY) -> None:
        """`idle` is in watts (None: learned), `tariff` in nano-units per kWh (None: unknown so far)."""
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
        """The idle power in watts, configured or learned; None: unknown so far."""
        if self._set_idle is not None or not self._idle_samples:
            return self._set_idle
        return sorted(self._idle_samples)[int(len(self._idle_samples) * _IDLE_SHARE)]

    @property
    def usual(self) -> float | None:
        """The mean power above idle under load, in watts; None: unknown so far."""
        return self._usual

    def sample(self, watts: float | None, at: float) -> None:
        """Record a sensor value; None if the sensor is unavailable."""
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
                _charge(run, self._over_idle())

    def set_tariff(self, tariff: int | None, at: float) -> None:
        """Set the tariff in nano-units per kWh; None: unknown. It may be negative."""
        self._advance(at)
        self._tariff = tariff

    def begin(self, at: float) -> Run:
        """Start a request."""
        self._advance(at)
        if not self._runs:
            self._fresh = False
        run = Run()
        self._runs.append(run)
        return run

    def end(self, run: Run, at: float) -> int | None:
        """End a request; returns its cost in nano-units, None if unknown. Call once per run."""
        self._advance(at)
        self._runs.remove(run)
        if not self._runs:
            self._quiet_since = at
        if run.waiting:
            _charge(run, self._usual)
        if not run.known:
            return None
        # With a negative tariff the cost is 0, not negative.
        return max(0, math.ceil(run.worth / WATT_SECONDS_PER_KWH))

    def _over_idle(self) -> float | None:
        idle = self.idle
        return None if idle is None or self._watts is None else max(0.0, self._watts - idle)

    def _advance(self, at: float) -> None:
        """Divide the energy since the last call among the runs."""
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
                _charge(run, over)
        if self._fresh and over is not None:
            fading = 1.0 if self._usual is None else 1 - math.exp(-seconds / _MEMORY_SECONDS)
            self._usual = (self._usual or 0.0) + fading * (over - (self._usual or 0.0))


def _charge(run: Run, over: float | None) -> None:
    """Charge a run for its waiting time at a power above idle; None: unknown."""
    run.known = run.known and over is not None
    run.energy += run.waiting * (over or 0.0)
    run.worth += run.waiting_worth * (over or 0.0)
    run.waiting = run.waiting_worth = 0.0
