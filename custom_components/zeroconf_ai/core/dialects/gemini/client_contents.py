"""Contents of Google's `generateContent` and `embedContent` → messages of a chat, texts."""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import orjson

from ..reasoning import DETAILS, TEXT, unpack
from ..turns import Part, Turns, function_call, image_part, invalid, objects, text_of, text_part, unsupported
from .options import value_of
from .signatures import detail, extra_content

_URL_SAFE = bytes.maketrans(b"-_", b"+/")


class Contents:
    """Adds contents to the messages of a chat. Calls without an id get one from their number in the conversation."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._calls = 0
        self._pending: list[tuple[str, str]] = []
        """(id, name) of the calls without a result."""
        self._answered: set[str] = set()
        """Ids of the calls with a result."""

    def add(self, content: Mapping[str, Any], where: str) -> None:
        """Add one content. Raises InvalidRequestError."""
        role = content.get("role") or "user"
        if role not in ("user", "model", "function", "system"):
            raise invalid(f"{where}.role", "user or model")
        parts = list(objects(content.get("parts") or [], f"{where}.parts"))
        if role == "model":
            self._add_answer(parts)
            return
        said: list[Part] = []
        for place, part in parts:
            result = value_of(part, "functionResponse")
            if isinstance(result, Mapping):
                self._add_result(result, f"{place}.functionResponse")
            else:
                said += _media(part, place)
        self._turns.add_message("system" if role == "system" else "user", said)

    def _add_answer(self, parts: list[tuple[str, Mapping[str, Any]]]) -> None:
        said: list[Part] = []
        calls: list[Part] = []
        thoughts: list[str] = []
        details: list[Mapping[str, Any]] = []
        packed: dict[str, Any] = {}
        for place, part in parts:
            signature = value_of(part, "thoughtSignature")
            signature = signature if isinstance(signature, str) else ""
            own = unpack(_decoded(signature))
            packed = packed or own
            call = value_of(part, "functionCall")
            if isinstance(call, Mapping):
                made = self._call(call, f"{place}.functionCall")
                if signature and not own:
                    made["extra_content"] = extra_content(signature)
                    details.append(detail(signature, len(details), made["id"]))
                calls.append(made)
                continue
            if part.get("thought") is True:
                thoughts += [text] if isinstance(text := part.get("text"), str) and text else []
            else:
                said += _media(part, place)
            if signature and not own:
                details.append(detail(signature, len(details)))
        fields: dict[str, Any] = packed or ({TEXT: "\n\n".join(thoughts)} if thoughts else {})
        if details:
            fields = fields | {DETAILS: [*fields.get(DETAILS, ()), *details]}
        if images := [part for part in said if part["type"] == "image_url"]:
            fields["images"] = images
            said = [part for part in said if part["type"] != "image_url"] or [text_part("")]
        self._turns.add_assistant(said, calls, **fields)

    def _call(self, call: Mapping[str, Any], where: str) -> Part:
        name, arguments, given = text_of(call, "name", where), call.get("args"), call.get("id")
        if arguments is not None and not isinstance(arguments, Mapping):
            raise invalid(f"{where}.args", "an object")
        call_id = given if isinstance(given, str) and given else f"call_{self._calls}"
        self._calls += 1
        self._pending.append((call_id, name))
        return function_call(call_id, name, orjson.dumps(arguments or {}).decode())

    def _add_result(self, result: Mapping[str, Any], where: str) -> None:
        """Add the result of a call. A repeated one is left out: Gemini CLI 0.61 repeats them when it resumes a conversation."""
        response = result.get("response") or {}
        if not isinstance(response, Mapping):
            raise invalid(f"{where}.response", "an object")
        output = response.get("output")
        text = output if response.keys() == {"output"} and isinstance(output, str) else orjson.dumps(response).decode()
        media = [part for place, item in objects(result.get("parts") or [], f"{where}.parts") for part in _media(item, place)]
        call_id = self._call_of(result, where)
        if call_id is not None:
            self._turns.add_tool_result(call_id, [text_part(text), *media])

    def _call_of(self, result: Mapping[str, Any], where: str) -> str | None:
        """The id of the call that a result belongs to: by id, else the first open one by name, else the first open one.

        None for the result of a call that has one.
        """
        given, name = result.get("id"), result.get("name")
        by_id = [call for call in self._pending if call[0] == given]
        if not by_id and isinstance(given, str) and given in self._answered:
            return None
        by_name = [call for call in self._pending if call[1] == name]
        found = next(iter(by_id or by_name or self._pending), None)
        if found is None:
            raise invalid(where, "the result of a function that was called before")
        self._pending.remove(found)
        self._answered.add(found[0])
        return found[0]


def texts_of(content: object, where: str) -> list[str]:
    """The texts of a content: an object with parts, or a text alone. Raises InvalidRequestError for other parts."""
    if isinstance(content, str):
        return [content]
    if not isinstance(content, Mapping):
        raise invalid(where, "an object with parts")
    return [text_of(part, "text", place) for place, part in objects(content.get("parts"), f"{where}.parts")]


def _media(part: Mapping[str, Any], where: str) -> list[Part]:
    """The text or medium of a part. What Google's own tools have run is left out."""
    if (text := part.get("text")) is not None:
        text = text_of(part, "text", where)
        return [text_part(text)] if text else []
    inline, file = value_of(part, "inlineData"), value_of(part, "fileData")
    if isinstance(inline, Mapping):
        place = f"{where}.inlineData"
        return [_inline(_media_type(inline, place), text_of(inline, "data", place), inline, place)]
    if isinstance(file, Mapping):
        place = f"{where}.fileData"
        uri = value_of(file, "fileUri")
        if isinstance(uri, str) and uri.startswith(("http://", "https://")) and _media_type(file, place).startswith("image/"):
            return [image_part(uri)]
        raise unsupported(place, "must be an image with a web address: files are not stored; send the content as inlineData")
    return []


def _media_type(holder: Mapping[str, Any], where: str) -> str:
    if not isinstance(kind := value_of(holder, "mimeType"), str):
        raise invalid(f"{where}.mimeType", "a text")
    return kind.lower()


def _inline(media_type: str, data: str, inline: Mapping[str, Any], where: str) -> Part:
    if media_type.startswith("image/"):
        return image_part(f"data:{media_type};base64,{data}")
    if media_type.startswith("audio/"):
        form = media_type.removeprefix("audio/").removeprefix("x-")
        form = "mp3" if form == "mpeg" else form
        return {"type": "input_audio", "input_audio": {"data": data.replace("-", "+").replace("_", "/"), "format": form}}
    if media_type.startswith("video/"):
        raise unsupported(where, f"has the type {media_type}, which is not supported")
    named = value_of(inline, "displayName")
    name = named if isinstance(named, str) and named else f"file.{media_type.rpartition('/')[2]}"
    return {"type": "file", "file": {"filename": name, "file_data": f"data:{media_type};base64,{data}"}}


def _decoded(signature: str) -> str:
    """The text in a signature; "" if it contains other bytes, as those of Google do."""
    try:
        return b64decode(signature.encode("ascii").translate(_URL_SAFE)).decode("ascii")
    except ValueError:
        return ""
