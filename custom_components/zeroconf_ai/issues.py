"""Creation and deletion of repair issues."""

from collections.abc import Collection, Iterable, Mapping
from urllib.parse import urlsplit

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_MODEL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util

from .const import (
    CONF_BASE_URL,
    CONF_ENABLED,
    CONF_FINGERPRINT,
    CONF_PROVIDER_ID,
    CONF_SERVICE_NAME,
    DOMAIN,
    SUBENTRY_BACKEND,
    SUBENTRY_CONVERSATION,
)
from .core.accounting.budget import format_amount
from .core.accounting.budgets.budget_store import BudgetState
from .core.accounting.storage.loss import Loss
from .core.accounting.store import AccountingStore
from .core.protocol.models import AUTO
from .core.protocol.record import ServiceRecord
from .core.server.enrolment.pending import EnrolmentRequest
from .data import gateway_entry, is_gateway, provider_entries
from .markdown import code, escaped
from .pool_coordinator import MemberCoordinator

MODEL_VANISHED = "model_vanished"
IDENTITY_CHANGED = "identity_changed"
PROVIDER_MOVED = "provider_moved"
CERTIFICATE_CHANGED = "certificate_changed"
"""Issues of a provider's identity. A provider has at most one of the three: all use the issue id prefix of the first."""
CONTEXT_TOO_SMALL = "context_too_small"
BUDGET_EXCEEDED = "budget_exceeded"
EXCHANGE_RATES_MISSING = "exchange_rates_missing"
ANY_PROVIDER = "any_provider"
"""The offer of an assistant that may use any provider."""
DATABASE_LOST = "database_lost"
"""The issue for a damaged or lost database; it stays until the owner confirms the loss."""
SAME_SERVER = "same_server"
"""The issue for a server that is set up as a provider and as a backend of the gateway: it counts twice for routing."""
CONNECTOR_AWAY = "connector_away"
"""The issue for a provider whose connector is not connected."""
HOUSEHOLD_TOKEN_OLD = "household_token_old"
"""The issue for a provider of the household whose advertised token is of an earlier hour."""
CLIENT_WAITING = "client_waiting"
"""The issue for a client that asks for a certificate; its id ends with that of the request."""
DATABASE_UNAVAILABLE = "database_unavailable"
"""The issue for a database that cannot be opened."""


MORE_URL = "https://github.com/zeroconf-ai/zeroconf-ai/blob/main/docs/home-assistant.md#repairs"
"""What can be done about issues without a fix flow."""


@callback
def keep_agents(hass: HomeAssistant) -> None:
    """Delete the issues of agents that were removed, and those of a prompt for a model that the agent no longer uses."""
    agents = {key: agent for entry in hass.config_entries.async_entries(DOMAIN) for key, agent in entry.subentries.items()}
    for (domain, issue_id), issue in list(ir.async_get(hass).issues.items()):
        kind, _, agent_id = issue_id.rpartition("_")
        if domain != DOMAIN or kind not in (MODEL_VANISHED, CONTEXT_TOO_SMALL):
            continue
        model = None if issue.data is None else issue.data.get(CONF_MODEL)
        agent = agents.get(agent_id)
        if agent is None or (model is not None and model != (agent.data.get(CONF_MODEL) or AUTO)):
            ir.async_delete_issue(hass, DOMAIN, issue_id)


@callback
def check_models(coordinator: MemberCoordinator) -> None:
    """Create or delete the issue of each agent whose model its provider no longer serves."""
    entry, member = coordinator.config_entry, coordinator.member
    served = {model.id for model in member.models} if member is not None else set()
    for subentry in entry.subentries.values():
        model = subentry.data.get(CONF_MODEL) or AUTO
        issue_id = f"{MODEL_VANISHED}_{subentry.subentry_id}"
        if not served or model == AUTO or model in served:
            ir.async_delete_issue(coordinator.hass, DOMAIN, issue_id)
            continue
        _create(
            coordinator.hass,
            issue_id,
            MODEL_VANISHED,
            {"agent": subentry.title, "provider": entry.title, "model": model},
            {"entry_id": entry.entry_id, "subentry_id": subentry.subentry_id},
        )


