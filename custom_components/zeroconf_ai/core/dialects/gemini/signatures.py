"""Thought signatures: encrypted reasoning of Gemini models, which must return with the part of the answer that it belongs to.

A tool call has its signature in `extra_content.google.thought_signature`, as with Google's OpenAI-compatible API, and the message
has all signatures in `reasoning_details`, as with OpenRouter: clients that drop unknown fields of tool calls may keep these. For
clients that keep neither, `SignatureMemory` knows those of recent calls.
Source: ai.google.dev/gemini-api/docs/thought-signatures.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from ...protocol.values import mapping
from ..reasoning import GEMINI_FORMAT, details_of

UNCHECKED = "skip_thought_signature_validator"
"""The signature with which Google accepts tool calls of other models and of clients that have lost theirs."""


_KEPT = 1_000
_KEPT_CHARACTERS = 8 * 1024 * 1024


class SignatureMemory:
    """The signatures of the newest tool calls by the call's id: at most 1,000 of them, and 8 million characters."""

    def __init__(self) -> None:
        self._signatures: OrderedDict[str, str] = OrderedDict()
        self._size = 0

    def keep(self, call_id: str, signature: str) -> None:
        """Add a signature; the oldest ones are dropped."""
        self._size += len(signature) - len(self._signatures.pop(call_id, ""))
        self._signatures[call_id] = signature
        while len(self._signatures) > _KEPT or self._size > _KEPT_CHARACTERS:
            self._size -= len(self._signatures.popitem(last=False)[1])

    def find(self, call_id: str) -> str:
        """The signature of a call; "" if it is not known."""
        return self._signatures.get(call_id, "")


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
