"""OpenAI-compatible servers: differences of the flavors, and unchanged bytes."""

import struct
from typing import Any

from aiohttp import web
import openai
import orjson
import pytest

from tests.support.clouds.asking import before, chat, error_of, read, say
from tests.support.clouds.openai import EMBEDDING_MODEL, VECTOR, FakeOpenAI, FakeOpenRouter
from tests.support.clouds.server import Refusal, Reply, engine
from zeroconf_ai.backends.openai.flavors import FLAVORS
from zeroconf_ai.protocol.errors import (
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    QuotaError,
    UpstreamConnectionError,
    UpstreamError,
)
from zeroconf_ai.protocol.record import Cost, Placement
from zeroconf_ai.protocol.request import Kind, Request

LOCAL = ("litellm", "vllm", "llamacpp", "lmstudio", "openai_compatible")


def answers(body: Any) -> Any:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body)

    return answer


def embedding(given: Any = "x", **body: Any) -> Request:
    return Request.parse(Kind.EMBEDDINGS, {"model": EMBEDDING_MODEL, "input": given, **body})


@pytest.mark.parametrize("kind", [FakeOpenAI, FakeOpenRouter])
async def test_chunks_have_the_servers_bytes(kind: type[FakeOpenAI]) -> None:
    fake = kind(Reply("Hello there.", "Hm."))
    async with before("openrouter", fake) as backend, openai.AsyncOpenAI(base_url=fake.base_url, api_key=fake.key) as direct:
        answer = await backend.send(chat("gpt-4.1", stream=True))
        passed = [chunk.raw async for batch in answer.batches() for chunk in batch]
        await answer.close()
        async with direct.chat.completions.with_streaming_response.create(
            model="gpt-4.1",
            messages=[{"role": "user", "content": "Hi"}],
            stream=True,
            stream_options={"include_usage": True},
        ) as response:
            sent = await response.read()
    lines = [line.removeprefix(b"data: ") for line in sent.splitlines() if line.startswith(b"data: ")]
    assert passed == lines[:-1]


async def test_openai_requests_have_only_its_parameters_and_the_newer_token_limit() -> None:
    fake = FakeOpenAI()
    others: dict[str, Any] = {"top_k": 5, "num_ctx": 4096, "keep_alive": "5m", "options": {}, "think": True}
    async with before("openai", fake) as backend:
        await say(backend, chat("gpt-4.1", max_tokens=50, temperature=0.5, **others))
    assert set(fake.last.body) == {"model", "messages", "stream", "max_completion_tokens", "temperature"}
    assert fake.last.body["max_completion_tokens"] == 50


@pytest.mark.parametrize(("more", "effort"), [({}, "low"), ({"reasoning_effort": "high"}, "high")])
async def test_effort_in_openrouters_form_is_sent_to_openai_in_its_form(more: Any, effort: str) -> None:
    fake = FakeOpenAI()
    async with before("openai", fake) as backend:
        await say(backend, chat("o4-mini", reasoning={"effort": "low"}, **more))
    assert (fake.last.body["reasoning_effort"], "reasoning" in fake.last.body) == (effort, False)


@pytest.mark.parametrize(("name", "sent"), [("openai", 1), ("openai_compatible", 3)])
async def test_reasoning_of_earlier_answers_is_removed_where_it_is_refused(name: str, sent: int) -> None:
    refusal = Refusal(400, "messages.1: property 'reasoning_content' is unsupported")
    said = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?", "reasoning_content": "Hm."},
        {"role": "user", "content": "Hi"},
    ]
    answers: list[Refusal | Reply] = [] if name == "openai" else [refusal, Reply("Hello there.")]
    fake = FakeOpenAI(*answers)
    async with before(name, fake) as backend:
        request = Request.parse(Kind.CHAT, {"model": "gpt-4.1", "messages": said})
        assert (await say(backend, request)).content == "Hello there."
        if sent > 1:
            await say(backend, request)
    found = [body["messages"][1].get("reasoning_content") for body in fake.bodies("/v1/chat/completions")]
    assert found == ["Hm.", None, None][-sent:]


@pytest.mark.parametrize("name", ["vllm", "openrouter", "openai_compatible", "litellm"])
@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
async def test_reasoning_is_sent_back_under_both_names(name: str, field: str) -> None:
    """VLLM answers and reads `reasoning`, DeepSeek and others `reasoning_content`; a client sends what another server named."""
    fake = FakeOpenAI()
    said = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?", field: "Hm."},
        {"role": "user", "content": "Hi"},
    ]
    async with before(name, fake) as backend:
        await say(backend, chat("gpt-4.1", messages=said))
    turn = fake.last.body["messages"][1]
    assert (turn["reasoning"], turn["reasoning_content"]) == ("Hm.", "Hm.")
    assert "reasoning" not in fake.last.body["messages"][0]


