"""A configuration as a file in this program's own form, whatever form it was read from."""

from enum import StrEnum
import re
from typing import Any

import yaml

from ..accounting.admission import RateLimits
from ..protocol.prices import DEFAULT_CURRENCY, RATES, Prices
from ..protocol.values import NANO
from ..routing.policy import DEFAULT_VIRTUAL_MODELS, ModelAlias, Policy
from .backend_config import BackendConfig
from .backend_fields import FIELDS
from .draft import variable_prefix
from .fields import BackendField, camel
from .providers_file import Configuration
from .server_fields import ServerSettings, UsageSettings

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_KEPT_APART = ("id", "type", "key", "key_header", "headers", "prices", "models", "overrides", "is_default")
"""The settings that are written in a way of their own."""


def placeholders(text: str) -> dict[str, str]:
    """An environment in which each variable that a file names contains its own reference, so that no secret is written."""
    return {name: f"${{{name}}}" for name in _REFERENCE.findall(text)}


def converted(configuration: Configuration) -> tuple[str, list[str]]:
    """(YAML, variables to set for secrets that the file itself contained) of a file that was read with its `placeholders`."""
    secrets: list[str] = []
    document: dict[str, Any] = {
        "providers": [_provider(upstream, secrets) for upstream in configuration.upstreams],
        **_policy(configuration.policy),
    }
    scopes = {"perAddress": configuration.per_address, "perUser": configuration.per_user}
    if limits := {scope: _rates(rates) for scope, rates in scopes.items() if rates is not None}:
        document["limits"] = limits
    if (currency := configuration.exchange.currency) is not None:
        document["currency"] = currency
        if rates := dict(configuration.exchange.rates):
            document["exchangeRates"] = rates
    document |= _server(configuration.server) | _usage(configuration.usage)
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000), secrets


def _provider(config: BackendConfig, secrets: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"id": config.id}
    written = set(_KEPT_APART)
    for field in FIELDS:
        if field.yaml is None or field.name in written:
            continue
        written.add(field.name)
        value = field.of(config)
        if field.needed or value != field.default_for(config.type):
            _put(found, field.yaml, _plain(field, value))
    if found["name"] == config.type.title:
        del found["name"]
    found = {"id": config.id, "type": config.type.name, **found}
    if config.is_default:
        found["isDefault"] = True
    if config.key_header is not None:
        found["authType"] = f"header {config.key_header}"
    if config.key is not None:
        found["authSecret"] = _secret(config.key, f"{variable_prefix(config.id)}API_KEY", secrets)
    elif config.type.needs_key:
        found["authType"] = "none"
    if config.headers:
        found["headers"] = {
            name: _secret(value, f"{variable_prefix(config.id)}HEADER_{number}", secrets)
            for number, (name, value) in enumerate(config.headers.items(), 1)
        }
    if prices := {model: _prices(rates) for model, rates in config.prices.items() if model not in config.models}:
        found["prices"] = prices
    if config.models:
        found["models"] = [_model(model, config) for model in config.models]
    return found


def _model(model: str, config: BackendConfig) -> str | dict[str, Any]:
    found: dict[str, Any] = {"id": model}
    override = config.overrides.get(model)
    for field in FIELDS:
        if override is not None and field.yaml is not None and (value := getattr(override, field.name, None)) is not None:
            found[field.yaml] = _plain(field, value)
    if model in config.prices:
        found["prices"] = _prices(config.prices[model])
    return found if len(found) > 1 else model


def _put(found: dict[str, Any], key: str, value: Any) -> None:
    """Set a value under a key with a dot for a group."""
    group, _, inner = key.partition(".")
    if inner:
        found.setdefault(group, {})[inner] = value
    else:
        found[key] = value


def _plain(field: BackendField, value: Any) -> Any:
    """The value as YAML has it."""
    encoded = field.kind.encode(value)
    if isinstance(encoded, StrEnum):
        return encoded.value
    return [str(item) for item in encoded] if isinstance(encoded, list | frozenset) else encoded


