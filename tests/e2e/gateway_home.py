"""A real Home Assistant with a gateway over fakes of OpenAI and Ollama, for all tests of a module.

It runs on the tester's own host, because the fakes listen on that host's 127.0.0.1 only. A module that uses it has to run in one
event loop: `pytestmark = pytest.mark.asyncio(loop_scope="module")`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from devhome.client import HomeClient, eventually
from devhome.gateway import Gateway, add_backend, add_gateway, is_taken
from devhome.home import Home
from devhome.namespaces import Lan
from tests.support.clouds.ollama import FakeOllama
from tests.support.clouds.openai import FakeOpenAI
from tests.support.clouds.server import Reply

from .sdks import CHAT_MODEL, VISION_MODEL, Address

OWN_PORT = 11434
HELLO = Reply("Hello there, this is the house.")


@dataclass(frozen=True)
class GatewayHome:
    """The home, its gateway, and the fakes of the gateway's backends."""

    home: Home
    client: HomeClient
    gateway: Gateway
    openai: FakeOpenAI
    ollama: FakeOllama

    @property
    def address(self) -> Address:
        """The gateway's URLs and key for clients."""
        return Address(self.home.url, self.home.url.replace(str(self.home.port), str(OWN_PORT)), self.gateway.key)

    @property
    def headers(self) -> dict[str, str]:
        """The Authorization header."""
        return {"Authorization": f"Bearer {self.gateway.key}"}


async def until_served(gateway: Gateway, *models: str, seconds: float = 10) -> None:
    """Wait until the gateway serves these models: the models of a new backend are loaded first."""

    async def look() -> bool:
        headers = {"Authorization": f"Bearer {gateway.key}"}
        async with aiohttp.ClientSession(headers=headers) as session, session.get(f"{gateway.base_url}/models") as response:
            return {model["id"] for model in (await response.json())["data"]}.issuperset(models)

    await eventually(look, timeout=seconds)


@asynccontextmanager
async def gateway_home(lan: Lan, folder: Path, **details: Any) -> AsyncIterator[GatewayHome]:
    """A running home with its gateway; `details`: fields of the form of the OpenAI backend."""
    home = Home(folder / "config", host=lan.host("tester"))
    try:
        await home.start()
        async with home.client() as client, FakeOpenAI(HELLO) as openai, FakeOllama(HELLO) as ollama:
            gateway = await add_gateway(client, own_port=OWN_PORT)
            if not await is_taken(gateway):
                raise home.process.failure("has no gateway that answers")
            connection = {"base_url": openai.base_url, "api_key": openai.key}
            await add_backend(client, gateway.entry_id, "openai", connection, name="Cloud", **details)
            await add_backend(client, gateway.entry_id, "ollama", {"base_url": ollama.base_url}, name="Attic")
            await until_served(gateway, CHAT_MODEL, VISION_MODEL)
            yield GatewayHome(home, client, gateway, openai, ollama)
    finally:
        home.kill()
