"""Requests of Google's `generateContent` and `embedContent` → body of a chat completion or of embeddings.

Source: Google's SDK google-genai 2.25 (`types.py`, `models.py`). Names may be in camelCase or in snake_case, as Google's parser
accepts them. Parameters without a counterpart are sent to Gemini models only (`options.py`), and refused if they would change the
meaning of the answer elsewhere.
"""

from collections.abc import Mapping
from typing import Any

from ...protocol.values import mapping
from ..turns import Part, Turns, function_tool, invalid, objects, text_of, text_part, unsupported
from .client_contents import Contents, texts_of
from .options import GENERATION, GoogleOptions, value_of
from .schemas import to_json_schema

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


def to_chat(request: Mapping[str, Any], model: str, *, stream: bool) -> dict[str, Any]:
    """Translate a request of `generateContent` to `model`. Raises InvalidRequestError, which names the parameter."""
    if value_of(request, "cachedContent"):
        raise unsupported("cachedContent", "is not supported: no prompts are stored; send the whole prompt in 'contents'")
    turns = Turns()
    system = value_of(request, "systemInstruction")
    if system is not None:
        turns.add_message("system", [text_part(text) for text in texts_of(system, "systemInstruction")])
    contents = Contents(turns)
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
        texts.append("\n".join(texts_of(entry.get("content"), place)))
        found = {"task_type": value_of(entry, "taskType"), "dimensions": value_of(entry, "outputDimensionality")}
        options.append({name: value for name, value in found.items() if value is not None})
        if options[-1] != options[0]:
            raise unsupported(where, "has another taskType or outputDimensionality than the first request")
    return {"model": model, "input": texts, "encoding_format": "float", **options[0]}


def wants_thoughts(request: Mapping[str, Any]) -> bool:
    """Whether the answer is to include thoughts."""
    config = mapping(value_of(request, "generationConfig"))
    return value_of(mapping(value_of(config, "thinkingConfig")), "includeThoughts") is True


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