def _secret(value: str, variable: str, secrets: list[str]) -> str:
    """A secret as the variable that the file names for it; a secret itself gets a new variable."""
    if value.startswith("${"):
        return value
    secrets.append(variable)
    return f"${{{variable}}}"


def _prices(prices: Prices) -> dict[str, Any]:
    rates = {camel(rate): getattr(prices, rate) for rate in RATES}
    found: dict[str, Any] = {key: rate / NANO for key, rate in rates.items() if rate is not None}
    return found if prices.currency == DEFAULT_CURRENCY else {**found, "currency": prices.currency}


def _policy(policy: Policy) -> dict[str, Any]:
    usual, routing = Policy(), dict[str, Any]()
    if policy.strategy is not usual.strategy:
        routing["strategy"] = policy.strategy.value
    if policy.cloud_fallback is not usual.cloud_fallback:
        routing["cloudFallback"] = policy.cloud_fallback
    if policy.home_only is not usual.home_only:
        routing["homeOnly"] = policy.home_only
    if policy.retry_metered_timeouts is not usual.retry_metered_timeouts:
        routing["retryMeteredTimeouts"] = policy.retry_metered_timeouts
    aliases = {name: _alias(alias) for name, alias in policy.virtual_models.items() if DEFAULT_VIRTUAL_MODELS.get(name) != alias}
    return {**({"models": aliases} if aliases else {}), **({"routing": routing} if routing else {})}


def _alias(alias: ModelAlias) -> Any:
    if alias.strategy is None and not alias.together:
        return list(alias.targets)
    found: dict[str, Any] = {"targets": list(alias.targets)}
    if alias.strategy is not None:
        found["strategy"] = alias.strategy.value
    return {**found, "together": True} if alias.together else found


def _rates(rates: RateLimits) -> dict[str, int]:
    found = {
        "requestsPerMinute": rates.requests_per_minute,
        "tokensPerMinute": rates.tokens_per_minute,
        "parallel": rates.parallel,
    }
    return {key: number for key, number in found.items() if number is not None}


def _server(server: ServerSettings) -> dict[str, Any]:
    auth = None if server.auth is None else server.auth.value
    values = {
        "name": server.name,
        "host": server.host,
        "port": server.port,
        "priority": server.priority,
        "auth_mode": auth,
        "admin": server.admin,
        "advertise": server.advertise,
        "saturn": server.saturn,
        "provider_in_chunks": server.provider_in_chunks,
        "drain_seconds": server.drain_seconds,
        "health_host": server.health_host,
        "health_port": server.health_port,
        "log_format": None if server.log_format is None else server.log_format.value,
        "log_level": server.log_level,
        "access_log": server.access_log,
        "household": server.household,
        "household_tokens_per_hour": server.household_tokens_per_hour,
        "household_cost_per_hour": server.household_cost_per_hour,
        "tls": server.tls,
        "tls_certificate": server.tls_certificate,
        "tls_key": server.tls_key,
    }
    found = {key: value for key, value in values.items() if value is not None}
    return {"server": found} if found else {}


def _usage(usage: UsageSettings) -> dict[str, Any]:
    found: dict[str, Any] = {} if usage.enabled is None else {"enabled": usage.enabled}
    if usage.database is not None:
        found |= {"storage": "postgres" if "://" in usage.database else "sqlite", "url": usage.database}
        if usage.database.startswith("${"):
            found["storage"] = "postgres"
    if usage.influx is not None:
        influx = usage.influx
        values = {"url": influx.url, "org": influx.org, "bucket": influx.bucket, "token": influx.token}
        found |= {"storage": "influxdb", "influxdb": {key: value for key, value in values.items() if value}}
    if usage.smtp is not None:
        smtp = usage.smtp
        names = ("host", "port", "security", "user", "password", "sender")
        found["smtp"] = {name: value for name in names if (value := getattr(smtp, name)) is not None}
    if usage.alerts:
        found["alerts"] = [
            {"type": "cost_threshold", "value": alert.value / NANO, **({"notify": list(alert.notify)} if alert.notify else {})}
            for alert in usage.alerts
        ]
    return {"usage_tracking": found} if found else {}
