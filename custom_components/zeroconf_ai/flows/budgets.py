"""The steps of budgets in the gateway's options. Changes apply immediately."""

from collections.abc import Iterable, Mapping
from typing import Any

import voluptuous as vol

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)
from homeassistant.util import dt as dt_util

from ..const import LARGEST_BUDGET
from ..core.accounting.budget import DEFAULT_THRESHOLDS, Action, Budget, Scope, budget_id, format_amount
from ..core.accounting.periods import Period
from ..core.accounting.storage.database import DatabaseError
from ..core.accounting.store import AccountingStore
from ..core.protocol.values import NANO
from ..markdown import Markdown, escaped, table_row
from ..usage.display_names import backend_names, budget_owner, user_names
from .gateway_schemas import CONF_ID, CONF_REMOVE, NEW, choice_schema
from .options_menu import OptionsMenuFlow

CONF_ACTION = "action"
CONF_AMOUNT = "amount"
CONF_PERIOD = "period"
CONF_RESET = "reset"
CONF_THRESHOLDS = "thresholds"
CONF_WHOSE = "whose"
BUDGET_TAKEN = "budget_taken"
THRESHOLD_INVALID = "threshold_invalid"

_NOTHING = "–"
_AMOUNT = NumberSelector(NumberSelectorConfig(min=0, max=LARGEST_BUDGET, step="any", mode=NumberSelectorMode.BOX))
_ACTION = SelectSelector(
    SelectSelectorConfig(options=list(Action), mode=SelectSelectorMode.LIST, translation_key="budget_action")
)
_PERIOD = SelectSelector(
    SelectSelectorConfig(options=list(Period), mode=SelectSelectorMode.DROPDOWN, translation_key="budget_period")
)
_THRESHOLDS = SelectSelector(
    SelectSelectorConfig(options=["50", "80", "90", "100"], multiple=True, custom_value=True, mode=SelectSelectorMode.DROPDOWN)
)


