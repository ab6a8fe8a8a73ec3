"""What happens to a budget, as it happens: a part of it is spent, or all of it."""

from typing import override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import callback

from .core.accounting.budget import BudgetEvent
from .core.protocol.values import NANO, clean
from .usage.coordinators import Account
from .usage.entity import AccountEntity

THRESHOLD_REACHED = "threshold_reached"
EXCEEDED = "exceeded"

BUDGET_EVENT = EventEntityDescription(
    key="budget_event", translation_key="budget_event", event_types=[THRESHOLD_REACHED, EXCEEDED]
)


class BudgetEventEntity(AccountEntity, EventEntity):
    """Tells of each threshold of an account's budgets, once within a period. The household's tells of users' budgets, too."""

    @override
    async def async_added_to_hass(self) -> None:
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.listen_budgets(self._on_threshold))

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Its state is the last event: figures change nothing of it."""

    @callback
    def _on_threshold(self, event: BudgetEvent) -> None:
        budget = event.budget
        self._trigger_event(
            EXCEEDED if event.threshold >= 100 else THRESHOLD_REACHED,
            {
                "threshold": event.threshold,
                "scope": budget.scope.value,
                "subject": clean(budget.subject),
                "period": budget.period.value,
                "amount": budget.amount / NANO,
                "spent": event.spent / NANO,
            },
        )
        self.async_write_ha_state()


def account_events(account: Account) -> list[BudgetEventEntity]:
    """All that an account has: an agent of this home has no budget of its own."""
    return [] if account.is_agent else [BudgetEventEntity(account, BUDGET_EVENT)]
