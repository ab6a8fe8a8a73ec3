"""What a request may cost is reserved before it is sent, and replaced by what it cost afterwards."""

from collections.abc import Sequence
import logging
from typing import Final

from ..accounting.admission import Admission, AdmissionControl
from ..accounting.usage.generation import Generation
from ..protocol.exchange import Exchange
from ..protocol.request import Request
from .caller import Caller
from .execution.plan import Plan
from .execution.router import Router
from .policy import Policy
from .pool.pool import Pool
from .pricing.admission_request import admission_request
from .pricing.billing import Bill, costs_by_backend
from .pricing.worst_case import WorstCase, is_limited, may_cost, worst_case

_LOGGER = logging.getLogger(__name__)

_NO_COSTS: Final = WorstCase()


class Reservations:
    """The admission of requests to the backends of a pool, and its reconciliation."""

    def __init__(self, pool: Pool, router: Router) -> None:
        """`router` plans where a request may go."""
        self._pool = pool
        self._router = router

    def plan(self, admission_control: AdmissionControl, request: Request, policy: Policy) -> Plan | None:
        """The plan for the admission of a request; None if neither costs nor limits of backends matter."""
        if admission_control.counts_money or any(is_limited(member) for member in self._pool):
            return self._router.plan(request, policy)
        return None

    async def admit(
        self,
        admission_control: AdmissionControl,
        request: Request,
        caller: Caller,
        created: float,
        plan: Plan | None,
        policy: Policy,
        *,
        nested: bool,
    ) -> tuple[Admission, frozenset[str]]:
        """Admit a request; also returns the backends that must not answer it. Raises RateLimitError or QuotaError."""
        known = _NO_COSTS
        if plan is not None:
            known = worst_case(plan.possible, request, again=policy.retry_metered_timeouts)
        asked = admission_request(request, caller, known, created, nested=nested)
        admission = await admission_control.admit(asked)
        for backend_id in known.monthly_limits:
            if self._follow_cost(admission_control, backend_id) and plan is not None:
                plan.expire()
        if not admission.barred and admission.allowances is None and not admission_control.free_only:
            return admission, admission.barred
        # A backend that was not planned must not replace them: it may cost as much, and nothing was reserved for it.
        others = {member.id for member in self._pool if member.id not in known.worst_costs and may_cost(member)}
        return admission, admission.barred | others

    def reconcile(
        self,
        admission_control: AdmissionControl,
        admission: Admission,
        generation: Generation,
        bills: Sequence[Bill],
        exchange: Exchange,
    ) -> None:
        """Replace the reservation by the actual usage."""
        admission.reconcile(generation, costs_by_backend(bills, exchange) if len(bills) > 1 else None)
        if generation.cost and generation.converted_cost is None and exchange.currency is not None:
            _LOGGER.warning(
                "There is no exchange rate from %s to %s: budgets count the cost of request %s one to one",
                generation.currency,
                exchange.currency,
                generation.id,
            )
        if generation.backend_id is not None:
            self._follow_cost(admission_control, generation.backend_id)

    def _follow_cost(self, admission_control: AdmissionControl, backend_id: str) -> bool:
        """Update the month's cost of a backend; returns whether it reached its monthly limit, or is below it again."""
        member = self._pool.get(backend_id)
        if member is None or (limit := member.terms.monthly_limit) is None:
            return False
        before, member.month_cost = member.month_cost, admission_control.month_cost(backend_id)
        return (before >= limit) != (member.month_cost >= limit)
