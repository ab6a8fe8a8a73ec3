"""Actions on recorded usage and budgets: export, budgets, deletion of personal data. For administrators only."""

from collections.abc import Callable, Coroutine
from datetime import date
from pathlib import Path
from typing import Any, Final

import voluptuous as vol

from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import async_register_admin_service

from ..const import DOMAIN, LARGEST_BUDGET
from ..core.accounting.budget import Action, Budget, Scope, budget_id
from ..core.accounting.periods import Period
from ..core.accounting.storage.database import DatabaseError
from ..core.accounting.store import AccountingStore
from ..core.accounting.usage import export
from ..core.accounting.usage.export import Format
from ..core.accounting.usage.rollups import Group, UsageFilter
from ..core.protocol.values import NANO
from ..gateway.runtime import gateway_runtime
from ..usage.display_names import backend_names, user_names
from ..usage.shared_store import SHARED_STORE

ACTION_EXPORT_USAGE: Final = "export_usage"
ACTION_FORGET: Final = "forget"
ACTION_RESET_BUDGET: Final = "reset_budget"
ACTION_SET_BUDGET: Final = "set_budget"

ATTR_ACTION: Final = "action"
ATTR_AMOUNT: Final = "amount"
ATTR_FILE: Final = "file"
ATTR_FORMAT: Final = "format"
ATTR_FROM: Final = "from"
ATTR_GROUP_BY: Final = "group_by"
ATTR_KEY: Final = "key"
ATTR_LABEL: Final = "label"
ATTR_PERIOD: Final = "period"
ATTR_SCOPE: Final = "scope"
ATTR_SUBJECT: Final = "subject"
ATTR_THRESHOLDS: Final = "thresholds"
ATTR_TO: Final = "to"
ATTR_USER: Final = "user"

CSV: Final = "csv"
JSON: Final = "json"
MOST_ROWS: Final = 10_000
"""The maximum number of rows in a response; a file may have more."""

_AMOUNT = vol.All(vol.Coerce(float), vol.Range(0, LARGEST_BUDGET))
_GROUP = vol.In([group.value for group in Group])
_PERCENT = vol.All(vol.Coerce(int), vol.Range(1, 100))
_WHOSE: dict[vol.Marker, Any] = {
    vol.Required(ATTR_SCOPE): vol.In([scope.value for scope in Scope]),
    vol.Optional(ATTR_SUBJECT): cv.string,
    vol.Optional(ATTR_PERIOD, default=Period.MONTH.value): vol.In([period.value for period in Period]),
}

EXPORT_SCHEMA = vol.Schema(
    {
        vol.Optional(ATTR_FROM): cv.date,
        vol.Optional(ATTR_TO): cv.date,
        vol.Optional(ATTR_GROUP_BY, default=[Group.DAY.value]): vol.All(cv.ensure_list, [_GROUP]),
        vol.Optional(ATTR_LABEL): cv.string,
        vol.Optional(ATTR_FORMAT, default=JSON): vol.In([CSV, JSON]),
        vol.Optional(ATTR_FILE): cv.path,
    }
)
SET_BUDGET_SCHEMA = vol.Schema(
    {
        **_WHOSE,
        vol.Required(ATTR_AMOUNT): _AMOUNT,
        vol.Optional(ATTR_ACTION): vol.In([action.value for action in Action]),
        vol.Optional(ATTR_THRESHOLDS): vol.All(cv.ensure_list, [_PERCENT], vol.Length(max=10)),
    }
)
RESET_BUDGET_SCHEMA = vol.Schema(_WHOSE)
FORGET_SCHEMA = vol.All(
    vol.Schema({vol.Exclusive(ATTR_KEY, "whose"): cv.string, vol.Exclusive(ATTR_USER, "whose"): cv.string}),
    cv.has_at_least_one_key(ATTR_KEY, ATTR_USER),
)

type _Action = Callable[[ServiceCall], Coroutine[Any, Any, ServiceResponse]]


