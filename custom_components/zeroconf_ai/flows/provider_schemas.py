"""The forms of providers, agents and AI tasks, and the fields that forms share."""

from collections.abc import Iterable, Mapping
from typing import Any

import voluptuous as vol

from homeassistant.const import (
    CONF_API_KEY,
    CONF_HOST,
    CONF_LLM_HASS_API,
    CONF_MODEL,
    CONF_NAME,
    CONF_PORT,
    CONF_PROMPT,
    CONF_SSL,
    CONF_VERIFY_SSL,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import section
from homeassistant.helpers import llm
from homeassistant.helpers.selector import (
    ActionSelector,
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TemplateSelector,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

from ..const import (
    CONF_ADD_SITUATION,
    CONF_EXTRA_BODY,
    CONF_FIRST_TOKEN_TIMEOUT,
    CONF_HEALTH_INTERVAL,
    CONF_HOME_ONLY,
    CONF_HOUSEHOLD,
    CONF_LOCAL_FALLBACK,
    CONF_MAX_HISTORY,
    CONF_MAX_TOKENS,
    CONF_PLAIN_SPEECH,
    CONF_TELL_CHANGE,
    CONF_TEMPERATURE,
    CONF_THINKING,
    CONF_TOP_P,
    CONF_WAKE_ACTION,
    CONF_WAKE_WAIT,
    DEFAULT_HEALTH_INTERVAL,
    DEFAULT_MAX_HISTORY,
    DEFAULT_WAKE_WAIT,
    SUBENTRY_CONVERSATION,
    THINKING_DEFAULT,
    THINKING_MODES,
)
from ..core.protocol import json
from ..core.protocol.models import AUTO, ModelInfo
from ..provider.power_meter import energy_fields

ADVANCED = "advanced"
VOICE = "voice"
ROUTING = "routing"
LIMITS = "limits"
COSTS = "costs"
ENERGY = "energy"
SECTIONS = frozenset({ADVANCED, VOICE, ROUTING, LIMITS, COSTS, ENERGY})
"""The folded sections of all forms. No field has the name of one."""
"""The folded section of a form; its values are stored on the same level as the others."""
CONF_PROVIDER = "provider"
CONF_KEEP_KEY = "keep_key"
ENTER_ADDRESS = "enter_address"
"""The option to enter an address instead of a discovered provider."""

SECRET = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off"))

ADDRESS = vol.Schema(
    {
        vol.Required(CONF_HOST): TextSelector(),
        vol.Optional(CONF_PORT): vol.All(
            NumberSelector(NumberSelectorConfig(min=1, max=65535, mode=NumberSelectorMode.BOX)), vol.Coerce(int)
        ),
        vol.Optional(CONF_API_KEY): SECRET,
        vol.Required(ADVANCED): section(
            vol.Schema(
                {
                    vol.Required(CONF_SSL, default=False): BooleanSelector(),
                    vol.Required(CONF_VERIFY_SSL, default=True): BooleanSelector(),
                }
            ),
            {"collapsed": True},
        ),
    }
)
"""The form for an address."""

KEY = vol.Schema({vol.Required(CONF_API_KEY): SECRET})
KEY_OR_HOUSEHOLD = vol.Schema({vol.Optional(CONF_HOUSEHOLD): TextSelector(), vol.Optional(CONF_API_KEY): SECRET})
"""The form for a provider that advertises a household token."""
NO_FIELDS = vol.Schema({})


def found_schema(providers: Mapping[str, str]) -> vol.Schema:
    """The choice of a discovered provider (id → label), or of an address."""
    options = [SelectOptionDict(value=key, label=label) for key, label in providers.items()]
    options.append(SelectOptionDict(value=ENTER_ADDRESS, label=ENTER_ADDRESS))
    selector = SelectSelector(SelectSelectorConfig(options=options, mode=SelectSelectorMode.LIST, translation_key=CONF_PROVIDER))
    return vol.Schema({vol.Required(CONF_PROVIDER, default=options[0]["value"]): selector})


def identity_schema(*, has_key: bool) -> vol.Schema:
    """The confirmation of a new identity, with its API key."""
    fields: dict[vol.Marker, Any] = {vol.Optional(CONF_API_KEY): SECRET}
    if has_key:
        fields[vol.Required(CONF_KEEP_KEY, default=False)] = BooleanSelector()
    return vol.Schema(fields)


def options_schema(first_token: float, more: Mapping[vol.Marker, Any], *, wake: bool = True) -> vol.Schema:
    """The form for a provider's options. `first_token`: its usual time limit in seconds; `more`: fields of its kind of server.

    `wake`: whether Home Assistant can wake its machine.
    """
    waking: dict[vol.Marker, Any] = {
        vol.Optional(CONF_WAKE_ACTION): ActionSelector(),
        vol.Required(CONF_WAKE_WAIT, default=DEFAULT_WAKE_WAIT): seconds(1, 900),
    }
    return vol.Schema(
        {
            vol.Required(CONF_HEALTH_INTERVAL, default=DEFAULT_HEALTH_INTERVAL): seconds(5, 3600),
            vol.Required(CONF_FIRST_TOKEN_TIMEOUT, default=round(first_token)): seconds(1, 900),
            **more,
            **(waking if wake else {}),
            **energy_fields(),
        }
    )


def agent_schema(hass: HomeAssistant, subentry_type: str, models: Iterable[str], default_name: str) -> vol.Schema:
    """The form for an agent, or an AI task, which has no prompt, tools or history."""
    advanced: dict[vol.Marker, Any] = {
        vol.Optional(CONF_TEMPERATURE): number(0, 2, 0.05),
        vol.Optional(CONF_TOP_P): number(0, 1, 0.05),
        vol.Optional(CONF_MAX_TOKENS): whole(1, 1_000_000),
        vol.Required(CONF_THINKING, default=THINKING_DEFAULT): SelectSelector(
            SelectSelectorConfig(options=list(THINKING_MODES), translation_key=CONF_THINKING)
        ),
    }
    fields: dict[vol.Marker, Any] = {
        vol.Required(CONF_NAME, default=default_name): TextSelector(),
        vol.Required(CONF_MODEL, default=AUTO): model_selector(models),
        vol.Required(CONF_HOME_ONLY, default=False): BooleanSelector(),
    }
    if subentry_type == SUBENTRY_CONVERSATION:
        apis = [SelectOptionDict(value=api.id, label=api.name) for api in llm.async_get_apis(hass)]
        fields[vol.Optional(CONF_PROMPT)] = TemplateSelector()
        fields[vol.Optional(CONF_LLM_HASS_API)] = SelectSelector(SelectSelectorConfig(options=apis, multiple=True))
        fields[vol.Required(CONF_LOCAL_FALLBACK, default=True)] = BooleanSelector()
        voice: dict[vol.Marker, Any] = {
            vol.Required(CONF_PLAIN_SPEECH, default=True): BooleanSelector(),
            vol.Required(CONF_ADD_SITUATION, default=True): BooleanSelector(),
            vol.Required(CONF_TELL_CHANGE, default=False): BooleanSelector(),
        }
        fields[vol.Optional(VOICE)] = section(vol.Schema(voice), {"collapsed": True})
        advanced[vol.Required(CONF_MAX_HISTORY, default=DEFAULT_MAX_HISTORY)] = whole(0, 1000)
    advanced[vol.Optional(CONF_EXTRA_BODY)] = TextSelector(TextSelectorConfig(multiline=True))
    fields[vol.Required(ADVANCED)] = section(vol.Schema(advanced), {"collapsed": True})
    return vol.Schema(fields)


def model_selector(models: Iterable[str]) -> SelectSelector:
    """The choice of a model: any, one of these, or an entered one."""
    options = [SelectOptionDict(value=model, label=model) for model in dict.fromkeys([AUTO, *models])]
    return SelectSelector(
        SelectSelectorConfig(options=options, custom_value=True, mode=SelectSelectorMode.DROPDOWN, translation_key=CONF_MODEL)
    )


def model_ids(models: Iterable[ModelInfo]) -> list[str]:
    """The chat models, without the model aliases of another gateway, since this one has its own."""
    return [model.id for model in models if model.for_chat and not model.virtual]


def flatten(user_input: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a form, on one level: those of its sections beside the others."""
    found: dict[str, Any] = {}
    for key, value in user_input.items():
        found |= value if key in SECTIONS else {key: value}
    return found


def suggest(values: Mapping[str, Any]) -> dict[str, Any]:
    """Stored values as suggested values of a form, for the fields inside and outside the folded sections."""
    return {**values, **{section: dict(values) for section in SECTIONS}}


_RESERVED = ("messages", "model", "stream", "tools", "tool_choice")


def parse_extra_body(text: str) -> dict[str, Any]:
    """Parse a JSON object. Raises ValueError with the error and its position."""
    try:
        body = json.loads(text)
    except json.JSONDecodeError as err:
        raise ValueError(f"line {err.lineno}, column {err.colno}: {err.msg}") from err
    if not isinstance(body, dict):
        raise ValueError('it must be an object: {"name": value}')
    if taken := sorted(body.keys() & set(_RESERVED)):
        raise ValueError(f"{', '.join(taken)} cannot be set here, the agent does that itself")
    return body


def number(smallest: float, largest: float, step: float) -> NumberSelector:
    """A number field."""
    return NumberSelector(NumberSelectorConfig(min=smallest, max=largest, step=step, mode=NumberSelectorMode.BOX))


def whole(smallest: int, largest: int) -> vol.All[Any]:
    """A field for a whole number."""
    return vol.All(number(smallest, largest, 1), vol.Coerce(int))


def seconds(smallest: int, largest: int) -> vol.All[Any]:
    """A field for whole seconds."""
    selector = NumberSelector(
        NumberSelectorConfig(min=smallest, max=largest, mode=NumberSelectorMode.BOX, unit_of_measurement="s")
    )
    return vol.All(selector, vol.Coerce(int))
