"""Sends messages as they are, and in a stricter form where a server has refused them."""

from collections.abc import Awaitable, Callable, Mapping
import re
from typing import Any

from ..dialects.base import sent_arguments
from ..dialects.openai.message_forms import Form, formed
from ..protocol.errors import ApiError, InvalidRequestError, UpstreamError
from ..protocol.request import Kind, Request
from .base import Answer

_MAX_RECORDED = 1000
_NOT_ABOUT_FORM = frozenset({"context_length_exceeded", "content_policy_violation", "model_not_found"})
_TOO_LONG = re.compile(r"context (?:length|window|size)|too (?:long|large|many tokens)", re.IGNORECASE)
_TEMPLATE = re.compile(
    r"template|jinja|roles? must|must (?:alternate|end|be at the beginning)|user query|system (?:role|message)|"
    r"(?:last|first|final) (?:role|message)|prefill|unexpected role",
    re.IGNORECASE,
)
"""Words of a failed chat template: llama.cpp and LM Studio answer it with the status 500."""
_SYSTEM = re.compile(r"system|only user", re.IGNORECASE)
_WANTS_OBJECT = re.compile(
    r"unmarshal string|valid dictionary|dict_type|(?:must be|expected) (?:an? )?(?:object|map|dict)", re.IGNORECASE
)
"""Words of a server that takes a tool call's arguments as an object only, such as Saturn's service for Ollama."""


class MessageForms:
    """The forms of messages that a server's models require, as far as they have refused others."""

    def __init__(self, least: Form = Form.AS_SENT) -> None:
        """`least`: the form of all messages."""
        self._least = least
        self._known: dict[str, Form] = {}
        """By model; at most _MAX_RECORDED models."""
        self._takes_objects = False
        """Whether the server takes the arguments of tool calls as objects instead of texts."""

    async def send(self, request: Request, send: Callable[[Request], Awaitable[Answer]]) -> Answer:
        """Send a request with `send`, again in the next form while it is refused for its form. Raises the ApiErrors of `send`."""
        if request.kind is not Kind.CHAT:
            return await send(request)
        known = form = self._known.get(request.model, self._least)
        objects = self._takes_objects
        current = _in_form(request, form)
        while True:
            try:
                answer = await send(_with_objects(current) if objects else current)
            except (InvalidRequestError, UpstreamError) as err:
                if not objects and _wants_objects(err) and _with_objects(current) is not current:
                    objects = True
                    continue
                stricter = _stricter(current, form, err)
                if stricter is None:
                    raise
                form, current = stricter
            else:
                self._takes_objects = objects
                if form is not known:
                    if len(self._known) >= _MAX_RECORDED:
                        self._known.clear()
                    self._known[request.model] = form
                return answer


def _in_form(request: Request, form: Form) -> Request:
    messages = request.body["messages"]
    changed = formed(messages, form)
    return request if changed is messages else request.with_body(messages=changed)


def _wants_objects(err: ApiError) -> bool:
    """Whether an error says that a tool call's arguments must be an object."""
    words = f"{err.message} {err.log_text}"
    return "arguments" in words.lower() and _WANTS_OBJECT.search(words) is not None


def _with_objects(request: Request) -> Request:
    """The request with the arguments of tool calls as objects; the same one without tool calls. Raises InvalidRequestError."""
    messages = [_with_object_arguments(message) for message in request.body["messages"]]
    return request if messages == list(request.body["messages"]) else request.with_body(messages=messages)


def _with_object_arguments(message: Mapping[str, Any]) -> Mapping[str, Any]:
    calls = message.get("tool_calls")
    if not calls:
        return message
    changed = []
    for number, call in enumerate(calls):
        function = call["function"]
        arguments = sent_arguments(function.get("arguments"), f"tool_calls[{number}].function")
        changed.append({**call, "function": {**function, "arguments": arguments}})
    return {**message, "tool_calls": changed}


def _stricter(request: Request, form: Form, err: ApiError) -> tuple[Form, Request] | None:
    """The next form that changes the messages, and the request in it; None if the error is not about the form.

    Servers explain a refusal in many ways, so any 400 is taken for one; it costs one more request that is not billed.
    """
    words = f"{err.message} {err.log_text}"
    about = bool(_TEMPLATE.search(words))
    if err.code in _NOT_ABOUT_FORM or _TOO_LONG.search(words) or not (about or isinstance(err, InvalidRequestError)):
        return None
    for stricter in Form:
        if stricter <= form or (stricter is Form.NO_SYSTEM and not _SYSTEM.search(words)):
            continue
        changed = _in_form(request, stricter)
        if changed is not request:
            return stricter, changed
    return None
