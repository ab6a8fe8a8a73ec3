"""Each setting in the field table is read from a file, documented, and an attribute of a backend's configuration."""

from dataclasses import fields
from typing import Any

import field_tables
import pytest
import yaml

from zeroconf_ai.backends.base import Timeouts
from zeroconf_ai.config.backend_config import BackendConfig
from zeroconf_ai.config.backend_fields import FIELDS, STORED, YAML_FIELDS
from zeroconf_ai.config.backend_types import BACKEND_TYPES
from zeroconf_ai.config.providers_file import read_config

from ...support.backend_settings import CASES, EXAMPLES, NEEDED, provider


def read(fields: dict[str, Any]) -> BackendConfig | None:
    """The provider that a file with these fields has; None for a disabled one."""
    return next(iter(read_config(yaml.safe_dump({"providers": [fields]}), "p.yaml", {}).upstreams), None)


def test_field_table_every_attribute_of_a_configuration_is_a_setting() -> None:
    timeouts = {f"timeouts.{item.name}" for item in fields(Timeouts)}
    assert {setting.name for setting in FIELDS} == {item.name for item in fields(BackendConfig)} - {"timeouts"} | timeouts


def test_field_table_every_key_of_a_file_is_tested() -> None:
    assert EXAMPLES.keys() == YAML_FIELDS.keys()


def test_field_table_no_two_settings_are_stored_under_one_key() -> None:
    keys = [key for setting in STORED for key in setting.stored_keys]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(("key", "value"), CASES)
def test_field_table_value_in_a_file_changes_its_setting_alone(key: str, value: Any) -> None:
    plain, changed = read(NEEDED), read(provider(key, value))
    assert plain is not None
    if key == "enabled":
        assert changed is None
        return
    assert changed is not None
    others = {"type": {"name"}, "models": {"aliases", "overrides"}}.get(key, set())
    different = {setting.name for setting in FIELDS if setting.of(plain) != setting.of(changed)}
    assert YAML_FIELDS[key].name in different
    if key != "type":  # whose default values differ
        assert different <= {YAML_FIELDS[key].name, *others}


def test_documentation_its_tables_are_what_the_field_table_says() -> None:
    assert field_tables.outdated() == []
    text = (field_tables.ROOT / "docs/cli.md").read_text("utf-8")
    assert all(f"| `{key}` |" in text for key in YAML_FIELDS)
    assert all(f"| `{name}` |" in text for name in BACKEND_TYPES)


@pytest.mark.parametrize("file", ["services.yaml", "triggers.yaml", "conditions.yaml"])
def test_documentation_has_each_action_trigger_and_condition_with_its_fields(file: str) -> None:
    folder = field_tables.ROOT / "custom_components/zeroconf_ai"
    text = (field_tables.ROOT / "docs/home-assistant.md").read_text("utf-8")
    described = {name: item for name, item in yaml.safe_load((folder / file).read_text("utf-8")).items() if name[0] != "."}
    fields = {field for item in described.values() for field in (item or {}).get("fields", {})}
    assert [name for name in described if f"`zeroconf_ai.{name}`" not in text] == []
    assert [field for field in fields if f"| `{field}` |" not in text] == []


def test_documentation_outdated_table_is_found(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field_tables, "ROOT", tmp_path)
    (tmp_path / "docs/automations").mkdir(parents=True)
    for name in field_tables.DOCUMENTS:
        (tmp_path / name).write_text("<!-- table: backend types -->\n\n| type |\n\n<!-- end of table -->\n", "utf-8")
    assert field_tables.main(["check"]) == 1
    assert field_tables.main([]) == 0
    assert field_tables.main(["check"]) == 0
