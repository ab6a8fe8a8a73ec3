"""The repairs that a provider may need: made when the trouble is seen, taken away when it is gone."""

from typing import TYPE_CHECKING

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_MODEL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import CONF_BASE_URL, CONF_FINGERPRINT, CONF_PROVIDER_ID, CONF_SERVICE_NAME, DOMAIN
from .core.protocol.models import AUTO
from .core.protocol.record import ServiceRecord

if TYPE_CHECKING:
    from .coordinator import ProviderCoordinator

MODEL_VANISHED = "model_vanished"
IDENTITY_CHANGED = "identity_changed"
CONTEXT_TOO_SMALL = "context_too_small"


@callback
def check_models(coordinator: ProviderCoordinator) -> None:
    """One repair for each agent whose model its provider no longer serves."""
    entry, served = coordinator.config_entry, {model.id for model in coordinator.member.models}
    for subentry in entry.subentries.values():
        model = subentry.data.get(CONF_MODEL) or AUTO
        issue_id = f"{MODEL_VANISHED}_{subentry.subentry_id}"
        if not served or model == AUTO or model in served:
            ir.async_delete_issue(coordinator.hass, DOMAIN, issue_id)
            continue
        ir.async_create_issue(
            coordinator.hass,
            DOMAIN,
            issue_id,
            is_fixable=True,
            severity=ir.IssueSeverity.WARNING,
            translation_key=MODEL_VANISHED,
            translation_placeholders={"agent": subentry.title, "provider": entry.title, "model": model},
            data={"entry_id": entry.entry_id, "subentry_id": subentry.subentry_id},
        )


@callback
def check_context(hass: HomeAssistant, entry: ConfigEntry, subentry: ConfigSubentry, tokens: int, window: int | None) -> None:
    """A repair where a prompt of about `tokens` tokens does not fit into the model's window of `window`."""
    issue_id = f"{CONTEXT_TOO_SMALL}_{subentry.subentry_id}"
    if window is None or tokens <= window:
        ir.async_delete_issue(hass, DOMAIN, issue_id)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key=CONTEXT_TOO_SMALL,
        translation_placeholders={
            "agent": subentry.title,
            "provider": entry.title,
            "model": subentry.data.get(CONF_MODEL) or AUTO,
            "tokens": str(tokens),
            "window": str(window),
        },
    )


@callback
def identity_changed(coordinator: ProviderCoordinator, record: ServiceRecord) -> None:
    """A repair for a provider that is advertised as, but cannot be shown to be, the one that was confirmed."""
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
def another_answers(coordinator: ProviderCoordinator, provider_id: str) -> None:
    """The same repair for another provider that answers where the confirmed one did."""
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
def identity_proven(coordinator: ProviderCoordinator) -> None:
    """The confirmed provider answers: there is nothing to repair."""
    ir.async_delete_issue(coordinator.hass, DOMAIN, f"{IDENTITY_CHANGED}_{coordinator.config_entry.entry_id}")


def _identity_issue(coordinator: ProviderCoordinator, found: dict[str, str | None]) -> None:
    entry = coordinator.config_entry
    ir.async_create_issue(
        coordinator.hass,
        DOMAIN,
        f"{IDENTITY_CHANGED}_{entry.entry_id}",
        is_fixable=True,
        severity=ir.IssueSeverity.ERROR,
        translation_key=IDENTITY_CHANGED,
        translation_placeholders={"provider": entry.title, "address": found[CONF_BASE_URL] or ""},
        data={"entry_id": entry.entry_id, **found},
    )


@callback
def clear(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Take all repairs of an entry away."""
    for key in (entry.entry_id, *entry.subentries):
        for kind in (MODEL_VANISHED, IDENTITY_CHANGED, CONTEXT_TOO_SMALL):
            ir.async_delete_issue(hass, DOMAIN, f"{kind}_{key}")
