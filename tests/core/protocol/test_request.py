"""Requests are checked once at the door, and the refusal names the parameter."""

from typing import Any

from hypothesis import given, strategies as st
import orjson
import pytest

from zeroconf_ai.protocol.errors import InvalidRequestError
from zeroconf_ai.protocol.image_requests import InputImage
from zeroconf_ai.protocol.record import Capability
from zeroconf_ai.protocol.request import MAX_MESSAGES, TOKENS_PER_IMAGE, Kind, Request

HI = [{"role": "user", "content": "Hi"}]
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def parse_chat(**body: Any) -> Request:
    return Request.parse(Kind.CHAT, orjson.dumps({"messages": HI, **body}))


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", "1"),
        ("temperature", True),
        ("top_p", -0.1),
        ("top_p", 1.1),
        ("presence_penalty", 2.5),
        ("frequency_penalty", -2.5),
        ("max_tokens", -2),
        ("max_tokens", 1.5),
        ("max_tokens", True),
        ("max_completion_tokens", "-1"),
        ("max_completion_tokens", 2**60),
        ("n", 0),
        ("stream", "yes"),
        ("stream", 1),
        ("tools", {}),
        ("tools", ["f"]),
        ("response_format", "json"),
        ("stream_options", True),
        ("model", ""),
        ("model", 5),
        ("model", "m" * 257),
        ("messages", None),
        ("messages", []),
        ("messages", "Hi"),
        ("messages", HI * (MAX_MESSAGES + 1)),
    ],
)
def test_request_invalid_parameter_is_refused_by_name(param: str, value: object) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        parse_chat(**{param: value})
    assert refused.value.param == param
    assert param in refused.value.message
    assert (refused.value.status, refused.value.code) == (400, "invalid_value")


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("Hi", "messages[1]"),
        (None, "messages[1]"),
        ({}, "messages[1].role"),
        ({"role": "narrator"}, "messages[1].role"),
        ({"role": []}, "messages[1].role"),
        ({"role": {}}, "messages[1].role"),
        ({"role": "user", "content": 5}, "messages[1].content"),
        ({"role": "user", "content": {}}, "messages[1].content"),
        ({"role": "user", "content": ["Hi"]}, "messages[1].content"),
        ({"role": "user", "content": [{"text": "Hi"}]}, "messages[1].content"),
        ({"role": "user", "content": [{"type": 5}]}, "messages[1].content"),
    ],
)
def test_request_invalid_message_is_refused_with_its_path(message: object, param: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        parse_chat(messages=[*HI, message])
    assert refused.value.param == param


@pytest.mark.parametrize(
    "body",
    [
        {"temperature": 0},
        {"temperature": 2},
        {"top_p": 1},
        {"max_tokens": 1, "n": 2, "stop": ["x"], "response_format": {"type": "json_object"}, "modalities": ["text", "audio"]},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"tools": [{"type": "function"}], "tool_choice": "auto", "parallel_tool_calls": False},
        {"functions": [{"name": "f"}], "function_call": "auto"},
        {"seed": 0, "temperature": 0, "top_p": 0, "logprobs": False, "store": False, "stream": False},
        {"unknown": "is the provider's matter"},
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [{}]}, {"role": "tool", "content": "x"}]},
        {"messages": [{"role": "developer", "content": [{"type": "text", "text": "x"}]}]},
    ],
)
def test_request_valid_is_unchanged(body: dict[str, Any]) -> None:
    assert orjson.loads(parse_chat(**body).dump()) == {"messages": HI} | body


@pytest.mark.parametrize(
    "neutral",
    [
        dict.fromkeys(("tools", "tool_choice", "stop", "n", "response_format", "stream", "stream_options", "model", "user")),
        {"unknown": None},
        {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True},
        {"tool_choice": "none"},
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"parallel_tool_calls": False},
        {"functions": [], "function_call": "auto"},
        {"stream_options": {"include_usage": True}},
        {"stream_options": {}},
        {"max_tokens": -1},
        {"max_tokens": 0, "max_completion_tokens": -1},
        {"stop": []},
        {"stop": ""},
        {"stop": [""]},
        {"n": 1, "modalities": ["text"], "top_logprobs": 0, "logit_bias": {}, "metadata": {}, "user": "", "reasoning_effort": ""},
        {"response_format": {"type": "text"}},
        {"response_format": {}},
    ],
)
def test_request_parameter_that_requests_nothing_is_left_out(neutral: dict[str, Any]) -> None:
    assert orjson.loads(parse_chat(**neutral).dump()) == {"messages": HI}