def server_of(base_url: str) -> str:
    """Host and port of a base URL. URLs with the same value belong to the same server."""
    parts = urlsplit(base_url)
    return f"{(parts.hostname or '').casefold()}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


@callback
def check_same_servers(hass: HomeAssistant) -> None:
    """Create or delete the issue of each provider whose server is a backend of the gateway too."""
    gateway = gateway_entry(hass)
    backends = () if gateway is None else gateway.get_subentries_of_type(SUBENTRY_BACKEND)
    titles = {server_of(backend.data[CONF_BASE_URL]): backend.title for backend in backends}
    for entry in provider_entries(hass, include_ignore=False):
        issue_id = f"{SAME_SERVER}_{entry.entry_id}"
        title = titles.get(server_of(entry.data[CONF_BASE_URL]))
        if title is None or entry.disabled_by is not None:
            ir.async_delete_issue(hass, DOMAIN, issue_id)
            continue
        address = code(server_of(entry.data[CONF_BASE_URL]))
        _create(hass, issue_id, SAME_SERVER, {"provider": entry.title, "backend": title, "address": address})


def offers_any_provider(hass: HomeAssistant) -> int:
    """The number of providers if there are several and no agent may use any of them, else 0."""
    entries = [entry for entry in hass.config_entries.async_entries(DOMAIN, include_ignore=False) if entry.disabled_by is None]
    backends = [
        subentry
        for entry in entries
        for subentry in entry.get_subentries_of_type(SUBENTRY_BACKEND)
        if subentry.data.get(CONF_ENABLED, True)
    ]
    count = sum(not is_gateway(entry) for entry in entries) + len(backends)
    agents = (agent for entry in entries for agent in entry.get_subentries_of_type(SUBENTRY_CONVERSATION))
    return 0 if count < 2 or any((agent.data.get(CONF_MODEL) or AUTO) == AUTO for agent in agents) else count


@callback
def check_any_provider(hass: HomeAssistant) -> None:
    """Offer an assistant that may use any provider, or withdraw the offer. An offer that the owner ignores stays ignored."""
    count = offers_any_provider(hass)
    if not count or "assist_pipeline" not in hass.config.components:
        issue = ir.async_get(hass).async_get_issue(DOMAIN, ANY_PROVIDER)
        if issue is not None and issue.dismissed_version is None:
            ir.async_delete_issue(hass, DOMAIN, ANY_PROVIDER)
        return
    _create(hass, ANY_PROVIDER, ANY_PROVIDER, {"count": str(count)}, {})


@callback
def check_context(hass: HomeAssistant, entry: ConfigEntry, subentry: ConfigSubentry, tokens: int, window: int | None) -> None:
    """Create or delete the issue for a prompt of about `tokens` tokens that exceeds the context window of `window` tokens."""
    issue_id = f"{CONTEXT_TOO_SMALL}_{subentry.subentry_id}"
    if window is None or tokens <= window:
        ir.async_delete_issue(hass, DOMAIN, issue_id)
        return
    model = subentry.data.get(CONF_MODEL) or AUTO
    values = {"agent": subentry.title, "provider": entry.title, "model": model, "tokens": str(tokens), "window": str(window)}
    _create(hass, issue_id, CONTEXT_TOO_SMALL, values, {CONF_MODEL: model}, fixable=False)


@callback
def identity_changed(coordinator: MemberCoordinator, record: ServiceRecord) -> None:
    """Create the issue for an advertisement that claims to be the confirmed provider without proof."""
    _identity_issue(
        coordinator,
        {
            CONF_PROVIDER_ID: record.id,
            CONF_SERVICE_NAME: record.name,
            CONF_BASE_URL: record.base_url(),
            CONF_FINGERPRINT: record.fingerprint if record.tls else None,
        },
    )


@callback
def provider_moved(coordinator: MemberCoordinator, record: ServiceRecord, base_url: str | None, question: str) -> None:
    """Create the issue for a provider that is advertised at another address or with another certificate, without proof.

    `question`: PROVIDER_MOVED or CERTIFICATE_CHANGED.
    """
    _identity_issue(
        coordinator,
        {
            CONF_PROVIDER_ID: record.id,
            CONF_SERVICE_NAME: record.name,
            CONF_BASE_URL: base_url,
            CONF_FINGERPRINT: record.fingerprint if record.tls else None,
        },
        question,
    )


