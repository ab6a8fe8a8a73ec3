"""The usage that providers report, as the clients of each dialect see it and as it is recorded."""

from collections.abc import AsyncIterator
import json
from typing import Any

import aiohttp
from anthropic import AsyncAnthropic
from openai.types.chat import ChatCompletion, ChatCompletionChunk
import pytest

from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.protocol.usage import Usage
from zeroconf_ai.routing.accounting import Accounting

from ...support.clouds.anthropic import FakeAnthropic
from ...support.clouds.asking import DIALECTS, before
from ...support.clouds.server import Reply
from ...support.fakes.chunks import delta
from ...support.fakes.provider import FakeProvider
from ...support.fakes.recorder import MemoryRecorder
from ...support.server import CHAT, Served, events, served, upstream

COUNTS = {"prompt_tokens": 100, "completion_tokens": 9, "total_tokens": 109}
ZEROS = dict.fromkeys(COUNTS, 0)
HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5, "model": "test-model"}
ROLE: dict[str, Any] = HEAD | delta("", role="assistant")
WORD: dict[str, Any] = HEAD | delta("Hello, this is an answer.")
STOP: dict[str, Any] = HEAD | delta(finish="stop")
LAST: dict[str, Any] = HEAD | {"choices": [], "usage": COUNTS}


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """For the backends."""
    async with aiohttp.ClientSession() as session:
        yield session


async def streamed(gateway: Served, options: dict[str, Any] | None = None, **body: Any) -> list[dict[str, Any]]:
    """The chunks of a chat, which ends with `[DONE]`."""
    sent = CHAT | {"stream": True} | body | ({} if options is None else {"stream_options": options})
    async with gateway.session.post(f"{gateway.url}/chat/completions", json=sent) as response:
        found = await events(response)
    assert found.pop() == "[DONE]"
    return [json.loads(event) for event in found]


async def messages(gateway: Served, **body: Any) -> list[Any]:
    """The events of a stream that Anthropic's client reads."""
    async with AsyncAnthropic(base_url=gateway.url.removesuffix("/v1"), api_key="unused", max_retries=0) as client:
        return [event async for event in await client.messages.create(**body, max_tokens=50, stream=True)]


IN_THE_LAST_CHUNK = [ROLE, WORD, STOP | {"usage": COUNTS}]
IN_EACH_CHUNK = [
    ROLE | {"usage": {"prompt_tokens": 100, "completion_tokens": 0, "total_tokens": 100}},
    WORD | {"usage": {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105}},
    STOP | {"usage": COUNTS},
]
STREAMS = {
    "at the end": [ROLE, WORD, STOP, LAST],
    "in the last chunk": IN_THE_LAST_CHUNK,
    "in each chunk": IN_EACH_CHUNK,
    "in each chunk and at the end": [*IN_EACH_CHUNK, LAST],
    "twice": [*IN_THE_LAST_CHUNK, LAST],
    "in the choice": [ROLE, WORD, HEAD | {"choices": [STOP["choices"][0] | {"usage": COUNTS}]}],
    "of Groq": [ROLE, WORD, STOP | {"x_groq": {"id": "req_1", "usage": COUNTS}}],
    "of llama.cpp": [ROLE, WORD, STOP | {"timings": {"prompt_n": 100, "predicted_n": 9}}],
    "zeros after it": [*IN_THE_LAST_CHUNK, HEAD | {"choices": [], "usage": ZEROS}],
    "zeros in each chunk before it": [*(chunk | {"usage": ZEROS} for chunk in (ROLE, WORD, STOP)), LAST],
    "in parts": [
        ROLE | {"usage": {"prompt_tokens": 100, "completion_tokens": 0}},
        WORD,
        STOP | {"usage": {"prompt_tokens": 0, "completion_tokens": 9}},
    ],
    "as texts": [ROLE, WORD, STOP, HEAD | {"choices": [], "usage": {name: str(count) for name, count in COUNTS.items()}}],
    "in a chunk with an empty choice": [ROLE, WORD, STOP, HEAD | delta("", role="assistant") | {"usage": COUNTS}],
    "with choices null": [ROLE, WORD, STOP, HEAD | {"choices": None, "usage": COUNTS}],
}


@pytest.mark.parametrize("wanted", [None, {"include_usage": False}, {"include_usage": True}], ids=str)
@pytest.mark.parametrize("sent", STREAMS.values(), ids=STREAMS)
async def test_usage_of_a_stream_is_shown_once_at_its_end_if_requested_and_recorded(
    session: aiohttp.ClientSession, sent: list[dict[str, Any]], wanted: dict[str, Any] | None
) -> None:
    recorder = MemoryRecorder()
    async with upstream(FakeProvider(answers=[sent]), session) as backend, served(backend) as gateway:
        await gateway.engine.attach(Accounting(recorder))
        found = await streamed(gateway, wanted)
    usage = [chunk for chunk in found if chunk.get("usage")]
    if wanted == {"include_usage": True}:
        assert usage == [found[-1]]
        assert (found[-1]["choices"], found[-1]["id"], found[-1]["model"]) == ([], "chatcmpl-1", "test-model")
        assert Usage.parse(found[-1]["usage"]) == Usage(100, 9)
        assert "estimated" not in found[-1]["usage"]
        for chunk in found:
            ChatCompletionChunk.model_validate(chunk)
    else:
        assert usage == []
        assert all(chunk["choices"] for chunk in found)
    assert not any("usage" in choice for chunk in found for choice in chunk["choices"])
    assert "".join(choice["delta"].get("content") or "" for chunk in found for choice in chunk["choices"]) == (
        "Hello, this is an answer."
    )
    assert recorder.only.usage == Usage(100, 9)
    assert recorder.only.estimated is False


