"""The gateway's audio: requests to Home Assistant's STT and TTS engines and their results. ffmpeg converts the audio."""

import asyncio
from collections.abc import AsyncGenerator
from itertools import pairwise
from pathlib import Path
import struct
from typing import Any

from aiohttp import web
from openai import AsyncOpenAI
import pytest

from custom_components.zeroconf_ai.core.engine import Engine
from custom_components.zeroconf_ai.core.protocol.audio_requests import Recording
from custom_components.zeroconf_ai.core.protocol.errors import InvalidRequestError, NotFoundError, UpstreamError
from custom_components.zeroconf_ai.core.server.app import create_app, create_runner
from custom_components.zeroconf_ai.core.server.audio import AudioFormat, AudioTask
from custom_components.zeroconf_ai.core.server.gateway import Gateway
from custom_components.zeroconf_ai.gateway.audio import HomeAudio
from custom_components.zeroconf_ai.gateway.audio_convert import MAX_SECONDS, Pcm, Sound
from homeassistant.components import stt
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.loader import async_get_loaded_integration
from homeassistant.setup import async_setup_component

from ..support.home_assistant.audio import Ears, Mouth, tone
from ..support.home_assistant.entries import add_entity


async def encoded(path: Path, *options: str, source: bytes | None = None) -> bytes:
    """A sound, else a tone, as ffmpeg writes it to a file at `path`."""
    process = await asyncio.create_subprocess_exec(
        *("ffmpeg", "-y", "-loglevel", "error", "-i", "pipe:0", *options, str(path)), stdin=asyncio.subprocess.PIPE
    )
    await process.communicate(source or tone())
    assert process.returncode == 0
    return await asyncio.to_thread(path.read_bytes)


def pitch(samples: bytes) -> float:
    """The frequency in the half second in the middle of a second at 16 kHz: at its ends is what codecs fill up."""
    values = [value for (value,) in struct.iter_unpack("<h", samples[8_000:24_000])]
    return sum((before < 0) != (after < 0) for before, after in pairwise(values))


