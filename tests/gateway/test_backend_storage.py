"""Each setting of a backend passes a file, a subentry and the forms unchanged, and stored data of earlier versions load."""

import json
from typing import Any

import pytest
import voluptuous as vol
import yaml

from custom_components.zeroconf_ai.core.backends.base import Timeouts
from custom_components.zeroconf_ai.core.backends.catalogue import ModelOverride
from custom_components.zeroconf_ai.core.config.backend_config import BackendConfig
from custom_components.zeroconf_ai.core.config.backend_fields import FIELDS, YAML_FIELDS
from custom_components.zeroconf_ai.core.config.backend_types import BACKEND_TYPES
from custom_components.zeroconf_ai.core.config.providers_file import read_config
from custom_components.zeroconf_ai.core.protocol.prices import Prices
from custom_components.zeroconf_ai.core.protocol.record import Capability, Cost
from custom_components.zeroconf_ai.core.routing.policy import ModelAlias
from custom_components.zeroconf_ai.flows.backend import TYPES
from custom_components.zeroconf_ai.flows.backend_lines import read_lines, show_lines
from custom_components.zeroconf_ai.flows.backend_schemas import connection_schema, details_schema, form_keys
from custom_components.zeroconf_ai.flows.provider_schemas import SECTIONS, flatten
from custom_components.zeroconf_ai.gateway.backend_storage import data_of, load_config
from custom_components.zeroconf_ai.gateway.policy import stored_aliases, virtual_models_of
from homeassistant.data_entry_flow import section

from ..support.backend_settings import CASES, provider
from ..support.home_assistant.flow_texts import TEXTS

STORED_CASES = [(key, value) for key, value in CASES if (YAML_FIELDS[key].name, value) != ("enabled", False)]
NANO = 10**9


def read(key: str, value: Any) -> BackendConfig:
    (found,) = read_config(yaml.safe_dump({"providers": [provider(key, value)]}), "p.yaml", {}).upstreams
    return found


def filled_in(schema: vol.Schema, data: dict[str, Any]) -> dict[str, Any]:
    """What the form gives if each of its fields has the stored value."""
    values = {
        str(key): {str(inner): data[inner] for inner in kind.schema.schema if inner in data}
        if isinstance(kind, section)
        else data[key]
        for key, kind in schema.schema.items()
        if isinstance(kind, section) or key in data
    }
    found: dict[str, Any] = schema(values)
    return flatten(found)


@pytest.mark.parametrize(("key", "value"), STORED_CASES)
def test_setting_of_a_file_stored_in_a_subentry_is_unchanged(key: str, value: Any) -> None:
    config = read(key, value)
    data = json.loads(json.dumps(data_of(config)))
    assert load_config(config.id, config.name, data) == config


@pytest.mark.parametrize(("key", "value"), STORED_CASES)
def test_setting_of_a_file_is_shown_and_kept_by_the_form(key: str, value: Any) -> None:
    """The form keeps every setting of a file, with or without a field for it."""
    config = read(key, value)
    data = data_of(config)
    shown = show_lines({**data, "headers": ""})
    connection = filled_in(connection_schema(config.type, data), shown)
    details = read_lines(filled_in(details_schema(config.type, config.name, ()), shown))
    kept = {name: stored for name, stored in data.items() if name not in form_keys(config.type) or name == "headers"}
    saved = {**kept, **{name: stored for name, stored in {**connection, **details}.items() if name not in ("name", "headers")}}
    assert load_config(config.id, config.name, saved) == config


@pytest.mark.parametrize("name", TYPES)
def test_form_every_field_has_a_label_and_a_description(name: str) -> None:
    steps = TEXTS["config_subentries"]["backend"]["step"]
    backend_type = BACKEND_TYPES[name]
    forms = (
        (steps[name], connection_schema(backend_type, {})),
        (steps["reconfigure"], connection_schema(backend_type, {"headers": {}})),
        (steps["details"], details_schema(backend_type, "", ())),
    )
    for step, schema in forms:
        sections = {str(key): kind.schema.schema for key, kind in schema.schema.items() if isinstance(kind, section)}
        for texts, part in ((step, schema.schema), *((step["sections"][name], part) for name, part in sections.items())):
            keys = {str(key) for key in part} - sections.keys()
            assert keys <= texts["data"].keys() & texts["data_description"].keys()
            assert len(keys) <= 8


def test_form_no_field_has_the_name_of_a_section() -> None:
    assert not SECTIONS & {key for backend_type in BACKEND_TYPES.values() for key in form_keys(backend_type)}