@callback
def async_setup_accounting_services(hass: HomeAssistant) -> None:
    """Register the actions, which exist with and without a gateway."""
    actions: tuple[tuple[str, _Action, vol.Schema | vol.All[Any], SupportsResponse], ...] = (
        (ACTION_EXPORT_USAGE, _export_usage, EXPORT_SCHEMA, SupportsResponse.OPTIONAL),
        (ACTION_SET_BUDGET, _set_budget, SET_BUDGET_SCHEMA, SupportsResponse.NONE),
        (ACTION_RESET_BUDGET, _reset_budget, RESET_BUDGET_SCHEMA, SupportsResponse.NONE),
        (ACTION_FORGET, _forget, FORGET_SCHEMA, SupportsResponse.NONE),
    )
    for name, action, schema, response in actions:
        async_register_admin_service(hass, DOMAIN, name, action, schema, response)


async def _export_usage(call: ServiceCall) -> ServiceResponse:
    """Return the usage, or write it to a file in a folder that Home Assistant may write to."""
    store, data = _usage_store(call.hass), call.data
    end: date = data.get(ATTR_TO) or store.totals.date
    start: date = data.get(ATTR_FROM) or end.replace(day=1)
    if start > end:
        raise _wrong("period_reversed")
    groups = [Group(name) for name in dict.fromkeys(data[ATTR_GROUP_BY])]
    period = {ATTR_FROM: start.isoformat(), ATTR_TO: end.isoformat()}
    try:
        if (name := data.get(ATTR_FILE)) is not None:
            file = Path(call.hass.config.path(name))
            if not await call.hass.async_add_executor_job(_may_write, call.hass, file):
                raise _wrong("file_not_allowed", file=name)
            written = Format.CSV if data[ATTR_FORMAT] == CSV else Format.JSON_LINES
            rows = await store.export(file, start, end, group_by=groups, label=data.get(ATTR_LABEL), written=written)
            return {**period, ATTR_FILE: str(file), "rows": rows} if call.return_response else None
        if not call.return_response:
            raise _wrong("file_or_answer")
        uses = await store.ledger.usage(start, end, groups, only=UsageFilter(label=data.get(ATTR_LABEL)), limit=MOST_ROWS + 1)
    except DatabaseError as err:
        raise _failed(err) from err
    except OSError as err:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="file_not_written",
            translation_placeholders={"file": str(data.get(ATTR_FILE)), "error": err.strerror or type(err).__name__},
        ) from err
    if len(uses) > MOST_ROWS:
        raise _wrong("too_many_rows", limit=str(MOST_ROWS))
    if data[ATTR_FORMAT] == CSV:
        cells = export.usage_cells(uses)
        return {**period, CSV: export.csv_text(list(cells[0]) if cells else export.usage_columns(groups), cells)}
    return {**period, "usage": [export.usage_row(use) for use in uses]}


async def _set_budget(call: ServiceCall) -> ServiceResponse:
    """Create or change a budget. Omitted fields are not changed; an amount of 0 allows no costs."""
    store, data = _store(call.hass), call.data
    scope, subject, period = await _whose(call, store)
    try:
        await store.budgets.set(
            scope,
            subject or None,
            round(data[ATTR_AMOUNT] * NANO),
            period,
            action=Action(data[ATTR_ACTION]) if ATTR_ACTION in data else None,
            thresholds=data.get(ATTR_THRESHOLDS),
            actor=_actor(call),
        )
    except DatabaseError as err:
        raise _failed(err) from err
    return None


async def _reset_budget(call: ServiceCall) -> ServiceResponse:
    """Set the spent amount of a budget to 0."""
    store = _store(call.hass)
    budget = _find_budget(store, *await _whose(call, store))
    try:
        await store.budgets.reset(budget.id, actor=_actor(call))
    except KeyError:
        raise _wrong("unknown_budget") from None
    except DatabaseError as err:
        raise _failed(err) from err
    return None


