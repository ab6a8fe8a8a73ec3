"""Health checks: whether a backend answers, what it serves and how busy it is. They cost nothing and do not delay each other."""

import asyncio
from dataclasses import dataclass
import time

from ...protocol.errors import ApiError, AuthenticationError, UnavailableError, UpstreamError
from ...protocol.models import ModelInfo
from ...protocol.status import Health, ProviderStatus
from .member import Member
from .pool import Pool

MODELS_SECONDS = 300.0
"""A model list is read again after this time, when the provider advertises other models, and when it is back online."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The answers of a healthy backend."""

    health: Health
    models: tuple[ModelInfo, ...]
    status: ProviderStatus | None
    latency: float
    """Seconds that the health check took."""


class HealthChecker:
    """Checks members and writes the results into the pool. Concurrent checks of one member share one check."""

    def __init__(self, pool: Pool) -> None:
        """`pool` gets the results."""
        self._pool = pool
        self._running: dict[str, asyncio.Task[None]] = {}
        self._models_at: dict[str, float] = {}

    async def check(self, member: Member, *, models: bool = False) -> None:
        """Check one member now; `models` reads its models even if they are fresh. A failed check raises nothing."""
        if models:
            if (running := self._running.get(member.id)) is not None:
                await asyncio.wait([running])  # it may have read the models already
            self.forget_models(member)
        task = self.start(member)
        await asyncio.wait([task])  # cancelling one caller does not cancel the check of other callers
        if not task.cancelled():
            task.result()

    def start(self, member: Member) -> asyncio.Task[None]:
        """Start a check of one member without waiting for it; a check that is already running is returned instead."""
        task = self._running.get(member.id)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._check(member), name=f"zeroconf_ai health {member.id}")
            self._running[member.id] = task
            task.add_done_callback(lambda _: self._running.pop(member.id, None))
        return task

    def record(self, member: Member, result: CheckResult) -> None:
        """Record the result of a check that the caller has made just now."""
        self._record_models(member, result.models)
        member.status = result.status
        member.update_slots()
        member.health = result.health
        self._pool.record_success(member, latency=result.latency)

    def notify_state(self, member: Member) -> None:
        """Notify the listeners that what a member prepares has changed."""
        self._pool.notify_state(member.id)

    def forget_models(self, member: Member) -> None:
        """Read its models at the next check."""
        self._models_at.pop(member.id, None)

    async def close(self, backend_id: str | None = None) -> None:
        """Cancel the checks of one member, or of all."""
        tasks = [task for key, task in self._running.items() if backend_id in (None, key)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if backend_id is not None:
            self._models_at.pop(backend_id, None)

    async def _check(self, member: Member) -> None:
        begun, started = time.monotonic(), time.perf_counter()
        was_online = member.online and member.known
        try:
            health = await member.backend.health()
        except UnavailableError as err:  # a 503 of the health endpoint means that the backend cannot serve, not that it is busy
            self._pool.record_failure(member, err.as_type(UpstreamError, err.message))
            return
        except ApiError as err:
            self._pool.record_failure(member, err)
            return
        latency = time.perf_counter() - started
        stale = time.monotonic() - self._models_at.get(member.id, -MODELS_SECONDS) >= MODELS_SECONDS
        if stale or not was_online:
            try:
                self._record_models(member, await member.backend.models())
                member.leaves_home = await member.backend.leaves_home()
            except ApiError as err:
                self._pool.record_failure(member, err)
                return
        try:
            member.status = await member.backend.status()
            member.update_slots()
        except AuthenticationError as err:
            self._pool.record_failure(member, err)
            return
        except ApiError as err:
            member.record_error(err)
        if member.left_at > begun:
            return  # it withdrew its advertisement during the check
        member.health = health
        self._pool.record_success(member, latency=latency)

    def _record_models(self, member: Member, models: tuple[ModelInfo, ...]) -> None:
        """Without this gateway's own models: two gateways would otherwise keep listing each other's after they are gone."""
        member.models = tuple(model for model in models if self._pool.own_id not in model.via)
        member.lists_models = member.backend.lists_models
        self._models_at[member.id] = time.monotonic()
