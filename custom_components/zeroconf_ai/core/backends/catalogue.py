"""`Catalogue`: a backend with configured models, aliases, prices and capabilities."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, override

from ..protocol.errors import MethodNotAllowedError, NotFoundError
from ..protocol.hosted_tools import HostedDialect
from ..protocol.model_names import ByName, has_name
from ..protocol.models import ModelInfo
from ..protocol.prices import Prices
from ..protocol.record import Capability, Cost, Placement
from ..protocol.request import Request
from ..protocol.status import Health, ProviderStatus
from .base import Answer, Backend, BackendInfo, ImageEdits
from .model_control import ModelControl

ALL_MODELS = "*"
"""The key of settings for all models that are not named."""
_LIMITS = ("max_completion_tokens", "max_tokens")


@dataclass(frozen=True, slots=True)
class ModelOverride:
    """Configured values of a model, which replace those that the backend reports. None: not configured."""

    context_window: int | None = None
    max_output_tokens: int | None = None
    """The maximum tokens of an answer, and the default limit of a request."""
    capabilities: frozenset[Capability] | None = None


_NO_OVERRIDE = ModelOverride()


@dataclass(frozen=True, slots=True)
class BackendOverrides:
    """Configured values of a backend and its models, which replace those that it reports."""

    priority: int
    cost: Cost | None = None
    """None: not configured."""
    allowed: tuple[str, ...] = ()
    """The allowed models besides the aliases, in the order of preference; empty: all."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Alias → model."""
    prices: Mapping[str, Prices] = field(default_factory=dict)
    """By model or alias; `*` for all others."""
    general: ModelOverride = _NO_OVERRIDE
    """For all models; its capabilities apply to models without reported ones, and to the only model of a backend."""
    models: Mapping[str, ModelOverride] = field(default_factory=dict)
    """For single models, by model or alias."""
    placement: Placement | None = None
    """None: not configured."""
    default_model: str | None = None
    """The model, or alias, that goes before the others; None: not configured."""


