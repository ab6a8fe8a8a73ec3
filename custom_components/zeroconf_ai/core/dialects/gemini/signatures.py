"""Thought signatures: encrypted reasoning of Gemini models, which must return with the part of the answer that it belongs to.

A tool call has its signature in `extra_content.google.thought_signature`, as with Google's OpenAI-compatible API, and the message
has all signatures in `reasoning_details`, as with OpenRouter: clients that drop unknown fields of tool calls mostly keep these.
Source: ai.google.dev/gemini-api/docs/thought-signatures.
"""

from collections.abc import Mapping
from typing import Any

from ...protocol.values import mapping
from ..reasoning import GEMINI_FORMAT, details_of

UNCHECKED = "skip_thought_signature_validator"
"""The signature with which Google accepts tool calls of other models and of clients that have lost theirs."""


def extra_content(signature: str) -> dict[str, Any]:
    """The field of a tool call with its signature."""
    return {"google": {"thought_signature": signature}}


def call_signature(call: Mapping[str, Any]) -> str:
    """The signature in a tool call; "" if it has none."""
    signature = mapping(mapping(call.get("extra_content")).get("google")).get("thought_signature")
    return signature if isinstance(signature, str) else ""


def detail(signature: str, index: int, call_id: str | None = None) -> dict[str, Any]:
    """An entry of `reasoning_details` with a signature. `call_id`: of its tool call; None: it belongs to the text."""
    named = {} if call_id is None else {"id": call_id}
    return {"type": "reasoning.encrypted", "data": signature, "format": GEMINI_FORMAT, "index": index} | named


def signatures(message: Mapping[str, Any]) -> dict[str, str]:
    """The signatures in an assistant message's `reasoning_details`, by tool call id; under "" the text's."""
    found: dict[str, str] = {}
    for entry in details_of(message):
        data, call_id = entry.get("data") or entry.get("signature"), entry.get("id")
        if entry.get("format") == GEMINI_FORMAT and isinstance(data, str):
            found[call_id if isinstance(call_id, str) else ""] = data
    return found
