"""Wakes sleeping backends, and waits for backends that have just gone offline."""

import asyncio
import logging

from ...protocol.errors import UpstreamConnectionError
from ...protocol.status import ProviderState
from ..pool.health import HealthChecker
from ..pool.member import Member, Wake

_LOGGER = logging.getLogger(__name__)

KNOCK_SECONDS = 1.0
"""Pause between two checks whether a backend is online."""


class Waker:
    """Wakes members for requests. Concurrent requests share one attempt."""

    def __init__(self, checker: HealthChecker) -> None:
        """`checker` checks whether a member is online."""
        self._checker = checker
        self._waking: dict[str, asyncio.Task[None]] = {}

    async def wake(self, member: Member) -> None:
        """Wake a sleeping backend and wait for it, as long as its owner allows. Does nothing if it is online or cannot be woken.

        Raises UpstreamConnectionError if it does not come online.
        """
        wake = member.wake
        if wake is None or member.state is not ProviderState.OFFLINE:
            return
        waking = self._waking.get(member.id)
        if waking is None:
            waking = asyncio.create_task(self._wake_and_wait(member, wake), name=f"zeroconf_ai wake {member.id}")
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
        """Whether an unreachable backend is back within `seconds`."""
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
        """Cancel waking one member, or all."""
        tasks = [task for key, task in self._waking.items() if backend_id in (None, key)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _wake_and_wait(self, member: Member, wake: Wake) -> None:
        """Run the action, then check every second until the backend answers or the time is up."""
        preparation = member.preparations.begin()
        self._checker.notify_state(member)
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
        finally:
            member.preparations.end(preparation, measured=member.online)
            self._checker.notify_state(member)
