"""Descriptions of a provider in the language of Home Assistant."""

from collections.abc import Sequence

from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations

from ..const import DOMAIN
from ..core.protocol.record import ServiceRecord
from ..markdown import code

_IN_TITLE = 2
_IN_FORM = 6


async def provider_title(hass: HomeAssistant, record: ServiceRecord, models: Sequence[str], *, answers: bool = True) -> str:
    """The title of a discovered provider in lists, with some of its models and its cost."""
    words = await _Words.load(hass)
    if not answers:
        return f"{record.name} ({words.of('models', 'unanswered')})"
    return f"{record.name} ({words.models(models, _IN_TITLE)}; {words.of('cost', record.cost)})"


async def provider_placeholders(
    hass: HomeAssistant, record: ServiceRecord, models: Sequence[str], address: str, access: str
) -> dict[str, str]:
    """The placeholders of the form that confirms a discovered provider. `access`: an option of the selector of that name."""
    words = await _Words.load(hass)
    capabilities = sorted(words.of("capability", capability) for capability in record.capabilities)
    return {
        "name": record.name,
        "address": code(address),
        "models": words.models(models, _IN_FORM),
        "capabilities": ", ".join(capabilities),
        "cost": words.of("cost", record.cost),
        "access": words.of("access", access),
        "placement": words.of("placement", record.placement),
    }


async def models_in_title(hass: HomeAssistant, models: Sequence[str], *, locked: bool = False) -> str:
    """The first models and the number of further models, for the title of a server in lists; `locked`: it requires an API key."""
    words = await _Words.load(hass)
    if not locked:
        return words.models(models, _IN_TITLE)
    return "; ".join((*([words.models(models, _IN_TITLE)] if models else []), words.of("models", "locked")))


class _Words:
    """Translations of the protocol's values."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    @classmethod
    async def load(cls, hass: HomeAssistant) -> _Words:
        return cls(await async_get_translations(hass, hass.config.language, "selector", [DOMAIN]))

    def of(self, kind: str, value: str) -> str:
        return self._texts.get(f"component.{DOMAIN}.selector.{kind}.options.{value}", value)

    def models(self, models: Sequence[str], shown: int) -> str:
        """The first models and the number of the others."""
        if not models:
            return self.of("models", "unknown")
        more = f" (+{len(models) - shown})" if len(models) > shown else ""
        return ", ".join(models[:shown]) + more