def names_in(folder: Path) -> list[str]:
    """The names of a folder's entries."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
async def home(hass: HomeAssistant, ready: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HomeAssistant:
    """A home with the components, and no engine yet; temporary files are in `tmp_path/temporary`."""
    monkeypatch.setattr("homeassistant.components.tts._init_tts_cache_dir", lambda *_: str(tmp_path))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    assert await async_setup_component(hass, "stt", {})
    assert await async_setup_component(hass, "tts", {})
    return hass


@pytest.fixture
async def ears(home: HomeAssistant) -> Ears:
    """The speech-to-text engine `stt.ears`."""
    engine = Ears()
    await add_entity(home, Platform.STT, engine)
    return engine


@pytest.fixture
async def mouth(home: HomeAssistant) -> Mouth:
    """The text-to-speech engine `tts.mouth`."""
    engine = Mouth()
    await add_entity(home, Platform.TTS, engine)
    return engine


async def spoken(audio: HomeAudio, text: str = "Hello", **options: Any) -> tuple[str, bytes]:
    """The content type and the complete audio."""
    speech = await audio.speak(text, **options)
    return speech.content_type, b"".join([part async for part in speech.stream])


async def test_recording_as_matching_wav_is_passed_on_as_samples(home: HomeAssistant, ears: Ears) -> None:
    home.config.components.remove("ffmpeg")  # it is not needed
    told = await HomeAudio(home).transcribe(Recording(tone(seconds=0.5), "audio/wav", "a.wav"))
    assert (told.text, told.language, told.duration) == ("Turn on the light.", "en-US", 0.5)
    metadata, heard = ears.heard[0]
    assert heard == tone(seconds=0.5)[44:]
    assert metadata == stt.SpeechMetadata(
        "en-US",
        stt.AudioFormats.WAV,
        stt.AudioCodecs.PCM,
        stt.AudioBitRates.BITRATE_16,
        stt.AudioSampleRates.SAMPLERATE_16000,
        stt.AudioChannels.CHANNEL_MONO,
    )


@pytest.mark.parametrize(
    "options",
    [
        ("-f", "mp3"),
        ("-f", "ogg", "-c:a", "libopus"),
        ("-f", "webm", "-c:a", "libopus"),
        ("-f", "flac"),
        ("-f", "adts"),
        ("-f", "mp4", "-c:a", "aac"),
        ("-f", "wav", "-ar", "44100", "-ac", "2"),
    ],
    ids=lambda options: options[1],
)
async def test_recording_of_each_format_is_converted(
    home: HomeAssistant, ears: Ears, tmp_path: Path, options: tuple[str, ...]
) -> None:
    told = await HomeAudio(home).transcribe(Recording(await encoded(tmp_path / "recording", *options)))
    assert told.duration == pytest.approx(1.0, abs=0.15)
    metadata, heard = ears.heard[0]
    assert metadata.sample_rate == stt.AudioSampleRates.SAMPLERATE_16000
    assert pitch(heard) == pytest.approx(440, rel=0.02)
    assert names_in(tmp_path / "temporary") == []


async def test_recording_is_converted_to_the_engines_sample_rate(home: HomeAssistant, ears: Ears) -> None:
    ears.rates = [stt.AudioSampleRates.SAMPLERATE_8000, stt.AudioSampleRates.SAMPLERATE_48000]
    told = await HomeAudio(home).transcribe(Recording(tone()))
    assert told.duration == pytest.approx(1.0, abs=0.05)
    assert ears.heard[0][0].sample_rate == stt.AudioSampleRates.SAMPLERATE_48000
    assert len(ears.heard[0][1]) == pytest.approx(96_000, rel=0.05)


async def test_recording_without_ffmpeg_is_refused_with_the_required_format(home: HomeAssistant, ears: Ears) -> None:
    home.config.components.remove("ffmpeg")
    with pytest.raises(InvalidRequestError, match="WAV file: PCM, 16000 Hz, 16 bit, mono"):
        await HomeAudio(home).transcribe(Recording(b"ID3 nothing"))
    assert ears.heard == []


async def test_recording_with_a_missing_ffmpeg_binary_is_refused(
    home: HomeAssistant, ears: Ears, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("homeassistant.components.ffmpeg.FFmpegManager.binary", str(tmp_path / "none"))
    with pytest.raises(InvalidRequestError, match="no ffmpeg"):
        await HomeAudio(home).transcribe(Recording(b"ID3 nothing"))
    assert names_in(tmp_path / "temporary") == []


@pytest.mark.parametrize("data", [b"This is no sound.", b"RIFF\0\0\0\0WAVEjunk", tone(seconds=0)])
async def test_recording_without_audio_is_refused(home: HomeAssistant, ears: Ears, data: bytes) -> None:
    with pytest.raises(InvalidRequestError, match="The recording cannot be used") as refused:
        await HomeAudio(home).transcribe(Recording(data))
    assert refused.value.param == "file"


async def test_recording_that_refers_to_other_files_does_not_open_them(home: HomeAssistant, ears: Ears, tmp_path: Path) -> None:
    (tmp_path / "temporary" / "secret.wav").write_bytes(tone())
    with pytest.raises(InvalidRequestError):
        await HomeAudio(home).transcribe(Recording(b"ffconcat version 1.0\nfile 'secret.wav'\n"))
    assert b"".join(heard for _, heard in ears.heard) == b""


async def test_recording_too_long_is_refused() -> None:
    async def endless() -> AsyncGenerator[bytes]:
        while True:
            yield bytes(10 * 32_000)

    sound = Sound(Pcm(16_000, 1), endless)
    heard = sum([len(part) async for part in sound.stream])
    assert heard == MAX_SECONDS * 32_000
    with pytest.raises(InvalidRequestError, match="longer than 30 minutes"):
        sound.check()


@pytest.mark.parametrize(
    "result",
    [HomeAssistantError("the server is away"), stt.SpeechResult(None, stt.SpeechResultState.ERROR)],
)
async def test_speech_to_text_failure_is_an_upstream_error(home: HomeAssistant, ears: Ears, result: Any) -> None:
    ears.result = result
    with pytest.raises(UpstreamError, match=r"stt\.ears failed"):
        await HomeAudio(home).transcribe(Recording(tone()))


async def test_speech_to_text_engine_without_pcm_is_an_upstream_error(home: HomeAssistant, ears: Ears) -> None:
    ears.formats = [stt.AudioFormats.OGG]
    with pytest.raises(UpstreamError, match="16-bit PCM"):
        await HomeAudio(home).transcribe(Recording(tone()))


async def test_speech_language_is_matched_to_the_engines(home: HomeAssistant, ears: Ears) -> None:
    audio = HomeAudio(home)
    assert (await audio.transcribe(Recording(tone()), language="de")).language == "de-DE"
    home.config.language = "fi"
    assert (await audio.transcribe(Recording(tone()))).language == "de-DE"
    with pytest.raises(InvalidRequestError, match=r"does not support 'fr'. It supports de-DE, en-US"):
        await audio.transcribe(Recording(tone()), language="fr")


async def test_speech_without_engines_is_not_found(home: HomeAssistant) -> None:
    audio = HomeAudio(home)
    assert (audio.models(), audio.voices()) == ([], [])
    with pytest.raises(NotFoundError, match="No engine for transcription"):
        await audio.transcribe(Recording(tone()))
    with pytest.raises(NotFoundError, match="No engine for speech"):
        await audio.speak("Hello")


async def test_speech_without_the_components_has_no_models(hass: HomeAssistant, ready: None) -> None:
    assert HomeAudio(hass).models() == []


async def test_speech_models_and_voices_are_listed(home: HomeAssistant, ears: Ears, mouth: Mouth) -> None:
    audio = HomeAudio(home)
    assert [(model.id, model.name, model.task) for model in audio.models()] == [
        ("stt.ears", "Ears", AudioTask.TRANSCRIPTION),
        ("tts.mouth", "Mouth", AudioTask.SPEECH),
    ]
    assert [(voice.id, voice.language, voice.model) for voice in audio.voices()] == [
        ("eva_k", "de-DE", "tts.mouth"),
        ("amy", "en-US", "tts.mouth"),
    ]
    with pytest.raises(NotFoundError, match=r"no engine tts\.nobody"):
        await audio.speak("Hello", model="tts.nobody")


@pytest.mark.parametrize(
    ("audio_format", "content_type", "begin"),
    [
        (AudioFormat.MP3, "audio/mpeg", b"\xff"),
        (AudioFormat.OPUS, "audio/ogg", b"OggS"),
        (AudioFormat.AAC, "audio/aac", b"\xff\xf1"),
        (AudioFormat.FLAC, "audio/flac", b"fLaC"),
        (AudioFormat.WAV, "audio/wav", b"RIFF"),
    ],
)
async def test_speech_is_returned_in_the_requested_format(
    home: HomeAssistant, mouth: Mouth, tmp_path: Path, audio_format: AudioFormat, content_type: str, begin: bytes
) -> None:
    kind, sound = await spoken(HomeAudio(home), audio_format=audio_format)
    assert kind == content_type
    assert sound.removeprefix(b"ID3").startswith(begin) or (begin == b"\xff" and sound.startswith(b"ID3"))
    decoded = await encoded(tmp_path / "raw", "-f", "s16le", "-ar", "8000", "-ac", "1", source=sound)
    assert len(decoded) == pytest.approx(16_000, rel=0.15)


async def test_speech_as_pcm_has_openais_format(home: HomeAssistant, mouth: Mouth) -> None:
    kind, sound = await spoken(HomeAudio(home), audio_format=AudioFormat.PCM)
    assert kind == "audio/pcm"
    assert len(sound) == pytest.approx(48_000, rel=0.02)


async def test_speech_voice_is_found_by_id_or_name_in_any_language(home: HomeAssistant, mouth: Mouth) -> None:
    audio = HomeAudio(home)
    await spoken(audio, "One", voice="Amy", audio_format=AudioFormat.WAV)
    await spoken(audio, "Two", voice="eva_k", audio_format=AudioFormat.WAV)
    await spoken(audio, "Three", audio_format=AudioFormat.WAV)
    assert [(text, language, options.get("voice")) for text, language, options in mouth.asked] == [
        ("One", "en-US", "amy"),
        ("Two", "de-DE", "eva_k"),
        ("Three", "en-US", None),
    ]
    with pytest.raises(InvalidRequestError, match=r"no voice 'Bob'. It has amy, eva_k"):
        await audio.speak("Hello", voice="Bob")
    mouth._attr_supported_options = []
    with pytest.raises(InvalidRequestError, match="one voice"):
        await audio.speak("Hello", voice="amy")


async def test_speech_speed_unsupported_by_the_engine_is_refused(home: HomeAssistant, mouth: Mouth) -> None:
    with pytest.raises(InvalidRequestError, match="does not support another speed") as refused:
        await HomeAudio(home).speak("Hello", speed=1.5)
    assert refused.value.param == "speed"
    mouth._attr_supported_options = ["speed"]
    await spoken(HomeAudio(home), speed=1.5, audio_format=AudioFormat.WAV)
    assert mouth.asked[0][2]["speed"] == 1.5


async def test_speech_is_streamed_and_not_stored(home: HomeAssistant, mouth: Mouth, tmp_path: Path) -> None:
    mouth.go_on = asyncio.Event()
    speech = await HomeAudio(home).speak("A secret", audio_format=AudioFormat.WAV)
    first = await anext(speech.stream)
    assert first.startswith(b"RIFF")
    mouth.go_on.set()
    rest = b"".join([part async for part in speech.stream])
    assert first + rest == tone(22_050)
    await home.async_block_till_done(wait_background_tasks=True)
    assert names_in(tmp_path) == ["temporary"]


async def test_text_to_speech_failure_is_an_upstream_error(home: HomeAssistant, mouth: Mouth) -> None:
    mouth.failure = HomeAssistantError("the server is away")
    with pytest.raises(UpstreamError, match=r"tts\.mouth failed\.$"):
        await spoken(HomeAudio(home))


async def test_openai_sdk_transcribes_and_speaks(home: HomeAssistant, ears: Ears, mouth: Mouth) -> None:
    engine = Engine()
    gateway = Gateway(engine, provider_id="gateway-id", name="Home", audio=HomeAudio(home))
    runner = create_runner(create_app(gateway, drain_seconds=0.1))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with AsyncOpenAI(
            base_url=f"http://127.0.0.1:{runner.addresses[0][1]}/v1", api_key="unused", max_retries=0
        ) as client:
            answer = await client.audio.speech.create(model="tts-1", voice="alloy", input="Turn on the light.")
            told = await client.audio.transcriptions.create(model="whisper-1", file=("speech.mp3", answer.content))
    finally:
        await runner.cleanup()
        await engine.close()
    assert told.text == "Turn on the light."
    assert len(ears.heard[0][1]) == pytest.approx(32_000, rel=0.15)


async def test_home_only_leaves_out_engines_of_cloud_services(home: HomeAssistant, ears: Ears, mouth: Mouth) -> None:
    audio = HomeAudio(home, lambda: True)
    assert audio.models() == []
    with pytest.raises(NotFoundError, match="The home-only switch is on"):
        await audio.transcribe(Recording(tone(seconds=0.5), "audio/wav", "a.wav"), model="stt.ears")
    with pytest.raises(NotFoundError, match="The home-only switch is on"):
        await spoken(audio)
    assert ears.heard == []


async def test_engines_of_cloud_services_are_known_as_such(home: HomeAssistant, ears: Ears, mouth: Mouth) -> None:
    async_get_loaded_integration(home, "test_stt").manifest["iot_class"] = "local_push"
    assert [(model.id, model.leaves_home) for model in HomeAudio(home).models()] == [("stt.ears", False), ("tts.mouth", True)]


async def test_home_only_uses_engines_of_integrations_without_a_cloud(home: HomeAssistant, ears: Ears, mouth: Mouth) -> None:
    audio = HomeAudio(home, lambda: True)
    for domain in ("test_stt", "test_tts"):
        async_get_loaded_integration(home, domain).manifest["iot_class"] = "local_push"
    assert [(model.id, model.leaves_home) for model in audio.models()] == [("stt.ears", False), ("tts.mouth", False)]
    assert (await audio.transcribe(Recording(tone(seconds=0.5), "audio/wav", "a.wav"))).text == "Turn on the light."
