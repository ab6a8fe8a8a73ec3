"""Each fake is held to its provider's own SDK, in its strict mode: a fake that drifts from the real thing fails here."""

from contextlib import AsyncExitStack
import gc
from typing import Any

import anthropic
from google import genai
from google.genai import errors, types
import ollama
import openai
import pytest

from ...support.clouds import anthropic as claude, gemini, openai as gpt
from ...support.clouds.anthropic import FakeAnthropic
from ...support.clouds.gemini import FakeGemini
from ...support.clouds.ollama import EMBEDDER, THINKER, FakeOllama
from ...support.clouds.openai import FakeOpenAI, FakeOpenRouter
from ...support.clouds.server import Call, Fault, Refusal, Reply
from ...support.waiting import run_pending_tasks

HI: Any = [{"role": "user", "content": "Hi"}]
SPEECH = Reply("It is warm.", "Let me look.", "sealed", (Call("read", {"room": "attic"}), Call("stop", id="toolu_02B")))


def openai_client(fake: FakeOpenAI) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=fake.base_url, api_key=fake.key, max_retries=0, _strict_response_validation=True)


def claude_client(fake: FakeAnthropic) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=fake.root, api_key=fake.key, max_retries=0, _strict_response_validation=True)


def google_client(fake: FakeGemini, key: str | None = None) -> genai.Client:
    return genai.Client(api_key=key or fake.key, http_options=types.HttpOptions(base_url=fake.root))


@pytest.mark.parametrize("kind", [FakeOpenAI, FakeOpenRouter])
async def test_openai_sdk_parses_the_fake_openai_and_openrouter(kind: type[FakeOpenAI]) -> None:
    async with kind(SPEECH) as fake, openai_client(fake) as client:
        whole = await client.chat.completions.create(model="gpt-4.1", messages=HI)
        assert whole.choices[0].message.content == "It is warm."
        assert [call.id for call in whole.choices[0].message.tool_calls or ()] == ["toolu_01A", "toolu_02B"]
        async with client.chat.completions.stream(model="gpt-4.1", messages=HI, stream_options={"include_usage": True}) as stream:
            final = await stream.get_final_completion()
        assert final.choices[0].message.content == "It is warm."
        assert [call.function.name for call in final.choices[0].message.tool_calls or ()] == ["read", "stop"]
        assert final.usage is not None
        assert final.usage.total_tokens == 29
        old = await client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Hi")
        assert old.choices[0].text == "It is warm."
        lenient = openai.AsyncOpenAI(base_url=fake.base_url, api_key=fake.key)  # its types do not know the base64 it asks for
        async with lenient:
            vectors = await lenient.embeddings.create(model=gpt.EMBEDDING_MODEL, input=["a", "b"])
        assert [tuple(item.embedding) for item in vectors.data] == [gpt.VECTOR] * 2


async def test_openai_sdk_reads_the_fakes_models_and_errors() -> None:
    async with (
        FakeOpenAI(Refusal(429, "slow down", headers={"retry-after": "7"}), Fault("error")) as fake,
        openai_client(fake) as client,
    ):
        assert gpt.EMBEDDING_MODEL in [model.id async for model in client.models.list()]
        with pytest.raises(openai.RateLimitError) as limited:
            await client.chat.completions.create(model="gpt-4.1", messages=HI)
        assert limited.value.response.headers["retry-after"] == "7"
        with pytest.raises(openai.APIError, match="The server had an error"):
            async for _ in await client.chat.completions.create(model="gpt-4.1", messages=HI, stream=True):
                pass
        with pytest.raises(openai.AuthenticationError):
            await client.with_options(api_key="wrong").models.list()


@pytest.mark.parametrize("model", [claude.ADAPTIVE, claude.BOTH])
async def test_anthropic_sdk_parses_the_fake(model: str) -> None:
    async with FakeAnthropic(SPEECH) as fake, claude_client(fake) as client:
        whole = await client.messages.create(model=model, max_tokens=100, messages=HI)
        async with client.messages.stream(model=model, max_tokens=100, messages=HI) as stream:
            streamed = await stream.get_final_message()
        for message in (whole, streamed):
            assert [block.type for block in message.content] == ["thinking", "text", "tool_use", "tool_use"]
            assert message.stop_reason == "tool_use"
            assert message.usage.cache_read_input_tokens == 6
        first, second = streamed.content[2:]
        assert isinstance(first, anthropic.types.ToolUseBlock)
        assert isinstance(second, anthropic.types.ToolUseBlock)
        assert (first.input, second.input) == ({"room": "attic"}, {})


async def test_anthropic_sdk_reads_the_fakes_models_and_errors() -> None:
    async with (
        FakeAnthropic(Refusal(529, "Overloaded", "overloaded_error"), Fault("error"), page=2) as fake,
        claude_client(fake) as client,
    ):
        listed = [model async for model in client.models.list()]
        assert [model.id for model in listed] == [claude.ADAPTIVE, claude.BOTH, claude.MANUAL, claude.OLDEST]
        assert listed[0].capabilities is not None
        assert listed[0].capabilities.thinking.types.adaptive.supported
        with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
            await client.messages.create(model=claude.BOTH, max_tokens=9, messages=HI)
        with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
            async with client.messages.stream(model=claude.BOTH, max_tokens=9, messages=HI) as stream:
                await stream.get_final_message()
        with pytest.raises(anthropic.AuthenticationError):
            await client.with_options(api_key="wrong").models.list()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"messages": [{"role": "user", "content": " "}]}, "non-empty"),
        ({"messages": [{"role": "assistant", "content": "Hi"}]}, "user role"),
        ({"stop_sequences": [" "]}, "non-whitespace"),
        ({"extra_body": {"temperature": 0.5}}, "Extra inputs"),
        ({"extra_body": {"temperature": 0.5}, "extra_headers": {"anthropic-version": claude.OLD}}, "deprecated"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "not supported"),
        ({"tools": [{"name": "x"}]}, "input_schema"),
    ],
)
async def test_fake_claude_refuses_like_the_real_api(body: dict[str, Any], why: str) -> None:
    async with FakeAnthropic() as fake, claude_client(fake) as client:
        with pytest.raises(anthropic.BadRequestError, match=why):
            await client.messages.create(**{"model": claude.ADAPTIVE, "max_tokens": 100, "messages": HI, **body})


