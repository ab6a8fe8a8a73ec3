#!/usr/bin/env python3
"""Writes the tables of types, settings, forms and actions into the documentation; with `check`, fails if one is outdated.

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
import json
from pathlib import Path
import re
import sys
from typing import Any

import yaml

from zeroconf_ai.config.backend_fields import STORED, YAML_FIELDS
from zeroconf_ai.config.backend_types import BACKEND_TYPES
from zeroconf_ai.config.fields import BackendField

ROOT = Path(__file__).parents[2]
TEXTS = ROOT / "custom_components/zeroconf_ai/translations/en.json"
ACTIONS = ROOT / "custom_components/zeroconf_ai/services.yaml"
OPTIONS_OF = {
    "trigger": ROOT / "custom_components/zeroconf_ai/triggers.yaml",
    "condition": ROOT / "custom_components/zeroconf_ai/conditions.yaml",
}
DOCUMENTS = (
    "docs/cli.md",
    "docs/home-assistant.md",
    *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs/automations").glob("*.md")),
)
_TABLE = re.compile(r"(<!-- table: (?P<name>[a-z_ ]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def rendered(document: str) -> str:
    """The text of a document with all its tables up to date."""
    return _TABLE.sub(lambda found: f"{found[1]}\n{_table_called(found['name'])}\n\n{found[3]}", document)


def outdated() -> list[str]:
    """The documents with an outdated table."""
    return [name for name in DOCUMENTS if (text := (ROOT / name).read_text("utf-8")) != rendered(text)]


def _types() -> str:
    rows = []
    for declared in BACKEND_TYPES.values():
        address = f"`{declared.endpoint}`" if declared.endpoint else "–"
        key = f"required (`{declared.key_variable}`)" if declared.needs_key else "optional"
        rows.append((f"`{declared.name}`", declared.title, address, key))
    return _table(("type", "server", "default address", "API key"), rows)


def _settings() -> str:
    rows = [(f"`{key}`", _default(setting), setting.meaning) for key, setting in YAML_FIELDS.items()]
    return _table(("key", "default", "meaning"), rows)


def _form() -> str:
    """The second form of a backend; names and meanings are those of the form."""
    details = _texts()["config_subentries"]["backend"]["step"]["details"]
    settings = {key: setting for setting in STORED for key in setting.stored_keys}
    rows = []
    for part in (details, *details["sections"].values()):
        if part is not details:
            rows.append((f"**{part['name']}**", "", ""))
        for key, label in part["data"].items():
            default = _default(settings[key]) if key in settings else "–"
            rows.append((label, default, part["data_description"][key]))
    return _table(("option", "default", "meaning"), rows)


def _gateway_form() -> str:
    """The form that sets up the gateway."""
    return _table(("field", "meaning"), _fields(_texts()["config"]["step"]["gateway"]))


def _gateway_options() -> str:
    """The forms under the gateway's *Configure*, except those that only choose what to change."""
    steps = {name: step for name, step in _texts()["options"]["step"].items() if name not in _OTHER_STEPS}
    rows = [row for step in steps.values() if "data" in step for row in ((f"**{step['title']}**", ""), *_fields(step))]
    return _table(("option", "meaning"), [tuple(_filled(text) for text in row) for row in rows])


def _home_agent_form() -> str:
    """The form that shares a Home Assistant agent."""
    return _table(("option", "meaning"), _fields(_texts()["config_subentries"]["home_agent"]["step"]["user"]))


def _actions() -> str:
    """Each action with its fields."""
    described, texts = yaml.safe_load(ACTIONS.read_text("utf-8")), _texts()["services"]
    rows = []
    for name, action in described.items():
        rows.append((f"**`zeroconf_ai.{name}`**", "", texts[name]["description"]))
        for field, settings in ((action or {}).get("fields") or {}).items():
            needed = "yes" if settings.get("required") else "no"
            rows.append((f"`{field}`", needed, texts[name]["fields"][field]["description"]))
    return _table(("action, field", "required", "meaning"), rows)


def _automation_options(kind: str, key: str) -> str:
    """The options of a trigger or condition, with the values that a choice has."""
    fields = yaml.safe_load(OPTIONS_OF[kind].read_text("utf-8"))[key]["fields"]
    texts = _texts()[f"{kind}s"][key]["fields"]
    rows = [
        (texts[name]["name"], f"`{name}`", f"`{field['default']}`", texts[name]["description"]) for name, field in fields.items()
    ]
    return _table(("option", "in YAML", "default", "meaning"), rows)


def _table_called(name: str) -> str:
    kind, _, key = name.partition(" ")
    return _automation_options(kind, key) if kind in OPTIONS_OF else _TABLES[name]()


def _fields(step: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Label and meaning of each field of a form, those of its sections last."""
    parts = [step, *step.get("sections", {}).values()]
    return [(label, part["data_description"][key]) for part in parts for key, label in part.get("data", {}).items()]


def _filled(text: str) -> str:
    """A text of a form, with words for its placeholders."""
    return text.replace("{name}", "…").replace("{currency}", "the currency of the costs")


def _texts() -> dict[str, Any]:
    texts: dict[str, Any] = json.loads(TEXTS.read_text("utf-8"))
    return texts


_OTHER_STEPS = {"init", "models", "keys", "budgets", "key_edit", "budget"}
"""The provider's options, the choices, and the forms that repeat the fields of a new key or budget."""
_TABLES = {
    "backend types": _types,
    "backend settings": _settings,
    "backend form": _form,
    "gateway form": _gateway_form,
    "gateway options": _gateway_options,
    "home agent form": _home_agent_form,
    "actions": _actions,
}


def _default(setting: BackendField) -> str:
    """The default in words, or the value of most types, followed by those of the others."""
    if setting.needed:
        return "required"
    if setting.default:
        return setting.default
    values = {name: _shown(setting.default_for(declared)) for name, declared in BACKEND_TYPES.items()}
    (usual, _), *others = Counter(values.values()).most_common()
    return "; ".join(
        [usual, *(f"{value} for {', '.join(f'`{name}`' for name in values if values[name] == value)}" for value, _ in others)]
    )


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"{value:g}" if isinstance(value, int | float) else "–"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    rule = "|" + "---|" * len(head)
    first, *others = (f"| {' | '.join(row)} |" for row in (head, *rows))
    return "\n".join((first, rule, *others))


def main(arguments: list[str]) -> int:
    """Write or check. Returns the exit status."""
    names = outdated()
    if arguments == ["check"]:
        for name in names:
            print(f"{name}: a table is not up to date; run scripts/lib/field_tables.py")
        return 1 if names else 0
    for name in names:
        path = ROOT / name
        path.write_text(rendered(path.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
