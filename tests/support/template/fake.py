"""A fake of the template's API."""

from collections.abc import Iterator
import json
from typing import Any, override

from aiohttp import web

from ..clouds.server import FakeCloud, Handler, Refusal, Reply, pieces, reply_of

MODEL = "template-1"


class FakeTemplate(FakeCloud):
    """A server with the API of the template, which requires an API key."""

    content_type = "application/x-ndjson"

    @override
    def routes(self) -> dict[tuple[str, str], Handler]:
        return {("GET", "/v1/ready"): self.ready, ("GET", "/v1/models"): self.models, ("POST", "/v1/talk"): self.talk}

    @override
    def refusal(self, refused: Refusal) -> web.Response:
        return web.json_response({"error": refused.message}, status=refused.status, headers=dict(refused.headers))

    @override
    def broken(self) -> bytes:
        return b'{"error":"out of memory"}\n'

    async def ready(self, _: web.Request) -> web.Response:
        """Health."""
        return web.json_response({})

    async def models(self, _: web.Request) -> web.Response:
        """The models."""
        return web.json_response({"models": [MODEL]})

    async def talk(self, request: web.Request) -> web.StreamResponse:
        """Chat."""
        body = await request.json()
        outcome = self.outcome()
        if isinstance(outcome, Refusal):
            return self.refusal(outcome)
        reply, fault = reply_of(outcome)
        if body["stream"]:
            return await self.stream(request, _lines(reply), fault)
        answer = {"thought": reply.thought, "text": reply.text, "calls": _calls(reply), **_end(reply)}
        return await self.whole(request, answer, fault)


def _lines(reply: Reply) -> Iterator[bytes]:
    said = [{"thought": piece} for piece in pieces(reply.thought)] + [{"text": piece} for piece in pieces(reply.text)]
    for line in (*said, *({"call": call} for call in _calls(reply)), _end(reply)):
        yield json.dumps(line).encode() + b"\n"


def _calls(reply: Reply) -> list[dict[str, Any]]:
    return [{"id": call.id, "name": call.name, "input": call.arguments} for call in reply.calls]


def _end(reply: Reply) -> dict[str, Any]:
    tokens = {"in": reply.prompt_tokens, "out": reply.completion_tokens}
    return {"stop": reply.stop or ("call" if reply.calls else "end"), "tokens": tokens}
