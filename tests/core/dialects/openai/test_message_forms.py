"""Messages in the forms that strict servers require."""

import time
from typing import Any

from hypothesis import given, strategies as st
import pytest

from zeroconf_ai.dialects.openai.message_forms import Form, formed, with_results_after_calls

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
RESULT = {"type": "text", "text": "Result of a tool:"}


def part(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def message(role: str, content: Any = None, **fields: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **fields}


def calls(*ids: Any, content: Any = None) -> dict[str, Any]:
    listed = [{"id": call_id, "type": "function", "function": {"name": "look", "arguments": "{}"}} for call_id in ids]
    return message("assistant", content, tool_calls=listed)


def result(call_id: Any, content: str) -> dict[str, Any]:
    return message("tool", content, tool_call_id=call_id)


HI = message("user", "Hi")
YES = message("assistant", "Yes?")


@pytest.mark.parametrize(
    ("sent", "tidy"),
    [
        ([message("developer", "Be brief."), HI], [message("system", "Be brief."), HI]),
        ([HI, message("system", "Be brief.")], [message("system", "Be brief."), HI]),
        ([message("system", "A"), message("developer", "B"), HI, message("system", "C")], [message("system", "A\n\nB\n\nC"), HI]),
        ([message("system", [part("A")]), message("system", "B"), HI], [message("system", [part("A"), part("B")]), HI]),
        ([message("system", ""), HI], [HI]),
        ([HI, message("user", "there")], [message("user", "Hi\n\nthere")]),
        ([HI, message("user", [IMAGE])], [message("user", [part("Hi"), IMAGE])]),
        ([HI, YES, message("assistant", "No."), HI], [HI, message("assistant", "Yes?\n\nNo."), HI]),
        (
            [
                HI,
                message("assistant", "Well", reasoning_content="A"),
                {**calls("a"), "reasoning_content": "B"},
                result("a", "dark"),
            ],
            [HI, {**calls("a", content="Well"), "reasoning_content": "A\n\nB"}, result("a", "dark")],
        ),
        ([HI, message("assistant", ""), HI], [message("user", "Hi\n\nHi")]),
        ([HI, message("assistant", [part(" ")]), message("user", []), YES, HI], [HI, YES, HI]),
        ([HI, message("user", "")], [message("user", "Hi")]),
        ([HI, YES, message("user", None)], [HI, YES, message("user", None)]),
        ([message("system", "A")], [message("system", "A")]),
        ([message("developer", "")], [message("system", "")]),
    ],
)
def test_messages_are_merged_and_renamed(sent: Any, tidy: Any) -> None:
    assert list(formed(sent, Form.TIDY)) == tidy


@pytest.mark.parametrize(
    ("sent", "ordered"),
    [
        ([HI, calls("a", "b"), result("b", "2"), result("a", "1")], [HI, calls("a", "b"), result("a", "1"), result("b", "2")]),
        ([HI, calls("a"), HI, result("a", "1")], [HI, calls("a"), result("a", "1"), HI]),
        ([HI, result("a", "1"), calls("a"), HI], [HI, calls("a"), result("a", "1"), HI]),
        ([HI, calls("a"), result("", "1")], [HI, calls("a"), result("a", "1")]),
        ([HI, calls("a", "b"), result("x", "1"), result("y", "2")], [HI, calls("a", "b"), result("a", "1"), result("b", "2")]),
        ([HI, result("x", "1")], [HI, message("user", [RESULT, part("1")])]),
        (
            [HI, calls("a"), result("a", "1"), result("a", "2")],
            [HI, calls("a"), result("a", "1"), message("user", [RESULT, part("2")])],
        ),
        ([HI, calls("a", "b"), result("b", "2"), HI], [HI, calls("a", "b"), result("a", "No result."), result("b", "2"), HI]),
        ([HI, calls("a"), HI], [HI, calls("a"), result("a", "No result."), HI]),
        ([HI, calls("a")], [HI, calls("a")]),
        (
            [HI, calls("a"), result("a", "1"), calls("a"), result("a", "2")],
            [HI, calls("a"), result("a", "1"), calls("a"), result("a", "2")],
        ),
        ([HI, calls(None), message("tool", "1")], [HI, calls(None), message("tool", "1")]),
        ([HI, calls("a", "a"), result("a", "1"), result("a", "2")], [HI, calls("a", "a"), result("a", "1"), result("a", "2")]),
    ],
)
def test_results_follow_their_calls(sent: Any, ordered: Any) -> None:
    assert list(with_results_after_calls(sent)) == ordered


@pytest.mark.parametrize(
    ("form", "sent", "strict"),
    [
        (Form.STRICT, [message("user", [part("A"), part("B")])], [message("user", "A\n\nB")]),
        (Form.STRICT, [message("user", [part("A"), IMAGE])], [message("user", [part("A"), IMAGE])]),
        (Form.STRICT, [YES, HI], [message("user", "…"), YES, HI]),
        (Form.STRICT, [message("system", "A")], [message("user", "A")]),
        (
            Form.USER_LAST,
            [message("assistant", " ")],
            [message("user", "…"), message("assistant", "…"), message("user", "Continue.")],
        ),
        (Form.STRICT, [HI, YES, message("user", "")], [HI, YES, message("user", "…")]),
        (Form.STRICT, [HI, calls("a"), result("a", "")], [HI, calls("a", content=""), result("a", "")]),
        (Form.USER_LAST, [HI, YES], [HI, YES, message("user", "Continue.")]),
        (Form.NO_SYSTEM, [message("system", "A"), HI], [message("user", "A\n\nHi")]),
        (Form.NO_SYSTEM, [message("system", "A"), message("user", [IMAGE])], [message("user", [part("A"), IMAGE])]),
    ],
)
def test_messages_are_formed_strictly(form: Form, sent: Any, strict: Any) -> None:
    assert list(formed(sent, form)) == strict


@pytest.mark.parametrize("form", Form)
def test_messages_that_have_the_form_are_the_same_object(form: Form) -> None:
    regular = [HI, calls("a", content=""), result("a", "1"), message("user", "Thanks")]
    assert formed(regular, form) is regular
    of_first_tools = [HI, message("function", "1", name="look"), message("system", "A")]
    assert formed(of_first_tools, form) is of_first_tools


roles = st.sampled_from(["system", "developer", "user", "assistant", "tool"])
contents = st.none() | st.sampled_from(["", " ", "x"]) | st.lists(st.sampled_from([part(""), part("x"), IMAGE]), max_size=2)
ids = st.sampled_from(["a", "b", None, 5])
anything = st.builds(
    lambda role, content, given, call_id: {
        "role": role,
        "content": content,
        **({"tool_calls": calls(*given)["tool_calls"]} if role == "assistant" and given else {}),
        **({"tool_call_id": call_id} if role == "tool" else {}),
    },
    roles,
    contents,
    st.lists(ids, max_size=2),
    ids,
)


@given(st.lists(anything, min_size=1, max_size=8), st.sampled_from(list(Form)))
def test_any_messages_are_formed_once(sent: Any, form: Form) -> None:
    once = list(formed(sent, form))
    assert once
    assert list(formed(once, form)) == once
    if form >= Form.TIDY:
        found = [each["role"] for each in once]
        assert "developer" not in found
        assert "system" not in found[1:]


def test_many_results_without_calls_are_ordered_in_time() -> None:
    """10,000 messages, each of which could be searched for the call of each result."""
    messages = [calls(*(f"{turn}-{call}" for call in range(50))) for turn in range(100)] + [result("x", "1")] * 9900
    started = time.perf_counter()
    assert len(with_results_after_calls(messages)) > 9900
    assert time.perf_counter() - started < 10  # quadratic work would take minutes
