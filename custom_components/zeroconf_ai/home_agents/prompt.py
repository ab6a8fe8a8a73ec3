"""Conversion of a chat completion to the prompt of an agent of this Home Assistant: last user message, history, structure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
import re
from typing import Any

from probatio import from_json_schema
import voluptuous as vol

from homeassistant.components import conversation

from ..core.protocol.errors import InvalidRequestError
from ..core.protocol.request import Request
from ..core.protocol.values import mapping

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
"""A plain language tag (RFC 5646), such as `de`, `pt-BR` or `zh-Hant-TW`."""
_INSTRUCTIONS = frozenset({"system", "developer"})
_SPEAKERS = {"user": "User", "assistant": "Assistant", "tool": "Result of a tool", "function": "Result of a tool"}
_MAX_DEPTH = 50
_MAX_NODES = 10_000
"""Maximum size of an expanded schema, since definitions that contain others twice double it with each level."""
_JSON_ONLY = "Answer with nothing but a JSON object."


@dataclass(frozen=True, slots=True)
class Turn:
    """One message. `role` is one of OpenAI's except system and developer."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """The last user message (`text`), earlier messages, instructions and language."""

    text: str
    earlier: tuple[Turn, ...] = ()
    system: str | None = None
    language: str | None = None

    def history(self, agent_id: str) -> list[conversation.UserContent | conversation.AssistantContent]:
        """The earlier messages for a chat log. Results of a client's tools become user messages."""
        contents: list[conversation.UserContent | conversation.AssistantContent] = []
        for turn in self.earlier:
            if turn.role == "assistant":
                contents.append(conversation.AssistantContent(agent_id=agent_id, content=turn.text))
            else:
                text = turn.text if turn.role == "user" else f"{_SPEAKERS[turn.role]}: {turn.text}"
                contents.append(conversation.UserContent(text))
        return contents

    def instructions(self, *, json_only: bool = False) -> str:
        """Everything as one text, for AI tasks, which have no history."""
        parts = [self.system] if self.system else []
        if self.earlier:
            parts += [f"{_SPEAKERS[turn.role]}: {turn.text}" for turn in (*self.earlier, Turn("user", self.text))]
        else:
            parts.append(self.text)
        return "\n\n".join([*parts, _JSON_ONLY] if json_only else parts)


@dataclass(frozen=True, slots=True)
class Structure:
    """The requested structure; without a schema, any JSON object."""

    name: str
    schema: vol.Schema | None = None


def read_prompt(request: Request) -> Prompt:
    """Convert a chat. Raises InvalidRequestError for tools, media, or a last message that is not the user's."""
    body = request.body
    if body.get("tools"):
        raise InvalidRequestError("This agent uses Home Assistant's tools only: omit 'tools'.", param="tools")
    if (body.get("n") or 1) > 1:
        raise InvalidRequestError("Agents give one answer per request: 'n' must be 1.", param="n")
    system: list[str] = []
    turns: list[Turn] = []
    for index, message in enumerate(body["messages"]):
        text = _text(message.get("content"), f"messages[{index}].content")
        if text and message["role"] in _INSTRUCTIONS:
            system.append(text)
        elif text:
            turns.append(Turn(message["role"], text))
    if not turns or turns[-1].role != "user":
        raise InvalidRequestError("The last message must be a user message with text.", param="messages")
    language = mapping(body.get("metadata")).get("language")
    plain = isinstance(language, str) and _LANGUAGE.fullmatch(language) is not None
    return Prompt(turns[-1].text, tuple(turns[:-1]), "\n\n".join(system) or None, language if plain else None)


def read_structure(body: Mapping[str, Any]) -> Structure | None:
    """Convert `response_format`; None for text. Raises InvalidRequestError for an unsupported schema."""
    wanted = mapping(body.get("response_format"))
    if wanted.get("type") == "json_object":
        return Structure("answer")
    if wanted.get("type") != "json_schema":
        return None
    named = mapping(wanted.get("json_schema"))
    schema = named.get("schema")
    where = "response_format.json_schema.schema"
    if not isinstance(schema, dict):
        raise InvalidRequestError(f"{where} must be a JSON schema.", param="response_format")
    name = named.get("name")
    try:
        structure = _with_plain_numbers(from_json_schema(_Inliner(mapping(schema.get("$defs"))).inlined(schema, _MAX_DEPTH)))
    except (vol.SchemaError, ValueError) as err:
        raise InvalidRequestError(f"{where} is not supported: {err}.", param="response_format") from None
    return Structure(name if isinstance(name, str) and name else "answer", structure)


class _Inliner:
    """Replaces the references of a schema by their definitions. Raises ValueError if the schema becomes too large."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        """`definitions` are the schema's `$defs`."""
        self._definitions = definitions
        self._nodes = 0

    def inlined(self, node: Any, depth: int) -> Any:
        """`node` without references, at most `depth` levels deep."""
        self._nodes += 1
        if not depth or self._nodes > _MAX_NODES:
            raise ValueError("it is nested too deeply, contains itself, or is too large")
        if isinstance(node, list):
            return [self.inlined(part, depth - 1) for part in node]
        if not isinstance(node, dict):
            return node
        if isinstance(reference := node.get("$ref"), str):
            name = reference.removeprefix("#/$defs/")
            if name not in self._definitions:
                raise ValueError(f"it has no {reference}")
            return self.inlined(self._definitions[name], depth - 1)
        return {key: self.inlined(part, depth - 1) for key, part in node.items() if key != "$defs"}


def _with_plain_numbers(node: Any) -> Any:
    """A schema with plain number types, because the converter to JSON does not know those made by the converter from JSON."""
    if isinstance(node, vol.Schema):
        return vol.Schema(_with_plain_numbers(node.schema), extra=node.extra)
    if isinstance(node, dict):
        return {key: _with_plain_numbers(part) for key, part in node.items()}
    if isinstance(node, list):
        return [_with_plain_numbers(part) for part in node]
    if isinstance(node, vol.All | vol.Any):
        return type(node)(*map(_with_plain_numbers, node.validators))
    if isinstance(integer := getattr(node, "integer", None), bool):
        return int if integer else vol.Coerce(float)
    return node


def _text(content: object, where: str) -> str:
    """A message's text, its parts joined. Raises InvalidRequestError for parts that are not text."""
    if isinstance(content, str):
        return content.strip()
    return "\n".join(_texts(content if isinstance(content, list) else (), where)).strip()


def _texts(parts: Iterable[Mapping[str, Any]], where: str) -> Iterable[str]:
    for part in parts:
        if part["type"] not in ("text", "refusal"):
            raise InvalidRequestError(f"{where}: agents accept only text, not {part['type']}.", param="messages")
        if isinstance(text := part.get(part["type"]), str):
            yield text
