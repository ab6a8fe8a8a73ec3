"""Reads what a person types or pastes as a request: plain text, the JSON body of any client's API, or a curl command."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
import re
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from multidict import CIMultiDict

from ..dialects.anthropic.client_request import to_chat as anthropic_chat
from ..dialects.gemini.client_request import to_chat as gemini_chat, to_embeddings as gemini_embeddings
from ..dialects.ollama.client_request import (
    chat_to_chat,
    embed_to_embeddings,
    generate_to_chat,
    generate_to_completion,
    is_completion,
)
from ..dialects.openai.client_request import to_chat as openai_chat
from ..dialects.responses.client_request import to_chat as responses_chat
from ..protocol.errors import InvalidRequestError
from ..protocol.json import JSONDecodeError, loads
from ..protocol.models import AUTO
from ..protocol.presented_key import presented_key
from ..protocol.request import Kind, Request
from .curl import is_curl, read_curl

LIMIT: Final = 1024 * 1024
"""Characters of a pasted text."""


class Form(StrEnum):
    """What was pasted."""

    TEXT = "text"
    JSON = "json"
    CURL = "curl"


class Api(StrEnum):
    """The API that a body is for; the value is the scope of its path (`dispatch.Route.scope`) and, if needed, its dialect."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    IMAGES = "images/generations"
    RESPONSES = "responses"
    MESSAGES = "messages"
    GEMINI = "chat/gemini"
    GEMINI_EMBEDDINGS = "embeddings/gemini"
    OLLAMA_CHAT = "chat/ollama"
    OLLAMA_GENERATE = "completions/ollama"
    OLLAMA_EMBED = "embeddings/ollama"

    @property
    def scope(self) -> str:
        """The permission that an API key needs for it."""
        return self.value.partition("/")[0]


@dataclass(frozen=True, slots=True)
class PastedRequest:
    """A request that was typed or pasted."""

    form: Form
    api: Api
    request: Request
    secret: str | None = field(default=None, repr=False)
    """The API key in the headers of a command. It is compared with the known keys, and neither stored nor shown."""


