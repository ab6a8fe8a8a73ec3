"""Model aliases and models as people see and change them."""

from collections.abc import AsyncIterator, Mapping
import json

import pytest

from tests.support.fakes.upstream import StubBackend
from zeroconf_ai.admin.aliases import AliasError, list_aliases, with_alias, without_alias
from zeroconf_ai.admin.models import LIMIT, list_models
from zeroconf_ai.engine import Engine
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.record import Capability, Cost
from zeroconf_ai.protocol.values import NANO
from zeroconf_ai.routing.policy import DEFAULT_VIRTUAL_MODELS, ModelAlias, Policy, Strategy, Terms

ALIASES: Mapping[str, ModelAlias] = {"auto": ModelAlias(), "smart": ModelAlias(("gpt", "qwen"), Strategy.COST)}


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    engine = Engine(policy=Policy(virtual_models=ALIASES))
    yield engine
    await engine.close()


async def serve(engine: Engine, backend: StubBackend, terms: Terms | None = None) -> None:
    await engine.checker.check(engine.add(backend, terms), models=True)


def test_alias_is_added_changed_and_removed_without_changing_the_others() -> None:
    added = with_alias(ALIASES, " fast ", [" gpt ", "", "auto", "gpt"], Strategy.LATENCY, new=True)
    assert added == {**ALIASES, "fast": ModelAlias(("gpt", "auto"), Strategy.LATENCY)}
    changed = with_alias(added, "fast", ["auto", "gpt"], None)
    assert changed["fast"] == ModelAlias(("auto", "gpt"))
    assert list(changed) == ["auto", "smart", "fast"]
    assert with_alias(ALIASES, "any", [], None)["any"].targets == ("auto",)
    assert with_alias(ALIASES, "auto", ["auto", "gpt"], None)["auto"].targets == ("auto", "gpt")
    assert without_alias(changed, "fast") == ALIASES
    grouped = {**ALIASES, "router": ModelAlias(("gpt", "qwen"), Strategy.COMPLEXITY, together=True)}
    assert with_alias(grouped, "router", ["qwen"], Strategy.COST)["router"] == ModelAlias(("qwen",), Strategy.COST, together=True)
    assert with_alias(grouped, "router", ["qwen"], None)["router"] == ModelAlias(("qwen",))


@pytest.mark.parametrize(
    ("name", "targets", "code"),
    [
        ("smart", ["gpt"], "name_taken"),
        (" ", ["gpt"], "name_needed"),
        ("a\nb", ["gpt"], "name_needed"),
        ("a\u202eb", ["gpt"], "name_needed"),
        ("mine", ["gpt", "mine"], "own_target"),
        ("x" * 257, ["gpt"], "too_long"),
        ("mine", ["x" * 257], "too_long"),
        ("mine", [str(number) for number in range(101)], "too_long"),
    ],
)
def test_alias_that_is_not_possible_is_refused_with_the_reason(name: str, targets: list[str], code: str) -> None:
    with pytest.raises(AliasError) as raised:
        with_alias(ALIASES, name, targets, None, new=True)
    assert raised.value.code == code
    assert str(raised.value)


@pytest.mark.parametrize(("name", "code"), [("auto", "auto_stays"), ("unknown", "unknown_alias")])
def test_alias_that_cannot_be_removed_is_refused(name: str, code: str) -> None:
    with pytest.raises(AliasError) as raised:
        without_alias(ALIASES, name)
    assert raised.value.code == code


async def test_aliases_show_what_they_mean_now_and_why_parts_mean_nothing(engine: Engine) -> None:
    await serve(engine, StubBackend("attic", models=["qwen"]))
    auto, smart = list_aliases(engine)
    assert (auto["name"], auto["fixed"], auto["strategy"], auto["targets"]) == ("auto", True, None, ["auto"])
    assert auto["answers"] == [{"backend": "Attic", "model": "qwen"}]
    assert (smart["strategy"], smart["answers"], smart["error"]) == ("cost", [{"backend": "Attic", "model": "qwen"}], None)
    loop = {"a": ModelAlias(("b",)), "b": ModelAlias(("a",)), "gone": ModelAlias(("llama-9",))}
    engine.policy = Policy(virtual_models=loop)
    found = {alias["name"]: alias for alias in list_aliases(engine)}
    assert found["a"]["left_out"] == ["a: it contains itself"]
    assert found["gone"]["answers"] == []
    assert found["gone"]["error"]
    assert list(found) == ["auto", "a", "b", "gone"]


async def test_alias_of_embedding_models_shows_who_embeds(engine: Engine) -> None:
    await serve(engine, StubBackend("attic", models=[ModelInfo("nomic-embed", capabilities=frozenset({Capability.EMBEDDINGS}))]))
    engine.policy = Policy(virtual_models={"search": ModelAlias(("nomic-embed",))})
    assert list_aliases(engine)[1]["answers"] == [{"backend": "Attic", "model": "nomic-embed"}]


async def test_models_are_grouped_by_name_with_price_state_and_abilities_of_each_provider(engine: Engine) -> None:
    cloud = StubBackend("cloud", models=["qwen", "gpt"], priority=20, cost=Cost.METERED)
    await serve(engine, cloud, Terms(prices={"*": Prices(2 * NANO, 8 * NANO, currency="EUR")}))
    model = ModelInfo("qwen", 8192, capabilities=frozenset({Capability.COMPLETION, Capability.TOOLS}), warm=True)
    await serve(engine, StubBackend("attic", models=[model], priority=10))
    found = list_models(engine, editable=False)
    assert (found["strategy"], found["editable"], found["models_total"]) == ("priority", False, 2)
    assert found["strategies"] == [strategy.value for strategy in Strategy]
    gpt, qwen = found["models"]
    assert (gpt["id"], [one["backend"] for one in gpt["providers"]]) == ("gpt", ["Cloud"])
    assert [one["backend"] for one in qwen["providers"]] == ["Attic", "Cloud"]
    attic, priced = qwen["providers"]
    assert (attic["warm"], attic["context_window"], attic["capabilities"]) == (True, 8192, ["completion", "tools"])
    assert (attic["price_prompt"], attic["currency"]) == (None, None)
    assert (priced["price_prompt"], priced["price_completion"], priced["currency"]) == (2.0, 8.0, "EUR")
    json.dumps(found)


async def test_models_list_is_bounded_and_says_how_many_there_are(engine: Engine) -> None:
    await serve(engine, StubBackend("attic", models=[f"m{number:05}" for number in range(LIMIT + 5)]))
    found = list_models(engine, editable=True)
    assert (len(found["models"]), found["models_total"]) == (LIMIT, LIMIT + 5)


def test_default_aliases_can_be_stored_again() -> None:
    for name, alias in DEFAULT_VIRTUAL_MODELS.items():
        assert with_alias(DEFAULT_VIRTUAL_MODELS, name, alias.targets, alias.strategy) == DEFAULT_VIRTUAL_MODELS