class BudgetsFlow(OptionsMenuFlow):
    """The steps that list, add, change, reset and remove budgets."""

    _budget_id: str
    """The id of the budget that is changed."""

    @property
    def _store(self) -> AccountingStore:
        """The accounting store. Raises AbortFlow while the gateway is not loaded."""
        entry = self.config_entry
        if entry.state is not ConfigEntryState.LOADED:
            raise AbortFlow("entry_not_loaded")
        store: AccountingStore = entry.runtime_data.store
        return store

    @property
    def _actor(self) -> str:
        """The user for the audit log; flows do not always have one."""
        return str(self.context.get("user_id") or "")

    async def async_step_budgets(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """List the budgets, and choose one or add one."""
        if user_input is not None:
            if user_input[CONF_ID] == NEW:
                return await self.async_step_budget_new()
            self._budget_id = user_input[CONF_ID]
            return await self.async_step_budget()
        store = self._store
        owners = {budget.id: await budget_owner(self.hass, store.keys, budget) for budget in store.budgets}
        labels = {key: f"{owner} ({self._budget(key).period})" for key, owner in owners.items()}
        table = Markdown("\n".join(self._row(key, owner) for key, owner in owners.items()))
        return self.async_show_form(
            step_id="budgets",
            data_schema=choice_schema(labels, "budget"),
            description_placeholders={"budgets": table or table_row([_NOTHING] * 5)},
        )

    async def async_step_budget_new(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Add a budget."""
        errors: dict[str, str] = {}
        if user_input is not None:
            scope_name, _, subject = user_input[CONF_WHOSE].partition(":")
            scope, period = Scope(scope_name), Period(user_input[CONF_PERIOD])
            if self._store.budgets.get(budget_id(scope, subject, period)) is not None:
                errors = {"base": BUDGET_TAKEN}
            else:
                try:
                    await self._set(scope, subject, period, user_input)
                except ValueError as err:
                    errors = {"base": str(err)}
                else:
                    return await self._to_menu()
        schema = {
            vol.Required(CONF_WHOSE, default=Scope.HOUSEHOLD.value): await self._owners(),
            vol.Required(CONF_PERIOD, default=Period.MONTH.value): _PERIOD,
            **_fields(),
        }
        return self.async_show_form(
            step_id="budget_new",
            data_schema=self.add_suggested_values_to_schema(vol.Schema(schema), user_input),
            errors=errors,
            description_placeholders={"currency": self._currency},
        )

    async def async_step_budget(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Change, reset or remove a budget."""
        budget, store = self._budget(self._budget_id), self._store
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                if user_input[CONF_REMOVE]:
                    await store.budgets.remove(budget.id, actor=self._actor)
                    return await self._to_menu()
                await self._set(budget.scope, budget.subject, budget.period, user_input)
                if user_input[CONF_RESET]:
                    await store.budgets.reset(budget.id, actor=self._actor)
            except ValueError as err:
                errors = {"base": str(err)}
            except KeyError:
                raise AbortFlow("budget_gone") from None
            except DatabaseError as err:
                raise _not_saved(err) from err
            else:
                return await self._to_menu()
        stored = {
            CONF_AMOUNT: budget.amount / NANO,
            CONF_ACTION: budget.action.value,
            CONF_THRESHOLDS: [str(level) for level in budget.thresholds],
        }
        schema = {
            **_fields(),
            vol.Required(CONF_RESET, default=False): BooleanSelector(),
            vol.Required(CONF_REMOVE, default=False): BooleanSelector(),
        }
        owner = await budget_owner(self.hass, store.keys, budget)
        return self.async_show_form(
            step_id="budget",
            data_schema=self.add_suggested_values_to_schema(vol.Schema(schema), user_input or stored),
            errors=errors,
            description_placeholders={"name": owner, "budgets": self._row(budget.id, owner), "currency": self._currency},
        )

    @property
    def _currency(self) -> str:
        currency: str = self.config_entry.runtime_data.trackers.household.currency
        return currency

    def _budget(self, key: str) -> Budget:
        budget = self._store.budgets.get(key)
        if budget is None:
            raise AbortFlow("budget_gone")
        return budget

    async def _set(self, scope: Scope, subject: str, period: Period, user_input: Mapping[str, Any]) -> None:
        """Save a budget of a filled-in form. Raises ValueError with the key of the flow error."""
        thresholds = _thresholds(user_input.get(CONF_THRESHOLDS, ()))
        amount = round(user_input[CONF_AMOUNT] * NANO)
        try:
            await self._store.budgets.set(
                scope,
                subject or None,
                amount,
                period,
                action=Action(user_input[CONF_ACTION]),
                thresholds=thresholds,
                actor=self._actor,
            )
        except DatabaseError as err:
            raise _not_saved(err) from err

    async def _owners(self) -> SelectSelector:
        """The scopes that a budget can have."""
        subjects = {Scope.HOUSEHOLD.value: self.config_entry.title}
        subjects |= {f"{Scope.BACKEND}:{key}": name for key, name in backend_names(self.hass).items()}
        subjects |= {f"{Scope.KEY}:{key.id}": f"{key.name} ({key.prefix}…)" for key in self._store.keys}
        subjects |= {f"{Scope.USER}:{key}": name for key, name in (await user_names(self.hass)).items()}
        options = [SelectOptionDict(value=key, label=name) for key, name in subjects.items()]
        return SelectSelector(SelectSelectorConfig(options=options, mode=SelectSelectorMode.DROPDOWN))

    def _row(self, key: str, owner: str) -> str:
        """A row of the table: scope, amount, period, balance, renewal."""
        state = self._store.budgets.state(key)
        renews = dt_util.as_local(dt_util.utc_from_timestamp(state.period.end))
        spent = f"{format_amount(state.spent)} ({state.percent:.0f} %)"
        return table_row([owner, format_amount(state.budget.amount), state.budget.period.value, spent, f"{renews:%Y-%m-%d}"])


def _fields() -> dict[vol.Marker, Any]:
    return {
        vol.Required(CONF_AMOUNT): _AMOUNT,
        vol.Required(CONF_ACTION, default=Action.FREE_ONLY.value): _ACTION,
        vol.Optional(CONF_THRESHOLDS, default=[str(level) for level in DEFAULT_THRESHOLDS]): _THRESHOLDS,
    }


def _thresholds(words: Iterable[str]) -> tuple[int, ...]:
    """Percentages without duplicates, in order. Raises ValueError with the key of the flow error."""
    found = [word.strip().removesuffix("%").strip() for word in words]
    if not all(word.isdecimal() and 1 <= int(word) <= 100 for word in found):
        raise ValueError(THRESHOLD_INVALID)
    return tuple(sorted({int(word) for word in found}))


def _not_saved(err: DatabaseError) -> AbortFlow:
    return AbortFlow("budget_not_saved", escaped({"reason": str(err)}))
