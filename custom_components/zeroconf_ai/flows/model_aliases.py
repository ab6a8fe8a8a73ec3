"""The steps of model aliases in the gateway's options."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_NAME
from homeassistant.core import HomeAssistant

from ..const import CONF_STRATEGY, CONF_TARGETS, CONF_VIRTUAL_MODELS
from ..core.admin.aliases import AliasError, Aliases, with_alias, without_alias
from ..core.protocol.models import AUTO
from ..core.routing.policy import ModelAlias, Strategy
from ..data import DATA
from ..gateway.policy import stored_aliases, virtual_models_of
from .gateway_schemas import CONF_ID, CONF_REMOVE, NEW, choice_schema, virtual_model_schema
from .options_menu import OptionsMenuFlow

OWN_TARGET = "own_target"


def known_models(hass: HomeAssistant) -> list[str]:
    """The ids of all models of the available backends, without duplicates."""
    shared = hass.data.get(DATA)
    return [] if shared is None else list(dict.fromkeys(model.id for member in shared.engine.pool for model in member.models))


class ModelAliasesFlow(OptionsMenuFlow):
    """The steps that list, add, change and remove model aliases."""

    _name: str | None = None
    """The alias that is changed; None for a new one."""

    async def async_step_models(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """List the aliases, and choose one or add one."""
        if user_input is not None:
            chosen = user_input[CONF_ID]
            self._name = None if chosen == NEW else chosen
            return await self.async_step_model()
        aliases = virtual_models_of(self.config_entry.options)
        labels = {name: f"{name} → {' → '.join(alias.targets)}" for name, alias in aliases.items()}
        return self.async_show_form(step_id="models", data_schema=choice_schema(labels, "virtual_model"))

    async def async_step_model(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Add, change or remove an alias."""
        aliases = virtual_models_of(self.config_entry.options)
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                return await self._save_aliases(self._changed(aliases, user_input))
            except AliasError as err:
                field = CONF_TARGETS if err.code == OWN_TARGET else CONF_NAME if self._name is None else "base"
                errors = {field: err.code}
        current = ModelAlias(()) if self._name is None else aliases.get(self._name, ModelAlias(()))
        targets = dict.fromkeys([AUTO, *known_models(self.hass), *current.targets])
        schema = virtual_model_schema(targets, new=self._name is None, removable=self._name not in (None, AUTO))
        stored = {} if self._name is None else stored_aliases({self._name: current})[self._name]
        values = user_input or {key: value for key, value in stored.items() if value is not None}
        return self.async_show_form(
            step_id="model",
            data_schema=self.add_suggested_values_to_schema(schema, values),
            errors=errors,
            description_placeholders={"name": self._name or ""},
        )

    def _changed(self, aliases: Aliases, user_input: Mapping[str, Any]) -> dict[str, ModelAlias]:
        """The aliases after a filled-in form. Raises AliasError."""
        if self._name is not None and user_input.get(CONF_REMOVE):
            return without_alias(aliases, self._name) if self._name in aliases else dict(aliases)
        name = self._name or user_input[CONF_NAME]
        if name.strip() == NEW:  # the option for a new alias in the list
            raise AliasError("name_taken", "This name is reserved.")
        strategy = user_input.get(CONF_STRATEGY)
        return with_alias(
            aliases, name, user_input[CONF_TARGETS], None if strategy is None else Strategy(strategy), new=self._name is None
        )

    async def _save_aliases(self, aliases: Aliases) -> ConfigFlowResult:
        return await self._to_menu({**self.config_entry.options, CONF_VIRTUAL_MODELS: stored_aliases(aliases)})
