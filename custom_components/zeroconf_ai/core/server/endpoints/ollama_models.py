"""The models of Ollama's native API: lists, details, loaded models, and `/api/pull` for programs that download first."""

from datetime import UTC, datetime, timedelta
import hashlib
from typing import Any

from aiohttp import web
import orjson

from ...dialects.ollama.client_response import NDJSON
from ...dialects.turns import invalid
from ...protocol.errors import NotFoundError
from ...protocol.models import ModelInfo, parse_models
from ...protocol.record import Capability
from ...protocol.request import parse_object
from ..dispatch import RequestContext
from ..gateway import Gateway
from .models import find_model, listed

API_VERSION = "0.12.0"
"""The version of Ollama whose API is implemented; clients check it before they use newer features."""
_ARCHITECTURE = "zeroconfai"
"""Placeholder: Ollama names the architecture of every model, which providers do not report."""
_ALWAYS = timedelta(days=100 * 365)
"""How long a loaded model stays loaded, as Ollama reports it for models that are never unloaded: providers do not report it."""

_CAPABILITIES = {
    Capability.COMPLETION: "completion",
    Capability.TOOLS: "tools",
    Capability.VISION: "vision",
    Capability.EMBEDDINGS: "embedding",
    Capability.IMAGE_GENERATION: "image",
}
_NOT_OFFERED = {
    "/api/create": "create models",
    "/api/copy": "copy models",
    "/api/delete": "delete models",
    "/api/push": "upload models",
    "/api/blobs": "store files of models",
}
"""What the paths of Ollama do that a gateway cannot do, because the providers manage their models."""


async def tags(gateway: Gateway, context: RequestContext) -> web.Response:
    """`GET /api/tags`: the models."""
    return context.json({"models": [_entry(gateway, model) for model in _models(gateway, context)]})


async def running(gateway: Gateway, context: RequestContext) -> web.Response:
    """`GET /api/ps`: the models that a provider reports as loaded."""
    expires = {"expires_at": _time(datetime.now(UTC) + _ALWAYS), "size_vram": 0}
    loaded = (model for model in _models(gateway, context) if model.warm)
    return context.json(
        {"models": [_entry(gateway, model) | expires | {"context_length": model.context_window or 0} for model in loaded]}
    )


async def show(gateway: Gateway, context: RequestContext) -> web.Response:
    """`POST /api/show`: details of a model. Raises NotFoundError, which names similar models."""
    body = parse_object(await context.read(gateway.max_body_bytes))
    model = named_model(gateway, context, body.get("model") or body.get("name"))
    known = model.abilities
    info: dict[str, Any] = {"general.architecture": _ARCHITECTURE, "general.basename": model.id}
    if model.context_window:
        info[f"{_ARCHITECTURE}.context_length"] = model.context_window
    entry = _entry(gateway, model)
    return context.json(
        {
            "license": "",
            "modelfile": "",
            "parameters": "",
            "template": "",
            "details": entry["details"],
            "model_info": info,
            "capabilities": [word for capability, word in _CAPABILITIES.items() if capability in known],
            "modified_at": entry["modified_at"],
        }
    )


async def pull(gateway: Gateway, context: RequestContext) -> web.Response:
    """`POST /api/pull`: at once successful for a model that is served. Raises NotFoundError for any other."""
    body = parse_object(await context.read(gateway.max_body_bytes))
    try:
        named_model(gateway, context, body.get("model") or body.get("name"))
    except NotFoundError as err:
        raise err.as_type(NotFoundError, f"{err.message} This gateway cannot download models.", code=err.code) from None
    if body.get("stream") is False:
        return context.json({"status": "success"})
    steps = ({"status": "pulling manifest"}, {"status": "success"})
    return web.Response(
        body=b"".join(orjson.dumps(step) + b"\n" for step in steps), content_type=NDJSON, charset="utf-8", headers=context.headers
    )


async def version(_: Gateway, context: RequestContext) -> web.Response:
    """`GET /api/version`."""
    return context.json({"version": API_VERSION})


def unknown_path(path: str) -> str | None:
    """The message for a path of Ollama's API without a route; None for a path outside of it."""
    if path != "/api" and not path.startswith("/api/"):
        return None
    cannot = next((verb for known, verb in _NOT_OFFERED.items() if path == known or path.startswith(f"{known}/")), None)
    if cannot is not None:
        return f"This gateway cannot {cannot}: its providers manage their models."
    return f"There is nothing at {path}. Ollama's API here begins with /api/tags, /api/chat and /api/generate."


def named_model(gateway: Gateway, context: RequestContext, name: object) -> ModelInfo:
    """The model that a client names. Raises InvalidRequestError without a name, NotFoundError for an unknown model."""
    if not isinstance(name, str) or not name:
        raise invalid("model", "a model's id")
    (model,) = parse_models([find_model(gateway.engine, name, context.caller.models, context.caller.home_rule)])
    return model


def _models(gateway: Gateway, context: RequestContext) -> tuple[ModelInfo, ...]:
    """The models of `/v1/models`."""
    return parse_models(listed(gateway.engine, context.caller.models, context.caller.home_rule))


def _entry(gateway: Gateway, model: ModelInfo) -> dict[str, Any]:
    """A model of the list. Values that only its file contains are empty; its digest is that of its name."""
    return {
        "name": model.id,
        "model": model.id,
        "modified_at": _time(datetime.now(UTC) - timedelta(seconds=gateway.uptime)),
        "size": 0,
        "digest": hashlib.sha256(model.id.encode()).hexdigest(),
        "details": {
            "parent_model": "",
            "format": "",
            "family": _ARCHITECTURE,
            "families": [_ARCHITECTURE],
            "parameter_size": "",
            "quantization_level": "",
        },
    }


def _time(moment: datetime) -> str:
    """A time in Ollama's format (RFC 3339, UTC)."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
