"""Chat request → body of `POST /v1/talk`, the API of the template.

Parameters without a counterpart are dropped if that is harmless, and refused if they would change the meaning of the answer.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from zeroconf_ai.protocol import json
from zeroconf_ai.protocol.errors import InvalidRequestError
from zeroconf_ai.protocol.request import Request
from zeroconf_ai.protocol.values import mapping

_ROLES = {"system": "rules", "developer": "rules", "user": "person", "assistant": "model", "tool": "result"}
_REFUSED = ("functions", "function_call", "logit_bias", "logprobs", "response_format")


def translate(request: Request) -> dict[str, Any]:
    """Translate the request. Raises InvalidRequestError, which names the parameter."""
    body = request.body
    for param in _REFUSED:
        if body.get(param):
            raise InvalidRequestError(f"'{param}' is not supported by this provider.", param=param)
    result: dict[str, Any] = {
        "model": request.model,
        "turns": _turns(body["messages"]),
        "stream": request.stream,
    }
    if tools := body.get("tools"):
        result["tools"] = [_tool(mapping(tool), f"tools[{index}]") for index, tool in enumerate(tools)]
    if limit := body.get("max_completion_tokens") or body.get("max_tokens"):
        result["limit"] = limit
    return result


def _tool(tool: Mapping[str, Any], where: str) -> dict[str, Any]:
    function = mapping(tool.get("function"))
    if not isinstance(name := function.get("name"), str):
        raise InvalidRequestError(f"{where} must be a function with a name.", param=where)
    return {"name": name, "input": function.get("parameters") or {"type": "object"}}


def _turns(messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = []
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if message["role"] not in _ROLES:
            raise InvalidRequestError(f"{where}: '{message['role']}' messages are not supported.", param=f"{where}.role")
        turn: dict[str, Any] = {"by": _ROLES[message["role"]], "text": _text(message.get("content"), f"{where}.content")}
        if calls := message.get("tool_calls"):
            turn["calls"] = [_call(mapping(call), f"{where}.tool_calls[{place}]") for place, call in enumerate(calls)]
        if call_id := message.get("tool_call_id"):
            turn["of"] = call_id
        turns.append(turn)
    return turns


def _call(call: Mapping[str, Any], where: str) -> dict[str, Any]:
    function = mapping(call.get("function"))
    try:
        arguments = json.loads(function.get("arguments") or "{}")
    except json.JSONDecodeError:
        param = f"{where}.function.arguments"
        raise InvalidRequestError(f"{param} must be a JSON object as text.", param=param) from None
    return {"id": call.get("id"), "name": function.get("name"), "input": arguments}


def _text(content: object, where: str) -> str:
    if isinstance(content, str):
        return content
    texts = []
    for place, part in enumerate(content if isinstance(content, list) else ()):
        if part["type"] != "text":
            param = f"{where}[{place}]"
            raise InvalidRequestError(f"{param}: a part of type '{part['type']}' is not supported.", param=param)
        texts.append(part["text"])
    return "\n".join(texts)
