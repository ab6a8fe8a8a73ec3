"""A gateway for tests: the real server on 127.0.0.1, with backends that the test chooses."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC
import json
from typing import Any, override

import aiohttp
from aiohttp import web
from openai import AsyncOpenAI

from zeroconf_ai.accounting.usage.totals import Totals
from zeroconf_ai.backends.base import Backend, BackendInfo, Endpoint
from zeroconf_ai.backends.demo.backend import DemoBackend
from zeroconf_ai.backends.zeroconfai import ZeroconfAIBackend
from zeroconf_ai.engine import Engine
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.routing.caller import Caller
from zeroconf_ai.server.access.auth import KeyCheck
from zeroconf_ai.server.administration.administration import Administration
from zeroconf_ai.server.app import create_app, create_runner
from zeroconf_ai.server.enrolment.client_certificates import ClientCertificates
from zeroconf_ai.server.gateway import Gateway
from zeroconf_ai.server.tls.server_tls import ServerTls

from .fakes.chunks import delta
from .fakes.provider import FakeProvider
from .waiting import never_answer, pause_fake

KEY = "zai_an-example-key-of-these-tests"
CHAT = {"model": "test-model", "messages": [{"role": "user", "content": "Hello"}]}


@dataclass
class Served:
    """A running gateway and a client's session for it."""

    gateway: Gateway
    engine: Engine
    runner: web.AppRunner
    session: aiohttp.ClientSession
    port: int
    scheme: str = "http"

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"{self.scheme}://127.0.0.1:{self.port}/v1"

    @asynccontextmanager
    async def sdk(self, key: str = "unused") -> AsyncIterator[AsyncOpenAI]:
        """OpenAI's own client, without retries."""
        async with AsyncOpenAI(base_url=self.url, api_key=key, max_retries=0) as client:
            yield client

    async def get(self, path: str, **options: Any) -> tuple[int, Any, Any]:
        """Status, JSON and headers of a GET."""
        return await self.ask("GET", path, **options)

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any, Any]:
        """Status, body and headers of a request; the path counts from the base URL, or from the root with a slash.

        The body is parsed if it is JSON, and bytes otherwise.
        """
        url = f"{self.scheme}://127.0.0.1:{self.port}{path}" if path.startswith("/") else f"{self.url}/{path}"
        async with self.session.request(method, url, **options) as response:
            is_json = response.content_type == "application/json"
            return response.status, await (response.json() if is_json else response.read()), response.headers


class Granting(KeyCheck):
    """Everybody may use the gateway, with these hosted tools."""

    def __init__(self, *hosted_tools: str) -> None:
        """`hosted_tools`: values of `GRANTS`."""
        super().__init__(None)
        self._hosted_tools = hosted_tools

    @override
    async def admit(self, request: web.Request, scope: str) -> Caller:
        """The caller, with the hosted tools."""
        return replace(await super().admit(request, scope), hosted_tools=self._hosted_tools)


@asynccontextmanager
async def served(
    *backends: Backend,
    provider_id: str = "gateway-id",
    key: str | None = None,
    drain_seconds: float = 0.1,
    administration: Callable[[Gateway], Administration] | None = None,
    pages: Callable[[Gateway], Mapping[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]] | None = None,
    tls: ServerTls | None = None,
    certificates: Callable[[Gateway, ServerTls], ClientCertificates] | None = None,
    **options: Any,
) -> AsyncIterator[Served]:
    """A gateway with these backends (default: the demo backend without pauses), each with its models loaded.

    `administration` makes its page for administrators, `pages` its other ones, by their paths. `tls`: it speaks TLS with this
    certificate, which is made already. `certificates` makes its client certificates.
    """
    async with AsyncExitStack() as stack:
        engine = Engine(own_id=provider_id)
        stack.push_async_callback(engine.close)
        for backend in backends or (DemoBackend(word_seconds=0.0),):
            await engine.checker.check(engine.add(backend))
        totals = Totals(UTC)
        stack.callback(await engine.attach(Accounting(recorder=totals)))
        options = {"totals": None if "ledger" in options else totals, **options}
        gateway = Gateway(engine, provider_id=provider_id, **{"name": "Test gateway", "access": KeyCheck(key), **options})
        gateway.tls = tls
        certified = None
        if tls is not None and certificates is not None:
            made = certificates(gateway, tls)
            await made.start()
            stack.callback(made.close)
            gateway.enrolment = made.enrolment
            certified = made.connections
        runner = create_runner(
            create_app(
                gateway,
                drain_seconds=drain_seconds,
                administration=administration and administration(gateway),
                pages={} if pages is None else pages(gateway),
            ),
            tls=None if tls is None else tls.context,
            certified=certified,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Served(gateway, engine, runner, session, runner.addresses[0][1], "http" if tls is None else "https")


@asynccontextmanager
async def upstream(provider: FakeProvider, session: aiohttp.ClientSession) -> AsyncIterator[ZeroconfAIBackend]:
    """A backend of a provider that runs inside the block."""
    async with provider:
        yield ZeroconfAIBackend(session, BackendInfo(id=f"id-{provider.port}", name="Upstream"), Endpoint(provider.base_url))


async def events(response: aiohttp.ClientResponse) -> list[str]:
    """The payloads of a stream, to its end."""
    text = (await response.read()).decode()
    return [block.removeprefix("data: ") for block in text.split("\n\n") if block.startswith("data: ")]


class Endless:
    """A script that streams endlessly or never answers; `gone` is set when its client has disconnected."""

    def __init__(self, *, silent: bool = False) -> None:
        """`silent`: accept the request and never answer."""
        self.silent = silent
        self.begun = asyncio.Event()
        self.gone = asyncio.Event()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Answer."""
        await request.read()
        self.begun.set()
        try:
            if self.silent:
                await never_answer()
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            while True:
                await response.write(b"data: " + json.dumps(delta("word ")).encode() + b"\n\n")
                await pause_fake(0.02)
        finally:
            self.gone.set()
