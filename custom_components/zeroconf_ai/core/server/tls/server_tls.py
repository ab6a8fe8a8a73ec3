"""`ServerTls`: the certificate of a running TLS server, which makes, renews and hands over its own, or uses a given one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
import logging
from pathlib import Path
import ssl
from typing import TYPE_CHECKING

from cryptography import x509

from ...protocol.hand_over import MAX_STEPS, Step, sign
from .certificates import Hosts, Identity, is_due, make_authority, make_server, permitted_hosts, to_pem
from .identity_files import HandOver, IdentityFiles, TlsError, der_of, fingerprint, load_certificate, load_private_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_LOGGER = logging.getLogger(__name__)

_MOST_HOSTS = 32
"""Names and addresses of a CA: those of now, and of the networks in which the machine was before."""


@dataclass(frozen=True, slots=True)
class GivenCertificate:
    """A certificate of somebody else's CA: PEM files with the certificate (and those of its issuers) and the private key."""

    certificate: Path
    key: Path


def _now() -> datetime:
    return datetime.now(UTC)


class ServerTls:
    """The TLS context of one server and what its clients need to know of its certificate."""

    def __init__(
        self,
        folder: Path,
        provider_id: str,
        title: str,
        given: GivenCertificate | None = None,
        *,
        now: Callable[[], datetime] = _now,
    ) -> None:
        """`folder` keeps the files. `title` names the server in its certificates. Without `given`, the certificate is its own."""
        self.folder = folder
        self._files = IdentityFiles(folder)
        self._id = provider_id
        self._title = title
        self._given = given
        self._now = now
        self._key: PrivateKeyTypes | None = None
        self._certificate: x509.Certificate | None = None
        self._steps: tuple[Step, ...] = ()
        self.authority_pem: bytes | None = None
        """The certificate of the server's own CA; None with a given certificate."""
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        """For all ports of the server. After `refresh`, new connections get the new certificate."""
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, base64url, as advertised (`fp`)."""
        assert self._certificate is not None
        return fingerprint(self._certificate)

    @property
    def expires(self) -> datetime:
        """When the certificate expires."""
        assert self._certificate is not None
        return self._certificate.not_valid_after_utc

    def hand_over(self, pinned: str) -> tuple[Step, ...]:
        """The steps from the certificate with the fingerprint `pinned` to the current one; empty if it never was its own."""
        for index, step in enumerate(self._steps):
            if step.fingerprint == pinned:
                return self._steps[index:]
        return ()

    def refresh(self, hosts: Hosts) -> bool:
        """Make what is missing or due, or read the given files again; returns whether the certificate is another one. Blocks.

        Raises TlsError. The former certificate is then still used, if there is one.
        """
        certificate, key = self._own(hosts) if self._given is None else _read_given(self._given)
        if self._certificate is not None and fingerprint(certificate) == self.fingerprint:
            return False
        chain, key_file = self._chain_files()
        steps = self._handed_over_to(certificate, key)
        _load_chain(self.context, chain, key_file)
        if self._given is not None:
            self._files.save_hand_over(HandOver(der_of(certificate), steps))
        self._certificate, self._key, self._steps = certificate, key, steps
        return True

    def _own(self, hosts: Hosts) -> tuple[x509.Certificate, "PrivateKeyTypes"]:
        """The server's own certificate, made anew if it is due or lacks one of `hosts`. Raises TlsError."""
        authority = self._authority(hosts)
        self.authority_pem = to_pem([authority.certificate])
        server = self._files.server()
        if (
            server is None
            or is_due(server.certificate, self._now())
            or not _is_signed_by(server.certificate, authority)
            or not _covers(Hosts.of_certificate(server.certificate), hosts.lasting)
        ):
            permitted = permitted_hosts(authority.certificate)
            known = hosts if server is None else _merged(hosts, Hosts.of_certificate(server.certificate))
            fresh = make_server(self._title, known.within(permitted), authority, self._now())
            steps = self._steps_of(None if server is None else server.certificate)
            if server is not None:
                steps = (*steps, sign(self._id, der_of(server.certificate), server.key, fingerprint(fresh.certificate)))
            self._files.save_hand_over(HandOver(der_of(fresh.certificate), steps[-MAX_STEPS:]))
            self._files.save_server(fresh)
            server = fresh
        return server.certificate, server.key

    def _authority(self, hosts: Hosts) -> Identity:
        """The server's CA, made anew with the same key if it is due or permits not all of `hosts`."""
        authority = self._files.authority()
        if authority is not None:
            permitted = permitted_hosts(authority.certificate)
            if not is_due(authority.certificate, self._now()) and _covers(permitted, hosts.lasting):
                return authority
            hosts = _merged(hosts, permitted)
            _LOGGER.warning(
                "The server has new addresses or names: programs that imported its certificate authority have to import it again"
            )
        authority = make_authority(
            f"ZeroConf AI CA {self._id[:8]}", hosts, self._now(), None if authority is None else authority.key
        )
        self._files.save_authority(authority)
        return authority

    def _steps_of(self, certificate: x509.Certificate | None) -> tuple[Step, ...]:
        """The stored steps that lead to `certificate`; empty if they lead to another one."""
        found = self._files.hand_over()
        if certificate is None or found is None:
            return ()
        current = fingerprint(certificate)
        if found.certificate == der_of(certificate):
            return found.steps
        names = [step.fingerprint for step in found.steps]  # the last renewal was interrupted before its certificate was stored
        return found.steps[: names.index(current)] if current in names else ()

    def _handed_over_to(self, certificate: x509.Certificate, key: "PrivateKeyTypes") -> tuple[Step, ...]:
        """The steps to a certificate that is used from now on. The key of the given one before signs it, if known."""
        found = self._files.hand_over()
        if found is None or self._given is None or found.certificate == der_of(certificate):
            return self._steps_of(certificate)
        former = x509.load_der_x509_certificate(found.certificate)
        known = [one for one in (self._key, key) if one is not None]
        own = self._files.server()
        known += [own.key] if own is not None else []
        signer = next((one for one in known if one.public_key() == former.public_key()), None)
        if signer is None:
            _LOGGER.warning(
                "The certificate was replaced by one with another key while the server did not run: each client has to confirm it"
            )
            return ()
        try:
            step = sign(self._id, found.certificate, signer, fingerprint(certificate))
        except ValueError as err:
            raise TlsError(f"The certificate cannot be handed over: {err}.") from None
        return (*found.steps, step)[-MAX_STEPS:]

    def _chain_files(self) -> tuple[Path, Path | None]:
        return (self._files.server_file, None) if self._given is None else (self._given.certificate, self._given.key)


