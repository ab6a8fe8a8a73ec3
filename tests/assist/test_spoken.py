"""The sentences that are spoken: there for every language of ours, and the nearest one for every language tag."""

import json
from pathlib import Path
import re

import pytest

from custom_components.zeroconf_ai.assist import spoken
from custom_components.zeroconf_ai.assist.spoken import LANGUAGES, async_done, async_sentence, nearest_language
from custom_components.zeroconf_ai.errors import SENTENCES
from homeassistant.core import HomeAssistant

FILES = Path(spoken.__file__).parents[1] / "translations"


def test_languages_equal_the_translation_files() -> None:
    assert sorted(path.stem for path in FILES.glob("*.json")) == sorted(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_translation_of_each_language_has_every_sentence(language: str) -> None:
    texts = json.loads((FILES / f"{language}.json").read_text(encoding="utf-8"))
    sentences = {key: texts["exceptions"][key]["message"] for key in SENTENCES}
    assert len(set(sentences.values())) == len(SENTENCES)
    for sentence in (*sentences.values(), texts["conversation"]["agent"]["done"]):
        assert len(sentence) <= 80
        assert re.fullmatch(r"[^.。{}]+[.。]", sentence), sentence
    assert texts["conversation"].keys() == {"agent"}
    assert texts["conversation"]["agent"].keys() == {"done"}, "hassfest accepts no others"
    if language != "en":
        assert texts.keys() == {"exceptions", "conversation"}


@pytest.mark.parametrize(
    ("tag", "country", "nearest"),
    [
        ("en", None, "en"),
        ("en-GB", "GB", "en"),
        ("de-CH", "CH", "de"),
        ("de_AT", None, "de"),
        ("pt", None, "pt"),
        ("pt-PT", "PT", "pt"),
        ("pt-BR", None, "pt-BR"),
        ("es-419", None, "es"),
        ("no", None, "nb"),
        ("nn-NO", None, "nb"),
        ("nn", None, "nb"),
        ("zh", None, "zh-Hans"),
        ("zh-CN", None, "zh-Hans"),
        ("zh-TW", None, "zh-Hant"),
        ("zh_hk", None, "zh-Hant"),
        ("zh-Hant", None, "zh-Hant"),
        ("fr-CA", "CA", "fr"),
        ("is", None, "en"),
        ("", None, "en"),
        (None, None, "en"),
    ],
)
def test_language_tag_is_matched_to_the_nearest_language(tag: str | None, country: str | None, nearest: str) -> None:
    assert nearest_language(tag, country) == nearest


async def test_sentence_without_a_language_is_in_home_assistants(hass: HomeAssistant) -> None:
    hass.config.language = "sv"
    assert await async_done(hass, None) == "Klart."
    assert await async_sentence(hass, "all_failed", "fi") == "Valitettavasti tekoäly ei vastaa juuri nyt."
