"""`zeroconf-ai mcp` as a process over both transports, with the client of the official SDK, and who may connect."""

from collections.abc import Iterator
from pathlib import Path
import socket
import subprocess
import sys
from typing import Any

from click.testing import CliRunner
import httpx2
from mcp import StdioServerParameters, stdio_client
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
import pytest

from zeroconf_ai.cli import main

from ...support.command import COMMAND, LO, Server, environment, serving

pytestmark = pytest.mark.usefixtures("own_loopback")

ACCESS_KEY = "an-example-of-an-access-key"
PAGE = "https://page.example"
BEARER = {"Authorization": f"Bearer {ACCESS_KEY}"}


@pytest.fixture(scope="module")
def provider(own_loopback: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A demo provider that is advertised."""
    with serving(tmp_path_factory.mktemp("provider"), "--name", "Attic") as server:
        yield server


@pytest.fixture(scope="module")
def address(provider: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running server with an access key, which writes neither the key nor a traceback."""
    command = [*COMMAND, "mcp", *LO, "--http", "0", "--allow-origin", PAGE]
    variables = environment(tmp_path_factory.mktemp("http"), {"ZEROCONF_AI_ACCESS_KEY": ACCESS_KEY})
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=variables)
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        assert line.startswith("MCP server on http://127.0.0.1:"), line + process.stderr.read()
        yield line.split()[-1]
        process.terminate()
        written = process.communicate(timeout=20)[1]
        assert ACCESS_KEY not in written
        assert "Traceback" not in written
    finally:
        process.kill()
        process.communicate()


async def uses_tools(client: Client, provider: Server) -> None:
    """What an agent does."""
    listed: Any = (await client.call_tool("list_providers", {})).structured_content
    assert [(found["id"], found["name"], found["online"]) for found in listed["result"]] == [
        (provider.ready["id"], "Attic", True)
    ]
    for model in (None, "Attic", provider.ready["id"], "Attic/demo-rules", "demo-rules"):
        asked: Any = (await client.call_tool("ask", {"question": "count to 5", "model": model})).structured_content
        assert (asked["text"], asked["provider"], asked["model"]) == ("1 2 3 4 5", "Attic", "demo-rules")


async def test_agent_that_starts_the_server_finds_the_provider(provider: Server, tmp_path: Path) -> None:
    parameters = StdioServerParameters(command=sys.executable, args=[*COMMAND[1:], "mcp", *LO], env=environment(tmp_path))
    async with Client(stdio_client(parameters)) as client:
        await uses_tools(client, provider)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_agent_that_connects_to_the_server_finds_the_provider(provider: Server, address: str, mode: str) -> None:
    """`legacy` is the handshake of the protocol's versions until 2025."""
    async with (
        httpx2.AsyncClient(headers=BEARER, timeout=60) as http,
        Client(streamable_http_client(address, http_client=http), mode=mode) as client,
    ):
        await uses_tools(client, provider)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Bearer {ACCESS_KEY}x"}, 401),
        ({"Authorization": f"Basic {ACCESS_KEY}"}, 401),
        (BEARER | {"Origin": "https://stranger.example"}, 403),
        (BEARER | {"Origin": f"{PAGE}.stranger.example"}, 403),
        (BEARER | {"Origin": "null"}, 403),
        (BEARER | {"Host": "rebound.example"}, 421),
        (BEARER | {"Origin": PAGE}, 200),
        (BEARER, 200),
    ],
)
async def test_request_is_refused_without_the_key_or_from_elsewhere(address: str, headers: dict[str, str], status: int) -> None:
    who = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": who}
    async with httpx2.AsyncClient(timeout=60) as http:
        answer = await http.post(address, json=body, headers={"Accept": "application/json, text/event-stream", **headers})
    assert answer.status_code == status
    assert answer.headers.get("access-control-allow-origin") == (PAGE if headers.get("Origin") == PAGE else None)
    assert ACCESS_KEY not in answer.text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "gpu.local"])
def test_server_for_the_network_needs_an_access_key(host: str) -> None:
    done = CliRunner().invoke(main, ["mcp", "--http", "0", "--host", host])
    assert (done.exit_code, "--access-key" in done.output) == (2, True), done.output


def test_access_key_that_can_be_guessed_is_refused() -> None:
    done = CliRunner().invoke(main, ["mcp", "--http", "0", "--access-key", "short"])
    assert (done.exit_code, "at least 16 characters" in done.output) == (2, True), done.output


def test_port_in_use_is_one_line_with_its_solution() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = CliRunner().invoke(main, ["mcp", "--http", str(taken.getsockname()[1])])
    assert (done.exit_code, len(done.output.splitlines()), "--http" in done.output) == (1, 1, True), done.output


def test_key_without_a_provider_is_refused() -> None:
    done = CliRunner().invoke(main, ["mcp", "--key", "zai_an-example-key-of-these-tests"])
    assert (done.exit_code, "--provider" in done.output) == (2, True), done.output


def test_missing_sdk_is_one_line_with_its_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*sys.modules]:
        if "mcp_server" in name and name.startswith("zeroconf_ai"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp.server.mcpserver", None)
    done = CliRunner().invoke(main, ["mcp"])
    assert (done.exit_code, "zeroconf-ai[mcp]" in done.output) == (1, True), done.output