def check_given(given: GivenCertificate) -> None:
    """Raise TlsError if the files are not a certificate and its private key. Blocks."""
    _read_given(given)
    _load_chain(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), given.certificate, given.key)


def _load_chain(context: ssl.SSLContext, chain: Path, key: Path | None) -> None:
    """Have a context present a certificate. Raises TlsError."""
    try:
        context.load_cert_chain(chain, key, password=_no_password)
    except (OSError, ValueError) as err:  # ssl.SSLError is an OSError
        raise TlsError(f"{chain} and {key or chain} are not usable together: {err}.") from None


def _read_given(given: GivenCertificate) -> tuple[x509.Certificate, "PrivateKeyTypes"]:
    key: PrivateKeyTypes = load_private_key(given.key)
    return load_certificate(given.certificate), key


def _covers(certified: Hosts, wanted: Hosts) -> bool:
    return set(certified.names) >= set(wanted.names) and set(certified.addresses) >= set(wanted.addresses)


def _merged(hosts: Hosts, former: Hosts) -> Hosts:
    """`hosts`, and as many of the former ones as fit: a laptop returns to a network in which it was."""
    names = tuple(dict.fromkeys((*hosts.names, *former.names)))
    addresses = tuple(dict.fromkeys((*hosts.addresses, *former.lasting.addresses)))
    return Hosts(names[: max(_MOST_HOSTS, len(hosts.names))], addresses[: max(_MOST_HOSTS, len(hosts.addresses))])


def _is_signed_by(certificate: x509.Certificate, authority: Identity) -> bool:
    try:
        certificate.verify_directly_issued_by(authority.certificate)
    except Exception:  # noqa: BLE001 # ValueError, TypeError or InvalidSignature: it is another one's
        return False
    return True


def _no_password() -> str:
    """Instead of asking for one on the terminal."""
    return ""
