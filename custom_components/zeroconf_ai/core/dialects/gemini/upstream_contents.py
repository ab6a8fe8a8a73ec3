"""OpenAI's messages → Gemini's contents: system instruction, turns, results of functions, thought signatures."""

from collections.abc import Iterable, Mapping
from typing import Any

from ...protocol import json
from ...protocol.errors import InvalidRequestError
from ...protocol.values import mapping
from ..base import sent_arguments
from ..images import Image, image_from_data_url, image_url
from .signatures import UNCHECKED, SignatureMemory, call_signature, signatures

type Part = dict[str, Any]

_EMPTY_TURN = "…"
"""The text of a turn that the API requires although the conversation has none."""
_BASE64 = ";base64"


def split(
    messages: Iterable[Mapping[str, Any]], images: Mapping[str, Image], memory: SignatureMemory, *, signed: bool
) -> tuple[list[Part], list[dict[str, Any]]]:
    """(parts of the system instruction, contents). Consecutive messages of one role become one content.

    `images` contains fetched images by URL, `memory` signatures that clients have lost. `signed`: tool calls must have a thought
    signature. Raises InvalidRequestError for unsupported content.
    """
    system: list[Part] = []
    contents: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        role = message["role"]
        content = message.get("content")
        if role in ("system", "developer"):
            system += _parts(content, images, f"{where}.content", text_only=True)
        elif role == "function":
            raise InvalidRequestError(f"{where}: 'function' messages are not supported, use tools.", param=f"{where}.role")
        elif role == "tool":
            _add(contents, "user", _result(message, images, names, where))
        elif role == "assistant":
            _add(contents, "model", _answer(message, images, names, memory, where, signed=signed))
        else:
            _add(contents, "user", _parts(content, images, f"{where}.content"))
    for turn in contents:
        turn["parts"].sort(key=lambda part: turn["role"] == "user" and "functionResponse" not in part)  # a stable sort
    if not contents and system:  # the API requires a user's turn
        contents, system = [{"role": "user", "parts": system}], []
    if contents and contents[0]["role"] == "model":  # the first turn must be the user's
        contents.insert(0, {"role": "user", "parts": [{"text": _EMPTY_TURN}]})
    return system, contents


def _add(contents: list[dict[str, Any]], role: str, parts: list[Part]) -> None:
    if not parts:
        return  # the API refuses contents without parts
    if contents and contents[-1]["role"] == role:
        contents[-1]["parts"] += parts
    else:
        contents.append({"role": role, "parts": parts})


def _answer(
    message: Mapping[str, Any],
    images: Mapping[str, Image],
    names: dict[str, str],
    memory: SignatureMemory,
    where: str,
    *,
    signed: bool,
) -> list[Part]:
    """The parts of an earlier answer, with their signatures. Adds each function's name by call id to `names`.

    Only the first of parallel calls has a signature.
    """
    parts = _parts(message.get("content"), images, f"{where}.content", text_only=True)
    made = message.get("images")
    parts += _parts(made if isinstance(made, list) else (), images, f"{where}.images")
    sealed = signatures(message)
    calls = message.get("tool_calls")
    called = [
        _call(mapping(call), sealed, names, memory, f"{where}.tool_calls[{index}]")
        for index, call in enumerate(calls if isinstance(calls, list) else ())
    ]
    if of_text := sealed.get(""):
        if parts and "text" in parts[-1]:
            parts[-1]["thoughtSignature"] = of_text
        elif called:
            called[0].setdefault("thoughtSignature", of_text)
        else:
            parts.append({"text": "", "thoughtSignature": of_text})
    if called and signed:
        called[0].setdefault("thoughtSignature", UNCHECKED)
    return parts + called


def _call(call: Mapping[str, Any], sealed: Mapping[str, str], names: dict[str, str], memory: SignatureMemory, where: str) -> Part:
    function = mapping(call.get("function"))
    param = f"{where}.function"
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidRequestError(f"{param} has no name.", param=f"{param}.name")
    made: Part = {"name": name, "args": sent_arguments(function.get("arguments"), param)}
    signature, call_id = call_signature(call), call.get("id")
    if isinstance(call_id, str) and call_id:
        names[call_id] = name
        made["id"] = call_id
        signature = signature or sealed.get(call_id) or memory.find(call_id)
    return {"functionCall": made} | ({"thoughtSignature": signature} if signature else {})


def _result(message: Mapping[str, Any], images: Mapping[str, Image], names: Mapping[str, str], where: str) -> list[Part]:
    """The result of a function, which must name it, and its images as parts after it."""
    call_id, given = message.get("tool_call_id"), message.get("name")
    name = (names.get(call_id) if isinstance(call_id, str) else None) or given
    if not isinstance(name, str) or not name:
        param = f"{where}.tool_call_id"
        raise InvalidRequestError(f"{param} is not the id of a tool call in an earlier message.", param=param)
    parts = _parts(message.get("content"), images, f"{where}.content")
    text = "\n".join(part["text"] for part in parts if "text" in part)
    response = {"name": name, "response": _response(text)}
    if isinstance(call_id, str) and call_id:
        response["id"] = call_id
    return [{"functionResponse": response}, *(part for part in parts if "text" not in part)]


def _response(text: str) -> dict[str, Any]:
    """The object that the API requires: the result itself if it is a JSON object, else under `output`."""
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError:
        parsed = None
    return parsed if isinstance(parsed, dict) else {"output": text}


def _parts(content: object, images: Mapping[str, Image], where: str, *, text_only: bool = False) -> list[Part]:
    """The parts of a message's content, without empty texts, which some models refuse."""
    if isinstance(content, str):
        return [{"text": content}] if content else []
    given = content if isinstance(content, list) else ()
    found = (_part(mapping(part), images, f"{where}[{place}]", text_only=text_only) for place, part in enumerate(given))
    return [part for part in found if part is not None]


def _part(part: Mapping[str, Any], images: Mapping[str, Image], where: str, *, text_only: bool) -> Part | None:
    kind = part.get("type")
    if kind in ("text", "refusal"):
        text = part.get("text") or part.get("refusal")
        return {"text": text} if isinstance(text, str) and text else None
    if kind == "image_url" and not text_only:
        url = image_url(part, where)
        image = images.get(url) or image_from_data_url(url, where)
        return _inline(image.media_type, image.data)
    if kind == "input_audio" and not text_only:
        audio = mapping(part.get("input_audio"))
        form, data = audio.get("format"), audio.get("data")
        if not isinstance(form, str) or not isinstance(data, str):
            raise InvalidRequestError(f"{where}.input_audio must have data and format.", param=where)
        return _inline(f"audio/{form}", data)
    if kind == "file" and not text_only:
        return _file(mapping(part.get("file")), where)
    raise InvalidRequestError(f"{where}: a part of type '{kind}' cannot be sent to a Gemini model.", param=where)


def _file(file: Mapping[str, Any], where: str) -> Part:
    head, _, data = given.partition(",") if isinstance(given := file.get("file_data"), str) else ("", "", "")
    media_type = head.removeprefix("data:").removesuffix(_BASE64)
    if not head.startswith("data:") or not head.endswith(_BASE64) or not media_type or not data:
        message = f"{where}: a file must be sent with its type, as a data URL in file.file_data."
        raise InvalidRequestError(message, param=where)
    return _inline(media_type, data)


def _inline(media_type: str, data: str) -> Part:
    return {"inlineData": {"mimeType": media_type, "data": data}}