@callback
def move_withdrawn(coordinator: MemberCoordinator) -> None:
    """Delete the issue of a move, because the provider's id is no longer advertised elsewhere."""
    issue_id = f"{IDENTITY_CHANGED}_{coordinator.config_entry.entry_id}"
    issue = ir.async_get(coordinator.hass).async_get_issue(DOMAIN, issue_id)
    if issue is not None and issue.translation_key in (PROVIDER_MOVED, CERTIFICATE_CHANGED):
        ir.async_delete_issue(coordinator.hass, DOMAIN, issue_id)


@callback
def another_answers(coordinator: MemberCoordinator, provider_id: str) -> None:
    """Create the issue for another provider that answers at the confirmed address."""
    data = coordinator.config_entry.data
    _identity_issue(
        coordinator,
        {
            CONF_PROVIDER_ID: provider_id,
            CONF_SERVICE_NAME: data.get(CONF_SERVICE_NAME),
            CONF_BASE_URL: data[CONF_BASE_URL],
            CONF_FINGERPRINT: data.get(CONF_FINGERPRINT),
        },
    )


@callback
def identity_proven(coordinator: MemberCoordinator) -> None:
    """Delete the issue of the provider's identity, because the confirmed provider answers."""
    ir.async_delete_issue(coordinator.hass, DOMAIN, f"{IDENTITY_CHANGED}_{coordinator.config_entry.entry_id}")


def _identity_issue(coordinator: MemberCoordinator, found: dict[str, str | None], question: str = IDENTITY_CHANGED) -> None:
    entry = coordinator.config_entry
    _create(
        coordinator.hass,
        f"{IDENTITY_CHANGED}_{entry.entry_id}",
        question,
        {"provider": entry.title, "address": code(found[CONF_BASE_URL] or "")},
        {"entry_id": entry.entry_id, "question": question, **found},
        severity=ir.IssueSeverity.ERROR,
    )


@callback
def budget_exceeded(hass: HomeAssistant, state: BudgetState, owner: str, currency: str) -> None:
    """Create the issue for an exceeded budget."""
    budget = state.budget
    values = {
        "name": owner,
        "amount": format_amount(budget.amount),
        "currency": currency,
        "renews": f"{dt_util.as_local(dt_util.utc_from_timestamp(state.period.end)):%Y-%m-%d}",
    }
    _create(hass, f"{BUDGET_EXCEEDED}_{budget.id}", BUDGET_EXCEEDED, values, {"budget_id": budget.id})


@callback
def exchange_rates_missing(hass: HomeAssistant, missing: Collection[str], currency: str) -> None:
    """Create the issue for currencies of providers without an exchange rate to the `currency` of budgets."""
    values = {"missing": ", ".join(missing), "currency": currency}
    _create(hass, EXCHANGE_RATES_MISSING, EXCHANGE_RATES_MISSING, values)


@callback
def exchange_rates_known(hass: HomeAssistant) -> None:
    """Delete the issue for currencies without an exchange rate."""
    ir.async_delete_issue(hass, DOMAIN, EXCHANGE_RATES_MISSING)


@callback
def household_token_old(hass: HomeAssistant, entry: ConfigEntry, hours: int) -> None:
    """Create the issue for a provider whose household token is `hours` hours old."""
    values = {"provider": entry.title, "hours": str(hours)}
    _create(hass, f"{HOUSEHOLD_TOKEN_OLD}_{entry.entry_id}", HOUSEHOLD_TOKEN_OLD, values)


