"""Passes a request from one relay link on to another, as it is."""

import asyncio
from contextlib import suppress

from .frames import GOING_AWAY
from .link import Link
from .stream import LinkClosedError, RelayError, Stream, StreamResetError

_LOST = {"code": "provider_error", "type": "upstream_error", "message": "The connection to the connector was lost."}
_GOING_AWAY = {"code": GOING_AWAY, "message": "The connector is not connected here any more."}


async def pass_on(link: Link, stream: Stream, target: Link | None) -> None:
    """Answer a stream of `link` by a stream of `target`; None: the link is lost.

    Bytes are read no faster than the other side takes them. If `target` is lost before the response begins, the other side is
    told to send the request over another link. Raises RelayError if the stream itself is lost.
    """
    try:
        if target is None:
            raise LinkClosedError("the connector is not connected")
        onward = target.open_now(stream.request)
    except LinkClosedError:
        link.goaway()  # before the reset: otherwise the request comes again at once
        stream.reset(_GOING_AWAY)
        return
    except RelayError:
        stream.reset({"code": "too_many_streams", "message": "Too many requests are open."})
        return
    body = asyncio.create_task(_send_body(stream, onward))
    begun = False
    try:
        head = await onward.response()
        begun = True
        link.answer(stream, head.status, head.headers)
        async for part in onward:
            await stream.send(part)
        stream.end()
    except StreamResetError as err:
        stream.reset(err.error)
    except LinkClosedError:
        if not begun:
            link.goaway()
        stream.reset(_LOST if begun else _GOING_AWAY)
    finally:
        body.cancel()
        await asyncio.gather(body, return_exceptions=True)
        onward.reset()


async def _send_body(stream: Stream, onward: Stream) -> None:
    with suppress(RelayError):  # what reads the response learns of it
        async for part in stream:
            await onward.send(part)
        onward.end()
