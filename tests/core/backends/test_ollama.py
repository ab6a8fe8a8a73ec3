"""Ollama's native API: requests, models, status and health."""

from typing import Any

from aiohttp import web
import orjson
import pytest

from tests.support.clouds.asking import QUICK, TOOLS, before, chat, error_of, read, say, whole
from tests.support.clouds.ollama import EMBEDDER, PLAIN, SEER, THINKER, FakeOllama
from tests.support.clouds.server import PNG, Call, Fault, Refusal, Reply
from tests.support.waiting import never_answer
from zeroconf_ai.backends.ollama.backend import OllamaOptions
from zeroconf_ai.protocol.errors import InvalidRequestError, NotFoundError, StreamBrokenError, UpstreamError
from zeroconf_ai.protocol.record import Capability, Cost, Placement
from zeroconf_ai.protocol.request import Kind, Request

HELLO = Reply("Hello.")
SCHEMA = {"type": "object", "properties": {"warm": {"type": "boolean"}}, "required": ["warm"]}


def sent(fake: FakeOllama) -> dict[str, Any]:
    body: dict[str, Any] = fake.bodies("/api/chat")[-1]
    return body


async def test_ollama_models_have_capabilities_context_and_state() -> None:
    fake = FakeOllama()
    async with before("ollama", fake) as backend:
        models = {model.id: model for model in await backend.models()}
        asked = len(fake.bodies("/api/show"))
        await backend.models()
    assert models[THINKER].supports([Capability.TOOLS, Capability.JSON])
    assert not models[PLAIN].supports([Capability.TOOLS])
    assert models[SEER].supports([Capability.VISION])
    assert models[EMBEDDER].capabilities == {Capability.EMBEDDINGS}
    assert not models[EMBEDDER].for_chat
    assert [model.warm for model in models.values()] == [True, False, False, False]
    assert models[THINKER].context_window == 40_960
    assert asked == len(fake.bodies("/api/show")) == 4  # what is known of a digest is not asked again


async def test_ollama_model_without_details_is_listed() -> None:
    fake = FakeOllama()

    async def fail(request: Any) -> Any:
        if (await request.json())["model"] == PLAIN:
            await never_answer()
        return await FakeOllama.show(fake, request)

    fake.show = fail  # type: ignore[method-assign]
    async with before("ollama", fake, timeouts=QUICK) as backend:
        models = {model.id: model for model in await backend.models()}
    assert models[PLAIN].capabilities is None
    assert models[SEER].capabilities is not None


async def test_ollama_backend_is_free_local_and_reports_its_version() -> None:
    async with before("ollama", FakeOllama()) as backend:
        assert (await backend.health()).version == "0.33.0"
        assert (backend.info.cost, backend.info.placement) == (Cost.FREE, Placement.LOCAL)


async def test_health_of_another_server_is_not_ollama() -> None:
    fake = FakeOllama()
    fake.version = fake.tags  # type: ignore[method-assign]
    async with before("ollama", fake) as backend:
        assert isinstance(await error_of(backend.health()), UpstreamError)


@pytest.mark.parametrize("end", ["", "/", "/v1", "/api", "/v1/"])
async def test_ollama_address_with_each_path_is_accepted(end: str) -> None:
    class Fake(FakeOllama):
        prefix = end

    async with before("ollama", Fake(HELLO)) as backend:
        assert (await say(backend, chat(THINKER))).content == "Hello."


async def test_ollama_status_has_loaded_models_and_running_requests() -> None:
    fake = FakeOllama(Fault("stall", after=1))
    async with before("ollama", fake, options=OllamaOptions(max_concurrent=2)) as backend:
        answers = [await backend.send(chat(THINKER, stream=True)) for _ in range(3)]
        status = await backend.status()
        assert status.warm_models == {THINKER}
        assert (status.queue.active, status.queue.depth, status.queue.max_concurrent) == (2, 1, 2)
        for answer in answers:
            await answer.close()
            await answer.close()
        fake.outcomes = [Refusal(500, "oops")]
        await error_of(backend.send(chat(THINKER)))
        assert (await backend.status()).queue.active == 0


async def test_ollama_parameters_become_options() -> None:
    fake = FakeOllama(HELLO)
    parameters: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 20,
        "min_p": 0.1,
        "seed": 7,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.25,
        "repetition_penalty": 1.1,
        "max_tokens": 100,
        "stop": "END",
        "options": {"num_gpu": 1},
    }
    async with before("ollama", fake) as backend:
        await say(backend, chat(THINKER, **parameters))
    assert sent(fake)["options"] == {
        "num_gpu": 1,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 20,
        "min_p": 0.1,
        "seed": 7,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.25,
        "repeat_penalty": 1.1,
        "num_predict": 100,
        "stop": ["END"],
    }
    assert sent(fake)["stream"] is False


