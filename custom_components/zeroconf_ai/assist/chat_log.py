"""Translation between Home Assistant's chat log and the internal format. No I/O except reading attachments."""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
import logging
from pathlib import Path
import re
from typing import Any

from probatio import to_openapi
import voluptuous as vol

from homeassistant.components import conversation
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import llm
from homeassistant.helpers.json import json_dumps

from ..const import DOMAIN
from ..core.protocol import json
from ..core.protocol.tool_calls import ToolCall

_LOGGER = logging.getLogger(__name__)

_FENCE = re.compile(r"^```[a-zA-Z]*\s*\n(.*?)\n?```$", re.DOTALL)
_IMAGE = "image/"
_PDF = "application/pdf"

type Message = dict[str, Any]


def tools_to_json(tools: Iterable[llm.Tool], serializer: Callable[[Any], Any] | None) -> list[dict[str, Any]]:
    """OpenAI's `tools`, sorted by name, so that the prompt stays the same for the servers' prefix caches."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description or "",
                "parameters": to_openapi(tool.parameters, custom_serializer=serializer, openapi_version="3.1.0"),
            },
        }
        for tool in sorted(tools, key=lambda tool: tool.name)
    ]


def trim_history(content: Sequence[conversation.Content], turns: int) -> list[conversation.Content]:
    """The system prompt and about the last `turns` turns, each from a user message to the next; 0 keeps everything.

    Turns are dropped in steps of half of `turns`, so that the beginning of the prompt changes rarely and the servers' prefix
    caches stay useful.
    """
    starts = [index for index, item in enumerate(content) if isinstance(item, conversation.UserContent)]
    surplus = len(starts) - turns
    if turns <= 0 or surplus <= 0:
        return list(content)
    step = max(1, turns // 2)
    dropped = min(-(-surplus // step) * step, len(starts) - 1)
    return [*content[:1], *content[starts[dropped] :]]


def messages_to_json(
    content: Iterable[conversation.Content],
    files: Mapping[Path, Message],
    addition: Callable[[conversation.UserContent], str] = lambda _: "",
) -> list[Message]:
    """OpenAI's `messages`. `files` contains the part for each attachment (see `read_attachments`).

    `addition` returns what follows a sentence of the user.
    """
    return [message for item in content if (message := _message(item, files, addition)) is not None]


def _message(
    item: conversation.Content, files: Mapping[Path, Message], addition: Callable[[conversation.UserContent], str]
) -> Message | None:
    if isinstance(item, conversation.ToolResultContent):
        result = _dumps({"data": item.result.data, "error": item.result.error})
        return {"role": "tool", "tool_call_id": item.tool_call_id, "content": result}
    if isinstance(item, conversation.AssistantContent):
        message: Message = {"role": "assistant", "content": item.content or ""}
        if item.thinking_content:
            message["reasoning_content"] = item.thinking_content  # some models require it after a tool call
        if item.tool_calls:
            message["tool_calls"] = [
                ToolCall(call.id, call.tool_name, _dumps(call.tool_args)).to_json() for call in item.tool_calls
            ]
        return message
    if isinstance(item, conversation.UserContent):
        parts = [files[attachment.path] for attachment in item.attachments or () if attachment.path in files]
        text = f"{item.content}\n\n{added}" if (added := addition(item)) else item.content
        return {"role": "user", "content": [{"type": "text", "text": text}, *parts] if parts else text}
    return {"role": "system", "content": item.content} if item.content else None


def _dumps(value: Mapping[str, Any]) -> str:
    """Serialize data of other integrations; if it is not valid JSON data, an error for the model."""
    try:
        json.check_depth(value)
        return json_dumps(value)
    except (json.DepthError, TypeError) as err:  # orjson raises TypeError
        return json_dumps({"error": f"The data cannot be converted to JSON: {err}"})


def has_attachments(content: Iterable[conversation.Content]) -> bool:
    """Whether `read_attachments` has a file to read."""
    return any(item.attachments for item in content if isinstance(item, conversation.UserContent))


def read_attachments(content: Iterable[conversation.Content]) -> dict[Path, Message]:
    """Convert attachments (images and PDF files) to message parts, by path. Blocking: run it in the executor.

    Raises HomeAssistantError for a file that cannot be read or has another type.
    """
    parts: dict[Path, Message] = {}
    for item in content:
        for attachment in item.attachments or () if isinstance(item, conversation.UserContent) else ():
            kind, path = attachment.mime_type, attachment.path
            if not kind.startswith((_IMAGE, _PDF)):
                raise HomeAssistantError(
                    translation_domain=DOMAIN,
                    translation_key="unsupported_attachment",
                    translation_placeholders={"name": path.name, "mime_type": kind},
                )
            try:
                data = base64.b64encode(path.read_bytes()).decode()
            except OSError as err:
                _LOGGER.warning("The attachment %s cannot be read: %s", path, err)
                raise HomeAssistantError(
                    translation_domain=DOMAIN,
                    translation_key="attachment_not_readable",
                    translation_placeholders={"name": path.name},
                ) from err
            url = f"data:{kind};base64,{data}"
            if kind.startswith(_IMAGE):
                parts[path] = {"type": "image_url", "image_url": {"url": url}}
            else:
                parts[path] = {"type": "file", "file": {"filename": path.name, "file_data": url}}
    return parts


def match_tool_name(name: str, offered: Iterable[str]) -> str:
    """The offered tool for a model's tool name: small models omit the namespace (`intent__`)."""
    known = list(offered)
    if name in known:
        return name
    matching = [tool for tool in known if tool.endswith(f"__{name}")]
    return matching[0] if len(matching) == 1 else name


