"""The rules by which `demo-rules` answers a chat: deterministic, in English."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
import hashlib
import re
from typing import Any

import orjson

from ...protocol.errors import InvalidRequestError
from ...protocol.tool_calls import ToolCall
from ...protocol.values import mapping
from .home import devices_in_prompt, text_of
from .results import describe
from .schema import SchemaError, instance
from .tools import Call, Clarification, Tool, best_call, calls_for

MODEL = "demo-rules"
MAX_COUNT = 1000

_SELF = (
    f"I am {MODEL}, a set of rules, not a language model. I call the tools that I am offered when you say things like "
    '"turn on the kitchen light" or "is the kitchen light on?", I fill in JSON schemas, count ("count to 20"), repeat '
    '("say hello") and remember what you said before. Everything else needs a real model.'
)
_OTHER = f"I am {MODEL}, a set of rules, not a language model, and no rule of mine fits this. Ask me what I can do."
_ENGLISH_ONLY = f"I am {MODEL}, a set of rules, not a language model, and I only understand English. Please try it in English."
_BLIND = f"I am {MODEL}, a set of rules: I cannot see images. Choose a model with vision for that."
_MOMENT = re.compile(r"\s*\n\(It is [^\n]*\)\s*\Z")
_COMMON_WORDS = frozenset(
    "a an and are at by can do does for have hello help hey hi how i in is it me my not of off on one or please say tell thanks "
    "that the there this to turn was we what when where which who why will with you your".split()
)


@dataclass(frozen=True, slots=True)
class Turn:
    """An assistant's turn: a text, or tool calls."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()


def respond(body: Mapping[str, Any]) -> Turn:
    """The answer to a chat request's body. Raises InvalidRequestError for an unsupported schema or tool choice."""
    messages: Sequence[Mapping[str, Any]] = body["messages"]
    asked = _last_said(messages)
    tools = _allowed_tools(body)
    if tools and _must_call(body):
        try:
            return _calling(messages, [best_call(asked, tools, devices_in_prompt(messages))])
        except SchemaError as err:
            raise InvalidRequestError(f"No arguments can be made for {tools[0].name}: {err}.", param="tools") from None
    answered = _tool_results(messages)
    if (structured := _structured(body, asked)) is not None:
        return Turn(structured)
    if answered is not None:
        calls, results = answered
        return Turn(describe(asked, calls, results))
    if any(mapping(part).get("type") == "image_url" for part in _last_parts(messages)):
        return Turn(_BLIND)
    found = calls_for(asked, tools, devices_in_prompt(messages))
    if isinstance(found, Clarification):
        return Turn(f"Which one do you mean: {', '.join(found.options[:5])}?")
    complete = [call for call in found if not call.missing]
    if complete:
        return _calling(messages, complete)
    if found:
        return Turn(f"I could use {found[0].tool.short_name} for this, but you did not say: {', '.join(found[0].missing)}.")
    return Turn(answer_plainly(asked, [_said(message) for message in messages if message.get("role") == "user"]))


def answer_plainly(asked: str, said: Sequence[str]) -> str:
    """The answer to a sentence without tools; `said`: all messages of the user."""
    for pattern, answer in _PLAIN:
        if found := pattern.search(asked):
            return answer(found, said)
    return _OTHER if _is_english(asked) else _ENGLISH_ONLY


def _counted(found: re.Match[str], _: Sequence[str]) -> str:
    top = int(found[1])
    if top > MAX_COUNT:
        return f"I only count to {MAX_COUNT}."
    return " ".join(str(number) for number in range(1, top + 1)) or "There is nothing to count."


def _remembered(_: re.Match[str], said: Sequence[str]) -> str:
    return f"Before this, you said: {said[-2].strip()}" if len(said) > 1 else "You have said nothing before this."


