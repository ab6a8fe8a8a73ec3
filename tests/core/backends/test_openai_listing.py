"""Health, load, models, limits and prices of OpenAI-compatible servers."""

from typing import Any

import pytest

from tests.support.clouds.asking import QUICK, before, error_of
from tests.support.clouds.openai import FakeOpenRouter
from tests.support.clouds.server import engine, locked_engine
from tests.support.waiting import never_answer
from zeroconf_ai.backends.catalogue import BackendOverrides, Catalogue, ModelOverride
from zeroconf_ai.protocol.errors import AuthenticationError, UpstreamError, UpstreamTimeoutError
from zeroconf_ai.protocol.record import Capability

JSON, TEXT = "application/json", "text/plain; version=0.0.4"
ONE_MODEL = (200, JSON, {"object": "list", "data": [{"id": "m", "object": "model", "max_model_len": 4096}]})
VLLM_METRICS = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a"} 3.0
vllm:num_requests_running{engine="1",model_name="a"} 2.0
vllm:num_requests_running_total{engine="1"} 99
vllm:num_requests_waiting{engine="0",model_name="a"} 7.0
vllm:num_requests_waiting{engine="1",model_name="a"} NaN
vllm:kv_cache_usage_perc{engine="0",model_name="a"} 0.5
"""
LLAMACPP_METRICS = "llamacpp:requests_processing 2\nllamacpp:requests_deferred 1\n"


async def test_openrouter_list_is_read_completely() -> None:
    fake = FakeOpenRouter()
    async with before("openrouter", fake) as backend:
        models = {model.id: model for model in await backend.models()}
    assert list(models) == ["vendor/large", "vendor/tiny", "openrouter/auto", "vendor/embed"]
    large, tiny = models["vendor/large"], models["vendor/tiny"]
    assert large.pricing == {
        "input_cost_per_1m": 3.0,
        "output_cost_per_1m": 15.0,
        "currency": "USD",
        "cached_cost_per_1m": 0.3,
    }
    assert tiny.pricing is not None
    assert (tiny.pricing["input_cost_per_1m"], tiny.pricing["output_cost_per_1m"]) == (0.02, 0.04)
    assert models["openrouter/auto"].pricing is None  # -1: depends on the model that answers
    assert large.supports([Capability.TOOLS, Capability.VISION, Capability.JSON])
    assert not tiny.supports([Capability.TOOLS])
    assert (large.context_window, large.max_output_tokens) == (200_000, 64_000)
    assert models["vendor/embed"].capabilities == {Capability.EMBEDDINGS}


async def test_models_next_page_is_requested_at_the_configured_address() -> None:
    evil = {"data": [{"id": "a"}], "links": {"next": "http://203.0.113.9/models?offset=1"}}
    async with before("openrouter", fake := engine(v1__models=(200, JSON, evil))) as backend:
        assert [model.id for model in await backend.models()] == ["a"]
        assert [received.query for received in fake.received[1:]] == ["offset=1"]


async def test_models_next_page_that_is_no_url_ends_the_list() -> None:
    evil = {"data": [{"id": "a"}], "links": {"next": "http://["}}
    async with before("openrouter", engine(v1__models=(200, JSON, evil))) as backend:
        assert [model.id for model in await backend.models()] == ["a"]


async def test_openrouter_health_checks_the_key() -> None:
    fake = FakeOpenRouter()
    async with before("openrouter", fake) as backend:
        await backend.health()
    assert fake.last.path == "/api/v1/key"
    async with before("openrouter", FakeOpenRouter(), key="wrong") as backend:
        assert await backend.models()  # public
        assert isinstance(await error_of(backend.health()), AuthenticationError)


@pytest.mark.parametrize(
    ("name", "path", "answer"),
    [
        ("vllm", "health", (200, TEXT, "")),
        ("llamacpp", "health", (200, JSON, {"status": "ok"})),
        ("litellm", "health__liveliness", (200, JSON, '"I\'m alive!"')),
        ("lmstudio", "v1__models", ONE_MODEL),
        ("openai_compatible", "v1__models", ONE_MODEL),
    ],
)
async def test_health_path_of_each_local_engine_is_used(name: str, path: str, answer: Any) -> None:
    async with before(name, fake := engine(**{path: answer}), timeouts=QUICK) as backend:
        assert (await backend.health()).status == "ok"
        assert [received.path for received in fake.received] == ["/" + path.replace("__", "/")]


async def test_llamacpp_loading_is_unavailable_and_health_gets_no_key() -> None:
    loading = (503, JSON, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}})
    async with before("llamacpp", fake := engine(health=loading), key="sk-canary-0123456789") as backend:
        err = await error_of(backend.health())
        assert "Authorization" not in fake.last.headers
    assert type(err) is UpstreamError
    assert "Loading model" in err.log_text


@pytest.mark.parametrize(
    ("name", "paths", "queue"),
    [
        ("vllm", {"metrics": (200, TEXT, VLLM_METRICS)}, (7, 5, 0)),
        ("vllm", {"metrics": (200, TEXT, "other 1\n")}, None),
        ("vllm", {"metrics": (404, JSON, {})}, None),
        ("llamacpp", {"slots": (200, JSON, [{"is_processing": True}, {"is_processing": False}])}, (0, 1, 2)),
        ("llamacpp", {"slots": (501, JSON, {}), "metrics": (200, TEXT, LLAMACPP_METRICS)}, (1, 2, 0)),
        ("llamacpp", {"slots": (501, JSON, {}), "metrics": (501, JSON, {})}, None),
        ("litellm", {"health__backlog": (200, JSON, {"in_flight_requests": 5})}, (0, 4, 0)),
        ("litellm", {"health__backlog": (403, JSON, {})}, None),
        ("litellm", {"health__backlog": (200, JSON, {"status": "fine"})}, None),
        ("llamacpp", {"slots": (200, JSON, [])}, None),
        ("vllm", {"metrics": (200, TEXT, "vllm:num_requests_running oops\n")}, None),
        ("lmstudio", {}, None),
        ("openai_compatible", {}, None),
    ],
)
async def test_load_is_read_if_reported(name: str, paths: Any, queue: Any) -> None:
    async with before(name, fake := engine(**paths)) as backend:
        status = await backend.status()
        asked = len(fake.received)
        await backend.status()
        if queue is None:
            assert status is None
        else:
            assert (status.queue.depth, status.queue.active, status.queue.max_concurrent) == queue
        if any(answer[0] in (403, 404, 501) for answer in paths.values()) and queue is None:
            assert len(fake.received) == asked  # what is not offered is not asked for again


async def test_load_failure_is_retried() -> None:
    async with before("vllm", fake := engine(metrics=(500, JSON, {}))) as backend:
        for _ in range(2):
            await error_of(backend.status())
        assert len(fake.received) == 2


async def test_answer_without_progress_or_too_large_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = engine(metrics=(200, TEXT, VLLM_METRICS))
    async with before("vllm", fake, timeouts=QUICK) as backend:
        monkeypatch.setattr("zeroconf_ai.backends.dialect_backend._MAX_TEXT_BYTES", 100)
        assert "more than 100 bytes" in (await error_of(backend.status())).message

        async def stall(_: Any) -> Any:
            await never_answer()

        monkeypatch.setattr(fake, "routes", lambda: {("GET", "/metrics"): stall})
        assert isinstance(await error_of(backend.status()), UpstreamTimeoutError)


async def test_llamacpp_context_is_read() -> None:
    listed = {"object": "list", "data": [{"id": "tiny", "object": "model", "meta": {"n_ctx_train": 131_072}}]}
    props = {"total_slots": 4, "default_generation_settings": {"n_ctx": 8192}, "modalities": {"vision": True, "audio": False}}
    async with before("llamacpp", engine(v1__models=(200, JSON, listed), props=(200, JSON, props))) as backend:
        (model,) = await backend.models()
    assert (model.id, model.context_window, model.warm) == ("tiny", 8192, True)
    assert model.supports([Capability.VISION, Capability.TOOLS])
    assert not model.supports([Capability.AUDIO])


@pytest.mark.parametrize("models", [["tiny"], ["a", "b"]])
async def test_llamacpp_that_lists_its_models_for_everybody_needs_a_valid_key(models: list[str]) -> None:
    listed = {"object": "list", "data": [{"id": model, "object": "model"} for model in models]}
    paths = {"/v1/models": (200, JSON, listed), "/health": (200, JSON, {"status": "ok"}), "/props": (200, JSON, {})}
    fake = locked_engine(paths, ["/v1/models", "/health"])
    async with before("llamacpp", fake, key="sk-wrong") as backend:
        assert (await backend.health()).status
        assert isinstance(await error_of(backend.models()), AuthenticationError)
    async with before("llamacpp", fake, key=fake.key) as backend:
        assert [model.id for model in await backend.models()] == models


async def test_lmstudio_models_have_state_and_type() -> None:
    data = [
        {"id": "see", "type": "vlm", "state": "loaded", "max_context_length": 32_768, "loaded_context_length": 4096},
        {"id": "talk", "type": "llm", "state": "not-loaded", "max_context_length": 32_768, "capabilities": ["tool_use"]},
        {"id": "embed", "type": "embeddings", "state": "not-loaded"},
        {"type": "llm"},
    ]
    async with before("lmstudio", engine(api__v0__models=(200, JSON, {"data": data}))) as backend:
        see, talk, embed = await backend.models()
    assert (see.warm, see.context_window, talk.warm, talk.context_window) == (True, 4096, False, 32_768)
    assert see.supports([Capability.VISION])
    assert talk.supports([Capability.TOOLS])
    assert not talk.supports([Capability.VISION])
    assert not embed.for_chat


async def test_litellm_prices_are_read_with_a_permitted_key() -> None:
    listed = {
        "data": [{"id": "smart"}, {"id": "vectors"}, {"id": "odd"}, *({"id": name} for name in ("ears", "voice", "painter"))]
    }
    info = {"mode": "chat", "input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07, "max_input_tokens": 128_000}
    info |= {"max_output_tokens": 16_384, "supports_vision": False, "supports_function_calling": True}
    told = {
        "data": [
            {"model_name": "smart", "model_info": info},
            {
                "model_name": "ears",
                "model_info": {"mode": "audio_transcription", "input_cost_per_second": 0.0001, "output_cost_per_second": 0},
            },
            {"model_name": "voice", "model_info": {"mode": "audio_speech", "input_cost_per_character": "1.5e-05"}},
            {"model_name": "painter", "model_info": {"mode": "image_generation", "input_cost_per_image": 0.04}},
            {"model_name": "vectors", "model_info": {"mode": "embedding", "input_cost_per_token": None}},
        ]
    }
    paths = {"v1__models": (200, JSON, listed), "model__info": (200, JSON, told)}
    async with before("litellm", engine(**paths)) as backend:
        smart, vectors, odd, ears, voice, painter = await backend.models()
    assert ears.pricing == {"input_cost_per_1m": 0, "output_cost_per_1m": 0, "cost_per_audio_minute": 0.006, "currency": "USD"}
    assert voice.pricing == {"input_cost_per_1m": 0, "output_cost_per_1m": 0, "cost_per_1m_characters": 15, "currency": "USD"}
    assert painter.pricing == {"input_cost_per_1m": 0, "output_cost_per_1m": 0, "cost_per_image": 0.04, "currency": "USD"}
    assert [model.transcribes for model in (ears, voice)] == [True, False]
    assert smart.pricing == {"input_cost_per_1m": 0.15, "output_cost_per_1m": 0.6, "currency": "USD"}
    assert (smart.context_window, smart.max_output_tokens) == (128_000, 16_384)
    assert smart.supports([Capability.TOOLS])
    assert not smart.supports([Capability.VISION])
    assert (vectors.for_chat, vectors.pricing) == (False, None)
    assert odd.capabilities is None
    async with before("litellm", engine(v1__models=(200, JSON, listed), model__info=(403, JSON, {}))) as backend:
        assert [model.id for model in await backend.models()] == ["smart", "vectors", "odd", "ears", "voice", "painter"]


@pytest.mark.parametrize("name", ["vllm", "openai_compatible", "llamacpp", "litellm"])
async def test_models_plain_list_is_parsed(name: str) -> None:
    async with before(name, engine(v1__models=ONE_MODEL)) as backend:
        (model,) = await backend.models()
    assert (model.id, model.context_window) == ("m", 4096)


NO_EMBEDDINGS = {
    "code": 501,
    "message": "This server does not support embeddings. Start it with `--embeddings`",
    "type": "not_supported_error",
}
NO_INPUT = {"code": 400, "message": '"input" or "content" must be provided', "type": "invalid_request_error"}
NO_POOLING = {
    "code": 400,
    "message": "Pooling type 'none' is not OAI compatible. Please use a different pooling type",
    "type": "invalid_request_error",
}
VECTORS = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}]}
PROPS = {"total_slots": 1, "default_generation_settings": {"n_ctx": 512}, "modalities": {"vision": False, "audio": False}}


@pytest.mark.parametrize(
    ("model", "props", "asked", "embeds"),
    [
        ("gte-small", PROPS, (400, JSON, {"error": NO_INPUT}), True),
        ("gte-small", None, (400, JSON, {"error": NO_INPUT}), True),
        ("gte-small", PROPS, (200, JSON, VECTORS), True),
        ("gte-small", PROPS, (501, JSON, {"error": NO_EMBEDDINGS}), False),
        ("embedder-chat", PROPS, (501, JSON, {"error": NO_EMBEDDINGS}), False),
        ("qwen3", PROPS, (400, JSON, {"error": NO_POOLING}), False),
        ("qwen3", PROPS, (404, JSON, {"error": {"message": "File Not Found"}}), False),
        ("qwen3", PROPS, (500, JSON, {}), False),
        ("nomic-embed-text", PROPS, (404, JSON, {"error": {"message": "File Not Found"}}), True),
    ],
)
async def test_llamacpp_model_is_for_embeddings_if_the_server_serves_them(
    model: str, props: Any, asked: Any, embeds: bool
) -> None:
    paths = {"v1__models": (200, JSON, {"data": [{"id": model}]}), "v1__embeddings": asked}
    paths |= {} if props is None else {"props": (200, JSON, props)}
    async with before("llamacpp", fake := engine(**paths)) as backend:
        (found,) = await backend.models()
    assert (found.for_chat, found.capabilities == {Capability.EMBEDDINGS}) == (not embeds, embeds)
    assert fake.bodies("/v1/embeddings") in ([{}], [])


async def test_llamacpp_model_of_a_sleeping_server_stays_what_it_was() -> None:
    props: dict[str, Any] = dict(PROPS)
    fake = engine(
        v1__models=(200, JSON, {"data": [{"id": "gte-small"}]}),
        props=(200, JSON, props),
        v1__embeddings=(400, JSON, {"error": NO_INPUT}),
    )
    async with before("llamacpp", fake) as backend:
        awake = await backend.models()
        props["is_sleeping"] = True
        asleep = await backend.models()
    assert awake == asleep
    assert len(fake.bodies("/v1/embeddings")) == 1


async def test_llamacpp_models_of_a_router_have_state_and_task() -> None:
    listed = [
        {"id": "chat", "status": {"value": "loaded", "args": ["llama-server", "--ctx-size", "4096"]}, "meta": {"n_ctx": 4096}},
        {"id": "gte", "status": {"value": "unloaded", "args": ["llama-server", "--embeddings"]}},
        {"id": "odd", "status": "loaded"},
    ]
    async with before("llamacpp", engine(v1__models=(200, JSON, {"data": listed}))) as backend:
        chat, gte, odd = await backend.models()
    assert (chat.warm, chat.context_window, chat.for_chat) == (True, 4096, True)
    assert (gte.warm, gte.capabilities) == (False, {Capability.EMBEDDINGS})
    assert (odd.warm, odd.capabilities) == (None, None)


async def test_llamacpp_capabilities_of_the_owner_replace_those_that_were_found() -> None:
    both = frozenset({Capability.COMPLETION, Capability.EMBEDDINGS})
    paths = {"v1__models": (200, JSON, {"data": [{"id": "qwen3"}]}), "v1__embeddings": (400, JSON, {"error": NO_INPUT})}
    async with before("llamacpp", engine(**paths)) as inner:
        for overrides in (
            BackendOverrides(100, general=ModelOverride(capabilities=both)),
            BackendOverrides(100, models={"qwen3": ModelOverride(capabilities=both)}),
        ):
            (found,) = await Catalogue(inner, overrides).models()
            assert found.capabilities == both


async def test_litellm_info_of_another_shape_is_ignored() -> None:
    shapes: tuple[Any, ...] = ({"data": 5}, {"data": {"a": 1}}, {"data": [None, 5, {"model_name": ["x"]}]}, [])
    for told in shapes:
        paths = {"v1__models": (200, JSON, {"data": [{"id": "m"}]}), "model__info": (200, JSON, told)}
        async with before("litellm", engine(**paths)) as backend:
            assert [model.id for model in await backend.models()] == ["m"]
