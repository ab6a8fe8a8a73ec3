"""`zeroconf-ai discover`: list the providers on the network."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any

import aiohttp
import click

from ..engine import ask_health
from ..lan.discovery import DiscoveryManager
from ..lan.providers import Change, Provider
from ..lan.trust import Trust, TrustStore
from ..protocol.errors import UnavailableError
from ..protocol.record import Capability
from ..protocol.values import printable
from .network import interface_option, open_zeroconf
from .output import json_option, print_json, print_json_line
from .progress import progress
from .remembered import remember
from .scan import print_scan, scan_networks
from .state import trust_file
from .tables import Column, Styled, print_table

_NO_PROVIDER = """\
No provider was found. Either this network has no provider, or multicast DNS is blocked: by guest Wi-Fi, client isolation, a VLAN,
a firewall that drops UDP port 5353, or a container without host networking. Find out which: zeroconf-ai doctor"""


_COLUMNS = (
    Column("Name", usual=12),
    Column("Address"),
    Column("Models", usual=14, rank=1),
    Column("State", usual=14),
    Column("Auth", rank=2),
    Column("Cost", rank=3),
    Column("Capabilities", usual=20, rank=5),
    Column("Priority", rank=4, right=True),
    Column("ID", rank=6),
)
STATE_COLOURS = {"healthy": "green", "degraded": "yellow", "resting": "yellow", "offline": "red", "unauthorized": "red"}
"""Colors of the states of providers."""
CAPABILITY_NAMES = {
    Capability.COMPLETION: "chat",
    Capability.STREAMING: "streaming",
    Capability.EMBEDDINGS: "embeddings",
    Capability.VISION: "images",
    Capability.TOOLS: "tools (device control)",
    Capability.JSON: "structured data",
    Capability.AUDIO: "audio",
    Capability.IMAGE_GENERATION: "generated images",
    Capability.TRANSCRIPTION: "speech to text",
    Capability.SPEECH: "text to speech",
}
"""As Home Assistant's forms name them (`selector.capability` of the translations)."""


@click.command("discover")
@click.option("--timeout", type=click.FloatRange(0.1, 60.0), default=2.0, show_default=True, help="Maximum seconds to search.")
@click.option("--watch", is_flag=True, help="Keep running, and print each change as a line (with --json: as a JSON object).")
@click.option(
    "--scan",
    is_flag=True,
    help="Also ask this machine's own networks for Ollama, LM Studio, llama.cpp and other servers that announce nothing.",
)
@interface_option
@json_option
def command(as_json: bool, timeout: float, watch: bool, scan: bool, interfaces: tuple[str, ...]) -> None:
    """List the providers on the network, with their models and state."""
    if scan and watch:
        raise click.UsageError("--scan asks once: leave out --watch.")
    try:
        asyncio.run(_discover(as_json=as_json, timeout=timeout, watch=watch, scans=scan, interfaces=interfaces))
    except KeyboardInterrupt:
        if not watch:
            raise


async def _discover(*, as_json: bool, timeout: float, watch: bool, scans: bool, interfaces: tuple[str, ...]) -> None:
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        zeroconf = await stack.enter_async_context(open_zeroconf(interfaces))
        manager = DiscoveryManager(zeroconf, health_probe=ask_health(session), trust=TrustStore(trust_file()))
        await stack.enter_async_context(manager)
        if watch:
            await asyncio.gather(_print_changes(manager, as_json=as_json), manager.scan_network(timeout))
            return
        with progress("Searching for providers on the network"):
            providers = await manager.scan_network(timeout)
        records = [provider.record for provider in providers]
        remember(providers=[record.name for record in records], models=[model for record in records for model in record.models])
        listed = [provider_json(provider) for provider in providers]
        scanned = await scan_networks(interfaces) if scans else None
        if as_json:
            print_json(listed if scanned is None else {"providers": listed, **scanned})
            return
        if providers:
            print_table(_COLUMNS, map(_row, providers))
        else:
            click.echo(_NO_PROVIDER, err=True)
        if scanned is not None:
            click.echo()
            print_scan(scanned)


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


def _row(provider: Provider) -> tuple[str | Styled, ...]:
    record = provider.record
    state = "unknown" if provider.state is None else provider.state.value
    return (
        record.name,
        provider.base_url,
        ", ".join(record.models) + (", …" if record.models_truncated else ""),
        Styled(_state(provider), STATE_COLOURS.get(state, "")),
        record.auth.value,
        record.cost.value,
        ", ".join(sorted(CAPABILITY_NAMES[capability] for capability in record.capabilities)),
        str(record.priority),
        record.id,
    )


def _state(provider: Provider) -> str:
    words = [provider.state.value if provider.state else "unknown"]
    if provider.latency is not None:
        words.append(f"{provider.latency * 1000:.0f} ms")
    if provider.trust is Trust.CHANGED:
        words.append("identity changed")
    elif provider.trust is Trust.MOVED:
        words.append("address not confirmed")
    return ", ".join(words)


async def _print_changes(manager: DiscoveryManager, *, as_json: bool) -> None:
    """Print each change, until the task is cancelled or the reader of the output has gone."""
    changes: asyncio.Queue[Change] = asyncio.Queue()
    manager.watch_for_changes(changes.put_nowait)
    while True:
        change = await changes.get()
        provider = change.provider
        if as_json:
            print_json_line({"change": change.kind.value, "provider": provider_json(provider)})
            continue
        time = f"{datetime.now().astimezone():%H:%M:%S}"
        line = f"{time} {change.kind.value:8} {provider.record.name}  {provider.base_url}  {_state(provider)}"
        click.echo(printable(line))
