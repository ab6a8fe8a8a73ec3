"""Tool calls of OpenAI-compatible servers with every oddity: OpenAI's own SDK reads them from our answers."""

import json
from typing import Any

from openai import AsyncOpenAI
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk
import pytest

from ...support.fakes.chunks import delta
from ...support.fakes.upstream import answers, streams
from ...support.sdks import gpt, scripted
from ...support.server import CHAT, Served, events
from .odd_tool_calls import ASKED, CASES, EMPTY, HEAD, LEGACY, ONE, STOP, T2, TOOLS, TWO, W1, call, piece


def unspaced(arguments: str) -> str:
    """Arguments without the spaces with which an object may be written."""
    return arguments.replace(": ", ":")


def check(calls: Any, wanted: list[tuple[str, str]]) -> None:
    """Assert that these are the calls, with ids of their own."""
    assert [(call.function.name, unspaced(call.function.arguments)) for call in calls] == wanted
    assert all(call.type == "function" and isinstance(call.id, str) and call.id for call in calls)
    assert len({call.id for call in calls}) == len(calls)


async def helped(client: AsyncOpenAI) -> Any:
    """The answer by the SDK's helper for streams, which assembles and parses it as it arrives."""
    async with client.chat.completions.stream(**ASKED) as stream:
        async for _ in stream:
            pass
        return (await stream.get_final_completion()).choices[0]


@pytest.mark.parametrize(("chunks", "wanted"), CASES.values(), ids=CASES)
async def test_tool_calls_of_a_stream_are_read_by_the_sdks_helper(chunks: list[Any], wanted: list[tuple[str, str]]) -> None:
    async with scripted(streams(*chunks)) as (gateway, _), gpt(gateway) as client:
        choice = await helped(client)
        check(choice.message.tool_calls, wanted)
        assert choice.finish_reason == "tool_calls"
        await _check_pieces(gateway, wanted)


async def sent_to_client(gateway: Served, body: Any = ASKED) -> list[bytes]:
    """The events of a stream, without its end."""
    async with gateway.session.post(f"{gateway.url}/chat/completions", json=body | {"stream": True}) as response:
        *found, done = await events(response)
    assert done == "[DONE]"
    return [event.encode() for event in found]


async def _check_pieces(gateway: Served, wanted: list[tuple[str, str]]) -> None:
    """Assert that each call begins once, in order, with id, type and whole name, and continues with arguments only."""
    sent = [json.loads(event) for event in await sent_to_client(gateway)]
    begun: list[str] = []
    for chunk in sent:
        for found in chunk["choices"][0]["delta"].get("tool_calls") or () if chunk["choices"] else ():
            assert isinstance(found["function"]["arguments"], str)
            if found["index"] == len(begun):
                assert found["id"]
                assert found["type"] == "function"
                begun.append(found["function"]["name"])
            else:
                assert found["index"] < len(begun)
                assert "id" not in found
                assert "name" not in found["function"]
    assert begun == [name for name, _ in wanted]
    state = ChatCompletionStreamState(input_tools=TOOLS)
    for chunk in sent:
        state.handle_chunk(ChatCompletionChunk.model_validate(HEAD | chunk))
    check(state.get_final_completion().choices[0].message.tool_calls, wanted)


def whole_of(*calls: Any, finish: str = "stop", **fields: Any) -> dict[str, Any]:
    """A complete answer."""
    message = {"role": "assistant", "content": None, **({"tool_calls": list(calls)} if calls else {}), **fields}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return HEAD | {"object": "chat.completion", "choices": [choice]}


@pytest.mark.parametrize(
    ("whole", "wanted"),
    [
        (whole_of(call(*W1, id="a", type="function"), finish="tool_calls"), ONE),
        (whole_of(call(*W1)), ONE),
        (whole_of(call(*W1, id=""), call(*T2, id=None)), TWO),
        (whole_of(call(*W1, id="a"), call(*T2, id="a"), finish="tool_calls"), TWO),
        (whole_of(call("get_weather", {"a": 1}, id="a", type="function")), ONE),
        (whole_of(call("get_weather", None, id="a", type="function")), EMPTY),
        (whole_of(call("get_weather", "null", id="a", type="function")), EMPTY),
        (whole_of(call("get_weather", "", id="a", type="function")), EMPTY),
        (whole_of(call("get_weather", id="a", type="function")), EMPTY),
        (whole_of(call("get_weather", json.dumps('{"a":1}'), id="a", type="function")), ONE),
        (whole_of(call("get_weather", '{"a":"\\ud83d"}', id="a")), [("get_weather", '{"a":"\\ufffd"}')]),
        (whole_of(call("get_weather", '{"a":"\ud83d"}', id="a")), [("get_weather", '{"a":"\ufffd"}')]),
        (whole_of({"id": "a", "name": "get_weather", "arguments": '{"a":1}'}), ONE),
        (whole_of(function_call={"name": "get_weather", "arguments": '{"a":1}'}, finish="function_call"), ONE),
        (whole_of(call(*W1, id="a"), function_call={"name": "get_weather", "arguments": '{"a":1}'}), ONE),
    ],
)
async def test_tool_calls_of_a_complete_answer_are_read_by_the_sdk(whole: Any, wanted: list[tuple[str, str]]) -> None:
    async with scripted(answers(whole)) as (gateway, _), gpt(gateway) as client:
        choice = (await client.chat.completions.create(**ASKED)).choices[0]
        check(choice.message.tool_calls, wanted)
        assert choice.finish_reason == "tool_calls"


