"""Every place that lists the routing strategies lists all of them: texts, icons, actions, blueprints, documentation."""

import json
from pathlib import Path
import re

import pytest

from custom_components.zeroconf_ai.core.routing.policy import Strategy

ROOT = Path(__file__).parents[1]
INTEGRATION = ROOT / "custom_components" / "zeroconf_ai"
STRATEGIES = [strategy.value for strategy in Strategy]
_LIST = re.compile(r"options:\n((?:\s+- [a-z_]+\n)+)")


def test_strategies_all_have_an_icon_and_a_name() -> None:
    icons = json.loads((INTEGRATION / "icons.json").read_text(encoding="utf-8"))["entity"]["select"]["strategy"]["state"]
    texts = json.loads((INTEGRATION / "translations/en.json").read_text(encoding="utf-8"))
    assert set(icons) == set(STRATEGIES)
    assert set(texts["entity"]["select"]["strategy"]["state"]) == set(texts["selector"]["strategy"]["options"]) == set(STRATEGIES)


@pytest.mark.parametrize(
    "path",
    [INTEGRATION / "services.yaml", ROOT / "blueprints/automation/zeroconf_ai/save_budget.yaml"],
    ids=lambda path: path.name,
)
def test_strategies_of_an_action_or_blueprint_are_all_offered(path: Path) -> None:
    lists = [re.findall(r"- ([a-z_]+)", found) for found in _LIST.findall(path.read_text(encoding="utf-8"))]
    of_strategies = [found for found in lists if Strategy.LEAST_BUSY in found]
    assert of_strategies
    assert all(found == STRATEGIES for found in of_strategies)


@pytest.mark.parametrize("name", ["cli.md", "protocol.md", "routing.md"])
def test_strategies_are_all_documented(name: str) -> None:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert [strategy for strategy in STRATEGIES if f"`{strategy}`" not in text] == []
