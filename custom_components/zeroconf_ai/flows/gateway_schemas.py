"""The forms of the gateway's flows."""

from collections.abc import Iterable, Mapping
from typing import Any

import voluptuous as vol

from homeassistant.const import CONF_NAME
from homeassistant.helpers.selector import (
    BooleanSelector,
    DateTimeSelector,
    LabelSelector,
    LabelSelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
)

from ..const import (
    CONF_ADDRESS_PARALLEL,
    CONF_ADDRESS_REQUESTS_PER_MINUTE,
    CONF_ADDRESS_TOKENS_PER_MINUTE,
    CONF_ADMIN_CONTACT,
    CONF_ADVERTISE,
    CONF_AUTH,
    CONF_CLOUD_FALLBACK,
    CONF_CONCURRENCY,
    CONF_CORS_ORIGINS,
    CONF_ENABLED,
    CONF_HOME_LABELS,
    CONF_HOME_ONLY,
    CONF_MACS,
    CONF_NEGOTIATE_PRIORITY,
    CONF_NETWORKS,
    CONF_OWN_PORT,
    CONF_OWN_PORT_CERTIFICATE,
    CONF_OWN_PORT_KEY,
    CONF_OWN_PORT_TLS,
    CONF_PRIORITY,
    CONF_PROVIDER_IN_CHUNKS,
    CONF_QUEUE_LENGTH,
    CONF_RETRY_METERED_TIMEOUTS,
    CONF_STRATEGY,
    CONF_TARGETS,
    DEFAULT_QUEUE_LENGTH,
    LARGEST_BUDGET,
)
from ..core.accounting.keys.client_key import LARGEST_RATE
from ..core.protocol.hosted_tools import GRANTS
from ..core.protocol.record import DEFAULT_PRIORITY, Auth
from ..core.routing.policy import Strategy
from .provider_schemas import whole

CONF_ID = "id"
CONF_REMOVE = "remove"
CONF_YAML = "yaml"
CONF_OWNER = "owner"
CONF_MODEL_PATTERNS = "model_patterns"
CONF_ENDPOINTS = "endpoints"
CONF_BACKGROUND = "background"
CONF_EXPIRES = "expires"
CONF_OVERLAP = "overlap"
CONF_REQUESTS_PER_MINUTE = "requests_per_minute"
CONF_TOKENS_PER_MINUTE = "tokens_per_minute"
CONF_PARALLEL = "parallel"
CONF_MONTHLY_BUDGET = "monthly_budget"
CONF_LLM_APIS = "llm_apis"
CONF_LABELS = "labels"
CONF_HOSTED_TOOLS = "hosted_tools"
"""An amount of money; without it there is no budget."""
NEW = "new"
"""The option for a new item in a list."""

DEFAULT_OVERLAP_HOURS = 24
LONGEST_OVERLAP_HOURS = 24 * 30

_LINES = TextSelector(TextSelectorConfig(multiple=True))
_AUTH = SelectSelector(
    SelectSelectorConfig(options=[Auth.TOKEN, Auth.NONE], mode=SelectSelectorMode.LIST, translation_key=CONF_AUTH)
)
_AUTH_WITH_PORT = SelectSelector(
    SelectSelectorConfig(options=list(Auth), mode=SelectSelectorMode.LIST, translation_key=CONF_AUTH)
)
"""Also client certificates, which need a separate port with TLS."""
_STRATEGY = SelectSelector(
    SelectSelectorConfig(options=list(Strategy), mode=SelectSelectorMode.DROPDOWN, translation_key=CONF_STRATEGY)
)


def gateway_schema(name: str, networks: list[str]) -> vol.Schema:
    """The form for a new gateway."""
    return vol.Schema(
        {
            vol.Required(CONF_NAME, default=name): TextSelector(),
            vol.Required(CONF_AUTH, default=Auth.TOKEN.value): _AUTH,
            vol.Optional(CONF_NETWORKS, description={"suggested_value": networks}): _LINES,
            vol.Required(CONF_ADVERTISE, default=False): BooleanSelector(),
            vol.Required(CONF_STRATEGY, default=Strategy.PRIORITY.value): _STRATEGY,
            vol.Optional(CONF_OWN_PORT): whole(1024, 65535),
        }
    )


def access_schema() -> vol.Schema:
    """The form for the name and the access."""
    return vol.Schema(
        {
            vol.Required(CONF_NAME): TextSelector(),
            vol.Required(CONF_AUTH, default=Auth.TOKEN.value): _AUTH_WITH_PORT,
            vol.Optional(CONF_NETWORKS): _LINES,
            vol.Optional(CONF_OWN_PORT): whole(1024, 65535),
            vol.Optional(CONF_OWN_PORT_TLS): BooleanSelector(),
            vol.Optional(CONF_OWN_PORT_CERTIFICATE): TextSelector(),
            vol.Optional(CONF_OWN_PORT_KEY): TextSelector(),
            vol.Optional(CONF_MACS): _LINES,
            vol.Optional(CONF_ADDRESS_REQUESTS_PER_MINUTE): whole(1, LARGEST_RATE),
            vol.Optional(CONF_ADDRESS_TOKENS_PER_MINUTE): whole(1, LARGEST_RATE),
            vol.Optional(CONF_ADDRESS_PARALLEL): whole(1, LARGEST_RATE),
        }
    )


