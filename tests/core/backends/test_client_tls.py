"""A context with a client certificate checks the pin by itself; a refusal of the certificate is told as such."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
import socket
import ssl
import threading
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
import pytest

from tests.core.backends.conftest import Make, error_of
from zeroconf_ai.backends.client_tls import is_due, pin_digest, pinned_context
from zeroconf_ai.protocol.errors import CertificateError, ClientCertificateError
from zeroconf_ai.protocol.hand_over import fingerprint_of


class Signed:
    """A key and a certificate, in PEM files of their own."""

    def __init__(self, folder: Path, name: str, issuer: "Signed | None" = None, *, days: tuple[int, int] = (-1, 1)) -> None:
        """`issuer` None: self-signed, as an authority. `days`: from and until when it is valid, from now on."""
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(self.subject)
            .issuer_name(self.subject if issuer is None else issuer.subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
            .sign(self.key if issuer is None else issuer.key, hashes.SHA256())
        )
        self.certificate_file, self.file = folder / f"{name}-certificate.pem", folder / f"{name}.pem"
        self.certificate_file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        private = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.file.write_bytes(private + self.certificate_file.read_bytes())

    @property
    def fingerprint(self) -> str:
        """As advertised."""
        return fingerprint_of(self.certificate.public_bytes(serialization.Encoding.DER))


class Mutual:
    """A server that requires a client certificate of its authority, and sends alerts as OpenSSL's and Go's servers do.

    asyncio's servers close the connection without the alert.
    """

    def __init__(self, folder: Path, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> None:
        self.folder = folder
        self.authority = Signed(folder, "clients")
        self.server = Signed(folder, "server")
        self.requests: list[bytes] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.server.file)
        self._context.load_verify_locations(self.authority.certificate_file)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._context.minimum_version = self._context.maximum_version = version
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._socket.close()

    @property
    def base_url(self) -> str:
        return f"https://127.0.0.1:{self._socket.getsockname()[1]}"

    def client(self, name: str, days: tuple[int, int] = (-1, 1)) -> Path:
        """The file of a client certificate."""
        return Signed(self.folder, name, self.authority, days=days).file

    def _serve(self) -> None:
        """Answer one connection after the other until the socket is closed."""
        while True:
            try:
                taken, _ = self._socket.accept()
            except OSError:
                return
            with taken.dup() as plain, suppress(OSError):
                plain.settimeout(10)
                taken.settimeout(10)
                try:
                    with self._context.wrap_socket(taken, server_side=True) as secure:
                        self._answer(secure)
                except ssl.SSLError:
                    plain.shutdown(socket.SHUT_WR)
                    while plain.recv(4096):  # else the request that the client sent would reset the connection before the alert
                        pass

    def _answer(self, secure: ssl.SSLSocket) -> None:
        if request := secure.recv(4096):
            self.requests.append(request)
            secure.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\nConnection: close\r\n\r\n{"status":"ok"}')


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["tls1.2", "tls1.3"])
def mutual(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Mutual]:
    with Mutual(tmp_path, request.param) as made:
        yield made


async def test_client_certificate_with_the_right_pin_is_accepted(mutual: Mutual, client: Make) -> None:
    context = pinned_context(mutual.server.fingerprint, mutual.client("laptop"))
    assert await client(mutual.base_url, ssl=context).get_json("/health") == {"status": "ok"}


async def test_client_certificate_at_another_server_sends_nothing(mutual: Mutual, client: Make) -> None:
    context = pinned_context(mutual.authority.fingerprint, mutual.client("laptop"))
    raised = await error_of(CertificateError, client(mutual.base_url, ssl=context).get_json("/health"))
    assert "different certificate" in raised.message
    assert mutual.requests == []


@pytest.mark.parametrize(
    ("days", "reason"), [((-9, -1), "has expired"), ((2, 9), "does not accept")], ids=["expired", "not yet valid"]
)
async def test_client_certificate_out_of_its_time_is_told(
    mutual: Mutual, client: Make, days: tuple[int, int], reason: str
) -> None:
    context = pinned_context(mutual.server.fingerprint, mutual.client("laptop", days=days))
    raised = await error_of(ClientCertificateError, client(mutual.base_url, ssl=context).get_json("/health"))
    assert reason in raised.message
    assert mutual.requests == []


async def test_client_certificate_of_another_authority_is_told(mutual: Mutual, client: Make) -> None:
    foreign = Signed(mutual.folder, "foreign", Signed(mutual.folder, "another authority"))
    context = pinned_context(mutual.server.fingerprint, foreign.file)
    raised = await error_of(ClientCertificateError, client(mutual.base_url, ssl=context).get_json("/health"))
    assert "another one than that of the client certificate" in raised.message


async def test_missing_client_certificate_is_told(tmp_path: Path, client: Make) -> None:
    with Mutual(tmp_path) as mutual:
        context = pinned_context(mutual.server.fingerprint)
        raised = await error_of(ClientCertificateError, client(mutual.base_url, ssl=context).get_json("/health"))
    assert "requires a client certificate" in raised.message


@pytest.mark.parametrize("text", ["", "no base64 !", "AAAA", "A" * 44 + "A"])
def test_pin_that_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        pin_digest(text)


def test_certificate_is_renewed_before_a_third_is_left() -> None:
    begin = datetime(2026, 11, 1, tzinfo=UTC)
    end = begin + timedelta(days=90)
    assert not is_due(begin, end, begin + timedelta(days=59))
    assert is_due(begin, end, begin + timedelta(days=61))
