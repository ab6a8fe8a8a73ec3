"""`locate`: a live provider is found at whichever of its addresses is alive."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

import aiohttp
import pytest
import pytest_socket

from tests.support.fakes.provider import FakeProvider, running
from zeroconf_ai.backends.locate import locate
from zeroconf_ai.protocol.errors import ApiError, IdentityChangedError, UpstreamConnectionError
from zeroconf_ai.protocol.record import MAX_ADDRESSES, ServiceRecord

FIRST, SECOND, THIRD = "127.0.0.2", "127.0.0.3", "127.0.0.4"


@pytest.fixture(autouse=True)
def loopback_hosts(loopback_only: None) -> None:
    """Allow the addresses of these tests, which are all this machine's."""
    pytest_socket.socket_allow_hosts([FIRST, SECOND, THIRD, "127.0.0.1"], allow_unix_socket=True)


def record(provider: FakeProvider, *addresses: str, **changes: object) -> ServiceRecord:
    """The provider's advertisement with these addresses."""
    found = tuple(map(ip_address, addresses))
    return ServiceRecord("P", "p.local.", provider.port, found, id=provider.id or "", **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def silent(host: str, port: int) -> AsyncIterator[None]:
    """Something that takes connections at an address and never answers."""
    writers: list[asyncio.StreamWriter] = []

    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(ignore, host, port)
    yield
    for writer in writers:
        writer.close()
    server.close()
    await server.wait_closed()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


async def test_locate_offline_first_address_uses_the_next(session: aiohttp.ClientSession) -> None:
    async with running(FakeProvider(host=SECOND)) as provider:
        found = await locate(session, record(provider, FIRST, SECOND))
        assert found.base_url == provider.base_url
        assert found.health is not None
        assert found.health.id == provider.id


async def test_locate_first_address_without_answer_does_not_delay_the_next(session: aiohttp.ClientSession) -> None:
    async with running(FakeProvider(host=SECOND)) as provider, silent(FIRST, provider.port):
        async with asyncio.timeout(4):  # the first one alone would be waited for 5 s
            assert (await locate(session, record(provider, FIRST, SECOND))).base_url == provider.base_url


async def test_locate_another_provider_at_the_first_address_is_skipped(session: aiohttp.ClientSession) -> None:
    async with (
        running(FakeProvider(host=SECOND)) as provider,
        running(FakeProvider(host=FIRST, port=provider.port, id="another")),
    ):
        assert (await locate(session, record(provider, FIRST, SECOND))).base_url == provider.base_url


async def test_locate_address_requiring_a_key_comes_after_one_with_the_id(session: aiohttp.ClientSession) -> None:
    async with (
        running(FakeProvider(host=SECOND)) as provider,
        running(FakeProvider(host=FIRST, port=provider.port, key="k", open_health=False)) as locked,
    ):
        assert (await locate(session, record(provider, FIRST, SECOND))).base_url == provider.base_url
        only = await locate(session, record(locked, FIRST, THIRD))
        assert (only.base_url, only.health) == (locked.base_url, None), "a 401 is an answer"


async def test_locate_first_address_is_preferred_if_all_answer(session: aiohttp.ClientSession) -> None:
    async with running(FakeProvider(host=FIRST)) as first, running(FakeProvider(host=SECOND, port=first.port)):
        assert (await locate(session, record(first, FIRST, SECOND))).base_url == first.base_url


async def test_locate_without_answer_raises_the_most_specific_error(session: aiohttp.ClientSession) -> None:
    async with running(FakeProvider(host=SECOND, id="another")) as other:
        with pytest.raises(IdentityChangedError):
            await locate(session, record(FakeProvider(port=other.port), FIRST, SECOND))
    with pytest.raises(UpstreamConnectionError):
        await locate(session, record(other, FIRST, SECOND))
    with pytest.raises(ApiError, match="fingerprint"):
        await locate(session, record(other, FIRST, tls=True, fingerprint="short"))


async def test_locate_ends_all_attempts(session: aiohttp.ClientSession) -> None:
    before = asyncio.all_tasks()
    async with running(FakeProvider(host=SECOND)) as provider, silent(FIRST, provider.port):
        await locate(session, record(provider, FIRST, SECOND))
        assert not {task for task in asyncio.all_tasks() - before if "_attempt" in repr(task.get_coro())}


def test_record_with_very_many_addresses_keeps_the_first_ones() -> None:
    addresses = [f"10.1.{number // 250}.{number % 250 + 1}" for number in range(1000)]
    read = ServiceRecord.from_txt({}, name="P", host="p.local.", port=8000, addresses=addresses)
    assert [str(address) for address in read.addresses] == addresses[:MAX_ADDRESSES]
