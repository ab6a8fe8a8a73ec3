"""Chat request → body of `POST /v1beta/models/{model}:generateContent`; embeddings request → bodies of `:batchEmbedContents`.

Source: Google's SDK google-genai 2.25 (`types.py`, `models.py`) and ai.google.dev/gemini-api/docs (function calling, thinking,
structured output, OpenAI compatibility). Parameters without a counterpart are dropped if that is harmless, and refused if they
would change the meaning of the answer. Safety settings are sent only if the caller sets them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...protocol.errors import InvalidRequestError
from ...protocol.request import Request
from ...protocol.values import mapping
from ..images import Image
from ..openai.embeddings import texts
from .model_traits import LEVELS, Traits
from .options import google_options
from .signatures import SignatureMemory
from .upstream_contents import split

JSON_TOOL = "json_answer"
"""The function whose arguments are the answer, for models that refuse a JSON format together with tools."""
MAX_BATCH = 100
"""The maximum number of texts in one request of `batchEmbedContents`."""

_REFUSED: Mapping[str, str] = {
    "functions": "are the old form of tools: send 'tools'",
    "function_call": "is the old form of tool_choice: send 'tool_choice'",
    "logit_bias": "is not supported by Gemini models",
    "logprobs": "are not supported",
    "top_logprobs": "are not supported",
    "audio": "is not supported: Gemini models answer with text and images here",
    "web_search_options": "are not supported",
}
_PARAMETERS: Mapping[str, str] = {
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "seed": "seed",
}
_SAMPLING: Mapping[str, str] = {"temperature": "temperature", "top_p": "topP"}
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576}
"""Thinking budgets by effort (ai.google.dev/gemini-api/docs/openai, "Thinking")."""
_HIGHER = {"xhigh": "high", "max": "high", "ultra": "high"}


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """A request in Gemini's format, and how to parse its answer."""

    body: dict[str, Any]
    json_tool: bool = False
    """Whether the answer is the arguments of `JSON_TOOL`."""
    one_call: bool = False
    """Whether tool calls after the first one are dropped."""


def translate(
    request: Request, traits: Traits, memory: SignatureMemory, images: Mapping[str, Image] | None = None
) -> UpstreamRequest:
    """Translate the request. `memory` has the signatures of tool calls that the client has lost.

    Raises InvalidRequestError, which names the unsupported parameter.
    """
    body = request.body
    _refuse(body)
    system, contents = split(body["messages"], images or {}, memory, signed=traits.signed)
    if not contents:
        raise InvalidRequestError("The messages have no content.", param="messages")
    result: dict[str, Any] = {"contents": contents}
    if system and traits.system:
        result["systemInstruction"] = {"parts": system}
    elif system:
        contents[0]["parts"][:0] = system
    _add_tools(result, body)
    config = _config(body, traits)
    json_tool = _add_format(result, config, body, traits)
    _add_options(result, config, body)
    if config:
        result["generationConfig"] = config
    return UpstreamRequest(result, json_tool, one_call=body.get("parallel_tool_calls") is False)


def embedding_batches(request: Request) -> Iterator[dict[str, Any]]:
    """The bodies of `batchEmbedContents`, MAX_BATCH texts each. Raises InvalidRequestError for tokens instead of texts."""
    options: dict[str, Any] = {"model": f"models/{request.model.removeprefix('models/')}"}
    for param, name in (("dimensions", "outputDimensionality"), ("task_type", "taskType"), ("title", "title")):
        if (value := request.body.get(param)) is not None:
            options[name] = value
    given = texts(request)
    for begin in range(0, len(given), MAX_BATCH):
        yield {"requests": [options | {"content": {"parts": [{"text": text}]}} for text in given[begin : begin + MAX_BATCH]]}


def _refuse(body: Mapping[str, Any]) -> None:
    for param, why in _REFUSED.items():
        if body.get(param):
            raise InvalidRequestError(f"'{param}' {why}.", param=param)
    if (body.get("n") or 1) > 1:
        raise InvalidRequestError("Gemini models give one answer per request: 'n' must be 1.", param="n")


def _config(body: Mapping[str, Any], traits: Traits) -> dict[str, Any]:
    """The generation parameters."""
    names = {**_PARAMETERS, **(_SAMPLING if traits.sampling else {})}
    config = {name: body[param] for param, name in names.items() if body.get(param) is not None}
    top_k = body.get("top_k")
    if traits.sampling and isinstance(top_k, int) and top_k > 0:
        config["topK"] = top_k
    if limit := body.get("max_completion_tokens") or body.get("max_tokens"):
        config["maxOutputTokens"] = min(limit, traits.max_tokens) if traits.max_tokens else limit
    stop = body.get("stop")
    if sequences := [item for item in (stop if isinstance(stop, list) else [stop]) if isinstance(item, str) and item]:
        config["stopSequences"] = sequences
    if modalities := _modalities(body.get("modalities")):
        config["responseModalities"] = modalities
    if thinking := _thinking(body, traits):
        config["thinkingConfig"] = thinking
    return config