def test_request_values_are_sent_as_strict_servers_accept_them() -> None:
    body = parse_chat(stream=False, stream_options={"include_usage": True}, max_tokens=64.0, stop=["", "END"]).body
    assert (body["stop"], body["stream"], repr(body["max_tokens"])) == (["END"], False, "64")
    assert "stream_options" not in body


def test_request_null_fields_of_messages_are_left_out() -> None:
    """OpenAI's SDK dumps an answer with them, and strict servers refuse them."""
    dumped = {"refusal": None, "annotations": None, "audio": None, "function_call": None, "tool_calls": None, "name": None}
    messages = [{"role": "assistant", "content": "Yes", **dumped}, {"role": "assistant", "content": None, "tool_calls": []}]
    assert parse_chat(messages=messages).body["messages"] == [
        {"role": "assistant", "content": "Yes"},
        {"role": "assistant", "content": None},
    ]


@pytest.mark.parametrize("kind", Kind)
def test_request_of_any_kind_is_sent_without_nulls(kind: Kind) -> None:
    body = {"messages": HI, "prompt": "Hi", "input": "Hi", "model": "m"}
    images = (InputImage("image/png", b""),) if kind is Kind.IMAGE_EDITS else ()
    nulls = {"user": None, "dimensions": None, "max_tokens": None}
    assert Request.parse(kind, body | nulls, images=images).body == body


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'"a"', b"\xff", b'{"a": "\\ud800'])
def test_request_that_is_not_an_object_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        Request.parse(Kind.CHAT, raw)
    assert refused.value.code == "invalid_json"


@pytest.mark.parametrize(("kind", "param"), [(Kind.COMPLETION, "prompt"), (Kind.EMBEDDINGS, "input")])
@pytest.mark.parametrize(
    ("value", "allowed"), [("Hi", True), (["Hi"], True), ([1, 2], True), ("", False), ([], False), (None, False), (5, False)]
)
def test_request_prompt_and_input_must_be_texts_or_lists(kind: Kind, param: str, value: object, allowed: bool) -> None:
    raw = orjson.dumps({param: value})
    if allowed:
        assert Request.parse(kind, raw).body[param] == value
        return
    with pytest.raises(InvalidRequestError) as refused:
        Request.parse(kind, raw)
    assert refused.value.param == param


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "tool_calls"]) | st.text(max_size=3), inner, max_size=4
        )
    ),
    max_leaves=12,
)
parts = st.fixed_dictionaries({"type": st.sampled_from(["text", "image_url", "x"])}, optional={"text": anything})
messages = st.fixed_dictionaries(
    {"role": st.just("user")}, optional={"content": st.text() | st.lists(parts), "tool_calls": anything, "name": anything}
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "messages": st.lists(messages, max_size=3) | anything,
        "prompt": anything,
        "input": anything,
        "tools": anything,
        "response_format": anything,
        "model": anything,
    },
)


@given(st.sampled_from(Kind), bodies)
def test_request_of_any_body_is_refused_or_safe_to_use(kind: Kind, body: dict[str, Any]) -> None:
    try:
        request = Request.parse(kind, orjson.dumps(body))
    except InvalidRequestError as refused:
        assert refused.param or refused.code == "invalid_json"  # noqa: PT017 - most bodies are refused
        return
    assert request.needs
    assert request.estimated_prompt_tokens >= 0
    assert isinstance(request.model, str)
    request.dump()


TOKENS = {
    "The lights in the living room are on, and the heating is set to twenty-one degrees.": (18, 18),
    "客厅的灯开着，暖气设定为二十一度。在您出门之前，需要我关掉什么吗？": (27, 40),
    "リビングの照明がついていて、暖房は二十一度に設定されています。お出かけ前に何か消しましょうか？": (34, 48),
    "거실 불이 켜져 있고 난방은 이십일 도로 설정되어 있습니다. 외출하시기 전에 끌 것이 있을까요?": (31, 49),
    "Свет в гостиной включён, отопление установлено на двадцать один градус. Выключить что-нибудь?": (24, 43),
    "😀🏠💡🔥❄️🚪👍🏽🎉🌡️🛋️📺🧹": (28, 39),
}
"""By text, its tokens in OpenAI's vocabularies o200k_base and cl100k_base."""


@pytest.mark.parametrize(("text", "tokens"), TOKENS.items(), ids=["en", "zh", "ja", "ko", "ru", "emoji"])
def test_request_estimate_of_a_text_fits_its_language(text: str, tokens: tuple[int, int]) -> None:
    content = [{"type": "text", "text": text}]
    for request in (
        parse_chat(messages=[{"role": "user", "content": text}]),
        parse_chat(messages=[{"role": "user", "content": content}]),
        Request.parse(Kind.COMPLETION, {"prompt": text}),
        Request.parse(Kind.EMBEDDINGS, {"input": text}),
        Request.parse(Kind.EMBEDDINGS, {"input": [text]}),
    ):
        assert 0.7 * tokens[0] <= request.estimated_prompt_tokens <= 1.4 * tokens[1]
        assert request.estimated_prompt_tokens <= request.prompt_demand.tokens


