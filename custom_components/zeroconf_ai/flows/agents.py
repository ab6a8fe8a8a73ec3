"""The flows of conversation agents and AI tasks, which are subentries of a provider or the gateway."""

from collections.abc import Iterable, Mapping
import json
from typing import Any, override

from homeassistant.config_entries import SOURCE_USER, ConfigEntry, ConfigSubentryData, SubentryFlowResult
from homeassistant.const import CONF_LLM_HASS_API, CONF_MODEL, CONF_NAME, CONF_PROMPT
from homeassistant.core import HomeAssistant
from homeassistant.helpers import llm

from ..const import CONF_EXTRA_BODY, CONF_LOCAL_FALLBACK, SUBENTRY_AI_TASK, SUBENTRY_CONVERSATION, SUBENTRY_STT, SUBENTRY_TTS
from ..core.protocol.models import AUTO, ModelInfo, best_model
from ..core.protocol.record import Capability
from ..core.routing.pool.member import Member
from ..data import DATA, is_gateway
from ..gateway.policy import virtual_models_of
from .provider_schemas import agent_schema, flatten, model_ids, parse_extra_body, suggest
from .subentry import OneFormFlow
from .titles import free_title

_TITLES = {
    SUBENTRY_CONVERSATION: "{provider} Agent",
    SUBENTRY_AI_TASK: "{provider} AI Task",
    SUBENTRY_STT: "{provider} Speech to Text",
    SUBENTRY_TTS: "{provider} Text to Speech",
}


def default_title(subentry_type: str, provider: str) -> str:
    """The default title of an agent or AI task."""
    return _TITLES[subentry_type].format(provider=provider)


def default_data(subentry_type: str, model: ModelInfo | None) -> dict[str, Any]:
    """The data of a new agent or AI task; without a model, any provider may answer."""
    data: dict[str, Any] = {CONF_MODEL: model.id if model else AUTO}
    if subentry_type == SUBENTRY_CONVERSATION and (model is None or model.supports((Capability.TOOLS,))):
        data[CONF_LLM_HASS_API] = [llm.LLM_API_ASSIST]
    return data


def first_subentries(provider: str, model: ModelInfo | None, models: Iterable[ModelInfo] = ()) -> list[ConfigSubentryData]:
    """The agent and the AI task of a new provider with the chat model `model`; speech to text and text to speech of `models`."""
    models = list(models)
    of_kind = {
        SUBENTRY_CONVERSATION: model,
        SUBENTRY_AI_TASK: model,
        SUBENTRY_STT: speech_model(models, SUBENTRY_STT),
        SUBENTRY_TTS: speech_model(models, SUBENTRY_TTS),
    }
    return [
        ConfigSubentryData(
            data=default_data(kind, model), subentry_type=kind, title=default_title(kind, provider), unique_id=None
        )
        for kind, model in of_kind.items()
        if model is not None
    ]


def is_for_speech(model: ModelInfo, subentry_type: str) -> bool:
    """Whether a model is for speech to text (`SUBENTRY_STT`) or text to speech."""
    return not model.virtual and (model.transcribes if subentry_type == SUBENTRY_STT else model.speaks)


def speech_model(models: Iterable[ModelInfo], subentry_type: str) -> ModelInfo | None:
    """The first model for speech to text or text to speech; None if the provider has no such model."""
    return next((model for model in models if is_for_speech(model, subentry_type)), None)


class AgentSubentryFlow(OneFormFlow):
    """Adds or changes an agent or an AI task."""

    @override
    def _step(self, step_id: str, user_input: dict[str, Any] | None) -> SubentryFlowResult:
        entry = self._get_entry()
        errors: dict[str, str] = {}
        placeholders = {"provider": entry.title, "example": '{"seed": 1}'}
        if user_input is not None:
            try:
                title, data = _read(user_input)
            except ValueError as err:
                # Not at the field itself: its section may be folded.
                errors, placeholders = {"base": "invalid_extra_body"}, placeholders | {"reason": str(err)}
            else:
                if self.source == SOURCE_USER:
                    return self.async_create_entry(title=title, data=data)
                return self.async_update_and_abort(entry, self._get_reconfigure_subentry(), title=title, data=data)
        models, best = _models(self.hass, entry)
        if self.source == SOURCE_USER:
            taken = {other.title for other in entry.subentries.values()}
            title = free_title(default_title(self._subentry_type, entry.title), taken)
            current = default_data(self._subentry_type, best)
        else:
            subentry = self._get_reconfigure_subentry()
            title, current = subentry.title, dict(subentry.data)
        # A missing model can still be chosen.
        schema = agent_schema(self.hass, self._subentry_type, [*models, current.get(CONF_MODEL, AUTO)], title)
        values = suggest(self._shown(current)) if user_input is None else user_input
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(schema, values),
            errors=errors,
            description_placeholders=placeholders,
        )

    def _shown(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Stored data for the form: with the default prompt, the APIs that still exist, and JSON as text."""
        shown = {CONF_PROMPT: llm.DEFAULT_INSTRUCTIONS_PROMPT, CONF_LOCAL_FALLBACK: True, **data}
        if CONF_LLM_HASS_API in shown:
            known = {api.id for api in llm.async_get_apis(self.hass)}
            shown[CONF_LLM_HASS_API] = [api for api in shown[CONF_LLM_HASS_API] if api in known]
        if CONF_EXTRA_BODY in shown:
            shown[CONF_EXTRA_BODY] = json.dumps(shown[CONF_EXTRA_BODY], indent=2, ensure_ascii=False)
        return shown


def _models(hass: HomeAssistant, entry: ConfigEntry) -> tuple[list[str], ModelInfo | None]:
    """The models that can be chosen, and the default one; None: any model of any provider."""
    if is_gateway(entry):
        listed = [model for member in hass.data[DATA].engine.pool for model in member.models]
        return [*virtual_models_of(entry.options), *model_ids(listed)], None
    member: Member = entry.runtime_data.member
    # The advertisement of an offline provider names its models.
    return model_ids(member.models) or list(member.backend.info.advertised_models), best_model(member.models)


def _read(user_input: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Title and data of a filled-in form without empty values. Raises ValueError for invalid extra request fields."""
    data = {key: value for key, value in flatten(user_input).items() if value not in (None, "", [])}
    title: str = data.pop(CONF_NAME)
    if CONF_EXTRA_BODY in data:
        data[CONF_EXTRA_BODY] = parse_extra_body(data[CONF_EXTRA_BODY])
    return title, data