def parse_arguments(text: str) -> dict[str, Any]:
    """Parse a tool call's arguments. Raises ValueError with a message for the model."""
    value: Any = text.strip() or "{}"
    for _ in range(2):  # some servers encode them twice
        if not isinstance(value, str):
            break
        try:
            value = json.loads(_FENCE.sub(r"\1", value))
        except json.JSONDecodeError as err:
            raise ValueError(f"the arguments are not valid JSON ({err})") from None
    if not isinstance(value, dict):
        raise ValueError(f"the arguments must be a JSON object, not {type(value).__name__}")
    return value


def structure_to_json(structure: vol.Schema, serializer: Callable[[Any], Any]) -> dict[str, Any]:
    """The JSON schema of a structure in OpenAI's strict form: all properties required, optional ones nullable, no others."""
    schema: dict[str, Any] = to_openapi(structure, custom_serializer=serializer, openapi_version="3.1.0")
    return _strict(schema)


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    schema = dict(schema)
    if isinstance(properties := schema.get("properties"), dict):
        required = set(schema.get("required", ()))
        schema["properties"] = {
            name: _strict(part) if name in required else _nullable(_strict(part)) for name, part in properties.items()
        }
        schema["required"] = list(properties)
        schema["additionalProperties"] = False
    if isinstance(items := schema.get("items"), dict):
        schema["items"] = _strict(items)
    for key in ("anyOf", "oneOf", "allOf"):
        if isinstance(parts := schema.get(key), list):
            schema[key] = [_strict(part) if isinstance(part, dict) else part for part in parts]
    return schema


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema:
        return {**schema, "type": [kind, "null"]}
    return schema if isinstance(kind, list) else {"anyOf": [schema, {"type": "null"}]}


def parse_structured(text: str, structure: vol.Schema) -> Any:
    """Parse and validate a structured answer. Raises ValueError with a message for the model.

    Tolerates deviations of small models: a code fence, text around the object, null for optional values.
    """
    stripped = _FENCE.sub(r"\1", text.strip())
    begin, end = stripped.find("{"), stripped.rfind("}")
    for candidate in (stripped, stripped[begin : end + 1]):
        try:
            data = json.loads(candidate)
        except json.JSONDecodeError:
            continue
        with suppress(vol.Invalid):  # null may be a valid value
            return structure(data)
        try:
            return structure(_without_nulls(data))
        except vol.Invalid as err:
            raise ValueError(f"it does not fit the schema: {err}") from None
    raise ValueError("it is not a JSON object")


def _without_nulls(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _without_nulls(value) for key, value in data.items() if value is not None}
    return [_without_nulls(item) for item in data] if isinstance(data, list) else data


def cut_reasoning(chat_log: conversation.ChatLog, known: int, text: str) -> None:
    """Move what was streamed as content, and is reasoning as its end has shown, to the reasoning of the new content."""
    for index, content in enumerate(chat_log.content[known:], known):
        if isinstance(content, conversation.AssistantContent) and content.content and content.content != text:
            reasoning = content.content.removesuffix(text)
            thinking = (content.thinking_content or "") + reasoning
            chat_log.content[index] = replace(content, content=text or None, thinking_content=thinking or None)


def has_acted(chat_log: conversation.ChatLog, begin: int) -> bool:
    """Whether tools changed something since `begin` and none of the last called tools failed.

    After a read-only tool, an empty answer is no answer.
    """
    read_only = {tool.name for tool in chat_log.llm_api.tools if tool.annotations.read_only} if chat_log.llm_api else set()
    acted = failed = False
    for content in chat_log.content[begin:]:
        if isinstance(content, conversation.ToolResultContent):
            failed = failed or content.result.error
            acted = acted or not (content.result.error or content.tool_name in read_only)
        elif isinstance(content, conversation.AssistantContent) and content.tool_calls:
            failed = False
    return acted and not failed
