"""The built-in model as a backend: pace, queue, tokens, limits."""

import asyncio
import itertools
import time
from typing import Any

import orjson
import pytest

from zeroconf_ai.backends.demo.backend import DemoBackend, words
from zeroconf_ai.protocol.chunks import Delta, Message
from zeroconf_ai.protocol.errors import InvalidRequestError, NotFoundError, UnavailableError
from zeroconf_ai.protocol.request import Kind, Request

from ....support.waiting import next_turn


def question(sentence: str, **body: Any) -> Request:
    full = {"model": "demo-rules", "messages": [{"role": "user", "content": sentence}], **body}
    return Request.parse(Kind.CHAT, full)


async def whole(backend: DemoBackend, request: Request) -> dict[str, Any]:
    answer = await backend.send(request)
    try:
        parsed: dict[str, Any] = orjson.loads(await answer.body())
        return parsed
    finally:
        await answer.close()


async def streamed(backend: DemoBackend, request: Request) -> Message:
    message = Message()
    answer = await backend.send(request)
    try:
        async for batch in answer.batches():
            for chunk in batch:
                message.add(Delta.parse(chunk.data))
    finally:
        await answer.close()
    return message


def quick(**options: Any) -> DemoBackend:
    return DemoBackend(word_seconds=0.0, **options)


@pytest.mark.parametrize("text", ["", " ", "one", " one  two\nthree ", "x" * 100, "naïve 🏠 café"])
def test_demo_words_joined_are_the_text(text: str) -> None:
    assert "".join(words(text)) == text


async def test_demo_answer_is_the_same_streamed_and_complete() -> None:
    backend = quick()
    body = await whole(backend, question("What can you do?"))
    message = await streamed(backend, question("What can you do?", stream=True, stream_options={"include_usage": True}))
    assert message.content == body["choices"][0]["message"]["content"]
    assert message.finish_reason == body["choices"][0]["finish_reason"] == "stop"
    assert message.usage is not None
    assert message.usage.to_json() == body["usage"]
    assert body["usage"]["prompt_tokens"] == 4
    assert body["usage"]["completion_tokens"] == len(message.content.split())


async def test_demo_stream_without_requested_usage_has_none() -> None:
    assert (await streamed(quick(), question("hello", stream=True))).usage is None


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
async def test_demo_token_limit_is_enforced(limit: str) -> None:
    body = await whole(quick(), question("count to 9", **{limit: 4}))
    assert body["choices"][0]["message"]["content"] == "1 2 3 4"
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 4
    body = await whole(quick(), question("count to 9", **{limit: 9}))
    assert body["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(("stop", "said"), [(" 4", "1 2 3"), (["x", "3", "2"], "1 "), ("1", None), ([], "1 2 3 4 5")])
async def test_demo_stop_sequences_end_the_answer(stop: Any, said: str | None) -> None:
    body = await whole(quick(), question("count to 5", stop=stop))
    assert body["choices"][0]["message"]["content"] == said
    assert body["choices"][0]["finish_reason"] == "stop"


async def test_demo_several_answers_are_refused() -> None:
    with pytest.raises(InvalidRequestError) as raised:
        await quick().send(question("hello", n=2))
    assert raised.value.param == "n"


async def test_demo_models_chat_and_embed() -> None:
    backend = quick()
    with pytest.raises(InvalidRequestError, match="use demo-rules"):
        await backend.send(Request.parse(Kind.CHAT, {"model": "demo-embed", "messages": [{"role": "user", "content": "x"}]}))
    with pytest.raises(InvalidRequestError, match="use demo-embed"):
        await backend.send(Request.parse(Kind.EMBEDDINGS, {"model": "demo-rules", "input": "x"}))
    with pytest.raises(NotFoundError) as raised:
        await backend.send(Request.parse(Kind.CHAT, {"model": "gpt", "messages": [{"role": "user", "content": "x"}]}))
    assert raised.value.code == "model_not_found"


async def test_demo_text_completion_answers_each_prompt() -> None:
    request = Request.parse(Kind.COMPLETION, {"model": "demo-rules", "prompt": ["count to 2", "say hi"], "echo": True})
    body = await whole(quick(), request)
    assert [choice["text"] for choice in body["choices"]] == ["count to 21 2", "say hihi"]
    assert [choice["index"] for choice in body["choices"]] == [0, 1]
    assert body["object"] == "text_completion"
    with pytest.raises(InvalidRequestError) as raised:
        await quick().send(Request.parse(Kind.COMPLETION, {"model": "demo-rules", "prompt": [1, 2]}))
    assert raised.value.param == "prompt"


async def test_demo_text_completion_stream_has_requested_usage() -> None:
    body = {"model": "demo-rules", "prompt": "count to 3", "stream": True, "stream_options": {"include_usage": True}}
    message = await streamed(quick(), Request.parse(Kind.COMPLETION, body))
    assert message.content == "1 2 3"
    assert message.usage is not None
    assert (message.usage.prompt_tokens, message.usage.completion_tokens) == (3, 3)


async def test_demo_words_are_streamed_with_the_configured_delay() -> None:
    backend = DemoBackend(word_seconds=0.02)
    answer = await backend.send(question("count to 10", stream=True))
    times = [time.monotonic() async for _ in answer.batches()]
    await answer.close()
    gaps = [later - earlier for earlier, later in itertools.pairwise(times[:-1])]
    assert len(gaps) == 10
    assert min(gaps) > 0.015
    started = time.monotonic()
    await whole(backend, question("count to 10"))
    assert time.monotonic() - started > 0.18


async def test_demo_requests_beyond_capacity_wait_and_release_permits() -> None:
    backend = quick(max_concurrent=1, max_waiting=2)
    first = await backend.send(question("hello"))
    order: list[int] = []

    async def later(number: int) -> None:
        answer = await backend.send(question("hello"))
        order.append(number)
        await answer.close()
        await answer.close()

    waiting = [asyncio.create_task(later(number)) for number in range(2)]
    await next_turn()
    status = await backend.status()
    assert status.queue is not None
    assert (status.queue.active, status.queue.depth, status.queue.max_concurrent) == (1, 2, 1)
    with pytest.raises(UnavailableError) as raised:
        await backend.send(question("hello"))
    assert (raised.value.code, raised.value.retry_after) == ("provider_capacity_exceeded", 5.0)
    await first.close()
    await asyncio.gather(*waiting)
    assert order == [0, 1]
    assert (await backend.status()).queue == type(status.queue)(0, 0, 1)


async def test_demo_cancelled_wait_releases_its_permit() -> None:
    backend = quick(max_concurrent=1, max_waiting=1)
    first = await backend.send(question("hello"))
    waiting = asyncio.create_task(backend.send(question("hello")))
    await next_turn()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await first.close()
    queue = (await backend.status()).queue
    assert queue is not None
    assert (queue.active, queue.depth) == (0, 0)


async def test_demo_describes_its_models() -> None:
    rules, embed = await quick().models()
    assert (rules.id, embed.id) == ("demo-rules", "demo-embed")
    assert rules.for_chat
    assert not embed.for_chat
    assert rules.capabilities is not None
    assert "vision" not in rules.capabilities
    assert (await quick().health()).status == "ok"
