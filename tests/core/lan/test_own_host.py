"""Loopback addresses in advertisements: used only if a program on this host advertises them."""

from collections.abc import AsyncIterator
from ipaddress import ip_address

import pytest
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from zeroconf_ai.lan.own_host import without_foreign_loopback
from zeroconf_ai.protocol.record import SERVICE_TYPE, ServiceRecord

from ...support.fakes.lan import advert

pytestmark = pytest.mark.usefixtures("own_loopback")

HERE = advert(1, addresses=(ip_address("127.0.0.1"),))


@pytest.fixture
async def advertised() -> AsyncIterator[None]:
    """HERE is advertised by this host."""
    async with AsyncZeroconf(interfaces=["127.0.0.1"]) as network:
        service = AsyncServiceInfo(
            SERVICE_TYPE,
            f"{HERE.name}.{SERVICE_TYPE}",
            port=HERE.port,
            server=HERE.host,
            parsed_addresses=["127.0.0.1"],
            properties=HERE.to_txt(),
        )
        await (await network.async_register_service(service))
        yield


@pytest.mark.usefixtures("advertised")
@pytest.mark.parametrize(
    ("record", "own"),
    [
        (HERE, True),
        (advert(1, addresses=(ip_address("::1"),)), True),
        (advert(1, addresses=HERE.addresses, port=22), False),
        (advert(2, addresses=HERE.addresses), False),
        (advert(1, addresses=()), False),
    ],
    ids=["own", "own by IPv6", "another port", "another name", "no address"],
)
async def test_loopback_advertisement_of_this_host_is_used(record: ServiceRecord, *, own: bool) -> None:
    assert await without_foreign_loopback(record) == (record if own else None)


async def test_loopback_advertisement_of_another_host_is_not_used() -> None:
    assert await without_foreign_loopback(HERE) is None


async def test_loopback_address_beside_another_one_is_removed() -> None:
    both = advert(1, addresses=(ip_address("10.0.0.5"), ip_address("127.0.0.1"), ip_address("::ffff:127.0.0.1")))
    found = await without_foreign_loopback(both)
    assert found is not None
    assert found.addresses == (ip_address("10.0.0.5"),)
