"""Clients whose cable is pulled: the provider's work for them ends within the documented time."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
import json
from pathlib import Path
import socket
import time
from typing import Any

import pytest

from devhome.client import eventually
from devhome.namespaces import Host, Lan
from devhome.process import ManagedProcess
from devhome.provider import COMMAND
from zeroconf_ai.server.vanished_clients import VANISHED_SECONDS

PORT = 8600
SLOW = "10"
"""Seconds before each word of the provider's answer: the longest `--delay`."""
DOCUMENTED_SECONDS = 100.0
"""docs/security.md: TCP repeats what is not confirmed at doubling intervals, and gives up with the first after the time set."""
MARGIN = 15.0
"""For the next word, which is the first that is not confirmed, and a slow machine."""


def serve(host: Host, folder: Path, *options: str) -> ManagedProcess:
    """Start `zeroconf-ai serve` on a host."""
    command = ("env", f"XDG_STATE_HOME={folder / host.name}", str(COMMAND), "serve", "--no-advertise", "--auth", "none")
    listening = ("--host", host.ipv4, "--port", str(PORT))
    process = ManagedProcess(host.name, (*command, *listening, *options), folder / f"{host.name}.log", host=host)
    process.start()
    return process


@pytest.fixture
async def hosts(lan: Lan, tmp_path: Path, started: list[ManagedProcess]) -> AsyncIterator[tuple[Host, Host]]:
    """A provider, and a gateway before it."""
    provider, gateway = lan.host("provider"), lan.host("gateway")

    async def serving(process: ManagedProcess) -> bool:
        return "serving" in process.output()

    for host, options in (
        (provider, ("--demo", "--delay", SLOW)),
        (gateway, ("--upstream", f"vllm=http://{provider.ipv4}:{PORT}/v1")),
    ):
        process = serve(host, tmp_path, *options)
        started.append(process)
        await process.until(partial(serving, process), 30)
    yield provider, gateway
    for process in started:
        process.kill()


def active(watcher: Host, server: Host) -> int:
    """The number of requests that run at a server."""
    with watcher.namespace.entered():
        sock = socket.create_connection((server.ipv4, PORT), timeout=5)
    with sock:
        sock.sendall(f"GET /v1/status HTTP/1.1\r\nHost: {server.ipv4}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while part := sock.recv(65536):
            answer += part
    found: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return int(found["queue"]["active"])


def ask(client: Host, server: Host, *, stream: bool) -> socket.socket:
    """Send a request that takes an hour, from a connection that stays open."""
    body = json.dumps({"stream": stream, "messages": [{"role": "user", "content": "count to 400"}]}).encode()
    with client.namespace.entered():
        sock = socket.create_connection((server.ipv4, PORT), timeout=2 * int(SLOW))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {server.ipv4}\r\nContent-Type: application/json\r\n"
    sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return sock


async def test_work_for_clients_whose_cable_is_pulled_ends(lan: Lan, hosts: tuple[Host, Host]) -> None:
    """One client is being sent an answer, the other waits in silence."""
    provider, gateway = hosts
    phone, watcher = lan.host("phone"), lan.host("watcher")

    async def running(count: int) -> bool:
        return [await asyncio.to_thread(active, watcher, host) for host in (gateway, provider)] == [count, count]

    with ask(phone, gateway, stream=True) as streamed, ask(phone, gateway, stream=False):
        await eventually(partial(running, 2), timeout=30)
        assert b"200 OK" in await asyncio.to_thread(streamed.recv, 65536)
        lan.unplug(phone)
        started = time.monotonic()
        await eventually(partial(running, 0), timeout=DOCUMENTED_SECONDS + MARGIN, interval=0.5)
        assert time.monotonic() - started > VANISHED_SECONDS / 2, "they ended for another reason"
        lan.plug(phone)
