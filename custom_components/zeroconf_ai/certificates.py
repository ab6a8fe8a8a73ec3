"""The certificates by which providers know this Home Assistant, in the folder `zeroconf_ai/clients` of its configuration.

They are no part of the config entries, which many places read: private keys are in files of their own that only Home Assistant's
user can read. Backups of Home Assistant have the folder, as they have the API keys of the entries.
"""

from collections.abc import Mapping
from pathlib import Path
from ssl import SSLContext
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.singleton import singleton
from homeassistant.util.hass_dict import HassKey

from .const import CONF_CLIENT_CERTIFICATE, CONF_FINGERPRINT, CONF_PROVIDER_ID, DOMAIN
from .core.backends.enrolments import EnrolmentStore
from .core.presence.own_certificates import OwnCertificates

FOLDER = ("zeroconf_ai", "clients")
CERTIFICATES: HassKey[OwnCertificates] = HassKey(f"{DOMAIN}_own_certificates")


@singleton(CERTIFICATES, async_=True)
async def async_get_certificates(hass: HomeAssistant) -> OwnCertificates:
    """Return the certificates, which are read the first time."""
    folder = Path(hass.config.path(*FOLDER))
    return await OwnCertificates(async_get_clientsession(hass), EnrolmentStore(folder)).load()


def context_of(hass: HomeAssistant, data: Mapping[str, Any]) -> SSLContext | None:
    """The TLS context with the certificate for an entry's provider.

    None for an entry without a certificate, and if the certificate was lost or is pinned to another one of the provider.
    """
    certificates = hass.data.get(CERTIFICATES)
    if not data.get(CONF_CLIENT_CERTIFICATE) or certificates is None:
        return None
    held = certificates.of(data[CONF_PROVIDER_ID])
    return None if held is None or held.enrolment.pin != data.get(CONF_FINGERPRINT) else held.context