class Catalogue(Backend):
    """Another backend with overrides. Models that are not allowed are neither listed nor served."""

    def __init__(self, backend: Backend, overrides: BackendOverrides) -> None:
        """`backend` is closed with this one."""
        self.describe: Callable[[ModelInfo, str], ModelInfo] | None = None
        """Adds public facts to those that the backend reports of a model, by its id; None: no list has its models."""
        self._backend = backend
        self.overrides = overrides

    @override
    def __repr__(self) -> str:
        """The backend, and the number of models and aliases."""
        overrides = self._overrides
        return f"<Catalogue of {self._backend!r}: {len(overrides.allowed) or 'all'} models, {len(overrides.aliases)} aliases>"

    @property
    def overrides(self) -> BackendOverrides:
        """The overrides. A new value applies to the next request and the next call of `models`."""
        return self._overrides

    @overrides.setter
    def overrides(self, overrides: BackendOverrides) -> None:
        self._overrides = overrides
        self._aliases, self._prices, self._models = ByName(overrides.aliases), ByName(overrides.prices), ByName(overrides.models)
        self._info = (self._backend.info, self._described(self._backend.info))

    @property
    @override
    def info(self) -> BackendInfo:
        reported, info = self._info
        if (current := self._backend.info) is not reported:
            info = self._described(current)
            self._info = (current, info)
        return info

    @property
    @override
    def hosted_dialects(self) -> frozenset[HostedDialect]:
        return self._backend.hosted_dialects

    @property
    @override
    def image_edits(self) -> ImageEdits:
        return self._backend.image_edits

    @property
    @override
    def model_control(self) -> ModelControl | None:
        return self._backend.model_control

    @property
    @override
    def address(self) -> str | None:
        return self._backend.address

    @override
    async def leaves_home(self) -> bool:
        return await self._backend.leaves_home()

    @override
    async def health(self) -> Health:
        return await self._backend.health()

    @override
    async def models(self) -> tuple[ModelInfo, ...]:
        """The allowed models that the backend lists; all configured ones if it has no list."""
        try:
            listed = await self._backend.models()
        except (NotFoundError, MethodNotAllowedError):
            if not self._overrides.allowed and not self._overrides.aliases:
                raise
            listed = ()
        only = len(listed) == 1
        found = {model.id: self._overridden(model, target, only=only) for model, target in self._allowed(listed)}
        return tuple(found.values())

    @property
    @override
    def lists_models(self) -> bool:
        return self._backend.lists_models or bool(self._overrides.allowed)

    @override
    async def status(self) -> ProviderStatus | None:
        return await self._backend.status()

    @override
    async def send(self, request: Request) -> Answer:
        overrides, name = self._overrides, request.model
        target = self._aliases.get(name) or name
        if target is name and overrides.allowed and not has_name(overrides.allowed, name):
            message = f"{self.info.name} does not serve {name} here."  # requested before the list of models was known
            raise NotFoundError(message, code="model_not_found", param="model")
        changes: dict[str, Any] = {} if target is name else {"model": target}
        if request.kind.writes and (most := self._override(name, target).max_output_tokens) is not None:
            given = {param: request.body[param] for param in _LIMITS if request.body.get(param) is not None}
            changes |= {param: min(limit, most) for param, limit in given.items()} or {"max_tokens": most}
        return await self._backend.send(request.with_body(**changes) if changes else request)

    @override
    async def close(self) -> None:
        await self._backend.close()

    def _described(self, info: BackendInfo) -> BackendInfo:
        overrides = self._overrides
        advertised = tuple(
            model for model in info.advertised_models if not overrides.allowed or has_name(overrides.allowed, model)
        )
        return replace(
            info,
            priority=overrides.priority,
            cost=overrides.cost or info.cost,
            placement=overrides.placement or info.placement,
            capabilities=info.capabilities if overrides.general.capabilities is None else overrides.general.capabilities,
            advertised_models=advertised,
        )

    def _allowed(self, listed: tuple[ModelInfo, ...]) -> Iterator[tuple[ModelInfo, str]]:
        """(model under its listed name, its id at the backend)."""
        overrides = self._overrides
        by_name = ByName({model.id: model for model in listed})

        def find(model_id: str) -> ModelInfo | None:
            if not listed:
                return ModelInfo(model_id)
            return by_name.get(model_id)

        if overrides.allowed:
            yield from ((model, model.id) for model in map(find, overrides.allowed) if model is not None)
        else:
            yield from ((model, model.id) for model in listed)
        for alias, target in overrides.aliases.items():
            if (model := find(target)) is not None:
                yield replace(model, id=alias), target

    def _overridden(self, reported: ModelInfo, target: str, *, only: bool) -> ModelInfo:
        """`only`: whether it is the backend's only model."""
        model = reported if self.describe is None else self.describe(reported, target)
        found, general = self._override(model.id, target), self._overrides.general.capabilities
        known = general if general is not None and (only or reported.capabilities is None) else model.capabilities
        configured = self._prices.get(model.id) or self._prices.get(target) or self._overrides.prices.get(ALL_MODELS)
        return replace(
            model,
            context_window=found.context_window or model.context_window,
            max_output_tokens=found.max_output_tokens or model.max_output_tokens,
            capabilities=known if found.capabilities is None else found.capabilities,
            pricing=model.pricing if configured is None else configured.to_json(),
            preferred=self._overrides.default_model is not None and has_name((self._overrides.default_model,), model.id),
        )

    def _override(self, name: str, target: str) -> ModelOverride:
        """The override of a model: of its alias, else of itself, else of all models; capabilities only by name."""
        overrides = self._overrides
        alias, own = self._models.get(name) or _NO_OVERRIDE, self._models.get(target) or _NO_OVERRIDE
        return ModelOverride(
            alias.context_window or own.context_window or overrides.general.context_window,
            alias.max_output_tokens or own.max_output_tokens or overrides.general.max_output_tokens,
            own.capabilities if alias.capabilities is None else alias.capabilities,
        )