@pytest.mark.parametrize(
    ("options", "body", "keep_alive"),
    [
        (OllamaOptions(), {}, None),
        (OllamaOptions(keep_alive=-1), {}, -1),
        (OllamaOptions(keep_alive=-1), {"keep_alive": 0}, 0),
        (OllamaOptions(keep_alive="10m"), {}, "10m"),
    ],
)
async def test_ollama_keep_alive_is_the_callers_else_the_owners(options: OllamaOptions, body: Any, keep_alive: Any) -> None:
    fake = FakeOllama(HELLO)
    async with before("ollama", fake, options=options) as backend:
        await say(backend, chat(THINKER, **body))
    assert sent(fake).get("keep_alive") == keep_alive


async def test_ollama_context_grows_with_prompts_and_never_shrinks() -> None:
    fake = FakeOllama(HELLO)
    fake.loaded = {}
    sizes = []
    async with before("ollama", fake) as backend:
        await backend.models()
        for characters in (100, 20_000, 100, 60_000, 100, 10_000_000):
            await say(backend, chat(THINKER, "x" * characters))
            sizes.append(sent(fake).get("options", {}).get("num_ctx"))
    # 4,000 of the default 4,096 tokens would be left for prompt and answer; 5,000 tokens want 8,192.
    assert sizes == [None, 8192, 8192, 32_768, 32_768, 32_768]


async def test_ollama_context_is_omitted_if_loaded_and_at_most_the_models() -> None:
    fake = FakeOllama(HELLO)
    fake.loaded = {THINKER: 32_768}
    async with before("ollama", fake) as backend:
        await backend.models()
        await say(backend, chat(THINKER, "x" * 60_000))
        assert "num_ctx" not in sent(fake).get("options", {})
        await say(backend, chat(PLAIN, "x" * 100_000))
        assert sent(fake)["options"]["num_ctx"] == 16_384


@pytest.mark.parametrize(
    ("fixed", "body", "size"),
    [(6000, {}, 6000), (100_000, {}, 40_960), (6000, {"num_ctx": 9000}, 9000), (None, {"options": {"num_ctx": 5000}}, 5000)],
)
async def test_ollama_context_of_owner_and_caller_precede_the_estimate(fixed: int | None, body: Any, size: int) -> None:
    fake = FakeOllama(HELLO)
    async with before("ollama", fake, options=OllamaOptions(num_ctx=fixed)) as backend:
        await backend.models()
        await say(backend, chat(THINKER, "x" * 100_000, **body))
    assert sent(fake)["options"]["num_ctx"] == size


@pytest.mark.parametrize(
    ("body", "think"),
    [
        ({}, None),
        ({"reasoning_effort": "none"}, False),
        ({"reasoning_effort": "minimal"}, "low"),
        ({"reasoning_effort": "medium"}, "medium"),
        ({"reasoning_effort": "xhigh"}, "high"),
        ({"reasoning": {"effort": "low"}}, "low"),
        ({"think": True, "reasoning_effort": "low"}, True),
    ],
)
async def test_reasoning_effort_becomes_think(body: Any, think: Any) -> None:
    fake = FakeOllama(Reply("21.", "Let me look."))
    async with before("ollama", fake) as backend:
        assert (await say(backend, chat(THINKER, **body))).reasoning == "Let me look."
    assert sent(fake).get("think") == think


@pytest.mark.parametrize("listed", [True, False])
async def test_ollama_model_without_reasoning_is_requested_again_without_it(listed: bool) -> None:
    fake = FakeOllama(HELLO)
    async with before("ollama", fake) as backend:
        if listed:
            await backend.models()
        assert (await say(backend, chat(PLAIN, reasoning_effort="high"))).content == "Hello."
    assert len(fake.bodies("/api/chat")) == (1 if listed else 2)


async def test_ollama_conversation_with_tools_is_translated() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "read", "arguments": '{"room":"attic"}'}}
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "How"}, {"type": "text", "text": "warm?"}]},
        {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": "Hm."},
        {"role": "tool", "tool_call_id": "c1", "content": "21"},
    ]
    fake = FakeOllama(HELLO)
    async with before("ollama", fake) as backend:
        await say(backend, chat(THINKER, messages=messages, tools=TOOLS))
    function = {"index": 0, "name": "read", "arguments": {"room": "attic"}}
    assert sent(fake)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How\nwarm?"},
        {"role": "assistant", "content": "", "thinking": "Hm.", "tool_calls": [{"id": "c1", "function": function}]},
        {"role": "tool", "content": "21", "tool_call_id": "c1", "tool_name": "read"},
    ]
    assert sent(fake)["tools"] == TOOLS


