"""Every error of Home Assistant that the integration raises is translatable, and has a text with the placeholders it fills."""

import ast
from collections.abc import Iterator
from importlib import import_module
import inspect
import json
from pathlib import Path
import re
from types import ModuleType

import pytest

from custom_components import zeroconf_ai
from custom_components.zeroconf_ai import errors
from homeassistant.data_entry_flow import FlowError
from homeassistant.exceptions import HomeAssistantError

FOLDER = Path(zeroconf_ai.__file__).parent
MODULES = sorted(
    ".".join((zeroconf_ai.__name__, *file.relative_to(FOLDER).with_suffix("").parts)).removesuffix(".__init__")
    for file in FOLDER.rglob("*.py")
    if "core" not in file.relative_to(FOLDER).parts
)
TEXTS: dict[str, str] = {
    key: text["message"] for key, text in json.loads((FOLDER / "translations/en.json").read_text("utf-8"))["exceptions"].items()
}


def _is_shown(module: ModuleType, name: str) -> bool:
    """Whether a name of the module is an error that Home Assistant shows; reasons of aborted flows are checked by the flows."""
    value = getattr(module, name, None)
    return inspect.isclass(value) and issubclass(value, HomeAssistantError) and not issubclass(value, FlowError)


def _tree(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


def _calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str, ast.FunctionDef | ast.AsyncFunctionDef | None]]:
    """(call, name of the called function, innermost function around it)."""

    def within(node: ast.AST, function: ast.FunctionDef | ast.AsyncFunctionDef | None) -> Iterator[tuple[ast.Call, str, object]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Call) and isinstance(child.func, ast.Name):
                yield child, child.func.id, function
            yield from within(child, child if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function)

    yield from within(tree, None)  # type: ignore[misc]


def _literals(node: ast.expr) -> list[str]:
    """The possible texts of an expression: a text, or one of two."""
    if isinstance(node, ast.IfExp):
        return [*_literals(node.body), *_literals(node.orelse)]
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def _raised(module: ModuleType) -> Iterator[tuple[str, set[str]]]:
    """(translation key, names of its values) of each error that the module creates. Raises AssertionError for one without key."""
    tree = _tree(module)
    calls = list(_calls(tree))
    for call, name, function in calls:
        if not _is_shown(module, name):
            continue
        at = f"{module.__name__}, line {call.lineno}"
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        assert not call.args, f"{at}: {name} has a text instead of a translation key"
        assert ast.unparse(given.get("translation_domain", call)) == "DOMAIN", f"{at}: {name} has no translation domain"
        assert "translation_key" in given, f"{at}: {name} has no translation key"
        key, values = given["translation_key"], given.get("translation_placeholders")
        names = {ast.literal_eval(each) for each in values.keys if each} if isinstance(values, ast.Dict) else set()
        if isinstance(key, ast.Constant):
            yield str(key.value), names
        elif isinstance(key, ast.Name) and hasattr(module, key.id):
            yield getattr(module, key.id), names
        elif isinstance(key, ast.Name) and function is not None and key.id in [arg.arg for arg in function.args.posonlyargs]:
            for other, helper, _ in calls:
                if helper == function.name:
                    assert _literals(other.args[0]), f"{module.__name__}, line {other.lineno}: the key is no literal"
                    for literal in _literals(other.args[0]):
                        yield literal, {keyword.arg for keyword in other.keywords if keyword.arg}
        else:
            assert module is errors, f"{at}: the translation key cannot be followed"


def test_each_error_shown_to_people_has_a_text_with_its_placeholders() -> None:
    raised = [(key, names) for module in map(import_module, MODULES) for key, names in _raised(module)]
    assert len(raised) > 25
    for key, names in raised:
        assert key in TEXTS, f"en.json has no exception {key}"
        assert set(re.findall(r"{(\w+)}", TEXTS[key])) == names, key
    of_the_engine = errors.SENTENCES | {"request_refused_because", "model_not_found"}
    said = {"provider_changed", "provider_changed_home"}  # sentences of a conversation, no errors
    assert TEXTS.keys() == {key for key, _ in raised} | of_the_engine | said


@pytest.mark.parametrize("language", sorted(file.stem for file in (FOLDER / "translations").glob("*.json")))
def test_each_language_has_the_text_of_every_error_with_its_placeholders(language: str) -> None:
    texts = json.loads((FOLDER / f"translations/{language}.json").read_text("utf-8"))["exceptions"]
    assert texts.keys() == TEXTS.keys()
    for key, text in texts.items():
        assert set(re.findall(r"{(\w+)}", text["message"])) == set(re.findall(r"{(\w+)}", TEXTS[key])), key
        assert language == "en" or text["message"] != TEXTS[key], key


def test_no_error_shown_to_people_is_raised_without_a_key() -> None:
    """Such as `raise HomeAssistantError`, which creates no instance by a call."""
    for module in map(import_module, MODULES):
        for node in ast.walk(_tree(module)):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name):
                assert not _is_shown(module, node.exc.id), f"{module.__name__}, line {node.lineno}"


@pytest.mark.parametrize(
    "source",
    [
        'HomeAssistantError("The database is locked")',
        "HomeAssistantError(translation_domain=DOMAIN)",
        'HomeAssistantError(translation_key="empty_response")',
    ],
)
def test_untranslated_error_is_found(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks above can fail."""
    module = import_module("custom_components.zeroconf_ai.actions.keys")
    monkeypatch.setattr(inspect, "getsource", lambda _: f"def fail():\n    raise {source}\n")
    with pytest.raises(AssertionError, match="translation"):
        list(_raised(module))
