"""What tcpdump sees of a LAN."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from devhome.client import eventually
from devhome.namespaces import Host, Lan
from devhome.process import ManagedProcess


class Capture:
    """The packets to and from some hosts of a LAN so far."""

    def __init__(self, file: Path) -> None:
        """`file` is what tcpdump writes."""
        self._file = file

    async def until(self, text: str) -> None:
        """Wait for a packet with this text. Raises TimeoutError without one."""

        async def seen() -> bool:
            return self.has(text)

        await eventually(seen)

    def has(self, text: str) -> bool:
        """Whether a packet has this text, which must be short enough to be in one."""
        return text.encode() in self._file.read_bytes()


@asynccontextmanager
async def captured(lan: Lan, folder: Path, *hosts: Host) -> AsyncGenerator[Capture]:
    """Record every packet to and from the hosts, at the switch of the LAN, written as soon as it is seen."""
    file = folder / "packets.pcap"
    only = " or ".join(f"host {address}" for host in hosts for address in (host.ipv4, host.ipv6))
    command = lan.switch.command("tcpdump", "-i", "any", "-U", "-n", "-s", "0", "-Z", "root", "-w", str(file), only)
    process = ManagedProcess("tcpdump", command, folder / "tcpdump.log").start()

    async def listens() -> bool:
        return "listening on" in process.output()

    try:
        await process.until(listens, 10)
        yield Capture(file)
    finally:
        await asyncio.shield(process.stop())
