"""The base of speech to text and text to speech: which backends may answer, and the requests to them."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.config_entries import ConfigSubentry

from .assist.speech_languages import LANGUAGES
from .const import CONF_LANGUAGES
from .core.engine import Caller, Engine, Source
from .core.protocol.audio_requests import Recording
from .core.protocol.models import ModelInfo
from .core.protocol.request import Kind, Request
from .core.routing.pool.member import Member
from .data import DATA
from .entity import AgentEntity
from .runtime import ZeroconfAIConfigEntry


def serves(model: ModelInfo, kind: Kind) -> bool:
    """Whether a model is for transcripts, or for speech."""
    return not model.virtual and (model.speaks if kind is Kind.SPEECH else model.transcribes)


class SpeechEntity(AgentEntity):
    """A subentry of a provider or of the gateway, whose model transcribes or speaks."""

    _attr_has_entity_name = False
    _kind: Kind

    def __init__(self, entry: ZeroconfAIConfigEntry, subentry: ConfigSubentry) -> None:
        """Named like the subentry: engines are chosen by their own name."""
        super().__init__(entry, subentry)
        self._attr_name = subentry.title

    @property
    @override
    def members(self) -> list[Member]:
        """The backends that may answer, online or not: all with a model for it, or the only one."""
        found = super().members
        if self.only_member is not None:
            return found
        return [member for member in found if any(serves(model, self._kind) for model in member.models)]

    @property
    def languages(self) -> list[str]:
        """The owner's languages, else the default ones."""
        return list(self.subentry.data.get(CONF_LANGUAGES) or LANGUAGES)

    @property
    def engine(self) -> Engine:
        """The engine."""
        return self.hass.data[DATA].engine

    @property
    def caller(self) -> Caller:
        """A person, who waits for the answer."""
        return Caller(Source.ASSIST, self.entity_id)

    def request(self, body: Mapping[str, Any], recording: Recording | None = None) -> Request:
        """A request to the entity's model. Raises InvalidRequestError."""
        pin = None if self.only_member is None else self.only_member.id
        return Request.parse(self._kind, {"model": self.model, **body}, pin=pin, recording=recording)
