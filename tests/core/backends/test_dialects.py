"""What every dialect promises alike: the same answer, the same errors, the same end, whichever server speaks."""

import asyncio
from dataclasses import replace
import logging
from unittest.mock import Mock

import orjson
import pytest

from tests.support.clouds.anthropic import FakeAnthropic
from tests.support.clouds.asking import (
    CONTRACT_ONLY,
    DIALECTS as COMPLETE,
    KEY,
    QUICK,
    TOOLS,
    TYPES,
    before,
    chat,
    error_of,
    read,
    say,
    whole,
)
from tests.support.clouds.ollama import FakeOllama
from tests.support.clouds.server import Call, Fault, Refusal, Reply
from zeroconf_ai.backends.base import Answer, Backend
from zeroconf_ai.dialects.anthropic.client_response import MessagesWriter
from zeroconf_ai.dialects.openai.client_response import OpenAIWriter
from zeroconf_ai.engine import Caller, Engine, Source
from zeroconf_ai.protocol import json
from zeroconf_ai.protocol.errors import (
    ApiError,
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    QuotaError,
    RateLimitError,
    StreamBrokenError,
    UnavailableError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamTimeoutError,
)
from zeroconf_ai.routing.pool.member import Member

SPEECH = Reply(
    "It is 21 °C in the attic.", "Let me look.", "sealed", (Call("read", {"room": "attic"}), Call("stop", {}, "toolu_02B"))
)

DIALECTS = COMPLETE | CONTRACT_ONLY
every_dialect = pytest.mark.parametrize("name", DIALECTS)
streamed_or_not = pytest.mark.parametrize("stream", [True, False])


async def listen(answer: Answer, said: list[str]) -> None:
    """Note what is said, as it comes."""
    async for batch in answer.batches():
        said += [chunk.data["choices"][0]["delta"].get("content") or "" for chunk in batch if chunk.data["choices"]]


@every_dialect
@streamed_or_not
async def test_answer_is_the_same_in_all_dialects(name: str, stream: bool) -> None:
    dialect = DIALECTS[name]
    async with before(name, dialect.fake(SPEECH)) as backend:
        message = await say(backend, chat(dialect.model, stream=stream, tools=TOOLS))
    assert (message.content, message.reasoning) == (SPEECH.text, SPEECH.thought)
    assert [(call.name, orjson.loads(call.arguments)) for call in message.tool_calls] == [
        ("read", {"room": "attic"}),
        ("stop", {}),
    ]
    assert [call.id for call in message.tool_calls] == ["toolu_01A", "toolu_02B"]
    assert message.finish_reason == "tool_calls"
    assert message.usage is not None
    assert (message.usage.prompt_tokens, message.usage.completion_tokens) == (21, 8)


@every_dialect
@streamed_or_not
async def test_conversation_with_a_tool_call_and_its_result_reaches_every_backend(name: str, stream: bool) -> None:
    dialect = DIALECTS[name]
    call = {"id": "toolu_01A", "type": "function", "function": {"name": "read", "arguments": '{"room": "attic"}'}}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "How warm is it?"}]},
        {"role": "assistant", "content": "I will look.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "toolu_01A", "content": "21 degrees"},
    ]
    fake = dialect.fake(Reply("It is 21 °C."))
    async with before(name, fake) as backend:
        message = await say(backend, chat(dialect.model, messages=messages, tools=TOOLS, max_tokens=50, stream=stream))
    assert message.content == "It is 21 °C."
    assert fake.bodies(dialect.path) == [fake.last.body]
    sent = orjson.dumps([fake.last.body, fake.last.path]).decode()
    texts = ("Be brief.", "How warm is it?", "I will look.", "toolu_01A", "read", "attic", "21 degrees", "stop", dialect.model)
    assert [text for text in texts if text not in sent] == []
    assert sent.index("I will look.") < sent.index("21 degrees")
    assert 50 in _leaves(fake.last.body)


def _leaves(value: object) -> list[object]:
    """All leaves of a JSON value."""
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    return [leaf for item in value for leaf in _leaves(item)] if isinstance(value, list) else [value]


@every_dialect
@streamed_or_not
async def test_answer_without_tools_ends_with_stop(name: str, stream: bool) -> None:
    dialect = DIALECTS[name]
    async with before(name, dialect.fake(Reply("Hello."))) as backend:
        message = await say(backend, chat(dialect.model, stream=stream))
    assert (message.content, message.finish_reason, message.tool_calls) == ("Hello.", "stop", [])


@every_dialect
async def test_stream_has_role_one_id_and_usage(name: str) -> None:
    dialect = DIALECTS[name]
    async with before(name, dialect.fake(Reply("Hello there."))) as backend:
        _, chunks = await read(await backend.send(chat(dialect.model, stream=True)))
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] == 29
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks if chunk["choices"]][-1] == "stop"


