"""`zeroconf-ai discover`: list the providers on the network."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime
import sys
from typing import Any

import aiohttp
import click
import orjson
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..engine import ask_health
from ..lan.discovery import DiscoveryManager
from ..lan.providers import Change, Provider
from ..lan.trust import Trust, TrustStore
from ..protocol.errors import UnavailableError
from ..protocol.record import Capability
from .network import interface_option, open_zeroconf
from .state import trust_file

_PIPE_WIDTH = 240
"""Width of a table that is not printed on a terminal, in columns."""
_NO_PROVIDER = """\
No provider was found. Either this network has no provider, or multicast DNS is blocked: by guest Wi-Fi, client isolation, a VLAN,
a firewall that drops UDP port 5353, or a container without host networking."""


CAPABILITY_NAMES = {
    Capability.COMPLETION: "chat",
    Capability.STREAMING: "streaming",
    Capability.EMBEDDINGS: "embeddings",
    Capability.VISION: "images",
    Capability.TOOLS: "tools (device control)",
    Capability.JSON: "structured data",
    Capability.AUDIO: "audio",
}
"""As Home Assistant's forms name them (`selector.capability` of the translations)."""


@click.command("discover")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array instead of a table.")
@click.option("--timeout", type=click.FloatRange(0.1, 60.0), default=2.0, show_default=True, help="Maximum seconds to search.")
@click.option("--watch", is_flag=True, help="Keep running, and print each change as a line (with --json: as a JSON object).")
@interface_option
def command(as_json: bool, timeout: float, watch: bool, interfaces: tuple[str, ...]) -> None:
    """List the providers on the network, with their models and state."""
    try:
        asyncio.run(_discover(as_json=as_json, timeout=timeout, watch=watch, interfaces=interfaces))
    except KeyboardInterrupt:
        sys.exit(0 if watch else 130)


async def _discover(*, as_json: bool, timeout: float, watch: bool, interfaces: tuple[str, ...]) -> None:
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        zeroconf = await stack.enter_async_context(open_zeroconf(interfaces))
        manager = DiscoveryManager(zeroconf, health_probe=ask_health(session), trust=TrustStore(trust_file()))
        await stack.enter_async_context(manager)
        if watch:
            manager.watch_for_changes(lambda change: click.echo(_change_line(change, as_json=as_json)))
        providers = await manager.scan_network(timeout)
        if watch:
            await asyncio.Event().wait()
        elif as_json:
            click.echo(orjson.dumps([provider_json(provider) for provider in providers], option=orjson.OPT_INDENT_2))
        elif providers:
            console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)
            console.print(_table(providers))
        else:
            click.echo(_NO_PROVIDER, err=True)


async def scan(own_id: str) -> list[Provider]:
    """The providers on the network except `own_id`, with their health. Raises UnavailableError without multicast DNS."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        try:
            zeroconf = await stack.enter_async_context(open_zeroconf())
        except click.ClickException as err:
            raise UnavailableError(err.message) from None
        trust = await asyncio.to_thread(TrustStore, trust_file())
        manager = DiscoveryManager(zeroconf, health_probe=ask_health(session), trust=trust, own_ids=(own_id,))
        await stack.enter_async_context(manager)
        return await manager.scan_network()


def provider_json(provider: Provider) -> dict[str, Any]:
    """One provider in the output of `--json`."""
    record = provider.record
    return {
        "name": record.name,
        "id": record.id,
        "url": provider.base_url,
        "addresses": [str(address) for address in record.addresses],
        "host": record.host,
        "port": record.port,
        "tls": record.tls,
        "models": list(record.models),
        "models_truncated": record.models_truncated,
        "capabilities": sorted(record.capabilities),
        "provider": record.provider,
        "auth": record.auth.value,
        "priority": record.priority,
        "cost": record.cost.value,
        "backend": record.placement.value,
        "version": record.version,
        "service_type": record.service_type,
        "trust": provider.trust.value,
        "state": provider.state.value if provider.state else None,
        "latency_ms": None if provider.latency is None else round(provider.latency * 1000, 1),
        "error": provider.error,
    }


def _table(providers: list[Provider]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for heading in ("Name", "Address", "Models", "Capabilities", "Auth", "Priority", "Cost", "State", "ID"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "Priority" else "left")
    for provider in providers:
        record = provider.record
        models = ", ".join(record.models) + (", …" if record.models_truncated else "")
        cells = (
            record.name,
            provider.base_url,
            models,
            ", ".join(sorted(CAPABILITY_NAMES[capability] for capability in record.capabilities)),
            record.auth.value,
            str(record.priority),
            record.cost.value,
            _state(provider),
            record.id,
        )
        table.add_row(*map(Text, cells))  # as text: a name may look like markup
    return table


def _state(provider: Provider) -> str:
    words = [provider.state.value if provider.state else "unknown"]
    if provider.latency is not None:
        words.append(f"{provider.latency * 1000:.0f} ms")
    if provider.trust is Trust.CHANGED:
        words.append("identity changed")
    elif provider.trust is Trust.MOVED:
        words.append("address not confirmed")
    return ", ".join(words)


def _change_line(change: Change, *, as_json: bool) -> str:
    if as_json:
        return orjson.dumps({"change": change.kind.value, "provider": provider_json(change.provider)}).decode()
    provider = change.provider
    time = f"{datetime.now().astimezone():%H:%M:%S}"
    return f"{time} {change.kind.value:8} {provider.record.name}  {provider.base_url}  {_state(provider)}"
