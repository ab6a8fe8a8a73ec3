"""Certificates of tests: a server's own ones at any time, and files as another authority would give them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
import ssl

from zeroconf_ai.server.tls.certificates import Hosts, Identity, key_to_pem, make_authority, make_server, to_pem
from zeroconf_ai.server.tls.server_tls import GivenCertificate, ServerTls

ID = "2e81dc51-2273-5d53-9d0c-6f1f3c0a7e55"
HOSTS = Hosts.of(["attic.local"], [IPv4Address("192.0.2.10")])


class Clock:
    """A time that the test sets."""

    def __init__(self, start: datetime | None = None) -> None:
        """Begins now."""
        self.time = start or datetime.now(UTC)

    def __call__(self) -> datetime:
        """The time."""
        return self.time

    def advance(self, days: float) -> None:
        """Let days pass."""
        self.time += timedelta(days=days)


def server_tls(folder: Path, now: Callable[[], datetime] | None = None, given: GivenCertificate | None = None) -> ServerTls:
    """The certificate of a server, which is made or read."""
    made = ServerTls(folder, ID, "Attic", given, **({} if now is None else {"now": now}))
    made.refresh(HOSTS)
    return made


def trusting(authority: bytes | None) -> ssl.SSLContext:
    """What a program without a pin verifies with after importing the authority."""
    assert authority is not None
    return ssl.create_default_context(cadata=authority.decode())


def other_authority() -> Identity:
    """An authority that is not the server's."""
    return make_authority("Another CA", HOSTS, datetime.now(UTC))


def given_files(folder: Path, authority: Identity, identity: Identity | None = None) -> tuple[GivenCertificate, Identity]:
    """The files of a certificate that `authority` signed; written over those of `folder`."""
    made = identity or make_server("Given", HOSTS, authority, datetime.now(UTC))
    folder.mkdir(exist_ok=True)
    certificate, key = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(to_pem([made.certificate, authority.certificate]))
    key.write_bytes(key_to_pem(made.key))
    return GivenCertificate(certificate, key), made
