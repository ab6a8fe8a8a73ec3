"""Advertising by real mDNS packets, which stay on the loopback interface."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address
import itertools
import os
from typing import Any

import pytest
from zeroconf import ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from tests.support.waiting import AT_ONCE, GIVE_UP_SECONDS, observe, until
from zeroconf_ai.lan import advertiser as advertise
from zeroconf_ai.lan.advertiser import Advertiser
from zeroconf_ai.protocol.record import SATURN_TYPE, SERVICE_TYPE, Auth, Capability, RecordError, ServiceRecord

pytestmark = pytest.mark.usefixtures("own_loopback")

LOOPBACK = ip_address("127.0.0.1")
_NUMBER = itertools.count()


def record(**fields: Any) -> ServiceRecord:
    """A record with a unique name, so that tests do not affect each other."""
    number = next(_NUMBER)
    base: dict[str, Any] = {
        "name": f"Advertised {os.getpid()} {number}",
        "host": f"advertised-{os.getpid()}-{number}.local.",
        "port": 8000 + number,
        "id": f"id-{number}",
        "addresses": (LOOPBACK,),
        "models": ("demo-rules",),
        "capabilities": frozenset({Capability.TOOLS}),
    }
    return ServiceRecord(**(base | fields))


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask only for a moment whether a name is free, where the test is about something else."""
    monkeypatch.setattr(advertise, "PROBE_MILLISECONDS", 50)


