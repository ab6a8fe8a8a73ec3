"""A soak: a gateway in Home Assistant, its providers, clients, and faults; what was lost, and what it cost."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
import os
from pathlib import Path
import random
import subprocess
import time

import aiohttp

from devhome.client import eventually
from devhome.gateway import Gateway, add_gateway
from devhome.home import Home
from devhome.namespaces import Lan
from devhome.provider import MODEL, DemoProvider
from tests.e2e.steps import add

from .clients import Clients, Outcome, Request
from .faults import FakeClock, Faults
from .resources import Resources, resources_of

PROVIDERS: dict[str, tuple[str, ...]] = {"attic": (), "cellar": ("--tls",)}
"""The options of each provider by its name: one speaks HTTP, the other HTTPS."""
DISK_MB = 192
"""The size of the disk that is filled. Home Assistant's configuration takes about 20 MB of it."""
SETTLE_SECONDS = 10
"""After the last request, before the resources are measured."""
ERRORS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Soaked:
    """What was found."""

    clients: Clients
    faults: Faults
    before: Resources
    after: Resources
    differing: list[str]
    """Each answered request whose recorded usage is not what its client saw."""

    @property
    def lost(self) -> int:
        """Requests that were sent and neither answered nor refused nor left by their client."""
        count = self.clients.count()
        return self.clients.sent - count[Outcome.ANSWERED] - count[Outcome.REFUSED] - count[Outcome.LEFT]

    def report(self) -> str:
        """Some lines of text, the last of which says how many requests were lost."""
        lines = ["Faults: " + ", ".join(f"{number} × {what}" for what, number in Counter(self.faults.happened).items())]
        refused = Counter(request.detail for request in self.clients.ended if request.outcome is Outcome.REFUSED)
        lines += [f"  refused {number} ×: {detail}" for detail, number in refused.most_common(ERRORS_SHOWN)]
        lines += [f"  LOST {request.id}: {request.detail}" for request in self.clients.ended if request.outcome is Outcome.LOST]
        lines += [f"  USAGE {line}" for line in self.differing[:ERRORS_SHOWN]]
        count = self.clients.count()
        lines += [
            f"before: {self.before}",
            f"after:  {self.after}",
            f"usage: {len(self.differing)} of {count[Outcome.ANSWERED]} answered requests differ",
            f"sent {self.clients.sent}: {shown(count)}; lost {self.lost}",
        ]
        return "\n".join(lines)


async def soak(lan: Lan, folder: Path, seconds: float, parallel: int, chance: random.Random, clock: FakeClock | None) -> Soaked:
    """Run it in an empty folder and on this LAN, which the calling thread is part of."""
    with disk(folder / "config") as config:
        async with providers(lan, folder) as running, gateway_of(lan, config, clock, running) as (home, gateway):
            before = resources_of(home.process.pid)
            print(f"before: {before}", flush=True)
            clients = Clients(gateway.base_url, gateway.key, ["auto", MODEL], parallel=parallel, chance=chance)
            faults = Faults(lan, [(provider, lan.host(provider.name)) for provider in running], clock, config, chance)
            await _under_faults(clients, faults, time.monotonic() + seconds)
            differing = await differences(gateway, clients.ended)
            await asyncio.sleep(SETTLE_SECONDS)
            return Soaked(clients, faults, before, resources_of(home.process.pid), differing)


async def _under_faults(clients: Clients, faults: Faults, end: float) -> None:
    failing = asyncio.create_task(faults.run())
    telling = asyncio.create_task(_tell(clients))
    try:
        await clients.run(lambda: time.monotonic() > end or failing.done())
    finally:
        telling.cancel()
        failing.cancel()
        with suppress(asyncio.CancelledError):
            await failing


async def _tell(clients: Clients) -> None:
    while True:
        await asyncio.sleep(30)
        print(f"  {clients.sent} sent: {shown(clients.count())}", flush=True)


@contextmanager
def disk(folder: Path) -> Generator[Path]:
    """A small disk of its own at the folder."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "soak", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@asynccontextmanager
async def providers(lan: Lan, folder: Path) -> AsyncGenerator[list[DemoProvider]]:
    """A provider on each of the hosts."""
    running = [
        DemoProvider(folder / f"{name}.log", name=name, host=lan.host(name), options=options)
        for name, options in PROVIDERS.items()
    ]
    try:
        await asyncio.gather(*(provider.start() for provider in running))
        yield running
    finally:
        for provider in running:
            provider.kill()


@asynccontextmanager
async def gateway_of(
    lan: Lan, config: Path, clock: FakeClock | None, running: list[DemoProvider]
) -> AsyncGenerator[tuple[Home, Gateway]]:
    """Home Assistant with a gateway to the providers, under the clock."""
    home = Home(config, host=lan.host("home"))
    usual = dict(os.environ)
    if clock is not None:
        os.environ.update(clock.environment())
    try:
        await home.start()
        os.environ.clear()
        os.environ.update(usual)
        async with home.client() as client:
            gateway = await add_gateway(client)
            for provider in running:
                await add(client, provider.name, seconds=30)
        await eventually(lambda: _serves(gateway), timeout=60)
        yield home, gateway
    finally:
        os.environ.clear()
        os.environ.update(usual)
        home.kill()


async def _serves(gateway: Gateway) -> bool:
    headers = {"Authorization": f"Bearer {gateway.key}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(f"{gateway.base_url}/models") as response:
        return MODEL in {model["id"] for model in (await response.json())["data"]}


async def differences(gateway: Gateway, ended: list[Request]) -> list[str]:
    """Each answered request whose recorded usage is not what its client saw."""
    found: list[str] = []
    headers = {"Authorization": f"Bearer {gateway.key}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for request in ended:
            if request.outcome is not Outcome.ANSWERED:
                continue
            async with session.get(f"{gateway.base_url}/generation", params={"id": request.id}) as response:
                record = (await response.json()).get("data")
            if record is None:
                found.append(f"{request.id}: no record")
            elif (recorded := (record["tokens_prompt"], record["tokens_completion"])) != (
                seen := (request.prompt_tokens, request.completion_tokens)
            ):
                found.append(f"{request.id}: recorded {recorded}, the client saw {seen}")
            elif record["status"] != "ok":
                found.append(f"{request.id}: recorded as {record['status']}")
    return found


def shown(count: Counter[Outcome]) -> str:
    """`12 answered, 3 refused, …`."""
    return ", ".join(f"{count[outcome]} {outcome}" for outcome in Outcome)
