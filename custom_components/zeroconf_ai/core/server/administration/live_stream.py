"""Streams of Server-Sent Events to the page: the live state, and what happens in a conversation."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from aiohttp import web
import orjson

from ...protocol.errors import RateLimitError, UnavailableError
from ..gateway import Gateway
from ..response_writer import Pulse
from .sessions import Session

STREAM_LIMIT = 16
"""Open streams of a session: two for each tab of the browser that shows a conversation, else one."""
WAITING_LIMIT = 2000
"""Events that wait for a slow client, which then has to connect again: it begins with the present state."""
_PING = b": ping\n\n"
_END = b"event: end\ndata: {}\n\n"

type Follow = Callable[[Callable[[Any], None]], Awaitable[Callable[[], None]]]
"""Begins to send what happens to a function; returns the function that ends it."""


async def stream(
    gateway: Gateway,
    session: Session,
    request: web.Request,
    headers: Mapping[str, str],
    follow: Follow,
    *,
    newest_only: bool = False,
) -> web.StreamResponse:
    """Send what happens until the client leaves, the server stops, or the session ends, of which an event `end` tells.

    `newest_only`: an event replaces those before it, so that a slow client gets the newest one only. Raises RateLimitError for
    more streams than `STREAM_LIMIT`, and what `follow` raises.
    """
    if session.streams >= STREAM_LIMIT:
        raise RateLimitError("Too many tabs show this page. Close some.", code="too_many_streams", retry_after=60.0)
    response = web.StreamResponse(headers={**headers, "X-Accel-Buffering": "no"})
    response.content_type, response.charset = "text/event-stream", "utf-8"
    waiting: list[Any] = []
    wake, ended = asyncio.Event(), asyncio.Event()
    slow = False

    def happened(event: Any) -> None:
        nonlocal slow
        if newest_only:
            waiting.clear()
        slow = slow or len(waiting) >= WAITING_LIMIT
        if not slow:
            waiting.append(event)
        wake.set()

    def end() -> None:
        ended.set()
        wake.set()

    session.streams += 1
    session.listeners.append(end)
    close: Callable[[], None] | None = None
    try:
        close = await follow(happened)
        await response.prepare(request)
        pulse = Pulse(response, _PING)
        try:
            with suppress(UnavailableError):  # the server stops, and the browser connects again
                async with gateway.interruptible():
                    while not (ended.is_set() or slow):
                        await wake.wait()
                        wake.clear()
                        taken, waiting[:] = list(waiting), ()
                        if taken:
                            await response.write(b"".join(b"data: %b\n\n" % orjson.dumps(event) for event in taken))
                            pulse.wrote()
        finally:
            await pulse.stop()
        if ended.is_set():
            await response.write(_END)
        await response.write_eof()
    finally:
        if close is not None:
            close()
        session.listeners.remove(end)
        session.streams -= 1
    return response
