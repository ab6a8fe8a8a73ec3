"""Ollama's native API, for clients that support no other. Only on a separate port: on Home Assistant's, `/api` is its own."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
import hashlib
import time
from typing import Any

from aiohttp import web

from ...dialects.base import ParsedRequest
from ...dialects.ollama.client_request import chat_to_chat, generate_to_chat, wants_reasoning
from ...dialects.ollama.client_response import OllamaWriter, chat_fields, error_body, generate_fields, now
from ...dialects.turns import invalid
from ...protocol.models import AUTO, ModelInfo, parse_models
from ...protocol.record import Capability
from ...protocol.request import Kind, Request, parse_object
from ..dispatch import ErrorFormat, RequestContext
from ..gateway import Gateway
from ..response_writer import answer
from .models import find_model, listed

OLLAMA = ErrorFormat(error_body)
API_VERSION = "0.12.0"
"""The version of Ollama whose API is implemented; clients check it before they use newer features."""
_ARCHITECTURE = "zeroconfai"
"""Placeholder: Ollama names the architecture of every model, which providers do not report."""

_CAPABILITIES = {
    Capability.COMPLETION: "completion",
    Capability.TOOLS: "tools",
    Capability.VISION: "vision",
    Capability.EMBEDDINGS: "embedding",
}


async def chat(gateway: Gateway, context: RequestContext) -> web.StreamResponse:
    """`POST /api/chat`."""
    return await _generate(gateway, context, "messages", chat_to_chat, chat_fields)


async def generate(gateway: Gateway, context: RequestContext) -> web.StreamResponse:
    """`POST /api/generate`."""
    return await _generate(gateway, context, "prompt", generate_to_chat, generate_fields)


async def tags(gateway: Gateway, context: RequestContext) -> web.Response:
    """`GET /api/tags`: the models."""
    return context.json({"models": [_listed(gateway, model) for model in _models(gateway, context).values()]})


async def show(gateway: Gateway, context: RequestContext) -> web.Response:
    """`POST /api/show`: details of a model. Raises NotFoundError, which names similar models."""
    body = parse_object(await context.read(gateway.max_body_bytes))
    name = str(body.get("model") or body.get("name") or "")
    (model,) = parse_models([find_model(gateway.engine, name, context.caller.models)])
    known = model.capabilities or ({Capability.COMPLETION} if model.for_chat else {Capability.EMBEDDINGS})
    info: dict[str, Any] = {"general.architecture": _ARCHITECTURE}
    if model.context_window:
        info[f"{_ARCHITECTURE}.context_length"] = model.context_window
    listed = _listed(gateway, model)
    return context.json(
        {
            "modelfile": "",
            "parameters": "",
            "template": "",
            "details": listed["details"],
            "model_info": info,
            "capabilities": [word for capability, word in _CAPABILITIES.items() if capability in known],
            "modified_at": listed["modified_at"],
        }
    )


async def version(_: Gateway, context: RequestContext) -> web.Response:
    """`GET /api/version`."""
    return context.json({"version": API_VERSION})


async def _generate(
    gateway: Gateway,
    context: RequestContext,
    param: str,
    to_chat: Callable[[Mapping[str, Any]], dict[str, Any]],
    fields: Callable[[str, str, list[dict[str, Any]]], dict[str, Any]],
) -> web.StreamResponse:
    """Answer a request that `to_chat` translates; `fields` makes the path's response. Without `param`, only a model is loaded."""
    started = time.monotonic()
    raw = await context.read(gateway.max_body_bytes)
    body = parse_object(raw)
    if not body.get(param):
        reason = "unload" if body.get("keep_alive") == 0 else "load"
        model = body.get("model") or AUTO
        if not isinstance(model, str):
            raise invalid("model", "a model's id, or left out")
        head = {"model": model, "created_at": now()}
        return context.json(head | fields("", "", []) | {"done": True, "done_reason": reason})

    def parse(_: RequestContext, __: bytes) -> ParsedRequest:
        request = Request.parse(Kind.CHAT, to_chat(body), request_id=context.id, via=context.via)
        reasoning = wants_reasoning(body)
        return ParsedRequest(request, lambda model: OllamaWriter(model, fields, reasoning=reasoning, started=started))

    return await answer(gateway, context, parse, raw=raw)


def _models(gateway: Gateway, context: RequestContext) -> dict[str, ModelInfo]:
    """The models of `/v1/models`, by id."""
    return {model.id: model for model in parse_models(listed(gateway.engine, context.caller.models))}


def _listed(gateway: Gateway, model: ModelInfo) -> dict[str, Any]:
    """A model of the list. Values that only its file contains are empty; its digest is that of its name."""
    since = datetime.now(UTC) - timedelta(seconds=gateway.uptime)
    details = {
        "parent_model": "",
        "format": "",
        "family": _ARCHITECTURE,
        "families": [_ARCHITECTURE],
        "parameter_size": "",
        "quantization_level": "",
    }
    return {
        "name": model.id,
        "model": model.id,
        "modified_at": since.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "size": 0,
        "digest": hashlib.sha256(model.id.encode()).hexdigest(),
        "details": details,
    }
