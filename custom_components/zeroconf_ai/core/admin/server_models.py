"""`ServerModels`: lists, loads, unloads, downloads and deletes the models of servers, for administrators."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypedDict

from ..accounting.audit import Audit
from ..backends.model_control import HeldModel, ModelAction, ModelControl, PullProgress, checked_model
from ..engine import Engine
from ..protocol.errors import ApiError, InvalidRequestError, NotFoundError
from ..routing.pool.member import Member

MAX_PULLS = 4
"""Maximum number of downloads at the same time."""
_MAX_ENDED = 16
"""Maximum number of ended downloads in the list."""


class ServerModel(TypedDict):
    """An installed model. Sizes in bytes."""

    name: str
    size: int | None
    loaded: bool
    memory: int | None
    until: str | None


class Pull(TypedDict):
    """A download. `state`: "running", "done", "cancelled" or "failed", for the reason in `error`. Sizes in bytes."""

    model: str
    state: str
    status: str
    completed: int | None
    total: int | None
    error: str | None


class ModelServer(TypedDict):
    """A server whose models can be controlled. `can`: names of `ModelAction`; `error`: why its models are not listed."""

    backend_id: str
    name: str
    can: list[str]
    models: list[ServerModel]
    pulls: Sequence[Pull]
    error: str | None


@dataclass(slots=True)
class _Pull:
    model: str
    task: asyncio.Task[None]
    state: str = "running"
    progress: PullProgress = PullProgress("")  # noqa: RUF009 - it is frozen
    error: ApiError | None = None

    def ended(self, task: asyncio.Task[None]) -> None:
        """Note that the download was cancelled, perhaps before it began."""
        if task.cancelled():
            self.state = "cancelled"


class ServerModels:
    """Controls the models of an engine's backends. Downloads run until they end, are cancelled, or `close`."""

    def __init__(self, engine: Engine, audit: Callable[[], Audit | None] | None = None) -> None:
        """No download runs yet. `audit` returns the log in which changes are recorded, or None while the database is not open."""
        self._engine = engine
        self._audit = audit
        self._pulls: dict[tuple[str, str], _Pull] = {}

    async def list(self) -> list[ModelServer]:
        """All servers with an API to control models, and their models."""
        return list(await asyncio.gather(*(self.describe(member.id) for member in self._engine.pool if _control(member))))

    async def describe(self, backend_id: str) -> ModelServer:
        """One server and its models. Raises an ApiError if there is no such server."""
        member, control = self._find(backend_id)
        error: str | None = None
        models: tuple[HeldModel, ...] = ()
        try:
            models = await control.models()
        except ApiError as err:
            error = err.message
        return {
            "backend_id": backend_id,
            "name": member.name,
            "can": sorted(action.value for action in control.can),
            "models": [_model(model) for model in models],
            "pulls": self.pulls(backend_id),
            "error": error,
        }

    def pulls(self, backend_id: str) -> Sequence[Pull]:
        """The running and ended downloads of a server, the newest last."""
        return [_describe(pull) for (of, _), pull in self._pulls.items() if of == backend_id]

    async def load(self, backend_id: str, model: str, keep_alive: str | float | None = None, *, actor: str = "") -> None:
        """Load a model; `keep_alive`: how long it stays loaded. `actor`: as in `AuditEvent`. Raises an ApiError."""
        member, control = self._find(backend_id, ModelAction.LOAD)
        if keep_alive is not None and ModelAction.KEEP_ALIVE not in control.can:
            raise InvalidRequestError(
                "This server decides itself how long it holds a model.", param="keep_alive", code="not_offered"
            )
        await control.load(model, keep_alive)
        self._record(actor, "model.load", backend_id, model)
        await self._refresh(member)

    async def unload(self, backend_id: str, model: str, *, actor: str = "") -> None:
        """Unload a model. Raises an ApiError."""
        member, control = self._find(backend_id, ModelAction.UNLOAD)
        await control.unload(model)
        self._record(actor, "model.unload", backend_id, model)
        await self._refresh(member)

    async def delete(self, backend_id: str, model: str, *, actor: str = "") -> None:
        """Delete a model from the server's disk. Raises an ApiError."""
        member, control = self._find(backend_id, ModelAction.DELETE)
        await control.delete(model)
        self._record(actor, "model.delete", backend_id, model)
        await self._refresh(member)

    def start_pull(self, backend_id: str, model: str, *, actor: str = "") -> None:
        """Start a download, unless it is running already. Raises an ApiError if it cannot be started."""
        member, control = self._find(backend_id, ModelAction.PULL)
        name = checked_model(model)
        running = [key for key, pull in self._pulls.items() if pull.state == "running"]
        if (backend_id, name) in running:
            return
        if len(running) >= MAX_PULLS:
            raise InvalidRequestError(f"{MAX_PULLS} downloads are running. Wait for one of them.", code="too_many_pulls")
        ended = [key for key, pull in self._pulls.items() if pull.state != "running"]
        for key in (*ended[: max(len(ended) - _MAX_ENDED, 0)], (backend_id, name)):
            self._pulls.pop(key, None)
        task = asyncio.get_running_loop().create_task(
            self._run(member, control, backend_id, name), name=f"zeroconf_ai download {name}"
        )
        self._pulls[backend_id, name] = pull = _Pull(name, task)
        task.add_done_callback(pull.ended)
        self._record(actor, "model.pull", backend_id, name)

    async def pull(self, backend_id: str, model: str, *, actor: str = "") -> None:
        """Download a model; returns when it is installed. A cancelled caller cancels the download. Raises an ApiError."""
        self.start_pull(backend_id, model, actor=actor)
        pull = self._pulls[backend_id, checked_model(model)]
        try:
            await asyncio.wait([pull.task])
        except asyncio.CancelledError:
            pull.task.cancel()
            raise
        if pull.error is not None:
            raise pull.error
        if pull.state == "cancelled":
            raise InvalidRequestError("The download was cancelled.", code="cancelled")

    def cancel_pull(self, backend_id: str, model: str, *, actor: str = "") -> None:
        """Cancel a download. Raises NotFoundError if it is not running."""
        pull = self._pulls.get((backend_id, checked_model(model)))
        if pull is None or pull.state != "running":
            raise NotFoundError("This download is not running.", code="not_running")
        pull.task.cancel()
        self._record(actor, "model.cancel_pull", backend_id, pull.model)

    async def close(self) -> None:
        """Cancel all downloads."""
        tasks = [pull.task for pull in self._pulls.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, member: Member, control: ModelControl, backend_id: str, name: str) -> None:
        pull = self._pulls[backend_id, name]
        try:
            async for progress in control.pull(name):
                pull.progress = progress
        except ApiError as err:
            pull.state, pull.error = "failed", err
            return
        pull.state = "done"
        await self._refresh(member)

    def _record(self, actor: str, act: str, backend_id: str, model: str) -> None:
        """Record a change that the server has accepted. The subject is the backend's id and the model."""
        if self._audit is not None and (audit := self._audit()) is not None:
            audit.record(actor, act, f"{backend_id} {model}")

    async def _refresh(self, member: Member) -> None:
        """Refresh the server's list of models and its load."""
        await self._engine.checker.check(member, models=True)

    def _find(self, backend_id: str, action: ModelAction | None = None) -> tuple[Member, ModelControl]:
        member = self._engine.pool.get(backend_id)
        if member is None:
            raise NotFoundError("This provider does not exist.", code="provider_not_found")
        control = _control(member)
        if control is None or (action is not None and action not in control.can):
            raise InvalidRequestError(f"The API of {member.name} does not offer this.", code="not_offered")
        return member, control


def _control(member: Member) -> ModelControl | None:
    return member.backend.model_control


def _model(model: HeldModel) -> ServerModel:
    return {"name": model.name, "size": model.size, "loaded": model.loaded, "memory": model.memory, "until": model.until}


def _describe(pull: _Pull) -> Pull:
    return {
        "model": pull.model,
        "state": pull.state,
        "status": pull.progress.status,
        "completed": pull.progress.completed,
        "total": pull.progress.total,
        "error": None if pull.error is None else pull.error.message,
    }
