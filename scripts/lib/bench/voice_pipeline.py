"""How soon a person hears an answer: Home Assistant's own pipeline with this integration's agent and with the core's `ollama`.

Both ask the same fake Ollama, which takes a while for its first token and then says 25 words a second. Speech is recognised and
made by fakes too, so that only what is between them differs. Everything runs in one process, turn by turn; medians count.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
import json
from pathlib import Path
import re
import statistics
import sys
import time
from types import MappingProxyType
from typing import Any, Final, override

from aiohttp import web
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_test_home_assistant

import custom_components.zeroconf_ai
from homeassistant import loader
from homeassistant.components import assist_pipeline, stt, tts
from homeassistant.components.assist_pipeline import PipelineEvent, PipelineEventType
from homeassistant.components.tts.entity import TTSAudioRequest
from homeassistant.config_entries import ConfigSubentryData
from homeassistant.const import Platform
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from tests.support.clouds.ollama import THINKER, FakeOllama
from tests.support.home_assistant.audio import Ears, Mouth, tone
from tests.support.home_assistant.entries import add_entity, agent_data
from tests.support.home_assistant.gateway_entry import backend_data, make_gateway

HEARING_SECONDS: Final = 0.2
FIRST_TOKEN_SECONDS: Final = 0.3
WORDS_PER_SECOND: Final = 25
SPEAKING_SECONDS: Final = 0.1
"""For each sentence. The sound is said to be what Home Assistant asks for, so that ffmpeg does not wait for more of it."""
ANSWER: Final = (
    "The sky is blue because air scatters the blue part of sunlight more than the red part. In the evening the light has a "
    "longer way through the air. Most of the blue is gone by then. What is left is orange and red."
)
_SENTENCE: Final = re.compile(r"[.!?](?:\s|$)")
STEPS: Final = ("words heard", "first token", "first sentence", "first audio", "last audio")


@dataclass(frozen=True, slots=True)
class Heard:
    """One agent with one kind of text-to-speech engine: milliseconds from the end of the person's sentence, medians."""

    agent: str
    engine: str
    milliseconds: Mapping[str, float]


class _PacedOllama(FakeOllama):
    """An Ollama whose answer comes word by word."""

    @override
    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        response = web.StreamResponse(headers={"Content-Type": self.content_type})
        await asyncio.sleep(FIRST_TOKEN_SECONDS)
        await response.prepare(request)
        head = {"model": body["model"], "created_at": "2026-11-21T10:00:00.123456789Z"}
        for word in ANSWER.split(" "):
            line = head | {"message": {"role": "assistant", "content": f"{word} "}, "done": False}
            await response.write(json.dumps(line).encode() + b"\n")
            await asyncio.sleep(1 / WORDS_PER_SECOND)
        end = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
        await response.write(json.dumps(head | end | {"eval_count": 8, "prompt_eval_count": 21}).encode() + b"\n")
        return response


class _Hearing(Ears):
    @override
    async def async_process_audio_stream(self, metadata: stt.SpeechMetadata, stream: Any) -> stt.SpeechResult:
        result = await super().async_process_audio_stream(metadata, stream)
        await asyncio.sleep(HEARING_SECONDS)
        return result


class _Streaming(Mouth):
    """Speaks each sentence once it is complete."""

    _attr_name = "Streaming"
    _attr_unique_id = "streaming"

    @override
    async def async_stream_tts_audio(self, request: TTSAudioRequest) -> tts.TTSAudioResponse:
        async def sound() -> AsyncGenerator[bytes]:
            text = ""
            async for part in request.message_gen:
                text += part
                while (end := _SENTENCE.search(text)) is not None and end.end() < len(text):
                    text = text[end.end() :]
                    await asyncio.sleep(SPEAKING_SECONDS)
                    yield tone(seconds=0.1)
            await asyncio.sleep(SPEAKING_SECONDS)
            yield tone(seconds=0.1)

        return tts.TTSAudioResponse("mp3", sound())


class _Whole(Mouth):
    """Speaks complete answers only."""

    _attr_name = "Whole"
    _attr_unique_id = "whole"

    @override
    def async_supports_streaming_input(self) -> bool:
        return False

    @override
    async def async_get_tts_audio(self, message: str, language: str, options: dict[str, Any]) -> tts.TtsAudioType:
        await asyncio.sleep(SPEAKING_SECONDS * len(_SENTENCE.findall(message)))
        return "mp3", tone(seconds=0.1)


