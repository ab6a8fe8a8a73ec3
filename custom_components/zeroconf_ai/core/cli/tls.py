"""TLS of `serve`: its options, and the server's certificate while it runs."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from ipaddress import ip_address
import logging
from pathlib import Path
import sys
from typing import TYPE_CHECKING, Any, Self

import click

from ..config.server_fields import ServerSettings
from ..lan.interfaces import Address, interface_addresses
from .errors import CommandError
from .presence import reachable_at
from .state import tls_folder

if TYPE_CHECKING:
    from ..server.tls.certificates import Hosts
    from ..server.tls.server_tls import ServerTls

_LOGGER = logging.getLogger(__name__)

CHECK_SECONDS = 3600.0
"""Interval between checks whether the certificate is due or was replaced."""
_EVERYWHERE = ("0.0.0.0", "::")  # the addresses of a certificate, not those to listen on


def options[F: Callable[..., Any]](function: F) -> F:
    """Add the options whose values are the fields of `Tls`."""
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    for option in reversed(
        (
            click.option(
                "--tls/--no-tls",
                default=None,
                help="Speak HTTPS, with a certificate that the server makes and renews itself.  [default: --no-tls]",
            ),
            click.option("--tls-certificate", type=file, help="Speak HTTPS with the certificate in this PEM file."),
            click.option("--tls-key", type=file, help="With --tls-certificate: the PEM file with its private key."),
        )
    ):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True)
class Tls:
    """Whether the server speaks TLS, and with which certificate."""

    enabled: bool = False
    certificate: Path | None = None
    """None: the server makes its certificate itself."""
    key: Path | None = None

    @classmethod
    def of(cls, said: dict[str, Any], server: ServerSettings) -> Self:
        """Take the options of `options` out of those of the command line, which go before the file's `server`.

        Raises click.UsageError.
        """
        enabled, certificate, key = (said.pop(name) for name in ("tls", "tls_certificate", "tls_key"))
        enabled = server.tls if enabled is None else enabled
        certificate = certificate or _path(server.tls_certificate)
        key = key or _path(server.tls_key)
        if (certificate is None) != (key is None):
            raise click.UsageError("--tls-certificate and --tls-key belong together. Set both, or none of them.")
        if enabled is False:
            return cls()
        return cls(enabled is True or certificate is not None, certificate, key)


class TlsOfServer:
    """The certificate of the running server. Its methods belong to the event loop."""

    def __init__(self, tls: "ServerTls", hosts: "Callable[[], Hosts]") -> None:
        """`hosts`: the names and addresses of now."""
        self.tls = tls
        self._hosts = hosts
        self.renewed: Callable[[], None] = lambda: None
        """Called when another certificate is used, whose fingerprint has to be advertised."""

    async def start(self) -> None:
        """Make or read the certificate. Raises CommandError."""
        from ..server.tls.identity_files import TlsError  # noqa: PLC0415

        try:
            await asyncio.to_thread(self.tls.refresh, self._hosts())
        except TlsError as err:
            raise CommandError(str(err), "Check the file and its permissions.", kind="file_error") from None

    async def watch(self) -> None:
        """Renew the certificate when it is due, or read the given one again."""
        from ..server.tls.identity_files import TlsError  # noqa: PLC0415

        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                changed = await asyncio.to_thread(self.tls.refresh, self._hosts())
            except TlsError as err:
                _LOGGER.warning("The certificate stays as it is: %s", err)
                continue
            if changed:
                _LOGGER.warning("A new certificate is used, which expires on %s", self.tls.expires.date())
                self.renewed()


async def open_tls(
    stack: AsyncExitStack, tls: Tls, *, provider_id: str, title: str, host: str | None, names: Iterable[str]
) -> TlsOfServer | None:
    """The server's certificate, which is watched until `stack` closes; None without TLS. Raises CommandError.

    `names`: besides those of the machine. `cryptography` is imported here only.
    """
    if not tls.enabled:
        return None
    if sys.platform == "win32":  # its event loop cannot look at the first byte of a connection
        raise CommandError("HTTPS is not available on Windows.", "Use a reverse proxy.")
    from ..server.tls.certificates import Hosts, own_names  # noqa: PLC0415
    from ..server.tls.server_tls import GivenCertificate, ServerTls  # noqa: PLC0415

    given = None
    if tls.certificate is not None and tls.key is not None:
        given = GivenCertificate(tls.certificate, tls.key)
    named = (*own_names(), *names, *((host,) if host and not _is_address(host) else ()))
    made = TlsOfServer(ServerTls(tls_folder(provider_id), provider_id, title, given), lambda: Hosts.of(named, _addresses(host)))
    await made.start()
    watching = asyncio.create_task(made.watch(), name="zeroconf_ai certificate")
    stack.callback(watching.cancel)
    return made


def _addresses(host: str | None) -> tuple[Address, ...]:
    """The addresses at which a server that listens on `host` can be reached."""
    if host is not None and not _is_address(host):
        return ()
    return reachable_at(_EVERYWHERE if host is None else (host.strip("[]"),), interface_addresses())


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text).expanduser()
