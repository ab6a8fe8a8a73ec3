"""Opening the network for a command: multicast DNS, and what is said where that is not possible."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import click
from zeroconf import IPVersion
from zeroconf.asyncio import AsyncZeroconf

from ..lan.interfaces import interface_addresses


def interface_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--interface`, for commands that look for providers."""
    return click.option(
        "--interface",
        "interfaces",
        multiple=True,
        metavar="ADDRESS",
        help="Search only on the interface with this IP address. Repeatable.",
    )(function)


@asynccontextmanager
async def open_zeroconf(interfaces: Sequence[str] = ()) -> AsyncIterator[AsyncZeroconf]:
    """Multicast DNS on the interfaces with these addresses, or on all. Raises click.ClickException where there is none."""
    try:
        instance = _make(interfaces)
    except (OSError, RuntimeError) as err:
        raise click.ClickException(f"Multicast DNS is not available: {err}. Connect this machine to a network.") from None
    try:
        yield instance
    finally:
        await instance.async_close()


def _make(interfaces: Sequence[str]) -> AsyncZeroconf:
    if interfaces:
        return AsyncZeroconf(interfaces=list(interfaces))
    # Not the library's own "all", which takes loopback in: multicast has no way to go from ::1, and says so with a traceback.
    found = [entry.address for entry in interface_addresses() if not entry.address.is_loopback]
    addresses = list(dict.fromkeys(map(str, found))) or ["127.0.0.1"]
    try:
        return AsyncZeroconf(interfaces=addresses, ip_version=IPVersion.All)
    except OSError:  # a machine without IPv6
        return AsyncZeroconf(interfaces=[text for text in addresses if ":" not in text], ip_version=IPVersion.V4Only)
