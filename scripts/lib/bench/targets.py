"""What is between the clients and the model: nothing, plain proxies, other gateways, and this gateway."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
import os
from pathlib import Path
import shutil
import sys
from typing import override

from devhome import REPOSITORY, DevHomeError
from devhome.client import status_of
from devhome.home import Home
from devhome.process import ManagedProcess, free_port

from .processes import cpu_seconds, family, resident

START_SECONDS = 120.0
KEY = "zai_example_of_the_benchmark_0123456789"


class Target(ABC):
    """One of them. `port` answers OpenAI's chat completions at `path` after `start`."""

    name: str
    path = "/v1/chat/completions"
    key: str | None = None

    def __init__(self, folder: Path, upstream: int) -> None:
        """`folder` is its own; `upstream` is the model's port."""
        self.folder = folder
        self.upstream = upstream
        self.port = 0
        self.idle_rss = 0

    @property
    @abstractmethod
    def missing(self) -> str | None:
        """What is not installed that it needs, or None."""

    @abstractmethod
    async def start(self) -> None:
        """Start it and wait until it answers."""

    @abstractmethod
    async def stop(self) -> None:
        """End it."""

    @abstractmethod
    def pids(self) -> list[int]:
        """Its processes."""

    def model(self, name: str) -> str:
        """What the model `name` of the upstream is called here."""
        return name

    def cpu(self) -> float:
        """CPU seconds so far."""
        return cpu_seconds(self.pids())

    def rss(self) -> int:
        """Resident bytes."""
        return resident(self.pids())


class Direct(Target):
    """The model itself."""

    name = "direct"

    @property
    @override
    def missing(self) -> str | None:
        return None

    @override
    async def start(self) -> None:
        self.port = self.upstream

    @override
    async def stop(self) -> None:
        return

    @override
    def pids(self) -> list[int]:
        return []


class Program(Target):
    """A target that is a separate program."""

    needs = ""
    ready = "/v1/models"

    _process: ManagedProcess | None = None

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The command line, once `port` is chosen."""

    @property
    @override
    def missing(self) -> str | None:
        return None if not self.needs or shutil.which(self.needs, path=_PATH) else self.needs

    @override
    async def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port("127.0.0.1", range(18000, 19000))
        self._process = ManagedProcess(self.name, self.command(), self.folder / "log").start()

        async def answers() -> bool:
            return await status_of(f"http://127.0.0.1:{self.port}{self.ready}") is not None

        await self._process.until(answers, START_SECONDS)

    @override
    async def stop(self) -> None:
        if self._process is not None:
            await self._process.stop()

    @override
    def pids(self) -> list[int]:
        return family(self._process.pid) if self._process is not None else []


class Bare(Program):
    """The yardstick."""

    name = "bare aiohttp"

    @override
    def command(self) -> Sequence[str]:
        return (sys.executable, str(Path(__file__).with_name("bare.py")), str(self.port), str(self.upstream))


class Nginx(Program):
    """A proxy in C, set up as for server-sent events."""

    name = "nginx"
    needs = "nginx"

    @override
    def command(self) -> Sequence[str]:
        configuration = self.folder / "nginx.conf"
        configuration.write_text(
            f"""