@callback
def household_token_fine(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete the issue for an old household token."""
    ir.async_delete_issue(hass, DOMAIN, f"{HOUSEHOLD_TOKEN_OLD}_{entry.entry_id}")


@callback
def connector_away(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Create the issue for a connector that is not connected."""
    _create(hass, f"{CONNECTOR_AWAY}_{entry.entry_id}", CONNECTOR_AWAY, {"provider": entry.title})


@callback
def connector_back(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete the issue: the connector is connected."""
    ir.async_delete_issue(hass, DOMAIN, f"{CONNECTOR_AWAY}_{entry.entry_id}")


@callback
def budget_fine(hass: HomeAssistant, budget_id: str) -> None:
    """Delete the issue of a budget that is no longer exceeded."""
    ir.async_delete_issue(hass, DOMAIN, f"{BUDGET_EXCEEDED}_{budget_id}")


@callback
def database_unavailable(hass: HomeAssistant, error: str) -> None:
    """Create the issue for a database that cannot be opened; `error` says why."""
    _create(hass, DATABASE_UNAVAILABLE, DATABASE_UNAVAILABLE, {"error": error})


@callback
def database_fine(hass: HomeAssistant) -> None:
    """Delete the issue: the database is open, or not needed."""
    ir.async_delete_issue(hass, DOMAIN, DATABASE_UNAVAILABLE)


@callback
def check_database(hass: HomeAssistant, store: AccountingStore) -> None:
    """Create or delete the issue for an unconfirmed loss of keys and budgets."""
    if not store.loss_unconfirmed:
        ir.async_delete_issue(hass, DOMAIN, DATABASE_LOST)
        return
    loss = store.loss
    if loss is None:
        if ir.async_get(hass).async_get_issue(DOMAIN, DATABASE_LOST) is not None:
            return  # it shows what was rescued
        loss = Loss()
    values = {
        "file": "–" if loss.damaged is None else loss.damaged.name,
        "keys": str(loss.rescued.keys),
        "budgets": str(loss.rescued.budgets),
        "usage": str(loss.rescued.usage),
    }
    _create(hass, DATABASE_LOST, DATABASE_LOST, values, {}, severity=ir.IssueSeverity.ERROR, persistent=True)


@callback
def keep_budgets(hass: HomeAssistant, budget_ids: Collection[str]) -> None:
    """Delete the issues of all other budgets."""
    prefix = f"{BUDGET_EXCEEDED}_"
    for domain, issue_id in list(ir.async_get(hass).issues):
        if domain == DOMAIN and issue_id.startswith(prefix) and issue_id.removeprefix(prefix) not in budget_ids:
            ir.async_delete_issue(hass, DOMAIN, issue_id)


@callback
def show_waiting_clients(hass: HomeAssistant, waiting: Iterable[EnrolmentRequest]) -> None:
    """Create an issue for each client that asks for a certificate, and delete those of all others."""
    prefix = f"{CLIENT_WAITING}_"
    shown = {f"{prefix}{request.id}": request for request in waiting}
    for domain, issue_id in list(ir.async_get(hass).issues):
        if domain == DOMAIN and issue_id.startswith(prefix) and issue_id not in shown:
            ir.async_delete_issue(hass, DOMAIN, issue_id)
    for issue_id, request in shown.items():
        values = {"name": request.name, "address": request.address, "digits": spaced(request.check or "")}
        _create(hass, issue_id, CLIENT_WAITING, values, {"request_id": request.id})


def spaced(digits: str) -> str:
    """Six digits in two groups, as the client's screen shows them."""
    return f"{digits[:3]} {digits[3:]}"


@callback
def clear(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete all issues of an entry."""
    if is_gateway(entry):
        keep_budgets(hass, ())
        show_waiting_clients(hass, ())
        ir.async_delete_issue(hass, DOMAIN, DATABASE_LOST)
    for key in (entry.entry_id, *entry.subentries):
        for kind in (MODEL_VANISHED, IDENTITY_CHANGED, CONTEXT_TOO_SMALL, SAME_SERVER, HOUSEHOLD_TOKEN_OLD, CONNECTOR_AWAY):
            ir.async_delete_issue(hass, DOMAIN, f"{kind}_{key}")


def _create(
    hass: HomeAssistant,
    issue_id: str,
    key: str,
    values: Mapping[str, str],
    data: dict[str, str | int | float | None] | None = None,
    *,
    fixable: bool | None = None,
    severity: ir.IssueSeverity = ir.IssueSeverity.WARNING,
    persistent: bool = False,
) -> None:
    """Create an issue with the translation `key` and its placeholders `values`, which are escaped here.

    `data` is for its fix flow. An issue with data is fixable by default; one that is not fixable links to the documentation.
    """
    if fixable is None:
        fixable = data is not None
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        is_fixable=fixable,
        is_persistent=persistent,
        learn_more_url=None if fixable else MORE_URL,
        severity=severity,
        translation_key=key,
        translation_placeholders=escaped(values),
        data=data,
    )