async def test_token_limit_of_text_completions_keeps_its_name() -> None:
    fake = FakeOpenAI()
    async with before("openai", fake) as backend:
        request = Request.parse(Kind.COMPLETION, {"model": "gpt-3.5-turbo-instruct", "prompt": "Hi", "max_tokens": 50})
        await (await backend.send(request)).body()
    assert fake.last.body["max_tokens"] == 50


async def test_lmstudio_token_limit_has_the_older_name() -> None:
    fake = FakeOpenAI()
    async with before("lmstudio", fake) as backend:
        await say(backend, chat("gpt-4.1", max_completion_tokens=50))
    assert fake.last.body["max_tokens"] == 50
    assert "max_completion_tokens" not in fake.last.body


@pytest.mark.parametrize("param", ["chat_template_kwargs", "enable_thinking", "typical_p", "cache_prompt"])
async def test_parameter_of_another_server_is_dropped_where_it_is_refused(param: str) -> None:
    fake = FakeOpenAI()
    body: dict[str, Any] = {param: 1}
    async with before("openai_compatible", fake) as backend:
        assert (await say(backend, chat("gpt-4.1", **body))).content == "Hello there."
    assert [param in body for body in fake.bodies("/v1/chat/completions")] == [True, False]


@pytest.mark.parametrize("name", ["openai", "openai_compatible"])
async def test_refused_parameter_is_dropped_and_not_sent_again(name: str) -> None:
    fake = FakeOpenAI()
    async with before(name, fake) as backend:
        for _ in range(2):
            assert (await say(backend, chat("o4-mini", max_tokens=50, temperature=0.2))).content == "Hello there."
        await say(backend, chat("gpt-4.1", temperature=0.2))
    sent = [body.get("temperature") for body in fake.bodies("/v1/chat/completions")]
    assert sent[-2:] == [None, 0.2]  # another model is asked for what it takes
    assert len(sent) == (4 if name == "openai" else 5)
    assert fake.bodies("/v1/chat/completions")[-2]["max_completion_tokens"] == 50


async def test_token_limit_refused_by_both_names_is_a_client_error() -> None:
    refusals = [
        Refusal(400, f"Unsupported parameter: '{name}'", param=name) for name in ("max_tokens", "max_completion_tokens") * 3
    ]
    fake = FakeOpenAI(*refusals)
    async with before("openai_compatible", fake) as backend:
        with pytest.raises(InvalidRequestError):
            await say(backend, chat("gpt-4.1", max_tokens=50))
    assert len(fake.bodies("/v1/chat/completions")) == 2


@pytest.mark.parametrize(
    ("message", "param", "body", "dropped"),
    [
        ("Extra inputs are not permitted: body.stream_options", None, {"stream": True}, True),
        ("Unknown parameter: 'seed'.", "seed", {"seed": 1}, True),
        ("temperature must be at most 1", "temperature", {"temperature": 1.5}, False),
        ("Unsupported parameter: 'stop' is not supported with this model.", "stop", {"stop": "x"}, False),
        ("Unsupported parameter: 'tools'", "tools", {"tools": [{"type": "function", "function": {"name": "x"}}]}, False),
        ("Unsupported value: 'stop_p'", None, {"top_p": 0.5}, False),
        ("this model does not support images", None, {"temperature": 0.5}, False),
    ],
)
async def test_refused_parameters_only_optional_ones_are_dropped(
    message: str, param: str | None, body: Any, dropped: bool
) -> None:
    fake = FakeOpenAI(Refusal(400, message, param=param), Reply("Hello."))
    async with before("openai_compatible", fake) as backend:
        if dropped:
            assert (await say(backend, chat("gpt-4.1", **body))).content == "Hello."
        else:
            err = await error_of(backend.send(chat("gpt-4.1", **body)))
            assert isinstance(err, InvalidRequestError)
    assert len(fake.received) == (2 if dropped else 1)


async def test_openrouter_requests_name_the_program_and_answers_have_the_cost() -> None:
    fake = FakeOpenRouter()
    async with before("openrouter", fake) as backend:
        answer = await backend.send(chat("vendor/large", stream=True))
        message, _ = await read(answer)
    assert message.usage is not None
    assert message.usage.cost == 140_000
    assert answer.headers["X-Generation-Id"] == "gen-1"
    assert fake.last.headers["X-Title"] == "ZeroConf AI"
    assert fake.last.headers["HTTP-Referer"].startswith("https://")


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (Refusal(403, "Your chosen model requires moderation and your input was flagged"), InvalidRequestError),
        (Refusal(403, "Project `p` does not have access to model `gpt-5`", code="model_not_found"), NotFoundError),
        (Refusal(400, "Budget has been exceeded! Current cost: 1.2, Max budget: 1.0", "budget_exceeded"), QuotaError),
        (Refusal(429, "You exceeded your current quota", "insufficient_quota", "insufficient_quota"), QuotaError),
        (Refusal(400, "No connected db.", "no_db_connection", "400"), AuthenticationError),
    ],
)
async def test_error_message_determines_its_class(refusal: Refusal, error: type[Exception]) -> None:
    async with before("openai", FakeOpenAI(refusal)) as backend:
        assert type(await error_of(backend.send(chat("gpt-4.1")))) is error


