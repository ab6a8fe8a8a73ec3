"""Client certificates among the keys, in both kinds of databases and in two processes."""

from collections.abc import AsyncIterator
import time

import pytest

from zeroconf_ai.accounting.keys.certificates import ExpiredCertificateError, UnknownCertificateError, certificate_digest
from zeroconf_ai.accounting.keys.key_store import KeyStore
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.protocol.errors import AuthenticationError, InvalidRequestError, PermissionDeniedError

from ..conftest import FreshDatabase

FIRST, SECOND, THIRD = (certificate_digest(name) for name in (b"first", b"second", b"third"))
LATER = time.time() + 90 * 86_400.0


@pytest.fixture
async def stores(fresh_database: FreshDatabase) -> AsyncIterator[tuple[AccountingStore, AccountingStore]]:
    """Two processes with one database."""
    first = await AccountingStore.open(fresh_database.url)
    second = await AccountingStore.open(fresh_database.url)
    yield first, second
    await second.close()
    await first.close()


def names(keys: KeyStore, *digests: bytes) -> list[str]:
    """Whose certificates these are, or why they are refused."""
    found = []
    for digest in digests:
        try:
            found.append(keys.verify_certificate(digest).name)
        except (AuthenticationError, PermissionDeniedError) as err:
            found.append(str(err.code))
    return found


async def test_certificate_is_known_to_all_processes_with_the_fields_of_a_key(
    stores: tuple[AccountingStore, AccountingStore],
) -> None:
    keys, others = (store.keys for store in stores)
    await keys.adopt("Laptop", FIRST, "0a1b2c3d", models=("a*",), parallel=2, certificate_expires=LATER)
    assert names(others, FIRST) == ["invalid_certificate"]
    await others.refresh()
    key = others.verify_certificate(FIRST)
    assert (key.certificate, key.models, key.parallel, key.certificate_expires) == (True, ("a*",), 2, LATER)
    await others.update(key.id, enabled=False)
    await keys.refresh()
    assert names(keys, FIRST) == ["key_disabled"]


async def test_certificate_has_no_secret(stores: tuple[AccountingStore, AccountingStore]) -> None:
    keys = stores[0].keys
    key = await keys.adopt("Laptop", FIRST, "zai_0a1b", certificate_expires=LATER)
    _, secret = await keys.create("Phone")
    with pytest.raises(InvalidRequestError, match="no secret"):
        await keys.rotate(key.id)
    with pytest.raises(UnknownCertificateError):
        keys.verify_certificate(certificate_digest(secret.encode()))
    assert not keys.knows_certificate(next(digest for digest, found in keys._by_digest.items() if found[0] != key.id))


async def test_renewed_certificate_leaves_the_presented_one_valid_until_it_expires(
    stores: tuple[AccountingStore, AccountingStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, others = (store.keys for store in stores)
    soon = time.time() + 1000
    await keys.adopt("Laptop", FIRST, "01", certificate_expires=soon)
    await keys.renew(FIRST, SECOND, "02", LATER)
    renewed = await keys.renew(FIRST, THIRD, "03", LATER)  # the answer with the second one was lost
    assert (renewed.prefix, renewed.certificate_expires, renewed.former_until) == ("03", LATER, soon)
    await others.refresh()
    for found in (keys, others):
        assert names(found, FIRST, SECOND, THIRD) == ["Laptop", "invalid_certificate", "Laptop"]
    now = time.time
    monkeypatch.setattr("zeroconf_ai.accounting.keys.key_store.time.time", lambda: now() + 1001)
    assert names(others, FIRST, THIRD) == ["certificate_expired", "Laptop"]
    with pytest.raises(ExpiredCertificateError):
        await keys.renew(FIRST, SECOND, "02", LATER)


async def test_certificate_of_a_client_that_enrols_again_replaces_all_former_ones(
    stores: tuple[AccountingStore, AccountingStore],
) -> None:
    keys, others = (store.keys for store in stores)
    key = await keys.adopt("Laptop", FIRST, "01", certificate_expires=time.time() - 1)
    await keys.replace_certificate(key.id, SECOND, "02", LATER, actor="anna")
    await others.refresh()
    for found in (keys, others):
        assert names(found, FIRST, SECOND) == ["invalid_certificate", "Laptop"]
    phone, _ = await keys.create("Phone")
    with pytest.raises(InvalidRequestError):
        await keys.replace_certificate(phone.id, THIRD, "03", LATER)
    with pytest.raises(KeyError):
        await keys.replace_certificate("unknown", THIRD, "03", LATER)
    assert ("anna", "key.enroll_again", key.id) in [(act.actor, act.act, act.subject) for act in await stores[0].audit.list()]


async def test_ended_certificates_are_expired_everywhere_and_keys_stay_valid(
    stores: tuple[AccountingStore, AccountingStore],
) -> None:
    keys, others = (store.keys for store in stores)
    await keys.adopt("Laptop", FIRST, "01", certificate_expires=LATER)
    await keys.renew(FIRST, SECOND, "02", LATER)
    await keys.adopt("Tablet", THIRD, "03", certificate_expires=LATER)
    _, secret = await keys.create("Phone")
    await others.refresh()
    await keys.end_certificates()
    await others.refresh()
    for found in (keys, others):
        assert names(found, FIRST, SECOND, THIRD) == ["invalid_certificate", "certificate_expired", "certificate_expired"]
        assert found.verify(secret).name == "Phone"
