"""`zeroconf-ai discover --scan`: the inference servers on this machine's networks that announce nothing."""

import asyncio
from collections.abc import Collection

import click

from ..admin.network_scan import Scanned, ScannedServer, describe_scan
from ..lan.interfaces import home_interfaces
from ..presence.network_scan import NetworkScan, home_networks
from .progress import progress
from .tables import Column, print_table

_COLUMNS = (Column("Server"), Column("Address"), Column("Models", usual=14, rank=1))
_NO_NETWORK = "This machine has no private network that can be searched."
_SILENT = """\
No server answers on these machines: {hosts}.
Ollama usually listens on its own machine only: set OLLAMA_HOST=0.0.0.0 there and restart it. In LM Studio, turn on "Serve on
local network". A firewall on that machine may also be the reason."""


async def scan_networks(addresses: Collection[str] = ()) -> Scanned:
    """Scan this machine's private networks; with `addresses`, only the networks of these addresses of this machine.

    Shows the progress on a terminal.
    """
    interfaces = await asyncio.to_thread(home_interfaces)
    networks = home_networks(one for one in interfaces if not addresses or str(one.ip) in addresses)
    names = ", ".join(map(str, networks))
    with progress(f"Searching {names}") as show:
        scan = NetworkScan(networks, on_progress=lambda share: show(f"Searching {names}: {share:.0%}"))
        return describe_scan(await scan.run())


def _models(server: ScannedServer) -> str:
    listed = ", ".join(server["models"])
    if not server["locked"]:
        return listed
    return f"{listed} (requires an API key)" if listed else "requires an API key"


def print_scan(found: Scanned) -> None:
    """Print the found servers as a table, and advice for machines on which no server answers."""
    if not found["networks"]:
        click.echo(_NO_NETWORK, err=True)
    elif found["servers"]:
        print_table(_COLUMNS, [(server["title"], server["base_url"], _models(server)) for server in found["servers"]])
    else:
        click.echo(f"No server was found on {', '.join(found['networks'])}.", err=True)
    if found["silent"]:
        click.echo(_SILENT.format(hosts=", ".join(found["silent"])), err=True)