@pytest.mark.parametrize("name", ["openai", "openrouter", *LOCAL])
async def test_via_is_sent_to_local_backends_only(name: str) -> None:
    fake = FakeOpenRouter() if name == "openrouter" else FakeOpenAI()
    request = Request.parse(Kind.CHAT, dict(chat("gpt-4.1").body), request_id="r1", via=("gateway-1", "gateway-2"))
    async with before(name, fake) as backend:
        await say(backend, request)
    cloud = name in ("openai", "openrouter")
    assert fake.last.headers.get("Via") == (None if cloud else "1.1 gateway-1, 1.1 gateway-2")
    assert fake.last.headers.get("X-Request-ID") == (None if cloud else "r1")


async def test_headers_of_the_owner_are_sent() -> None:
    fake = FakeOpenAI()
    async with before("openai_compatible", fake, headers={"X-Team": "house"}) as backend:
        await say(backend, chat("gpt-4.1"))
    assert fake.last.headers["X-Team"] == "house"


@pytest.mark.parametrize("name", FLAVORS)
def test_flavors_differ_by_data_only(name: str) -> None:
    flavor = FLAVORS[name]
    info = flavor.info("id", "Name", priority=7)
    assert (info.id, info.name, info.priority, info.cost, info.placement) == ("id", "Name", 7, flavor.cost, flavor.placement)
    cloud = name in ("openai", "openrouter")
    assert flavor.needs_key is cloud
    assert (flavor.placement is Placement.CLOUD, flavor.cost is Cost.METERED) == (cloud, cloud)
    assert flavor.timeouts.connect == (10.0 if cloud else 5.0)


async def test_embeddings_base64_is_from_the_server_or_converted() -> None:
    packed = "AACAPgAAAL8AAAA+"
    listed = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": list(VECTOR)}], "model": "m"}
    for answer in (None, listed):
        fake = FakeOpenAI()
        if answer is not None:
            fake.embeddings = answers(answer)  # type: ignore[method-assign]
        async with before("openai_compatible", fake) as backend:
            body = orjson.loads(await (await backend.send(embedding(encoding_format="base64"))).body())
        assert body["data"][0]["embedding"] == packed
    assert struct.unpack("<3f", struct.pack("<3f", *VECTOR)) == VECTOR


async def test_embeddings_invalid_are_an_error() -> None:
    fake = FakeOpenAI()
    fake.embeddings = answers({"data": [{"embedding": ["x"]}]})  # type: ignore[method-assign]
    async with before("openai_compatible", fake) as backend:
        answer = await backend.send(embedding(encoding_format="base64"))
        assert isinstance(await error_of(answer.body()), UpstreamError)
        await answer.close()


async def test_embeddings_floats_are_unchanged_and_unknown_encodings_refused() -> None:
    async with before("openai", FakeOpenAI()) as backend:
        body = orjson.loads(await (await backend.send(embedding(encoding_format="float"))).body())
        assert body["data"][0]["embedding"] == list(VECTOR)
        err = await error_of(backend.send(embedding(encoding_format="hex")))
    assert isinstance(err, InvalidRequestError)
    assert err.param == "encoding_format"


async def test_embeddings_encoding_refused_is_converted() -> None:
    fake = FakeOpenAI(Refusal(400, "Unknown parameter: 'encoding_format'", param="encoding_format"), Reply())
    async with before("openai_compatible", fake) as backend:
        body = orjson.loads(await (await backend.send(embedding(encoding_format="base64"))).body())
    assert body["data"][0]["embedding"] == "AACAPgAAAL8AAAA+"
    assert "encoding_format" not in fake.last.body


@pytest.mark.parametrize("given", [[1, 2, 3], [[1, 2], [3]]])
async def test_embeddings_of_tokens_are_sent_if_supported_else_refused(given: Any) -> None:
    async with before("openai", FakeOpenAI()) as backend:
        assert orjson.loads(await (await backend.send(embedding(given))).body())["data"]
    fake = FakeOpenAI()
    async with before("lmstudio", fake) as backend:
        err = await error_of(backend.send(embedding(given)))
    assert isinstance(err, InvalidRequestError)
    assert err.param == "input"
    assert not fake.received


async def test_engine_offline_is_unreachable() -> None:
    fake = FakeOpenAI()
    async with before("vllm", fake) as backend:
        await fake.stop()
        for asked in (backend.health(), backend.status(), backend.models(), backend.send(chat("m"))):
            assert isinstance(await error_of(asked), UpstreamConnectionError)


async def test_backend_repr_is_short_and_has_its_id() -> None:
    async with before("vllm", fake := engine()) as backend:
        assert repr(backend) == f"<OpenAIBackend vllm (vllm) at {fake.root}/v1>"
