"""`providers:` in YAML, the quick form, and the environment's last word."""

import traceback

import pytest

from zeroconf_ai.accounting.admission import RateLimits
from zeroconf_ai.backends.base import Timeouts
from zeroconf_ai.backends.catalogue import ModelOverride
from zeroconf_ai.config.backend_config import BackendConfig
from zeroconf_ai.config.backend_types import BACKEND_TYPES
from zeroconf_ai.config.document import ConfigError
from zeroconf_ai.config.providers_file import quick_config, read_config
from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.record import Capability, Cost
from zeroconf_ai.routing.policy import DEFAULT_VIRTUAL_MODELS, ModelAlias, Policy, Strategy

SECRET = "sk-canary-0123456789"
ATTIC = "providers:\n  - id: attic\n    type: ollama\n"


def read(text: str, **environment: str) -> tuple[BackendConfig, ...]:
    return read_config(text, "p.yaml", environment).upstreams


def test_providers_file_complete_provider_is_parsed() -> None:
    text = f"""
providers:
  - id: gpu
    name: Büro GPU
    type: vllm
    endpoint: http://192.0.2.20:8001/
    priority: 10
    enabled: yes
    timeouts: {{connect: 2, firstToken: 90.5}}
    authSecret: {SECRET}
    models: [qwen3-32b, "7"]
  - {{id: cloud, type: anthropic, authSecret: "${{CLAUDE}}"}}
"""
    gpu, cloud = read(text, CLAUDE=SECRET)
    assert gpu == BackendConfig(
        "gpu",
        "Büro GPU",
        BACKEND_TYPES["vllm"],
        "http://192.0.2.20:8001/v1",
        SECRET,
        10,
        Timeouts(connect=2.0, first_token=90.5),
        ("qwen3-32b", "7"),
    )
    assert (cloud.name, cloud.endpoint, cloud.key) == ("Anthropic", "https://api.anthropic.com/v1", SECRET)
    assert SECRET not in repr((gpu, cloud))


def test_providers_file_all_settings_are_parsed() -> None:
    text = f"""
providers:
  - id: gpu
    type: vllm
    endpoint: http://192.0.2.20:8001
    weight: 3
    maxConcurrent: 4
    queueLength: 0
    health: {{path: //ready, interval: 10, timeout: 2.5}}
    timeouts: {{firstToken: 90}}
    headers: {{X-Team: house, X-Access: "${{ACCESS}}"}}
    verifySsl: false
    authType: header X-Auth-Token
    authSecret: {SECRET}
    contextWindow: 32768
    maxTokens: 4096
    capabilities: [completion, tools]
    isDefault: true
    costPer1kTokens: 0.002
    prices: {{strong: {{input: 3, output: 15}}}}
    cost: subscription
    monthlyLimit: 12.5
    tags: [gpu, garage]
    models:
      - strong
      - {{id: small, alias: fast-one, contextWindow: 8192, maxTokens: 512, capabilities: [completion],
          prices: {{input: 0.1, output: 0.2, cached: 0.01, reasoning: 0.3, cacheWrite: 0.12, cacheWrite1h: 0.16, currency: eur}}}}
    aliases: {{house: strong}}
"""
    (gpu,) = read(text, ACCESS="s3cr3t-access")
    every = Prices(2_000_000_000, 2_000_000_000)
    small = Prices(100_000_000, 200_000_000, 10_000_000, 300_000_000, "EUR", cache_write=120_000_000, cache_write_1h=160_000_000)
    assert gpu == BackendConfig(
        "gpu",
        "vLLM",
        BACKEND_TYPES["vllm"],
        "http://192.0.2.20:8001/v1",
        SECRET,
        timeouts=Timeouts(first_token=90.0, probe=2.5),
        models=("strong", "small"),
        weight=3,
        max_concurrent=4,
        queue_length=0,
        cost=Cost.SUBSCRIPTION,
        prices={"*": every, "strong": Prices(3_000_000_000, 15_000_000_000), "small": small},
        monthly_limit=12_500_000_000,
        aliases={"house": "strong", "fast-one": "small"},
        headers={"X-Team": "house", "X-Access": "s3cr3t-access"},
        key_header="X-Auth-Token",
        verify_ssl=False,
        context_window=32768,
        max_output_tokens=4096,
        capabilities=frozenset({Capability.COMPLETION, Capability.TOOLS}),
        overrides={"small": ModelOverride(8192, 512, frozenset({Capability.COMPLETION}))},
        tags=frozenset({"gpu", "garage"}),
        health_path="//ready",
        health_interval=10.0,
        is_default=True,
    )
    assert SECRET not in repr(gpu)
    assert "s3cr3t" not in repr(gpu)
    assert gpu.terms.prices["fast-one"] == small
    assert gpu.terms.prices["house"] == gpu.prices["strong"]
    assert (gpu.terms.max_concurrent, gpu.terms.queue_length, gpu.terms.check_every) == (4, 0, 10.0)
    assert gpu.backend_overrides.priority == 0


