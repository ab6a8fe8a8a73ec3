"""The result of a network scan as plain data, for the page and the command."""

from collections.abc import Collection
from typing import TypedDict
from urllib.parse import urlsplit

from ..presence.network_scan import FoundServer, ScanResult

NEW, SET_UP = "new", "set_up"


class ScannedServer(TypedDict):
    """A server without an advertisement. `kind`: the kind of server, such as "ollama"; `type`: its backend type.

    `locked`: whether it requires an API key.
    """

    title: str
    kind: str
    type: str
    base_url: str
    host: str
    port: int
    state: str
    models: list[str]
    locked: bool


class Scanned(TypedDict):
    """`silent`: names or addresses of machines on which no inference server answers."""

    networks: list[str]
    servers: list[ScannedServer]
    silent: list[str]


def describe_scan(result: ScanResult, used: Collection[str] = ()) -> Scanned:
    """A result. `used`: the base URLs of the providers and backends that are set up."""
    servers = {urlsplit(url).netloc for url in used}
    return {
        "networks": [str(network) for network in result.networks],
        "servers": [_server(server, SET_UP if urlsplit(server.base_url).netloc in servers else NEW) for server in result.servers],
        "silent": list(result.silent),
    }


def _server(server: FoundServer, state: str) -> ScannedServer:
    return {
        "title": server.title,
        "kind": server.kind.id,
        "type": server.kind.type,
        "base_url": server.base_url,
        "host": server.host or str(server.address),
        "port": server.port,
        "state": state,
        "models": list(server.models),
        "locked": server.is_locked,
    }
