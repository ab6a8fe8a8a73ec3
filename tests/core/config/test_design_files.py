"""The two files of the design documents as they stand, mixed with our own keys, and other names of keys."""

from typing import Any

import pytest

from zeroconf_ai.accounting.usage.influx import InfluxTarget
from zeroconf_ai.backends.catalogue import ModelOverride
from zeroconf_ai.config.alert_fields import CostAlert, SmtpSettings
from zeroconf_ai.config.backend_config import BackendConfig
from zeroconf_ai.config.document import ConfigError
from zeroconf_ai.config.providers_file import Configuration, read_config
from zeroconf_ai.config.server_fields import LogFormat, ServerSettings
from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.record import Auth, Capability, Cost, Placement
from zeroconf_ai.routing.policy import ModelAlias, Strategy

SECRET = "sk-canary-0123456789"
SERVER = """\
server:
  hostname: "ai-server-1"
  port: 8080
  priority: 100
  auth_mode: token  # none|token|mtls

backends:
  - name: "ollama-local"
    type: ollama
    endpoint: "http://localhost:11434"
    models:
      - llama-2-7b
      - codellama-13b

  - name: "openai-proxy"
    type: openai
    api_key: ${OPENAI_API_KEY}
    models:
      - gpt-4
      - gpt-3.5-turbo
    cost_limit: 50.00  # USD/month

  - name: "router"
    type: router-llm
    routing_logic: "complexity_based"
    fallback_chain: ["ollama-local", "openai-proxy"]

usage_tracking:
  enabled: true
  storage: sqlite  # sqlite|postgres|influxdb
  alerts:
    - type: cost_threshold
      value: 40.00
      notify: admin@home.local
"""
ROUTER = """\
providers:
  - id: gpu
    name: GPU server
    type: local
    endpoint: http://192.0.2.20:8080
    location: local
    gpu: RTX 4090
    priority: 1
    enabled: true
    authType: null
    authSecret: null
    healthCheckInterval: 30000
    healthCheckTimeout: 5000
    healthCheckPath: /health
  - id: openai
    name: OpenAI
    type: openai
    endpoint: https://api.openai.com/v1
    location: cloud
    authType: api_key
    authSecret: ${OPENAI_API_KEY}
    healthCheckPath: /v1/models
  - id: proxy
    type: litellm
    endpoint: http://192.0.2.21:4000/v1
    authType: bearer
    authSecret: secret-of-the-proxy
    healthCheckPath: /ready
models:
  - id: llama-3-8b
    name: Llama 3 8B
    providerId: gpu
    isDefault: true
    contextWindow: 8192
    maxTokens: 4096
    capabilities: {streaming: true, functionCalling: true, vision: false, jsonMode: true}
    tags: [strong, local]
    costPer1kTokens: 0
  - id: qwen-vl
    providerId: gpu
    capabilities: {streaming: true, vision: true, functionCalling: false, jsonMode: false}
    costPer1kTokens: null
  - id: gpt-4o
    providerId: openai
    isDefault: true
    costPer1kTokens: {input: 0.0025, output: 0.01}
"""


def read(text: str, **environment: str) -> Configuration:
    return read_config(text, "p.yaml", {"OPENAI_API_KEY": SECRET, **environment})


def by_id(found: Configuration) -> dict[str, BackendConfig]:
    return {upstream.id: upstream for upstream in found.upstreams}


def test_design_file_of_the_server_is_read_as_it_stands() -> None:
    found = read(SERVER)
    assert found.server == ServerSettings("ai-server-1", None, 8080, 100, Auth.TOKEN)
    local, cloud = found.upstreams
    assert (local.id, local.name, local.endpoint, local.models) == (
        "ollama-local",
        "ollama-local",
        "http://localhost:11434",
        ("llama-2-7b", "codellama-13b"),
    )
    assert (cloud.id, cloud.key, cloud.monthly_limit) == ("openai-proxy", SECRET, 50_000_000_000)
    assert found.policy.virtual_models["router"] == ModelAlias(
        ("ollama-local", "openai-proxy"), Strategy.COMPLEXITY, together=True
    )
    assert (found.usage.enabled, found.usage.database, found.usage.influx) == (True, None, None)
    assert found.usage.alerts == (CostAlert(40_000_000_000, ("admin@home.local",)),)
    (warning,) = found.warnings
    assert warning.startswith("p.yaml:32:5: alerts by mail go through the mail server of this machine.")
    assert SECRET not in repr(found)
    assert read(SERVER, SMTP_HOST="mail.example.net").warnings == ()