@every_dialect
async def test_usage_chunk_is_omitted_if_not_requested(name: str) -> None:
    dialect = DIALECTS[name]
    async with before(name, dialect.fake(Reply("Hello there."))) as backend:
        _, chunks = await read(await backend.send(chat(dialect.model, stream=True, stream_options={})))
    assert all(chunk["choices"] for chunk in chunks)


@every_dialect
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("cut", StreamBrokenError),
        ("end", StreamBrokenError),
        ("error", StreamBrokenError),
        ("stall", UpstreamTimeoutError),
    ],
)
async def test_stream_failure_is_an_error_not_an_end(name: str, kind: str, error: type[ApiError]) -> None:
    dialect = DIALECTS[name]
    async with before(name, dialect.fake(Fault(kind)), timeouts=QUICK) as backend:
        answer = await backend.send(chat(dialect.model, stream=True))
        assert isinstance(await error_of(read(answer)), error)


@every_dialect
async def test_timeout_of_the_first_token_does_not_limit_the_stream(name: str) -> None:
    dialect = DIALECTS[name]
    fake = dialect.fake(Reply("It is a quarter past nine, and all is well in the house and the garden."))
    fake.pause = 0.04
    started = asyncio.get_running_loop().time()
    async with before(name, fake, timeouts=replace(QUICK, first_token=0.5, between_tokens=0.4)) as backend:
        message = await say(backend, chat(dialect.model, stream=True))
    assert message.content.endswith("garden.")
    assert asyncio.get_running_loop().time() - started > 0.6


@pytest.mark.parametrize("name", ["anthropic", "gemini", "ollama", "template"])
async def test_stream_of_another_content_type_is_an_error(name: str) -> None:
    dialect = DIALECTS[name]
    async with before(name, dialect.fake(Fault("garbage")), timeouts=QUICK) as backend:
        err = await error_of(read(await backend.send(chat(dialect.model, stream=True))))
    assert isinstance(err, StreamBrokenError)
    assert "not JSON" in err.log_text


@every_dialect
async def test_stream_text_before_an_interruption_is_kept(name: str) -> None:
    dialect = DIALECTS[name]
    async with before(name, dialect.fake(Fault("cut", after=5)), timeouts=QUICK) as backend:
        answer = await backend.send(chat(dialect.model, stream=True))
        said: list[str] = []
        with pytest.raises(StreamBrokenError):
            await listen(answer, said)
        await answer.close()
    assert "".join(said)
    assert Fault("cut").reply.text.startswith("".join(said))


@every_dialect
@streamed_or_not
@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (Refusal(400, "bad"), InvalidRequestError),
        (Refusal(402, "Insufficient credits", "billing_error"), QuotaError),
        (Refusal(404, "model: gone", "not_found_error", param="model"), NotFoundError),
        (Refusal(429, "slow down", "rate_limit_error", headers={"retry-after": "7"}), RateLimitError),
        (Refusal(500, "oops", "api_error"), UpstreamError),
        (Refusal(503, "server busy, please try again.  maximum pending requests exceeded"), UnavailableError),
        (Refusal(529, "Overloaded", "overloaded_error", headers={"retry-after": "7"}), UnavailableError),
        (Refusal(504, "too slow", "timeout_error"), UpstreamTimeoutError),
    ],
)
async def test_error_response_has_the_routers_class(name: str, stream: bool, refusal: Refusal, error: type[ApiError]) -> None:
    dialect = DIALECTS[name]
    async with before(name, dialect.fake(refusal)) as backend:
        err = await error_of(backend.send(chat(dialect.model, stream=stream)))
    assert type(err) is error
    assert refusal.message.split(".")[0] in err.log_text
    assert err.upstream_status == refusal.status
    assert err.retry_after == (7.0 if refusal.headers else None)


@pytest.mark.parametrize("name", ["openai", "openrouter", "anthropic", "gemini", "template"])
async def test_key_wrong_is_an_authentication_error(name: str) -> None:
    dialect = DIALECTS[name]
    async with before(name, dialect.fake(), key="a canary of no known shape") as backend:
        for asked in (backend.health(), backend.send(chat(dialect.model)), backend.send(chat(dialect.model, stream=True))):
            err = await error_of(asked)
            assert isinstance(err, AuthenticationError)
            assert "***" in err.log_text or name == "openrouter"
            assert "canary" not in err.log_text


@every_dialect
async def test_health_is_free_and_reports_an_unreachable_server(name: str) -> None:
    dialect = DIALECTS[name]
    fake = dialect.fake()
    async with before(name, fake) as backend:
        assert (await backend.health()).status == "ok"
        assert [received.method for received in fake.received] == ["GET"]
        await fake.stop()
        assert isinstance(await error_of(backend.health()), UpstreamConnectionError)
        assert isinstance(await error_of(backend.send(chat(dialect.model))), UpstreamConnectionError)


