"""`ProviderCertificate`: keeps the client certificate of one provider's entry usable, and the entry in step with it."""

from collections.abc import Callable
from datetime import datetime, timedelta
import logging
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_interval

from ..certificates import CERTIFICATES
from ..const import CONF_BASE_URL, CONF_CLIENT_CERTIFICATE, CONF_FINGERPRINT, CONF_PROVIDER_ID, DOMAIN
from ..core.backends.enrolments import Enrolment
from ..core.presence.own_certificates import CHECK_SECONDS
from ..core.protocol.errors import CertificateError

_LOGGER = logging.getLogger(__name__)

_INTERVAL: Final = timedelta(seconds=CHECK_SECONDS)


class ProviderCertificate:
    """The client certificate of an entry; nothing for an entry without one."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, apply: Callable[[], None]) -> None:
        """`apply` uses the entry's address and certificate from the next request on."""
        self._hass = hass
        self._entry = entry
        self._apply = apply

    @callback
    def start(self) -> None:
        """Renew it in time, and follow changes of it, until the entry is unloaded."""
        entry = self._entry
        entry.async_on_unload(self._hass.data[CERTIFICATES].listen(self._on_change))
        entry.async_on_unload(async_track_time_interval(self._hass, self._keep, _INTERVAL, cancel_on_shutdown=True))
        if self._used:
            entry.async_create_background_task(self._hass, self._keep(), name=f"{DOMAIN} client certificate {entry.title}")

    async def move(self, base_url: str, pin: str | None) -> None:
        """Store the address, and the certificate of the provider, that were proven or that the owner has confirmed."""
        if self._used:
            await self._hass.data[CERTIFICATES].move(self._id, base_url=base_url, pin=pin)

    @property
    def _used(self) -> bool:
        return bool(self._entry.data.get(CONF_CLIENT_CERTIFICATE))

    @property
    def _id(self) -> str:
        return str(self._entry.data.get(CONF_PROVIDER_ID) or "")

    async def _keep(self, _: datetime | None = None) -> None:
        """Follow the renewed certificate of the provider, and renew ours if it is due."""
        if not self._used:
            return
        certificates, data = self._hass.data[CERTIFICATES], self._entry.data
        await certificates.move(self._id, base_url=data[CONF_BASE_URL])  # the owner may have entered another address
        try:
            await certificates.follow(self._id)
        except CertificateError as err:
            _LOGGER.warning("%s", err.message)
            return
        await certificates.renew_due(self._id)

    @callback
    def _on_change(self, enrolment: Enrolment) -> None:
        data = self._entry.data
        if not self._used or enrolment.provider_id != self._id:
            return
        if data.get(CONF_FINGERPRINT) != enrolment.pin:
            self._hass.config_entries.async_update_entry(self._entry, data={**data, CONF_FINGERPRINT: enrolment.pin})
        self._apply()