def test_design_file_of_the_router_is_read_as_it_stands() -> None:
    found = read(ROUTER)
    gpu, openai, proxy = found.upstreams
    assert (gpu.type.name, gpu.endpoint, gpu.key, gpu.gpu) == ("openai_compatible", "http://192.0.2.20:8080/v1", None, "RTX 4090")
    assert (gpu.health_interval, gpu.timeouts.probe, gpu.health_path) == (30.0, 5.0, "//health")
    assert (gpu.models, gpu.default_model) == (("llama-3-8b", "qwen-vl"), "llama-3-8b")
    can = frozenset({Capability.COMPLETION, Capability.STREAMING, Capability.TOOLS, Capability.JSON})
    assert gpu.overrides == {
        "llama-3-8b": ModelOverride(8192, 4096, can),
        "qwen-vl": ModelOverride(None, None, frozenset({Capability.COMPLETION, Capability.STREAMING, Capability.VISION})),
    }
    assert gpu.prices == {"llama-3-8b": Prices(0, 0)}
    assert gpu.tags == frozenset({"strong", "local"})
    assert (gpu.backend_overrides.cost, gpu.backend_overrides.placement) == (Cost.FREE, Placement.LOCAL)
    assert (openai.key, openai.key_header, openai.health_path) == (SECRET, None, "//v1/models")
    assert openai.prices == {"gpt-4o": Prices(2_500_000_000, 10_000_000_000)}
    assert (proxy.key, proxy.key_header, proxy.health_path) == ("secret-of-the-proxy", None, "/ready")
    assert "auto" not in found.policy.virtual_models or found.policy.virtual_models["auto"] == ModelAlias()
    assert {warning.rpartition(": ")[0] for warning in found.warnings} == {
        "p.yaml:12:26",
        "p.yaml:13:25",
    }


def test_design_file_single_default_model_goes_first_for_auto() -> None:
    found = read(ROUTER.replace("providerId: openai\n    isDefault: true", "providerId: openai"))
    assert found.policy.virtual_models["auto"] == ModelAlias(("gpu/llama-3-8b", "auto"))
    assert "gpu/llama-3-8b" not in found.policy.virtual_models
    ruled = read(ROUTER.replace("providerId: openai\n    isDefault: true", "providerId: openai") + "routing: {strategy: cost}\n")
    assert ruled.policy.virtual_models["auto"] == ModelAlias()


def test_design_files_are_mixed_with_each_other_and_our_keys() -> None:
    text = """
providers:
  attic: {type: ollama, maxConcurrent: 2, api_key: one}
backends:
  - {name: "Büro GPU (2)", type: vllm, base_url: "http://192.0.2.20:8000", max_concurrent: 3, timeouts: {connect: 2}}
  - {name: smart, type: router-llm, fallback_chain: [house, attic/qwen3, "Büro GPU (2)"]}
models:
  house: [attic/qwen3]
  qwen3: {providerId: attic, contextWindow: 4096}
routing: {strategy: local_first}
limits: {perAddress: {requestsPerMinute: 5}}
server: {name: House, host: 127.0.0.1, authMode: none, admin: admin@example.net, advertise: no, providerInChunks: yes,
  drainSeconds: 0, healthPort: 9100, health_host: "::1",
  logFormat: json, log_level: info, accessLog: no, tls: yes, tlsCertificate: /c.pem, tls_key: /k.pem}
usageTracking: {enabled: false}
"""
    found = read(text)
    attic, office = found.upstreams
    assert (attic.id, attic.max_concurrent, attic.key, attic.models) == ("attic", 2, "one", ("qwen3",))
    assert (office.id, office.name, office.max_concurrent, office.timeouts.connect) == ("B-ro-GPU-2", "Büro GPU (2)", 3, 2.0)
    assert found.policy.virtual_models["house"] == ModelAlias(("attic/qwen3",))
    assert found.policy.virtual_models["smart"] == ModelAlias(("house", "attic/qwen3", "Büro GPU (2)"))
    assert found.policy.strategy is Strategy.LOCAL_FIRST
    assert found.server == ServerSettings(
        "House",
        "127.0.0.1",
        auth=Auth.NONE,
        admin="admin@example.net",
        advertise=False,
        provider_in_chunks=True,
        drain_seconds=0,
        health_host="::1",
        health_port=9100,
        log_format=LogFormat.JSON,
        log_level="info",
        access_log=False,
        tls=True,
        tls_certificate="/c.pem",
        tls_key="/k.pem",
    )
    assert found.usage.enabled is False
    assert [warning.partition(": ")[2][:30] for warning in found.warnings] == ["an entry of fallback_chain is "]


