"""`/v1beta/models/…`: Google's own SDK as the client of the built-in model, of scripted providers and of Google's fake."""

from base64 import b64decode
import json
from typing import Any
from urllib.parse import quote

from aiohttp import web
from google.genai import types
import pytest

from zeroconf_ai.dialects.reasoning import SIGNED_FORMAT

from ...support.clouds.asking import DIALECTS, before
from ...support.clouds.gemini import EMBEDDER, SIGNED, VECTOR, FakeGemini
from ...support.clouds.openai import FakeOpenAI
from ...support.clouds.server import PNG, Call, Reply
from ...support.fakes.chunks import delta
from ...support.fakes.provider import usage
from ...support.sdks import scripted
from ...support.server import Granting, Served, served
from .google_clients import HELLO, google, path

LIGHT = types.FunctionDeclaration(
    name="HassTurnOn",
    description="Turns on a device.",
    parameters=types.Schema(
        type=types.Type.OBJECT,
        properties={
            "name": types.Schema(type=types.Type.STRING, nullable=True),
            "rooms": types.Schema(type=types.Type.ARRAY, min_items=1, items=types.Schema(type=types.Type.STRING)),
        },
        required=["name"],
    ),
)
LOOK = types.FunctionDeclaration(name="look", parameters_json_schema={"type": "object", "properties": {"at": {"type": "string"}}})
CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at": "sky"}'}}
OTHER_CALL = {"index": 1, "id": "call_2", "type": "function", "function": {"name": "look", "arguments": "{}"}}
SEALED = {"index": 0, "format": SIGNED_FORMAT, "type": "reasoning.text", "text": "Hm.", "signature": "seal"}


def config(**fields: Any) -> types.GenerateContentConfig:
    off = types.AutomaticFunctionCallingConfig(disable=True)
    return types.GenerateContentConfig(**fields, automatic_function_calling=off)


def parts_of(*answers: types.GenerateContentResponse) -> list[types.Part]:
    return [part for answer in answers for part in answer.parts or ()]


@pytest.mark.parametrize(("base", "version"), [("", "v1beta"), ("", "v1"), ("/v1", "v1beta"), ("/v1", "v1")])
async def test_sdk_gets_an_answer(demo: Served, base: str, version: str) -> None:
    async with google(demo, version=version, base=base) as client:
        answer = await client.models.generate_content(model="demo-rules", contents="count to 3")
    assert answer.text == "1 2 3"
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert (answer.usage_metadata.candidates_token_count, answer.model_version) == (3, "demo-rules")
    assert answer.usage_metadata.total_token_count > 3


async def test_sdk_gets_a_stream(demo: Served) -> None:
    async with google(demo) as client:
        stream = await client.models.generate_content_stream(model="models/demo-rules", contents="count to 3")
        answers = [answer async for answer in stream]
    assert [answer.text for answer in answers[:3]] == ["1", " 2", " 3"]
    assert [answer.candidates[0].finish_reason for answer in answers] == [None, None, None, types.FinishReason.STOP]
    assert answers[-1].usage_metadata.candidates_token_count == 3


async def test_stream_without_sse_is_a_json_array(demo: Served) -> None:
    url = f"http://127.0.0.1:{demo.port}{path('streamGenerateContent', 'demo-rules')}"
    async with demo.session.post(url, json=HELLO) as response:
        assert (response.status, response.content_type) == (200, "application/json")
        answers = json.loads(await response.read())
    texts = [part["text"] for answer in answers for part in answer["candidates"][0]["content"]["parts"]]
    assert "".join(texts) == "1 2 3"
    assert answers[-1]["candidates"][0]["finishReason"] == "STOP"