@pytest.fixture
def patience(hurry: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask as long as in earnest."""
    monkeypatch.setattr(advertise, "PROBE_MILLISECONDS", 1500)


@asynccontextmanager
async def zeroconf() -> AsyncIterator[AsyncZeroconf]:
    instance = AsyncZeroconf(interfaces=["127.0.0.1"])
    try:
        yield instance
    finally:
        await instance.async_close()


@pytest.fixture
async def network() -> AsyncIterator[AsyncZeroconf]:
    async with zeroconf() as instance:
        yield instance


class Listener:
    """Another host: what it sees of the services."""

    def __init__(self, instance: AsyncZeroconf) -> None:
        self.zeroconf = instance
        self.changes: list[tuple[str, ServiceStateChange, float]] = []
        self._changed = asyncio.Event()

    def __call__(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        self.changes.append((name, state_change, asyncio.get_running_loop().time()))
        self._changed.set()

    async def until(self, condition: Callable[[], bool], seconds: float = GIVE_UP_SECONDS) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def count(self, name: str, change: ServiceStateChange) -> int:
        return sum(1 for known, kind, _ in self.changes if (known, kind) == (name, change))

    async def look_up(self, name: str) -> AsyncServiceInfo:
        info = AsyncServiceInfo(name.partition(".")[2], name)
        assert await info.async_request(self.zeroconf.zeroconf, 3000)
        return info


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    async with zeroconf() as instance:
        found = Listener(instance)
        browser = AsyncServiceBrowser(instance.zeroconf, [SERVICE_TYPE, SATURN_TYPE], handlers=[found])
        yield found
        await browser.async_cancel()


@asynccontextmanager
async def advertised(instance: AsyncZeroconf, of: ServiceRecord, **options: Any) -> AsyncIterator[Advertiser]:
    advertiser = Advertiser(instance, of, **options)
    await advertiser.start()
    try:
        yield advertiser
    finally:
        await advertiser.close()


async def test_advertiser_registers_both_service_types_with_their_records(network: AsyncZeroconf, listener: Listener) -> None:
    of = record(priority=42, auth=Auth.TOKEN)
    async with advertised(network, of):
        ours, saturn = f"{of.name}.{SERVICE_TYPE}", f"{of.name}.{SATURN_TYPE}"
        await listener.until(lambda: {ours, saturn} <= {name for name, _, _ in listener.changes})
        info = await listener.look_up(ours)
        assert info.decoded_properties == of.to_txt()
        assert (info.port, info.server, info.priority) == (of.port, of.host, 42)
        assert info.parsed_addresses() == ["127.0.0.1"]
        other = await listener.look_up(saturn)
        assert other.decoded_properties == of.to_saturn_txt()
        assert other.priority == 42


async def test_advertiser_records_have_a_ttl_of_two_minutes(network: AsyncZeroconf, listener: Listener) -> None:
    of = record()
    async with advertised(network, of):
        ours = f"{of.name}.{SERVICE_TYPE}"
        await listener.until(lambda: bool(listener.count(ours, ServiceStateChange.Added)))
        await listener.look_up(ours)
        cached = listener.zeroconf.zeroconf.cache.entries_with_name(ours.lower())
        assert {entry.ttl for entry in cached} == {120}


async def test_advertiser_without_saturn_registers_one_service_type(network: AsyncZeroconf, listener: Listener) -> None:
    of = record()
    async with advertised(network, of, saturn=False):
        await listener.until(lambda: bool(listener.changes))
        await asyncio.sleep(0.3)
        assert {name for name, _, _ in listener.changes} == {f"{of.name}.{SERVICE_TYPE}"}


async def test_advertiser_closed_sends_goodbyes_for_both_types(network: AsyncZeroconf, listener: Listener) -> None:
    of = record()
    ours, saturn = f"{of.name}.{SERVICE_TYPE}", f"{of.name}.{SATURN_TYPE}"
    async with advertised(network, of) as advertiser:
        await listener.until(lambda: {ours, saturn} <= {name for name, _, _ in listener.changes})
        began = asyncio.get_running_loop().time()
        await advertiser.close()
        await listener.until(
            lambda: bool(listener.count(ours, ServiceStateChange.Removed) and listener.count(saturn, ServiceStateChange.Removed))
        )
        assert asyncio.get_running_loop().time() - began < AT_ONCE
        await advertiser.close()


@pytest.mark.usefixtures("patience")
async def test_advertiser_name_in_use_gets_a_number_under_both_types(network: AsyncZeroconf) -> None:
    of = record()
    async with (
        zeroconf() as second,
        zeroconf() as third,
        advertised(network, of) as first,
        advertised(second, replace(of, host="second.local.", id="b")) as renamed,
        advertised(third, replace(of, host="third.local.", id="c")) as again,
    ):
        assert [advertiser.record.name for advertiser in (first, renamed, again)] == [of.name, f"{of.name} (2)", f"{of.name} (3)"]
        info = AsyncServiceInfo(SATURN_TYPE, f"{of.name} (3).{SATURN_TYPE}")
        assert await info.async_request(network.zeroconf, 3000)
        assert info.decoded_properties["id"] == "c"


@pytest.mark.usefixtures("patience")
async def test_advertiser_name_in_use_as_saturn_only_gets_a_number(network: AsyncZeroconf) -> None:
    of = record()
    taken = AsyncServiceInfo(
        SATURN_TYPE,
        f"{of.name}.{SATURN_TYPE}",
        port=1,
        server="other.local.",
        parsed_addresses=["127.0.0.1"],
        properties={"v": "2"},
    )
    await (await network.async_register_service(taken))
    async with zeroconf() as second, advertised(second, of) as renamed:
        assert renamed.record.name == f"{of.name} (2)"


@pytest.mark.usefixtures("patience")
async def test_advertiser_name_in_use_for_long_gets_a_number(network: AsyncZeroconf) -> None:
    of = record()
    async with advertised(network, of):
        await asyncio.sleep(2)  # no advertisement is in transit: only a query finds the name
        async with zeroconf() as second, advertised(second, replace(of, host="b.local.", id="b")) as renamed:
            assert renamed.record.name == f"{of.name} (2)"


async def test_advertiser_closed_frees_its_name(network: AsyncZeroconf) -> None:
    of = record()
    async with advertised(network, of):
        pass
    async with advertised(network, of) as again:
        assert again.record.name == of.name


async def test_advertiser_second_with_the_same_name_gets_a_number(network: AsyncZeroconf) -> None:
    of = record()
    async with advertised(network, of), advertised(network, replace(of, host="b.local.", id="b", port=9)) as second:
        assert second.record.name == f"{of.name} (2)"


async def test_advertisers_of_one_program_starting_together_get_two_names(network: AsyncZeroconf) -> None:
    of = record()
    first, second = Advertiser(network, of), Advertiser(network, replace(of, host="b.local.", id="b"))
    try:
        await asyncio.gather(first.start(), second.start())
        assert {first.record.name, second.record.name} == {of.name, f"{of.name} (2)"}
    finally:
        await first.close()
        await second.close()


@pytest.mark.usefixtures("patience")
async def test_advertisers_of_two_hosts_starting_together_get_two_names() -> None:
    of = record(host="aaa.local.")
    async with zeroconf() as one, zeroconf() as two:
        first, second = Advertiser(one, of), Advertiser(two, replace(of, host="bbb.local.", id="other"))
        try:
            await asyncio.gather(first.start(), second.start())
            async with asyncio.timeout(GIVE_UP_SECONDS):
                while second.record.name == first.record.name:
                    await asyncio.sleep(0.05)
            assert {first.record.name, second.record.name} == {of.name, f"{of.name} (2)"}
            async with zeroconf() as third:
                for name, identity in ((first.record.name, of.id), (second.record.name, "other")):
                    info = AsyncServiceInfo(SERVICE_TYPE, f"{name}.{SERVICE_TYPE}")
                    async with asyncio.timeout(GIVE_UP_SECONDS):
                        while not await info.async_request(third.zeroconf, 1000):
                            pass  # the second one is still checking its new name
                    assert info.decoded_properties["id"] == identity
        finally:
            await first.close()
            await second.close()


async def test_advertiser_change_is_sent_immediately_under_the_same_name(network: AsyncZeroconf, listener: Listener) -> None:
    of = record()
    ours = f"{of.name}.{SERVICE_TYPE}"
    async with advertised(network, of) as advertiser:
        await listener.until(lambda: bool(listener.count(ours, ServiceStateChange.Added)))
        await asyncio.sleep(advertise.COALESCE_SECONDS)
        before = listener.count(ours, ServiceStateChange.Updated)
        began = asyncio.get_running_loop().time()
        advertiser.update(replace(of, models=("demo-rules", "new-one"), priority=7, name="Ignored"))
        await listener.until(lambda: listener.count(ours, ServiceStateChange.Updated) > before)
        assert asyncio.get_running_loop().time() - began < AT_ONCE
        info = await listener.look_up(ours)
        assert info.decoded_properties["models"] == "demo-rules,new-one"
        assert (info.decoded_properties["priority"], info.priority) == ("7", 7)
        assert not listener.count(ours, ServiceStateChange.Removed)
        assert advertiser.record.name == of.name


async def test_advertiser_many_changes_are_sent_as_one(
    network: AsyncZeroconf, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advertise, "COALESCE_SECONDS", 1.0)
    of = record()
    ours = f"{of.name}.{SERVICE_TYPE}"
    async with advertised(network, of) as advertiser:
        await listener.until(lambda: bool(listener.count(ours, ServiceStateChange.Added)))
        announced: list[AsyncServiceInfo] = []

        def told() -> list[str | None]:
            return [info.decoded_properties["models"] for info in announced if info.type == SERVICE_TYPE]

        update_service = network.async_update_service

        async def note(info: AsyncServiceInfo) -> Any:
            announced.append(info)
            return await update_service(info)

        monkeypatch.setattr(network, "async_update_service", note)
        began = asyncio.get_running_loop().time()
        for number in range(20):
            advertiser.update(replace(of, models=(f"m{number}",)))
            await asyncio.sleep(0.05)
        seconds = asyncio.get_running_loop().time() - began
        await until(lambda: "m19" in told())
        await observe(1.2)
        texts = told()
        assert 1 <= len(texts) <= seconds + 1
        assert texts[-1] == "m19"
        advertiser.update(replace(of, models=("m19",)))
        await observe(1.2)
        assert told() == texts


async def test_advertiser_records_are_refreshed_before_they_expire(
    network: AsyncZeroconf, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advertise, "REFRESH_SECONDS", 0.4)
    of = record()
    key = f"{of.name}.{SERVICE_TYPE}".lower()

    def created() -> float:
        return max((entry.created for entry in listener.zeroconf.zeroconf.cache.entries_with_name(key)), default=0.0)

    async with advertised(network, of):
        await asyncio.sleep(1.5)  # the announcements of the start are through
        first = created()
        assert first > 0
        await until(lambda: created() > first)


async def test_advertiser_invalid_record_is_refused_and_the_former_stays(network: AsyncZeroconf) -> None:
    too_long = "x" * 300
    with pytest.raises(RecordError):
        Advertiser(network, record(admin=too_long))
    of = record()
    async with advertised(network, of) as advertiser:
        with pytest.raises(RecordError):
            advertiser.update(replace(of, admin=too_long))
        assert advertiser.record == of


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpu.example.lan", "gpu example lan"),
        ("ü" * 40, "ü" * 31),
        (" . ", "ZeroConf AI"),
        ("Büro 🏠", "Büro 🏠"),
        ("a\x1b[31m\x7fb\udcff", "a[31mb"),
    ],
)
async def test_advertiser_names_are_converted_to_dns_labels(network: AsyncZeroconf, name: str, expected: str) -> None:
    async with advertised(network, record(name=name)) as advertiser:
        assert advertiser.record.name == expected
        info = AsyncServiceInfo(SERVICE_TYPE, f"{expected}.{SERVICE_TYPE}")
        async with zeroconf() as other:
            assert await info.async_request(other.zeroconf, 3000)


async def test_advertiser_change_before_the_start_is_part_of_the_first_record(network: AsyncZeroconf, listener: Listener) -> None:
    of = record()
    advertiser = Advertiser(network, of)
    advertiser.update(replace(of, models=("late",)))
    await advertiser.start()
    await listener.until(lambda: bool(listener.changes))
    assert (await listener.look_up(f"{of.name}.{SERVICE_TYPE}")).decoded_properties["models"] == "late"
    await advertiser.close()


async def test_advertiser_closed_before_the_start_does_nothing(network: AsyncZeroconf) -> None:
    await Advertiser(network, record()).close()
