"""A spoken sentence through a real pipeline whose speech to text, agent and text to speech are all providers of the network."""

from collections.abc import AsyncGenerator
from datetime import datetime
import io
from itertools import pairwise
from pathlib import Path
import subprocess
import wave

from aiohttp import web
import audioop
import pytest

from custom_components.zeroconf_ai.const import CONF_ASSISTANT
from homeassistant.components import assist_pipeline, tts
from homeassistant.components.assist_pipeline.pipeline import async_get_pipeline
from homeassistant.core import Context, HomeAssistant
from homeassistant.setup import async_setup_component

from .support.fakes.provider import FakeProvider, Script, send_stream, text, tool_call
from .support.fakes.speech import FakeSpeechServer, print_of
from .support.home_assistant.assist import LIGHT, Run, make_kitchen
from .support.home_assistant.entries import agent_data, make_entry, set_up
from .support.home_assistant.speech import EARS, MOUTH, PCM, ears_data, mouth_data, seconds, speech_entry

WORDS = "It is too dark for cooking, can you help me?"
ANSWER = "Now it is bright."
RATE = 16_000
OTHER = "22222222-2222-4222-8222-222222222222"


def speak(words: str) -> bytes:
    """The sentence as samples, spoken by espeak-ng."""
    made = subprocess.run(["espeak-ng", "-v", "en", "--stdout", words], check=True, capture_output=True).stdout
    with wave.open(io.BytesIO(made)) as file:
        samples, rate = file.readframes(len(made)), file.getframerate()
    made = audioop.ratecv(samples, 2, 1, rate, RATE, None)[0]
    return made[: len(made) - len(made) % 320]  # pipelines pass on complete parts of 10 ms


async def run(hass: HomeAssistant, samples: bytes, pipeline_id: str) -> tuple[Run, bytes]:
    """The events of one run of a pipeline, and the sound of its answer."""
    events = Run()

    async def sound() -> AsyncGenerator[bytes]:
        for at in range(0, len(samples), 2048):
            yield samples[at : at + 2048]

    await assist_pipeline.async_pipeline_from_audio_stream(
        hass,
        context=Context(),
        event_callback=events.events.append,
        stt_metadata=PCM,
        stt_stream=sound(),
        pipeline_id=pipeline_id,
        tts_audio_output="wav",
        audio_settings=assist_pipeline.AudioSettings(is_vad_enabled=False),
    )
    errors = [event.data for event in events.events if event.type is assist_pipeline.PipelineEventType.ERROR]
    assert errors == []
    stream = tts.async_get_stream(hass, events.data(assist_pipeline.PipelineEventType.TTS_END)["tts_output"]["token"])
    assert stream is not None
    return events, b"".join([part async for part in stream.async_stream_result()])


@pytest.mark.parametrize("killed", ["nothing", "speech to text", "agent", "text to speech"])
async def test_spoken_sentence_turns_on_a_light_although_a_provider_is_killed(
    hass: HomeAssistant, provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: str
) -> None:
    monkeypatch.setattr("homeassistant.components.tts._init_tts_cache_dir", lambda *_: str(tmp_path))
    for component in ("homeassistant", "tts", "stt", "assist_pipeline", "intent"):
        assert await async_setup_component(hass, component, {})
    kitchen = make_kitchen(hass, "Kitchen lamp")
    hass.states.async_set(LIGHT, "off", {"friendly_name": "Kitchen lamp"})
    samples = speak(WORDS)
    with io.BytesIO() as file:
        with wave.open(file, "wb") as made:
            made.setnchannels(1)
            made.setsampwidth(2)
            made.setframerate(RATE)
            made.writeframes(samples)
        known = {print_of(file.getvalue()): WORDS}
    script: list[Script] = [tool_call("HassTurnOn", '{"name": "Kitchen lamp"}'), text(ANSWER)]
    async with (
        FakeSpeechServer(known) as first, FakeSpeechServer(known) as second, FakeProvider(id=OTHER) as other
    ):  # fmt: skip
        for number, server in enumerate((first, second)):
            engines = [ears_data(), mouth_data()] if number == 0 else []
            await set_up(hass, speech_entry(server, *engines, title=f"Speech {number}"))
        provider.answers, other.answers = list(script), list(script)
        entry = await set_up(hass, make_entry(provider, subentries=[agent_data(model="auto")]))
        await set_up(hass, make_entry(other, title="Other", subentries=[]))
        pipeline = async_get_pipeline(hass, entry.data[CONF_ASSISTANT])
        assert (pipeline.stt_engine, pipeline.tts_engine) == (EARS, MOUTH)
        if killed == "speech to text":
            await first.stop()
        elif killed == "agent":
            await provider.stop()
        elif killed == "text to speech":

            async def last_words(request: web.Request) -> web.StreamResponse:
                await first.stop()  # in the middle of the run, when it has transcribed
                return await send_stream(request, text(ANSWER))

            provider.answers[1] = last_words
        events, sound = await run(hass, samples, pipeline.id)
    assert events.data(assist_pipeline.PipelineEventType.STT_END)["stt_output"]["text"] == WORDS
    assert (kitchen.state, events.speech) == ("on", ANSWER)
    assert seconds(sound) > 0.1
    times = [datetime.fromisoformat(event.timestamp) for event in events.events]
    waits = [(after - before).total_seconds() for before, after in pairwise(times)]
    assert max(waits) < 1.0