@every_dialect
async def test_models_have_limits_and_capabilities(name: str) -> None:
    dialect = DIALECTS[name]
    async with before(name, dialect.fake()) as backend:
        models = {model.id: model for model in await backend.models()}
    assert models.keys() >= ({dialect.model} if name != "openrouter" else {"vendor/large"})
    assert any(model.for_chat for model in models.values())


@every_dialect
@pytest.mark.parametrize("after", [0, 3])
async def test_client_disconnect_closes_the_upstream_stream_within_a_second(name: str, after: int) -> None:
    dialect = DIALECTS[name]
    fake = dialect.fake(Fault("stall", after))
    async with before(name, fake) as backend:
        answer = await backend.send(chat(dialect.model, stream=True))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await read(answer)
        await answer.close()
        await asyncio.wait_for(fake.last.over.wait(), 1.0)
    assert fake.last.cut


@every_dialect
async def test_client_disconnect_closes_an_answer_within_a_second(name: str) -> None:
    dialect = DIALECTS[name]
    fake = dialect.fake(Fault("stall"))
    async with before(name, fake) as backend:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await backend.send(chat(dialect.model))
        await asyncio.wait_for(fake.last.over.wait(), 1.0)
    assert fake.last.cut


@every_dialect
async def test_answer_stalled_or_truncated_is_an_error(name: str) -> None:
    dialect = DIALECTS[name]
    async with before(name, dialect.fake(Fault("stall"), Fault("cut")), timeouts=QUICK) as backend:
        assert isinstance(await error_of(backend.send(chat(dialect.model))), UpstreamTimeoutError)
        answer = await backend.send(chat(dialect.model))
        assert isinstance(await error_of(answer.body()), StreamBrokenError)
        await answer.close()


@every_dialect
async def test_key_is_not_in_reprs_and_logs(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    dialect = DIALECTS[name]
    fake = dialect.fake(Refusal(400, f"bad key {KEY}"), key=KEY)
    async with before(name, fake) as backend:
        await error_of(backend.send(chat(dialect.model)))
        assert KEY not in repr(backend) + repr(vars(backend)) + repr(backend.info) + repr(Member(backend))
    assert KEY not in caplog.text


@every_dialect
async def test_answer_headers_are_available(name: str) -> None:
    dialect = DIALECTS[name]
    fake = dialect.fake()
    async with before(name, fake) as backend:
        answer = await backend.send(chat(dialect.model))
        assert answer.headers.items() >= fake.answer_headers().items()
        await whole(answer)


@every_dialect
async def test_answer_is_parsed_once_for_all_dialects(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parse = Mock(wraps=json.loads)
    request = chat(DIALECTS[name].model)
    writers = (OpenAIWriter(request), MessagesWriter("claude", "req_1", reasoning=False, stop_sequences=[]))
    async with before(name, DIALECTS[name].fake(Reply("Hello in the attic."))) as backend:
        engine = Engine()
        await engine.checker.check(engine.add(backend), models=True)
        monkeypatch.setattr(json, "loads", parse)
        async with engine.run(request, Caller(Source.CLI)) as reply:
            said = [writer.body(reply.completion) for writer in writers]
        monkeypatch.undo()
        await engine.close()
    assert all(b"Hello in the attic." in body for body in said)
    assert reply.usage is not None
    assert reply.finish_reason == "stop"
    assert sum(b"Hello in the attic." in call.args[0] for call in parse.call_args_list) == 1


@every_dialect
async def test_backend_health_names_the_provider_that_its_type_declares(name: str) -> None:
    async with before(name, DIALECTS[name].fake()) as backend:
        assert (await backend.health()).provider == TYPES[name].provider


@every_dialect
async def test_backend_health_has_the_identity(name: str) -> None:
    async with before(name, DIALECTS[name].fake()) as backend:
        assert isinstance(backend, Backend)
        assert backend.info.id == name


@streamed_or_not
async def test_failover_between_dialects_is_transparent(stream: bool) -> None:
    down = FakeAnthropic(Refusal(529, "Overloaded", "overloaded_error", headers={"retry-after": "9"}))
    async with before("anthropic", down, info={"priority": 1}) as claude, before("ollama", FakeOllama(SPEECH)) as attic:
        engine = Engine()
        members = [engine.add(backend) for backend in (claude, attic)]
        for member in members:
            await engine.checker.check(member)
        async with engine.run(chat("auto", stream=stream, tools=TOOLS), Caller(Source.CLI)) as reply:
            said = [chunk.data async for chunk in reply.chunks()] if stream else [orjson.loads(reply.body)]
        await engine.close()
    assert [attempt.backend_id for attempt in reply.attempts] == ["anthropic", "ollama"]
    assert reply.usage is not None
    assert reply.usage.total_tokens == 29
    assert said[-1]["usage"]["total_tokens"] == 29
    assert down.bodies("/v1/messages")
