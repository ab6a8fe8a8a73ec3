"""The health port of `serve` and `connect`."""

from collections.abc import Callable
from contextlib import AsyncExitStack

from ..server.access.auth import Access
from ..server.app import create_runner
from ..server.gateway import Gateway
from ..server.health_port import create_health_app
from .operation import Operation
from .ports import listen_on


async def open_health_port(
    stack: AsyncExitStack,
    gateway: Gateway,
    access: Access,
    operation: Operation,
    reachable: Callable[[], bool] | None = None,
) -> str | None:
    """Serve health and metrics on a separate port until `stack` closes. Returns its URL; None if no port is set.

    `reachable`: as for `create_health_app`. Raises CommandError if the port cannot be opened.
    """
    host, port = operation.health_host, operation.health_port
    if port is None:
        return None
    runner = create_runner(create_health_app(gateway, access, reachable))
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await listen_on(runner, host, port, option="health-port", otherwise="none to have health and metrics at the API only")
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
