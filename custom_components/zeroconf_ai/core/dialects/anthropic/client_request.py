"""Request of Anthropic's Messages API → body of a chat completion.

Source: Anthropic's SDK 2.11 (`message_create_params.py` and the block parameters). Parameters without a counterpart are dropped
if that is harmless (metadata, service tiers), and refused if they would change the meaning of the answer.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import orjson

from ...protocol.data_urls import is_data_url
from ...protocol.errors import InvalidRequestError
from ...protocol.values import mapping
from ..extras import DOCUMENT_FIELDS, NAME as EXTRAS, PARAMETERS, TOOL_FAILED, extra, extras_of, known_betas, selected
from ..reasoning import DETAILS, SIGNED_FORMAT, TEXT, UNSIGNED, unpack
from ..turns import Part, Turns, function_call, image_part, invalid, objects, text_of, text_part, unsupported
from .client_tools import client_tools

_PASSED = ("model", "max_tokens", "temperature", "top_p", "top_k", "stream")
_SEND_ALL = "is not supported, because nothing is stored: send the whole conversation"
_REFUSED: Mapping[str, str] = {
    "container": "is not supported",
    "compaction": "is not supported: ask for a summary in a message",
    "previous_message_id": _SEND_ALL,
    "previous_response_id": _SEND_ALL,
    "conversation": _SEND_ALL,
}
_THINKS = ("enabled", "adaptive", "between_tools")
_BUDGETS = ((2_048, "low"), (8_192, "medium"))
"""Maximum thinking tokens of each effort; above them it is high. The translation towards backends uses similar values."""


class UnsupportedThreadError(InvalidRequestError):
    """The request creates or continues a conversation on the server. By these details Anthropic's SDKs send it whole instead."""

    details_json: ClassVar[Mapping[str, Any]] = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}


def to_chat(request: Mapping[str, Any], betas: Iterable[str] = ()) -> dict[str, Any]:
    """Translate the request; `betas` are the values of its `anthropic-beta` headers.

    Raises InvalidRequestError, which names the invalid or unsupported parameter.
    """
    if request.get("thread") is not None:
        raise UnsupportedThreadError(f"'thread' {_SEND_ALL}.", param="thread", code="unsupported_value")
    for param, why in _REFUSED.items():
        if request.get(param):
            raise unsupported(param, why)
    chat = {name: request[name] for name in _PASSED if request.get(name) is not None} | _cache_control(request)
    limit = chat.get("max_tokens", 1)
    if isinstance(limit, int) and limit < 1:  # 0 fills Anthropic's prompt cache only; in OpenAI's dialect it is no limit
        raise invalid("max_tokens", "a whole number of at least 1")
    if not isinstance(chat.get("top_k", 0), int):
        raise invalid("top_k", "a whole number")
    turns = Turns()
    if request.get("system"):
        turns.add_message("system", [_text(where, block) for where, block in _blocks(request["system"], "system")])
    for where, message in objects(request.get("messages"), "messages"):
        _add(turns, message, where)
    chat["messages"] = turns.messages()
    if stops := stop_sequences(request):
        chat["stop"] = stops
    chat |= client_tools(request)
    _add_thinking(chat, request)
    own = request.get("betas")
    named = known_betas([*betas, *(own if isinstance(own, list) else ())])
    chat |= extra(betas=named, **selected(request, PARAMETERS))
    if wanted := mapping(request.get("output_config")).get("format") or request.get("output_format"):
        schema = mapping(wanted).get("schema")
        if not isinstance(schema, Mapping):
            raise invalid("output_config.format", "of type json_schema, with a schema")
        chat["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": dict(schema), "strict": True},
        }
    return chat


def stop_sequences(request: Mapping[str, Any]) -> list[str]:
    """The validated stop sequences. Raises InvalidRequestError."""
    stops = request.get("stop_sequences") or []
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise invalid("stop_sequences", "a list of texts")
    return stops


