"""The page's commands for connectors."""

from typing import Any

from ...admin.connectors import RelayControl
from ...protocol.errors import NotFoundError
from .context import Context
from .fields import flag, text

_LONGEST = 63


def _relay(context: Context) -> RelayControl:
    if context.program.relay is None:
        raise NotFoundError("Connectors need `zeroconf-ai serve --keys`.", code="no_relay")
    return context.program.relay


async def describe(context: Context) -> Any:
    """The connectors, and the open one-time code. `connectors` is null for a server without a database to store them in."""
    relay = context.program.relay
    return {"connectors": None, "code": None} if relay is None else await relay.describe(context.session.origin)


async def pair(context: Context) -> Any:
    """Make a one-time code."""
    return await _relay(context).make_code(context.session.origin, actor=context.actor)


async def cancel(context: Context) -> Any:
    """End the open code."""
    await _relay(context).cancel_code()


async def update(context: Context) -> Any:
    """Rename, enable or disable a connector."""
    body = context.body
    name = text(body, "name", _LONGEST) if "name" in body else None
    enabled = flag(body, "enabled") if "enabled" in body else None
    await _relay(context).update(text(body, "connector_id"), name=name, enabled=enabled, actor=context.actor)


async def remove(context: Context) -> Any:
    """Forget a connector."""
    await _relay(context).remove(text(context.body, "connector_id"), actor=context.actor)
