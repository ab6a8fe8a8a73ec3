"""The ports on which `serve` listens."""

import errno
import socket

from aiohttp import web
import click

FIRST_PORT, LAST_PORT = 8000, 9000
"""PROTOCOL 1."""


async def listen_on_first_free(runner: web.AppRunner, host: str | None) -> int:
    """Listen on the first free port; returns it. `host` None: on all addresses. Raises click.ClickException if there is none."""
    for port in range(FIRST_PORT, LAST_PORT + 1):
        if await _is_opened(runner, host, port, "port"):
            return port
    raise click.ClickException(f"All ports from {FIRST_PORT} to {LAST_PORT} are in use. Set another --port.")


async def listen_on(runner: web.AppRunner, host: str | None, port: int, *, option: str, otherwise: str) -> None:
    """Listen on `port`, which the option `--{option}` has set; `otherwise`: what other ports there are.

    Raises click.ClickException if that fails.
    """
    if not await _is_opened(runner, host, port, option):
        raise click.ClickException(f"Port {port} is in use. Set another --{option}, or {otherwise}.")


def why_not(err: OSError, host: str | None, port: int, option: str) -> str:
    """Why a port cannot be opened, and what to do."""
    if isinstance(err, socket.gaierror) or err.errno in (errno.EADDRNOTAVAIL, None):  # asyncio wraps the former in the latter
        address, otherwise = ("host", "use all addresses") if option == "port" else ("health-host", "listen on this machine only")
        return f"{host} is not an address of this machine. Set another --{address}, or remove --{address} to {otherwise}."
    if err.errno == errno.EACCES:
        return f"This user does not have permission to open port {port}. Set a --{option} above 1023."
    return f"Port {port} cannot be opened: {err.strerror or err}."


async def _is_opened(runner: web.AppRunner, host: str | None, port: int, option: str) -> bool:
    """Open a port. False: it is in use. Raises click.ClickException if it cannot be opened for another reason."""
    site = web.TCPSite(runner, host, port)
    try:
        await site.start()
    except OSError as err:
        await site.stop()
        if err.errno != errno.EADDRINUSE:
            raise click.ClickException(why_not(err, host, port, option)) from None
        return False
    return True
