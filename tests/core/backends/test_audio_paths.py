"""Servers for speech: how they are told from their list of models, their paths, and their voices; never by work that they do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.support.fakes.speech import FakeSpeechServer
from zeroconf_ai.backends.base import Backend, BackendInfo, Endpoint
from zeroconf_ai.config.backend_types import BACKEND_TYPES
from zeroconf_ai.presence.provider_backend import ProviderBackend
from zeroconf_ai.protocol.errors import ApiError
from zeroconf_ai.protocol.models import ModelInfo

HEARS: dict[str, Any] = {"/v1/audio/transcriptions": {}}
SPEAKS: dict[str, Any] = {"/v1/audio/speech": {}}
CHATS: dict[str, Any] = {"/v1/chat/completions": {}}


@asynccontextmanager
async def before(fake: FakeSpeechServer, kind: str) -> AsyncIterator[Backend]:
    """A backend of a kind, or what a provider's entry uses."""
    async with fake, aiohttp.ClientSession() as session:
        info, endpoint = BackendInfo("b", "Speech"), Endpoint(fake.base_url)
        made = BACKEND_TYPES.get(kind)
        backend: Backend = ProviderBackend(session, info, endpoint)
        if made is not None:
            backend = made.make(session, info, endpoint, timeouts=made.timeouts)
        try:
            yield backend
        finally:
            await backend.close()


@pytest.mark.parametrize("kind", ["openai_compatible", "provider"])
@pytest.mark.parametrize(
    ("models", "paths", "voices", "expected"),
    [
        (["mine"], HEARS, None, {"mine": (True, False)}),
        (["mine"], SPEAKS, None, {"mine": (False, True)}),
        (["one", "two"], HEARS | {"/health": {}}, None, {"one": (True, False), "two": (True, False)}),
        (["mine"], {"/api/v1/audio/speech/": {}}, None, {"mine": (False, True)}),
        (["mine"], HEARS | CHATS, None, {"mine": (False, False)}),
        (["mine"], {"/v1/models": {}}, None, {"mine": (False, False)}),
        (["mine"], None, {"voices": ["anna"]}, {"mine": (False, True)}),
        (["mine"], None, {"voices": []}, {"mine": (False, False)}),
        (["one", "two"], None, {"voices": ["anna"]}, {"one": (False, False), "two": (False, False)}),
        (["whisper-small", "other"], None, None, {"whisper-small": (True, False), "other": (False, False)}),
        (None, HEARS | SPEAKS, None, {"whisper-1": (True, False), "tts-1": (False, True)}),
        (None, None, ["anna", "bert"], {"tts-1": (False, True)}),
        ([], SPEAKS, None, {"tts-1": (False, True)}),
    ],
)
async def test_server_for_speech_is_told_by_its_paths(
    kind: str, models: list[str] | None, paths: Any, voices: Any, expected: dict[str, tuple[bool, bool]]
) -> None:
    fake = FakeSpeechServer()
    fake.models = None if models is None else [{"id": model, "object": "model"} for model in models]
    fake.paths, fake.voices = paths, voices
    async with before(fake, kind) as backend:
        await backend.health()
        for _ in range(2):
            found = {model.id: (model.transcribes, model.speaks) for model in await backend.models()}
            assert found == expected
    assert not fake.heard
    assert not fake.said
    asked = [received.path for received in fake.received]
    assert asked.count("/v1/audio/voices") <= 1


@pytest.mark.parametrize("kind", ["openai_compatible", "provider"])
@pytest.mark.parametrize("paths", [None, [], "no object", {"/v1/audio/speech": {}} | CHATS, {7: {}}])
async def test_server_without_models_and_without_speech_is_no_provider(kind: str, paths: Any) -> None:
    fake = FakeSpeechServer()
    fake.models, fake.paths, fake.voices = None, paths, None
    async with before(fake, kind) as backend:
        with pytest.raises(ApiError):
            await backend.health()


@pytest.mark.parametrize(
    ("entry", "abilities"),
    [
        ({"task": "automatic-speech-recognition"}, (True, False)),
        ({"model_type": "audio", "model_ability": ["audio2text"]}, (True, False)),
        ({"model_type": "audio", "model_ability": ["text2audio", "text2audio_zero_shot"]}, (False, True)),
        ({"model_type": "LLM", "model_ability": ["chat", "audio"]}, (False, False)),
        ({"categories": ["speech_to_text"]}, (True, False)),
        ({"categories": ["text_to_speech"]}, (False, True)),
        ({"categories": ["llm", "speech_to_text"]}, (False, False)),
        ({"mode": "audio_speech"}, (False, True)),
        ({"labels": ["tts", 7, None]}, (False, True)),
        ({"labels": "tts", "mode": ["audio_speech"], "type": 7}, (False, False)),
    ],
)
def test_model_for_speech_is_told_by_the_words_of_its_list(entry: dict[str, Any], abilities: tuple[bool, bool]) -> None:
    found = ModelInfo.parse({"id": "mine", **entry})
    assert found is not None
    assert (found.transcribes, found.speaks) == abilities
