"""OpenAI's messages → Anthropic's: system prompt beside the turns, tool results in the user's turn, thoughts with their seal."""

from collections.abc import Iterable, Mapping
import re
from typing import Any

from ...protocol import json
from ...protocol.errors import InvalidRequestError
from ...protocol.values import mapping
from ..images import Image, image_from_data_url, image_url
from ..reasoning import SEALED

_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9_-]")
_PDF = "data:application/pdf;base64,"

type Block = dict[str, Any]


def split(messages: Iterable[Mapping[str, Any]], images: Mapping[str, Image]) -> tuple[list[Block], list[Block]]:
    """(system blocks, turns). Neighbours of one role are one turn; the results of tools come first in theirs.

    `images` holds what was fetched, by URL. Raises InvalidRequestError for what a Claude model cannot be told.
    """
    system: list[Block] = []
    turns: list[Block] = []
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        role = message["role"]
        if role in ("system", "developer"):
            system += _blocks(message.get("content"), images, f"{where}.content", text_only=True)
            continue
        if role == "function":
            raise InvalidRequestError(f"{where}: 'function' messages are not supported, use tools.", param=f"{where}.role")
        if role == "tool":
            _add(turns, "user", [_tool_result(message, images, where)])
        elif role == "assistant":
            _add(turns, "assistant", _assistant(message, images, where))
        else:
            _add(turns, "user", _blocks(message.get("content"), images, f"{where}.content"))
    for turn in turns:
        if turn["role"] == "user":
            turn["content"].sort(key=lambda block: block["type"] != "tool_result")  # stable: the order within is kept
    if not turns and system:  # an instruction alone is a question here, not an error
        turns, system = [{"role": "user", "content": system}], []
    if turns and turns[0]["role"] == "assistant":  # a talk must start with the user's turn
        turns.insert(0, {"role": "user", "content": [{"type": "text", "text": "…"}]})
    if turns and turns[-1]["role"] == "assistant":
        _trim_prefill(turns[-1]["content"])
    return system, turns


def tool_id(openai_id: object) -> str:
    """A tool call's id in the characters that Anthropic allows; other models' ids may hold dots and colons."""
    return _NOT_IN_AN_ID.sub("_", openai_id if isinstance(openai_id, str) else "") or "call"


def _add(turns: list[Block], role: str, blocks: list[Block]) -> None:
    if not blocks:
        return  # an empty turn is refused
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"] += blocks
    else:
        turns.append({"role": role, "content": blocks})


def _trim_prefill(blocks: list[Block]) -> None:
    """The last text of a turn that the model is to go on from: Anthropic refuses white space at its end."""
    if blocks[-1]["type"] == "text":
        blocks[-1]["text"] = blocks[-1]["text"].rstrip() or "…"


def _assistant(message: Mapping[str, Any], images: Mapping[str, Image], where: str) -> list[Block]:
    blocks = _thinking(message) + _blocks(message.get("content"), images, f"{where}.content", text_only=True)
    calls = message.get("tool_calls") or ()
    for index, call in enumerate(calls if isinstance(calls, list) else ()):
        function = mapping(mapping(call).get("function"))
        param = f"{where}.tool_calls[{index}].function"
        name = function.get("name")
        if not isinstance(name, str) or not name:
            raise InvalidRequestError(f"{param} has no name.", param=f"{param}.name")
        arguments = _arguments(function.get("arguments"), param)
        blocks.append({"type": "tool_use", "id": tool_id(call.get("id")), "name": name, "input": arguments} | _marks(call))
    return blocks


def _arguments(given: object, param: str) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        return given
    if given is None or (isinstance(given, str) and not given.strip()):
        return {}
    try:
        parsed = json.loads(given if isinstance(given, str) else b"")
    except json.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        raise InvalidRequestError(f"{param}.arguments must be a JSON object as text.", param=f"{param}.arguments")
    return parsed


