"""Reasoning of earlier answers, which clients must send back: signed by Claude models, as text by DeepSeek, Kimi and others."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import orjson

from ..protocol import json
from ..protocol.values import mapping

SIGNED_FORMAT = "anthropic-claude-v1"
"""The value of `format` in `reasoning_details`, in which OpenRouter passes thinking blocks to OpenAI clients and back."""
GEMINI_FORMAT = "google-gemini-v1"
"""The same for the thought signatures of Gemini models."""
UNSIGNED = "zeroconfai-unsigned"
"""The signature of thinking blocks of models that do not sign: many clients do not send blocks without a signature back."""
TEXT = "reasoning_content"
"""The field of an assistant message with its reasoning as text."""
DETAILS = "reasoning_details"
"""The field of an assistant message with its reasoning as objects, which may be signed or encrypted."""
CALL_FIELD = "extra_content"
"""The field of a tool call with its thought signature, as with Google's OpenAI-compatible API."""
FIELDS = frozenset({TEXT, DETAILS, "reasoning", "thinking_blocks", CALL_FIELD})
"""All fields with reasoning of an assistant message and its calls: `reasoning` is OpenRouter's, `thinking_blocks` LiteLLM's."""
_PREFIX = "zeroconfai-1."


def join_reasoning(message: dict[str, Any], fields: Mapping[str, Any]) -> None:
    """Add the reasoning in `fields` to an assistant message, after the reasoning that it has."""
    if text := fields.get(TEXT):
        message[TEXT] = "\n\n".join(filter(None, (message.get(TEXT), text)))
    if details := fields.get(DETAILS):
        message[DETAILS] = [*message.get(DETAILS, ()), *details]


def text_of_reasoning(message: Mapping[str, Any]) -> str:
    """An assistant message's reasoning as text: DeepSeek's `reasoning_content`, else OpenRouter's and vLLM's `reasoning`."""
    texts = (message.get(TEXT), message.get("reasoning"))
    return next((text for text in texts if isinstance(text, str) and text), "")


def details_of(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The objects in a message's `reasoning_details`; empty for a message without them."""
    details = message.get(DETAILS)
    return [detail for detail in details if isinstance(detail, Mapping)] if isinstance(details, list) else []


def pack(fields: Mapping[str, Any]) -> str:
    """Reasoning as the opaque text that clients of the Responses API keep and send back (`encrypted_content`)."""
    return _PREFIX + b64encode(orjson.dumps(fields)).decode()


def unpack(text: object) -> dict[str, Any]:
    """The reasoning that `pack` has encoded; empty for anything else, such as the text of another server."""
    if not isinstance(text, str) or not text.startswith(_PREFIX):
        return {}
    try:
        packed = mapping(json.loads(b64decode(text.removeprefix(_PREFIX))))
    except ValueError:
        return {}
    found: dict[str, Any] = {}
    if isinstance(said := packed.get(TEXT), str) and said:
        found[TEXT] = said
    if details := details_of(packed):
        found[DETAILS] = details
    return found