def test_subentry_of_the_first_version_is_loaded_unchanged() -> None:
    """The literal data of every key that a version of before the field table stored."""
    data = {
        "type": "vllm",
        "base_url": "http://192.0.2.20:8000/v1",
        "api_key": "sk-canary-0123456789",
        "models": ["a", "b"],
        "cost": "metered",
        "input_price": 1.0,
        "output_price": "2.5",
        "cached_price": 1e-09,
        "reasoning_price": 4,
        "currency": "EUR",
        "prices": {"a": {"input_price": 0.1, "output_price": 0.2}, "b": {"cached_price": 3}},
        "monthly_limit": 12.345678901,
        "aliases": {"gpt-4o": "a"},
        "headers": {"X-Team": "home"},
        "capabilities": ["completion", "tools"],
        "overrides": {"a": {"context_window": 1, "max_output_tokens": 2, "capabilities": ["vision"]}, "b": {}},
        "tags": ["work"],
        "connect_timeout": 2.0,
        "first_token_timeout": 30,
        "between_tokens_timeout": 61.5,
        "answer_timeout": 300,
        "silence_timeout": 1700.0,
        "probe_timeout": 6.0,
        "priority": 7,
        "enabled": False,
        "weight": 3,
        "max_concurrent": 4,
        "queue_length": 5,
        "key_header": "X-Key",
        "verify_ssl": False,
        "context_window": 8192,
        "max_output_tokens": 100,
        "health_path": "//healthz",
        "health_interval": 12.5,
        "is_default": True,
        "power_sensor": "sensor.attic_power",
    }
    assert load_config("attic", "Attic", data) == BackendConfig(
        id="attic",
        name="Attic",
        type=BACKEND_TYPES["vllm"],
        endpoint="http://192.0.2.20:8000/v1",
        key="sk-canary-0123456789",
        priority=7,
        timeouts=Timeouts(2.0, 30.0, 61.5, 300.0, 1700.0, 6.0),
        models=("a", "b"),
        enabled=False,
        weight=3,
        max_concurrent=4,
        queue_length=5,
        cost=Cost.METERED,
        prices={
            "*": Prices(NANO, 2_500_000_000, 1, 4 * NANO, "EUR"),
            "a": Prices(100_000_000, 200_000_000),
        },
        monthly_limit=12_345_678_901,
        aliases={"gpt-4o": "a"},
        headers={"X-Team": "home"},
        key_header="X-Key",
        verify_ssl=False,
        context_window=8192,
        max_output_tokens=100,
        capabilities=frozenset({Capability.COMPLETION, Capability.TOOLS}),
        overrides={"a": ModelOverride(1, 2, frozenset({Capability.VISION})), "b": ModelOverride()},
        tags=frozenset({"work"}),
        health_path="//healthz",
        health_interval=12.5,
        is_default=True,
    )


@pytest.mark.parametrize("name", BACKEND_TYPES)
def test_subentry_of_the_first_version_with_few_keys_has_the_defaults_of_its_type(name: str) -> None:
    declared = BACKEND_TYPES[name]
    plain = BackendConfig("a", "A", declared, "http://192.0.2.20:1", timeouts=declared.timeouts)
    data: dict[str, Any] = {
        "type": name,
        "base_url": "http://192.0.2.20:1",
        "api_key": "",
        "max_concurrent": None,
        "cost": None,
        "models": [],
    }
    assert load_config("a", "A", data) == plain
    assert data_of(plain) == {"type": name, "base_url": "http://192.0.2.20:1"}


def test_subentry_of_an_unknown_type_is_an_error() -> None:
    with pytest.raises(KeyError):
        load_config("a", "A", {"type": "telepathy", "base_url": "http://192.0.2.20:1"})


def test_secrets_of_a_configuration_are_not_in_its_repr() -> None:
    config = load_config(
        "a",
        "A",
        {"type": "vllm", "base_url": "http://192.0.2.20:1", "api_key": "canary-key", "headers": {"X-A": "canary-header"}},
    )
    assert "canary" not in repr(config)
    assert {setting.name for setting in FIELDS if "canary" in str(setting.of(config))} == {"key", "headers"}


def test_aliases_of_a_file_are_stored_and_those_of_earlier_versions_load() -> None:
    text = (
        "backends: [{name: r, type: router-llm, routing_logic: complexity_based, fallback_chain: [a]}, {name: a, type: ollama}]"
    )
    aliases = read_config(text, "p.yaml", {}).policy.virtual_models
    stored = json.loads(json.dumps(stored_aliases(aliases)))
    assert virtual_models_of({"virtual_models": stored}) == aliases
    assert virtual_models_of({"virtual_models": {"old": {"targets": ["a"], "strategy": None}}}) == {"old": ModelAlias(("a",))}
