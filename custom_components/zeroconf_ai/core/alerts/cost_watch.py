"""`CostWatch`: notices that the cost of a calendar month has reached a threshold."""

from collections.abc import Callable, Iterable, Mapping
from typing import override

from ..accounting.usage.generation import Generation, Recorder
from ..accounting.usage.totals import Totals
from ..config.alert_fields import CostAlert
from .alert import Alert, cost_alert

type Told = Mapping[str, Iterable[int]]
"""The thresholds in nano-units of which people were notified, by month (`2026-11`)."""


class CostWatch(Recorder):
    """Compares the cost of the month with the thresholds after each request that costs money.

    Attach it after the recorder that fills `totals`. Currencies count one to one.
    """

    def __init__(
        self,
        totals: Totals,
        thresholds: Iterable[CostAlert],
        notify: Callable[[CostAlert, Alert], object],
        *,
        told: Told,
        remember: Callable[[Told], object],
    ) -> None:
        """`told` are the thresholds of earlier runs; `remember` stores them, and is called on the event loop."""
        self._totals = totals
        self._thresholds = sorted(thresholds, key=lambda threshold: threshold.value)
        self._notify = notify
        self._remember = remember
        self._told = {month: set(values) for month, values in told.items()}

    @override
    def record(self, generation: Generation) -> None:
        if generation.cost:
            self.check()

    def check(self) -> None:
        """Notify of each threshold that the month has reached, once."""
        month = f"{self._totals.date:%Y-%m}"
        told = self._told.get(month, set())
        waiting = [threshold for threshold in self._thresholds if threshold.value not in told]
        if not waiting:
            return
        costs = self._totals.household.month.costs
        spent = sum(costs.values())
        reached = [threshold for threshold in waiting if spent >= threshold.value]
        if not reached:
            return
        self._told = {month: told | {threshold.value for threshold in reached}}
        self._remember(self._told)
        currency = next(iter(costs)) if len(costs) == 1 else "USD"
        for threshold in reached:
            self._notify(threshold, cost_alert(month, threshold.value, spent, currency))