def wants_reasoning(request: Mapping[str, Any]) -> bool:
    """Whether the client requests thinking. Others would treat a thinking block, which comes first, as the answer."""
    return mapping(request.get("thinking")).get("type") in _THINKS


def _blocks(content: object, where: str) -> list[tuple[str, Mapping[str, Any]]]:
    if isinstance(content, str):
        return [(where, text_part(content))]
    return list(objects(content, where))


def _add(turns: Turns, message: Mapping[str, Any], where: str) -> None:
    role = message.get("role")
    blocks = _blocks(message.get("content"), f"{where}.content")
    if role == "assistant":
        _add_assistant(turns, blocks)
    elif role == "user":
        for place, block in blocks:
            if block.get("type") == "tool_result":
                call_id = text_of(block, "tool_use_id", place)
                failed = extra(is_error=block.get("is_error") is True)
                turns.add_tool_result(call_id, _result(block, call_id, place), **_cache_control(block), **failed)
        others = ((place, block) for place, block in blocks if block.get("type") != "tool_result")
        turns.add_message("user", [part for place, block in others for part in _parts(place, block)])
    elif role == "system":
        turns.add_message("system", [_text(place, block) for place, block in blocks])
    else:
        raise invalid(f"{where}.role", "user, assistant or system")


def _add_assistant(turns: Turns, blocks: list[tuple[str, Mapping[str, Any]]]) -> None:
    """Add an assistant message. Unsigned thinking is a text, which some models require after a tool call."""
    texts: list[Part] = []
    calls: list[Part] = []
    reasoning: list[Part] = []
    unsigned: list[str] = []
    for where, block in blocks:
        kind = block.get("type")
        if kind == "tool_use":
            arguments = block.get("input")
            if not isinstance(arguments, Mapping):
                raise invalid(f"{where}.input", "an object")
            name, call_id = text_of(block, "name", where), text_of(block, "id", where)
            calls.append(function_call(call_id, name, orjson.dumps(arguments).decode()) | _cache_control(block))
        elif kind == "thinking":
            thought = text_of(block, "thinking", where)
            if block.get("signature") not in (None, "", UNSIGNED):
                signed = {"type": "reasoning.text", "text": thought, "signature": text_of(block, "signature", where)}
                reasoning.append({"index": len(reasoning), "format": SIGNED_FORMAT, **signed})
            elif thought:
                unsigned.append(thought)
        elif kind == "redacted_thinking":
            data = text_of(block, "data", where)
            hidden = {"index": len(reasoning), "format": SIGNED_FORMAT, "type": "reasoning.encrypted", "data": data}
            reasoning += unpack(data).get(DETAILS, [hidden])
        elif kind in ("text", None):
            texts.append(_text(where, block))
        # Other blocks are about tools that another server has run. Their results are encrypted, or said in the text.
    fields: dict[str, Any] = {TEXT: "\n\n".join(unsigned)} if unsigned else {}
    turns.add_assistant(texts, calls, **fields, **({DETAILS: reasoning} if reasoning else {}))


def _cache_control(block: Mapping[str, Any]) -> Part:
    """The block's `cache_control`, if it has one."""
    mark = block.get("cache_control")
    return {"cache_control": mark} if isinstance(mark, Mapping) else {}


def _text(where: str, block: Mapping[str, Any]) -> Part:
    if block.get("type") != "text":
        raise unsupported(f"{where}.type", f"is {block.get('type')!r}: only text is allowed here")
    return text_part(text_of(block, "text", where)) | _cache_control(block)


def _result(block: Mapping[str, Any], call_id: str, where: str) -> list[Part]:
    content = block.get("content")
    inner = _blocks(content, f"{where}.content") if content else []
    parts = [part for place, item in inner for part in _parts(place, item)]
    for part in parts:
        if part["type"] != "text":
            part[EXTRAS] = {**extras_of(part), "tool_use_id": call_id}
    if block.get("is_error") is True:
        parts.insert(0, text_part(TOOL_FAILED))
    return parts