async def _ask(hass: HomeAssistant, pipeline: str) -> dict[str, float]:
    """Speak one sentence; milliseconds of each step from its end."""
    times: dict[str, float] = {}
    text = ""
    token = ""
    speaks = asyncio.Event()

    def on_event(event: PipelineEvent) -> None:
        nonlocal text, token
        data = event.data or {}
        if event.type is PipelineEventType.RUN_START:
            token = data["tts_output"]["token"]
        elif event.type is PipelineEventType.STT_END:
            times["words heard"] = time.perf_counter()
        elif event.type is PipelineEventType.INTENT_PROGRESS:
            if words := data.get("chat_log_delta", {}).get("content"):
                times.setdefault("first token", time.perf_counter())
                text += words
                if _SENTENCE.search(text):
                    times.setdefault("first sentence", time.perf_counter())
            if data.get("tts_start_streaming"):
                speaks.set()
        elif event.type is PipelineEventType.TTS_END:
            speaks.set()

    async def said() -> AsyncGenerator[bytes]:
        yield tone(seconds=0.2)
        times["end"] = time.perf_counter()

    async def listen() -> None:
        await speaks.wait()
        stream = tts.async_get_stream(hass, token)
        assert stream is not None
        async for _ in stream.async_stream_result():
            times.setdefault("first audio", time.perf_counter())
        times["last audio"] = time.perf_counter()

    listening = asyncio.create_task(listen())
    await assist_pipeline.async_pipeline_from_audio_stream(
        hass,
        context=Context(),
        event_callback=on_event,
        stt_metadata=stt.SpeechMetadata(
            language="",
            format=stt.AudioFormats.WAV,
            codec=stt.AudioCodecs.PCM,
            bit_rate=stt.AudioBitRates.BITRATE_16,
            sample_rate=stt.AudioSampleRates.SAMPLERATE_16000,
            channel=stt.AudioChannels.CHANNEL_MONO,
        ),
        stt_stream=said(),
        pipeline_id=pipeline,
        audio_settings=assist_pipeline.AudioSettings(is_vad_enabled=False),
    )
    await asyncio.wait_for(listening, 60)
    return {step: 1000 * (times[step] - times["end"]) for step in STEPS}


async def _agents(hass: HomeAssistant, ollama: FakeOllama, folder: Path) -> dict[str, str]:
    """The entity of each agent, by the name of its integration."""
    core = MockConfigEntry(
        domain="ollama",
        title="Core",
        version=3,
        minor_version=3,
        data={"url": ollama.root},
        subentries_data=[
            ConfigSubentryData(
                data=MappingProxyType({"model": THINKER, "llm_hass_api": ["assist"]}),
                subentry_type="conversation",
                title="Core",
                unique_id=None,
            )
        ],
    )
    ours = make_gateway(folder, backend_data("ollama", ollama.root), agent_data("Ours", model=THINKER, thinking="off"))
    found = {}
    for name, entry in (("ollama", core), ("zeroconf_ai", ours)):
        entry.add_to_hass(hass)
        if not await hass.config_entries.async_setup(entry.entry_id):
            raise RuntimeError(f"{name} could not be set up: {entry.reason}")
        await hass.async_block_till_done()
        registered = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
        found[name] = next(entity.entity_id for entity in registered if entity.domain == "conversation")
    return found


async def measure(folder: Path, rounds: int) -> list[Heard]:
    """Ask in turn, `rounds` times after one question that is not counted."""
    async with AsyncExitStack() as stack:
        hass = await stack.enter_async_context(async_test_home_assistant(config_dir=str(folder)))
        stack.push_async_callback(hass.async_stop, force=True)
        hass.data.pop(loader.DATA_CUSTOM_COMPONENTS)
        sys.modules["custom_components"] = custom_components
        for component in ("homeassistant", "http", "stt", "tts", "assist_pipeline"):
            if not await async_setup_component(hass, component, {}):
                raise RuntimeError(f"{component} could not be set up")
        ears = _Hearing()
        await add_entity(hass, Platform.STT, ears)
        engines: dict[str, Mouth] = {"streaming": _Streaming(), "whole": _Whole()}
        for engine in engines.values():
            await add_entity(hass, Platform.TTS, engine)
        ollama = await stack.enter_async_context(_PacedOllama())
        pipelines: dict[tuple[str, str], str] = {}
        for agent, entity_id in (await _agents(hass, ollama, folder)).items():
            for kind, engine in engines.items():
                name = f"{agent} {kind}"
                made = await assist_pipeline.async_create_default_pipeline(hass, ears.entity_id, engine.entity_id, name)
                assert made is not None
                await assist_pipeline.async_update_pipeline(hass, made, conversation_engine=entity_id, prefer_local_intents=False)
                pipelines[agent, kind] = made.id
        times: dict[tuple[str, str], list[dict[str, float]]] = {key: [] for key in pipelines}
        for number in range(rounds + 1):
            for key, pipeline in pipelines.items():
                found = await _ask(hass, pipeline)
                if number:
                    times[key].append(found)
        return [
            Heard(agent, kind, {step: statistics.median(one[step] for one in found) for step in STEPS})
            for (agent, kind), found in times.items()
        ]


def table(found: list[Heard]) -> str:
    """The steps as a table for people."""
    lines = [f"{'agent':14}{'text-to-speech':16}" + "".join(f"{step:>17}" for step in STEPS)]
    lines += [
        f"{one.agent:14}{one.engine:16}" + "".join(f"{one.milliseconds[step]:>14.0f} ms" for step in STEPS) for one in found
    ]
    return "\n".join(lines)
