"""Databases with keys, a budget and usage, and the ways in which they are damaged or deleted."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
import random
import sqlite3

import pytest

from zeroconf_ai.accounting.admission import AdmissionRequest
from zeroconf_ai.accounting.budget import Action, Scope
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.protocol.errors import UnavailableError
from zeroconf_ai.protocol.usage import Usage

from .conftest import Make

PAGE = 4096
KEYS = 300
SPENT = 7_000


def metered(**fields: object) -> AdmissionRequest:
    return replace(AdmissionRequest("http", "chat", "m", worst_costs={"cloud": 10}), **fields)  # type: ignore[arg-type]


_FILLED: dict[str, bytes] = {}
"""The file that `fill` made, by the id of its database."""


async def fill(address: Path | str, make: Make) -> str:
    """Keys, a budget with something spent of it, and usage; the id of the database."""
    if isinstance(address, Path) and _FILLED:
        [(known, content)] = _FILLED.items()
        make_folder(address)
        write(address, content)
        return known
    store = await AccountingStore.open(address)
    for number in range(KEYS):
        await store.keys.create(f"key {number}", labels=("Kitchen",))
    await store.budgets.set(Scope.HOUSEHOLD, None, 10_000, Period.MONTH, action=Action.REFUSE)
    admission = await store.admission_control.admit(metered(worst_costs={"cloud": SPENT}))
    first = next(iter(store.keys))
    record = make("g", cost=SPENT, backend_id="cloud", model="m", key_id=first.id, usage=Usage(10, 20))
    admission.reconcile(record)
    store.ledger.record(record)
    await store.close()
    if isinstance(address, Path):
        _FILLED[store.id] = content_of(address)
    return store.id


def damage(file: Path, change: Callable[[bytearray], bytes | bytearray]) -> None:
    file.write_bytes(change(bytearray(file.read_bytes())))


def write(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def make_folder(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)


def content_of(file: Path) -> bytes:
    return file.read_bytes()


def zero(start: int, end: int) -> Callable[[bytearray], bytearray]:
    def change(content: bytearray) -> bytearray:
        content[start:end] = bytes(end - start)
        return content

    return change


def garbage(first: int, pages: int) -> Callable[[bytearray], bytearray]:
    def change(content: bytearray) -> bytearray:
        content[first * PAGE : (first + pages) * PAGE] = random.Random(1).randbytes(pages * PAGE)
        return content

    return change


def remove(file: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)


def pages_of(file: Path, name: str) -> list[int]:
    """The numbers of the leaf pages of a table or index, from 0, as they lie in the file."""
    with closing(sqlite3.connect(file)) as connection:
        found = connection.execute("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path", (name,))
        return [number - 1 for (number,) in found]


async def is_closed(store: AccountingStore) -> bool:
    """Whether a metered backend is blocked while a free one answers."""
    admission = await store.admission_control.admit(metered(worst_costs={"cloud": 10, "local": 0}))
    closed = "cloud" in admission.barred
    assert "local" not in admission.barred
    if closed:
        with pytest.raises(UnavailableError) as caught:
            await store.admission_control.admit(metered())
        assert caught.value.code == "budgets_lost"
        assert store.admission_control.free_only
        assert store.admission_control.counts_money
    return closed
