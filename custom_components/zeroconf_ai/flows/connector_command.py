"""The command that connects a machine to this Home Assistant, as its owner pastes it."""

import logging
from pathlib import Path

from cryptography import x509
from yarl import URL

from homeassistant.core import HomeAssistant
from homeassistant.helpers.network import NoURLAvailableError, get_url

from ..core.relay.house import connect_command
from ..core.server.tls.identity_files import fingerprint
from ..data import gateway_entry

_LOGGER = logging.getLogger(__name__)

_NO_URL = "https://YOUR-HOME-ASSISTANT"


async def async_connector_command(hass: HomeAssistant) -> str:
    """`zeroconf-ai connect` with the address of Home Assistant, and with `--pin` if its certificate is signed by itself.

    Without HTTPS there, the separate port of the gateway is named, if it speaks TLS.
    """
    url = _url(hass)
    if url is None or url.scheme == "https":
        return connect_command(str(url or _NO_URL), None if url is None else await _pin(hass, url))
    entry = gateway_entry(hass)
    separate_port = getattr(getattr(entry, "runtime_data", None), "separate_port", None)
    if separate_port is None or separate_port.tls is None:
        return connect_command(str(url), None)
    return connect_command(f"https://{url.host}:{separate_port.port}", separate_port.tls.fingerprint)


def _url(hass: HomeAssistant, *, of_cloud: bool = False) -> URL | None:
    try:
        return URL(get_url(hass, prefer_external=True, allow_cloud=True, require_cloud=of_cloud))
    except NoURLAvailableError:
        return None


async def _pin(hass: HomeAssistant, url: URL) -> str | None:
    """The fingerprint of Home Assistant's own certificate, if it signed it itself. Home Assistant Cloud has another one."""
    file = hass.http.ssl_certificate
    if file is None or url == _url(hass, of_cloud=True):
        return None
    return await hass.async_add_executor_job(_self_signed, Path(file))


def _self_signed(file: Path) -> str | None:
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError) as err:
        _LOGGER.warning("Home Assistant's certificate cannot be read, so the command has no fingerprint of it: %s", err)
        return None
    return fingerprint(certificate) if certificate.issuer == certificate.subject else None
