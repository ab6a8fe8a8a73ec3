"""Thought signatures of Gemini, which return with the text or the tool call that they belong to."""

from typing import Any

import pytest

from tests.support.clouds.asking import DIALECTS, TOOLS, before, chat, read, say, whole
from tests.support.clouds.gemini import FLASH, SIGNED, UNCHECKED, FakeGemini, seal
from tests.support.clouds.server import Reply
from zeroconf_ai.dialects.gemini.signatures import SignatureMemory

from .gemini_answers import CALLS, streamed_or_not


@streamed_or_not
@pytest.mark.parametrize("kept", ["extra_content", "reasoning_details", "nothing"])
async def test_thought_signature_returns_with_its_tool_call(stream: bool, kept: str) -> None:
    fake = FakeGemini(CALLS, Reply("21 °C"))
    async with before("gemini", fake) as backend:
        answer = await backend.send(chat(SIGNED, tools=TOOLS, stream=stream))
        if stream:
            _, chunks = await read(answer)
            deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
            calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
            details = [detail for delta in deltas for detail in delta.get("reasoning_details", ())]
        else:
            message = (await whole(answer))["choices"][0]["message"]
            calls, details = message["tool_calls"], message["reasoning_details"]
        assert calls[0]["extra_content"] == {"google": {"thought_signature": seal("sealed")}}
        assert "extra_content" not in calls[1]
        turn: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": calls}
        if kept != "extra_content":
            turn["tool_calls"] = [{key: value for key, value in call.items() if key != "extra_content"} for call in calls]
        if kept == "reasoning_details":
            turn["reasoning_details"] = details
        results = [{"role": "tool", "tool_call_id": call["id"], "content": "21"} for call in calls]
        messages = [{"role": "user", "content": "Hi"}, turn, *results]
        assert (await say(backend, chat(SIGNED, messages=messages, tools=TOOLS))).content == "21 °C"
    sealed = [part.get("thoughtSignature") for part in fake.last.body["contents"][1]["parts"]]
    assert sealed == [seal("sealed"), None]


async def test_thought_signature_is_kept_in_details_for_another_gateway() -> None:
    """As from a client of a gateway whose memory does not have the call."""
    fake = FakeGemini(CALLS, Reply("21 °C"))
    async with before("gemini", fake) as backend:
        message = (await whole(await backend.send(chat(SIGNED, tools=TOOLS))))["choices"][0]["message"]
    calls = [{key: value for key, value in call.items() if key != "extra_content"} for call in message["tool_calls"]]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "21"} for call in calls]
    turn = {"role": "assistant", "content": None, "tool_calls": calls, "reasoning_details": message["reasoning_details"]}
    async with before("gemini", fake) as other:
        await say(other, chat(SIGNED, messages=[{"role": "user", "content": "Hi"}, turn, *results], tools=TOOLS))
    assert fake.last.body["contents"][1]["parts"][0]["thoughtSignature"] == seal("sealed")


def test_signature_memory_is_bounded() -> None:
    memory = SignatureMemory()
    for number in range(1_100):
        memory.keep(f"call_{number}", "x")
    assert (memory.find("call_99"), memory.find("call_100")) == ("", "x")
    for number in range(10):
        memory.keep(f"long_{number}", "x" * 1024 * 1024)
    assert [len(memory.find(f"long_{number}")) > 0 for number in range(10)] == [False] * 2 + [True] * 8
    memory.keep("long_9", "y")
    memory.keep("long_9", "z")
    assert memory.find("long_9") == "z"


async def test_thought_signature_of_a_text_returns_with_it() -> None:
    fake = FakeGemini(Reply("Hello.", "Hm.", "sealed"), Reply("Again."))
    async with before("gemini", fake) as backend:
        _, chunks = await read(await backend.send(chat(SIGNED, stream=True)))
        details = [d for chunk in chunks for choice in chunk["choices"] for d in choice["delta"].get("reasoning_details", ())]
        turn = {"role": "assistant", "content": "Hello.", "reasoning_details": details}
        await say(backend, chat(SIGNED, messages=[{"role": "user", "content": "Hi"}, turn, {"role": "user", "content": "And?"}]))
    assert fake.last.body["contents"][1]["parts"] == [{"text": "Hello.", "thoughtSignature": seal("sealed")}]


@pytest.mark.parametrize(("model", "expected"), [(SIGNED, UNCHECKED), (FLASH, None)])
async def test_tool_call_of_another_model_gets_the_signature_that_is_not_checked(model: str, expected: str | None) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "read", "arguments": "{}"}}
    claude = {"type": "reasoning.text", "text": "Hm.", "signature": "s", "format": "anthropic-claude-v1", "index": 0}
    turn = {"role": "assistant", "content": "", "tool_calls": [call], "reasoning_content": "Hm.", "reasoning_details": [claude]}
    messages = [turn, {"role": "tool", "tool_call_id": "call_1", "content": '{"degrees": 21}'}]
    fake = FakeGemini()
    async with before("gemini", fake) as backend:
        await say(backend, chat(model, messages=messages, tools=TOOLS))
    first, called, result = fake.last.body["contents"]
    assert first == {"role": "user", "parts": [{"text": "…"}]}
    assert called["parts"][0].get("thoughtSignature") == expected
    assert result["parts"] == [{"functionResponse": {"name": "read", "id": "call_1", "response": {"degrees": 21}}}]


async def test_thought_signature_is_not_sent_to_openai_which_refuses_it() -> None:
    async with before("gemini", FakeGemini(CALLS)) as backend:
        message = (await whole(await backend.send(chat(SIGNED, tools=TOOLS))))["choices"][0]["message"]
    assert "extra_content" in message["tool_calls"][0]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "21"} for call in message["tool_calls"]]
    messages = [{"role": "user", "content": "Hi"}, message, *results]
    for name, kept in (("openai", False), ("openrouter", True)):
        fake = DIALECTS[name].fake()
        async with before(name, fake) as other:
            await say(other, chat(DIALECTS[name].model, messages=messages, tools=TOOLS))
        assert [call["id"] for call in fake.last.body["messages"][1]["tool_calls"]] == ["toolu_01A", "toolu_02B"]
        assert ("extra_content" in str(fake.last.body)) == kept