@given(st.text(st.characters(codec=None)))
def test_request_estimate_of_any_text_is_below_its_upper_bound(text: str) -> None:
    request = Request(Kind.CHAT, {"messages": [{"role": "user", "content": text}]})
    assert len(text) // 4 <= request.estimated_prompt_tokens <= request.prompt_demand.tokens


def test_request_without_a_model_is_for_auto() -> None:
    assert parse_chat().model == "auto"
    assert parse_chat(model="m").model == "m"


def test_request_streams_only_for_true_and_never_for_embeddings() -> None:
    assert parse_chat(stream=True).stream
    assert not parse_chat(stream=False).stream
    assert not parse_chat().stream
    assert not Request.parse(Kind.EMBEDDINGS, {"input": "Hi", "stream": True}).stream


@pytest.mark.parametrize(
    ("body", "needs"),
    [
        ({}, set()),
        ({"tools": [{"type": "function"}]}, {Capability.TOOLS}),
        ({"tools": []}, set()),
        ({"response_format": {"type": "json_schema"}}, {Capability.JSON}),
        ({"response_format": {"type": "json_object"}}, {Capability.JSON}),
        ({"response_format": {"type": "text"}}, set()),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, {Capability.VISION}),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, {Capability.AUDIO}),
    ],
)
def test_request_chat_needs_follow_from_its_content(body: dict[str, Any], needs: set[Capability]) -> None:
    assert parse_chat(**body).needs == {Capability.COMPLETION} | needs


def test_request_of_other_kinds_needs_their_capability() -> None:
    assert Request.parse(Kind.EMBEDDINGS, {"input": "Hi"}).needs == {Capability.EMBEDDINGS}
    assert Request.parse(Kind.COMPLETION, {"prompt": "Hi", "messages": 5}).needs == {Capability.COMPLETION}


def test_request_prompt_estimate_includes_all_parts() -> None:
    assert parse_chat(messages=[{"role": "user", "content": "x" * 400}]).estimated_prompt_tokens == 100
    assert parse_chat(
        messages=[{"role": "user", "content": [{"type": "text", "text": "x" * 400}, IMAGE]}]
    ).estimated_prompt_tokens == (100 + TOKENS_PER_IMAGE)
    assert parse_chat(tools=[{"x": "y" * 400}]).estimated_prompt_tokens >= 100
    called = [{"role": "assistant", "content": None, "tool_calls": [{"arguments": "x" * 400}]}]
    assert parse_chat(messages=called).estimated_prompt_tokens >= 100
    assert Request.parse(Kind.COMPLETION, {"prompt": "x" * 400}).estimated_prompt_tokens == 100
    assert Request.parse(Kind.EMBEDDINGS, {"input": ["x" * 200, "x" * 200]}).estimated_prompt_tokens >= 100


def test_request_copy_does_not_change_the_original() -> None:
    first = parse_chat(model="a", temperature=1)
    second = first.with_body(model="b", temperature=None, seed=1)
    assert (first.model, second.model) == ("a", "b")
    assert "temperature" not in second.body
    assert first.body["temperature"] == 1


def test_with_body_of_other_parameters_keeps_the_prompts_estimates() -> None:
    first = parse_chat(model="a", tools=[{"type": "function"}])
    demand, needs = first.prompt_demand, first.needs
    second = first.with_body(model="b", stream_options=None)
    assert second.prompt_demand is demand
    assert second.needs is needs


def test_with_body_of_another_prompt_computes_its_estimates_again() -> None:
    first = parse_chat(tools=[{"type": "function"}])
    assert (first.estimated_prompt_tokens, first.needs) == (5, frozenset({Capability.COMPLETION, Capability.TOOLS}))
    second = first.with_body(messages=[{"role": "user", "content": "x" * 400}], tools=None)
    assert (second.estimated_prompt_tokens, second.needs) == (100, frozenset({Capability.COMPLETION}))
    assert first.prompt_demand != second.prompt_demand


def test_of_model_keeps_all_other_bytes() -> None:
    """Prefix caches of providers work on bytes."""
    first = parse_chat(model="a", tools=[{"z": 1, "a": 2}], seed=1)
    assert first.with_body(model="b").dump() == first.dump().replace(b'"model":"a"', b'"model":"b"')


def test_request_repr_contains_no_text() -> None:
    assert "secret" not in repr(parse_chat(messages=[{"role": "user", "content": "secret"}]))
