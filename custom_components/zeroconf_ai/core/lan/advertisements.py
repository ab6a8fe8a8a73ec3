"""`Advertisements`: a bounded store, so that a flood of records neither fills the memory nor displaces real providers."""

from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address

from ..protocol.record import ServiceRecord

type Key = tuple[str, str]
"""Service type and full name."""

MAX_ADVERTISEMENTS = 256
"""More than a household needs."""
MAX_PROTECTED_AT_ONE_ADDRESS = 16
"""Known providers of one address that cannot be displaced."""


class Advertisements:
    """Service records by key. When full, a new record displaces one whose provider never answered."""

    def __init__(self, is_known: Callable[[ServiceRecord], bool]) -> None:
        """`is_known` returns whether a record's provider has answered or was confirmed."""
        self._is_known = is_known
        self._records: dict[Key, ServiceRecord] = {}

    def __len__(self) -> int:
        """The number of records."""
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
        """Store a record; remove the one returned by `to_displace` first."""
        self._records[key] = record

    def to_displace(self, key: Key) -> Key | None:
        """The key to remove before `key` is stored; None if there is space. Raises OverflowError if none may be removed."""
        if key in self._records or len(self._records) < MAX_ADVERTISEMENTS:
            return None
        crowd = Counter(_address(record) for record in self._records.values())
        candidates = {
            kept: (not self._is_known(record), crowd[_address(record)])
            for kept, record in self._records.items()
            if not self._is_known(record) or crowd[_address(record)] > MAX_PROTECTED_AT_ONE_ADDRESS
        }
        if not candidates:
            raise OverflowError("the store is full and all its providers have answered")
        return max(candidates, key=lambda kept: candidates[kept])  # the oldest of equal candidates


def _address(record: ServiceRecord) -> IPv4Address | IPv6Address | str:
    return record.addresses[0] if record.addresses else record.host