def _parts(where: str, block: Mapping[str, Any]) -> list[Part]:
    kind = block.get("type")
    if kind == "text":
        return [_text(where, block)]
    if kind == "search_result":
        return [text_part(_search_result(block, where)) | _cache_control(block) | extra(block=dict(block))]
    if kind == "tool_reference":
        return [text_part(f"The tool {text_of(block, 'tool_name', where)} is available.") | extra(block=dict(block))]
    if kind not in ("image", "document"):
        raise unsupported(f"{where}.type", f"is {kind!r}, which is not supported")
    source = mapping(block.get("source"))
    parts = _document(block, source, where) if kind == "document" else [_image(source, where)]
    return [*parts[:-1], parts[-1] | _cache_control(block)] if parts else []


def _image(source: Mapping[str, Any], where: str) -> Part:
    form = source.get("type")
    if form == "base64":
        return image_part(_data_url(source, where))
    if form == "url":
        return image_part(text_of(source, "url", f"{where}.source"))
    raise unsupported(f"{where}.source", "must be of type base64 or url: files are not stored")


def _data_url(source: Mapping[str, Any], where: str) -> str:
    """The content as a data URL, which some clients send already; a missing media type is found by the content."""
    data, kind = text_of(source, "data", f"{where}.source"), source.get("media_type")
    return data if is_data_url(data) else f"data:{kind if isinstance(kind, str) else ''};base64,{data}"


def _search_result(block: Mapping[str, Any], where: str) -> str:
    """A search result as text."""
    texts = (text_of(item, "text", place) for place, item in _blocks(block.get("content"), f"{where}.content"))
    return "\n".join((text_of(block, "title", where), text_of(block, "source", where), *texts))


def _whole(block: Mapping[str, Any], parts: list[Part]) -> list[Part]:
    """Parts that stand for one block, which a Claude model gets instead."""
    return [part | {EXTRAS: {"block": None if position else dict(block)}} for position, part in enumerate(parts)]


def _document(block: Mapping[str, Any], source: Mapping[str, Any], where: str) -> list[Part]:
    """The parts of a document: a file for a PDF, else text after its title."""
    title = block.get("title")
    heading = [text_part(f"Document: {title}")] if isinstance(title, str) and title else []
    match source.get("type"):
        case "base64":
            data = _data_url({**source, "media_type": "application/pdf"}, where)
            name = title if isinstance(title, str) and title else "document.pdf"
            fields = extra(fields=selected(block, DOCUMENT_FIELDS))
            return [{"type": "file", "file": {"filename": name, "file_data": data}, **fields}]
        case "text":
            return _whole(block, [*heading, text_part(text_of(source, "data", f"{where}.source"))])
        case "content":
            inner = _blocks(source.get("content"), f"{where}.source.content")
            return _whole(block, heading + [part for place, item in inner for part in _parts(place, item)])
    raise unsupported(f"{where}.source", "must be of type base64, text or content: files are not stored or fetched")


def _add_thinking(chat: dict[str, Any], request: Mapping[str, Any]) -> None:
    """Add `thinking`, which Claude models need, and `reasoning_effort` for all others."""
    thinking = mapping(request.get("thinking"))
    kind = thinking.get("type")
    effort = mapping(request.get("output_config")).get("effort")
    if kind not in (None, "disabled", *_THINKS):
        raise invalid("thinking.type", "enabled, adaptive, between_tools or disabled")
    if kind is not None and not (kind == "adaptive" and effort):  # for those models, an effort alone implies adaptive thinking
        chat["thinking"] = dict(thinking)
    if kind == "disabled":
        effort = "none"
    elif kind == "enabled" and effort is None:
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int):
            raise invalid("thinking.budget_tokens", "a whole number")
        effort = next((word for most, word in _BUDGETS if budget <= most), "high")
    elif kind is not None:
        effort = effort or "medium"
    if effort is not None:
        chat["reasoning_effort"] = effort