_PLAIN: Sequence[tuple[re.Pattern[str], Callable[[re.Match[str], Sequence[str]], str]]] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), answer)
    for pattern, answer in (
        (r"\bcount (?:up )?to (\d{1,9})\b", _counted),
        (r"\bwhat did i (?:just )?say\b|\bwhat was my (?:last|previous)\b", _remembered),
        (r"^\W*(?:please )?(?:say|repeat)[\s:,]+(.+)$", lambda found, _: found[1].strip().strip("\"'“”")),
        (r"\b(?:who|what) are you\b|\bwhat can you do\b|\bhelp\b|\byour name\b", lambda _, __: _SELF),
        (r"^\W*(?:hello|hi|hey|good (?:morning|evening|day))\b", lambda _, __: f"Hello. {_SELF}"),
        (r"\bthank(?:s| you)\b", lambda _, __: "You are welcome."),
    )
)


def _is_english(text: str) -> bool:
    words = re.findall(r"[^\W\d_]+", text.casefold())
    return not words or any(word in _COMMON_WORDS for word in words) or (text.isascii() and len(words) <= 2)


def _last_said(messages: Sequence[Mapping[str, Any]]) -> str:
    return next((_said(message) for message in reversed(messages) if message.get("role") == "user"), "")


def _said(message: Mapping[str, Any]) -> str:
    """What a user said, without the moment that the integration's agents tell the model after it."""
    return _MOMENT.sub("", text_of(message))


def _last_parts(messages: Sequence[Mapping[str, Any]]) -> list[Any]:
    content = next((message.get("content") for message in reversed(messages) if message.get("role") == "user"), None)
    return content if isinstance(content, list) else []


def _allowed_tools(body: Mapping[str, Any]) -> list[Tool]:
    """The tools that `tool_choice` allows. Raises InvalidRequestError if it names an unknown one."""
    tools = Tool.parse_all(body.get("tools"))
    choice = body.get("tool_choice")
    if choice == "none":
        return []
    if choice == "required" and not tools:
        raise InvalidRequestError("'tool_choice' is required, but there are no tools.", param="tool_choice")
    if isinstance(choice, Mapping):
        name = mapping(choice.get("function")).get("name")
        tools = [tool for tool in tools if tool.name == name]
        if not tools:
            raise InvalidRequestError(f"'tool_choice' names {name}, which is not among the tools.", param="tool_choice")
    return tools


def _must_call(body: Mapping[str, Any]) -> bool:
    return body.get("tool_choice") == "required" or isinstance(body.get("tool_choice"), Mapping)


def _tool_results(messages: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]] | None:
    """(calls of the last assistant message, their results) if the conversation ends with tool results, else None."""
    results: list[Mapping[str, Any]] = []
    for message in reversed(messages):
        if message.get("role") != "tool":
            calls = message.get("tool_calls")
            return ([mapping(call) for call in calls] if isinstance(calls, list) else [], results[::-1]) if results else None
        results.append(message)
    return ([], results[::-1]) if results else None


def _structured(body: Mapping[str, Any], asked: str) -> str | None:
    """The JSON text that `response_format` requests, or None."""
    wanted = mapping(body.get("response_format"))
    if wanted.get("type") == "json_object":
        return orjson.dumps({"model": MODEL, "answer": answer_plainly(asked, [asked])}).decode()
    if wanted.get("type") != "json_schema":
        return None
    named = mapping(wanted.get("json_schema"))
    if not isinstance(named.get("schema"), Mapping | bool):
        raise InvalidRequestError("'response_format.json_schema.schema' must be a JSON schema.", param="response_format")
    try:
        return orjson.dumps(instance(named["schema"], asked, str(named.get("name") or "value"))).decode()
    except (SchemaError, orjson.JSONEncodeError) as err:
        raise InvalidRequestError(f"No answer can be made for this JSON schema: {err}.", param="response_format") from None


def _calling(messages: Sequence[Mapping[str, Any]], calls: Sequence[Call]) -> Turn:
    """The turn with these calls; their ids depend on the conversation only."""
    seed = orjson.dumps(list(messages))
    return Turn(
        calls=tuple(
            ToolCall(
                id=f"call_{hashlib.blake2b(seed, digest_size=12, salt=position.to_bytes(4)).hexdigest()}",
                name=call.tool.name,
                arguments=orjson.dumps(call.arguments).decode(),
            )
            for position, call in enumerate(calls)
        )
    )
