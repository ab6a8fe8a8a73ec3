"""Models lists of any server in, OpenAI's out."""

from typing import Any

from hypothesis import given, strategies as st
import orjson
import pytest

from zeroconf_ai.protocol.models import MAX_MODELS, ModelInfo, best_model, models_to_json, parse_models
from zeroconf_ai.protocol.record import Capability


@pytest.mark.parametrize(
    "body",
    [
        {"object": "list", "data": [{"id": "a"}, {"id": "b"}]},
        {"models": [{"id": "a"}, {"id": "b"}]},
        {"data": None, "models": [{"id": "a"}, {"id": "b"}]},
        {"data": [{"id": "a"}, {"id": "b"}], "models": [{"id": "c"}]},
        {"models": [{"name": "a", "model": "x"}, {"model": "b"}]},  # Ollama
        {"models": ["a", "b"]},
        ["a", "b"],
        [{"id": "a"}, {"id": "b"}, {"id": "a"}],
        [{"id": "a"}, None, 5, {}, {"id": ""}, {"id": "\x00"}, "", {"id": "b"}],
    ],
)
def test_every_shape_of_list_is_read(body: object) -> None:
    assert [model.id for model in parse_models(body)] == ["a", "b"]


@pytest.mark.parametrize("body", [None, {}, [], {"data": {}}, {"data": "a"}, "a", 5, {"models": None}])
def test_what_is_no_list_holds_no_models(body: object) -> None:
    assert parse_models(body) == ()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "name", "capabilities", "context_length", "meta", "pricing", "warm"]), inner)
    ),
    max_leaves=10,
)


@given(anything | st.lists(anything) | st.fixed_dictionaries({"data": st.lists(anything)}))
def test_any_list_is_read_and_can_be_sent_on(body: object) -> None:
    for model in parse_models(body):
        assert model.id
        orjson.dumps(model.to_json(provider="p"))


def test_a_list_without_end_is_cut() -> None:
    assert len(parse_models([str(number) for number in range(MAX_MODELS + 5)])) == MAX_MODELS


@pytest.mark.parametrize(
    ("entry", "window"),
    [
        ({"context_window": 8192}, 8192),
        ({"context_length": 8192}, 8192),
        ({"max_model_len": 8192}, 8192),
        ({"meta": {"n_ctx_train": 8192}}, 8192),
        ({"context_window": 0, "context_length": 8192}, 8192),
        ({"context_window": -1}, None),
        ({"context_window": "8192"}, None),
        ({"context_window": True}, None),
        ({}, None),
    ],
)
def test_the_context_window_is_found_under_its_many_names(entry: dict[str, Any], window: int | None) -> None:
    (model,) = parse_models([{"id": "a"} | entry])
    assert model.context_window == window


@pytest.mark.parametrize(
    ("named", "known"),
    [
        (["completion", "tools"], {Capability.COMPLETION, Capability.TOOLS}),
        (["chat", "function_calling"], {Capability.COMPLETION, Capability.TOOLS}),
        (["vision"], {Capability.COMPLETION, Capability.VISION}),
        (["embedding"], {Capability.EMBEDDINGS}),
        (["completion", "thinking", 5, None], {Capability.COMPLETION}),
        (["thinking"], None),
        ([], None),
        ("completion", None),
        (None, None),
    ],
)
def test_capabilities_are_read_in_others_words(named: object, known: set[Capability] | None) -> None:
    (model,) = parse_models([{"id": "a", "capabilities": named}])
    assert model.capabilities == known


def test_what_a_provider_does_not_say_is_not_held_against_its_model() -> None:
    assert ModelInfo("a").supports([Capability.VISION])
    assert not ModelInfo("a", capabilities=frozenset({Capability.COMPLETION})).supports([Capability.VISION])


def test_models_that_do_not_chat_are_known_by_capability_or_name() -> None:
    assert not ModelInfo("nomic-embed-text").for_chat
    assert not ModelInfo("Whisper-large").for_chat
    assert ModelInfo("qwen3:8b").for_chat
    assert ModelInfo("embedder-chat", capabilities=frozenset({Capability.COMPLETION})).for_chat
    assert not ModelInfo("e5", capabilities=frozenset({Capability.EMBEDDINGS})).for_chat


def test_what_is_written_is_what_is_read() -> None:
    models = (
        ModelInfo("a", 8192, 1024, frozenset({Capability.COMPLETION, Capability.TOOLS}), True, "me", {"currency": "USD"}),
        ModelInfo("b", owned_by="me"),
    )
    assert parse_models(orjson.loads(orjson.dumps(models_to_json(models, provider="p")))) == models


def test_a_client_that_takes_the_first_gets_a_chat_model_under_both_names() -> None:
    body = models_to_json([ModelInfo("nomic-embed"), ModelInfo("chat")], provider="p")
    assert [model["id"] for model in body["data"]] == ["chat", "nomic-embed"]
    assert body["models"] == body["data"]
    assert body["data"][0]["owned_by"] == body["data"][0]["provider"] == "p"


@pytest.mark.parametrize(
    ("models", "best"),
    [
        ([ModelInfo("embed"), ModelInfo("a"), ModelInfo("b")], "a"),
        ([ModelInfo("a", warm=False), ModelInfo("b", warm=True)], "b"),
        ([ModelInfo("a", capabilities=frozenset({Capability.COMPLETION}), warm=True), ModelInfo("b")], "b"),
        ([ModelInfo("embed")], None),
        ([], None),
    ],
)
def test_the_best_model_chats_uses_tools_and_is_loaded(models: list[ModelInfo], best: str | None) -> None:
    found = best_model(models)
    assert (found.id if found else None) == best