def settings_schema() -> vol.Schema:
    """The form for the settings."""
    return vol.Schema(
        {
            vol.Required(CONF_ADVERTISE, default=False): BooleanSelector(),
            vol.Required(CONF_PRIORITY, default=DEFAULT_PRIORITY): whole(0, 65535),
            vol.Required(CONF_NEGOTIATE_PRIORITY, default=False): BooleanSelector(),
            vol.Required(CONF_STRATEGY, default=Strategy.PRIORITY.value): _STRATEGY,
            vol.Required(CONF_CONCURRENCY, default=0): whole(0, 1000),
            vol.Required(CONF_QUEUE_LENGTH, default=DEFAULT_QUEUE_LENGTH): whole(0, 10_000),
            vol.Required(CONF_CLOUD_FALLBACK, default=False): BooleanSelector(),
            vol.Optional(CONF_HOME_LABELS): LabelSelector(LabelSelectorConfig(multiple=True)),
            vol.Required(CONF_RETRY_METERED_TIMEOUTS, default=False): BooleanSelector(),
            vol.Required(CONF_PROVIDER_IN_CHUNKS, default=False): BooleanSelector(),
            vol.Optional(CONF_CORS_ORIGINS): _LINES,
            vol.Optional(CONF_ADMIN_CONTACT): TextSelector(),
        }
    )


def choice_schema(labels: Mapping[str, str], translation_key: str) -> vol.Schema:
    """The choice of an existing item (id → label), or of a new one."""
    options = [SelectOptionDict(value=key, label=label) for key, label in labels.items()]
    options.append(SelectOptionDict(value=NEW, label=NEW))
    config = SelectSelectorConfig(options=options, mode=SelectSelectorMode.LIST, translation_key=translation_key)
    return vol.Schema({vol.Required(CONF_ID): SelectSelector(config)})


def virtual_model_schema(targets: Iterable[str], *, new: bool, removable: bool) -> vol.Schema:
    """The form for a model alias."""
    config = SelectSelectorConfig(options=list(targets), multiple=True, custom_value=True, mode=SelectSelectorMode.DROPDOWN)
    fields: dict[vol.Marker, Any] = {vol.Required(CONF_NAME): TextSelector()} if new else {}
    fields[vol.Required(CONF_TARGETS)] = SelectSelector(config)
    fields[vol.Optional(CONF_STRATEGY)] = _STRATEGY
    if removable:
        fields[vol.Required(CONF_REMOVE, default=False)] = BooleanSelector()
    return vol.Schema(fields)


def key_schema(
    users: Mapping[str, str],
    models: Iterable[str],
    scopes: Iterable[str],
    labels: Iterable[str],
    apis: Mapping[str, str],
    *,
    new: bool,
) -> vol.Schema:
    """The form for an API key; `users` maps ids to names, `labels` are those of other keys, `apis` names of LLM APIs by id."""
    owners = [SelectOptionDict(value=key, label=name) for key, name in users.items()]
    patterns = SelectSelectorConfig(options=list(models), multiple=True, custom_value=True, mode=SelectSelectorMode.DROPDOWN)
    endpoints = SelectSelectorConfig(options=list(scopes), multiple=True, mode=SelectSelectorMode.DROPDOWN)
    hosted_tools = SelectSelectorConfig(
        options=list(GRANTS), multiple=True, mode=SelectSelectorMode.DROPDOWN, translation_key="hosted_tools"
    )
    labelled = SelectSelectorConfig(options=list(labels), multiple=True, custom_value=True, mode=SelectSelectorMode.DROPDOWN)
    named = [SelectOptionDict(value=api_id, label=name) for api_id, name in apis.items()]
    offered = SelectSelectorConfig(options=named, multiple=True, mode=SelectSelectorMode.DROPDOWN)
    fields: dict[vol.Marker, Any] = {
        vol.Required(CONF_NAME): TextSelector(),
        vol.Optional(CONF_LABELS): SelectSelector(labelled),
        vol.Optional(CONF_OWNER): SelectSelector(SelectSelectorConfig(options=owners, mode=SelectSelectorMode.DROPDOWN)),
        vol.Optional(CONF_MODEL_PATTERNS): SelectSelector(patterns),
        vol.Optional(CONF_ENDPOINTS): SelectSelector(endpoints),
        vol.Optional(CONF_LLM_APIS): SelectSelector(offered),
        vol.Optional(CONF_HOSTED_TOOLS): SelectSelector(hosted_tools),
        vol.Required(CONF_BACKGROUND, default=False): BooleanSelector(),
        vol.Required(CONF_HOME_ONLY, default=False): BooleanSelector(),
        vol.Optional(CONF_EXPIRES): DateTimeSelector(),
        vol.Optional(CONF_REQUESTS_PER_MINUTE): whole(1, LARGEST_RATE),
        vol.Optional(CONF_TOKENS_PER_MINUTE): whole(1, LARGEST_RATE),
        vol.Optional(CONF_PARALLEL): whole(1, LARGEST_RATE),
        vol.Optional(CONF_MONTHLY_BUDGET): NumberSelector(
            NumberSelectorConfig(min=0, max=LARGEST_BUDGET, step="any", mode=NumberSelectorMode.BOX)
        ),
    }
    if not new:
        fields[vol.Required(CONF_ENABLED, default=True)] = BooleanSelector()
    return vol.Schema(fields)


ROTATION = vol.Schema({vol.Required(CONF_OVERLAP, default=DEFAULT_OVERLAP_HOURS): whole(0, LONGEST_OVERLAP_HOURS)})
IMPORT = vol.Schema({vol.Required(CONF_YAML): TextSelector(TextSelectorConfig(multiline=True))})
