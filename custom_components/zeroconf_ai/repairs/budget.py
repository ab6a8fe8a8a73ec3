"""Fix flow for an exceeded budget: raise it, reset it, or wait until it renews."""

from typing import Any

import voluptuous as vol

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.selector import NumberSelector, NumberSelectorConfig, NumberSelectorMode

from ..const import DOMAIN, LARGEST_BUDGET
from ..core.accounting.budget import Budget
from ..core.accounting.budgets.budget_store import BudgetState, BudgetStore
from ..core.accounting.storage.database import DatabaseError
from ..core.protocol.values import NANO
from ..data import gateway_entry
from ..gateway.runtime import gateway_runtime
from ..markdown import Markdown, MarkdownFlow, escaped
from ..usage.monthly_limit import store_monthly_limit

CONF_AMOUNT = "amount"
AMOUNT_SPENT = "amount_spent"

_AMOUNT = NumberSelector(NumberSelectorConfig(min=0, max=LARGEST_BUDGET, step="any", mode=NumberSelectorMode.BOX))


class BudgetExceededFlow(MarkdownFlow[RepairsFlowResult], RepairsFlow):
    """Offers to raise or reset an exceeded budget, or to wait."""

    def __init__(self, issue: dict[str, str | int | float | None]) -> None:
        """`issue`: `budget_id`."""
        super().__init__()
        self._budget_id = str(issue["budget_id"])

    @property
    def _budgets(self) -> BudgetStore:
        """The budget store. Raises AbortFlow without a gateway."""
        runtime = gateway_runtime(self.hass)
        if runtime is None:
            raise AbortFlow("gone")
        return runtime.store.budgets

    @property
    def _state(self) -> BudgetState:
        """The state of the budget. Raises AbortFlow if the budget was deleted."""
        try:
            return self._budgets.state(self._budget_id)
        except KeyError:
            raise AbortFlow("gone") from None

    @property
    def _placeholders(self) -> dict[str, str]:
        issue = ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id)
        shown = (issue.translation_placeholders if issue is not None else None) or {}
        return {name: Markdown(value) for name, value in shown.items()}

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Show the menu."""
        _ = self._state
        return self.async_show_menu(
            step_id="init", menu_options=["more", "reset", "wait"], description_placeholders=self._placeholders
        )

    async def async_step_more(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Raise the budget."""
        state = self._state
        budget = state.budget
        errors: dict[str, str] = {}
        if user_input is not None:
            amount = round(user_input[CONF_AMOUNT] * NANO)
            if amount <= state.spent:
                errors = {CONF_AMOUNT: AMOUNT_SPENT}
            else:
                try:
                    await self._raise_to(budget, amount)
                except DatabaseError as err:
                    raise _not_saved(err) from err
                return self.async_create_entry(data={})
        suggested = (max(budget.amount, state.spent) * 3 // 2) / NANO
        return self.async_show_form(
            step_id="more",
            data_schema=vol.Schema({vol.Required(CONF_AMOUNT, default=suggested): _AMOUNT}),
            errors=errors,
            description_placeholders=self._placeholders,
        )

    async def _raise_to(self, budget: Budget, amount: int) -> None:
        """Set the budget's amount, in nano-units. Raises DatabaseError."""
        entry = gateway_entry(self.hass)
        if self._budgets.get(budget.id) is None and entry is not None:  # the monthly limit in a backend's options
            store_monthly_limit(self.hass, entry, budget.subject, amount / NANO)
        else:
            await self._budgets.set(budget.scope, budget.subject or None, amount, budget.period)

    async def async_step_reset(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Reset the spent amount of this period."""
        _ = self._state
        try:
            await self._budgets.reset(self._budget_id)
        except KeyError:
            raise AbortFlow("gone") from None
        except DatabaseError as err:
            raise _not_saved(err) from err
        return self.async_create_entry(data={})

    async def async_step_wait(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Ignore the issue until the budget is exceeded again."""
        ir.async_ignore_issue(self.hass, DOMAIN, self.issue_id, True)
        return self.async_abort(reason="waiting")


def _not_saved(err: DatabaseError) -> AbortFlow:
    return AbortFlow("budget_not_saved", escaped({"reason": str(err)}))
