"""Sentences in the language of a conversation, from Home Assistant's translations of this integration.

Home Assistant itself makes a sentence of an error in English, whatever is spoken.
"""

from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import language as language_util

from ..const import DOMAIN

LANGUAGES: Final = (
    "cs",
    "da",
    "de",
    "en",
    "es",
    "fi",
    "fr",
    "it",
    "ja",
    "ko",
    "nb",
    "nl",
    "pl",
    "pt",
    "pt-BR",
    "ru",
    "sv",
    "tr",
    "uk",
    "zh-Hans",
    "zh-Hant",
)
"""The files in `translations/` that hold them all."""

_OTHER_TAGS: Final = {"nn": "nb", "zh-hk": "zh-Hant", "zh-mo": "zh-Hant", "zh-tw": "zh-Hant"}
"""What a tag is taken for that Home Assistant's own matching does not know."""


async def async_sentence(hass: HomeAssistant, key: str, language: str | None) -> str:
    """The sentence for an error, by its translation key."""
    return await _async_text(hass, "exceptions", f"{key}.message", language)


async def async_done(hass: HomeAssistant, language: str | None) -> str:
    """What is said when something was done and there is nothing else to say."""
    return await _async_text(hass, "conversation", "agent.done", language)


def nearest_language(language: str | None, country: str | None) -> str:
    """Of `LANGUAGES` the one that is nearest to a language tag (`de-CH`, `zh_TW`); English where none is near."""
    if not language:
        return "en"
    tag = language.replace("_", "-").casefold()
    known = _OTHER_TAGS.get(tag) or _OTHER_TAGS.get(tag.partition("-")[0]) or language.replace("_", "-")
    found = language_util.matches(known, LANGUAGES, country)
    return found[0] if found else "en"


async def _async_text(hass: HomeAssistant, category: str, key: str, language: str | None) -> str:
    nearest = nearest_language(language or hass.config.language, hass.config.country)
    texts = await async_get_translations(hass, nearest, category, [DOMAIN])
    return texts[f"component.{DOMAIN}.{category}.{key}"]