def raw_chunk(choice: bytes, kind: bytes = b'"object":"chat.completion.chunk",') -> bytes:
    """A chunk in the bytes of a server."""
    return b"{" + kind + b'"choices":[{' + choice + b"}]}"


VALID = [
    raw_chunk(
        b'"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"a","type":"function",'
        b'"function":{"name":"get_time","arguments":""}}]},"finish_reason":null'
    ),
    raw_chunk(b'"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\\"a\\""}}]},"finish_reason":null'),
    raw_chunk(b'"index": 0, "delta":{"tool_calls":[{"index": 0,"function":{"arguments":":["}}]},"finish_reason":null'),
    raw_chunk(b'"delta":{"tool_calls":[{"function":{"arguments":"\\"\\\\u00e4\\"]}"},"index":0}]},"index":0'),
    raw_chunk(
        b'"index":0,"delta":{"tool_calls":[{"index":1,"id":"b","type":"function",'
        b'"function":{"name":"light","arguments":"{}"},"extra_content":{"google":{"thought_signature":"x"}}}]}'
    ),
    raw_chunk(b'"index":0,"delta":{ },"finish_reason":"tool_calls"'),
]


async def test_tool_calls_that_are_valid_keep_their_bytes() -> None:
    async with scripted(streams(b"".join(b"data: " + chunk + b"\n\n" for chunk in VALID))) as (gateway, _):
        first, *rest = await sent_to_client(gateway)
    assert json.loads(first) == json.loads(VALID[0]) | {"provider": "Upstream"}
    assert rest == VALID[1:]


async def test_function_call_is_kept_for_a_client_of_functions() -> None:
    async with scripted(streams(*LEGACY)) as (gateway, _):
        sent = await sent_to_client(gateway, CHAT | {"functions": [TOOLS[0]["function"]]})
    assert [json.loads(chunk)["choices"] for chunk in sent] == [chunk["choices"] for chunk in LEGACY]


async def test_gemini_thought_signatures_of_a_repaired_call_are_kept() -> None:
    signed = {"extra_content": {"google": {"thought_signature": "x"}}}
    async with scripted(streams(piece(call("get_weather", {"a": 1}, id="") | signed), STOP)) as (gateway, _):
        first = json.loads((await sent_to_client(gateway))[0])
    assert first["choices"][0]["delta"]["tool_calls"][0]["extra_content"] == signed["extra_content"]


@pytest.mark.parametrize("finish", ["length", "max_tokens"])
async def test_tool_call_that_a_limit_truncated_is_not_completed(finish: str) -> None:
    chunks = [piece(call("get_weather", "", index=0, id="a")), HEAD | delta(finish=finish)]
    async with scripted(streams(*chunks)) as (gateway, _):
        *_, last = [json.loads(chunk) for chunk in await sent_to_client(gateway)]
        assert last["choices"][0]["finish_reason"] == "length"
    async with scripted(answers(whole_of(call("get_weather", "", id="a"), finish=finish))) as (gateway, _):
        _, body, _ = await gateway.ask("POST", "chat/completions", json=ASKED)
    assert body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == ""


async def test_finish_reason_of_calls_without_a_call_is_stop() -> None:
    async with scripted(streams(HEAD | delta("Hm"), piece(finish="tool_calls"))) as (gateway, _):
        *_, last = [json.loads(chunk) for chunk in await sent_to_client(gateway)]
    assert last["choices"][0]["finish_reason"] == "stop"


async def test_tool_calls_of_two_choices_are_separate() -> None:
    def of(index: int, **fields: Any) -> dict[str, Any]:
        return {"index": index, "delta": {}, "finish_reason": None, **fields}

    chunks = [
        HEAD | {"object": "chat.completion.chunk", "choices": [of(at, delta={"tool_calls": [call(*W1, id="a")]})]}
        for at in (0, 1)
    ]
    ends = HEAD | {"object": "chat.completion.chunk", "choices": [of(0, finish_reason="stop"), of(1, finish_reason="stop")]}
    async with scripted(streams(*chunks, ends)) as (gateway, _):
        sent = [json.loads(chunk) for chunk in await sent_to_client(gateway, ASKED | {"n": 2})]
    calls = [call for chunk in sent for choice in chunk["choices"] for call in choice["delta"].get("tool_calls", ())]
    assert [(found["index"], found["id"]) for found in calls] == [(0, "a"), (0, "a")]
    assert [choice["finish_reason"] for choice in sent[-1]["choices"]] == ["tool_calls", "tool_calls"]
