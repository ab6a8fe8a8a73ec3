"""The programs of these tests, each as a process on a host of the LAN."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
import fcntl
import json
import os
from pathlib import Path
import signal
from typing import Any

import aiohttp
import yaml

from devhome import REPOSITORY
from devhome.client import eventually, status_of
from devhome.namespaces import Host
from devhome.process import ManagedProcess
from devhome.provider import COMMAND

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "zeroconf-ai"
LLAMA_SERVER = CACHE / "llama" / "usr" / "bin" / "llama-server"
MINILM = CACHE / "all-minilm-l6-v2.gguf"
"""Both are installed by scripts/setup."""
LITELLM = REPOSITORY / ".venv-litellm" / "bin" / "litellm"

SLOTS = 2
"""The number of requests that a llama-server processes at a time; others wait in its queue."""
KEY = "zai_example_key_of_the_gateway"
LITELLM_KEY = "sk-example-of-litellm"

HELLO: Any = [{"role": "user", "content": "Hello there"}]
LONG = {"messages": HELLO, "model": "tiny", "stream": True, "max_tokens": 30_000, "ignore_eos": True}
"""A stream that takes seconds."""


class LlamaServer:
    """llama.cpp's server on one core, with one model."""

    def __init__(self, host: Host, model: Path, log: Path, *options: str, alias: str = "tiny", port: int = 8080) -> None:
        """`alias`: the model's name."""
        self.url = f"http://{host.ipv4}:{port}"
        command = [
            *(str(LLAMA_SERVER), "--model", str(model), "--alias", alias, "--host", "0.0.0.0", "--port", str(port)),
            *("--parallel", str(SLOTS), "--threads", "1", "--threads-batch", "1", "--no-ui", "--offline", "--no-warmup"),
            *("--cache-ram", "0", *options),
        ]
        self.process = ManagedProcess(f"llama-server on {host.name}", command, log, host=host)

    async def start(self, status: int = 200) -> None:
        """Start it and wait until its health check answers with `status`."""
        self.process.start()

        async def answers() -> bool:
            return await status_of(f"{self.url}/health") == status

        await self.process.until(answers, 30)

    async def slots(self) -> list[bool]:
        """Whether each slot is processing a request."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/slots") as response:
            return [slot["is_processing"] for slot in await response.json()]

    async def is_idle(self, seconds: float = 5) -> None:
        """Wait until no slot is processing a request."""

        async def idle() -> bool:
            return not any(await self.slots())

        await eventually(idle, timeout=seconds)


def provider(server: LlamaServer, name: str = "gpu", **more: object) -> dict[str, object]:
    """The server as a provider of a configuration file."""
    return {"id": name, "name": name, "type": "llamacpp", "endpoint": server.url, "health": {"interval": 1}, **more}


@dataclass(frozen=True)
class Answered:
    """An answer that is not streamed."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def provider(self) -> str:
        """The name of the provider that answered."""
        return self.headers["X-ZeroconfAI-Provider"]


class Gateway:
    """`zeroconf-ai serve` with a key."""

    def __init__(self, host: Host, folder: Path, *sources: str, port: int = 8000) -> None:
        """`sources`: the options that select the served providers."""
        self.root = f"http://{host.ipv4}:{port}"
        self.url = f"{self.root}/v1"
        command = (
            *("env", f"XDG_STATE_HOME={folder}", str(COMMAND), "serve", *sources, "--no-advertise"),
            *("--port", str(port), "--key", KEY, "--id-file", str(folder / "id"), "--json"),
        )
        self.process = ManagedProcess("The gateway", command, folder / "gateway.log", host=host)

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        self.process.start()

        async def printed() -> bool:
            return any(line.startswith("{") for line in self.process.output().splitlines())

        await self.process.until(printed, 30)

    async def ask(self, body: Mapping[str, Any], path: str = "/chat/completions") -> Answered:
        """The answer to a POST."""
        async with post(self.url + path, body) as response:
            return Answered(response.status, response.headers, await response.json())

    async def get(self, path: str) -> Any:
        """The JSON at a path."""
        async with session() as client, client.get(self.url + path) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def models(self) -> dict[str, dict[str, Any]]:
        """The models by id, without model aliases."""
        return {model["id"]: model for model in (await self.get("/models"))["data"] if not model.get("virtual")}


class LiteLLM:
    """LiteLLM's proxy for models of other servers on the same host."""

    def __init__(self, host: Host, folder: Path, models: Sequence[Mapping[str, Any]], port: int = 4000) -> None:
        """`models`: its `model_list`. Its retries and cooldowns are off."""
        self.url = f"http://{host.ipv4}:{port}"
        folder.mkdir(parents=True, exist_ok=True)
        configuration = folder / "litellm.yaml"
        configuration.write_text(
            yaml.safe_dump(
                {
                    "model_list": list(models),
                    "litellm_settings": {"telemetry": False, "num_retries": 0},
                    "router_settings": {"num_retries": 0, "disable_cooldowns": True},
                }
            ),
            encoding="utf-8",
        )
        environment = ("LITELLM_LOG=ERROR", "LITELLM_LOCAL_MODEL_COST_MAP=True", f"LITELLM_MASTER_KEY={LITELLM_KEY}")
        command = ("env", *environment, str(LITELLM), "--config", str(configuration), "--host", "0.0.0.0", "--port", str(port))
        self.process = ManagedProcess("LiteLLM", command, folder / "litellm.log", host=host)

    async def start(self) -> None:
        """Start it and wait until it answers."""
        self.process.start()

        async def answers() -> bool:
            return await status_of(f"{self.url}/health/liveliness") == 200

        await self.process.until(answers, 90)


def session(key: str = KEY) -> aiohttp.ClientSession:
    """A client session with a key."""
    return aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"})


@asynccontextmanager
async def post(url: str, body: Mapping[str, Any], key: str = KEY) -> AsyncIterator[aiohttp.ClientResponse]:
    """The answer to a POST with a key."""
    async with session(key) as client, client.post(url, json=body) as response:
        yield response


async def events(response: aiohttp.ClientResponse) -> AsyncGenerator[Any]:
    """The data of a stream's events: objects, and "[DONE]" as it is."""
    async for line in response.content:
        if line.startswith(b"data: "):
            data = line.removeprefix(b"data: ").strip()
            yield "[DONE]" if data == b"[DONE]" else json.loads(data)


@contextmanager
def held(file: Path) -> Iterator[None]:
    """Block the opening of the file inside the block: other processes wait for its lease."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # the kernel sends SIGIO when a process waits
    descriptor = os.open(file, os.O_RDONLY)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        yield
    finally:
        os.close(descriptor)
        signal.signal(signal.SIGIO, before)