_FENCE = re.compile(r"\A\s*```[^\n]*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)
_GEMINI_PATH = re.compile(r"/models/(?P<model>.+):(?P<method>\w+)$")
_MODEL_IN_PATH = re.compile(r"/models/([^?]+):\w+|/openai/deployments/([^/?]+)/")
"""Google's and Azure's paths name the model."""
_GEMINI_METHODS: Final = {
    "generateContent": Api.GEMINI,
    "streamGenerateContent": Api.GEMINI,
    "countTokens": Api.GEMINI,
    "embedContent": Api.GEMINI_EMBEDDINGS,
    "batchEmbedContents": Api.GEMINI_EMBEDDINGS,
}
_PATHS: Final = (
    ("/api/chat", Api.OLLAMA_CHAT),
    ("/api/generate", Api.OLLAMA_GENERATE),
    ("/api/embed", Api.OLLAMA_EMBED),
    ("/api/embeddings", Api.OLLAMA_EMBED),
    ("/chat/completions", Api.CHAT),
    ("/completions", Api.COMPLETIONS),
    ("/embeddings", Api.EMBEDDINGS),
    ("/images/generations", Api.IMAGES),
    ("/responses", Api.RESPONSES),
    ("/messages", Api.MESSAGES),
    ("/messages/count_tokens", Api.MESSAGES),
)
"""How paths of requests end. The first match counts."""
_ANTHROPIC_FIELDS = frozenset({"system", "stop_sequences", "anthropic_version", "thinking"})
_OLLAMA_FIELDS = frozenset({"options", "keep_alive", "format", "think"})
_EMBEDDING_FIELDS = frozenset({"encoding_format", "dimensions"})


def read_pasted(text: str, model: str | None = None) -> PastedRequest:
    """Read a request. `model` is asked for by plain text, and by a body that names none.

    Raises InvalidRequestError with what to correct. Errors do not repeat the text, which may contain a key.
    """
    if len(text) > LIMIT:
        raise InvalidRequestError(f"The text is longer than {LIMIT} characters.")
    if (fenced := _FENCE.match(text)) is not None:
        text = fenced[1]
    text = text.strip().removeprefix("\ufeff")
    if not text:
        raise InvalidRequestError("Type a question, or paste the JSON body of a request or a curl command.", param="text")
    if is_curl(text):
        return _of_curl(text, model)
    if text[0] in "{[":
        found = _json(text)
        body, path = _envelope(found)
        return _parsed(Form.JSON, _api_of(body) if path is None else _api_at(path, body), body, model, path or "")
    body = {"model": model or AUTO, "messages": [{"role": "user", "content": text}]}
    return PastedRequest(Form.TEXT, Api.CHAT, Request.parse(Kind.CHAT, body))


def _of_curl(text: str, model: str | None) -> PastedRequest:
    command = read_curl(text)
    address = command.url if "//" in command.url else f"//{command.url}"
    try:
        path = unquote(urlsplit(address).path)
    except ValueError:
        raise InvalidRequestError("The address in the command is not valid.") from None
    if not command.body:
        raise InvalidRequestError("The command sends no body, so no provider is asked. Paste one that sends a request (-d).")
    body = _json(command.body)
    if not isinstance(body, dict):
        raise InvalidRequestError("The body of the command must be a JSON object.", code="invalid_json")
    secret = presented_key(CIMultiDict(command.headers))
    return _parsed(Form.CURL, _api_at(path, body), body, model, path, secret)


def _json(text: str) -> Any:
    try:
        return loads(text)
    except JSONDecodeError as err:
        raise InvalidRequestError(f"This is not valid JSON: {err}.", code="invalid_json") from None


def _envelope(found: Any) -> tuple[Mapping[str, Any], str | None]:
    """The body in what was pasted: itself, a list of messages, or a line of a batch file with its path."""
    if isinstance(found, list):
        return {"messages": found}, None
    inner = found.get("body")
    if isinstance(inner, dict) and isinstance(found.get("url"), str):
        return inner, found["url"]
    return found, None


def _api_at(path: str, body: Mapping[str, Any]) -> Api:
    """The API at a path, of any server; that of the body at an unknown path."""
    plain = path.split("?", maxsplit=1)[0].rstrip("/")
    if (named := _GEMINI_PATH.search(plain)) is not None:
        return _GEMINI_METHODS.get(named["method"], Api.GEMINI)
    found = next((api for end, api in _PATHS if plain.endswith(end)), None)
    return _api_of(body) if found is None else found


def _api_of(body: Mapping[str, Any]) -> Api:
    """The API whose fields a body has."""
    fields = body.keys()
    if "contents" in fields:
        return Api.GEMINI
    if "messages" in fields:
        if fields & _OLLAMA_FIELDS or _any_message(body, "images"):
            return Api.OLLAMA_CHAT
        return Api.MESSAGES if fields & _ANTHROPIC_FIELDS or _has_anthropic_tools(body) else Api.CHAT
    if "input" in fields:
        return Api.EMBEDDINGS if fields & _EMBEDDING_FIELDS else Api.RESPONSES
    if "prompt" in fields:
        return Api.OLLAMA_GENERATE if fields & (_OLLAMA_FIELDS | {"system", "images", "raw", "context"}) else Api.COMPLETIONS
    return Api.CHAT


def _any_message(body: Mapping[str, Any], name: str) -> bool:
    messages = body["messages"]
    return isinstance(messages, list) and any(isinstance(message, dict) and name in message for message in messages)


def _has_anthropic_tools(body: Mapping[str, Any]) -> bool:
    tools = body.get("tools")
    return isinstance(tools, list) and any(isinstance(tool, dict) and "input_schema" in tool for tool in tools)


def _parsed(
    form: Form, api: Api, given: Mapping[str, Any], model: str | None, path: str, secret: str | None = None
) -> PastedRequest:
    named = _MODEL_IN_PATH.search(path)
    in_path = None if named is None else (named[1] or named[2]).removeprefix("models/")
    body = given if given.get("model") else {**given, "model": in_path or model or AUTO}
    kind, translated = _translated(api, body, path)
    return PastedRequest(form, api, Request.parse(kind, translated), secret)


def _translated(api: Api, body: Mapping[str, Any], path: str) -> tuple[Kind, Mapping[str, Any]]:
    """A body in the internal format. Raises InvalidRequestError, which names the invalid parameter."""
    asked = str(body["model"]).removeprefix("models/")
    match api:
        case Api.CHAT:
            if "messages" not in body and "input" in body:
                return Kind.CHAT, responses_chat(body)[0]
            return Kind.CHAT, openai_chat(body)[0]
        case Api.COMPLETIONS:
            return Kind.COMPLETION, body
        case Api.EMBEDDINGS:
            return Kind.EMBEDDINGS, body
        case Api.IMAGES:
            return Kind.IMAGES, body
        case Api.RESPONSES:
            return Kind.CHAT, responses_chat(body)[0]
        case Api.MESSAGES:
            return Kind.CHAT, anthropic_chat(body)
        case Api.GEMINI:
            return Kind.CHAT, gemini_chat(body, asked, stream=False)
        case Api.GEMINI_EMBEDDINGS:
            return Kind.EMBEDDINGS, gemini_embeddings(body, asked, batch="requests" in body)
        case Api.OLLAMA_CHAT:
            return Kind.CHAT, chat_to_chat(body)
        case Api.OLLAMA_GENERATE:
            if is_completion(body):
                return Kind.COMPLETION, generate_to_completion(body)
            return Kind.CHAT, generate_to_chat(body)
        case Api.OLLAMA_EMBED:
            return Kind.EMBEDDINGS, embed_to_embeddings(body, "input" if "input" in body else "prompt")
