"""Trust on first use, and that it outlives the program."""

from dataclasses import replace
from pathlib import Path

import pytest

from zeroconf_ai.lan.trust import Trust, TrustStore
from zeroconf_ai.protocol.record import ServiceRecord

RECORD = ServiceRecord(name="Gaming PC", host="pc.local.", port=8000, id="id-1", tls=True, fingerprint="abc")


def test_trust_first_provider_is_new_and_known_after_confirmation() -> None:
    store = TrustStore()
    assert store.judge(RECORD) is Trust.NEW
    store.confirm(RECORD)
    assert store.judge(RECORD) is Trust.KNOWN
    assert store.judge(replace(RECORD, name="Renamed", host="other.local.")) is Trust.KNOWN


@pytest.mark.parametrize(
    "changed", [replace(RECORD, id="id-2"), replace(RECORD, fingerprint="xyz"), replace(RECORD, fingerprint=None)]
)
def test_trust_another_id_or_certificate_is_changed(changed: ServiceRecord) -> None:
    store = TrustStore()
    store.confirm(RECORD)
    assert store.judge(changed) is Trust.CHANGED


def test_trust_without_a_pinned_certificate_depends_on_the_address(tmp_path: Path) -> None:
    file = tmp_path / "trust.json"
    plain = replace(RECORD, tls=False, fingerprint=None)
    TrustStore(file).confirm(plain)
    store = TrustStore(file)
    assert store.judge(plain) is Trust.KNOWN
    assert store.judge(replace(plain, port=8001)) is Trust.MOVED
    store.confirm(plain, "http://192.0.2.1:8000/v1")
    assert store.judge(plain) is Trust.MOVED
    file.write_text('[{"id": "id-1", "name": "Gaming PC"}]')  # of a version that kept no address
    assert TrustStore(file).judge(plain) is Trust.MOVED


def test_trust_confirmed_again_is_replaced_and_forgotten_is_new(tmp_path: Path) -> None:
    file = tmp_path / "state" / "trust.json"
    store = TrustStore(file)
    store.confirm(RECORD)
    store.confirm(replace(RECORD, id="id-2"))
    again = TrustStore(file)
    assert again.judge(replace(RECORD, id="id-2")) is Trust.KNOWN
    assert again.judge(RECORD) is Trust.CHANGED
    again.forget("id-2")
    again.forget("never there")
    assert TrustStore(file).judge(RECORD) is Trust.NEW


@pytest.mark.parametrize("content", [b"", b"{", b"[{}]", b"7", b'[{"id": 1}]'])
def test_trust_unreadable_file_is_renamed(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "trust.json"
    file.write_bytes(content)
    assert TrustStore(file).judge(RECORD) is Trust.NEW
    assert file.with_suffix(".unreadable").read_bytes() == content
    assert "cannot be read" in caplog.text
