"""Brokers with one PostgreSQL: the one that has the connector's link, the one that has not, and both behind nginx.

The model, the connector, the brokers, nginx and the database are processes of their own on one machine, so a second broker adds
only what the cores are not busy with already; what a request costs by way of the other broker is seen all the same.
"""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
import json
from pathlib import Path
import statistics
import subprocess
import sys
from typing import Any

from tests.support import postgres
from tests.support.command import COMMAND, environment, line_of, run, started
from tests.support.ports import free_port
from tests.support.waiting import until_in_thread

from . import load, upstream

CLIENTS = 32
HAS_LINK, HAS_NONE, BOTH = "broker with the link", "broker without it", "nginx, both brokers"
_BODY: dict[str, object] = {"model": "swift", "messages": [{"role": "user", "content": "Is it on?"}]}


@contextmanager
def _broker(folder: Path, database: str) -> Iterator[dict[str, Any]]:
    """A broker of the cluster; what it prints when it is ready."""
    port = free_port()
    folder.mkdir()
    (folder / "broker.yaml").write_text(
        f"usage_tracking: {{storage: postgres, url: '{database}'}}\n"
        f"cluster: {{url: 'http://127.0.0.1:{port}', secret: {'5ecre7' * 8}}}\n"
    )
    options = ("--host", "127.0.0.1", "--port", str(port), "--config", str(folder / "broker.yaml"), "--json")
    with started(folder, [*COMMAND, "broker", *options]) as process:
        try:
            yield json.loads(line_of(process))
        finally:
            process.kill()


@contextmanager
def _connector(folder: Path, broker: dict[str, Any], state: Path, model: int) -> Iterator[None]:
    """A machine with the model, connected to one broker."""
    folder.mkdir()
    (folder / "code").write_text(json.loads(run(state, "connectors", "pair", "--json").stdout)["code"])
    options = ("--code-file", str(folder / "code"), "--upstream", f"openai_compatible=http://127.0.0.1:{model}/v1", "--json")
    command = [*COMMAND, "connect", str(broker["url"]).removesuffix("/v1"), *options]
    with started(folder, command) as process:
        try:
            line_of(process)
            yield
        finally:
            process.kill()


@contextmanager
def _nginx(folder: Path, *ports: int) -> Iterator[int]:
    """The port of nginx before the brokers, set up as docs/broker/nginx.conf."""
    folder.mkdir()
    port = free_port()
    servers = " ".join(f"server 127.0.0.1:{one};" for one in ports)
    paths = "".join(f"{kind}_temp_path {folder}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"""
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ }}
http {{
  access_log off; keepalive_requests 1000000; {paths}
  upstream brokers {{ least_conn; {servers} keepalive 64; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://brokers; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }}
  }}
}}
"""
    )
    command = ["/usr/sbin/nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    with subprocess.Popen(command, env=environment(folder)) as process:
        try:
            until_in_thread((folder / "pid").exists)
            yield port
        finally:
            process.terminate()


def _answers(port: int, raw: bytes) -> bool:
    return asyncio.run(load.run(port, raw, clients=1, seconds=0.05, streams=False)).requests > 0


def measure(folder: Path, rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    """The medians of the rounds, by figure and by what was asked."""
    with ExitStack() as stack:
        model = stack.enter_context(upstream.running())
        server = stack.enter_context(postgres.started())
        database = server.url(stack.enter_context(server.database()))
        first, second = (stack.enter_context(_broker(folder / name, database)) for name in ("a", "b"))
        stack.enter_context(_connector(folder / "gpu", first, folder / "a", model))
        nginx = stack.enter_context(_nginx(folder / "nginx", first["port"], second["port"]))
        ports = {HAS_LINK: first["port"], HAS_NONE: second["port"], BOTH: nginx}
        whole, stream = (
            load.request_bytes("/v1/chat/completions", {**_BODY, **more}, first["key"]) for more in ({}, {"stream": True})
        )
        for port in ports.values():
            until_in_thread(partial(_answers, port, whole))
        found: dict[str, dict[str, list[float]]] = {}
        for _ in range(rounds):
            for name, port in ports.items():
                alone = asyncio.run(load.run(port, stream, clients=1, seconds=seconds, streams=True))
                many = asyncio.run(load.run(port, whole, clients=CLIENTS, seconds=seconds, streams=False))
                figures = {
                    "first token, ms": 1000 * load.median(alone.first_bytes),
                    f"requests/s, {CLIENTS} clients": many.requests / many.seconds,
                    "errors": float(alone.errors + many.errors),
                }
                for figure, value in figures.items():
                    found.setdefault(figure, {}).setdefault(name, []).append(value)
    return {figure: {name: statistics.median(values) for name, values in names.items()} for figure, names in found.items()}


def main(folder: Path, rounds: int, seconds: float, *, as_json: bool) -> None:
    """Run and print."""
    table = measure(folder, rounds, seconds)
    if as_json:
        sys.stdout.write(json.dumps(table, indent=2) + "\n")
        return
    names = (HAS_LINK, HAS_NONE, BOTH)
    sys.stdout.write(f"{'':28}{''.join(f'{name:>24}' for name in names)}\n")
    for figure, values in table.items():
        sys.stdout.write(f"{figure:28}{''.join(f'{values[name]:>24,.2f}' for name in names)}\n")
