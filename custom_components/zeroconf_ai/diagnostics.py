"""Diagnostics without keys, addresses, names and prompts."""

from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_API_KEY, CONF_PROMPT
from homeassistant.core import HomeAssistant

from .certificates import CERTIFICATES
from .const import (
    CONF_ADMIN_CONTACT,
    CONF_BASE_URL,
    CONF_CLIENT_CERTIFICATE,
    CONF_CORS_ORIGINS,
    CONF_EXTRA_BODY,
    CONF_FINGERPRINT,
    CONF_FIRST_KEY,
    CONF_GATEWAY_ID,
    CONF_HEADERS,
    CONF_HEALTH_INTERVAL,
    CONF_HOUSEHOLD,
    CONF_NETWORKS,
    CONF_PROVIDER_ID,
    CONF_REFUSED,
    CONF_SERVICE_NAME,
    CONF_WAKE_ACTION,
    DEFAULT_HEALTH_INTERVAL,
)
from .core.lan.providers import Provider
from .core.protocol.models import ModelInfo
from .core.routing.pool.member import Member
from .data import DATA, is_gateway, provider_entries
from .gateway.runtime import GatewayConfigEntry
from .provider.runtime import ProviderConfigEntry
from .usage.database import CONF_DATABASE_URL
from .usage.notifiers import CONF_WEBHOOK_URL
from .usage.shared_store import SHARED_STORE

TO_REDACT = {
    CONF_ADMIN_CONTACT,
    CONF_API_KEY,
    CONF_BASE_URL,
    CONF_CORS_ORIGINS,
    CONF_DATABASE_URL,
    CONF_EXTRA_BODY,
    CONF_FINGERPRINT,
    CONF_FIRST_KEY,
    CONF_GATEWAY_ID,
    CONF_HEADERS,
    CONF_HOUSEHOLD,
    CONF_NETWORKS,
    CONF_PROMPT,
    CONF_PROVIDER_ID,
    CONF_REFUSED,
    CONF_SERVICE_NAME,
    CONF_WAKE_ACTION,
    CONF_WEBHOOK_URL,
    "discovery_keys",  # contain the advertised name
    "title",
    "unique_id",
}


async def async_get_config_entry_diagnostics(hass: HomeAssistant, entry: ConfigEntry) -> dict[str, Any]:
    """A provider's diagnostics, or the gateway's."""
    return _gateway(hass, entry) if is_gateway(entry) else _provider(hass, entry)


def _gateway(hass: HomeAssistant, entry: GatewayConfigEntry) -> dict[str, Any]:
    runtime, engine = entry.runtime_data, hass.data[DATA].engine
    record = runtime.presence.record
    keys = list(runtime.store.keys)
    return {
        "entry": async_redact_data(entry.as_dict(), TO_REDACT),
        "gateway": {
            "enabled": runtime.enabled,
            "needs_key": runtime.server.access.required,
            "uptime_seconds": runtime.server.uptime,
            "own_port": runtime.separate_port.port,
            "active": engine.limiter.active,
            "waiting": engine.limiter.waiting,
            "sessions": len(engine.sessions),
            "records_lost": runtime.store.ledger.dropped,
        },
        "keys": {
            "all": len(keys),
            "enabled": sum(key.enabled for key in keys),
            "of_users": sum(key.user_id is not None for key in keys),
        },
        "advertisement": {"port": record.port, "tls": record.tls, "priority": record.priority} if record else None,
        "backends": [_member(hass, member) for member in engine.pool],
    }


def _provider(hass: HomeAssistant, entry: ProviderConfigEntry) -> dict[str, Any]:
    shared, runtime = hass.data[DATA], entry.runtime_data
    provider = shared.discovery.get(entry.data.get(CONF_PROVIDER_ID, ""))
    error = runtime.coordinator.last_exception
    held = hass.data[CERTIFICATES].of(entry.data.get(CONF_PROVIDER_ID, "")) if entry.data.get(CONF_CLIENT_CERTIFICATE) else None
    return {
        "entry": async_redact_data(entry.as_dict(), TO_REDACT),
        "client_certificate": None if held is None else {"expires": held.enrolment.end.isoformat()},
        "provider": _member(hass, runtime.member),
        "coordinator": {
            "update_interval_seconds": entry.options.get(CONF_HEALTH_INTERVAL, DEFAULT_HEALTH_INTERVAL),
            "last_update_success": runtime.coordinator.last_update_success,
            "last_exception": type(error).__name__ if error else None,
        },
        "advertisement": _advertisement(provider) if provider else None,
        "network": {
            "browsing": shared.discovery.running,
            "discovered": len(shared.discovery.providers),
            "set_up": len(provider_entries(hass)),
            "in_the_pool": sum(1 for _ in shared.engine.pool),
        },
    }


def _member(hass: HomeAssistant, member: Member) -> dict[str, Any]:
    """The state of a member. Error messages may contain addresses, so only their presence is included."""
    health, status, info = member.health, member.status, member.backend.info
    total = hass.data[SHARED_STORE].total(member.id)
    return {
        "state": member.state.value,
        "known": member.known,
        "enabled": member.enabled,
        "priority": member.priority,
        "capabilities": None if info.capabilities is None else sorted(info.capabilities),
        "cost": info.cost.value,
        "placement": info.placement.value,
        "failures": member.failures,
        "had_error": member.last_error is not None,
        "latency_seconds": member.latency,
        "last_seen": member.last_seen,
        "active": member.active,
        "waiting": member.limiter.waiting,
        "places": member.limiter.limit,
        "circuit": member.breaker.state.value,
        "resting": member.resting(),
        "wakes": member.wake is not None,
        "usage": None
        if total is None
        else {"requests": total.requests, "failed_attempts": total.failed_attempts, **total.usage.to_json()},
        "health": {
            "status": health.status,
            "provider": health.provider,
            "version": health.version,
            "uptime_seconds": health.uptime_seconds,
            "names_itself": health.id is not None,
        }
        if health
        else None,
        "status": {key: value for key, value in status.to_json().items() if key != "id"} if status else None,
        "models": [_model(model) for model in member.models],
    }


def _model(model: ModelInfo) -> dict[str, Any]:
    return {
        "id": model.id,
        "context_window": model.context_window,
        "max_output_tokens": model.max_output_tokens,
        "capabilities": None if model.capabilities is None else sorted(model.capabilities),
        "warm": model.warm,
    }


def _advertisement(provider: Provider) -> dict[str, Any]:
    record = provider.record
    return {
        "service_type": record.service_type,
        "version": record.version,
        "provider": record.provider,
        "capabilities": sorted(record.capabilities),
        "auth": record.auth.value,
        "cost": record.cost.value,
        "placement": record.placement.value,
        "priority": record.priority,
        "models": list(record.models),
        "models_truncated": record.models_truncated,
        "id_derived": record.id_derived,
        "tls": record.tls,
        "pins_certificate": record.fingerprint is not None,
        "address_versions": [address.version for address in record.addresses],
        "trust": provider.trust.value,
        "last_seen": provider.last_seen,
    }
