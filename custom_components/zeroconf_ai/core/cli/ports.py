"""The ports on which `serve` listens."""

import errno
import socket

from aiohttp import web

from .errors import CommandError

FIRST_PORT, LAST_PORT = 8000, 9000
"""PROTOCOL 1."""


async def listen(runner: web.AppRunner, host: str | None, port: int | None) -> int:
    """Listen on the port that is set, else on the first free port; returns the port. Raises CommandError if that fails."""
    if port is None:
        return await listen_on_first_free(runner, host)
    await listen_on(runner, host, port, option="port", otherwise="none to use the first free port")
    return port


async def listen_on_first_free(runner: web.AppRunner, host: str | None) -> int:
    """Listen on the first free port; returns it. `host` None: on all addresses. Raises CommandError if all are in use."""
    for port in range(FIRST_PORT, LAST_PORT + 1):
        if await _is_opened(runner, host, port, "port"):
            return port
    raise CommandError(f"All ports from {FIRST_PORT} to {LAST_PORT} are in use.", "Set another --port.", kind="port_in_use")


async def listen_on(runner: web.AppRunner, host: str | None, port: int, *, option: str, otherwise: str) -> None:
    """Listen on `port`, which the option `--{option}` has set; `otherwise`: the alternative that the error names.

    Raises CommandError if that fails.
    """
    if not await _is_opened(runner, host, port, option):
        raise CommandError(f"Port {port} is in use.", f"Set another --{option}, or {otherwise}.", kind="port_in_use")


def not_opened(err: OSError, host: str | None, port: int, option: str) -> CommandError:
    """The error for a port that cannot be opened."""
    if isinstance(err, socket.gaierror) or err.errno in (errno.EADDRNOTAVAIL, None):  # asyncio wraps gaierror in OSError
        address, otherwise = ("host", "use all addresses") if option == "port" else ("health-host", "listen on this machine only")
        hint = f"Set another --{address}, or remove --{address} to {otherwise}."
        return CommandError(f"{host} is not an address of this machine.", hint, kind="not_found")
    if err.errno == errno.EACCES:
        message = f"This user does not have permission to open port {port}."
        return CommandError(message, f"Set a --{option} above 1023.", kind="permission_denied")
    return CommandError(f"Port {port} cannot be opened: {err.strerror or err}.", f"Set another --{option}.")


async def _is_opened(runner: web.AppRunner, host: str | None, port: int, option: str) -> bool:
    """Open a port. False: it is in use. Raises CommandError if it cannot be opened for another reason.

    An IPv6 address may have the brackets that it has in URLs.
    """
    site = web.TCPSite(runner, host and host.strip("[]"), port)
    try:
        await site.start()
    except OSError as err:
        await site.stop()
        if err.errno != errno.EADDRINUSE:
            raise not_opened(err, host, port, option) from None
        return False
    return True
