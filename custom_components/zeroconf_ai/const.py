"""Names and defaults that more than one file of the integration uses."""

from typing import Final

DOMAIN: Final = "zeroconf_ai"

SUBENTRY_CONVERSATION: Final = "conversation"
SUBENTRY_AI_TASK: Final = "ai_task_data"
SUBENTRY_STT: Final = "stt"
SUBENTRY_TTS: Final = "tts"
SUBENTRY_BACKEND: Final = "backend"
"""A server or a cloud that the gateway asks."""
SUBENTRY_HOME_AGENT: Final = "home_agent"
"""An agent of this Home Assistant that the gateway offers as a model."""

# Config entry data: what it takes to speak to a provider.
CONF_BASE_URL: Final = "base_url"
"""`http(s)://host:port/path`, without a slash at its end; `/models` follows it."""
CONF_PROVIDER_ID: Final = "provider_id"
"""The advertised identity that was confirmed, or absent for a server that names none."""
CONF_SERVICE_NAME: Final = "service_name"
"""The mDNS instance name that it was confirmed under."""
CONF_FINGERPRINT: Final = "fingerprint"
"""SHA-256 of the confirmed certificate, base64url."""
CONF_REFUSED: Final = "refused_addresses"
"""Base URLs at which the owner does not want it, though it is advertised there; the newest last."""
CONF_EPHEMERAL: Final = "ephemeral"
"""True where the key comes with each advertisement and is never stored."""
CONF_ADVERTISED: Final = "advertised"
"""True where an advertisement, and not the owner, named a host on the internet: no address of this home is then connected to."""

CONF_SERVER_KIND: Final = "server_kind"
"""The recognized kind of server (`core/presence/server_kinds.py`), such as `ollama`; absent: unknown kind."""

# Config entry data of the gateway.
CONF_KIND: Final = "kind"
"""Tells the gateway's entry from a provider's, which has none."""
KIND_GATEWAY: Final = "gateway"
"""Of the one gateway; its unique id, too."""
CONF_GATEWAY_ID: Final = "gateway_id"
"""The identity that it advertises."""
CONF_DATABASES: Final = "databases"
"""The ids of the databases that the gateway has used, by their addresses' digests."""
CONF_FIRST_KEY: Final = "first_key"
CONF_ADDRESS_PARALLEL: Final = "address_parallel"
CONF_ADDRESS_REQUESTS_PER_MINUTE: Final = "address_requests_per_minute"
CONF_ADDRESS_TOKENS_PER_MINUTE: Final = "address_tokens_per_minute"
CONF_HOUSEHOLD: Final = "household"
CONF_HOUSEHOLD_COST_PER_HOUR: Final = "household_cost_per_hour"
CONF_HOUSEHOLD_TOKENS_PER_HOUR: Final = "household_tokens_per_hour"
"""`name`, `digest` (SHA-256, hex) and `prefix` of the key that was shown when the gateway was added; never the key itself."""

# Config entry options of the gateway.
CONF_ADVERTISE: Final = "advertise"
CONF_AUTH: Final = "auth"
CONF_CURRENCY: Final = "currency"
CONF_CONNECTOR_ID: Final = "connector_id"
"""The id of the connector of a provider that is reached over the relay."""
CONF_CONNECTOR_KEY: Final = "connector_key"
"""The connector's public key, base64url."""
"""`token` or `none`."""
CONF_NETWORKS: Final = "networks"
"""From where it may be asked without a key, in CIDR notation."""
CONF_STRATEGY: Final = "strategy"
CONF_CONCURRENCY: Final = "concurrency"
CONF_EXCHANGE: Final = "exchange"
CONF_RATES: Final = "rates"
"""Requests at a time; 0: no limit."""
CONF_QUEUE_LENGTH: Final = "queue_length"
CONF_OWN_PORT: Final = "own_port"
"""A port beside Home Assistant's; absent: none."""
CONF_OWN_PORT_CERTIFICATE: Final = "own_port_certificate"
CONF_OWN_PORT_KEY: Final = "own_port_key"
CONF_OWN_PORT_TLS: Final = "own_port_tls"
"""Whether that port speaks TLS; absent: it does not."""
CONF_CLOUD_FALLBACK: Final = "cloud_fallback"
CONF_RETRY_METERED_TIMEOUTS: Final = "retry_metered_timeouts"
CONF_NEGOTIATE_PRIORITY: Final = "negotiate_priority"
CONF_CORS_ORIGINS: Final = "cors_origins"
CONF_ADMIN_CONTACT: Final = "admin_contact"
CONF_PROVIDER_IN_CHUNKS: Final = "provider_in_chunks"
CONF_TOGETHER: Final = "together"
CONF_VIRTUAL_MODELS: Final = "virtual_models"
"""Name → `targets` and `strategy`: all of them; absent: those that the engine begins with."""
CONF_TARGETS: Final = "targets"