def _modalities(wanted: object) -> list[str]:
    """The kinds of output; empty for text only, the default."""
    if wanted is None or wanted == ["text"]:
        return []
    if not isinstance(wanted, list) or not wanted or not all(kind in ("text", "image") for kind in wanted):
        raise InvalidRequestError("Invalid value for 'modalities': Gemini models answer with text and image.", param="modalities")
    return [kind.upper() for kind in wanted]


def _thinking(body: Mapping[str, Any], traits: Traits) -> dict[str, Any]:
    """`thinkingConfig`: by `reasoning_effort`; without it, thoughts are only included. Empty for models that do not think."""
    effort = body.get("reasoning_effort") or mapping(body.get("reasoning")).get("effort")
    if not traits.thinks:
        return {}
    if effort == "none":
        return {"thinkingLevel": traits.levels[0]} if traits.levels else {"thinkingBudget": traits.least_budget}
    thinking: dict[str, Any] = {"includeThoughts": True}
    effort = _HIGHER.get(effort, effort) if isinstance(effort, str) else None
    if effort not in _BUDGETS:
        return thinking
    if not traits.levels:
        return thinking | {"thinkingBudget": max(_BUDGETS[effort], traits.least_budget)}
    place = LEVELS.index(effort.upper())
    return thinking | {"thinkingLevel": min(traits.levels, key=lambda level: abs(LEVELS.index(level) - place))}


def _add_tools(result: dict[str, Any], body: Mapping[str, Any]) -> None:
    tools = body.get("tools")
    if not tools:
        return
    result["tools"] = [{"functionDeclarations": [_function(tool, f"tools[{index}]") for index, tool in enumerate(tools)]}]
    choice = body.get("tool_choice")
    if choice is None or choice == "auto":
        return
    if choice == "none":
        calling: dict[str, Any] = {"mode": "NONE"}
    elif choice == "required":
        calling = {"mode": "ANY"}
    else:
        name = mapping(mapping(choice).get("function")).get("name")
        if not isinstance(name, str) or not name:
            raise InvalidRequestError(
                "Invalid value for 'tool_choice': it must be auto, none, required or a function.", param="tool_choice"
            )
        calling = {"mode": "ANY", "allowedFunctionNames": [name]}
    result["toolConfig"] = {"functionCallingConfig": calling}


def _function(tool: Mapping[str, Any], where: str) -> dict[str, Any]:
    function = mapping(tool.get("function"))
    name = function.get("name")
    if tool.get("type", "function") != "function" or not isinstance(name, str) or not name:
        raise InvalidRequestError(f"{where} must be a function with a name.", param=where)
    declared: dict[str, Any] = {"name": name}
    if isinstance(description := function.get("description"), str) and description:
        declared["description"] = description
    parameters = mapping(function.get("parameters"))
    if parameters.get("properties") or parameters.keys() - {"type", "properties", "required", "additionalProperties"}:
        declared["parametersJsonSchema"] = parameters  # an object without properties is left out, as the API wants it
    return declared


def _add_format(result: dict[str, Any], config: dict[str, Any], body: Mapping[str, Any], traits: Traits) -> bool:
    """Add `response_format`; True if the answer is the arguments of `JSON_TOOL`."""
    wanted = mapping(body.get("response_format"))
    kind = wanted.get("type", "text")
    if kind == "text":
        return False
    schema: Mapping[str, Any] | None = None
    if kind == "json_schema":
        schema = mapping(wanted.get("json_schema")).get("schema")
        if not isinstance(schema, Mapping):
            raise InvalidRequestError("'response_format' has no json_schema.schema.", param="response_format")
    elif kind != "json_object":
        raise InvalidRequestError(
            "Invalid value for 'response_format': its type must be text, json_object or json_schema.", param="response_format"
        )
    mode = mapping(mapping(result.get("toolConfig")).get("functionCallingConfig")).get("mode")
    if result.get("tools") and not traits.json_with_tools and mode != "NONE":
        if mode == "ANY":
            return False  # the caller requires a tool call, so there is no text to format
        description = "Gives the final answer. Its arguments are the answer; there is no other text."
        answer = {"name": JSON_TOOL, "description": description, "parametersJsonSchema": schema or {"type": "object"}}
        result["tools"][0]["functionDeclarations"].append(answer)
        result["toolConfig"] = {"functionCallingConfig": {"mode": "ANY"}}
        return True
    if mode == "NONE" and not traits.json_with_tools:
        del result["tools"], result["toolConfig"]
    config["responseMimeType"] = "application/json"
    if schema is not None:
        config["responseJsonSchema"] = schema
    return False


def _add_options(result: dict[str, Any], config: dict[str, Any], body: Mapping[str, Any]) -> None:
    """Add the caller's own options in Google's format, which replace those that were derived from OpenAI's parameters."""
    options = google_options(body)
    result |= options.request
    config |= options.generation
    if options.tools:
        result["tools"] = [*result.get("tools", ()), *options.tools]
