"""The steps of model aliases in the gateway's options."""

from collections.abc import Mapping
from typing import Any

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_NAME
from homeassistant.core import HomeAssistant

from ..const import CONF_STRATEGY, CONF_TARGETS, CONF_VIRTUAL_MODELS
from ..core.protocol.models import AUTO
from ..core.routing.policy import DEFAULT_VIRTUAL_MODELS
from ..data import DATA
from .gateway_schemas import CONF_ID, CONF_REMOVE, NEW, choice_schema, virtual_model_schema
from .options_menu import OptionsMenuFlow

NAME_TAKEN = "name_taken"
OWN_TARGET = "own_target"


def virtual_models(options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Name → stored `targets` and `strategy`; the default aliases until one is changed."""
    stored = options.get(CONF_VIRTUAL_MODELS)
    if stored is not None:
        return {name: dict(model) for name, model in stored.items()}
    return {
        name: {CONF_TARGETS: list(model.targets), CONF_STRATEGY: model.strategy and model.strategy.value}
        for name, model in DEFAULT_VIRTUAL_MODELS.items()
    }


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
        models = virtual_models(self.config_entry.options)
        if user_input is not None:
            chosen = user_input[CONF_ID]
            self._name = None if chosen == NEW else chosen
            return await self.async_step_model()
        labels = {name: f"{name} → {' → '.join(model[CONF_TARGETS])}" for name, model in models.items()}
        return self.async_show_form(step_id="models", data_schema=choice_schema(labels, "virtual_model"))

    async def async_step_model(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Add, change or remove an alias."""
        models = virtual_models(self.config_entry.options)
        errors: dict[str, str] = {}
        if user_input is not None:
            name = self._name or user_input[CONF_NAME].strip()
            if user_input.get(CONF_REMOVE):
                models.pop(name, None)
                return await self._save_models(models)
            if self._name is None and (not name or name in models or name == NEW):
                errors = {CONF_NAME: NAME_TAKEN}
            elif name in user_input[CONF_TARGETS] and name != AUTO:
                errors = {CONF_TARGETS: OWN_TARGET}
            else:
                models[name] = {CONF_TARGETS: user_input[CONF_TARGETS] or [AUTO], CONF_STRATEGY: user_input.get(CONF_STRATEGY)}
                return await self._save_models(models)
        current = {} if self._name is None else models.get(self._name, {})
        targets = dict.fromkeys([AUTO, *known_models(self.hass), *current.get(CONF_TARGETS, ())])
        schema = virtual_model_schema(targets, new=self._name is None, removable=self._name not in (None, AUTO))
        values = user_input or {key: value for key, value in current.items() if value is not None}
        return self.async_show_form(
            step_id="model",
            data_schema=self.add_suggested_values_to_schema(schema, values),
            errors=errors,
            description_placeholders={"name": self._name or ""},
        )

    async def _save_models(self, models: dict[str, dict[str, Any]]) -> ConfigFlowResult:
        return await self._to_menu({**self.config_entry.options, CONF_VIRTUAL_MODELS: models})
