"""OpenAI's messages → Anthropic's: separate system prompt, tool results in the user's turn, signed thinking."""

from collections.abc import Mapping, Sequence
import re
from typing import Any

import orjson

from ...protocol.data_urls import is_data_url
from ...protocol.errors import InvalidRequestError
from ...protocol.values import mapping
from ..base import sent_arguments
from ..extras import DOCUMENT_FIELDS, TOOL_FAILED, extras_of, selected
from ..images import Image, image_from_data_url, image_url
from ..openai.message_forms import with_results_after_calls
from ..reasoning import SIGNED_FORMAT, text_of_reasoning
from ..turns import MEDIA_FOLLOW, media_heading

_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9_-]")
_WHOLE = ("document", "search_result", "tool_reference")
"""Types of blocks that a part may stand for."""
_PDF = "data:application/pdf;base64,"

type Block = dict[str, Any]


def split(
    messages: Sequence[Mapping[str, Any]], images: Mapping[str, Image], *, signed_only: bool = True
) -> tuple[list[Block], list[Block]]:
    """(system blocks, turns). Consecutive messages of one role become one turn, in which tool results come first.

    `images` contains fetched images by URL. `signed_only`: leave out thinking without a signature, which Claude models
    refuse. Raises InvalidRequestError for unsupported content.
    """
    system: list[Block] = []
    turns: list[Block] = []
    for index, message in enumerate(with_results_after_calls(messages)):
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
            _add(turns, "assistant", _assistant(message, images, where, signed_only=signed_only))
        else:
            content = _without_returned(turns, message.get("content"), images, f"{where}.content")
            _add(turns, "user", _blocks(content, images, f"{where}.content"))
    for turn in turns:
        if turn["role"] == "user":
            turn["content"].sort(key=lambda block: block["type"] != "tool_result")  # a stable sort
    if not turns and system:  # the API requires a user turn
        turns, system = [{"role": "user", "content": system}], []
    if turns and turns[0]["role"] == "assistant":  # the first turn must be the user's
        turns.insert(0, {"role": "user", "content": [{"type": "text", "text": "…"}]})
    if turns and turns[-1]["role"] == "assistant":
        _trim_prefill(turns[-1]["content"])
    return system, turns


def tool_id(openai_id: object) -> str:
    """A tool call's id in the characters that Anthropic allows; other models' ids may contain dots and colons."""
    return _NOT_IN_AN_ID.sub("_", openai_id if isinstance(openai_id, str) else "") or "call"


def _add(turns: list[Block], role: str, blocks: list[Block]) -> None:
    if not blocks:
        return  # the API refuses empty turns
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"] += blocks
    else:
        turns.append({"role": role, "content": blocks})


def _trim_prefill(blocks: list[Block]) -> None:
    """Strip the end of the text that the model is to continue: Anthropic refuses white space there."""
    if blocks[-1]["type"] == "text":
        blocks[-1]["text"] = blocks[-1]["text"].rstrip() or "…"


def _assistant(message: Mapping[str, Any], images: Mapping[str, Image], where: str, *, signed_only: bool) -> list[Block]:
    thinking = _thinking(message)
    if not thinking and not signed_only and (text := text_of_reasoning(message)):
        thinking = [{"type": "thinking", "thinking": text, "signature": ""}]
    blocks = thinking + _blocks(message.get("content"), images, f"{where}.content", text_only=True)
    calls = message.get("tool_calls") or ()
    for index, call in enumerate(calls if isinstance(calls, list) else ()):
        function = mapping(mapping(call).get("function"))
        param = f"{where}.tool_calls[{index}].function"
        name = function.get("name")
        if not isinstance(name, str) or not name:
            raise InvalidRequestError(f"{param} has no name.", param=f"{param}.name")
        arguments = sent_arguments(function.get("arguments"), param)
        block = {"type": "tool_use", "id": tool_id(call.get("id")), "name": name, "input": arguments}
        blocks.append(block | _cache_control(call))
    return blocks


def _thinking(message: Mapping[str, Any]) -> list[Block]:
    """The signed thinking of an earlier answer, from `reasoning_details` or LiteLLM's `thinking_blocks`.

    Anthropic requires it unchanged together with tool results, and refuses thinking without a signature, which is dropped.
    """
    blocks = message.get("thinking_blocks")
    if isinstance(blocks, list) and blocks:
        return [dict(block) for block in blocks if isinstance(block, Mapping) and (block.get("signature") or block.get("data"))]
    found: dict[object, Block] = {}
    details = message.get("reasoning_details")
    for position, detail in enumerate(details if isinstance(details, list) else ()):
        detail = mapping(detail)
        if detail.get("format") not in (None, SIGNED_FORMAT):
            continue  # reasoning of another vendor's model
        index = detail.get("index")
        key = index if isinstance(index, int) else f"position {position}"
        if detail.get("type") == "reasoning.encrypted" and isinstance(data := detail.get("data"), str):
            found[key, "encrypted"] = {"type": "redacted_thinking", "data": data}
        elif detail.get("type") == "reasoning.text":  # may be in pieces, as streamed
            block = found.setdefault(key, {"type": "thinking", "thinking": "", "signature": ""})
            for name, part in (("thinking", detail.get("text")), ("signature", detail.get("signature"))):
                block[name] += part if isinstance(part, str) else ""
    return [block for block in found.values() if block["type"] == "redacted_thinking" or block["signature"]]


