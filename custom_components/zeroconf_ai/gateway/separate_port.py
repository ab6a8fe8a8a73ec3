"""The gateway's separate port: the paths of Home Assistant's port, and Ollama's, which conflict with Home Assistant's own."""

import asyncio
from datetime import datetime, timedelta
import errno
from ipaddress import ip_address
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from homeassistant.components import network
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_track_time_interval

from ..const import CONF_OWN_PORT_CERTIFICATE, CONF_OWN_PORT_KEY, CONF_OWN_PORT_TLS, DOMAIN
from ..core.accounting.store import AccountingStore
from ..core.server.app import create_app, create_runner
from ..core.server.gateway import Gateway
from ..issues import MORE_URL
from ..usage.database import TLS_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..core.server.enrolment.client_certificates import ClientCertificates
    from ..core.server.tls.server_tls import ServerTls

_LOGGER = logging.getLogger(__name__)

OWN_PORT_CLOSED = "own_port_closed"
"""The repair issue for a port that cannot be opened."""
_RETIRE_SECONDS = 600.0
"""How long running requests may continue on a port that is replaced."""
_CLOSE_SECONDS = 5.0
_CHECK_CERTIFICATE = timedelta(hours=1)
_EVERYWHERE: tuple[str | None, ...] = (None,)
"""All addresses of this machine."""


type Tls = tuple[str, str] | tuple[()] | None
"""The PEM files of a given certificate and its private key; (): the gateway's own; None: plain HTTP."""


