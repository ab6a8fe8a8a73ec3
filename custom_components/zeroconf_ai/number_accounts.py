"""How much may be spent in a month: by the household, at a backend, with a key."""

from typing import override

from homeassistant.components.number import NumberDeviceClass, NumberEntity, NumberEntityDescription, NumberMode
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError

from .const import CONF_MONTHLY_LIMIT, DOMAIN
from .core.accounting.budget import Budget, Scope
from .core.accounting.periods import Period
from .core.accounting.storage.database import DatabaseError
from .core.protocol.values import NANO
from .gateway.runtime import GatewayConfigEntry
from .usage.coordinators import Account
from .usage.entity import AccountEntity

LARGEST_BUDGET = 1_000_000

MONTHLY_BUDGET = NumberEntityDescription(
    key="monthly_budget",
    translation_key="monthly_budget",
    entity_category=EntityCategory.CONFIG,
    device_class=NumberDeviceClass.MONETARY,
    mode=NumberMode.BOX,
    native_min_value=0,
    native_max_value=LARGEST_BUDGET,
    native_step=0.01,
)


class MonthlyBudget(AccountEntity, NumberEntity):
    """The budget for each month, or the monthly limit in the form of a backend; 0: there is none."""

    @property
    def _budget(self) -> Budget | None:
        budgets = self.coordinator.books.budgets.of(self.coordinator.scope, self.coordinator.subject or None)
        return next((budget for budget in budgets if budget.period is Period.MONTH), None)

    @property
    def _limit(self) -> Budget | None:
        """The monthly limit in the form of a backend."""
        account = self.coordinator
        return account.books.budgets.limit(account.subject) if account.scope is Scope.BACKEND else None

    @property
    @override
    def native_value(self) -> float:
        return 0.0 if (budget := self._budget or self._limit) is None else budget.amount / NANO

    @property
    @override
    def native_unit_of_measurement(self) -> str:
        return self.coordinator.currency

    @override
    async def async_set_native_value(self, value: float) -> None:
        account, budgets, known = self.coordinator, self.coordinator.books.budgets, self._budget
        if known is None and self._limit is not None:
            store_monthly_limit(self.hass, account.config_entry, account.subject, value)
            return
        actor = self._context.user_id or "" if self._context is not None else ""
        try:
            if value:
                await budgets.set(
                    account.scope,
                    account.subject or None,
                    round(value * NANO),
                    Period.MONTH,
                    actor=actor,
                )
            elif known is not None:
                await budgets.remove(known.id, actor=actor)
        except DatabaseError as err:
            raise HomeAssistantError(
                translation_domain=DOMAIN, translation_key="database_failed", translation_placeholders={"error": str(err)}
            ) from err


@callback
def store_monthly_limit(hass: HomeAssistant, entry: GatewayConfigEntry, backend_id: str, amount: float) -> None:
    """Change the monthly limit in the form of a backend; 0: it has none any more. It applies at once."""
    subentry = entry.subentries[backend_id]
    data = {key: value for key, value in subentry.data.items() if key != CONF_MONTHLY_LIMIT}
    if amount:
        data[CONF_MONTHLY_LIMIT] = amount
    hass.config_entries.async_update_subentry(entry, subentry, data=data)


def account_numbers(account: Account) -> list[MonthlyBudget]:
    """All that an account has: an agent of this home costs nothing."""
    return [] if account.is_agent else [MonthlyBudget(account, MONTHLY_BUDGET)]
