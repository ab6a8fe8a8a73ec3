"""The models of an Ollama server (docs/api.md of Ollama: "Pull a Model", "Delete a Model", "Load a model", "Unload a model")."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, ClassVar, override

from ...dialects.ollama.keep_alive import parse_keep_alive
from ...protocol import json
from ...protocol.errors import InvalidRequestError, UpstreamError
from ...protocol.models import MAX_MODELS
from ...protocol.values import clean, mapping, parse_count
from ..dialect_backend import DialectUpstream
from ..model_control import HeldModel, ModelAction, ModelControl, PullProgress, checked_model

_LOAD_SECONDS = 600.0
"""Maximum time to load a model: large ones take minutes from a slow disk."""
_SILENT_SECONDS = 120.0
"""Seconds without a report after which a download has failed."""
_TEXT_LIMIT = 200


class OllamaModels(ModelControl):
    """Controls the models of an Ollama server."""

    can: ClassVar[frozenset[ModelAction]] = frozenset(ModelAction)

    def __init__(self, upstream: DialectUpstream, context_size: Callable[[str], int | None]) -> None:
        """`context_size`: the `num_ctx` of a model's requests. A model that is loaded with another `num_ctx` is loaded again."""
        self._upstream = upstream
        self._context_size = context_size

    @override
    async def models(self) -> tuple[HeldModel, ...]:
        installed = _entries(await self._upstream.get_json("/api/tags"))
        loaded = _entries(await self._upstream.get_json("/api/ps"))
        return tuple(_held(name, entry, loaded.get(name)) for name, entry in installed.items())

    @override
    async def load(self, model: str, keep_alive: str | float | None = None) -> None:
        body: dict[str, Any] = {"model": checked_model(model), "stream": False}
        if (size := self._context_size(model)) is not None:
            body["options"] = {"num_ctx": size}
        if (parsed := parse_keep_alive(keep_alive)) is not None:
            body["keep_alive"] = parsed
        await self._hold(body)

    @override
    async def unload(self, model: str) -> None:
        await self._hold({"model": checked_model(model), "keep_alive": 0, "stream": False})

    async def _hold(self, body: Mapping[str, Any]) -> None:
        """A request without a prompt only loads or unloads the model. Models for embeddings have another path."""
        try:
            await self._upstream.change("POST", "/api/generate", body, seconds=_LOAD_SECONDS)
        except InvalidRequestError as err:
            if "does not support generate" not in err.message:
                raise
            embed = {key: value for key, value in body.items() if key != "stream"}
            await self._upstream.change("POST", "/api/embed", {**embed, "input": ""}, seconds=_LOAD_SECONDS)

    @override
    async def pull(self, model: str) -> AsyncIterator[PullProgress]:
        body = {"model": checked_model(model), "stream": True}
        done = False
        async for line in self._upstream.lines("/api/pull", body, silence=_SILENT_SECONDS):
            try:
                found = mapping(json.loads(line))
            except ValueError:
                raise UpstreamError(f"{self._upstream.name} sent a progress that cannot be read") from None
            if "error" in found:
                raise UpstreamError(f"The model cannot be installed: {clean(found['error'], _TEXT_LIMIT)}")
            status = clean(found.get("status") or "", _TEXT_LIMIT)
            done = done or status == "success"
            yield PullProgress(status, parse_count(found.get("completed")) or None, parse_count(found.get("total")) or None)
        if not done:
            raise UpstreamError("The download ended before the model was complete.")

    @override
    async def delete(self, model: str) -> None:
        await self._upstream.change("DELETE", "/api/delete", {"model": checked_model(model)})


def _entries(body: object) -> dict[str, Mapping[str, Any]]:
    listed = mapping(body).get("models")
    entries = (mapping(entry) for entry in (listed[:MAX_MODELS] if isinstance(listed, list) else ()))
    named = ((clean(entry.get("name") or entry.get("model") or ""), entry) for entry in entries)
    return {name: entry for name, entry in named if name}


def _held(name: str, entry: Mapping[str, Any], loaded: Mapping[str, Any] | None) -> HeldModel:
    size = parse_count(entry.get("size")) or None
    if loaded is None:
        return HeldModel(name, size)
    memory = parse_count(loaded["size_vram"]) if "size_vram" in loaded else None
    return HeldModel(name, size, True, memory, clean(loaded.get("expires_at") or "", 64) or None)
