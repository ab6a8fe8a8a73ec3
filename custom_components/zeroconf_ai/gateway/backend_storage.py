"""Converts a backend's configuration to the data of a subentry and back, as the field table says."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import ConfigSubentry

from ..core.config.backend_config import BackendConfig
from ..core.config.backend_fields import STORED


def config_of(subentry: ConfigSubentry) -> BackendConfig:
    """The configuration that a subentry stores. Raises KeyError for an unknown backend type."""
    return load_config(subentry.subentry_id, subentry.title, subentry.data)


def load_config(backend_id: str, name: str, data: Mapping[str, Any]) -> BackendConfig:
    """The configuration in the data of a subentry. Raises KeyError for an unknown backend type."""
    found = {setting.name: setting.load(data) for setting in STORED}
    values = {key: value for key, value in found.items() if value is not None}
    return BackendConfig.build({"id": backend_id, "name": name, **values})


def data_of(config: BackendConfig) -> dict[str, Any]:
    """The data of a subentry with this configuration; values that are the default are left out."""
    data: dict[str, Any] = {}
    for setting in STORED:
        data |= setting.dump(config)
    return data
