"""Which chunks of OpenAI-compatible servers need no repair, judged by their bytes: a chunk of a stream is rarely parsed."""

import re

from ...protocol.request import Kind

_TEXT = rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_CHOICE_BEGIN = rb'"choices"\s*:\s*\[\s*\{(?:\s*"finish_reason"\s*:\s*null\s*,)?\s*"index"\s*:\s*(\d+)\s*,\s*"delta"\s*:\s*\{'
_CHOICE_END = rb'\s*\}(?:\s*,\s*"(?:logprobs|finish_reason|stop_reason|native_finish_reason|token_ids)"\s*:\s*null)*\s*\}\s*\]'
_PLAIN = re.compile(
    _CHOICE_BEGIN
    + rb'(?:\s*"(?:role|content|reasoning_content|reasoning|refusal)"\s*:\s*(?:null|'
    + _TEXT
    + rb")\s*,?)*+"
    + _CHOICE_END
)
"""The one choice of a chunk with text only, as most are."""
_PIECE = re.compile(
    _CHOICE_BEGIN
    + rb'\s*"tool_calls"\s*:\s*\[\s*\{\s*"index"\s*:\s*(\d+)\s*,\s*"function"\s*:\s*\{\s*"arguments"\s*:\s*'
    + _TEXT
    + rb"\s*\}\s*\}\s*\]"
    + _CHOICE_END
)
"""The one choice of a chunk with nothing but a piece of a tool call's arguments."""
_CHUNK = b'"chat.completion.chunk"'
_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\{')
_DELTA = re.compile(rb'"delta"\s*:\s*\{')
_NULL = re.compile(rb"\s*:\s*(?:null|\[\s*\])")
_NEWLINE = 0x0A


def is_valid(raw: bytes, kind: Kind) -> bool:
    """Whether a chunk of such an answer needs no repair and has neither a tool call nor a finish reason. False may be wrong."""
    at = raw.find(b'"choices"')
    if at < 0 or _NEWLINE in raw:
        return False
    if kind is Kind.CHAT:
        if raw.find(_CHUNK) < 0:
            return False
        if _PLAIN.match(raw, at) is not None:
            return True
        if _DELTA.search(raw, at) is None or b'"message"' in raw:
            return False
        if not (_is_empty(raw, b'"tool_calls"') and _is_empty(raw, b'"function_call"')):
            return False
    return b'"index"' in raw and _is_empty(raw, b'"finish_reason"') and _CHOICES.match(raw, at) is not None


def arguments_only(raw: bytes) -> tuple[int, int, bytes] | None:
    """(index of the choice, index of the call, escaped text) of a chunk with only a piece of a call's arguments, or None."""
    if raw.find(_CHUNK) < 0 or _NEWLINE in raw:
        return None
    if (at := raw.find(b'"choices"')) < 0 or (found := _PIECE.match(raw, at)) is None:
        return None
    return int(found[1]), int(found[2]), found[3]


def _is_empty(raw: bytes, key: bytes) -> bool:
    """Whether each `key` in a chunk has the value null or an empty list. Texts cannot contain the key's quotation marks."""
    at = raw.find(key)
    while at >= 0:
        at += len(key)
        if _NULL.match(raw, at) is None:
            return False
        at = raw.find(key, at)
    return True
