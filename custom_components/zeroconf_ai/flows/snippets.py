"""Examples with the address of the gateway, shown together with a new API key."""

from collections.abc import Mapping
from typing import Any

from yarl import URL

from homeassistant.core import HomeAssistant
from homeassistant.helpers.network import NoURLAvailableError, get_url

from ..const import CONF_OWN_PORT, CONF_OWN_PORT_TLS
from ..core.admin.examples import examples
from ..core.protocol.models import AUTO
from ..markdown import Markdown

FIRST_MODEL = "homeassistant/assist"
"""The model of a gateway without LLM backends: Home Assistant's default agent."""
_QUESTIONS = {FIRST_MODEL: "Which lights are on?"}
_QUESTION_FOR_ANY_MODEL = "Hello"
"""Only Home Assistant's agents know the devices of the home."""
_USUAL_URL = "http://homeassistant.local:8123"


def gateway_url(hass: HomeAssistant, options: Mapping[str, Any]) -> str:
    """The base URL for clients on the local network."""
    try:
        url = URL(get_url(hass, allow_external=False, allow_cloud=False))
    except NoURLAvailableError:
        url = URL(_USUAL_URL)
    if port := options.get(CONF_OWN_PORT):
        scheme = "https" if options.get(CONF_OWN_PORT_TLS) else "http"
        url = URL.build(scheme=scheme, host=url.host or "homeassistant.local", port=port)
    return f"{url.origin()}/v1"


def snippets(base_url: str, secret: str, model: str = AUTO) -> dict[str, str]:
    """The placeholders of the form with a new API key: the key and examples."""
    made = examples(base_url, secret, model, _QUESTIONS.get(model, _QUESTION_FOR_ANY_MODEL))
    shown = {"key": secret, "base_url": base_url, **made}
    return {name: Markdown(text) for name, text in shown.items()}  # each is inside a code block or span