def test_providers_file_prices_imply_metered_by_default() -> None:
    priced = ATTIC + "    costPer1kTokens: 0.1\n"
    assert read(priced)[0].backend_overrides.cost is Cost.METERED
    assert read(priced + "    cost: free\n")[0].backend_overrides.cost is Cost.FREE
    assert read(ATTIC + "    costPer1kTokens: 0\n")[0].backend_overrides.cost is None
    assert read(ATTIC)[0].backend_overrides.cost is None


@pytest.mark.parametrize(
    ("kind", "auth", "header"),
    [
        ("openai", "bearer", None),
        ("openai", "x-api-key", "x-api-key"),
        ("openai", "header X-Token", "X-Token"),
        ("anthropic", "x-api-key", None),
        ("anthropic", "bearer", "Authorization"),
        ("gemini", "bearer", "Authorization"),
        ("gemini", "header x-goog-api-key", None),
    ],
)
def test_providers_file_auth_type_sets_the_header(kind: str, auth: str, header: str | None) -> None:
    text = ATTIC.replace("ollama", kind) + f"    authType: {auth}\n    authSecret: {SECRET}\n"
    (found,) = read(text)
    assert (found.key, found.key_header) == (SECRET, header)


def test_providers_file_auth_type_none_sends_no_key() -> None:
    (found,) = read(ATTIC.replace("ollama", "openai") + "    authType: none\n", PROVIDER_ATTIC_API_KEY=SECRET)
    assert found.key is None


def test_providers_file_routing_is_parsed() -> None:
    text = (
        ATTIC
        + "models:\n  house: [attic/qwen3, gpt-4.1]\n  one: qwen3\n  fast: {strategy: least_busy}\n"
        + "  auto: {targets: [house], strategy: cost}\n"
        + "routing: {strategy: local_first, cloudFallback: no, retryMeteredTimeouts: yes}\n"
    )
    policy = read_config(text, "p.yaml", {}).policy
    assert (policy.strategy, policy.cloud_fallback, policy.retry_metered_timeouts) == (Strategy.LOCAL_FIRST, False, True)
    assert policy.virtual_models == {
        **DEFAULT_VIRTUAL_MODELS,
        "house": ModelAlias(("attic/qwen3", "gpt-4.1")),
        "one": ModelAlias(("qwen3",)),
        "fast": ModelAlias(strategy=Strategy.LEAST_BUSY),
        "auto": ModelAlias(("house",), Strategy.COST),
    }
    assert read_config(ATTIC, "p.yaml", {}).policy == Policy()
    assert read_config(ATTIC + "routing: {homeOnly: yes}\n", "p.yaml", {}).policy == Policy(home_only=True)


