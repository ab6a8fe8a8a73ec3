"""A guard that remembers whom it let in, and requests to it."""

from typing import Any, override

from aiohttp import web

from zeroconf_ai.engine import Caller
from zeroconf_ai.server.access.guard import Guard

from ....support.server import Served

DEMO = {"model": "demo-rules", "messages": [{"role": "user", "content": "Hello"}]}


class Watching(Guard):
    """A guard that remembers whom it let in."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.seen: list[Caller] = []

    @override
    async def admit(self, request: web.Request, scope: str) -> Caller:
        caller = await super().admit(request, scope)
        self.seen.append(caller)
        return caller


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def get_as(gateway: Served, **headers: str) -> tuple[int, str | None]:
    """(status, the error's code) of a GET with these headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    status, body, _ = await gateway.get("models", headers=named)
    return status, body.get("error", {}).get("code")
