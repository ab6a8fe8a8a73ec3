"""Speech to text and text to speech of providers: what is sent, what is heard, and failover."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from custom_components.zeroconf_ai.core.protocol.audio_requests import MAX_FILE_BYTES
from homeassistant.components import stt
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component

from .support.fakes.provider import FakeProvider
from .support.fakes.speech import KOKORO, WHISPER, FakeSpeechServer, print_of, spoken
from .support.home_assistant.entries import make_entry, set_up
from .support.home_assistant.speech import EARS, MOUTH, PCM, ears_data, hear, mouth_data, say, seconds, speech_entry, whole

WORDS = "Turn on the kitchen light."
WAVE = spoken("anything", 16_000)
SAMPLES = WAVE[44:]


@pytest.fixture(autouse=True)
async def component(hass: HomeAssistant, ready: None, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The component `tts` with a cache of the test's own."""
    monkeypatch.setattr("homeassistant.components.tts._init_tts_cache_dir", lambda *_: str(tmp_path))
    assert await async_setup_component(hass, "tts", {})


@pytest.fixture
async def servers(socket_enabled: None) -> AsyncIterator[tuple[FakeSpeechServer, FakeSpeechServer]]:
    """Two servers for speech that understand WAVE."""
    known = {print_of(WAVE): WORDS}
    async with FakeSpeechServer(known) as first, FakeSpeechServer(known) as second:
        yield first, second


async def add(hass: HomeAssistant, *servers: FakeSpeechServer, **data: Any) -> None:
    """Add the servers as providers, the first one with engines."""
    for number, server in enumerate(servers):
        engines = [ears_data(**data), mouth_data(**data)] if number == 0 else []
        await set_up(hass, speech_entry(server, *engines, title=f"Speech {number}"))


async def test_samples_are_sent_as_a_wav_file_and_understood(
    hass: HomeAssistant, servers: tuple[FakeSpeechServer, FakeSpeechServer]
) -> None:
    await add(hass, servers[0])
    result = await hear(hass, SAMPLES[:1000], SAMPLES[1000:])
    assert result == stt.SpeechResult(WORDS, stt.SpeechResultState.SUCCESS)
    [heard] = servers[0].heard
    assert heard.data == WAVE
    assert heard.fields == {"model": WHISPER, "language": "en", "response_format": "json"}
    assert (await hear(hass, WAVE)).text == WORDS  # with a header of its own


@pytest.mark.parametrize("fault", ["gone", "broken"])
async def test_speech_to_text_fails_over_with_the_complete_recording(
    hass: HomeAssistant, servers: tuple[FakeSpeechServer, FakeSpeechServer], fault: str
) -> None:
    await add(hass, *servers)
    if fault == "gone":
        await servers[0].stop()
    else:
        servers[0].refusal = (500, "out of memory")
    assert (await hear(hass, SAMPLES)).text == WORDS
    assert servers[1].heard[0].data == WAVE


@pytest.mark.parametrize("sound", [b"", b"\0" * (MAX_FILE_BYTES + 1)], ids=["empty", "too long"])
async def test_recording_that_cannot_be_sent_is_an_error(
    hass: HomeAssistant, servers: tuple[FakeSpeechServer, FakeSpeechServer], sound: bytes
) -> None:
    await add(hass, servers[0])
    assert (await hear(hass, sound)).result is stt.SpeechResultState.ERROR
    assert not servers[0].heard


async def test_speech_to_text_of_one_model_does_not_ask_other_providers(
    hass: HomeAssistant, servers: tuple[FakeSpeechServer, FakeSpeechServer]
) -> None:
    await add(hass, *servers, model=WHISPER)
    servers[0].refusal = (500, "out of memory")
    assert (await hear(hass, SAMPLES)).result is stt.SpeechResultState.ERROR
    assert not servers[1].heard


async def test_speech_begins_with_the_first_sentence(
    hass: HomeAssistant, servers: tuple[FakeSpeechServer, FakeSpeechServer]
) -> None:
    await add(hass, servers[0])
    servers[0].hold = asyncio.Event()
    extension, stream = await say(hass, "It is", " on. The light", " is bright. ")
    assert extension == "wav"
    first = await anext(stream)
    assert [said["input"] for said in servers[0].said] == ["It is on."]
    servers[0].hold.set()
    sound = first + await whole(stream)
    assert [said["input"] for said in servers[0].said] == ["It is on.", "The light is bright."]
    assert servers[0].said[0] == {"model": KOKORO, "voice": "af_heart", "input": "It is on.", "response_format": "wav"}
    assert seconds(sound) == pytest.approx((9 + 20) / 100, abs=0.01)


