"""Advertisements of a provider on the tester's host, whose answers a test sets."""

from dataclasses import replace
from ipaddress import ip_address

from zeroconf.asyncio import AsyncServiceInfo

from tests.support.fakes.provider import FakeProvider
from zeroconf_ai.protocol.record import SERVICE_TYPE, ServiceRecord


def record_of_tester(provider: FakeProvider, **fields: object) -> ServiceRecord:
    """The provider's advertisement."""
    base = ServiceRecord(
        name="Tester",
        host="tester.local.",
        port=provider.port,
        addresses=(ip_address(provider.host),),
        id=provider.id or "",
        models=("test-model",),
    )
    return replace(base, **fields)  # type: ignore[arg-type]


def info(record: ServiceRecord, service_type: str = SERVICE_TYPE, **txt: str) -> AsyncServiceInfo:
    """The service that advertises it."""
    properties = record.to_txt() if service_type == SERVICE_TYPE else record.to_saturn_txt()
    return AsyncServiceInfo(
        service_type,
        f"{record.name}.{service_type}",
        port=record.port,
        server=record.host,
        parsed_addresses=[str(address) for address in record.addresses],
        properties=properties | txt,
        host_ttl=120,
        other_ttl=120,
    )
