"""The upstream: fakes of clouds whose answers depend on the prompt, so that any client gets through its three turns."""

from collections.abc import Mapping
from dataclasses import replace
import json
import re
from typing import Any, override

from tests.support.clouds.anthropic import BOTH, FakeAnthropic
from tests.support.clouds.gemini import SIGNED, FakeGemini
from tests.support.clouds.ollama import FakeOllama
from tests.support.clouds.openai import FakeOpenAI
from tests.support.clouds.server import Call, FakeCloud, Outcome, Reply

GREETING, READ, AGAIN = "Say hello to me.", "Read the meter of the kitchen.", "Say the number of the meter again."
PROMPTS = (GREETING, READ, AGAIN)
HELLO = "Hello there."
_NUMBER = re.compile(r"METER-\d{6}")


def read_answer(number: str) -> str:
    """The answer to the second prompt."""
    return f"The meter shows {number}."


def again_answer(number: str) -> str:
    """The answer to the third prompt."""
    return f"It was {number}."


class ScriptedModel(FakeCloud):
    """Answers the newest of the three prompts from what the conversation contains."""

    type: str
    """Its backend type."""
    model: str
    """The model that the clients use."""
    calls: tuple[Call, ...] = ()
    """The tool calls that read the meter; the first whose tool the client offers is made."""

    @override
    def outcome_for(self, body: Mapping[str, Any]) -> Outcome:
        text = json.dumps([body.get("system"), body.get("messages") or body.get("contents")])
        newest = max(PROMPTS, key=text.rfind)
        if newest not in text:
            return Reply("Meter")  # a request of the client's own, such as for a title
        if newest == GREETING:
            return self._final(body, HELLO)
        if newest == AGAIN:
            numbers = _NUMBER.findall(text)
            return self._final(body, again_answer(numbers[-1]) if numbers else "I do not know it.")
        if number := _NUMBER.search(text, text.rfind(READ)):
            return self._final(body, read_answer(number[0]))
        called = next((call for call in self.calls if call.name in _offered(body)), None)
        return Reply("There is no tool for this.") if called is None else Reply(calls=(called,))

    def _final(self, body: Mapping[str, Any], text: str) -> Reply:
        """The answer; smolagents expects it as a tool call."""
        if "final_answer" in _offered(body):
            return Reply(calls=(Call("final_answer", {"answer": text}, id="call_final"),))
        return Reply(text)


def _offered(body: Mapping[str, Any]) -> set[str]:
    """The names of the tools of a request in any of the dialects."""
    tools = (tool.get("functionDeclarations") or [tool.get("function", tool)] for tool in body.get("tools") or ())
    return {function["name"] for functions in tools for function in functions}


class ScriptedOpenAI(ScriptedModel, FakeOpenAI):
    """OpenAI's API."""

    type, model = "openai", "gpt-4.1"


class ScriptedAnthropic(ScriptedModel, FakeAnthropic):
    """Anthropic's API."""

    type, model = "anthropic", BOTH


class ScriptedOllama(ScriptedModel, FakeOllama):
    """Ollama's API. A required tool call is requested by `format`, which restricts the answer to such a call as JSON text."""

    type, model = "ollama", "qwen3:8b"

    @override
    def outcome_for(self, body: Mapping[str, Any]) -> Outcome:
        if not (shapes := (body.get("format") or {}).get("anyOf")):
            return super().outcome_for(body)
        names = [shape["properties"]["name"]["enum"][0] for shape in shapes]
        reply = super().outcome_for({**body, "tools": [{"name": name} for name in names]})
        if not isinstance(reply, Reply) or not reply.calls:
            return reply
        return Reply(json.dumps({"name": reply.calls[0].name, "arguments": dict(reply.calls[0].arguments)}))


class ScriptedGemini(ScriptedModel, FakeGemini):
    """Google's API. Tool calls are signed, and are refused later without their signature."""

    type, model = "gemini", SIGNED

    @override
    def outcome_for(self, body: Mapping[str, Any]) -> Outcome:
        reply = super().outcome_for(body)
        return replace(reply, seal="sealed") if isinstance(reply, Reply) and reply.calls else reply


MODELS = {model.type: model for model in (ScriptedOpenAI, ScriptedAnthropic, ScriptedOllama, ScriptedGemini)}
