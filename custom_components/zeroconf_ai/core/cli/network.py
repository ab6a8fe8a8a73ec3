"""Multicast DNS for commands."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import click
from zeroconf.asyncio import AsyncZeroconf

from ..client import connections
from ..client.connections import NoProviderError
from .errors import CommandError


def interface_option[F: Callable[..., Any]](function: F) -> F:
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
    """Open multicast DNS on the interfaces with these addresses (none: all). Raises CommandError if that fails."""
    async with AsyncExitStack() as stack:
        try:
            instance = await stack.enter_async_context(connections.open_zeroconf(interfaces))
        except NoProviderError as err:
            raise CommandError(err.message, kind=err.code or "no_provider") from None
        yield instance
