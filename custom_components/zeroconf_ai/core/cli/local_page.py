"""Commands of the page of a server that this user runs on this machine."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import click

from ..backends.base import Endpoint
from ..backends.zeroconfai import fingerprint_ssl
from ..protocol.errors import ApiError
from ..protocol.values import mapping
from .admin_session import AdminSession
from .errors import CommandError
from .running import RunningServer, running_servers

server_option: Final = click.option("--server", metavar="NAME", help="The running server, by its name.  [default: the only one]")


def run_command(server: str | None, name: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer to a command. `server`: the name of the server; None: the only one. Raises CommandError."""
    return with_page(server, lambda session: session.command(name, body))


def with_page(server: str | None, act: Callable[[AdminSession], Awaitable[Any]]) -> Mapping[str, Any]:
    """What `act` returns with a session of the page. Raises CommandError."""
    return asyncio.run(_with_session(_which(server), act))


async def _with_session(server: RunningServer, act: Callable[[AdminSession], Awaitable[Any]]) -> Mapping[str, Any]:
    endpoint = Endpoint(server.url, ssl=True if server.fingerprint is None else fingerprint_ssl(server.fingerprint))
    assert server.secret is not None
    try:
        async with AdminSession(endpoint, server.secret) as session:
            return mapping(await act(session))
    except ApiError as err:
        raise CommandError(str(err), kind=err.code or "server_error") from None


def _which(name: str | None) -> RunningServer:
    """The running server. Raises CommandError."""
    found = [server for server in running_servers() if server.secret is not None and name in (None, server.name)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise CommandError("No server with a page runs on this machine.", "Start one: zeroconf-ai serve --keys", kind="not_found")
    names = ", ".join(server.name for server in found)
    raise CommandError(f"Several servers run on this machine: {names}.", "Name one with --server.", kind="ambiguous")
