"""The advertisements that are kept: bounded, so that a flood of them neither fills the memory nor keeps real providers out."""

from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address

from ..protocol.record import ServiceRecord

type Key = tuple[str, str]
"""Service type and full name."""

MAX_ADVERTISEMENTS = 256
"""More than a household has."""
MAX_PROTECTED_AT_ONE_ADDRESS = 16
"""Providers of one address that keep their place because they have answered."""


class Advertisements:
    """Records by key. When it is full, a new record takes the place of one whose provider never answered."""

    def __init__(self, is_known: Callable[[ServiceRecord], bool]) -> None:
        """`is_known` says whether a record's provider has answered or was confirmed."""
        self._is_known = is_known
        self._records: dict[Key, ServiceRecord] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._records)

    def __iter__(self) -> Iterator[ServiceRecord]:
        """All records."""
        return iter(self._records.values())

    def get(self, key: Key) -> ServiceRecord | None:
        """The record of a key."""
        return self._records.get(key)

    def pop(self, key: Key) -> ServiceRecord | None:
        """Remove the record of a key."""
        return self._records.pop(key, None)

    def set(self, key: Key, record: ServiceRecord) -> None:
        """Keep a record. Make room first."""
        self._records[key] = record

    def to_displace(self, key: Key) -> Key | None:
        """The key that has to go before `key` can be kept; None where there is room. Raises OverflowError where none may go."""
        if key in self._records or len(self._records) < MAX_ADVERTISEMENTS:
            return None
        crowd = Counter(_address(record) for record in self._records.values())
        candidates = {
            kept: (not self._is_known(record), crowd[_address(record)])
            for kept, record in self._records.items()
            if not self._is_known(record) or crowd[_address(record)] > MAX_PROTECTED_AT_ONE_ADDRESS
        }
        if not candidates:
            raise OverflowError("all providers that are advertised have answered")
        return max(candidates, key=lambda kept: candidates[kept])  # the oldest of those that are alike


def _address(record: ServiceRecord) -> IPv4Address | IPv6Address | str:
    return record.addresses[0] if record.addresses else record.host
