"""Changing advertisements in Home Assistant: real packets of a host on the LAN."""

from dataclasses import replace

from zeroconf.asyncio import AsyncZeroconf

from devhome.client import HomeClient, eventually
from devhome.namespaces import Lan
from tests.support.fakes.provider import FakeProvider, running
from tests.support.waiting import observe
from zeroconf_ai.protocol.record import SATURN_TYPE, SERVICE_TYPE

from .advertised import info, record_of_tester
from .steps import DOMAIN, add, discovered, enable, state_is


async def test_advertisement_change_is_seen_within_a_second(
    client: HomeClient, provider: FakeProvider, network: AsyncZeroconf
) -> None:
    record = record_of_tester(provider)
    await (await network.async_register_service(info(record)))
    entry = await add(client, "Tester")
    await enable(client, entry, "sensor.tester_models", "number.tester_priority")
    await state_is(client, "sensor.tester_models", "1")
    await state_is(client, "number.tester_priority", "100")
    provider.models = ["test-model", "second-model"]
    changed = replace(record, models=("test-model", "second-model"), priority=7)
    await network.async_update_service(info(changed))
    await state_is(client, "sensor.tester_models", "2", seconds=1)
    await state_is(client, "number.tester_priority", "7", seconds=1)


async def test_both_service_types_make_one_card(client: HomeClient, provider: FakeProvider, network: AsyncZeroconf) -> None:
    record = record_of_tester(provider)
    for service_type in (SATURN_TYPE, SERVICE_TYPE):
        await (await network.async_register_service(info(record, service_type)))
    await discovered(client, "Tester")
    await observe(2)  # enough time for a second card
    assert len(await client.flows_in_progress(DOMAIN)) == 1


async def test_discovered_newer_major_version_has_no_card(
    client: HomeClient, provider: FakeProvider, network: AsyncZeroconf
) -> None:
    newer = replace(record_of_tester(provider), name="Newer", id="newer")
    await (await network.async_register_service(info(newer, version="2.0")))
    await (await network.async_register_service(info(record_of_tester(provider))))
    await discovered(client, "Tester")
    assert len(await client.flows_in_progress(DOMAIN)) == 1


async def test_impostor_with_a_known_id_does_not_get_the_key(
    client: HomeClient, lan: Lan, provider: FakeProvider, network: AsyncZeroconf
) -> None:
    provider.key = "zai_example-household-key"
    record = record_of_tester(provider)
    service = info(record, auth="token")
    await (await network.async_register_service(service))
    await add(client, "Tester", key=provider.key)
    await state_is(client, "sensor.tester_status", "healthy")
    async with running(FakeProvider(host=provider.host, id="another", key="zai_example-other", open_health=False)) as impostor:
        moved = info(replace(record, port=impostor.port), auth="token")
        await provider.stop()
        await network.async_update_service(moved)

        async def asked() -> bool:
            return bool(impostor.paths)

        await eventually(asked, timeout=10)
        await client.call_service("homeassistant", "update_entity", {"entity_id": "sensor.tester_status"})

        async def repair() -> bool:
            issues = (await client.call("repairs/list_issues"))["issues"]
            return any(issue["issue_id"].startswith("identity_changed") for issue in issues)

        await eventually(repair, timeout=10)
        assert set(impostor.keys) == {None}