def test_backend_types_have_placement_and_timeouts() -> None:
    for kind in BACKEND_TYPES.values():
        url = "http://192.0.2.20:1" if kind.endpoint is None else None
        (found,) = quick_config([f"{kind.name}={url}" if url else kind.name], {f"PROVIDER_{kind.name.upper()}_API_KEY": "k"})
        assert found.endpoint == (kind.endpoint or f"{url}/v1")
        assert found.timeouts == kind.timeouts


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "p.yaml:1:1: the file is empty; it needs a list of `providers:`."),
        ("- a\n", "p.yaml:1:1: the file must be keys with values, and is a list."),
        ("provider:\n", "p.yaml:1:1: The key provider is unknown. Did you mean providers?"),
        ("providers:\n", "p.yaml:1:11: providers must be a list, and is a single value."),
        ("{}\n", "p.yaml:1:1: the file must contain a list of `providers:`."),
        ("providers: [{id: a}]\n", "p.yaml:1:13: a provider needs `type:`."),
        ("providers:\n  - type: ollama\n", "p.yaml:2:5: a provider needs `id:`."),
        ("providers:\n  - ollama\n", "p.yaml:2:5: a provider must be keys with values, and is a single value."),
        (ATTIC + "    endpiont: http://a\n", "p.yaml:4:5: The key endpiont is unknown. Did you mean endpoint?"),
        (ATTIC + "    timeout: {}\n", "p.yaml:4:5: The key timeout is unknown. Did you mean timeouts?"),
        (
            ATTIC + "    timeouts: {first_token: 3}\n",
            "p.yaml:4:16: The key first_token is unknown. Did you mean firstToken?",
        ),
        (ATTIC + "    timeouts: {connect: 0}\n", "p.yaml:4:25: connect must be a number from 0.1 to 3600."),
        (ATTIC + "    timeouts: {connect: 1:30}\n", "p.yaml:4:25: connect must be a number from 0.1 to 3600."),
        (ATTIC + "    type: vllm\n", "p.yaml:4:5: type is set twice; keep one of them."),
        (ATTIC + "    priority: 70000\n", "p.yaml:4:15: priority must be a whole number from 0 to 65535."),
        (ATTIC + "    priority: high\n", "p.yaml:4:15: priority must be a whole number from 0 to 65535."),
        (ATTIC + "    enabled: maybe\n", "p.yaml:4:14: enabled must be true or false."),
        (ATTIC + "    name: 5\n", "p.yaml:4:11: name must be a text, and YAML reads a number here; put it in quotes."),
        (ATTIC + "    name:\n", "p.yaml:4:10: name is empty; give it a value, or delete the line."),
        (
            ATTIC + "    models: []\n",
            "p.yaml:4:13: models is empty; list those that may be used, or ",
        ),
        (
            ATTIC + "    models: [a, 3.5]\n",
            "p.yaml:4:17: an entry of models must be a text, and YAML reads a number here; put it in quotes.",
        ),
        (ATTIC + "    endpoint: 192.0.2.20\n", "p.yaml:4:15: endpoint must be a URL such as http://192.0.2.20:8000/v1."),
        (ATTIC + "    endpoint: http://a:99999\n", "p.yaml:4:15: endpoint must be a URL such as http://192.0.2.20:8000/v1."),
        (
            ATTIC + f"    endpoint: http://me:{SECRET}@a\n",
            "p.yaml:4:15: endpoint must not contain a user name or password. Set the API key in authSecret.",
        ),
        (ATTIC + f"    endpoint: http://a?key={SECRET}\n", "p.yaml:4:15: endpoint must end with its path, without ? or #."),
        (
            ATTIC + "    authSecret: ${NOT_SET}\n",
            "p.yaml:4:17: the variable NOT_SET is not set. Set it, or PROVIDER_ATTIC_",
        ),
        (
            ATTIC + f'    authSecret: "{SECRET}\\n{SECRET}"\n',
            "p.yaml:4:17: the API key contains a line break or a ",
        ),
        (ATTIC + f"    {SECRET}: 1\n", "p.yaml:4:5: This key is unknown. Known: "),
        (ATTIC + "  - id: attic\n    type: vllm\n", "p.yaml:4:9: the id attic is used twice; each provider needs its own."),
        (
            ATTIC.replace("attic", "at-tic") + "  - id: AT_TIC\n    type: vllm\n",
            "p.yaml:4:9: the id AT_TIC is too similar to at-tic: their environment variables would have the same names.",
        ),
        (ATTIC.replace("attic", "lan:x"), "p.yaml:2:9: id must be 1 to 64 letters, digits, "),
        (ATTIC.replace("ollama", "olama"), "p.yaml:3:11: unknown type. Did you mean ollama?"),
        (ATTIC.replace("ollama", SECRET), "p.yaml:3:11: unknown type. Known: ollama, openai, "),
        (ATTIC.replace("ollama", "openai"), "p.yaml:2:5: a provider of type openai requires an API key: set authSecret, or "),
        (ATTIC.replace("ollama", "litellm"), "p.yaml:2:5: a provider of type litellm needs an endpoint, such as "),
        (ATTIC + "    weight: 0\n", "p.yaml:4:13: weight must be a whole number from 1 to 1000."),
        (ATTIC + "    maxConcurrent: 0\n", "p.yaml:4:20: maxConcurrent must be a whole number from 1 to 100000."),
        (ATTIC + "    health: {path: /x}\n", "p.yaml:4:20: a provider of type ollama is asked for its health in its own way;"),
        (ATTIC + "    health: {path: x}\n", "p.yaml:4:20: path must begin with / (behind the endpoint) or // (at the "),
        (ATTIC + "    health: {interval: 0}\n", "p.yaml:4:24: interval must be a number from 1 to 3600."),
        (
            ATTIC + "    health: {timeout: 3}\n    timeouts: {probe: 4}\n",
            "p.yaml:4:23: health.timeout and timeouts.probe mean the same;",
        ),
        (ATTIC + f"    headers: {{Host: {SECRET}}}\n", "p.yaml:4:15: Host is set by this program; delete it."),
        (ATTIC + "    headers: {Transfer-Encoding: x}\n", "p.yaml:4:15: Transfer-Encoding is set by this program; delete it."),
        (ATTIC + f"    headers: {{'{SECRET} x': y}}\n", "p.yaml:4:15: the name of a header must be letters, digits and "),
        (ATTIC + f'    headers: {{X-A: "{SECRET}\\r\\nX-B: c"}}\n', "p.yaml:4:20: a header's value must be 1 to 4096 printable"),
        (ATTIC + "    headers: {X-A: a, x-a: b}\n", "p.yaml:4:23: this header is set twice; keep one of them."),
        (ATTIC + "    headers: {X-A: '${NOT_SET}'}\n", "p.yaml:4:20: the variable NOT_SET is not set. Set it"),
        (ATTIC + "    headers: {X-A: 5}\n", "p.yaml:4:20: a header must be a text, and YAML reads a number here;"),
        (ATTIC + f"    authType: {SECRET}\n", "p.yaml:4:15: authType must be none, bearer, api_key, x-api-key, or header with "),
        (ATTIC + "    authType: header Host\n", "p.yaml:4:15: Host is set by this program; delete it."),
        (ATTIC + f"    authType: none\n    authSecret: {SECRET}\n", "p.yaml:5:17: authType is none: delete authSecret, or "),
        (ATTIC + "    capabilities: [chatting]\n", "p.yaml:4:20: this capability is not known. Did you mean chat?"),
        (ATTIC + "    capabilities: []\n", "p.yaml:4:19: capabilities is empty; list what its models can do, "),
        (ATTIC + "    cost: meterd\n", "p.yaml:4:11: this kind of cost is not known. Did you mean metered?"),
        (ATTIC + "    monthlyLimit: -1\n", "p.yaml:4:19: monthlyLimit must be a number from 0 to 999999."),
        (ATTIC + "    prices: {a: {input: 1}}\n", "p.yaml:4:17: prices need `output:`, the money for a million tokens."),
        (ATTIC + "    prices: {a: {input: 1, output: 1, currency: euros}}\n", "p.yaml:4:49: currency must be three letters,"),
        (
            ATTIC + "    costPer1kTokens: 1\n    prices: {'*': {input: 1, output: 1}}\n",
            "p.yaml:4:22: costPer1kTokens is a price for all models, and so is * in prices; keep one.",
        ),
        (ATTIC + "    models: [{alias: a}]\n", "p.yaml:4:14: a model needs `id:`."),
        (ATTIC + "    models: [{id: a, alias: x}, {id: b, alias: x}]\n", "p.yaml:4:48: this alias stands for another model"),
        (ATTIC + "    models: [{id: a, cost: 1}]\n", "p.yaml:4:22: The key cost is unknown. "),
        (ATTIC + "    aliases: {a: b, a: c}\n", "p.yaml:4:21: a is set twice; keep one of them."),
        (ATTIC + "    aliases: [a]\n", "p.yaml:4:14: aliases must be keys with values, and is a list."),
        (ATTIC + "    isDefault: yes\n  - {id: b, type: vllm, isDefault: yes}\n", "p.yaml:5:36: attic is already the default;"),
        (ATTIC + "models: {a: []}\n", "p.yaml:4:13: a virtual model is empty; name the models that it stands for, the "),
        (ATTIC + "models: {a: {}}\n", "p.yaml:4:13: a virtual model needs `targets:`, `strategy:`, or both."),
        (ATTIC + "models: {a: {strategy: fastest}}\n", "p.yaml:4:24: this strategy is not known. "),
        (ATTIC + "routing: {strategy: prio}\n", "p.yaml:4:21: this strategy is not known. Did you mean priority?"),
        (ATTIC + "routing: {cloudfallback: no}\n", "p.yaml:4:11: The key cloudfallback is unknown. Did you mean cloudF"),
        ("models: {}\n", "p.yaml:1:1: the file must contain a list of `providers:`."),
        ("providers:\n  - id: a\n   type: b\n", "p.yaml:3:4: no valid YAML: "),
        (ATTIC + f"    authSecret: *{SECRET}\n", "p.yaml:4:17: no valid YAML: an unquoted * or & refers to another value"),
        (ATTIC + f"    authSecret: '{SECRET}\n", "p.yaml:5:1: no valid YAML: "),
        ("providers:\n\tx: 1\n", "p.yaml:2:1: no valid YAML: found character '\\t' that cannot start any token."),
        ("[" * 5000, "p.yaml:1:65: no valid YAML: nested deeper than 64 levels."),
        ("providers: &a [*a]\n", "p.yaml:1:12: a provider must be keys with values, and is a list."),
        ("providers:\n  - \x00\n", "p.yaml:2:5: a character that YAML does not allow; delete it."),
    ],
)
def test_providers_file_error_has_position_and_solution(text: str, error: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(text)
    said = str(raised.value)
    assert said.startswith(error)
    assert said.endswith((".", "?"))
    assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_providers_file_environment_overrides_settings() -> None:
    text = ATTIC.replace("attic", "at-tic.2") + "    endpoint: http://192.0.2.20\n    authSecret: ${NOT_SET}\n"
    prefix = "PROVIDER_AT_TIC_2_"
    environment = {f"{prefix}ENDPOINT": "https://198.51.100.1:11434/", f"{prefix}API_KEY": SECRET}
    (found,) = read(text, **environment)
    assert (found.endpoint, found.key) == ("https://198.51.100.1:11434", SECRET)
    assert read(text, **environment, **{f"{prefix}ENABLED": "off"}) == ()
    off = text + "    enabled: false\n"
    assert read(off) == ()
    assert read(off, **environment, **{f"{prefix}ENABLED": "TRUE"}) == (found,)


@pytest.mark.parametrize(
    ("variable", "value", "error"),
    [
        ("ENABLED", "perhaps", "PROVIDER_ATTIC_ENABLED in the environment must be true or false."),
        ("ENDPOINT", SECRET, "the environment: PROVIDER_ATTIC_ENDPOINT must be a URL such as http://192.0.2.20:8000/v1."),
    ],
)
def test_providers_file_invalid_variable_is_named(variable: str, value: str, error: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(ATTIC, **{f"PROVIDER_ATTIC_{variable}": value})
    assert str(raised.value) == error


def test_upstream_option_repeated_type_is_numbered() -> None:
    texts = ["ollama", "vllm=http://localhost:8001", "ollama=http://192.0.2.20:11434"]
    found = quick_config(texts, {"PROVIDER_OLLAMA_2_API_KEY": SECRET})
    assert [(one.id, one.name, one.endpoint, one.key) for one in found] == [
        ("ollama", "Ollama", "http://localhost:11434", None),
        ("vllm", "vLLM", "http://localhost:8001/v1", None),
        ("ollama-2", "Ollama 2", "http://192.0.2.20:11434", SECRET),
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("olama", "--upstream: unknown type. Did you mean ollama?"),
        (
            "openai",
            "--upstream openai: a provider of type openai requires an API key: set OPENAI_API_KEY or PROVIDER_OPENAI_API_KEY.",
        ),
        (
            "openai=https://proxy.example/v1",
            "--upstream openai: a provider of type openai requires an API key: set PROVIDER_OPENAI_API_KEY.",
        ),
        ("vllm=localhost", "--upstream vllm: the URL must be a URL such as http://192.0.2.20:8000/v1."),
    ],
)
def test_upstream_option_invalid_is_reported(text: str, error: str) -> None:
    with pytest.raises(ConfigError) as raised:
        quick_config([text], {})
    assert str(raised.value) == error


@pytest.mark.parametrize("word", ["openai", "openrouter", "anthropic", "gemini"])
def test_upstream_option_of_a_cloud_uses_the_sdks_key_at_its_address_only(word: str) -> None:
    environment = {f"{word.upper()}_API_KEY": SECRET}
    assert [found.key for found in quick_config([word], environment)] == [SECRET]
    (first,) = quick_config([word], {**environment, f"PROVIDER_{word.upper()}_API_KEY": "first"})
    assert first.key == "first"
    for texts, more in (([f"{word}=https://proxy.example/v1"], {}), ([word], {"ENDPOINT": "https://proxy.example/v1"})):
        with pytest.raises(ConfigError, match=f"requires an API key: set PROVIDER_{word.upper()}_API_KEY"):
            quick_config(texts, {**environment, **{f"PROVIDER_{word.upper()}_{name}": value for name, value in more.items()}})
    assert [found.key for found in quick_config(["ollama"], {"OLLAMA_API_KEY": SECRET})] == [None]


def test_providers_file_ids_of_the_command_line_are_reserved() -> None:
    with pytest.raises(ConfigError, match=r"p\.yaml:2:9: the id ollama is used twice"):
        read_config(ATTIC.replace("attic", "ollama"), "p.yaml", {}, ["ollama"])


def test_providers_file_limits_are_parsed() -> None:
    said = "limits:\n  perAddress: {requestsPerMinute: 5, parallel: 2}\n  perUser: {tokensPerMinute: 9}\n"
    read = read_config(f"{ATTIC}\n{said}", "p.yaml", {})
    assert (read.per_address, read.per_user) == (RateLimits(5, None, 2), RateLimits(None, 9))
    bare = read_config(ATTIC, "p.yaml", {})
    assert (bare.per_address, bare.per_user) == (None, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{perAddress: {}}", "perAddress needs `requestsPerMinute:`"),
        ("{perUser: {parallel: 1}}", "parallel is unknown"),
        ("{perUser: {requestsPerMinute: 0}}", "requestsPerMinute must be a whole number from 1"),
        ("{perKey: {requestsPerMinute: 1}}", "perKey is unknown"),
    ],
)
def test_providers_file_invalid_limits_are_reported(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_config(f"{ATTIC}\nlimits: {text}\n", "p.yaml", {})


def test_connect_section_is_read() -> None:
    text = (
        ATTIC
        + """
connect:
  models: [qwen*, llama3.2]
  parallel: 2
  requestsPerMinute: 30
  tokensPerMinute: 100000
  hours: [08:00-12:00, 18:00-24:00]
  notify: ["ntfy:gpu-room", "admin@example.net", "https://hooks.example.net/1"]
"""
    )
    rules = read_config(text, "p.yaml", {}).connector
    assert rules.models == ("qwen*", "llama3.2")
    assert rules.rates == RateLimits(30, 100_000, 2)
    assert str(rules.hours) == "08:00-12:00, 18:00-24:00"
    assert rules.notify == ("ntfy:gpu-room", "admin@example.net", "https://hooks.example.net/1")
    assert read_config("connect: {hours: 22:00-06:00, models: qwen*}", "p.yaml", {}).connector.models == ("qwen*",)
    assert not read_config(ATTIC, "p.yaml", {}).connector.rates


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("hours: all day", "write hours as 08:00-22:00"),
        ("hours: 800", "put it in quotes"),
        ("parallel: 0", "from 1 to"),
        ("tokensPerMinute: many", "number"),
        ("notify: nobody", "notify must be"),
        ("model: qwen", "Did you mean models?"),
    ],
)
def test_connect_section_with_an_invalid_value_names_its_place(line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=r"p\.yaml:4:\d+: ") as caught:
        read_config(f"{ATTIC}connect: {{{line}}}", "p.yaml", {})
    assert message in str(caught.value)
