"""The commands of the page for the home-only switch, and for finding providers."""

import asyncio
from typing import Any

from ...admin.discovered import Discovered, describe_discovered, in_order, served_state
from ...admin.discovery_check import check_discovery
from ...admin.network_scan import Scanned, describe_scan
from ...lan.interfaces import home_interfaces
from ...presence.network_scan import NetworkScan, home_networks
from ...protocol.errors import InvalidRequestError
from .context import Context
from .fields import flag


async def home_only(context: Context) -> Any:
    """Set the switch, for now and for the next start."""
    enabled, engine = flag(context.body, "enabled"), context.engine
    if not enabled and engine.home_only_configured:
        message = "The configuration file keeps all requests at home: remove 'homeOnly' below 'routing' there."
        raise InvalidRequestError(message, code="configured")
    engine.home_only = enabled
    await asyncio.to_thread(context.program.save_home_only, enabled)


async def discovered(context: Context) -> Discovered:
    """The providers that are found on the network within some seconds."""
    engine = context.engine
    providers = [provider for provider in await context.program.scan() if provider.id != engine.own_id]
    found = (describe_discovered(provider, served_state(provider, engine)) for provider in providers)
    return {"providers": in_order(found), "kinds": [], "gateway": None}


async def scan(context: Context) -> Scanned:
    """The inference servers on this machine's networks that advertise nothing. Takes some seconds."""
    networks = home_networks(await asyncio.to_thread(home_interfaces))
    used = [member.backend.address for member in context.engine.pool if member.backend.address is not None]
    return describe_scan(await NetworkScan(networks).run(), used)


async def check(context: Context) -> Any:
    """Why no provider is found."""
    return await check_discovery(context.program.advertised())