def _thinking(message: Mapping[str, Any]) -> list[Block]:
    """The sealed thoughts of an earlier answer, as `reasoning_details` or as LiteLLM's `thinking_blocks`.

    Anthropic demands them back unchanged beside the results of tools; thoughts without their signature are refused, so left out.
    """
    blocks = message.get("thinking_blocks")
    if isinstance(blocks, list) and blocks:
        return [dict(block) for block in blocks if isinstance(block, Mapping) and (block.get("signature") or block.get("data"))]
    found: dict[object, Block] = {}
    details = message.get("reasoning_details")
    for position, detail in enumerate(details if isinstance(details, list) else ()):
        detail = mapping(detail)
        if detail.get("format") not in (None, SEALED):
            continue  # another vendor's
        key = detail.get("index", f"position {position}")
        if detail.get("type") == "reasoning.encrypted" and isinstance(data := detail.get("data"), str):
            found[key, "encrypted"] = {"type": "redacted_thinking", "data": data}
        elif detail.get("type") == "reasoning.text":  # in pieces where a client kept a stream's
            block = found.setdefault(key, {"type": "thinking", "thinking": "", "signature": ""})
            block["thinking"] += detail.get("text") or ""
            block["signature"] += detail.get("signature") or ""
    return [block for block in found.values() if block["type"] == "redacted_thinking" or block["signature"]]


def _tool_result(message: Mapping[str, Any], images: Mapping[str, Image], where: str) -> Block:
    content = message.get("content")
    result: Block = {"type": "tool_result", "tool_use_id": tool_id(message.get("tool_call_id")), **_marks(message)}
    if isinstance(content, list):
        content = _blocks(content, images, f"{where}.content")
    if content:
        result["content"] = content
    return result


def _blocks(content: object, images: Mapping[str, Image], where: str, *, text_only: bool = False) -> list[Block]:
    """The blocks of a message's content. Empty texts are left out: Anthropic refuses them."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content.strip() else []
    blocks: list[Block] = []
    for position, part in enumerate(content if isinstance(content, list) else ()):
        block = _block(part, images, f"{where}[{position}]", text_only=text_only)
        if block is not None:
            blocks.append(block | _marks(part))
    return blocks


def _marks(part: Mapping[str, Any]) -> Block:
    """Anthropic's own mark, which its SDK's clients set, and LiteLLM's and OpenRouter's."""
    return {"cache_control": part["cache_control"]} if isinstance(part.get("cache_control"), Mapping) else {}


def _block(part: Mapping[str, Any], images: Mapping[str, Image], where: str, *, text_only: bool) -> Block | None:
    kind = part["type"]
    if kind in ("text", "refusal"):
        text = part.get("text") or part.get("refusal")
        return {"type": "text", "text": text} if isinstance(text, str) and text.strip() else None
    if kind == "image_url" and not text_only:
        return {"type": "image", "source": _image_source(image_url(part, where), images, where)}
    if kind == "file" and not text_only:
        return _document(mapping(part.get("file")), where)
    raise InvalidRequestError(f"{where}: a part of type '{kind}' cannot be sent to a Claude model here.", param=where)


def _image_source(url: str, images: Mapping[str, Image], where: str) -> Block:
    """By value, or by address for https, which Anthropic fetches itself."""
    image = images.get(url) or (image_from_data_url(url, where) if url.startswith("data:") else None)
    if image is not None:
        return {"type": "base64", "media_type": image.media_type, "data": image.data}
    return {"type": "url", "url": url}


def _document(file: Mapping[str, Any], where: str) -> Block:
    data = file.get("file_data")
    if not isinstance(data, str) or not data.startswith(_PDF):
        raise InvalidRequestError(f"{where}: only PDF files by value (file.file_data, a data: URL) can be sent.", param=where)
    block: Block = {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": data.removeprefix(_PDF)},
    }
    if isinstance(name := file.get("filename"), str) and name:
        block["title"] = name
    return block