@pytest.mark.parametrize("stream", [True, False])
async def test_parallel_calls_and_their_results_reach_the_provider(stream: bool) -> None:
    said = [delta("Hm."), delta(tool_calls=[CALL]), delta(tool_calls=[OTHER_CALL]), delta(finish="tool_calls"), usage()]
    async with scripted(said, [delta("Dark."), delta(finish="stop"), usage()]) as (gateway, provider), google(gateway) as client:
        asked = config(
            tools=[types.Tool(function_declarations=[LOOK, LIGHT])], system_instruction="Be brief.", max_output_tokens=50
        )
        contents: list[Any] = [types.Content(role="user", parts=[types.Part(text="Look")])]
        if stream:
            answers = [
                answer
                async for answer in await client.models.generate_content_stream(
                    model="test-model", contents=contents, config=asked
                )
            ]
        else:
            provider.answers[0] = whole({"role": "assistant", "content": "Hm.", "tool_calls": [CALL, OTHER_CALL]})
            answers = [await client.models.generate_content(model="test-model", contents=contents, config=asked)]
        parts = parts_of(*answers)
        calls = [part.function_call for part in parts if part.function_call]
        assert [(call.id, call.name, call.args) for call in calls] == [("call_1", "look", {"at": "sky"}), ("call_2", "look", {})]
        contents += [
            types.Content(role="model", parts=parts),
            types.Content(
                role="user",
                parts=[types.Part.from_function_response(name="look", response={"output": text}) for text in ("dark", "grey")],
            ),
        ]
        again = await client.models.generate_content(model="test-model", contents=contents, config=asked)
    assert again.text == "Dark."
    first, second = provider.requests
    assert first["messages"][0] == {"role": "system", "content": "Be brief."}
    assert first["max_tokens"] == 50
    assert first["tools"][1]["function"]["parameters"] == {
        "type": "object",
        "properties": {
            "name": {"type": ["string", "null"]},
            "rooms": {"type": "array", "minItems": 1, "items": {"type": "string"}},
        },
        "required": ["name"],
    }
    turn, *results = second["messages"][2:]
    assert [call["id"] for call in turn["tool_calls"]] == ["call_1", "call_2"]
    assert [(result["tool_call_id"], result["content"]) for result in results] == [("call_1", "dark"), ("call_2", "grey")]


def whole(message: Any, finish: str = "tool_calls") -> Any:
    """A complete answer of a provider."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"choices": [{"index": 0, "message": message, "finish_reason": finish}]})

    return answer


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"reasoning_content": "Hm."}, ("reasoning_content", "Hm.")),
        ({"reasoning_content": "Hm.", "reasoning_details": [SEALED]}, ("reasoning_details", [SEALED])),
    ],
)
async def test_reasoning_of_other_vendors_returns_in_a_signature(fields: Any, expected: tuple[str, Any], stream: bool) -> None:
    """Whether or not the client asked for thoughts: the provider refuses the tool's result without them."""
    first: Any = whole({"role": "assistant", "content": None, "tool_calls": [CALL], **fields})
    if stream:
        first = [delta(**fields), delta(tool_calls=[CALL]), delta(finish="tool_calls"), usage()]
    async with scripted(first, [delta("Dark."), delta(finish="stop"), usage()]) as (gateway, provider), google(gateway) as client:
        asked = config(tools=[types.Tool(function_declarations=[LOOK])])
        if stream:
            answers = [
                answer
                async for answer in await client.models.generate_content_stream(model="test-model", contents="Look", config=asked)
            ]
        else:
            answers = [await client.models.generate_content(model="test-model", contents="Look", config=asked)]
        parts = parts_of(*answers)
        assert not any(part.thought for part in parts)
        contents = [
            types.Content(role="user", parts=[types.Part(text="Look")]),
            types.Content(role="model", parts=parts),
            types.Content(role="user", parts=[types.Part.from_function_response(name="look", response={"sky": "dark"})]),
        ]
        await client.models.generate_content(model="test-model", contents=contents, config=asked)
    turn = provider.requests[1]["messages"][1]
    assert turn[expected[0]] == expected[1]
    assert "extra_content" not in turn["tool_calls"][0]
    assert provider.requests[1]["messages"][2]["content"] == '{"sky":"dark"}'


@pytest.mark.parametrize("stream", [True, False])
async def test_googles_signature_returns_to_google(stream: bool) -> None:
    speech = Reply("It is warm.", "Let me look.", "sealed", (Call("look", {"at": "sky"}),))
    fake = FakeGemini(speech, Reply("Dark."))
    async with before("gemini", fake) as backend, served(backend) as gateway, google(gateway) as client:
        thinking = types.ThinkingConfig(include_thoughts=True, thinking_level=types.ThinkingLevel.LOW)
        safety = types.SafetySetting(
            category=types.HarmCategory.HARM_CATEGORY_HARASSMENT, threshold=types.HarmBlockThreshold.BLOCK_NONE
        )
        asked = config(
            tools=[types.Tool(function_declarations=[LOOK])], thinking_config=thinking, safety_settings=[safety], top_k=20
        )
        chat = client.chats.create(model=SIGNED, config=asked)
        if stream:
            answers = [answer async for answer in await chat.send_message_stream("Look")]
        else:
            answers = [await chat.send_message("Look")]
        parts = parts_of(*answers)
        assert "".join(part.text for part in parts if part.text and part.thought) == "Let me look."
        assert [part.thought_signature for part in parts if part.function_call] == [b"sealed"]
        call = next(part.function_call for part in parts if part.function_call)
        result = types.FunctionResponse(id=call.id, name="look", response={"output": "dark"})
        assert (await chat.send_message(types.Part(function_response=result))).text == "Dark."
    first, second = (received.body for received in fake.received if received.path.endswith("enerateContent"))
    assert first["safetySettings"][0]["threshold"] == "BLOCK_NONE"
    assert first["generationConfig"]["topK"] == 20
    assert {name.lower().replace("_", "") for name in first["generationConfig"]["thinkingConfig"]} == {
        "includethoughts",
        "thinkinglevel",
    }
    [sealed] = [part["thoughtSignature"] for part in second["contents"][1]["parts"] if "functionCall" in part]
    assert b64decode(sealed) == b"sealed"