async def test_ollama_sdk_parses_the_fake() -> None:
    async with FakeOllama(SPEECH) as fake, AsyncExitStack() as scope:
        client = await scope.enter_async_context(ollama.AsyncClient(host=fake.root))
        whole = await client.chat(THINKER, HI, think=True)
        assert (whole.message.content, whole.message.thinking, whole.done_reason) == ("It is warm.", "Let me look.", "stop")
        text, names = "", []
        async for part in await client.chat(THINKER, HI, stream=True):
            text += part.message.content or ""
            names += [call.function.name for call in part.message.tool_calls or ()]
        assert (text, names) == ("It is warm.", ["read", "stop"])
        assert (await client.embed(EMBEDDER, ["a", "b"])).embeddings == [[0.25, -0.5, 0.125]] * 2
        assert THINKER in [model.model for model in (await client.list()).models]
        assert (await client.ps()).models[0].context_length == 8192
        assert "thinking" in ((await client.show(THINKER)).capabilities or ())
        with pytest.raises(ollama.ResponseError) as refused:
            await client.chat("nowhere", HI)
        assert refused.value.status_code == 404


async def test_ollama_sdk_reads_the_fakes_stream_error() -> None:
    async with FakeOllama(Fault("error", after=1)) as fake, ollama.AsyncClient(host=fake.root) as client:
        with pytest.raises(ollama.ResponseError, match="runner process"):
            async for _ in await client.chat(THINKER, HI, stream=True):
                pass
        gc.collect()  # the SDK leaves its reader of lines to the garbage collector, which leaves it to the loop
        await run_pending_tasks()


@pytest.mark.parametrize("model", [gemini.FLASH, gemini.SIGNED])
async def test_google_sdk_parses_the_fake(model: str) -> None:
    async with FakeGemini(SPEECH) as fake, google_client(fake).aio as client:
        whole = await client.models.generate_content(model=model, contents="Hi")
        streamed = [answer async for answer in await client.models.generate_content_stream(model=model, contents="Hi")]
        for answers in ([whole], streamed):
            parts = [part for answer in answers for part in answer.parts or ()]
            assert "".join(part.text for part in parts if part.text and part.thought) == "Let me look."
            assert "".join(part.text for part in parts if part.text and not part.thought) == "It is warm."
            calls = [(part.function_call.name, part.thought_signature) for part in parts if part.function_call]
            assert calls == [("read", b"sealed"), ("stop", None)]
            assert [candidate.finish_reason for candidate in answers[-1].candidates or ()] == [types.FinishReason.STOP]
            assert answers[-1].usage_metadata is not None
            assert answers[-1].usage_metadata.total_token_count == 29
        texts: Any = ["a", "b"]
        vectors = await client.models.embed_content(model=gemini.EMBEDDER, contents=texts)
        assert [tuple(vector.values or ()) for vector in vectors.embeddings or ()] == [gemini.VECTOR] * 2
        assert (await client.models.count_tokens(model=model, contents="Hi")).total_tokens == 7


async def test_google_sdk_reads_the_fakes_models_and_errors() -> None:
    refused = Refusal(429, "Quota exceeded", param="37s")
    async with FakeGemini(refused, Fault("error"), page=2) as fake, google_client(fake).aio as client:
        listed = {model.name: model async for model in await client.models.list()}
        assert f"models/{gemini.EMBEDDER}" in listed
        assert listed[f"models/{gemini.FLASH}"].input_token_limit == 1_048_576
        with pytest.raises(errors.ClientError) as limited:
            await client.models.generate_content(model=gemini.FLASH, contents="Hi")
        assert (limited.value.code, limited.value.status) == (429, "RESOURCE_EXHAUSTED")
        with pytest.raises(errors.APIError, match="overloaded"):
            async for _ in await client.models.generate_content_stream(model=gemini.FLASH, contents="Hi"):
                pass
        with pytest.raises(errors.ClientError, match="gemini-0"):
            await client.models.generate_content(model="gemini-0", contents="Hi")
        async with google_client(fake, "wrong").aio as stranger:
            with pytest.raises(errors.ClientError, match="API key not valid"):
                await stranger.models.list()


@pytest.mark.parametrize(
    ("model", "config", "why"),
    [
        (gemini.NEWEST, {"temperature": 0.5}, "not supported"),
        (gemini.FLASH, {"thinking_config": {"thinking_level": "LOW"}}, "Thinking level"),
        (gemini.GEMMA, {"system_instruction": "Be brief."}, "Developer instruction"),
        (gemini.GEMMA, {"thinking_config": {"include_thoughts": True}}, "Thinking is not enabled"),
        (gemini.FLASH, {"presence_penalty": 0.5}, "Penalty"),
        (gemini.FLASH, {"max_output_tokens": 1_000_000}, "max_output_tokens"),
    ],
)
async def test_fake_gemini_refuses_like_the_real_api(model: str, config: Any, why: str) -> None:
    async with FakeGemini() as fake, google_client(fake).aio as client:
        with pytest.raises(errors.ClientError, match=why):
            await client.models.generate_content(model=model, contents="Hi", config=config)
