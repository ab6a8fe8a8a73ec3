"""`zeroconf-ai mcp`: let an agent ask the providers on the network."""

import asyncio
from functools import partial
import ipaddress
import socket
import sys

import click

from ..client.client import Client
from ..protocol.addresses import unmapped
from ..protocol.models import AUTO
from ..protocol.values import encodable
from .connecting import HINTS, connection_options, wanted_of
from .errors import CommandError
from .remembered import complete_models
from .state import trust_file
from .variables import PREFIX

_MIN_ACCESS_KEY = 16


@click.command("mcp")
@connection_options
@click.option(
    "--model", default=AUTO, show_default=True, shell_complete=complete_models, help="The model for questions that name none."
)
@click.option(
    "--http",
    "port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Serve HTTP at this port (0: a free one), not stdin and stdout.",
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="With --http: listen on this address.")
@click.option(
    "--access-key",
    envvar=f"{PREFIX}ACCESS_KEY",
    metavar="KEY",
    help="With --http: require `Authorization: Bearer KEY`. ZEROCONF_AI_ACCESS_KEY hides it from `ps`.",
)
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    help="With --http: let web pages of this origin connect. Repeatable.",
)
def command(
    provider: str | None,
    model: str,
    key: str | None,
    trust: bool,
    interfaces: tuple[str, ...],
    port: int | None,
    host: str,
    access_key: str | None,
    origins: tuple[str, ...],
) -> None:
    """Serve the Model Context Protocol: tools to list providers and models and to ask one, for coding agents and assistants.

    An agent starts this command itself and speaks with it over stdin and stdout. With --http it connects to a running one.
    """
    wanted = wanted_of(provider, key, trust, interfaces)
    make = partial(
        Client,
        wanted.provider,
        key=wanted.key,
        model=encodable(model),
        trust=trust,
        interfaces=interfaces,
        trust_file=trust_file(),
        hints=HINTS,
    )
    listening = None if port is None else _listen(host, port, access_key)
    try:
        from ..mcp_server import http  # noqa: PLC0415 - not everybody has the SDK
        from ..mcp_server.providers import Providers  # noqa: PLC0415
        from ..mcp_server.server import create_server  # noqa: PLC0415
    except ImportError as err:
        hint = "Install it with: pip install 'zeroconf-ai[mcp]'"
        raise CommandError(f"The package {err.name} is missing.", hint, kind="not_found") from None

    async def run() -> None:
        providers = Providers(make)
        server = create_server(providers, usage=wanted.key is not None)
        try:
            if listening is None:
                await server.run_stdio_async()
            else:
                app = http.create_app(server, http.Access(access_key or None, origins), local=_is_loopback(host))
                click.echo(
                    f"MCP server on http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}{http.PATH}",
                    err=True,
                )
                await http.serve(app, listening)
        finally:
            await providers.close()

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        sys.exit(130)


def _listen(host: str, port: int, access_key: str | None) -> socket.socket:
    """A listening socket. Raises CommandError if that fails, click.UsageError for a host other than loopback without a key."""
    if not access_key and not _is_loopback(host):
        raise click.UsageError(f"Other machines can reach {host}. Set --access-key or ZEROCONF_AI_ACCESS_KEY.")
    if access_key and len(access_key) < _MIN_ACCESS_KEY:
        raise click.UsageError(f"The access key is too short: it needs at least {_MIN_ACCESS_KEY} characters.")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as err:
        message = f"Cannot listen on {host}, port {port}: {err.strerror}."
        raise CommandError(message, "Set another --host or --http.", kind="port_in_use") from None


def _is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server at `host`."""
    try:
        return host == "localhost" or unmapped(ipaddress.ip_address(host)).is_loopback
    except ValueError:
        return False
