"""The models of LM Studio (REST API v1, from 0.4.0 on) and of llama.cpp's router."""

from collections.abc import Mapping
from typing import Any, ClassVar, override

from ...protocol.errors import InvalidRequestError, MethodNotAllowedError, NotFoundError
from ...protocol.models import MAX_MODELS
from ...protocol.values import clean, mapping, parse_count
from ..dialect_backend import DialectUpstream
from ..model_control import HeldModel, ModelAction, ModelControl, checked_model

_LOAD_SECONDS = 600.0


class LmStudioModels(ModelControl):
    """Loads and unloads models by `/api/v1/models/…` (lmstudio.ai/docs/developer/rest)."""

    can: ClassVar[frozenset[ModelAction]] = frozenset({ModelAction.LOAD, ModelAction.UNLOAD})

    def __init__(self, root: DialectUpstream) -> None:
        """`root`: the server's root."""
        self._root = root

    @override
    async def models(self) -> tuple[HeldModel, ...]:
        return tuple(_lmstudio_held(name, entry) for name, entry in (await self._listed()).items())

    @override
    async def load(self, model: str, keep_alive: str | float | None = None) -> None:
        await self._root.change("POST", "/api/v1/models/load", {"model": checked_model(model)}, seconds=_LOAD_SECONDS)

    @override
    async def unload(self, model: str) -> None:
        """Unload all instances of the model."""
        entry = (await self._listed()).get(checked_model(model))
        if entry is None:
            raise NotFoundError(f"The server has no model {model}.", code="model_not_found", param="model")
        for instance in _instances(entry):
            await self._root.change("POST", "/api/v1/models/unload", {"instance_id": instance})

    async def _listed(self) -> dict[str, Mapping[str, Any]]:
        try:
            body = mapping(await self._root.get_json("/api/v1/models"))
        except (NotFoundError, MethodNotAllowedError):
            raise InvalidRequestError("LM Studio 0.4.0 or later is required.", code="not_offered") from None
        return _by_name(body.get("models"), "key")


class LlamacppModels(ModelControl):
    """Loads and unloads models by `/models/…` of a server that was started without a model (tools/server/README.md)."""

    can: ClassVar[frozenset[ModelAction]] = frozenset({ModelAction.LOAD, ModelAction.UNLOAD})

    def __init__(self, root: DialectUpstream) -> None:
        """`root`: the server's root."""
        self._root = root

    @override
    async def models(self) -> tuple[HeldModel, ...]:
        listed = _by_name(mapping(await self._root.get_json("/models")).get("data"), "id")
        states = {name: mapping(entry.get("status")).get("value") for name, entry in listed.items()}
        if not all(isinstance(state, str) for state in states.values()):
            raise InvalidRequestError(
                "This llama.cpp server has one model, which it always holds. Start it without a model, as a router.",
                code="not_offered",
            )
        return tuple(HeldModel(name, loaded=state in ("loaded", "sleeping")) for name, state in states.items())

    @override
    async def load(self, model: str, keep_alive: str | float | None = None) -> None:
        await self._root.change("POST", "/models/load", {"model": checked_model(model)}, seconds=_LOAD_SECONDS)

    @override
    async def unload(self, model: str) -> None:
        await self._root.change("POST", "/models/unload", {"model": checked_model(model)})


def _by_name(listed: object, key: str) -> dict[str, Mapping[str, Any]]:
    entries = [mapping(entry) for entry in (listed[:MAX_MODELS] if isinstance(listed, list) else ())]
    named = ((clean(name), entry) for entry in entries if isinstance(name := entry.get(key), str))
    return {name: entry for name, entry in named if name}


def _instances(entry: Mapping[str, Any]) -> list[str]:
    listed = entry.get("loaded_instances")
    found = [mapping(instance).get("id") for instance in (listed if isinstance(listed, list) else ())]
    return [instance for instance in found if isinstance(instance, str)]


def _lmstudio_held(name: str, entry: Mapping[str, Any]) -> HeldModel:
    return HeldModel(name, parse_count(entry.get("size_bytes")) or None, bool(_instances(entry)))
