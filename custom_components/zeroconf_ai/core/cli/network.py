"""Multicast DNS for commands."""

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
    """Open multicast DNS on the interfaces with these addresses (none: all). Raises click.ClickException if that fails."""
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
    # Not the library's own "all", which includes loopback: it logs a traceback because ::1 has no multicast route.
    found = [entry.address for entry in interface_addresses() if not entry.address.is_loopback]
    addresses = list(dict.fromkeys(map(str, found))) or ["127.0.0.1"]
    try:
        return AsyncZeroconf(interfaces=addresses, ip_version=IPVersion.All)
    except OSError:  # a machine without IPv6
        return AsyncZeroconf(interfaces=[text for text in addresses if ":" not in text], ip_version=IPVersion.V4Only)
