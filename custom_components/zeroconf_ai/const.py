"""Names and defaults that more than one file of the integration uses."""

from typing import Final

DOMAIN: Final = "zeroconf_ai"

SUBENTRY_CONVERSATION: Final = "conversation"
SUBENTRY_AI_TASK: Final = "ai_task_data"

# Config entry data: what it takes to speak to a provider.
CONF_BASE_URL: Final = "base_url"
"""`http(s)://host:port/path`, without a slash at its end; `/models` follows it."""
CONF_PROVIDER_ID: Final = "provider_id"
"""The advertised identity that was confirmed, or absent for a server that names none."""
CONF_SERVICE_NAME: Final = "service_name"
"""The mDNS instance name that it was confirmed under."""
CONF_FINGERPRINT: Final = "fingerprint"
"""SHA-256 of the confirmed certificate, base64url."""
CONF_EPHEMERAL: Final = "ephemeral"
"""True where the key comes with each advertisement and is never stored."""

CONF_ASSISTANT: Final = "assistant"
"""Id of the assistant that was made for the first agent. Stays when the owner deletes that, so that it is not made again."""

# Config entry options: what the owner wants of it. All of them apply at once, without a reload.
CONF_HEALTH_INTERVAL: Final = "health_interval"
CONF_FIRST_TOKEN_TIMEOUT: Final = "first_token_timeout"
CONF_WAKE_ACTION: Final = "wake_action"
CONF_WAKE_WAIT: Final = "wake_wait"
CONF_PRIORITY: Final = "priority"
"""The owner's priority (0 to 65535, lower is preferred); absent: the provider's own."""
CONF_ROUTING: Final = "use_for_routing"

DEFAULT_HEALTH_INTERVAL: Final = 30
DEFAULT_FIRST_TOKEN_TIMEOUT: Final = 30
DEFAULT_WAKE_WAIT: Final = 60

# Subentry data: an agent or an AI task.
CONF_TEMPERATURE: Final = "temperature"
CONF_TOP_P: Final = "top_p"
CONF_MAX_TOKENS: Final = "max_tokens"
CONF_THINKING: Final = "thinking"
CONF_MAX_HISTORY: Final = "max_history"
"""How many of the user's turns are sent along; 0 sends all."""
CONF_EXTRA_BODY: Final = "extra_body"
"""A JSON object merged into each request."""

THINKING_DEFAULT: Final = "default"
THINKING_ON: Final = "on"
THINKING_OFF: Final = "off"
THINKING_MODES: Final = (THINKING_DEFAULT, THINKING_ON, THINKING_OFF)

DEFAULT_MAX_HISTORY: Final = 20
MAX_TOOL_ITERATIONS: Final = 10

SIGNAL_PROVIDERS_CHANGED: Final = f"{DOMAIN}_providers_changed"
"""Sent when a provider is set up, unloaded or changes its state: what `auto` agents listen to."""
