"""`Advertisements`: a flood of records does not displace real providers."""

from ipaddress import ip_address

import pytest

from zeroconf_ai.lan.advertisements import MAX_ADVERTISEMENTS, MAX_PROTECTED_AT_ONE_ADDRESS, Advertisements
from zeroconf_ai.protocol.record import SERVICE_TYPE, ServiceRecord

from ...support.fakes.lan import advert


class Table(Advertisements):
    """A table, and the providers that have answered."""

    def __init__(self) -> None:
        self.answered: set[str] = set()
        super().__init__(lambda record: record.id in self.answered)

    def hear(self, record: ServiceRecord) -> str | None:
        """Keep a record as the discovery does; the name that had to go."""
        key = (SERVICE_TYPE, record.name)
        displaced = self.to_displace(key)
        if displaced is not None:
            self.pop(displaced)
        self.set(key, record)
        return displaced and displaced[1]


def test_advertisements_full_of_fakes_keep_known_providers_and_accept_new_ones() -> None:
    table = Table()
    table.hear(advert(0))
    table.answered.add("id-0")
    for number in range(1, 2001):
        table.hear(advert(number))
    names = {record.name for record in table}
    assert len(table) == MAX_ADVERTISEMENTS
    assert {"P0", "P2000"} <= names, "the answering one and the newest"


def test_advertisements_full_displace_the_most_frequent_address_first() -> None:
    table = Table()
    for number in range(MAX_ADVERTISEMENTS - 3):
        table.hear(advert(number))
    crowd = (ip_address("10.9.9.9"),)
    for number in range(3):
        table.hear(advert(1000 + number, addresses=crowd))
    assert table.hear(advert(2000)) == "P1000"
    assert table.hear(advert(2001)) == "P1001"
    assert table.hear(advert(2002)) == "P0", "the oldest of those that are alike"


def test_advertisements_of_one_host_with_many_names_keep_only_its_share() -> None:
    table = Table()
    same = (ip_address("10.9.9.9"),)
    for number in range(MAX_ADVERTISEMENTS):
        table.hear(advert(number, addresses=same, port=8000 + number))
        table.answered.add(f"id-{number}")
    for number in range(1000, 1000 + MAX_ADVERTISEMENTS):
        table.answered.add(f"id-{number}")
        try:
            table.hear(advert(number))
        except OverflowError:
            break
    left = [record for record in table if record.addresses == same]
    assert len(left) == MAX_PROTECTED_AT_ONE_ADDRESS
    with pytest.raises(OverflowError):
        table.hear(advert(5000))


def test_advertisements_full_update_a_stored_name() -> None:
    table = Table()
    for number in range(MAX_ADVERTISEMENTS):
        table.hear(advert(number))
    assert table.hear(advert(7, port=9000)) is None
    changed = table.get((SERVICE_TYPE, "P7"))
    assert changed is not None
    assert changed.port == 9000
