"""Translated sentences in the language of a conversation.

Home Assistant itself renders errors in English, whatever the conversation's language.
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
"""The complete files in `translations/`."""

_OTHER_TAGS: Final = {"nn": "nb", "zh-hk": "zh-Hant", "zh-mo": "zh-Hant", "zh-tw": "zh-Hant"}
"""Language tags that Home Assistant's matching does not know."""


async def async_sentence(hass: HomeAssistant, key: str, language: str | None) -> str:
    """The sentence for an error, by its translation key."""
    return await _async_text(hass, "exceptions", f"{key}.message", language)


async def async_done(hass: HomeAssistant, language: str | None) -> str:
    """The sentence for a completed action without another answer."""
    return await _async_text(hass, "conversation", "agent.done", language)


async def async_provider_changed(
    hass: HomeAssistant, language: str | None, origin: str, target: str, *, stays_home: bool = False
) -> str:
    """The sentence for a conversation that continues with another provider; `stays_home`: because it may not leave the home."""
    # Beside the sentences for errors: hassfest accepts only `done` for `conversation`.
    text = await async_sentence(hass, "provider_changed_home" if stays_home else "provider_changed", language)
    return text.replace("{origin}", origin).replace("{target}", target)


def nearest_language(language: str | None, country: str | None) -> str:
    """The best match in `LANGUAGES` for a language tag (`de-CH`, `zh_TW`); English without a match."""
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
