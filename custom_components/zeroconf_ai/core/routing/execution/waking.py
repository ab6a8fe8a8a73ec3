"""Waits for backends that are not there: wakes those that sleep, and knocks at those that have only just gone."""

import asyncio
import logging

from ...protocol.errors import UpstreamConnectionError
from ...protocol.status import ProviderState
from ..pool.health import HealthChecker
from ..pool.member import Member, Wake

_LOGGER = logging.getLogger(__name__)

KNOCK_SECONDS = 1.0
"""Pause between two looks at whether a backend is up."""


class Waker:
    """Wakes members for requests. Requests that come meanwhile share it."""

    def __init__(self, checker: HealthChecker) -> None:
        """`checker` tells who is up."""
        self._checker = checker
        self._waking: dict[str, asyncio.Task[None]] = {}

    async def wake(self, member: Member) -> None:
        """Wake a backend that sleeps, and wait as long as its owner allows. Does nothing for one that is up or cannot be woken.

        Raises UpstreamConnectionError where it does not come up.
        """
        wake = member.wake
        if wake is None or member.state is not ProviderState.OFFLINE:
            return
        waking = self._waking.get(member.id)
        if waking is None:
            waking = asyncio.create_task(self._rouse(member, wake), name=f"zeroconf_ai wake {member.id}")
            self._waking[member.id] = waking
            waking.add_done_callback(lambda _: self._waking.pop(member.id, None))
        online = asyncio.create_task(member.wait_online(wake.wait), name=f"zeroconf_ai awaits {member.id}")
        try:
            await asyncio.wait((online, waking), return_when=asyncio.FIRST_COMPLETED)
        finally:
            online.cancel()
        if not member.online:
            raise UpstreamConnectionError(f"{member.name} did not wake up within {wake.wait:g} s")

    async def comes_back(self, member: Member, seconds: float) -> bool:
        """Whether a check of a backend that could not be reached succeeds, within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self._checker.check(member)
                    if member.online and not member.failures:
                        return True
                    await asyncio.sleep(KNOCK_SECONDS)
        except TimeoutError:
            return False

    async def close(self, backend_id: str | None = None) -> None:
        """End the waking of one member, or of all."""
        tasks = [task for key, task in self._waking.items() if backend_id in (None, key)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _rouse(self, member: Member, wake: Wake) -> None:
        """Run the action, then knock every second until the backend answers or the wait is over."""
        try:
            await wake.run()
            async with asyncio.timeout(wake.wait):
                while not member.online:
                    await self._checker.check(member)
                    await asyncio.sleep(KNOCK_SECONDS)
        except TimeoutError:
            return
        except Exception:
            _LOGGER.exception("The action that wakes %s failed", member.name)
