"""Connectors in the database."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from zeroconf_ai.accounting.connectors import MAX_CONNECTORS, PairedConnector
from zeroconf_ai.accounting.one_time_codes import OneTimeCodes, Purpose
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.protocol.errors import InvalidRequestError, NotFoundError

CODE = OneTimeCodes().make(Purpose.RELAY, actor="key-of-anna")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[AccountingStore]:
    """An open store."""
    opened = await AccountingStore.open(tmp_path / "a.db")
    yield opened
    await opened.close()


async def test_connector_paired_is_found_by_its_key(store: AccountingStore) -> None:
    made = await store.connectors.add(b"k" * 32, "GPU box", CODE)
    assert await store.connectors.find(b"k" * 32) == made
    assert await store.connectors.find(b"x" * 32) is None
    assert await store.connectors.list() == (made,)
    assert [(event.actor, event.act, event.subject) for event in await store.audit.list()] == [
        ("key-of-anna", "connector.pair", made.id)
    ]


async def test_connector_paired_again_keeps_its_id_and_is_enabled(store: AccountingStore) -> None:
    first = await store.connectors.add(b"k" * 32, "GPU box", CODE)
    await store.connectors.update(first.id, enabled=False)
    again = await store.connectors.add(b"k" * 32, "Attic", CODE)
    assert (again.id, again.name, again.enabled, again.created) == (first.id, "Attic", True, first.created)
    assert len(await store.connectors.list()) == 1


async def test_connector_renamed_disabled_and_removed(store: AccountingStore) -> None:
    made = await store.connectors.add(b"k" * 32, "GPU box", CODE)
    assert (await store.connectors.update(made.id, name=" Attic\n")).name == "Attic"
    assert not (await store.connectors.update(made.id, enabled=False)).enabled
    await store.connectors.seen(made.id)
    found = await store.connectors.find(b"k" * 32)
    assert isinstance(found, PairedConnector)
    assert found.last_seen is not None
    await store.connectors.remove(made.id)
    assert await store.connectors.list() == ()


async def test_connector_unknown_or_without_a_name_is_an_error(store: AccountingStore) -> None:
    with pytest.raises(NotFoundError):
        await store.connectors.update("unknown", enabled=True)
    with pytest.raises(NotFoundError):
        await store.connectors.remove("unknown")
    made = await store.connectors.add(b"k" * 32, "GPU box", CODE)
    with pytest.raises(InvalidRequestError):
        await store.connectors.update(made.id, name=" ")


async def test_connectors_are_bounded(store: AccountingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeroconf_ai.accounting.connectors.MAX_CONNECTORS", 2)
    for number in range(2):
        await store.connectors.add(bytes([number]) * 32, "GPU box", CODE)
    with pytest.raises(InvalidRequestError):
        await store.connectors.add(b"k" * 32, "GPU box", CODE)
    assert MAX_CONNECTORS == 256
