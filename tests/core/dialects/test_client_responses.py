"""Answers in other dialects: what the chunks of odd servers become."""

import json
from typing import Any

from anthropic.types import Message, RawMessageStreamEvent
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter
import pytest

from zeroconf_ai.dialects.anthropic.client_response import MessagesWriter, error_body
from zeroconf_ai.dialects.base import ResponseWriter
from zeroconf_ai.dialects.reasoning import SIGNED_FORMAT
from zeroconf_ai.dialects.responses.client_response import ResponsesWriter
from zeroconf_ai.protocol.chunks import Chunk
from zeroconf_ai.protocol.errors import (
    ApiError,
    NotFoundError,
    QuotaError,
    RateLimitError,
    RequestTooLargeError,
    UnavailableError,
    UpstreamError,
    UpstreamTimeoutError,
)

from ...support.fakes.chunks import delta

CLAUDE: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
GPT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
STOP = delta(finish="stop")


def claude(*stop_sequences: str) -> MessagesWriter:
    return MessagesWriter("m", "req_1", reasoning=True, stop_sequences=list(stop_sequences))


def streamed(writer: ResponseWriter, *chunks: Any) -> list[dict[str, Any]]:
    """The events of a stream, each checked strictly against the types of the dialect's SDK."""
    raw = b"".join([*(writer.events([Chunk.of(chunk)]) for chunk in chunks), writer.end()])
    events = [json.loads(block.partition("\ndata: ")[2]) for block in raw.decode().split("\n\n") if block]
    for event in events:
        (CLAUDE if isinstance(writer, MessagesWriter) else GPT).validate_python(event, strict=True)
    return events


def whole(writer: ResponseWriter, message: Any, *, finish: str = "stop", usage: Any = None, **choice: Any) -> dict[str, Any]:
    """The whole answer, checked in the same way."""
    body = {"choices": [{"message": message, "finish_reason": finish, **choice}], "usage": usage}
    answer: dict[str, Any] = json.loads(writer.body(Chunk(json.dumps(body).encode())))
    kind: Any = Message if isinstance(writer, MessagesWriter) else Response
    kind.model_validate(answer, strict=True)
    return answer


def piece(index: int, arguments: str, name: str | None = None) -> dict[str, Any]:
    begun = {"id": f"call_{index}", "type": "function"} if name else {}
    function = {"arguments": arguments, **({"name": name} if name else {})}
    return {"index": index, **begun, "function": function}


BY_TURNS = [
    delta("Both. "),
    delta(tool_calls=[piece(0, "", "lamp")]),
    delta(tool_calls=[piece(1, '{"b"', "fan")]),
    delta(tool_calls=[piece(0, '{"a":1}'), piece(1, ":2}")]),
    delta("Done."),
    delta(finish="tool_calls"),
]
"""A text, two tool calls with interleaved arguments, and another text."""


def test_interleaved_tool_calls_are_separated_for_anthropic_clients() -> None:
    events = streamed(claude(), *BY_TURNS)
    said = {}
    opened: list[int] = []
    for event in events:
        if event["type"] == "content_block_start":
            opened.append(event["index"])
            said[event["index"]] = event["content_block"].get("name", "")
        elif event["type"] == "content_block_delta":
            assert event["index"] in opened
            said[event["index"]] += event["delta"].get("partial_json") or event["delta"].get("text")
        elif event["type"] == "content_block_stop":
            opened.remove(event["index"])
    assert opened == []
    assert said == {0: "Both. ", 1: 'lamp{"a":1}', 2: 'fan{"b":2}', 3: "Done."}
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


def test_interleaved_tool_calls_are_separated_for_responses_clients() -> None:
    events = streamed(ResponsesWriter({}, "m"), *BY_TURNS)
    done = {event["output_index"]: event["item"] for event in events if event["type"] == "response.output_item.done"}
    assert [done[index] for index in sorted(done)] == events[-1]["response"]["output"]
    told = [item.get("arguments") or item["content"][0]["text"] for item in events[-1]["response"]["output"]]
    assert told == ["Both. ", '{"a":1}', '{"b":2}', "Done."]
    assert {item["status"] for item in done.values()} == {"completed"}