async def test_thoughts_are_included_if_they_are_requested() -> None:
    said = [delta(reasoning_content="Hm, "), delta(reasoning_content="two."), delta("2"), delta(finish="stop"), usage()]
    async with scripted(said) as (gateway, provider), google(gateway) as client:
        thinking = types.ThinkingConfig(include_thoughts=True, thinking_budget=1000)
        stream = await client.models.generate_content_stream(
            model="test-model", contents="Hi", config=config(thinking_config=thinking)
        )
        parts = parts_of(*[answer async for answer in stream])
        plain = parts_of(
            *[answer async for answer in await client.models.generate_content_stream(model="test-model", contents="Hi")]
        )
    assert [(part.text, part.thought) for part in parts if part.text] == [("Hm, ", True), ("two.", True), ("2", None)]
    assert [part.text for part in plain if part.text] == ["2"]
    assert provider.requests[0]["reasoning_effort"] == "low"


async def test_image_and_other_media_reach_the_provider() -> None:
    async with scripted([delta("A dot."), delta(finish="stop"), usage()]) as (gateway, provider), google(gateway) as client:
        image = types.Part.from_bytes(data=b64decode(PNG), mime_type="image/png")
        file = types.Part.from_bytes(data=b"%PDF-1.7 \xff\xfe\xfb", mime_type="application/pdf")
        audio = types.Part.from_bytes(data=b"RIFF\xff\xfe\xfb", mime_type="audio/wav")
        answer = await client.models.generate_content(model="test-model", contents=["What is it?", image, file, audio])
    assert answer.text == "A dot."
    text, picture, document, sound = provider.requests[0]["messages"][0]["content"]
    assert text == {"type": "text", "text": "What is it?"}
    assert picture["image_url"]["url"] == f"data:image/png;base64,{PNG}"
    assert document["file"]["file_data"] == "data:application/pdf;base64,JVBERi0xLjcg//77"
    assert sound["input_audio"] == {"data": "UklGRv/++w==", "format": "wav"}


@pytest.mark.parametrize("kind", ["response_schema", "response_json_schema"])
async def test_structured_answer_has_the_schema(kind: str) -> None:
    schema = {"type": "object", "properties": {"warm": {"type": "boolean"}}, "required": ["warm"]}
    answers = [delta('{"warm":true}'), delta(finish="stop"), usage()]
    async with scripted(answers) as (gateway, provider), google(gateway) as client:
        asked = config(response_mime_type="application/json", **{kind: schema})
        answer = await client.models.generate_content(model="test-model", contents="Warm?", config=asked)
        await client.models.generate_content(
            model="test-model", contents="Warm?", config=config(response_mime_type="application/json")
        )
    assert json.loads(answer.text) == {"warm": True}
    assert provider.requests[0]["response_format"]["json_schema"]["schema"] == schema
    assert provider.requests[1]["response_format"] == {"type": "json_object"}


async def test_function_choice_is_passed_on() -> None:
    async with scripted([delta("No."), delta(finish="stop"), usage()]) as (gateway, provider), google(gateway) as client:
        for mode, allowed in (("NONE", None), ("ANY", None), ("ANY", ["look"]), ("AUTO", None)):
            calling = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode(mode), allowed_function_names=allowed)
            asked = config(
                tools=[types.Tool(function_declarations=[LOOK, LIGHT])],
                tool_config=types.ToolConfig(function_calling_config=calling),
            )
            await client.models.generate_content(model="test-model", contents="Hi", config=asked)
    choices = [request.get("tool_choice") for request in provider.requests]
    assert choices == ["none", "required", {"type": "function", "function": {"name": "look"}}, None]
    assert [len(request["tools"]) for request in provider.requests] == [2, 2, 1, 2]


async def test_sdk_gets_embeddings() -> None:
    async with before("gemini", FakeGemini(Reply("x"))) as backend, served(backend) as gateway, google(gateway) as client:
        texts: Any = ["a", "b"]
        found = await client.models.embed_content(model=EMBEDDER, contents=texts)
        short = types.EmbedContentConfig(output_dimensionality=2, task_type="CLUSTERING")
        cut = await client.models.embed_content(model=EMBEDDER, contents="a", config=short)
        body = {"content": {"parts": [{"text": "a"}]}}
        status, one, _ = await gateway.ask("POST", path("embedContent", EMBEDDER), json=body)
    assert [tuple(vector.values) for vector in found.embeddings] == [VECTOR] * 2
    assert tuple(cut.embeddings[0].values) == VECTOR[:2]
    assert (status, tuple(one["embedding"]["values"])) == (200, VECTOR)


