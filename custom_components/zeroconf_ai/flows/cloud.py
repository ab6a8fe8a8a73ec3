"""The steps that add a cloud as a provider: Anthropic or Google Gemini, with an API key."""

from typing import Any

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_API_KEY, CONF_TYPE

from ..const import CONF_BASE_URL
from ..core.config.backend_types import BACKEND_TYPES, BackendType
from ..core.protocol.models import best_model
from ..gateway.backend_storage import load_config
from .agents import first_subentries
from .backend import read_connection
from .backend_probe import probe_backend
from .backend_schemas import connection_schema
from .new_entry import NewEntryFlow
from .probe import NO_MODELS, Problem
from .provider_schemas import flatten

CLOUDS = ("anthropic", "gemini")
"""The backend types that are added as providers by their own steps: their servers are not recognized by an address."""


class CloudFlow(NewEntryFlow):
    """The flow's steps for clouds; each step has the name of its backend type."""

    async def async_step_anthropic(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Add Anthropic."""
        return await self._add_cloud(BACKEND_TYPES["anthropic"], user_input)

    async def async_step_gemini(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Add Google Gemini."""
        return await self._add_cloud(BACKEND_TYPES["gemini"], user_input)

    async def _add_cloud(self, cloud: BackendType, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        """Ask for the API key, which is tried before the entry is created."""
        errors: dict[str, str] = {}
        placeholders = {"reason": ""}
        if user_input is not None:
            try:
                data = read_connection(cloud, flatten(user_input), {})
                self._async_abort_entries_match({key: data[key] for key in (CONF_TYPE, CONF_BASE_URL, CONF_API_KEY)})
                best = best_model(await probe_backend(self.hass, load_config("", cloud.title, data)))
                if best is None:
                    raise Problem(NO_MODELS)
            except Problem as problem:
                errors, placeholders = {"base": problem.key}, problem.placeholders
            else:
                return self.async_create_entry(title=cloud.title, data=data, subentries=first_subentries(cloud.title, best))
        return self.async_show_form(
            step_id=cloud.name,
            data_schema=self.add_suggested_values_to_schema(connection_schema(cloud, {}), user_input),
            errors=errors,
            description_placeholders=placeholders,
        )
