"""The gateway of a client, for programs that speak OpenAI's API: on the loopback interface, with a key of its own."""

import secrets
from typing import Self

from aiohttp import web

from ..engine import Engine
from ..server.access.auth import KeyCheck
from ..server.app import create_app, create_runner
from ..server.gateway import Gateway

_HOST = "127.0.0.1"


class OpenAIServer:
    """A gateway on a free port of this machine, which only who has its key can use."""

    def __init__(self, runner: web.AppRunner, key: str) -> None:
        """Made by `start`."""
        self._runner = runner
        self.key = key

    @classmethod
    async def start(cls, engine: Engine) -> Self:
        """Start it. Raises OSError if no port is free."""
        key = secrets.token_urlsafe(32)
        gateway = Gateway(engine, provider_id=f"client-{secrets.token_hex(8)}", name="Client", access=KeyCheck(key))
        runner = create_runner(create_app(gateway, drain_seconds=0.0))
        await runner.setup()
        await web.TCPSite(runner, _HOST, 0).start()
        return cls(runner, key)

    @property
    def base_url(self) -> str:
        """The base URL of OpenAI's API."""
        port: int = self._runner.addresses[0][1]
        return f"http://{_HOST}:{port}/v1"

    async def close(self) -> None:
        """Stop it."""
        await self._runner.cleanup()
