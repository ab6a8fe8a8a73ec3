"""The table of all settings of a backend, from which readers, storage, forms and documentation are derived."""

from collections.abc import Mapping

from ..accounting.prices.hosted_tools import PRICED_TOOLS
from ..protocol.record import Capability, Cost
from .connection_fields import (
    Address,
    ContextSize,
    Hardware,
    Headers,
    HealthCheckPath,
    HealthPath,
    Identifier,
    KeepAlive,
    KeyHeader,
    Secret,
    TypeName,
)
from .fields import BackendField, Choice, Duration, Flag, Money, Seconds, Section, Text, Texts, Whole
from .model_fields import Aliases, AllowedModels, Capabilities, HostedToolPrices, ModelOverrides, ModelPrices, PricePer1k

_MAX_TOKENS = 100_000_000
_MAX_REQUESTS = 100_000
_MAX_PER_MINUTE = 1_000_000_000
_TIMEOUT = Seconds(0.1)


_CONNECTION = (
    BackendField("id", "id", Identifier(), "letters, digits, dots, dashes, underscores", needed=True),
    BackendField("name", "name", Text(), "display name", default="the type's name"),
    BackendField("type", "type", TypeName(), "one of the types above", stored="type", needed=True),
    BackendField(
        "endpoint",
        "endpoint",
        Address(),
        "base URL. The path of the type is added if it has none",
        stored="base_url",
        section=Section.CONNECTION,
        default="as usual for the type",
        also=("url", "baseUrl", "base_url"),
    ),
    BackendField(
        "key_header",
        "authType",
        KeyHeader(),
        "how the API key is sent: `bearer`, `api_key` (as usual for the type), `x-api-key`, `header NAME`, `none` (also `null`)",
        stored="key_header",
        default="as usual for the type",
    ),
    BackendField(
        "key",
        "authSecret",
        Secret(),
        "API key, or `${VARIABLE}` for an environment variable. Protect a file that contains an API key",
        stored="api_key",
        section=Section.CONNECTION,
        also=("apiKey", "api_key"),
    ),
    BackendField(
        "headers",
        "headers",
        Headers(),
        "extra headers by name. `${VARIABLE}` works here too, and errors never contain a value of more than five characters",
        stored="headers",
        section=Section.CONNECTION,
    ),
    BackendField(
        "verify_ssl",
        "verifySsl",
        Flag(),
        "`false` accepts any certificate",
        stored="verify_ssl",
        section=Section.CONNECTION_ADVANCED,
    ),
)
_ROUTING = (
    BackendField("enabled", "enabled", Flag(), "`false` disables the provider", stored="enabled"),
    BackendField(
        "is_default", "isDefault", Flag(), "`true`, for one provider: it goes first, as with priority 0", stored="is_default"
    ),
    BackendField(
        "priority",
        "priority",
        Whole(0, 65535),
        "lower values go first",
        stored="priority",
        section=Section.ROUTING,
    ),
    BackendField(
        "weight",
        "weight",
        Whole(1, 1000),
        "share of the requests among providers of equal rank",
        stored="weight",
        section=Section.ROUTING,
    ),
    BackendField("tags", "tags", Texts("list its tags, or delete the line"), "custom tags", stored="tags"),
    BackendField(
        "location",
        "location",
        Text(),
        "where its models run: `local` or `cloud`; other texts describe the place only",
        stored="location",
        default="as usual for the type",
    ),
    BackendField("gpu", "gpu", Hardware(), "description of the graphics card: a text, `true`, or keys with values", stored="gpu"),
)
_LIMITS = (
    BackendField(
        "max_concurrent",
        "maxConcurrent",
        Whole(1, _MAX_REQUESTS),
        "concurrent requests",
        stored="max_concurrent",
        section=Section.LIMITS,
        default="no limit",
    ),
    BackendField(
        "queue_length",
        "queueLength",
        Whole(0, _MAX_REQUESTS),
        "requests that wait while `maxConcurrent` are running; additional requests go to another provider or are rejected",
        stored="queue_length",
        section=Section.LIMITS,
    ),
    BackendField(
        "requests_per_minute",
        "requestsPerMinute",
        Whole(1, _MAX_PER_MINUTE),
        "rate limit, also without `--keys` ([limits](accounting.md#limits))",
        stored="requests_per_minute",
        default="no limit",
    ),
    BackendField(
        "tokens_per_minute",
        "tokensPerMinute",
        Whole(1, _MAX_PER_MINUTE),
        "rate limit, also without `--keys`",
        stored="tokens_per_minute",
        default="no limit",
    ),
)
_COSTS = (
    BackendField(
        "cost",
        "cost",
        Choice(Cost, "this kind of cost is not known."),
        "`free`, `metered`, `subscription` or `unknown`",
        stored="cost",
        section=Section.COSTS,
        default="as usual for the type, and `metered` with prices",
    ),
    BackendField(
        "prices",
        "prices",
        ModelPrices(),
        'per million tokens, by model, or `"*"` for all others: `input`, `output`, and optionally `cached`, `reasoning`, '
        "`cacheWrite`, `cacheWrite1h`, `audio`; `image`, for each image; `minute`, of recordings; `characters`, "
        "per million that are spoken; `currency` (USD)",
        stored="prices",
        section=Section.COSTS,
    ),
    BackendField(
        "prices",
        "costPer1kTokens",
        PricePer1k(),
        'one price per thousand tokens of any kind, or `{input: …, output: …}`, instead of `"*"`',
        also=("cost_per_1k_tokens",),
        combined=True,
    ),
    BackendField(
        "hosted_tool_prices",
        "hostedToolPrices",
        HostedToolPrices(),
        "money for one call of a [hosted tool](accounting.md#hosted-tools), in the currency of `prices`: "
        + ", ".join(f"`{name}`" for name in PRICED_TOOLS),
        stored="hosted_tool_prices",
        section=Section.DETAILS,
        default="the list of public prices",
    ),
    BackendField(
        "monthly_limit",
        "monthlyLimit",
        Money(),
        "maximum cost per month; then the provider is skipped ([budgets](accounting.md#budgets)). Also without `--keys`: the "
        "default database then stores only its cost",
        stored="monthly_limit",
        section=Section.COSTS,
        default="no limit",
        also=("cost_limit", "costLimit"),
    ),
)
_PER_MODEL = (
    BackendField(
        "context_window",
        "contextWindow",
        Whole(1, _MAX_TOKENS),
        "context window of all its models in tokens",
        stored="context_window",
        default="the server's value",
        usual=(512, 10_000_000),
    ),
    BackendField(
        "max_output_tokens",
        "maxTokens",
        Whole(1, _MAX_TOKENS),
        "maximum tokens of an answer, and the default if a request has no limit",
        stored="max_output_tokens",
        default="no limit",
        also=("maxOutputTokens",),
        usual=(16, 1_000_000),
    ),
    BackendField(
        "capabilities",
        "capabilities",
        Capabilities(
            Choice(Capability, "this capability is not known."), correction="list what its models can do, or delete the line"
        ),
        "capabilities of the only model, or of models for which the server does not report them: "
        + ", ".join(f"`{capability.value}`" for capability in Capability)
        + "; as a list, or with true and false (`{vision: true, functionCalling: false, jsonMode: true}`)",
        stored="capabilities",
    ),
)
_MODELS = (
    BackendField(
        "aliases",
        "aliases",
        Aliases(),
        "model aliases: other names for its models. An alias of a model that is not in `models` is listed instead of the model",
        stored="aliases",
        section=Section.ROUTING,
    ),
    BackendField(
        "models",
        "models",
        AllowedModels(_PER_MODEL),
        "the only models that are listed and served: IDs, or objects with `id`, `alias`, "
        + ", ".join(f"`{field.yaml}`" for field in _PER_MODEL)
        + ", `prices`, `costPer1kTokens`, `tags`, `isDefault`, `enabled`",
        stored="models",
        section=Section.DETAILS,
        default="all",
    ),
    BackendField(
        "default_model",
        "defaultModel",
        Text(),
        "the model that the provider's ID alone means, and `auto`",
        stored="default_model",
        default="the best one for the request",
    ),
    BackendField("overrides", None, ModelOverrides(_PER_MODEL), stored="overrides"),
    *_PER_MODEL,
    BackendField(
        "num_ctx",
        "numCtx",
        ContextSize(512, 10_000_000),
        "context window in tokens with which Ollama loads its models; longer prompts go to another provider",
        stored="num_ctx",
        section=Section.DETAILS,
        default="as large as the prompts require",
        also=("contextSize",),
    ),
    BackendField(
        "keep_alive",
        "keepAlive",
        KeepAlive(),
        "how long Ollama keeps a model loaded after a request, such as `10m`; `-1`: always",
        stored="keep_alive",
        section=Section.DETAILS,
        default="the server's",
    ),
)
_TIMES = (
    BackendField(
        "timeouts.connect",
        "timeouts.connect",
        _TIMEOUT,
        "seconds to connect",
        stored="connect_timeout",
    ),
    BackendField(
        "timeouts.first_token",
        "timeouts.firstToken",
        _TIMEOUT,
        "seconds to the first token, including the time to load a model",
        stored="first_token_timeout",
        section=Section.LIMITS,
    ),
    BackendField(
        "timeouts.answer",
        "timeouts.answer",
        _TIMEOUT,
        "seconds for an answer that is not streamed",
        stored="answer_timeout",
        section=Section.LIMITS,
    ),
    BackendField(
        "timeouts.between_tokens",
        "timeouts.betweenTokens",
        _TIMEOUT,
        "seconds without any data in a stream",
        stored="between_tokens_timeout",
    ),
    BackendField(
        "timeouts.silence",
        "timeouts.silence",
        _TIMEOUT,
        "seconds in which a stream has only pings and empty chunks",
        stored="silence_timeout",
    ),
    BackendField(
        "timeouts.probe",
        "timeouts.probe",
        _TIMEOUT,
        "seconds for a health probe",
        stored="probe_timeout",
    ),
    BackendField("timeouts.probe", "health.timeout", _TIMEOUT, "another name of `timeouts.probe`"),
    BackendField(
        "timeouts.probe", "healthCheckTimeout", Duration(0.1), "the same, also as `5s`; numbers from 1000 on are milliseconds"
    ),
    BackendField(
        "health_interval",
        "health.interval",
        Seconds(1),
        "seconds between health probes",
        stored="health_interval",
        default="30",
        usual=(5, 600),
    ),
    BackendField(
        "health_interval",
        "healthCheckInterval",
        Duration(1),
        "another name of `health.interval`, also as `30s`; numbers from 1000 on are milliseconds",
        default="30",
    ),
    BackendField(
        "health_path",
        "health.path",
        HealthPath(),
        "path of the health probe, for servers with the OpenAI API: relative to the endpoint, or to the server's root with `//`",
        stored="health_path",
        default="as usual for the type",
    ),
    BackendField(
        "health_path",
        "healthCheckPath",
        HealthCheckPath(),
        "the same behind the endpoint as you write it: `/health` for `http://192.0.2.20:8000` is at the server's root",
        default="as usual for the type",
    ),
)
FIELDS: tuple[BackendField, ...] = (*_CONNECTION, *_ROUTING, *_LIMITS, *_COSTS, *_MODELS, *_TIMES)
"""In the order of forms and documentation, which is the order of reading too: `models` adds to `aliases` and `prices`."""
STORED: tuple[BackendField, ...] = tuple(field for field in FIELDS if field.stored is not None)
"""What a subentry stores."""
YAML_FIELDS: Mapping[str, BackendField] = {field.yaml: field for field in FIELDS if field.yaml is not None}
"""By the key in a file."""
NAMES: Mapping[str, str] = {name: field.yaml for field in FIELDS for name in field.names if field.yaml is not None}
"""By each name of a key in a file, its first name."""
