"""Makes the server's certificate authority (CA) and the certificate that it signs. No I/O.

The CA is for programs that know no pin: it can sign for the server's own names and addresses only (critical name constraints),
and for servers only (extended key usage), so that a person who imports it trusts this server, and its owner for no other site. It
signs no clients.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
import socket

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

type Address = IPv4Address | IPv6Address

AUTHORITY_DAYS = 3650
SERVER_DAYS = 365
"""Less than the 825 days that Apple's systems accept of a certificate whose CA a user has imported."""
BACKDATE = timedelta(days=2)
"""Certificates are valid this long before they are made, for clients whose clock is a day behind."""
_MAX_NAME = 64
"""Maximum length of a common name (RFC 5280, ub-common-name)."""
_LOOPBACK: tuple[Address, ...] = (IPv4Address("127.0.0.1"), IPv6Address("::1"))


@dataclass(frozen=True, slots=True)
class Hosts:
    """The names and addresses of a server."""

    names: tuple[str, ...]
    addresses: tuple[Address, ...]

    @classmethod
    def of(cls, names: Iterable[str], addresses: Iterable[Address]) -> "Hosts":
        """Sorted and without duplicates, with the loopback names and addresses.

        Names that no DNS name can be (RFC 1123) and addresses of one link only, which no URL can have, are left out.
        """
        usable = {name.casefold().rstrip(".") for name in (*names, "localhost")}
        kept = {address for address in (*addresses, *_LOOPBACK) if not (address.is_link_local and address.version == 6)}
        return cls(tuple(sorted(filter(_is_dns_name, usable))), tuple(sorted(kept, key=lambda one: (one.version, int(one)))))

    @property
    def lasting(self) -> "Hosts":
        """The names and addresses that a certificate must have.

        IPv6 addresses are left out: they may change daily (RFC 8981), which is no reason for a new certificate.
        """
        return Hosts(self.names, tuple(one for one in self.addresses if one.version == 4))

    def within(self, others: "Hosts") -> "Hosts":
        """The names and addresses that `others` has too."""
        names = tuple(name for name in self.names if name in others.names)
        return Hosts(names, tuple(one for one in self.addresses if one in others.addresses))

    @classmethod
    def of_certificate(cls, certificate: x509.Certificate) -> "Hosts":
        """The names and addresses that a certificate is made for."""
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        addresses = tuple(one for one in names.get_values_for_type(x509.IPAddress) if isinstance(one, (IPv4Address, IPv6Address)))
        return cls(tuple(names.get_values_for_type(x509.DNSName)), addresses)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def own_names() -> tuple[str, ...]:
    """The names of this machine: its host name, and that name under `.local`."""
    host = socket.gethostname().partition(".")[0]
    return (socket.gethostname(), host, f"{host}.local")


def make_authority(title: str, hosts: Hosts, now: datetime, key: ec.EllipticCurvePrivateKey | None = None) -> Identity:
    """A CA for `hosts`. `key`: that of the CA which it replaces, whose certificates it then verifies too."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title[:_MAX_NAME])])
    permitted: list[x509.GeneralName] = [*map(x509.DNSName, hosts.names)]
    permitted += [x509.IPAddress(ip_network(one)) for one in hosts.addresses]
    builder = (
        certificate_builder(name, name, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
    )
    return Identity(builder.sign(key, hashes.SHA256()), key)


def make_server(title: str, hosts: Hosts, authority: Identity, now: datetime) -> Identity:
    """A server certificate with a new key for `hosts`, signed by `authority`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title[:_MAX_NAME])])
    alternatives: list[x509.GeneralName] = [*map(x509.DNSName, hosts.names), *map(x509.IPAddress, hosts.addresses)]
    builder = (
        certificate_builder(subject, authority.certificate.subject, key.public_key(), now, SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
    )
    return Identity(builder.sign(authority.key, hashes.SHA256()), key)


def is_due(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether a third or less of the lifetime is left, or it begins in the future (the clock was wrong then)."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return now < begin or now > end - (end - begin) / 3


def permitted_hosts(authority: x509.Certificate) -> Hosts:
    """The names and addresses that the name constraints of a CA allow."""
    found = authority.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    names = tuple(one.value for one in found if isinstance(one, x509.DNSName))
    networks = (one.value for one in found if isinstance(one, x509.IPAddress))
    return Hosts(names, tuple(one.network_address for one in networks if isinstance(one, (IPv4Network, IPv6Network))))


def to_pem(certificates: Sequence[x509.Certificate]) -> bytes:
    """The certificates as PEM, one after the other."""
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def key_to_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key as PEM, not encrypted."""
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def certificate_builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey,
    now: datetime,
    days: int,
    serial: int | None = None,
) -> x509.CertificateBuilder:
    """What all certificates have. `serial`: a random one by default."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - BACKDATE)
        .not_valid_after(now.astimezone(UTC) + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """The key usage of a CA, or of a certificate that it signs."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _is_dns_name(text: str) -> bool:
    """Whether `text` can be a DNS name and is no address."""
    try:
        ip_address(text)
    except ValueError:
        labels = text.split(".")
        return len(text) <= 253 and all(
            0 < len(label) <= 63 and label.isascii() and label.replace("-", "a").replace("_", "a").isalnum() for label in labels
        )
    return False
