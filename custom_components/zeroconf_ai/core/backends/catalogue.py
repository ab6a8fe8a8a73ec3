"""`Catalogue`: a backend with its owner's word on which models it has, what they are called, and what they can do and cost."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, override

from ..protocol.errors import MethodNotAllowedError, NotFoundError
from ..protocol.models import ModelInfo, same_model
from ..protocol.prices import Prices
from ..protocol.record import Capability, Cost
from ..protocol.request import Kind, Request
from ..protocol.status import Health, ProviderStatus
from .base import Answer, Backend, BackendInfo

ALL_MODELS = "*"
"""Stands for every model that is not named."""
_LIMITS = ("max_completion_tokens", "max_tokens")


@dataclass(frozen=True, slots=True)
class ModelOverride:
    """What an owner says of a model, whatever its backend does. None: nothing."""

    context_window: int | None = None
    max_output_tokens: int | None = None
    """What an answer may have at most, and has where a request names no limit."""
    capabilities: frozenset[Capability] | None = None


_NOTHING_SAID = ModelOverride()


@dataclass(frozen=True, slots=True)
class BackendOverrides:
    """What an owner says of a backend and its models."""

    priority: int
    cost: Cost | None = None
    """None: what the backend says."""
    allowed: tuple[str, ...] = ()
    """The only models that may be used, beside the aliases, in the order to be preferred; empty: all."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names → the models they stand for."""
    prices: Mapping[str, Prices] = field(default_factory=dict)
    """By model or alias; `*` for all others."""
    general: ModelOverride = _NOTHING_SAID
    """Of all models; its capabilities only of those of which the backend does not say."""
    overrides: Mapping[str, ModelOverride] = field(default_factory=dict)
    """Of single models, by model or alias."""


class Catalogue(Backend):
    """Another backend as its owner wants it: what is not wanted is neither shown nor served."""

    def __init__(self, backend: Backend, wishes: BackendOverrides) -> None:
        """`backend` is closed with this one."""
        self._backend = backend
        self._wishes = wishes
        self._info = (backend.info, self._described(backend.info))

    @override
    def __repr__(self) -> str:
        """The backend, and how much is said of it."""
        wishes = self._wishes
        return f"<Catalogue of {self._backend!r}: {len(wishes.allowed) or 'all'} models, {len(wishes.aliases)} aliases>"

    @property
    def wishes(self) -> BackendOverrides:
        """What is wanted. May be set at any time: it holds from the next request, and the next `models`, on."""
        return self._wishes

    @wishes.setter
    def wishes(self, wishes: BackendOverrides) -> None:
        self._wishes = wishes
        self._info = (self._backend.info, self._described(self._backend.info))

    @property
    @override
    def info(self) -> BackendInfo:
        told, found = self._info
        if (now := self._backend.info) is not told:
            found = self._described(now)
            self._info = (now, found)
        return found

    @override
    async def health(self) -> Health:
        return await self._backend.health()

    @override
    async def models(self) -> tuple[ModelInfo, ...]:
        """Those that are wanted and there; of a server that lists none, all that the owner names."""
        try:
            listed = await self._backend.models()
        except NotFoundError, MethodNotAllowedError:
            if not self._wishes.allowed and not self._wishes.aliases:
                raise
            listed = ()
        return tuple({model.id: self._overridden(model, target) for model, target in self._wanted(listed)}.values())

    @override
    async def status(self) -> ProviderStatus | None:
        return await self._backend.status()

    @override
    async def send(self, request: Request) -> Answer:
        wishes, asked = self._wishes, request.model
        target = wishes.aliases.get(asked, asked)
        if target is asked and wishes.allowed and not {asked, same_model(asked)} & {*wishes.allowed}:
            message = f"{self.info.name} does not serve {asked} here."  # asked for before its list was known
            raise NotFoundError(message, code="model_not_found", param="model")
        changes: dict[str, Any] = {} if target is asked else {"model": target}
        if request.kind is not Kind.EMBEDDINGS and (most := self._said(asked, target).max_output_tokens) is not None:
            given = {name: request.body[name] for name in _LIMITS if request.body.get(name) is not None}
            changes |= {name: min(limit, most) for name, limit in given.items()} or {"max_tokens": most}
        return await self._backend.send(request.with_body(**changes) if changes else request)

    @override
    async def close(self) -> None:
        await self._backend.close()

    def _described(self, info: BackendInfo) -> BackendInfo:
        wishes = self._wishes
        announced = tuple(model for model in info.announced_models if not wishes.allowed or model in wishes.allowed)
        return replace(
            info,
            priority=wishes.priority,
            cost=wishes.cost or info.cost,
            capabilities=info.capabilities if wishes.general.capabilities is None else wishes.general.capabilities,
            announced_models=announced,
        )

    def _wanted(self, listed: tuple[ModelInfo, ...]) -> Iterator[tuple[ModelInfo, str]]:
        """(model under the name that it is shown by, the id that its backend knows it by)."""
        wishes = self._wishes
        by_id = {model.id: model for model in listed}

        def find(model_id: str) -> ModelInfo | None:
            if not listed:
                return ModelInfo(model_id)
            return by_id.get(model_id) or by_id.get(same_model(model_id))

        if wishes.allowed:
            yield from ((model, model.id) for model in map(find, wishes.allowed) if model is not None)
        else:
            yield from ((model, model.id) for model in listed)
        for alias, target in wishes.aliases.items():
            if (model := find(target)) is not None:
                yield replace(model, id=alias), target

    def _overridden(self, model: ModelInfo, target: str) -> ModelInfo:
        said = self._said(model.id, target)
        known = self._wishes.general.capabilities if model.capabilities is None else model.capabilities
        prices = self._wishes.prices
        owners = prices.get(model.id) or prices.get(target) or prices.get(ALL_MODELS)
        return replace(
            model,
            context_window=said.context_window or model.context_window,
            max_output_tokens=said.max_output_tokens or model.max_output_tokens,
            capabilities=known if said.capabilities is None else said.capabilities,
            pricing=model.pricing if owners is None else owners.to_json(),
        )

    def _said(self, name: str, target: str) -> ModelOverride:
        """What the owner says of a model: under its alias, else of itself, else of all; of its capabilities only by name."""
        wishes = self._wishes
        alias, own = wishes.overrides.get(name, _NOTHING_SAID), wishes.overrides.get(target, _NOTHING_SAID)
        return ModelOverride(
            alias.context_window or own.context_window or wishes.general.context_window,
            alias.max_output_tokens or own.max_output_tokens or wishes.general.max_output_tokens,
            own.capabilities if alias.capabilities is None else alias.capabilities,
        )
