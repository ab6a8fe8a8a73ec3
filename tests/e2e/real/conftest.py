"""Starts the servers of these tests on hosts of the LAN, and ends them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import tiny_gguf
import yaml

from devhome.namespaces import Lan
from devhome.process import ManagedProcess

from .servers import Gateway, LlamaServer

type StartLlama = Callable[..., Awaitable[LlamaServer]]
type StartGateway = Callable[..., Awaitable[Gateway]]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chat model that any machine can run."""
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    tiny_gguf.write(path)
    return path


@pytest.fixture
async def start_llama(lan: Lan, tmp_path: Path, tiny: Path, started: list[ManagedProcess]) -> AsyncIterator[StartLlama]:
    """`await start_llama("gpu")` starts a llama-server on a host; it is stopped with the test."""
    servers: list[LlamaServer] = []

    async def start(host: str = "gpu", *options: str, model: Path = tiny, alias: str = "tiny", status: int = 200) -> LlamaServer:
        server = LlamaServer(lan.host(host), model, tmp_path / f"llama-{host}.log", *options, alias=alias)
        servers.append(server)
        started.append(server.process)
        await server.start(status)
        return server

    yield start
    for server in servers:
        server.process.kill()


@pytest.fixture
async def start_gateway(lan: Lan, tmp_path: Path, started: list[ManagedProcess]) -> AsyncIterator[StartGateway]:
    """`await start_gateway({"id": …, "type": …}, …, routing=…)` serves these providers; it is stopped with the test.

    `sources=("--upstream", …)` serves these instead.
    """
    gateways: list[Gateway] = []

    async def start(
        *providers: dict[str, object], sources: tuple[str, ...] = (), host: str = "gateway", **more: object
    ) -> Gateway:
        if not sources:
            file = tmp_path / "providers.yaml"
            file.write_text(yaml.safe_dump({"providers": list(providers), **more}), encoding="utf-8")
            sources = ("--config", str(file))
        gateway = Gateway(lan.host(host), tmp_path, *sources)
        gateways.append(gateway)
        started.append(gateway.process)
        await gateway.start()
        return gateway

    yield start
    for gateway in gateways:
        assert await gateway.process.stop() == 0
