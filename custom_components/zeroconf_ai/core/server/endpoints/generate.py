"""`POST /v1/chat/completions`, `/v1/completions` and `/v1/embeddings`, streaming and not."""

from aiohttp import web

from ...dialects.base import ParsedRequest
from ...dialects.openai.client_response import OpenAIWriter
from ...protocol.request import Kind, Request
from ..dispatch import RequestContext
from ..gateway import Gateway
from ..response_writer import answer


async def chat(gateway: Gateway, call: RequestContext) -> web.StreamResponse:
    """OpenAI's chat completions."""
    return await _generate(gateway, call, Kind.CHAT)


async def completions(gateway: Gateway, call: RequestContext) -> web.StreamResponse:
    """OpenAI's legacy completions."""
    return await _generate(gateway, call, Kind.COMPLETION)


async def embeddings(gateway: Gateway, call: RequestContext) -> web.StreamResponse:
    """OpenAI's embeddings, which know no streams."""
    return await _generate(gateway, call, Kind.EMBEDDINGS)


async def _generate(gateway: Gateway, call: RequestContext, kind: Kind) -> web.StreamResponse:
    def understand(raw: bytes) -> ParsedRequest:
        request = Request.parse(kind, raw, request_id=call.id, via=call.via)
        return ParsedRequest(request, lambda _: OpenAIWriter(request))

    return await answer(gateway, call, understand)
