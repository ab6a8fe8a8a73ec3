"""An admission without limits, budgets or reservations."""

from collections.abc import Mapping
from typing import override

from zeroconf_ai.accounting.admission import Admission
from zeroconf_ai.accounting.usage.generation import Generation


class FakeAdmission(Admission):
    """Bars the given backends, and keeps the records that it is reconciled with."""

    def __init__(self, barred: frozenset[str] = frozenset(), reconciled: list[Generation] | None = None) -> None:
        """`reconciled`: the list of the records, by default one of its own."""
        self._barred = barred
        self._reconciled = [] if reconciled is None else reconciled

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        return {}

    @property
    @override
    def barred(self) -> frozenset[str]:
        return self._barred

    @override
    def reconcile(self, generation: Generation, costs: Mapping[str, int] | None = None) -> None:
        self._reconciled.append(generation)