async def _forget(call: ServiceCall) -> ServiceResponse:
    """Delete all data of a key or of a user, and revoke the key or the user's keys."""
    store = _usage_store(call.hass)
    try:
        if (key := call.data.get(ATTR_KEY)) is not None:
            found = _named({key.id: key.name for key in store.keys}, key, "key", unknown_is_id=True)
            await store.forget(key_id=found, actor=_actor(call))
            scope = Scope.KEY
        else:
            found = _named(await user_names(call.hass), call.data[ATTR_USER], "user", unknown_is_id=True)
            await store.forget(user_id=found, actor=_actor(call))
            scope = Scope.USER
        for budget in store.budgets.of(scope, found):
            await store.budgets.remove(budget.id, actor=_actor(call))
    except DatabaseError as err:
        raise _failed(err) from err
    return None


def _may_write(hass: HomeAssistant, file: Path) -> bool:
    """Whether a file may be written: in an allowed folder, and with the extension of an export."""
    return hass.config.is_allowed_path(str(file)) and file.parent.is_dir() and file.suffix in (".csv", ".json", ".jsonl")


async def _whose(call: ServiceCall, store: AccountingStore) -> tuple[Scope, str, Period]:
    scope, named, period = Scope(call.data[ATTR_SCOPE]), call.data.get(ATTR_SUBJECT), Period(call.data[ATTR_PERIOD])
    if scope is Scope.HOUSEHOLD:
        if named:
            raise _wrong("household_needs_no_name")
        return scope, "", period
    if not named:
        raise _wrong("name_needed", scope=scope.value)
    if scope is Scope.KEY:
        return scope, _named({key.id: key.name for key in store.keys}, named, "key"), period
    if scope is Scope.USER:
        return scope, _named(await user_names(call.hass), named, "user"), period
    return scope, _named(backend_names(call.hass), named, "backend"), period


def _named(known: dict[str, str], wanted: str, kind: str, *, unknown_is_id: bool = False) -> str:
    """The id for an id or a name. `unknown_is_id`: also accept the id of a deleted key or user. Raises ServiceValidationError."""
    if wanted in known:
        return wanted
    found = [key for key, name in known.items() if name.casefold() == wanted.casefold()]
    if len(found) > 1:
        raise _wrong("ambiguous_name", name=wanted, kind=kind)
    if found:
        return found[0]
    if unknown_is_id and len(wanted) == _ID_LENGTH and set(wanted) <= _HEXADECIMAL:
        return wanted
    raise _wrong("unknown_name", name=wanted, kind=kind)


_ID_LENGTH = 32
_HEXADECIMAL = frozenset("0123456789abcdef")


def _find_budget(store: AccountingStore, scope: Scope, subject: str, period: Period) -> Budget:
    budget = store.budgets.get(budget_id(scope, subject, period))
    if budget is None:
        raise _wrong("unknown_budget")
    return budget


def _usage_store(hass: HomeAssistant) -> AccountingStore:
    """The accounting store, which records usage with and without a gateway."""
    shared = hass.data[SHARED_STORE]
    if shared.store is not None:
        return shared.store
    raise _wrong("no_gateway") if shared.error is None else _failed(shared.error)


def _store(hass: HomeAssistant) -> AccountingStore:
    """The accounting store of the gateway, to which budgets belong."""
    runtime = gateway_runtime(hass)
    if runtime is None:
        raise _wrong("no_gateway")
    return runtime.store


def _actor(call: ServiceCall) -> str:
    return call.context.user_id or ""


def _wrong(reason: str, /, **placeholders: str) -> ServiceValidationError:
    return ServiceValidationError(translation_domain=DOMAIN, translation_key=reason, translation_placeholders=placeholders)


def _failed(err: DatabaseError) -> HomeAssistantError:
    return HomeAssistantError(
        translation_domain=DOMAIN, translation_key="database_failed", translation_placeholders={"error": str(err)}
    )