@pytest.mark.parametrize("stream", [True, False])
async def test_ollama_tool_calls_without_id_get_one(stream: bool) -> None:
    fake = FakeOllama(Reply(calls=(Call("read"), Call("read"))), gives_ids=False)
    async with before("ollama", fake) as backend:
        message = await say(backend, chat(THINKER, stream=stream, tools=TOOLS))
    ids = {call.id for call in message.tool_calls}
    assert len(ids) == 2
    assert all(call.startswith("call_") for call in ids)


@pytest.mark.parametrize("stream", [True, False])
async def test_parallel_tool_calls_off_returns_one_call(stream: bool) -> None:
    fake = FakeOllama(Reply(calls=(Call("read"), Call("stop", id="c2"))))
    async with before("ollama", fake) as backend:
        message = await say(backend, chat(THINKER, stream=stream, tools=TOOLS, parallel_tool_calls=False))
    assert [call.name for call in message.tool_calls] == ["read"]


async def test_ollama_tools_are_omitted_for_tool_choice_none() -> None:
    fake = FakeOllama(HELLO)
    async with before("ollama", fake) as backend:
        await say(backend, chat(THINKER, tools=TOOLS, tool_choice="none"))
    assert "tools" not in sent(fake)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "read"}}])
async def test_forced_tool_uses_a_schema(stream: bool, choice: Any) -> None:
    fake = FakeOllama(Reply('{"name": "read", "arguments": {"room": "attic"}}'))
    async with before("ollama", fake) as backend:
        message = await say(backend, chat(THINKER, stream=stream, tools=TOOLS, tool_choice=choice))
    (call,) = message.tool_calls
    assert (call.name, orjson.loads(call.arguments)) == ("read", {"room": "attic"})
    assert (message.content, message.finish_reason) == ("", "tool_calls")
    schemas = sent(fake)["format"].get("anyOf") or [sent(fake)["format"]]
    names = [schema["properties"]["name"]["enum"] for schema in schemas]
    assert names == ([["read"], ["stop"]] if choice == "required" else [["read"]])
    assert "tools" not in sent(fake)
    assert "read" in sent(fake)["messages"][-1]["content"]


async def test_forced_tool_call_truncated_is_text_and_an_invalid_one_an_error() -> None:
    fake = FakeOllama(Reply('{"name": "re', stop="length"), Reply("No."))
    async with before("ollama", fake) as backend:
        message = await say(backend, chat(THINKER, stream=True, tools=TOOLS, tool_choice="required"))
        assert (message.content, message.finish_reason) == ('{"name": "re', "length")
        answer = await backend.send(chat(THINKER, stream=True, tools=TOOLS, tool_choice="required"))
        assert isinstance(await error_of(read(answer)), StreamBrokenError)


async def test_tool_choice_unknown_is_refused() -> None:
    async with before("ollama", FakeOllama()) as backend:
        choice = {"type": "function", "function": {"name": "fly"}}
        err = await error_of(backend.send(chat(THINKER, tools=TOOLS, tool_choice=choice)))
    assert isinstance(err, InvalidRequestError)
    assert err.param == "tool_choice"


@pytest.mark.parametrize(
    ("wanted", "form"),
    [
        ({"type": "json_object"}, "json"),
        ({"type": "json_schema", "json_schema": {"schema": SCHEMA}}, SCHEMA),
        ({"type": "text"}, None),
    ],
)
async def test_response_format_becomes_format(wanted: Any, form: Any) -> None:
    fake = FakeOllama(HELLO)
    async with before("ollama", fake) as backend:
        await say(backend, chat(THINKER, response_format=wanted))
    assert sent(fake).get("format") == form


async def test_images_go_beside_the_text_and_gifs_do_not() -> None:
    fake = FakeOllama(HELLO)
    content = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
    ]
    async with before("ollama", fake) as backend:
        await say(backend, chat(SEER, content))
        assert sent(fake)["messages"] == [{"role": "user", "content": "What is it?", "images": [PNG]}]
        gif = [{"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lGODlhAQABAAAAACw="}}]
        err = await error_of(backend.send(chat(SEER, gif)))
    assert isinstance(err, InvalidRequestError)
    assert err.param == "messages[0].content[0]"


