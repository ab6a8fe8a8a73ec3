"""The WebSocket commands of the page `zeroconf_ai/…`, for administrators unless a command says otherwise.

- `chat`: every user's own conversations.
- `live`: the live state, as a subscription.
- `usage`: usage reports and records; other users see their own.
- `keys`: API keys and budgets.
- `clients`: client certificates: codes, approvals.
- `finding`: the home-only switch, and finding and adding providers.
- `alerts`: where alerts go, and what they are about.
- `models`: model aliases with their chains, the routing strategy, and all models.
- `server_models`: the models that servers hold: list, load, unload, download and delete.
- `routing`: priority and use of providers, health checks, and the plan of a request that is not sent.
"""

from homeassistant.core import HomeAssistant, callback

from . import alerts, chat, clients, finding, keys, live, models, routing, server_models, usage


@callback
def async_setup_commands(hass: HomeAssistant) -> None:
    """Register the commands."""
    for module in (live, usage, keys, clients, routing, finding, models, server_models, alerts, chat):
        module.async_setup(hass)
