"""Asks a backend how it is, what it serves and how busy it is. Never at a cost, never delaying another backend's answer."""

import asyncio
import time

from ...protocol.errors import ApiError, AuthenticationError, UnavailableError, UpstreamError
from .pool import Member, Pool

MODELS_SECONDS = 300.0
"""A models list is asked for again after so long, and whenever the provider announces another one or comes back."""


class HealthChecker:
    """Keeps the pool's picture of each member true. One check at a time for each member: who comes second shares it."""

    def __init__(self, pool: Pool) -> None:
        """`pool` holds what is found."""
        self._pool = pool
        self._running: dict[str, asyncio.Task[None]] = {}
        self._models_at: dict[str, float] = {}

    async def check(self, member: Member, *, models: bool = False) -> None:
        """Check one member now; `models` asks for its models even where they are fresh. Never raises for its failures."""
        if models:
            if (running := self._running.get(member.id)) is not None:
                await asyncio.wait([running])  # it may be past the models
            self.forget_models(member)
        task = self._running.get(member.id)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._check(member), name=f"zeroconf_ai health {member.id}")
            self._running[member.id] = task
            task.add_done_callback(lambda _: self._running.pop(member.id, None))
        await asyncio.wait([task])  # cancelling one who waits leaves the check to the others
        if not task.cancelled():
            task.result()

    def forget_models(self, member: Member) -> None:
        """Ask for its models at the next check."""
        self._models_at.pop(member.id, None)

    async def close(self, backend_id: str | None = None) -> None:
        """End the checks of one member, or of all."""
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
        except UnavailableError as err:  # a 503 of this path is no full queue: it says that it cannot serve
            self._pool.record_failure(member, err.as_type(UpstreamError, err.message))
            return
        except ApiError as err:
            self._pool.record_failure(member, err)
            return
        latency = time.perf_counter() - started
        stale = time.monotonic() - self._models_at.get(member.id, -MODELS_SECONDS) >= MODELS_SECONDS
        if stale or not was_online:
            try:
                own_id = self._pool.own_id  # what another gateway has from this one would keep itself alive between the two
                member.models = tuple(model for model in await member.backend.models() if own_id not in model.via)
                self._models_at[member.id] = time.monotonic()
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
            member.last_error, member.last_reason = err.log_text, err.message
        if member.left_at > begun:
            return  # it answered while it was going
        member.health = health
        self._pool.record_success(member, latency=latency)
