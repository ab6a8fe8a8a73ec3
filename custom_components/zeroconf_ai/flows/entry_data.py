"""The data of a provider's config entry."""

from typing import Any

from homeassistant.const import CONF_API_KEY, CONF_VERIFY_SSL

from ..const import CONF_ADVERTISED, CONF_BASE_URL, CONF_EPHEMERAL, CONF_FINGERPRINT, CONF_PROVIDER_ID, CONF_SERVICE_NAME
from ..core.protocol.record import ServiceRecord
from .probe import Found


def entry_data(
    found: Found, record: ServiceRecord | None, key: str | None, *, verify: bool | None = None, names_host: bool = False
) -> dict[str, Any]:
    """The data of a new entry; empty values are left out. A key in an advertisement is never stored.

    `record`: the provider's advertisement, if it has one; `names_host`: only the advertisement names the host.
    """
    data: dict[str, Any] = {
        CONF_BASE_URL: found.endpoint.base_url,
        CONF_PROVIDER_ID: record.id if record else found.id,
        CONF_SERVICE_NAME: record.name if record else None,
        CONF_ADVERTISED: (names_host and record is not None and record.names_public_host) or None,
        CONF_FINGERPRINT: record.fingerprint if record and record.tls else None,
        CONF_EPHEMERAL: bool(record and record.ephemeral_key) or None,
        CONF_API_KEY: key,
        CONF_VERIFY_SSL: verify,
    }
    return {name: value for name, value in data.items() if value is not None}
