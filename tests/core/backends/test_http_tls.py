"""Certificates: a pinned one is trusted, any other gets neither key nor request."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
import datetime as dt
import hashlib
import ipaddress
from pathlib import Path
import ssl

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
import pytest
from yarl import URL

from tests.core.backends.conftest import Make, error_of
from tests.support.fakes.upstream import Upstream, answers
from zeroconf_ai.engine import ask_health
from zeroconf_ai.protocol.errors import CertificateError
from zeroconf_ai.protocol.record import ServiceRecord


class Tls:
    """A self-signed certificate for 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "attic.local")])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
            .sign(key, hashes.SHA256())
        )
        file = folder / "certificate.pem"
        file.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        self.digest = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(file)


@pytest.fixture
async def tls(tmp_path: Path) -> AsyncIterator[tuple[Tls, Upstream]]:
    tls = Tls(tmp_path)
    async with Upstream(tls=tls.context) as upstream:
        upstream.on("/health", answers({"status": "ok"}))
        yield tls, upstream


async def test_certificate_pinned_is_trusted(tls: tuple[Tls, Upstream], client: Make) -> None:
    certificate, upstream = tls
    fp = base64.urlsafe_b64encode(certificate.digest).rstrip(b"=")  # as in TXT
    pin = aiohttp.Fingerprint(base64.urlsafe_b64decode(fp + b"="))
    assert await client(upstream.base_url, ssl=pin).get_json("/health") == {"status": "ok"}


async def test_certificate_changed_gets_neither_key_nor_request(tls: tuple[Tls, Upstream], client: Make) -> None:
    _, upstream = tls
    pin = aiohttp.Fingerprint(hashlib.sha256(b"another").digest())
    raised = await error_of(CertificateError, client(upstream.base_url, ssl=pin).get_json("/health"))
    assert "different certificate" in raised.message
    assert upstream.received == []


async def test_certificate_untrusted_gets_nothing(tls: tuple[Tls, Upstream], client: Make) -> None:
    _, upstream = tls
    raised = await error_of(CertificateError, client(upstream.base_url).get_json("/health"))
    assert "cannot be verified" in raised.message
    assert upstream.received == []


async def test_discovery_probe_requires_the_advertised_certificate(tls: tuple[Tls, Upstream]) -> None:
    certificate, upstream = tls
    pinned = base64.urlsafe_b64encode(certificate.digest).decode().rstrip("=")
    record = ServiceRecord(
        name="Attic",
        host="attic.local.",
        port=URL(upstream.base_url).port or 0,
        addresses=(ipaddress.ip_address("127.0.0.1"),),
        tls=True,
        fingerprint=pinned,
    )
    async with aiohttp.ClientSession() as session:
        ask = ask_health(session)
        health = (await ask(record)).health
        assert health is not None
        assert health.status == "ok"
        for other in ("A" * 43, "no fingerprint"):
            with pytest.raises(CertificateError):
                await ask(replace(record, fingerprint=other))
