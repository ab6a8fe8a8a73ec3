"""`GET /admin/api/live`: the live state as Server-Sent Events, now and after each change, at most twice a second."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from aiohttp import web
import orjson

from ...accounting.usage.totals import Totals
from ...admin.live import Live, LiveFeed, live
from ...admin.names import Names
from ...protocol.errors import RateLimitError, UnavailableError
from ..gateway import Gateway
from ..response_writer import Pulse
from .sessions import Session

STREAM_LIMIT = 8
"""Open streams of a session: one for each tab of the browser."""
_PING = b": ping\n\n"
_END = b"event: end\ndata: {}\n\n"


async def stream(
    gateway: Gateway, totals: Totals | None, names: Names, session: Session, request: web.Request, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Send the live state until the client leaves, the server stops, or the session ends, of which an event `end` tells.

    Raises RateLimitError for more streams than `STREAM_LIMIT`.
    """
    if session.streams >= STREAM_LIMIT:
        raise RateLimitError("Too many tabs show this page. Close some.", code="too_many_streams", retry_after=60.0)
    response = web.StreamResponse(headers={**headers, "X-Accel-Buffering": "no"})
    response.content_type, response.charset = "text/event-stream", "utf-8"
    newest: list[Live] = []
    """At most one: a slow client gets the newest state, not all of them."""
    wake, ended = asyncio.Event(), asyncio.Event()

    def changed(state: Live) -> None:
        newest[:] = [state]
        wake.set()

    def end() -> None:
        ended.set()
        wake.set()

    feed = LiveFeed(gateway.engine, lambda: live(gateway.engine, totals, names), changed)
    session.streams += 1
    session.listeners.append(end)
    try:
        await response.prepare(request)
        pulse = Pulse(response, _PING)
        try:
            await feed.attach()
            feed.start()
            with suppress(UnavailableError):  # the server stops, and the browser connects again
                async with gateway.interruptible():
                    while not ended.is_set():
                        await wake.wait()
                        wake.clear()
                        if newest:
                            await response.write(b"data: %b\n\n" % orjson.dumps(newest.pop()))
                            pulse.wrote()
        finally:
            await pulse.stop()
        if ended.is_set():
            await response.write(_END)
        await response.write_eof()
    finally:
        feed.close()
        session.listeners.remove(end)
        session.streams -= 1
    return response
