"""The flows of speech to text and text to speech, which are subentries of a provider or the gateway."""

from collections.abc import Iterable, Mapping
import re
from typing import Any, override

import voluptuous as vol

from homeassistant.config_entries import SOURCE_USER, ConfigEntry, SubentryFlowResult
from homeassistant.const import CONF_MODEL, CONF_NAME
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.selector import (
    EntitySelector,
    EntitySelectorConfig,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)

from ..assist.speech_languages import LANGUAGES
from ..const import CONF_LANGUAGES, CONF_SPOKEN_BY, CONF_VOICES, DOMAIN, SUBENTRY_TTS
from ..core.protocol.models import AUTO, ModelInfo
from ..data import DATA, is_gateway
from .agents import default_title, is_for_speech, speech_model
from .provider_schemas import model_selector
from .subentry import OneFormFlow
from .titles import free_title

_MAX_VOICES = 200
_MAX_VOICE = 256
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,4}")
"""A tag of BCP 47."""


class SpeechSubentryFlow(OneFormFlow):
    """Adds or changes speech to text or text to speech."""

    @override
    def _step(self, step_id: str, user_input: dict[str, Any] | None) -> SubentryFlowResult:
        entry = self._get_entry()
        errors: dict[str, str] = {}
        if user_input is not None:
            data = {key: value for key, value in user_input.items() if value not in (None, "", [])}
            errors = _errors(data)
            if not errors:
                if data.get(CONF_LANGUAGES) == list(LANGUAGES):
                    del data[CONF_LANGUAGES]
                title = data.pop(CONF_NAME)
                if self.source == SOURCE_USER:
                    return self.async_create_entry(title=title, data=data)
                return self.async_update_and_abort(entry, self._get_reconfigure_subentry(), title=title, data=data)
        models = [model for model in _listed(self.hass, entry) if is_for_speech(model, self._subentry_type)]
        if self.source == SOURCE_USER:
            taken = {other.title for other in entry.subentries.values()}
            title = free_title(default_title(self._subentry_type, entry.title), taken)
            best = None if is_gateway(entry) else speech_model(models, self._subentry_type)
            current: dict[str, Any] = {CONF_MODEL: AUTO if best is None else best.id}
        else:
            subentry = self._get_reconfigure_subentry()
            title, current = subentry.title, dict(subentry.data)
        schema = self._schema([*(model.id for model in models), current.get(CONF_MODEL, AUTO)], title)
        values = {CONF_LANGUAGES: list(LANGUAGES), **current} if user_input is None else user_input
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, values),
            errors=errors,
            description_placeholders={"provider": entry.title, "most": str(_MAX_VOICES)},
        )

    def _schema(self, models: Iterable[str], default_name: str) -> vol.Schema:
        fields: dict[vol.Marker, Any] = {
            vol.Required(CONF_NAME, default=default_name): TextSelector(),
            vol.Required(CONF_MODEL, default=AUTO): model_selector(models),
            vol.Optional(CONF_LANGUAGES): _several(LANGUAGES),
        }
        if self._subentry_type == SUBENTRY_TTS:
            fields[vol.Optional(CONF_VOICES)] = _several(())
            entities = er.async_get(self.hass).entities.values()
            own = [entity.entity_id for entity in entities if entity.platform == DOMAIN and entity.domain == "tts"]
            engines = EntitySelectorConfig(domain="tts", exclude_entities=own)
            fields[vol.Optional(CONF_SPOKEN_BY)] = EntitySelector(engines)
        return vol.Schema(fields)


def _errors(data: Mapping[str, Any]) -> dict[str, str]:
    """The errors of a filled-in form."""
    errors: dict[str, str] = {}
    voices = data.get(CONF_VOICES, [])
    if len(voices) > _MAX_VOICES or any(len(voice) > _MAX_VOICE for voice in voices):
        errors[CONF_VOICES] = "too_many_voices"
    if not all(_LANGUAGE.fullmatch(tag) for tag in data.get(CONF_LANGUAGES, [])):
        errors[CONF_LANGUAGES] = "invalid_language"
    return errors


def _several(options: Iterable[str]) -> SelectSelector:
    """A field with several of these values, or others."""
    return SelectSelector(
        SelectSelectorConfig(options=list(options), multiple=True, custom_value=True, mode=SelectSelectorMode.DROPDOWN)
    )


def _listed(hass: HomeAssistant, entry: ConfigEntry) -> tuple[ModelInfo, ...]:
    """The models that may be chosen: those of the provider, or of all backends."""
    if is_gateway(entry):
        return tuple(model for member in hass.data[DATA].engine.pool for model in member.models)
    models: tuple[ModelInfo, ...] = tuple(entry.runtime_data.member.models)
    return models