async def test_speech_fails_over_between_sentences_to_another_sample_rate(
    hass: HomeAssistant, servers: tuple[FakeSpeechServer, FakeSpeechServer]
) -> None:
    servers[1].rate = 16_000
    servers[1].voices = ["other"]
    await add(hass, *servers)
    servers[0].hold = asyncio.Event()
    _, stream = await say(hass, "It is on. ", "The light is bright.", options={"voice": "bm_george"})
    first = await anext(stream)
    servers[0].hold.set()
    rest = [await anext(stream)]
    await servers[0].stop()
    rest += [part async for part in stream]
    assert [said["input"] for said in servers[1].said] == ["The light is bright."]
    assert [servers[0].said[0]["voice"], servers[1].said[0]["voice"]] == ["bm_george", "other"]
    assert seconds(first + b"".join(rest)) == pytest.approx((9 + 20) / 100, abs=0.01)


@pytest.mark.parametrize(
    ("kind", "sound", "extension"),
    [
        ("audio/mpeg", b"ID3\x04rest", "mp3"),
        ("application/octet-stream", b"\xff\xfbrest", "mp3"),
        ("audio/aac", b"\xff\xf1rest", "aac"),
        ("audio/ogg", b"OggSrest", "ogg"),
        ("audio/wav", b"fLaCrest", "flac"),
    ],
)
async def test_speech_in_another_format_than_requested_is_passed_on(
    hass: HomeAssistant, servers: tuple[FakeSpeechServer, FakeSpeechServer], kind: str, sound: bytes, extension: str
) -> None:
    await add(hass, servers[0])
    servers[0].speech = (kind, sound)
    found, stream = await say(hass, "It is on.")
    assert (found, await whole(stream)) == (extension, sound)


@pytest.mark.parametrize("sound", [b"RIFF\0\0\0\0WAVEdata\0\0\0\0xx", b"RIFF\0\0\0\0AVI ", b"RIFF\0\0\0\0WAVE" + b"x" * 70_000])
async def test_speech_that_cannot_be_read_is_an_error(
    hass: HomeAssistant, servers: tuple[FakeSpeechServer, FakeSpeechServer], sound: bytes
) -> None:
    await add(hass, servers[0])
    servers[0].speech = ("audio/wav", sound)
    with pytest.raises(HomeAssistantError) as caught:
        await say(hass, "It is on.")
    assert caught.value.translation_key in ("stream_broken", "empty_response")


@pytest.mark.parametrize("text", ["", " \n", "…"])
async def test_speech_of_a_text_without_words_is_an_error(
    hass: HomeAssistant, servers: tuple[FakeSpeechServer, FakeSpeechServer], text: str
) -> None:
    await add(hass, servers[0])
    with pytest.raises(HomeAssistantError) as caught:
        await say(hass, text)
    assert caught.value.translation_key == "empty_response"
    assert not servers[0].said


async def test_voices_are_those_of_the_providers_or_the_owners(
    hass: HomeAssistant, servers: tuple[FakeSpeechServer, FakeSpeechServer]
) -> None:
    from homeassistant.components import tts  # noqa: PLC0415

    servers[1].voices = {"voices": [{"id": "anna", "name": "Anna"}]}
    entry = await set_up(hass, speech_entry(servers[0], mouth_data(), mouth_data("Own", voices=["one"], languages=["de-AT"])))
    await set_up(hass, speech_entry(servers[1], title="Second"))
    await hass.async_block_till_done(wait_background_tasks=True)
    listed, own = (hass.data[tts.const.DATA_COMPONENT].get_entity(entity_id) for entity_id in (MOUTH, "tts.own"))
    assert listed is not None
    assert own is not None
    assert {voice.voice_id for voice in listed.async_get_supported_voices("en") or ()} == {"af_heart", "bm_george", "anna"}
    assert [voice.voice_id for voice in own.async_get_supported_voices("de-AT") or ()] == ["one"]
    assert (own.supported_languages, own.default_language) == (["de-AT"], "de-AT")
    assert "de" in listed.supported_languages
    await whole((await say(hass, "It is on.", entity_id="tts.own"))[1])
    assert entry.title


async def test_engines_are_unavailable_without_a_provider_for_speech(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider, subentries=[ears_data(), mouth_data()]))
    for entity_id in (EARS, MOUTH):
        state = hass.states.get(entity_id)
        assert state is not None
        assert state.state == STATE_UNAVAILABLE
    assert (await hear(hass, SAMPLES)).result is stt.SpeechResultState.ERROR
    with pytest.raises(HomeAssistantError):
        await say(hass, "It is on.")
    assert not provider.requests


async def test_opus_is_sent_as_it_is(hass: HomeAssistant, servers: tuple[FakeSpeechServer, FakeSpeechServer]) -> None:
    await add(hass, servers[0])
    metadata = stt.SpeechMetadata("de-AT", stt.AudioFormats.OGG, stt.AudioCodecs.OPUS, PCM.bit_rate, PCM.sample_rate, PCM.channel)
    await set_up(hass, speech_entry(servers[1], ears_data("Austrian", languages=["de-AT"]), title="Second"))
    result = await hear(hass, b"OggSrest", metadata=metadata, entity_id="stt.austrian")
    assert result.result is stt.SpeechResultState.ERROR  # the fake decodes WAV files only
    [heard] = servers[0].heard
    assert (heard.data, heard.name, heard.fields["language"]) == (b"OggSrest", "speech.ogg", "de")
