"""Sends a client's request to the engine and writes the answer, complete or streamed, in any dialect."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
import logging

from aiohttp import web

from ..dialects.base import ParsedRequest, ResponseWriter
from ..dialects.dropped_tools import dropped_names
from ..protocol.errors import ApiError
from ..protocol.request import Kind, Request
from ..routing.execution.reply import Reply
from ..routing.execution.sessions import session_key
from .dispatch import RequestContext, header_text, internal_error
from .gateway import Gateway
from .tool_requests import kept_at_home, open_house, wants_house_tools
from .tool_rounds import RoundsReply, run_rounds

_LOGGER = logging.getLogger(__name__)

PING_SECONDS = 15.0
"""Seconds of silence after which a stream is pinged: proxies close silent connections, mostly after 60 s."""


async def answer(
    gateway: Gateway,
    context: RequestContext,
    parse: Callable[[RequestContext, bytes], ParsedRequest],
    *,
    raw: bytes | None = None,
) -> web.StreamResponse:
    """The answer to a request that `parse` reads from the body (`raw`, if it was read already).

    Raises an ApiError before the first token.
    """
    async with gateway.interruptible() as block:
        parsed = parse(context, await context.read(gateway.max_body_bytes) if raw is None else raw)
        request, dropped = parsed.request, parsed.dropped_tools
        if request.kind is Kind.CHAT:
            named = context.http.headers.get("X-Session-ID")
            request = request.with_meta(session=session_key(named, request.body, context.caller.key_id))
            request = kept_at_home(gateway, context, request, parsed.house_calls)
        async with AsyncExitStack() as stack:
            answer: Reply | RoundsReply
            if wants_house_tools(context) or parsed.house is not None:
                if request.hosted is not None:  # a backend answers them in its own dialect, in one round
                    dropped = dropped_names((*dropped, *request.hosted.names))
                    request = request.with_meta(hosted=None)
                request, house = await open_house(gateway, context, request, parsed.house)
                answer = await stack.enter_async_context(run_rounds(gateway.engine, request, context.caller, house))
                reply = answer.first
            else:
                answer = reply = await stack.enter_async_context(gateway.engine.run(request, context.caller))
            # The first token, or the complete answer, has arrived: a failure before it was an error response.
            block.exempt()
            make_writer = parsed.native_writer if reply.native else None
            writer = (make_writer or parsed.writer)(reply.model)
            if request.hosted is not None and not reply.passes_hosted:
                dropped = dropped_names((*dropped, *request.hosted.names))
            writer.dropped_tools = dropped
            return await _respond(gateway, context, request, reply, answer, writer)


async def _respond(
    gateway: Gateway,
    context: RequestContext,
    request: Request,
    reply: Reply,
    answer: Reply | RoundsReply,
    writer: ResponseWriter,
) -> web.StreamResponse:
    """Write the `answer`, which is `reply`, or the answer of all rounds, of which `reply` is the first."""
    headers = {
        "X-ZeroconfAI-Provider": header_text(reply.backend_name),
        "X-ZeroconfAI-Model": header_text(reply.model),
        "X-ZeroconfAI-Attempts": str(len(reply.attempts)),
        "X-Generation-ID": context.id,
        **reply.headers,
    }
    if writer.dropped_tools:
        headers["X-ZeroconfAI-Dropped-Tools"] = header_text(", ".join(writer.dropped_tools))
    if (moved := reply.handover) is not None:
        origin, target = header_text(moved.origin), header_text(moved.target)
        headers["X-ZeroconfAI-Session"] = f'migrated; from="{origin}"; to="{target}"; summarized={moved.summarized}'
    reply.answer_id = writer.answer_id(reply.answer_id)
    writer.provider = reply.backend_name
    writer.provider_in_each = gateway.provider_in_chunks
    writer.used = lambda: answer.used
    if not request.stream:
        if isinstance(answer, RoundsReply):
            writer.add_items(answer.take_items())
        return context.json(writer.body(answer.completion), headers=headers)
    return await _stream(gateway, context, answer, writer, headers)


async def _stream(
    gateway: Gateway, context: RequestContext, answer: Reply | RoundsReply, writer: ResponseWriter, headers: dict[str, str]
) -> web.StreamResponse:
    """Forward the stream, with one write for each batch. A failure ends it with the dialect's error event."""
    response = web.StreamResponse(headers={**context.headers, "Cache-Control": "no-cache", "X-Accel-Buffering": "no", **headers})
    response.content_type = writer.content_type
    response.charset = "utf-8"
    await response.prepare(context.http)
    pulse = Pulse(response, writer.ping)
    try:
        async with gateway.interruptible():
            async for batch in answer.batches():
                if isinstance(answer, RoundsReply) and (items := answer.take_items()):
                    await response.write(writer.add_items(items))
                    pulse.wrote()
                if batch and (events := writer.events(batch)):
                    await response.write(events)
                    pulse.wrote()
        end = writer.end()
    except ApiError as err:
        end = writer.failure(err)
    except ConnectionResetError:
        raise
    except Exception:
        _LOGGER.exception("The stream of request %s failed", context.id)
        end = writer.failure(internal_error(context.id))
    finally:
        await pulse.stop()
    await response.write(end)
    await response.write_eof()
    return response


class Pulse:
    """Pings a stream whenever it was silent for PING_SECONDS, with one timer, and a task only to write."""

    def __init__(self, response: web.StreamResponse, ping: bytes) -> None:
        """Starts at once; `stop` must be called."""
        self._response = response
        self._ping = ping
        self._loop = asyncio.get_running_loop()
        self._wrote_at = self._loop.time()
        self._writing: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(PING_SECONDS, self._check)

    def wrote(self) -> None:
        """Reset the timer: data was written."""
        self._wrote_at = self._loop.time()

    async def stop(self) -> None:
        """Stop, and wait until a running write has ended."""
        self._timer.cancel()
        if self._writing is not None:
            self._writing.cancel()
            with suppress(asyncio.CancelledError):
                await self._writing

    def _check(self) -> None:
        now = self._loop.time()
        if now - self._wrote_at >= PING_SECONDS:
            self._wrote_at = now
            if self._writing is None or self._writing.done():
                self._writing = self._loop.create_task(self._write())
        self._timer = self._loop.call_at(self._wrote_at + PING_SECONDS, self._check)

    async def _write(self) -> None:
        with suppress(ConnectionResetError):
            await self._response.write(self._ping)