async def test_sdk_counts_tokens_without_a_model() -> None:
    async with scripted([delta("never")]) as (gateway, provider), google(gateway) as client:
        count = await client.models.count_tokens(model="test-model", contents="a" * 400)
        inner = {"generateContentRequest": {"model": "models/test-model", **HELLO}}
        status, body, _ = await gateway.ask("POST", path("countTokens"), json=inner)
    assert count.total_tokens == 100
    assert (status, body) == (200, {"totalTokens": 2})
    assert provider.requests == []


async def test_sdk_lists_models_in_pages() -> None:
    async with before("gemini", FakeGemini()) as backend, served(backend) as gateway, google(gateway) as client:
        listed = {model.name: model async for model in await client.models.list()}
        paged = [model.name async for model in await client.models.list(config={"page_size": 2})]
        one = await client.models.get(model=EMBEDDER)
        status, body, _ = await gateway.ask("GET", "/v1beta/models?pageToken=x")
    assert list(listed) == paged
    assert "models/auto" in listed
    assert listed[f"models/{SIGNED}"].supported_actions == ["generateContent", "countTokens"]
    assert listed[f"models/{SIGNED}"].input_token_limit == 1_048_576
    assert one.supported_actions == ["embedContent", "batchEmbedContents"]
    assert (status, body["error"]["status"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("cloud", DIALECTS)
async def test_tools_that_google_runs_are_named_if_another_api_answers(cloud: str, stream: bool) -> None:
    dialect = DIALECTS[cloud]
    fake = dialect.fake()
    tools = [{"googleSearch": {}}, {"url_context": {}, "functionDeclarations": [{"name": "look"}]}, {"googleSearch": {}}]
    method = "streamGenerateContent" if stream else "generateContent"
    async with before(cloud, fake) as backend, served(backend, access=Granting("web_search", "web_fetch")) as gateway:
        status, answered, headers = await gateway.ask(
            "POST", path(method, quote(dialect.model, safe="")), json=HELLO | {"tools": tools}
        )
    assert status == 200
    assert isinstance(answered, list) is stream
    asked = fake.last.body["tools"]
    if cloud == "gemini":
        assert "X-ZeroconfAI-Dropped-Tools" not in headers
        assert {"googleSearch": {}} in asked
    else:
        assert headers["X-ZeroconfAI-Dropped-Tools"] == "googleSearch, url_context"
        assert "googleSearch" not in str(asked)


async def test_chat_with_googles_tools_names_them_if_another_api_answers() -> None:
    chat: Any = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Hi"}]}
    asked = chat | {"extra_body": {"google": {"tools": [{"google_search": {}}]}}}
    async with before("openai", FakeOpenAI()) as backend, served(backend) as gateway:
        _, answered, headers = await gateway.ask("POST", "/v1/chat/completions", json=asked)
    assert (answered["dropped_tools"], headers["X-ZeroconfAI-Dropped-Tools"]) == (["google_search"], "google_search")


async def test_repeated_result_of_a_function_is_left_out() -> None:
    """As Gemini CLI sends it when it resumes a conversation."""
    called = {"functionCall": {"id": "look_1", "name": "look", "args": {}}}
    result = {"functionResponse": {"id": "look_1", "name": "look", "response": {"output": "dark"}}}
    turn = [{"role": "model", "parts": [called]}, {"role": "user", "parts": [result, result]}]
    later = [*HELLO["contents"], *turn, {"role": "model", "parts": [{"text": "Dark."}]}, {"role": "user", "parts": [result]}]
    async with scripted([delta("Dark."), delta(finish="stop"), usage()]) as (gateway, provider):
        status, _, _ = await gateway.ask("POST", path("generateContent"), json={"contents": [*later, *turn]})
    assert status == 200
    messages = provider.requests[0]["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant", "tool"]
    assert [message["content"] for message in messages if message["role"] == "tool"] == ["dark", "dark"]


@pytest.mark.parametrize("finish", ["length", "content_filter"])
async def test_finish_reason_is_googles(finish: str) -> None:
    async with scripted([delta("Once"), delta(finish=finish), usage()]) as (gateway, _), google(gateway) as client:
        answer = await client.models.generate_content(model="test-model", contents="Hi")
    assert answer.candidates[0].finish_reason == {"length": "MAX_TOKENS", "content_filter": "SAFETY"}[finish]
