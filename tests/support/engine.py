"""Runs requests through an engine."""

from zeroconf_ai.engine import Caller, Engine, Source
from zeroconf_ai.protocol.chunks import Delta
from zeroconf_ai.protocol.request import Request

CALLER = Caller(Source.HTTP)


async def complete(engine: Engine, request: Request, caller: Caller = CALLER) -> str:
    """Run a request to its end. Returns the JSON of the answer, or the text of a stream."""
    async with engine.run(request, caller) as reply:
        if not request.stream:
            return reply.body.decode()
        return "".join([Delta.parse(chunk.data).content async for chunk in reply.chunks()])
