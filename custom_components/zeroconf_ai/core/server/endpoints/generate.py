"""`POST /v1/chat/completions`, `/v1/completions` and `/v1/embeddings`, streaming and not."""

import asyncio
from contextlib import AsyncExitStack, suppress
import logging
import time

from aiohttp import web
import orjson

from ...engine import Caller, Source
from ...protocol import sse
from ...protocol.chunks import Chunk
from ...protocol.errors import ApiError
from ...protocol.request import Kind, Request
from ...routing.router import Reply
from ..dispatch import Call, header_text, internal_error
from ..gateway import Gateway

_LOGGER = logging.getLogger(__name__)

PING_SECONDS = 15.0
"""A stream that is silent for so long gets a comment: proxies give up on silent connections, mostly after 60 s."""


async def chat(gateway: Gateway, call: Call) -> web.StreamResponse:
    """OpenAI's chat completions."""
    return await _generate(gateway, call, Kind.CHAT)


async def completions(gateway: Gateway, call: Call) -> web.StreamResponse:
    """OpenAI's legacy completions."""
    return await _generate(gateway, call, Kind.COMPLETION)


async def embeddings(gateway: Gateway, call: Call) -> web.StreamResponse:
    """OpenAI's embeddings, which know no streams."""
    return await _generate(gateway, call, Kind.EMBEDDINGS)


async def _generate(gateway: Gateway, call: Call, kind: Kind) -> web.StreamResponse:
    started = time.monotonic()
    caller = Caller(Source.HTTP, call.http.remote or "")
    async with AsyncExitStack() as stack:
        async with gateway.interruptible():
            raw = await call.read(gateway.max_body_bytes)
            request = Request.parse(kind, raw, request_id=call.id, via=call.via)
            # The first token, or the whole answer, is there when this returns: until then a failure is still a plain error.
            reply = await stack.enter_async_context(gateway.engine.run(request, caller))
        stack.callback(lambda: gateway.statistics.count(reply.usage, time.monotonic() - started))
        headers = {
            "X-ZeroconfAI-Provider": header_text(reply.backend_name),
            "X-ZeroconfAI-Model": header_text(reply.model),
            "X-ZeroconfAI-Attempts": str(len(reply.attempts)),
        }
        if not request.stream:
            return call.json(reply.body, headers=headers)
        return await _relay(gateway, call, request, reply, headers)


async def _relay(gateway: Gateway, call: Call, request: Request, reply: Reply, headers: dict[str, str]) -> web.StreamResponse:
    """Pass the stream on: one write for each batch. A failure is its last event, and then it ends without `[DONE]`."""
    response = web.StreamResponse(
        headers={"X-Request-ID": call.id, "Cache-Control": "no-cache", "X-Accel-Buffering": "no", **headers}
    )
    response.content_type = "text/event-stream"
    response.charset = "utf-8"
    await response.prepare(call.http)
    wants_usage = (request.body.get("stream_options") or {}).get("include_usage") is True
    pulse = asyncio.create_task(_pulse(response), name=f"zeroconf_ai pulse {call.id}")
    end = sse.DONE
    try:
        async with gateway.interruptible():
            async for batch in reply.batches():
                events = [sse.encode(chunk.raw) for chunk in batch if wants_usage or not _only_usage(chunk)]
                if events:
                    await response.write(b"".join(events))
    except ApiError as err:
        end = sse.encode(orjson.dumps(err.to_json()))
    except ConnectionResetError:
        raise
    except Exception:
        _LOGGER.exception("The stream of request %s failed", call.id)
        end = sse.encode(orjson.dumps(internal_error(call.id).to_json()))
    finally:
        pulse.cancel()
        with suppress(asyncio.CancelledError):
            await pulse
    await response.write(end)
    await response.write_eof()
    return response


def _only_usage(chunk: Chunk) -> bool:
    """Whether a chunk says nothing but the usage, which the engine always asks for and this client did not."""
    return chunk.usage is not None and not chunk.data.get("choices")


async def _pulse(response: web.StreamResponse) -> None:
    """Write a comment every now and then, until cancelled."""
    with suppress(ConnectionResetError):
        while True:
            await asyncio.sleep(PING_SECONDS)
            await response.write(sse.PING)
