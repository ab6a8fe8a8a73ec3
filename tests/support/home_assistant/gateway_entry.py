"""The gateway's entry for tests, as the config flow would have stored it."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.const import (
    CONF_AUTH,
    CONF_DATABASES,
    CONF_GATEWAY_ID,
    CONF_KIND,
    CONF_NETWORKS,
    DOMAIN,
    KIND_GATEWAY,
    SUBENTRY_BACKEND,
    SUBENTRY_HOME_AGENT,
)
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.const import CONF_TYPE

GATEWAY_ID = "22222222-2222-4222-8222-222222222222"


def backend_data(
    kind: str, base_url: str, *, title: str = "Attic", unique_id: str | None = None, **data: Any
) -> ConfigSubentryData:
    """A backend's subentry."""
    stored = {CONF_TYPE: kind, "base_url": base_url, **data}
    return ConfigSubentryData(data=MappingProxyType(stored), subentry_type=SUBENTRY_BACKEND, title=title, unique_id=unique_id)


def home_agent_data(entity_id: str | None = None, *, title: str = "Assist") -> ConfigSubentryData:
    """The subentry of an agent of the home; None: Home Assistant's own."""
    stored = {} if entity_id is None else {"entity_id": entity_id}
    return ConfigSubentryData(data=MappingProxyType(stored), subentry_type=SUBENTRY_HOME_AGENT, title=title, unique_id=None)


def make_gateway(
    folder: Path, *subentries: ConfigSubentryData, title: str = "Home AI", options: Mapping[str, Any] | None = None
) -> MockConfigEntry:
    """The gateway's entry, not yet added. Its accounting database is in `folder`."""
    usual = {CONF_AUTH: "token", CONF_NETWORKS: [], "database_url": f"sqlite:///{folder / 'gateway.db'}"}
    return MockConfigEntry(
        domain=DOMAIN,
        title=title,
        unique_id=KIND_GATEWAY,
        data={CONF_KIND: KIND_GATEWAY, CONF_GATEWAY_ID: GATEWAY_ID, CONF_DATABASES: {}},
        options={**usual, **(options or {})},
        subentries_data=list(subentries) or [home_agent_data()],
    )
