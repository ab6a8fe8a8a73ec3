"""The fields for how an Ollama server holds its models: context size and keep-alive."""

from collections.abc import Mapping
from typing import Any

import voluptuous as vol

from homeassistant.components import conversation
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import llm
from homeassistant.helpers.selector import SelectSelector, SelectSelectorConfig, SelectSelectorMode

from ..assist.chat_log import tools_to_json
from ..const import CONF_KEEP_ALIVE, CONF_NUM_CTX, DOMAIN
from ..core.dialects.ollama.keep_alive import FOREVER, parse_keep_alive
from ..core.protocol.errors import InvalidRequestError
from ..core.protocol.request import Kind, Request
from .provider_schemas import whole

KEEP_ALIVE_INVALID = "keep_alive_invalid"

SMALLEST_CONTEXT = 512
LARGEST_CONTEXT = 10_000_000
ALWAYS = "always"
"""Form value of "always". It is stored as Ollama's value, `-1`, which cannot be a translation key."""
_FOREVER = str(FOREVER)
_USUAL = ("5m", "30m", "1h", "12h", ALWAYS)
"""The offered values; every other value that Ollama accepts may be entered."""


def model_option_fields() -> dict[vol.Marker, Any]:
    """The fields of both settings; each may be empty."""
    times = SelectSelectorConfig(
        options=list(_USUAL), custom_value=True, mode=SelectSelectorMode.DROPDOWN, translation_key=CONF_KEEP_ALIVE
    )
    return {
        vol.Optional(CONF_NUM_CTX): whole(SMALLEST_CONTEXT, LARGEST_CONTEXT),
        vol.Optional(CONF_KEEP_ALIVE): SelectSelector(times),
    }


def read_model_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """The filled-in values that are not empty. Raises ValueError for a keep-alive that Ollama does not accept."""
    keep_alive = values.get(CONF_KEEP_ALIVE)
    keep_alive = _FOREVER if keep_alive == ALWAYS else keep_alive
    try:
        parse_keep_alive(keep_alive)
    except InvalidRequestError as err:
        raise ValueError(CONF_KEEP_ALIVE) from err
    found = {CONF_NUM_CTX: values.get(CONF_NUM_CTX), CONF_KEEP_ALIVE: keep_alive}
    return {key: value for key, value in found.items() if value not in (None, "")}


def shown_model_options(stored: Mapping[str, Any]) -> dict[str, Any]:
    """`stored` with its keep-alive converted for a form."""
    return {**stored, CONF_KEEP_ALIVE: ALWAYS} if stored.get(CONF_KEEP_ALIVE) == _FOREVER else dict(stored)


def without_model_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a form without both settings."""
    return {key: value for key, value in values.items() if key not in (CONF_NUM_CTX, CONF_KEEP_ALIVE)}


async def prompt_tokens(hass: HomeAssistant) -> int:
    """The estimated tokens of a request of Assist: instructions, exposed entities and tools."""
    context = llm.LLMContext(DOMAIN, Context(), hass.config.language, conversation.DOMAIN, None)
    prompt, tools = llm.DEFAULT_INSTRUCTIONS_PROMPT, list[dict[str, Any]]()
    try:
        api = await llm.async_get_api(hass, llm.LLM_API_ASSIST, context)
    except HomeAssistantError:  # Assist is not set up
        pass
    else:
        prompt += api.api_prompt
        tools = tools_to_json(api.tools, api.custom_serializer)
    body = {"model": "", "messages": [{"role": "system", "content": prompt}], "tools": tools}
    return Request(Kind.CHAT, body).estimated_prompt_tokens