class SeparatePort:
    """Serves a gateway on the configured port, if any."""

    def __init__(self, hass: HomeAssistant, gateway: Gateway, store: AccountingStore) -> None:
        """No port is open before `apply`. `store` has the client certificates."""
        self._hass = hass
        self._store = store
        self._certificates: ClientCertificates | None = None
        self._gateway = gateway
        self._runner: web.AppRunner | None = None
        self._wanted: int | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._wanted_tls: Tls = None
        self._stop_watching: Callable[[], None] | None = None
        self.port: int | None = None
        """The open port, or None."""
        self.tls: ServerTls | None = None
        """The certificate of the open port; None: it speaks plain HTTP."""
        self.renewed: Callable[[], None] = lambda: None
        """Called when the certificate is another one."""
        self.enrolment_changed: Callable[[], None] = lambda: None
        """Called when a client asks for a certificate or is decided on, and when the port closes. Set before `apply`."""

    async def apply(self, wanted: int | None, *, tls: Tls = None, mtls: bool = False) -> None:
        """Serve on the port `wanted`, or on none. Requests that run on the former port continue.

        `tls`: it speaks HTTPS, with the certificate and the private key of these two PEM files, or with its own one; None: HTTP.
        `mtls`: it needs client certificates.

        If the port cannot be opened, a repair issue is created, and the gateway is served on Home Assistant's port only.
        """
        if wanted == self.port == self._wanted and tls == self._wanted_tls:
            if self._certificates is not None:
                self._certificates.need(needed=mtls)
            return
        self._wanted, self._wanted_tls = wanted, tls
        self._retire()
        ir.async_delete_issue(self._hass, DOMAIN, OWN_PORT_CLOSED)
        if wanted is None:
            return
        secure = certificates = None
        if tls is not None:
            try:
                secure = await self._certificate()
                certificates = await self._client_certificates(secure, needed=mtls)
            except OSError as err:
                self._report(wanted, err, f"its certificate cannot be used: {err}".rstrip("."))
                return
        app = create_app(self._gateway, drain_seconds=None)
        runner = create_runner(
            app,
            cancel_seconds=_RETIRE_SECONDS,
            tls=None if secure is None else secure.context,
            certified=None if certificates is None else certificates.connections,
        )
        await runner.setup()
        try:
            for host in self._hass.http.server_host or _EVERYWHERE:
                await web.TCPSite(runner, host, wanted).start()
        except OSError as err:
            await runner.cleanup()
            if certificates is not None:
                certificates.close()
            self._report(wanted, err)
            return
        self._certificates = certificates
        if certificates is not None:
            self._gateway.enrolment = certificates.enrolment
            certificates.enrolment.listen(self.enrolment_changed)
        self._runner, self.port = runner, wanted
        self.tls = self._gateway.tls = secure
        if secure is not None:
            self._stop_watching = async_track_time_interval(self._hass, self._renew, _CHECK_CERTIFICATE)

    async def _certificate(self) -> ServerTls:
        """The certificate, made the first time or read from the given files. Raises OSError."""
        addresses = [ip_address(text) for text in await network.async_get_announce_addresses(self._hass)]
        names = ("homeassistant.local", f"zeroconf-ai-{self._gateway.id.replace('-', '')[:12]}.local")
        folder = Path(self._hass.config.path(*TLS_FOLDER))

        def make() -> ServerTls:
            from ..core.server.tls.certificates import Hosts, own_names  # noqa: PLC0415
            from ..core.server.tls.identity_files import TlsError  # noqa: PLC0415
            from ..core.server.tls.server_tls import GivenCertificate, ServerTls  # noqa: PLC0415

            given = GivenCertificate(*map(Path, self._wanted_tls)) if self._wanted_tls else None
            made = self.tls or ServerTls(folder, self._gateway.id, self._gateway.name, given)
            try:
                made.refresh(Hosts.of((*own_names(), *names), addresses))
            except TlsError as err:
                raise OSError(str(err)) from None
            return made

        return await self._hass.async_add_executor_job(make)

    async def _client_certificates(self, secure: ServerTls, *, needed: bool) -> ClientCertificates:
        """The clients of the port. Raises OSError."""
        from ..core.server.enrolment.client_certificates import ClientCertificates  # noqa: PLC0415
        from ..core.server.tls.identity_files import TlsError  # noqa: PLC0415

        made = ClientCertificates(self._gateway.id, self._store, secure, self._gateway.codes, needed=needed)
        try:
            await made.start()
        except TlsError as err:
            raise OSError(str(err)) from None
        return made

    async def _renew(self, _: datetime) -> None:
        """Renew the certificate if it is due."""
        former = None if self.tls is None else self.tls.fingerprint
        try:
            secure = await self._certificate()
        except OSError as err:
            _LOGGER.warning("The gateway's certificate stays as it is: %s", err)
            return
        if secure.fingerprint != former:
            self.renewed()

    async def close(self) -> None:
        """Close the port. Remaining requests are cancelled after a few seconds; the gateway is drained before."""
        self._retire()
        ir.async_delete_issue(self._hass, DOMAIN, OWN_PORT_CLOSED)
        if self._retiring:
            _, late = await asyncio.wait(self._retiring, timeout=_CLOSE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _retire(self) -> None:
        """Accept no new connections, and close the runner when the last request has ended."""
        runner, self._runner, self.port = self._runner, None, None
        certificates, self._certificates = self._certificates, None
        self.tls = self._gateway.tls = self._gateway.enrolment = None
        self.enrolment_changed()
        if self._stop_watching is not None:
            self._stop_watching()
            self._stop_watching = None
        if runner is not None:
            closing = _close(runner, certificates)
            task = self._hass.async_create_background_task(closing, name=f"{DOMAIN} close port")
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    def _report(self, port: int, err: OSError, reason: str | None = None) -> None:
        reason = reason or ("another program uses it" if err.errno == errno.EADDRINUSE else "the system does not allow it")
        _LOGGER.warning("The gateway's separate port %d cannot be opened: %s", port, err)
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            OWN_PORT_CLOSED,
            is_fixable=False,
            learn_more_url=MORE_URL,
            severity=ir.IssueSeverity.ERROR,
            translation_key=OWN_PORT_CLOSED,
            translation_placeholders={"port": str(port), "reason": reason},
        )


def tls_of(options: Mapping[str, Any]) -> Tls:
    """How the options want the separate port to speak."""
    if not options.get(CONF_OWN_PORT_TLS):
        return None
    certificate, key = options.get(CONF_OWN_PORT_CERTIFICATE), options.get(CONF_OWN_PORT_KEY)
    return (certificate, key) if certificate and key else ()


async def _close(runner: web.AppRunner, certificates: ClientCertificates | None) -> None:
    """Close the runner when its last request has ended. Until then its connections end with their certificates."""
    await runner.cleanup()
    if certificates is not None:
        certificates.close()