@pytest.mark.parametrize("stream", [True, False])
async def test_ollama_uncounted_prompt_is_estimated_and_marked(stream: bool) -> None:
    fake = FakeOllama(HELLO, counts_prompt=False)
    async with before("ollama", fake) as backend:
        answer = await backend.send(chat(THINKER, "x" * 400, stream=stream))
        usage = (await read(answer))[1][-1]["usage"] if stream else (await whole(answer))["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["estimated"]) == (100, 8, True)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("stop", "finish"), [("stop", "stop"), ("length", "length"), ("load", "stop"), ("unload", "stop")])
async def test_every_done_reason_is_a_finish_reason(stream: bool, stop: str, finish: str) -> None:
    async with before("ollama", FakeOllama(Reply("So", stop=stop))) as backend:
        assert (await say(backend, chat(THINKER, stream=stream))).finish_reason == finish


async def test_model_unknown_is_not_found() -> None:
    async with before("ollama", FakeOllama()) as backend:
        err = await error_of(backend.send(chat("gone")))
    assert isinstance(err, NotFoundError)
    assert err.code == "model_not_found"


@pytest.mark.parametrize("encoding", [None, "float", "base64"])
async def test_embeddings_have_openais_format(encoding: str | None) -> None:
    fake = FakeOllama()
    body = {"model": EMBEDDER, "input": ["a", "b"], "dimensions": 3} | ({"encoding_format": encoding} if encoding else {})
    async with before("ollama", fake) as backend:
        parsed = orjson.loads(await (await backend.send(Request.parse(Kind.EMBEDDINGS, body))).body())
    packed = "AACAPgAAAL8AAAA+" if encoding == "base64" else [0.25, -0.5, 0.125]
    assert parsed == {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": packed} for index in (0, 1)],
        "model": EMBEDDER,
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    }
    assert fake.last.body == {"model": EMBEDDER, "input": ["a", "b"], "dimensions": 3}


@pytest.mark.parametrize("given", [[1, 2, 3], [[1, 2], [3]]])
async def test_embeddings_of_tokens_are_refused_with_a_solution(given: Any) -> None:
    fake = FakeOllama()
    async with before("ollama", fake) as backend:
        err = await error_of(backend.send(Request.parse(Kind.EMBEDDINGS, {"model": EMBEDDER, "input": given})))
    assert isinstance(err, InvalidRequestError)
    assert err.param == "input"
    assert not fake.received


@pytest.mark.parametrize("vectors", [[], [[0.1]], [["x"], ["y"]], "no", [[1e300], [1e300]]])
async def test_embeddings_invalid_are_an_error(vectors: Any) -> None:
    fake = FakeOllama()

    async def embed(_: Any) -> Any:
        return web.json_response({"embeddings": vectors})

    fake.embed = embed  # type: ignore[method-assign, assignment]
    body = {"model": EMBEDDER, "input": ["a", "b"], "encoding_format": "base64"}
    async with before("ollama", fake) as backend:
        assert isinstance(await error_of(backend.send(Request.parse(Kind.EMBEDDINGS, body))), UpstreamError)


def completion(**body: Any) -> Request:
    return Request.parse(Kind.COMPLETION, {"model": PLAIN, "prompt": "def add(", **body})


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("more", [{"suffix": "return a + b"}, {"raw": True}, {"suffix": "x", "raw": True}])
async def test_ollama_completion_without_template_or_with_suffix_uses_generate(stream: bool, more: dict[str, Any]) -> None:
    fake = FakeOllama(HELLO)
    async with before("ollama", fake) as backend:
        answer = await backend.send(completion(stream=stream, max_tokens=20, stop="x", keep_alive="30", **more))
        if stream:
            _, chunks = await read(answer)
            text = "".join(choice["text"] for chunk in chunks for choice in chunk["choices"])
        else:
            text = orjson.loads(await answer.body())["choices"][0]["text"]
            await answer.close()
    assert text == "Hello."
    assert fake.bodies("/api/generate") == [
        {
            "model": PLAIN,
            "prompt": "def add(",
            "stream": stream,
            "options": {"num_predict": 20, "stop": ["x"]},
            "keep_alive": 30,
            **more,
        }
    ]


async def test_ollama_completion_with_neither_is_a_chat() -> None:
    fake = FakeOllama(HELLO)
    async with before("ollama", fake) as backend:
        await (await backend.send(completion(suffix="", raw=False))).close()
    assert not fake.bodies("/api/generate")
    assert sent(fake)["messages"] == [{"role": "user", "content": "def add("}]


@pytest.mark.parametrize(("given", "expected"), [("-1", -1), ("30", 30), ("-5m", -1), ("5m", "5m"), ("", "10m"), (None, "10m")])
async def test_ollama_keep_alive_of_any_client_is_one_that_ollama_accepts(given: Any, expected: Any) -> None:
    fake = FakeOllama(HELLO)
    async with before("ollama", fake, options=OllamaOptions(keep_alive="10m")) as backend:
        await say(backend, chat(PLAIN, keep_alive=given))
    assert sent(fake)["keep_alive"] == expected


async def test_ollama_keep_alive_of_the_owner_may_be_a_number_as_text() -> None:
    fake = FakeOllama(HELLO)
    async with before("ollama", fake, options=OllamaOptions(keep_alive="-1")) as backend:
        await say(backend, chat(PLAIN))
    assert sent(fake)["keep_alive"] == -1