daemon off; pid {self.folder}/pid; error_log {self.folder}/error.log; worker_processes 1;
events {{ worker_connections 2048; }}
http {{
  access_log off; client_max_body_size 32m; client_body_buffer_size 1m;
  client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy; fastcgi_temp_path {self.folder}/fastcgi;
  uwsgi_temp_path {self.folder}/uwsgi; scgi_temp_path {self.folder}/scgi; keepalive_requests 1000000;
  upstream model {{ server 127.0.0.1:{self.upstream}; keepalive 256; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{self.port};
    location / {{ proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }}
  }}
}}
""",
            encoding="utf-8",
        )
        return (shutil.which("nginx", path=_PATH) or "nginx", "-c", str(configuration), "-p", str(self.folder))


class Standalone(Program):
    """`zeroconf-ai serve` with a key."""

    name = "zeroconf-ai serve"
    key = KEY

    @override
    def command(self) -> Sequence[str]:
        return (
            *(str(REPOSITORY / ".venv" / "bin" / "zeroconf-ai"), "serve", "--no-advertise", "--host", "127.0.0.1"),
            *("--port", str(self.port), "--key", KEY, "--id-file", str(self.folder / "id")),
            *("--upstream", f"openai_compatible=http://127.0.0.1:{self.upstream}/v1"),
        )


class LiteLLM(Program):
    """LiteLLM's proxy, one worker, logging as little as it can."""

    name = "LiteLLM"
    needs = str(REPOSITORY / ".venv-litellm" / "bin" / "litellm")
    ready = "/health/liveliness"
    key = KEY

    @override
    def command(self) -> Sequence[str]:
        models = "".join(
            f"""
  - model_name: {name}
    litellm_params: {{model: openai/{name}, api_base: "http://127.0.0.1:{self.upstream}/v1", api_key: none}}"""
            for name in ("swift", "paced")
        )
        configuration = self.folder / "config.yaml"
        configuration.write_text(f"model_list:{models}\nlitellm_settings: {{telemetry: false}}\n", encoding="utf-8")
        quiet = ("env", "LITELLM_LOG=ERROR", "LITELLM_LOCAL_MODEL_COST_MAP=True", f"LITELLM_MASTER_KEY={KEY}")
        return (*quiet, self.needs, "--config", str(configuration), "--host", "127.0.0.1", "--port", str(self.port))


class Saturn(Program):
    """Saturn's own proxy, as its runner makes it for any OpenAI-compatible upstream."""

    name = "saturn-ai"
    needs = str(REPOSITORY / ".venv-saturn" / "bin" / "saturn")
    key = KEY

    @override
    def command(self) -> Sequence[str]:
        services = self.folder / ".saturn" / "services"
        services.mkdir(parents=True)
        (services / "bench.toml").write_text(
            f"""name = "bench"
deployment = "network"
api_type = "openai"
priority = 50
[upstream]
base_url = "http://127.0.0.1:{self.upstream}/v1"
api_key_env = "BENCH_KEY"
[server]
port = {self.port}
[beacon]
enabled = false
""",
            encoding="utf-8",
        )
        home = ("env", f"HOME={self.folder}", f"SATURN_RUNNER_TOKEN={KEY}", "BENCH_KEY=none")
        return (*home, self.needs, "run", "bench", "--host", "127.0.0.1", "--port", str(self.port))


class InHome(Target):
    """Our gateway inside a real Home Assistant, with a key, routing and records."""

    name = "Home Assistant"

    _home: Home | None = None

    @property
    @override
    def missing(self) -> str | None:
        return None if os.geteuid() == 0 else "root, for a network of its own"

    @override
    async def start(self) -> None:
        from devhome.gateway import add_backend, add_gateway  # noqa: PLC0415

        self.port = free_port("127.0.0.1", range(18000, 19000))
        self._home = Home(self.folder, port=self.port, listen=["127.0.0.1"])
        await self._home.start()
        async with self._home.client() as client:
            gateway = await add_gateway(client)
            self.key = gateway.key
            await add_backend(client, gateway.entry_id, "openai_compatible", {"base_url": f"http://127.0.0.1:{self.upstream}/v1"})

    @override
    async def stop(self) -> None:
        if self._home is not None:
            await self._home.stop()

    @override
    def pids(self) -> list[int]:
        return family(self._home.process.pid) if self._home is not None else []


class BareHome(InHome):
    """A Home Assistant without the gateway, for comparing memory. Answers no requests."""

    name = "Home Assistant without it"

    @override
    async def start(self) -> None:
        self.port = free_port("127.0.0.1", range(18000, 19000))
        self._home = Home(self.folder, port=self.port, listen=["127.0.0.1"])
        await self._home.start()


_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"

TARGETS: tuple[type[Target], ...] = (Direct, Bare, Nginx, InHome, Standalone, LiteLLM, Saturn)


def chosen(names: Sequence[str]) -> list[type[Target]]:
    """The targets with these names; all if there are none. Raises DevHomeError for an unknown name."""
    known = {target.name: target for target in TARGETS}
    for name in names:
        if name not in known:
            raise DevHomeError(f"there is no target {name!r}. Known: {', '.join(known)}")
    return [known[name] for name in names] or list(TARGETS)
