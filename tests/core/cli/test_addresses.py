"""A provider that advertises dead addresses beside the living one is found and talked to all the same."""

import asyncio
from collections.abc import AsyncIterator
import json
import os
from pathlib import Path

import pytest
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from tests.support.fakes.provider import FakeProvider, running, text
from zeroconf_ai.protocol.record import SERVICE_TYPE

from ...support.command import LO, run

pytestmark = pytest.mark.usefixtures("own_loopback")

DEAD = [f"127.0.0.{number}" for number in range(2, 9)]
"""Nothing listens at them. In which order an advertisement's addresses are read is left to python-zeroconf."""
NAME = f"Two addresses {os.getpid()}"


@pytest.fixture
async def provider() -> AsyncIterator[FakeProvider]:
    """A provider at 127.0.0.1 that is advertised at other addresses, too."""
    async with running(FakeProvider(answers=[text("here")])) as fake, AsyncZeroconf(interfaces=["127.0.0.1"]) as network:
        service = AsyncServiceInfo(
            SERVICE_TYPE,
            f"{NAME}.{SERVICE_TYPE}",
            port=fake.port,
            server="two-addresses.local.",
            parsed_addresses=[*DEAD, "127.0.0.1"],
            properties={"id": fake.id or "", "models": "test-model"},
        )
        await (await network.async_register_service(service))
        yield fake


async def test_discover_with_offline_addresses_finds_the_online_one(provider: FakeProvider, tmp_path: Path) -> None:
    done = await asyncio.to_thread(run, tmp_path, "discover", "--json", *LO)
    [found] = [entry for entry in json.loads(done.stdout) if entry["name"] == NAME]
    assert (found["url"], found["state"]) == (provider.base_url, "healthy")
    assert sorted(found["addresses"]) == ["127.0.0.1", *DEAD]


async def test_chat_with_offline_addresses_uses_the_online_one(provider: FakeProvider, tmp_path: Path) -> None:
    done = await asyncio.to_thread(run, tmp_path, "chat", "--provider", NAME, "hello", *LO)
    assert (done.returncode, done.stdout) == (0, "here\n")
    assert provider.requests