DEFAULT_QUEUE_LENGTH: Final = 32

# Subentry data: a backend or an agent of the home. All keys of a backend are in `core/config/backend_fields.py`.
CONF_ENABLED: Final = "enabled"
CONF_HEADERS: Final = "headers"
CONF_MONTHLY_LIMIT: Final = "monthly_limit"
"""Money."""
CONF_MODELS: Final = "models"
"""The only models that may be used; absent: all."""

CONF_SUBENTRY_ID: Final = "subentry_id"
"""In what a reauthentication begins with: the backend of the gateway that rejects its API key."""

CONF_ASSISTANT: Final = "assistant"
"""Id of the assistant that was made for the first agent. Stays when the owner deletes that, so that it is not made again."""

CONF_ANY_ASSISTANT: Final = "any_assistant"
"""Id of the assistant that was made for an agent that may use any provider."""

# Config entry options: what the owner wants of it. All of them apply at once, without a reload.
CONF_HEALTH_INTERVAL: Final = "health_interval"
CONF_FIRST_TOKEN_TIMEOUT: Final = "first_token_timeout"
CONF_WAKE_ACTION: Final = "wake_action"
CONF_WAKE_WAIT: Final = "wake_wait"
CONF_NUM_CTX: Final = "num_ctx"
"""Context window of an Ollama server's models in tokens; absent: as large as the prompts require."""
CONF_KEEP_ALIVE: Final = "keep_alive"
"""How long an Ollama server keeps a model loaded, such as `10m`; absent: the server's default."""
CONF_PRIORITY: Final = "priority"
"""The owner's priority (0 to 65535, lower is preferred); absent: the provider's own."""
CONF_ROUTING: Final = "use_for_routing"

DEFAULT_HEALTH_INTERVAL: Final = 30
DEFAULT_WAKE_WAIT: Final = 60

# Subentry data: an agent or an AI task.
CONF_TEMPERATURE: Final = "temperature"
CONF_TOP_P: Final = "top_p"
CONF_MAX_TOKENS: Final = "max_tokens"
CONF_THINKING: Final = "thinking"
CONF_MACS: Final = "macs"
CONF_MAX_HISTORY: Final = "max_history"
"""How many of the user's turns are sent along; 0 sends all."""
CONF_LOCAL_FALLBACK: Final = "local_fallback"
"""Whether Home Assistant's own agent gets a sentence that no model answers; absent: yes."""
CONF_PLAIN_SPEECH: Final = "plain_speech"
"""Whether Markdown and emoji are left out where the answer is spoken; absent: yes."""
CONF_ADD_SITUATION: Final = "add_situation"
"""Whether date, time, area and the speaker's name follow a sentence; absent: yes."""
CONF_TELL_CHANGE: Final = "tell_change"
"""Whether an answer begins with the provider's change, once in a conversation; absent: no."""
CONF_HOME_LABELS: Final = "home_labels"
"""Gateway option: the labels of the home whose pictures and states stay at home."""
CONF_HOME_ONLY: Final = "home_only"
"""Whether the requests of an agent or AI task stay at home; absent: no."""
CONF_LANGUAGES: Final = "languages"
CONF_SPOKEN_BY: Final = "spoken_by"
"""Another text-to-speech engine, which speaks instead of a provider's model."""
"""Tags of the languages that speech to text or text to speech is offered for; absent: those of Whisper."""
CONF_VOICES: Final = "voices"
"""Ids of the voices that are offered; absent: those that the providers list."""
CONF_EXTRA_BODY: Final = "extra_body"
"""A JSON object merged into each request."""

THINKING_DEFAULT: Final = "default"
THINKING_ON: Final = "on"
THINKING_OFF: Final = "off"
THINKING_LOW: Final = "low"
THINKING_HIGH: Final = "high"
THINKING_MODES: Final = (THINKING_DEFAULT, THINKING_OFF, THINKING_LOW, THINKING_ON, THINKING_HIGH)
"""THINKING_ON is the medium level; agents of older versions have it."""

DEFAULT_MAX_HISTORY: Final = 20
MAX_TOOL_ITERATIONS: Final = 10

SIGNAL_HOUSEHOLD_CHANGED: Final = f"{DOMAIN}_household_changed"
SIGNAL_PROVIDERS_CHANGED: Final = f"{DOMAIN}_providers_changed"
"""Sent when a provider is set up, unloaded or changes its state: what `auto` agents listen to."""
LARGEST_BUDGET = 1_000_000
"""Units of currency: the most that a form or an entity takes for a budget."""

PAGE_PATH: Final = "zeroconf-ai"
"""The path of the page in Home Assistant."""
