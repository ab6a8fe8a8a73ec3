"""`Accounting`: what limits, records and stores the requests of an engine."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..accounting.admission import AdmissionControl
from ..accounting.household_cap import HouseholdCap
from ..accounting.usage.generation import Recorder, Recorders
from .execution.session_storage import SessionBackend

if TYPE_CHECKING:  # need SQLAlchemy, which engines without a database do not load
    from ..accounting.conversations.exchanges import ExchangeStore
    from ..accounting.overall_limits import OverallLimits
    from ..accounting.store import AccountingStore


@dataclass(frozen=True, slots=True)
class Accounting:
    """What `Engine.attach` adds to an engine. Each part may be missing."""

    recorder: Recorder | None = None
    """Records every request."""
    admission_control: AdmissionControl | None = None
    """Checks limits and budgets before a request runs."""
    exchanges: "ExchangeStore | None" = None
    """Stores prompts and answers, if the owner has enabled that."""
    sessions: SessionBackend | None = None
    """Stores the backend and model of each session."""
    household: HouseholdCap | None = None
    """The hourly limit of requests with a household token."""
    overall: "OverallLimits | None" = None
    """The limits of all requests together."""

    @classmethod
    def of(cls, store: "AccountingStore", *recorders: Recorder) -> "Accounting":
        """All parts of an accounting store; `recorders` get the same records as its ledger, after it."""
        return cls(Recorders(store.ledger, *recorders), store.admission_control, store.exchanges, store.sessions)


def combined(attached: Iterable[Accounting]) -> Accounting:
    """Combine several: all recorders, in the order of attachment; of each other part, the newest.

    The household's limit applies around the newest admission control, and that of all requests around both.
    """
    recorders: list[Recorder] = []
    control, exchanges, sessions, household, overall = None, None, None, None, None
    for one in attached:
        if one.recorder is not None:
            recorders.append(one.recorder)
        control = one.admission_control or control
        exchanges = one.exchanges or exchanges
        sessions = one.sessions or sessions
        household = one.household or household
        overall = one.overall or overall
    if household is not None:
        control = household.around(control)
    if overall is not None:
        control = overall.around(control)
    recorder = recorders[0] if len(recorders) == 1 else Recorders(*recorders) if recorders else None
    return Accounting(recorder, control, exchanges, sessions, household, overall)