@pytest.mark.parametrize("last", [[], [HEAD | {"choices": [], "usage": ZEROS}], [HEAD | {"choices": [], "usage": None}]], ids=str)
async def test_usage_that_is_not_reported_is_estimated_for_the_client_and_the_record(
    session: aiohttp.ClientSession, last: list[dict[str, Any]]
) -> None:
    recorder = MemoryRecorder()
    async with upstream(FakeProvider(answers=[[ROLE, WORD, STOP, *last]]), session) as backend, served(backend) as gateway:
        await gateway.engine.attach(Accounting(recorder))
        found = await streamed(gateway, {"include_usage": True})
    entry = recorder.only
    assert entry.estimated
    assert 0 < entry.usage.prompt_tokens < 5
    assert 4 < entry.usage.completion_tokens < 9
    assert found[-1] == HEAD | {"choices": [], "usage": entry.usage.to_json() | {"estimated": True}}
    assert not any(chunk.get("usage") for chunk in found[:-1])


async def test_usage_of_chinese_that_is_not_reported_is_estimated_by_its_characters(session: aiohttp.ClientSession) -> None:
    recorder = MemoryRecorder()
    said = [ROLE, *[HEAD | delta("客厅的灯开着。")] * 4, STOP]
    async with upstream(FakeProvider(answers=[said]), session) as backend, served(backend) as gateway:
        await gateway.engine.attach(Accounting(recorder))
        await streamed(gateway, messages=[{"role": "user", "content": "客厅的灯开着吗？" * 5}])
    assert recorder.only.usage.prompt_tokens == 40
    assert 20 <= recorder.only.usage.completion_tokens <= 30
    assert recorder.only.estimated


async def test_usage_without_the_prompt_is_completed_by_an_estimate(session: aiohttp.ClientSession) -> None:
    recorder = MemoryRecorder()
    sent = [ROLE, WORD, STOP, HEAD | {"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 9, "total_tokens": 9}}]
    async with upstream(FakeProvider(answers=[sent]), session) as backend, served(backend) as gateway:
        await gateway.engine.attach(Accounting(recorder))
        await streamed(gateway)
    assert recorder.only.usage == Usage(Request.parse(Kind.CHAT, CHAT).estimated_prompt_tokens, 9)
    assert recorder.only.estimated is True


async def test_usage_requested_in_each_chunk_is_passed_on(session: aiohttp.ClientSession) -> None:
    async with upstream(FakeProvider(answers=[[*IN_EACH_CHUNK, LAST]]), session) as backend, served(backend) as gateway:
        found = await streamed(gateway, {"include_usage": True, "continuous_usage_stats": True})
    assert found == [IN_EACH_CHUNK[0] | {"provider": "Upstream"}, *IN_EACH_CHUNK[1:], LAST]


@pytest.mark.parametrize("sent", STREAMS.values(), ids=STREAMS)
async def test_usage_of_a_stream_reaches_clients_of_anthropic(session: aiohttp.ClientSession, sent: list[dict[str, Any]]) -> None:
    async with upstream(FakeProvider(answers=[sent]), session) as backend, served(backend) as gateway:
        found = await messages(gateway, model="test-model", messages=[{"role": "user", "content": "Hi " * 100}])
    (start,) = (event for event in found if event.type == "message_start")
    (end,) = (event for event in found if event.type == "message_delta")
    assert start.message.usage.input_tokens in (75, 100)  # the estimate, or what the first chunk reports
    assert start.message.usage.output_tokens == 0
    assert (end.usage.input_tokens, end.usage.output_tokens) == (100, 9)


async def test_usage_of_anthropic_is_in_the_first_event_for_its_clients() -> None:
    async with before("anthropic", FakeAnthropic(Reply("All is well."))) as backend, served(backend) as gateway:
        found = await messages(gateway, model=DIALECTS["anthropic"].model, messages=[{"role": "user", "content": "Hi"}])
    (start,) = (event.message.usage for event in found if event.type == "message_start")
    assert (start.input_tokens, start.cache_read_input_tokens, start.cache_creation_input_tokens) == (10, 6, 5)


@pytest.mark.parametrize("name", ["anthropic", "ollama"])
async def test_answer_that_is_translated_has_all_fields_that_openai_requires(name: str) -> None:
    dialect = DIALECTS[name]
    async with before(name, dialect.fake(Reply("All is well."))) as backend, served(backend) as gateway:
        status, body, _ = await gateway.ask("POST", "chat/completions", json=CHAT | {"model": dialect.model})
    assert status == 200
    ChatCompletion.model_validate(body, strict=True)
    (choice,) = body["choices"]
    assert choice["message"] == {"role": "assistant", "content": "All is well.", "refusal": None}
    assert choice["logprobs"] is None
