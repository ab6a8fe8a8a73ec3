"""`NewEntryFlow`: creates the config entry of a provider that was probed."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_API_KEY, CONF_VERIFY_SSL

from ..const import (
    CONF_ADVERTISED,
    CONF_BASE_URL,
    CONF_CLIENT_CERTIFICATE,
    CONF_EPHEMERAL,
    CONF_FINGERPRINT,
    CONF_HOUSEHOLD,
    CONF_PROVIDER_ID,
    CONF_SERVER_KIND,
    CONF_SERVICE_NAME,
)
from ..core.protocol.record import ServiceRecord
from ..provider.first_check import keep_check
from .agents import first_subentries
from .enroll import EnrollFlow
from .probe import ProbedProvider


class NewEntryFlow(EnrollFlow):
    """The last step of all flows that add a provider."""

    def _create(
        self,
        title: str,
        found: ProbedProvider,
        record: ServiceRecord | None,
        key: str | None,
        *,
        verify: bool | None = None,
        names_host: bool = False,
        household: str | None = None,
        connector: Mapping[str, str] | None = None,
        pin: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ConfigFlowResult:
        """Create the entry with its first agent, AI task and engines for speech. An advertised API key is never stored.

        `record`: the provider's advertisement, if it has one; `names_host`: only the advertisement names the host.
        `pin`: the fingerprint of its certificate, to which the client certificate for it belongs.
        `household`: it gets the household token that it advertises instead of a key; the code, empty for the gateway's.
        `connector`: what the entry stores of its pairing. Such a provider has no address at which discovery may follow its id.
        """
        data: dict[str, Any] = {
            CONF_BASE_URL: found.endpoint.base_url,
            CONF_PROVIDER_ID: record.id if record else None if connector else found.id,
            CONF_SERVICE_NAME: record.name if record else None,
            CONF_ADVERTISED: (names_host and record is not None and record.names_public_host) or None,
            CONF_FINGERPRINT: pin or (record.fingerprint if record and record.tls else None),
            CONF_CLIENT_CERTIFICATE: True if pin is not None else None,
            CONF_EPHEMERAL: bool(record and record.ephemeral_key) or None,
            CONF_API_KEY: key,
            CONF_HOUSEHOLD: household,
            CONF_VERIFY_SSL: verify,
            CONF_SERVER_KIND: None if found.kind is None else found.kind.id,
            **(connector or {}),
        }
        keep_check(self.hass, found.endpoint, found.check)
        return self.async_create_entry(
            title=title,
            data={name: value for name, value in data.items() if value is not None},
            options=options,
            subentries=first_subentries(title, found.best, found.models),
        )