@pytest.mark.parametrize("kind", ["local", "custom", "llama.cpp", "lm-studio", "google", "localai"])
def test_design_file_type_synonym_is_a_type(kind: str) -> None:
    (found,) = read(f"providers: [{{id: a, type: {kind}, endpoint: 'http://192.0.2.20:1', authSecret: x}}]").upstreams
    assert found.type.name in {"openai_compatible", "llamacpp", "lmstudio", "gemini"}


@pytest.mark.parametrize(
    ("name", "value", "attribute", "expected"),
    [
        ("PRIORITY", "7", "priority", 7),
        ("NAME", "42", "name", "42"),
        ("MAX_CONCURRENT", "3", "max_concurrent", 3),
        ("HEALTH_CHECK_INTERVAL", "15000", "health_interval", 15.0),
        ("HEALTH_PATH", "//ready", "health_path", "//ready"),
        ("AUTH_SECRET", SECRET, "key", SECRET),
        ("COST_LIMIT", "5", "monthly_limit", 5_000_000_000),
        ("TIMEOUTS_CONNECT", "2", "timeouts.connect", 2.0),
        ("MODELS", "a, b", "models", ("a", "b")),
        ("TAGS", "strong", "tags", frozenset({"strong"})),
        ("LOCATION", "cloud", "location", "cloud"),
        ("COST_PER_1K_TOKENS", "0.001", "prices", {"*": Prices(1_000_000_000, 1_000_000_000)}),
    ],
)
def test_design_file_variable_overrides_a_setting(name: str, value: str, attribute: str, expected: Any) -> None:
    text = "providers: [{id: a-b, type: vllm, priority: 1, tags: [x], costPer1kTokens: 1}]"
    (found,) = read(text, **{f"PROVIDER_A_B_{name}": value}).upstreams
    for part in attribute.split("."):
        found = getattr(found, part)
    assert found == expected


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("backends: [{name: a}]", "p.yaml:1:12: a provider needs `type:`."),
        ("backends: [{name: '!', type: ollama}]", "p.yaml:1:19: a provider needs `id:`, or a name with letters or digits."),
        ("backends: [{type: router-llm}]", "p.yaml:1:12: a backend of type router-llm needs `name:`"),
        ("backends: [{name: r, type: router-llm, routing_logic: magic}]", "p.yaml:1:55: this routing logic is not known."),
        ("backends: [{name: r, type: router-llm, fallback_chain: [r]}]", "p.yaml:1:57: a router cannot contain itself;"),
        ("backends: [{name: r, type: router-llm, endpoint: x}]", "p.yaml:1:40: The key endpoint is unknown."),
        ("backends: [{name: a, type: ollama, api_key: x, authSecret: y}]", "p.yaml:1:60: authSecret and api_key mean"),
        ("backends: [{name: a, type: vllm, healthCheckInterval: 0.1}]", "p.yaml:1:55: healthCheckInterval must be a time from"),
        ("backends: [{name: a, type: vllm, healthCheckInterval: soon}]", "p.yaml:1:55: healthCheckInterval must be a number"),
        ("server: {auth_mode: tokn}", "p.yaml:1:21: auth_mode must be none, token or mtls. Did you mean token?"),
        ("server: {prot: 1}", "p.yaml:1:10: The key prot is unknown. Did you mean port?"),
        ("server: {port: 0}", "p.yaml:1:16: port must be a whole number from 1 to 65535."),
        ("usage_tracking: {storage: mysql}", "p.yaml:1:27: this storage is not known."),
        ("usage_tracking: {storage: postgres}", "p.yaml:1:27: storage postgres needs `url: postgresql://"),
        ("usage_tracking: {storage: influxdb}", "p.yaml:1:17: storage influxdb needs `influxdb: {url: …}`"),
        ("usage_tracking: {alerts: [{type: costs, value: 1}]}", "p.yaml:1:34: this type of alert is not known."),
        (
            "usage_tracking: {alerts: [{type: cost_threshold, value: 1, notify: [a@b, me]}]}",
            "p.yaml:1:74: notify must be a mail address, the URL of a webhook, or ntfy:TOPIC.",
        ),
        (
            "usage_tracking: {alerts: [{type: cost_threshold, value: 1, notify: ['http://[']}]}",
            "p.yaml:1:69: notify must be a mail address, the URL of a webhook, or ntfy:TOPIC.",
        ),
        ("backends: [{name: a, type: vllm, endpoint: 'http://['}]", "p.yaml:1:44: endpoint must be a URL such as"),
        ("usage_tracking: {storage: postgres, url: 'http://['}", "p.yaml:1:27: storage postgres needs `url: postgresql://"),
        (
            "usage_tracking: {storage: influxdb, influxdb: {url: 'http://[', bucket: b}}",
            "p.yaml:1:53: the URL of InfluxDB must be one such as http://192.0.2.30:8086.",
        ),
        ("usage_tracking: {smtp: {security: ssl}}", "p.yaml:1:35: this security is not known. Known: starttls, tls, none."),
        ("usage_tracking: {alerts: [{type: cost_threshold}]}", "p.yaml:1:27: an alert needs `value:`."),
        ("providers: [{id: a, type: vllm}]\nmodels: [{id: m, providerId: b}]", "p.yaml:2:30: this file has no such provider."),
        ("providers: [{id: a, type: vllm}]\nmodels: [{providerId: a}]", "p.yaml:2:10: a model needs `id:`."),
        ("providers: [{id: a, type: vllm}]\nmodels: [m]", "p.yaml:2:10: a model of this list needs `id:` and `providerId:`."),
        (
            "providers: [{id: a, type: vllm}]\nmodels: [{id: m, isDefault: yes}, {id: n, providerId: a, isDefault: yes}]",
            "p.yaml:2:69: m is already the default model of this provider.",
        ),
    ],
)
def test_design_file_error_has_position_and_solution(text: str, error: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(text)
    assert str(raised.value).startswith(error)


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("{id: a, type: vllm, contextWindow: 8}", "contextWindow is 8, which is unusual (usual: 512 to 1e+07). Check it."),
        ("{id: a, type: vllm, health: {interval: 1}}", "interval is 1, which is unusual (usual: 5 to 600). Check it."),
        ("{id: a, type: vllm, costPer1kTokens: 15}", "costPer1kTokens is 15 for a thousand tokens, which is unusual."),
        ("{id: a, type: vllm, contextWindow: 1000, maxTokens: 2000}", "maxTokens 2000 of a is more than contextWindow 1000."),
        ("{id: a, type: ollama, healthCheckPath: /health}", "a provider of type ollama is asked for its health in its own way;"),
    ],
)
def test_design_file_unusual_value_is_a_warning_with_its_position(text: str, warning: str) -> None:
    (said,) = read(f"providers:\n  - {text}\n").warnings
    assert said.startswith("p.yaml:2:")
    assert warning in said


