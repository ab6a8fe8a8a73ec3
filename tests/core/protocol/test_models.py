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
        {"data": [], "models": ["a", "b"]},
        {"data": {"a": {"object": "model"}, "b": {"id": "b"}, "c": None}},
        {"models": {"a": {}, "b": {}}},
        {"data": [{"id": None, "name": "a"}, {"id": ["x"], "model": "b"}, {"id": {"x": 1}}, {"id": 5}, [["id", "x"]]]},
        ["a", "b"],
        [{"id": "a"}, {"id": "b"}, {"id": "a"}],
        [{"id": "a"}, None, 5, {}, {"id": ""}, {"id": "\x00"}, "", {"id": "b"}],
    ],
)
def test_models_list_of_each_format_is_parsed(body: object) -> None:
    assert [model.id for model in parse_models(body)] == ["a", "b"]


@pytest.mark.parametrize(
    "body", [None, {}, [], {"data": {}}, {"data": "a"}, "a", 5, {"models": None}, {"data": None}, {"error": "x"}]
)
def test_models_list_that_is_invalid_is_empty(body: object) -> None:
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
def test_models_list_of_any_content_is_parsed_and_serializable(body: object) -> None:
    for model in parse_models(body):
        assert model.id
        orjson.dumps(model.to_json(provider="p"))


def test_models_list_too_long_is_truncated() -> None:
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
        ({"context_window": "8192"}, 8192),
        ({"context_window": "8k"}, None),
        ({"context_window": True}, None),
        ({}, None),
    ],
)
def test_model_context_window_is_found_in_each_field(entry: dict[str, Any], window: int | None) -> None:
    (model,) = parse_models([{"id": "a"} | entry])
    assert model.context_window == window


@pytest.mark.parametrize(
    ("named", "known"),
    [
        (["completion", "tools"], {Capability.COMPLETION, Capability.TOOLS}),
        (["embed"], {Capability.EMBEDDINGS}),  # Infinity
        # Mistral
        ({"completion_chat": True, "function_calling": True, "vision": False}, {Capability.COMPLETION, Capability.TOOLS}),
        ({"completion_chat": False}, None),
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
def test_model_capabilities_with_synonyms_are_parsed(named: object, known: set[Capability] | None) -> None:
    (model,) = parse_models([{"id": "a", "capabilities": named}])
    assert model.capabilities == known


def test_model_without_capabilities_supports_everything() -> None:
    assert ModelInfo("a").supports([Capability.VISION])
    assert not ModelInfo("a", capabilities=frozenset({Capability.COMPLETION})).supports([Capability.VISION])


@pytest.mark.parametrize(("kind", "known"), [("embedding", {Capability.EMBEDDINGS}), ("chat", None), (["embedding"], None)])
def test_model_type_of_embeddings_is_read(kind: Any, known: Any) -> None:
    (model,) = parse_models([{"id": "a", "type": kind}])
    assert model.capabilities == known


@pytest.mark.parametrize("name", ["gpt-4o-transcribe", "gpt-realtime", "gpt-image-1", "sora-2", "tts-1"])
def test_model_of_openai_that_does_not_chat_is_detected_by_its_name(name: str) -> None:
    assert not ModelInfo(name).for_chat


def test_model_for_chat_is_detected_by_capability_or_name() -> None:
    assert not ModelInfo("nomic-embed-text").for_chat
    assert not ModelInfo("Whisper-large").for_chat
    assert ModelInfo("qwen3:8b").for_chat
    assert ModelInfo("embedder-chat", capabilities=frozenset({Capability.COMPLETION})).for_chat
    assert not ModelInfo("e5", capabilities=frozenset({Capability.EMBEDDINGS})).for_chat


def test_models_list_serialized_is_parsed_back() -> None:
    models = (
        ModelInfo("a", 8192, 1024, frozenset({Capability.COMPLETION, Capability.TOOLS}), True, "me", {"currency": "USD"}),
        ModelInfo("b", owned_by="me"),
    )
    assert parse_models(orjson.loads(orjson.dumps(models_to_json(models, provider="p")))) == models


def test_models_list_starts_with_a_chat_model_under_both_keys() -> None:
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
def test_best_model_is_a_loaded_chat_model_with_tools(models: list[ModelInfo], best: str | None) -> None:
    found = best_model(models)
    assert (found.id if found else None) == best


@pytest.mark.parametrize(
    "name", ["gpt-image-1.5", "dall-e-3", "black-forest-labs/FLUX.1-schnell", "stablediffusion", "sdxl-turbo", "Qwen/Qwen-Image"]
)
def test_model_for_images_is_known_by_its_name(name: str) -> None:
    model = ModelInfo(name)
    assert (model.makes_images, model.for_chat, model.abilities) == (True, False, frozenset({Capability.IMAGE_GENERATION}))


@pytest.mark.parametrize("name", ["llama3", "gpt-4.1", "gemini-2.5-flash-image", "llava", "nomic-embed-text"])
def test_model_for_chats_or_embeddings_makes_no_images(name: str) -> None:
    assert not ModelInfo(name).makes_images


def test_model_capability_of_images_is_read_and_excludes_chats_unless_both_are_listed() -> None:
    only, both = (
        ModelInfo.parse({"id": "a", "capabilities": ["image_generation"]}),
        ModelInfo.parse({"id": "b", "capabilities": ["chat", "image_generation"]}),
    )
    of_type = ModelInfo.parse({"id": "c", "type": "image"})
    assert only is not None
    assert both is not None
    assert of_type is not None
    assert [model.for_chat for model in (only, both, of_type)] == [False, True, False]
    assert all(model.makes_images for model in (only, both, of_type))
