"""A server with client certificates for tests, and a client that enrols by plain HTTP requests."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC
import hashlib
from pathlib import Path
import ssl
from typing import Any

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.backends.base import Backend
from zeroconf_ai.protocol import key_proof
from zeroconf_ai.protocol.pairing import Pairing
from zeroconf_ai.protocol.record import Auth
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.server.access.guard import Guard
from zeroconf_ai.server.enrolment.client_certificates import ClientCertificates
from zeroconf_ai.server.enrolment.enrolment import Enrolment
from zeroconf_ai.server.tls.server_tls import ServerTls

from .server import Served, served


@dataclass
class EnrollingServer:
    """A running server that enrols clients."""

    served: Served
    store: AccountingStore
    tls: ServerTls

    @property
    def enrolment(self) -> Enrolment:
        """Its enrolment."""
        assert self.served.gateway.enrolment is not None
        return self.served.gateway.enrolment

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of its certificate."""
        return key_proof.decode(self.tls.fingerprint, 32)

    @property
    def pin(self) -> aiohttp.Fingerprint:
        """The pin of its certificate."""
        return aiohttp.Fingerprint(self.fingerprint)


@asynccontextmanager
async def enrolling(
    folder: Path,
    tls: ServerTls,
    mode: Auth = Auth.MTLS,
    networks: tuple[str, ...] = ("127.0.0.0/8",),
    backends: tuple[Backend, ...] = (),
) -> AsyncIterator[EnrollingServer]:
    """A server with the database in `folder`, and the certificate `tls`, in whose folder the CA for clients is too."""
    async with AsyncExitStack() as stack:
        store = await AccountingStore.open(folder / "gateway.db", zone=UTC)
        stack.push_async_callback(store.close)
        running = await stack.enter_async_context(
            served(
                *backends,
                tls=tls,
                access=Guard(store.keys, mode=mode, networks=networks),
                certificates=lambda gateway, found: ClientCertificates(gateway.id, store, found, needed=mode is Auth.MTLS),
            )
        )
        stack.callback(await running.engine.attach(Accounting.of(store)))
        yield EnrollingServer(running, store, tls)


@dataclass
class EnrollingClient:
    """A client with its own key, and its certificate once it has one."""

    server: EnrollingServer
    folder: Path
    name: str = "laptop"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    certificate: str | None = None
    _sessions: list[aiohttp.ClientSession] = field(default_factory=list)

    @property
    def csr(self) -> str:
        """Its certificate signing request."""
        return signing_request(self.key)

    @property
    def identity(self) -> bytes:
        """What it is bound to in a pairing."""
        return hashlib.sha256(self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()

    async def post(self, body: Any, *, token: str | None = None, path: str = "enroll", **options: Any) -> tuple[int, Any]:
        """Status and JSON of a POST without a client certificate."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        status, found, _ = await self.server.served.ask(
            "POST", path, json=body, headers=headers, **{"ssl": self.server.pin, **options}
        )
        return status, found

    async def by_code(self, code: str) -> tuple[int, Any]:
        """Enrol with a code that is sent."""
        return self._keep(*await self.post({"csr": self.csr, "name": self.name, "code": code}))

    async def by_pairing(self, code: str) -> tuple[int, Any]:
        """Enrol with a code that is not sent."""
        pairing = Pairing.client(code, self.identity, self.server.fingerprint)
        body = {"csr": self.csr, "name": self.name, "pake": key_proof.encode(pairing.message)}
        status, begun = await self.post(body)
        if status != 200:
            return status, begun
        pairing.finish(key_proof.decode(begun["pake"], 33))
        pairing.check(key_proof.decode(begun["proof"], 32))
        return self._keep(*await self.post({"session": begun["session"], "proof": key_proof.encode(pairing.proof)}))

    async def renew(self, session: aiohttp.ClientSession, key: ec.EllipticCurvePrivateKey) -> tuple[int, Any]:
        """Renew over a connection of `session`, for another key."""
        async with session.post(f"{self.server.served.url}/enroll", json={"csr": signing_request(key)}) as answer:
            status, found = answer.status, await answer.json()
        if status == 200:
            self.key = key
        return self._keep(status, found)

    def context(self) -> ssl.SSLContext:
        """A context with its certificate, which verifies the server by its CA."""
        assert self.server.tls.authority_pem is not None
        assert self.certificate is not None
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "client.pem"
        private = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(private + self.certificate.encode())
        made = ssl.create_default_context(cadata=self.server.tls.authority_pem.decode())
        made.load_cert_chain(file)
        return made

    def session(self) -> aiohttp.ClientSession:
        """A session whose connections have its certificate."""
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self.context()))

    def _keep(self, status: int, found: Any) -> tuple[int, Any]:
        if status == 200:
            self.certificate = found["certificate"]
        return status, found


def signing_request(key: Any, algorithm: hashes.SHA256 | None = hashes.SHA256()) -> str:  # noqa: B008 - immutable
    """A CSR for a private key, with a subject that asks for more than it gets."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "admin")])
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(constraints, critical=True)
    return builder.sign(key, algorithm).public_bytes(Encoding.PEM).decode()
