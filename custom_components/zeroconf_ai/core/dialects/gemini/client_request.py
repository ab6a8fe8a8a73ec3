"""Requests of Google's `generateContent` and `embedContent` → body of a chat completion or of embeddings.

Source: Google's SDK google-genai 2.25 (`types.py`, `models.py`). Names may be in camelCase or in snake_case, as Google's parser
accepts them. Parameters without a counterpart are sent to Gemini models only (`options.py`), and refused if they would change the
meaning of the answer elsewhere.
"""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import orjson

from ...protocol.values import mapping
from ..reasoning import DETAILS, TEXT, unpack
from ..turns import Part, Turns, function_call, function_tool, image_part, invalid, objects, text_of, text_part, unsupported
from .options import GENERATION, GoogleOptions, value_of
from .schemas import to_json_schema
from .signatures import detail, extra_content

_PARAMETERS: Mapping[str, str] = {
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "maxOutputTokens": "max_tokens",
    "stopSequences": "stop",
    "seed": "seed",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
}
_BUDGETS = ((0, "none"), (1024, "low"), (8192, "medium"))
"""Maximum thinking tokens of each effort; above them it is high. The translation towards backends uses the same values."""
_LEVELS = ("minimal", "low", "medium", "high")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def to_chat(request: Mapping[str, Any], model: str, *, stream: bool) -> dict[str, Any]:
    """Translate a request of `generateContent` to `model`. Raises InvalidRequestError, which names the parameter."""
    if value_of(request, "cachedContent"):
        raise unsupported("cachedContent", "is not supported: no prompts are stored; send the whole prompt in 'contents'")
    turns = Turns()
    system = value_of(request, "systemInstruction")
    if system is not None:
        turns.add_message("system", [text_part(text) for text in _texts(system, "systemInstruction")])
    contents = _Contents(turns)
    for where, content in objects(request.get("contents"), "contents"):
        contents.add(content, where)
    chat: dict[str, Any] = {"model": model, "messages": turns.messages(), "stream": stream}
    if not chat["messages"]:
        raise invalid("contents", "a list with at least one content that has parts")
    config = value_of(request, "generationConfig")
    config = {} if config is None else config
    if not isinstance(config, Mapping):
        raise invalid("generationConfig", "an object")
    _add_config(chat, config)
    hosted = _add_tools(chat, request)
    kept = {name: value for name in GENERATION if (value := value_of(config, name)) is not None}
    safety = value_of(request, "safetySettings")
    return chat | GoogleOptions({} if safety is None else {"safetySettings": safety}, kept, hosted).to_chat()


def to_embeddings(request: Mapping[str, Any], model: str, *, batch: bool) -> dict[str, Any]:
    """Translate a request of `embedContent`, or (`batch`) `batchEmbedContents`.

    Raises InvalidRequestError, which names the parameter.
    """
    listed = list(objects(request.get("requests"), "requests")) if batch else [("", request)]
    if not listed:
        raise invalid("requests", "a list with at least one request")
    texts: list[str] = []
    options: list[dict[str, Any]] = []
    for where, entry in listed:
        place = f"{where}.content" if where else "content"
        texts.append("\n".join(_texts(entry.get("content"), place)))
        found = {"task_type": value_of(entry, "taskType"), "dimensions": value_of(entry, "outputDimensionality")}
        options.append({name: value for name, value in found.items() if value is not None})
        if options[-1] != options[0]:
            raise unsupported(where, "has another taskType or outputDimensionality than the first request")
    return {"model": model, "input": texts, "encoding_format": "float", **options[0]}


def wants_thoughts(request: Mapping[str, Any]) -> bool:
    """Whether the answer is to include thoughts."""
    config = mapping(value_of(request, "generationConfig"))
    return value_of(mapping(value_of(config, "thinkingConfig")), "includeThoughts") is True