def test_design_file_storage_names_the_database_or_influxdb() -> None:
    url = "postgresql://house:pass@192.0.2.9/ai"
    assert read("usage_tracking: {storage: postgres}\nserver: {}", ZEROCONF_AI_DATABASE=url).usage.database == url
    assert read("usage_tracking: {storage: postgres, url: '${DB}'}", DB=url).usage.database == url
    text = "usage_tracking: {storage: influxdb, influxdb: {url: 'http://192.0.2.30:8086/', bucket: ai, org: home}}"
    found = read(text, INFLUXDB_TOKEN=SECRET)
    assert found.usage.influx == InfluxTarget("http://192.0.2.30:8086", "ai", "home", SECRET)
    assert found.usage.database is None
    assert SECRET not in repr(found)


def test_design_file_mail_server_is_read_with_its_usual_port() -> None:
    text = "usage_tracking: {smtp: {host: mail.example.net, user: me, password: '${MAIL}', sender: ai@example.net}}"
    found = read(text, MAIL=SECRET).usage.smtp
    assert found == SmtpSettings("mail.example.net", 587, "starttls", "me", SECRET, "ai@example.net")
    assert SECRET not in repr(found)
    assert read("usage_tracking: {smtp: {security: tls, port: 4650}}").usage.smtp == SmtpSettings(port=4650, security="tls")


def test_design_file_host_name_that_is_an_address_is_listened_on() -> None:
    assert read("server: {hostname: 127.0.0.1}").server == ServerSettings(host="127.0.0.1")


def test_design_file_all_models_of_a_provider_disabled_leaves_it_out() -> None:
    found = read("providers: [{id: a, type: vllm}, {id: b, type: ollama}]\nmodels: [{id: m, providerId: a, enabled: false}]")
    assert list(by_id(found)) == ["b"]
    assert "all models of a are disabled" in found.warnings[0]
