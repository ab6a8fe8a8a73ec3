"""`AllowedModels`: a backend of which only some models may be used."""

from collections.abc import Iterable
from dataclasses import replace
from typing import override

from ..protocol.errors import MethodNotAllowedError, NotFoundError
from ..protocol.models import ModelInfo
from ..protocol.request import Request
from ..protocol.status import Health, ProviderStatus
from .base import Answer, Backend, BackendInfo


class AllowedModels(Backend):
    """Another backend with an owner's list of models: what is not on it is neither shown nor served."""

    def __init__(self, backend: Backend, allowed: Iterable[str]) -> None:
        """`allowed` are the models' ids, in the order to be preferred."""
        self._backend = backend
        self._allowed = tuple(dict.fromkeys(allowed))

    @override
    def __repr__(self) -> str:
        """The backend, and how many models it may serve."""
        return f"<AllowedModels {len(self._allowed)} of {self._backend!r}>"

    @property
    @override
    def info(self) -> BackendInfo:
        info = self._backend.info
        return replace(info, announced_models=tuple(model for model in info.announced_models if model in self._allowed))

    @override
    async def health(self) -> Health:
        return await self._backend.health()

    @override
    async def models(self) -> tuple[ModelInfo, ...]:
        """Those that are allowed and there; of a server that lists none, all that are allowed."""
        try:
            listed = await self._backend.models()
        except NotFoundError, MethodNotAllowedError:
            listed = ()
        if not listed:
            return tuple(map(ModelInfo, self._allowed))
        by_id = {model.id: model for model in listed}
        return tuple(by_id[model] for model in self._allowed if model in by_id)

    @override
    async def status(self) -> ProviderStatus | None:
        return await self._backend.status()

    @override
    async def send(self, request: Request) -> Answer:
        if request.model not in self._allowed:  # asked for before its list was known
            message = f"{self.info.name} does not serve {request.model} here."
            raise NotFoundError(message, code="model_not_found", param="model")
        return await self._backend.send(request)

    @override
    async def close(self) -> None:
        await self._backend.close()