def _without_returned(turns: list[Block], content: object, images: Mapping[str, Image], where: str) -> object:
    """The content without the images and files of a tool's result, which are added to the result in the turn before."""
    if not isinstance(content, list) or not any("tool_use_id" in extras_of(part) for part in content):
        return content
    before = turns[-1]["content"] if turns and turns[-1]["role"] == "user" else []
    results = {block["tool_use_id"]: block for block in before if block["type"] == "tool_result"}
    kept: list[Mapping[str, Any]] = []
    for position, part in enumerate(content):
        call_id = extras_of(part).get("tool_use_id")
        result = results.get(tool_id(call_id)) if isinstance(call_id, str) else None
        if result is None or not isinstance(call_id, str):
            kept.append(part)
            continue
        if kept and kept[-1].get("text") == media_heading(call_id):
            kept.pop()
        inner = result.get("content") or []
        if isinstance(inner, str):
            inner = [] if inner in (MEDIA_FOLLOW, TOOL_FAILED) else [{"type": "text", "text": inner}]
        result["content"] = [*inner, *_blocks([part], images, f"{where}[{position}]")]
    return kept


def _tool_result(message: Mapping[str, Any], images: Mapping[str, Image], where: str) -> Block:
    content = message.get("content")
    result: Block = {"type": "tool_result", "tool_use_id": tool_id(message.get("tool_call_id")), **_cache_control(message)}
    if isinstance(content, list):
        content = _blocks(content, images, f"{where}.content")
    if extras_of(message).get("is_error") is True:
        result["is_error"] = True
        content = _without_failure(content)
    if content:
        result["content"] = content
    return result


def _without_failure(content: Any) -> Any:
    """The content without the sentence that says that the tool failed, unless there is nothing else: that is refused."""
    if isinstance(content, str):
        return content.removeprefix(f"{TOOL_FAILED}\n\n")
    if isinstance(content, list) and len(content) > 1 and content[0].get("text") == TOOL_FAILED:
        return content[1:]
    return content


def _blocks(content: object, images: Mapping[str, Image], where: str, *, text_only: bool = False) -> list[Block]:
    """The blocks of a message's content without empty texts, which Anthropic refuses."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content.strip() else []
    blocks: list[Block] = []
    for position, part in enumerate(content if isinstance(content, list) else ()):
        block = _block(part, images, f"{where}[{position}]", text_only=text_only)
        if block is not None:
            blocks.append(block | _cache_control(part))
    return blocks


def _cache_control(part: Mapping[str, Any]) -> Block:
    """The part's `cache_control`, as clients of Anthropic's SDK, LiteLLM and OpenRouter set it."""
    return {"cache_control": part["cache_control"]} if isinstance(part.get("cache_control"), Mapping) else {}


def _block(part: Mapping[str, Any], images: Mapping[str, Image], where: str, *, text_only: bool) -> Block | None:
    kind, extras = part["type"], extras_of(part)
    if "block" in extras and (extras["block"] is None or _may_stand_for(extras["block"])):
        return None if extras["block"] is None else dict(extras["block"])
    if kind in ("text", "refusal"):
        text = part.get("text") or part.get("refusal")
        return {"type": "text", "text": text} if isinstance(text, str) and text.strip() else None
    if kind == "image_url" and not text_only:
        return {"type": "image", "source": _image_source(image_url(part, where), images, where)}
    if kind == "file" and not text_only:
        return _document(mapping(part.get("file")), where) | selected(mapping(extras.get("fields")), DOCUMENT_FIELDS)
    raise InvalidRequestError(f"{where}: a part of type '{kind}' cannot be sent to a Claude model.", param=where)


def _may_stand_for(block: object) -> bool:
    """Whether a part may stand for this block: not for the files of the account, which belong to its owner."""
    return mapping(block).get("type") in _WHOLE and b'"file_id"' not in orjson.dumps(block)


def _image_source(url: str, images: Mapping[str, Image], where: str) -> Block:
    """The image's content, or the https URL from which Anthropic fetches it."""
    image = images.get(url) or (image_from_data_url(url, where) if is_data_url(url) else None)
    if image is not None:
        return {"type": "base64", "media_type": image.media_type, "data": image.data}
    return {"type": "url", "url": url}


def _document(file: Mapping[str, Any], where: str) -> Block:
    data = file.get("file_data")
    if not isinstance(data, str) or not data.startswith(_PDF):
        raise InvalidRequestError(f"{where}: only PDF files are supported, as a data URL in file.file_data.", param=where)
    block: Block = {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": data.removeprefix(_PDF)},
    }
    if isinstance(name := file.get("filename"), str) and name:
        block["title"] = name
    return block