def test_truncated_tool_call_is_not_reported_as_complete() -> None:
    calls = {"tool_calls": [piece(0, '{"a":1}', "lamp"), piece(1, '{"b', "fan")]}
    message = whole(claude(), calls, finish="length")
    response = whole(ResponsesWriter({}, "m"), calls, finish="length")
    assert [block["name"] for block in message["content"]] == ["lamp"]
    assert message["stop_reason"] == "max_tokens"
    assert [item["status"] for item in response["output"]] == ["completed", "incomplete"]


def test_signed_reasoning_reaches_anthropic_clients() -> None:
    sealed = {"index": 0, "format": SIGNED_FORMAT, "type": "reasoning.text", "text": "Hm.", "signature": "seal"}
    hidden = {"index": 1, "format": SIGNED_FORMAT, "type": "reasoning.encrypted", "data": "hidden"}
    blocks = [{"type": "thinking", "thinking": "Hm.", "signature": "seal"}, {"type": "redacted_thinking", "data": "hidden"}]
    told = {"content": "Yes", "reasoning_content": "Hm.", "reasoning_details": [sealed, hidden]}
    message = whole(claude(), told)
    events = streamed(
        claude(),
        delta(reasoning_content="Hm."),
        delta(reasoning_details=[sealed]),
        delta(reasoning_details=[hidden]),
        delta("Yes"),
        STOP,
    )
    assert message["content"] == [*blocks, {"type": "text", "text": "Yes"}]
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert deltas == [
        {"type": "thinking_delta", "thinking": "Hm."},
        {"type": "signature_delta", "signature": "seal"},
        {"type": "text_delta", "text": "Yes"},
    ]


def test_usage_is_translated_to_each_dialects_counts() -> None:
    counts = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    message = whole(claude(), {"content": "x"}, usage=counts)
    response = whole(ResponsesWriter({}, "m"), {"content": "x"}, usage=counts)
    assert message["usage"] == {
        "input_tokens": 10,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 60,
        "output_tokens": 20,
        "output_tokens_details": {"thinking_tokens": 5},
    }
    assert response["usage"] == {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 120,
    }


@pytest.mark.parametrize(
    ("finish", "fields", "reason"),
    [
        ("stop", {}, "end_turn"),
        ("stop", {"stop_reason": "END"}, "stop_sequence"),
        ("stop", {"stop_reason": 128001}, "end_turn"),
        ("length", {}, "max_tokens"),
        ("content_filter", {}, "refusal"),
        ("tool_calls", {}, "end_turn"),
        ("eos", {}, "end_turn"),
    ],
)
def test_finish_reason_is_translated_to_anthropics(finish: str, fields: Any, reason: str) -> None:
    message = whole(claude("END"), {"content": "x"}, finish=finish, **fields)
    assert message["stop_reason"] == reason
    assert message["stop_sequence"] == ("END" if reason == "stop_sequence" else None)


def test_finish_reason_with_a_tool_call_is_tool_use() -> None:
    message = whole(claude(), {"tool_calls": [piece(0, "", "lamp")]}, finish="stop")
    assert (message["stop_reason"], message["content"][0]["input"]) == ("tool_use", {})


def test_refusal_is_reported_with_its_text() -> None:
    message = whole(claude(), {"content": None, "refusal": "I may not."})
    assert message["content"] == [{"type": "text", "text": "I may not."}]
    assert (message["stop_reason"], message["stop_details"]["explanation"]) == ("refusal", "I may not.")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NotFoundError("x"), "not_found_error"),
        (RequestTooLargeError("x"), "request_too_large"),
        (RateLimitError("x"), "rate_limit_error"),
        (QuotaError("x"), "billing_error"),
        (UnavailableError("x", code="provider_capacity_exceeded"), "overloaded_error"),
        (UnavailableError("x"), "api_error"),
        (UpstreamError("x"), "api_error"),
        (UpstreamTimeoutError("x"), "timeout_error"),
    ],
)
def test_errors_have_anthropics_types(error: ApiError, kind: str) -> None:
    assert error_body(error, "req_1") == {"type": "error", "error": {"type": kind, "message": "x"}, "request_id": "req_1"}


def test_rate_limit_during_a_stream_keeps_its_code_for_responses_clients() -> None:
    writer = ResponsesWriter({}, "m")
    writer.events([Chunk.of(delta("Once"))])
    event = json.loads(writer.failure(RateLimitError("slow down")).decode().split("data: ")[1])
    GPT.validate_python(event, strict=True)
    assert event["response"]["error"] == {"code": "rate_limit_exceeded", "message": "slow down"}