class _Contents:
    """Adds contents to the messages of a chat. Calls without an id get one from their number in the conversation."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._calls = 0
        self._pending: list[tuple[str, str]] = []
        """(id, name) of the calls without a result."""

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
        response = result.get("response") or {}
        if not isinstance(response, Mapping):
            raise invalid(f"{where}.response", "an object")
        output = response.get("output")
        text = output if response.keys() == {"output"} and isinstance(output, str) else orjson.dumps(response).decode()
        media = [part for place, item in objects(result.get("parts") or [], f"{where}.parts") for part in _media(item, place)]
        self._turns.add_tool_result(self._answered(result, where), [text_part(text), *media])

    def _answered(self, result: Mapping[str, Any], where: str) -> str:
        """The id of the call that a result belongs to: by id, else the first open one by name, else the first open one."""
        given, name = result.get("id"), result.get("name")
        by_id = [call for call in self._pending if call[0] == given]
        by_name = [call for call in self._pending if call[1] == name]
        found = next(iter(by_id or by_name or self._pending), None)
        if found is None:
            raise invalid(where, "the result of a function that was called before")
        self._pending.remove(found)
        return found[0]


def _texts(content: object, where: str) -> list[str]:
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


def _add_config(chat: dict[str, Any], config: Mapping[str, Any]) -> None:
    """Add the generation parameters."""
    for name, param in _PARAMETERS.items():
        if (value := value_of(config, name)) is not None:
            chat[param] = value
    top_k = chat.get("top_k")
    if isinstance(top_k, float) and top_k.is_integer():  # the SDK sends a number with a decimal point
        chat["top_k"] = int(top_k)
    if not isinstance(chat.get("top_k", 0), int):
        raise invalid("generationConfig.topK", "a whole number")
    count = value_of(config, "candidateCount")
    if count not in (None, 1):
        raise unsupported("generationConfig.candidateCount", "must be 1: one answer is given per request")
    if value_of(config, "responseLogprobs"):
        raise unsupported("generationConfig.responseLogprobs", "is not supported")
    kinds = value_of(config, "responseModalities") or []
    if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
        raise invalid("generationConfig.responseModalities", "a list of texts")
    wanted = [kind.lower() for kind in kinds]
    if set(wanted) - {"text", "image"}:
        raise unsupported("generationConfig.responseModalities", "must be TEXT or IMAGE")
    if "image" in wanted:
        chat["modalities"] = wanted
    _add_format(chat, config)
    if effort := _effort(mapping(value_of(config, "thinkingConfig"))):
        chat["reasoning_effort"] = effort


def _add_format(chat: dict[str, Any], config: Mapping[str, Any]) -> None:
    kind = value_of(config, "responseMimeType")
    if kind in (None, "", "text/plain"):
        return
    if kind != "application/json":
        raise unsupported("generationConfig.responseMimeType", "must be text/plain or application/json")
    schema, own = value_of(config, "responseJsonSchema"), value_of(config, "responseSchema")
    if schema is None and isinstance(own, Mapping):
        schema = to_json_schema(own)
    if schema is None and own is None:
        chat["response_format"] = {"type": "json_object"}
    elif isinstance(schema, Mapping):
        chat["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    else:
        raise invalid("generationConfig.responseSchema", "an object")


def _effort(thinking: Mapping[str, Any]) -> str | None:
    """The `reasoning_effort` of a thinking level or budget; None for the model's own decision."""
    level, budget = value_of(thinking, "thinkingLevel"), value_of(thinking, "thinkingBudget")
    if isinstance(level, str) and level.lower() in _LEVELS:
        return level.lower()
    if not isinstance(budget, int) or budget < 0:
        return None
    return next((effort for most, effort in _BUDGETS if budget <= most), "high")


def _add_tools(chat: dict[str, Any], request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Add the functions. Returns the tools that Google runs."""
    functions: list[Part] = []
    hosted: list[Mapping[str, Any]] = []
    for where, tool in objects(request.get("tools") or [], "tools"):
        declared = value_of(tool, "functionDeclarations") or []
        for place, function in objects(declared, f"{where}.functionDeclarations"):
            functions.append(_function(function, place))
        others = {name: value for name, value in tool.items() if name not in ("functionDeclarations", "function_declarations")}
        if others:
            hosted.append(others)
    if functions:
        chat["tools"] = functions
        _add_choice(chat, request)
    return hosted


def _function(function: Mapping[str, Any], where: str) -> Part:
    parameters, schema = function.get("parameters"), value_of(function, "parametersJsonSchema")
    if schema is None and isinstance(parameters, Mapping):
        schema = to_json_schema(parameters)
    if schema is None:
        schema = {"type": "object", "properties": {}}
    if not isinstance(schema, Mapping):
        raise invalid(f"{where}.parametersJsonSchema", "an object")
    return function_tool(text_of(function, "name", where), function, schema)


def _add_choice(chat: dict[str, Any], request: Mapping[str, Any]) -> None:
    """Add the choice of a function. Of several allowed ones, only these are declared."""
    config = mapping(value_of(mapping(value_of(request, "toolConfig")), "functionCallingConfig"))
    mode, allowed = config.get("mode"), value_of(config, "allowedFunctionNames") or []
    mode = mode.upper() if isinstance(mode, str) else None
    if mode in (None, "AUTO", "VALIDATED", "MODE_UNSPECIFIED"):
        return
    if mode not in ("ANY", "NONE"):
        raise invalid("toolConfig.functionCallingConfig.mode", "AUTO, ANY, NONE or VALIDATED")
    if not isinstance(allowed, list):
        raise invalid("toolConfig.functionCallingConfig.allowedFunctionNames", "a list of texts")
    chat["tool_choice"] = "required" if mode == "ANY" else "none"
    if mode == "ANY" and allowed:
        chat["tools"] = [tool for tool in chat["tools"] if tool["function"]["name"] in allowed]
        if not chat["tools"]:
            raise invalid("toolConfig.functionCallingConfig.allowedFunctionNames", "names of declared functions")
        if len(chat["tools"]) == 1:
            chat["tool_choice"] = {"type": "function", "function": {"name": chat["tools"][0]["function"]["name"]}}
