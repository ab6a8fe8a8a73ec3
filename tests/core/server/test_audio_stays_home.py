"""A key whose requests stay at home: no recording and no text of it reaches an engine of a cloud service, by any path."""

from pathlib import Path
from typing import Any, override

import pytest

from tests.core.server.test_audio import SPEAK, FakeAudio, form
from tests.core.server.test_limits_http import bearer, limited
from tests.support.fakes.upstream import StubBackend
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.record import Cost, Placement
from zeroconf_ai.server.audio import AudioModel, AudioTask, Voice

OUTSIDE = [
    AudioModel("stt.cloud", "Cloud", AudioTask.TRANSCRIPTION, ("en",), leaves_home=True),
    AudioModel("tts.cloud", "Cloud", AudioTask.SPEECH, ("en",), leaves_home=True),
]
PATHS = ["audio/transcriptions", "audio/speech"]


class HomeAndCloud(FakeAudio):
    """Engines at home and of a cloud service, which are the default ones."""

    def __init__(self, *, at_home: bool = True) -> None:
        super().__init__()
        self.engines = [*OUTSIDE, *(self.engines if at_home else ())]

    @override
    def voices(self) -> list[Voice]:
        return [*super().voices(), Voice("claudia", "Claudia", "tts.cloud", "en")]


async def ask(gateway: Any, path: str, secret: str, model: str | None) -> tuple[int, Any]:
    """Status, and the code of an error."""
    named = {} if model is None else {"model": model}
    content: dict[str, Any] = {"json": {**SPEAK, **named}} if path == "audio/speech" else {"data": form(**named)}
    status, said, _ = await gateway.ask("POST", path, **bearer(secret), **content)
    return status, None if status == 200 else said["error"]["code"]


def used(audio: FakeAudio) -> list[Any]:
    return [model for _, model, _ in audio.heard] + [spoken["model"] for spoken in audio.spoken]


@pytest.mark.parametrize("path", PATHS)
async def test_audio_of_a_key_that_stays_home_uses_engines_at_home_only(tmp_path: Path, path: str) -> None:
    kind, home = ("stt", "stt.ears") if path == "audio/transcriptions" else ("tts", "tts.voice")
    async with limited(tmp_path / "gateway.db") as (gateway, store):
        gateway.gateway.audio = audio = HomeAndCloud()
        _, secret = await store.keys.create("Phone", home_only=True)
        _, free = await store.keys.create("Laptop")
        assert await ask(gateway, path, secret, None) == (200, None)
        assert await ask(gateway, path, secret, f"{kind}.cloud") == (503, "home_only")
        assert used(audio) == [home]
        assert await ask(gateway, path, free, f"{kind}.cloud") == (200, None)
        assert used(audio) == [home, f"{kind}.cloud"]
        gateway.gateway.audio = audio = HomeAndCloud(at_home=False)
        assert await ask(gateway, path, secret, None) == (503, "home_only")
        assert used(audio) == []


async def test_lists_for_a_key_that_stays_home_have_no_engine_outside(tmp_path: Path) -> None:
    async with limited(tmp_path / "gateway.db") as (gateway, store):
        gateway.gateway.audio = HomeAndCloud()
        _, secret = await store.keys.create("Phone", home_only=True)
        _, free = await store.keys.create("Laptop")
        for key, engines, voices in (
            (secret, ["stt.ears", "tts.voice"], ["anna"]),
            (free, ["stt.cloud", "stt.ears", "tts.cloud", "tts.voice"], ["anna", "claudia"]),
        ):
            _, said, _ = await gateway.get("audio/models", **bearer(key))
            assert sorted(model["id"] for model in said["models"]) == sorted(engines)
            _, said, _ = await gateway.get("audio/voices", **bearer(key))
            assert sorted(voice["id"] for voice in said["voices"]) == voices


@pytest.mark.parametrize("path", [*PATHS, "images/generations"])
async def test_backend_outside_gets_neither_audio_nor_images_of_a_key_that_stays_home(tmp_path: Path, path: str) -> None:
    names = ("whisper-1", "tts-1", "dall-e-2")
    cloud = StubBackend("cloud", models=[ModelInfo(name) for name in names], cost=Cost.METERED, placement=Placement.CLOUD)
    async with limited(tmp_path / "gateway.db", cloud) as (gateway, store):
        _, secret = await store.keys.create("Phone", home_only=True)
        if path in PATHS:
            found = await ask(gateway, path, secret, None)
        else:
            status, said, _ = await gateway.ask("POST", path, json={"prompt": "A house"}, **bearer(secret))
            found = status, said["error"]["code"]
        assert found == (503, "home_only")
        assert not cloud.sent
