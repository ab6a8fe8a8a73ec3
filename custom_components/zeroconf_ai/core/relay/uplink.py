"""`Uplink`: the house's way to one connector, over its link of the moment."""

import asyncio
from collections.abc import Callable
import logging

from .link import Link
from .stream import LinkClosedError

_LOGGER = logging.getLogger(__name__)

RECONNECT_SECONDS = 10.0
"""How long requests wait for a link that was lost: a connector comes back within seconds, or not soon."""


class Uplink:
    """The successive links of one connector. After the loss of a link, requests wait until it may no longer come back."""

    def __init__(self, connector_id: str) -> None:
        """There is no link yet."""
        self.id = connector_id
        self._link: Link | None = None
        self._lost_at: float | None = None
        self._loop = asyncio.get_running_loop()
        self._waiting: list[asyncio.Future[Link]] = []
        self._listeners: list[Callable[[], None]] = []
        self._gone: asyncio.TimerHandle | None = None

    @property
    def link(self) -> Link | None:
        """The link that takes requests now."""
        link = self._link
        return None if link is None or link.draining or link.closed else link

    @property
    def connected(self) -> bool:
        """Whether it takes requests, or was lost so recently that they wait for it."""
        return self.link is not None or self._may_return() > 0

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when the connector connects or disconnects. Returns the function that unsubscribes."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    async def attach(self, link: Link) -> None:
        """Use a new link. A former one is closed: its connection is dead, or another machine uses the same key.

        A former link that takes no new requests, because the connector is being restarted, ends by itself after its last one.
        """
        former, self._link = self._link, link
        self._lost_at = None
        if self._gone is not None:
            self._gone.cancel()
            self._gone = None
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(link)
        self._notify()
        if former is not None and not former.draining:
            await former.close("the connector opened a new link")

    def lose(self, link: Link) -> None:
        """A link takes no new requests: it was closed, or its connector stops."""
        if self._link is not link or self._lost_at is not None:
            return
        self._lost_at = self._loop.time()
        self._gone = self._loop.call_later(RECONNECT_SECONDS, self._give_up)

    async def wait(self, seconds: float | None = None) -> Link:
        """The link, which may be on its way. `seconds`: how long to wait at most. Raises LinkClosedError."""
        if (link := self.link) is not None:
            return link
        left = self._may_return()
        if left <= 0:
            raise LinkClosedError("the connector is not connected")
        future: asyncio.Future[Link] = self._loop.create_future()
        self._waiting.append(future)
        try:
            async with asyncio.timeout(left if seconds is None else min(left, seconds)):
                return await future
        except TimeoutError:
            raise LinkClosedError("the connector is not connected") from None
        finally:
            if future in self._waiting:
                self._waiting.remove(future)

    async def close(self, reason: str) -> None:
        """Close the link for good."""
        link, self._link = self._link, None
        if self._gone is not None:
            self._gone.cancel()
        self._lost_at = None
        for future in self._waiting:
            if not future.done():
                future.set_exception(LinkClosedError(reason))
        if link is not None:
            await link.close(reason)
        self._notify()

    def _may_return(self) -> float:
        """Seconds for which requests still wait for the link."""
        if self._link is not None and self._link.draining:
            self.lose(self._link)  # its draining was not noticed before
        return 0.0 if self._lost_at is None else self._lost_at + RECONNECT_SECONDS - self._loop.time()

    def _give_up(self) -> None:
        self._gone = self._link = self._lost_at = None
        self._notify()

    def _notify(self) -> None:
        for callback in tuple(self._listeners):
            try:
                callback()
            except Exception:
                _LOGGER.exception("A listener of the relay failed")
