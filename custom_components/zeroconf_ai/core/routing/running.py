"""The requests in progress."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
import time

from ..protocol.request import Request
from .caller import Caller


@dataclass(slots=True, eq=False)
class RunningRequest:
    """A request from its admission to its end. `started` is `time.time()` of its arrival."""

    request: Request
    caller: Caller
    started: float = field(default_factory=time.time)
    backend_id: str | None = None
    """The backend that is tried or answers; None while the request waits."""
    model: str | None = None
    """The model that is tried or answers."""


class RunningRequests:
    """The requests in progress, in the order of their arrival."""

    def __init__(self) -> None:
        """Starts empty."""
        self._running: dict[RunningRequest, None] = {}
        self._none: asyncio.Event | None = None
        """Set when no request is in progress; None while no task waits for this."""

    def __len__(self) -> int:
        """Their number."""
        return len(self._running)

    def __iter__(self) -> Iterator[RunningRequest]:
        """A copy of them, oldest first."""
        return iter(tuple(self._running))

    def begin(self, request: Request, caller: Caller, started: float) -> RunningRequest:
        """Add a request; `end` removes it."""
        running = RunningRequest(request, caller, started)
        self._running[running] = None
        return running

    def end(self, running: RunningRequest) -> None:
        """Remove a request."""
        self._running.pop(running, None)
        if self._none is not None and not self._running:
            self._none.set()

    async def wait_for_none(self) -> None:
        """Wait until no request is in progress."""
        while self._running:
            self._none = asyncio.Event()
            await self._none.wait()
