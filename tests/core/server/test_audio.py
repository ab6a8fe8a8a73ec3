"""Ears and a voice over HTTP: what OpenAI's client sends, what it gets, and what is refused."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any, override

import aiohttp
from aiohttp import web
from openai import APIStatusError
import pytest

from tests.support.waiting import AT_ONCE
from zeroconf_ai.engine import Caller, Source
from zeroconf_ai.protocol.audio_requests import MAX_FILE_BYTES, MAX_INPUT, Recording
from zeroconf_ai.protocol.errors import ApiError, UpstreamError
from zeroconf_ai.server.access.auth import Access
from zeroconf_ai.server.audio import Audio, AudioFormat, AudioModel, AudioTask, Speech, Transcript, Voice

from ...support.server import KEY, Served, served

SPEAK = {"model": "tts-1", "input": "Hello", "voice": "alloy"}


class FakeAudio(Audio):
    """Records its calls; `parts` is its output: bytes, errors to raise, events to wait for."""

    def __init__(self) -> None:
        self.heard: list[tuple[Recording, str | None, str | None]] = []
        self.spoken: list[dict[str, Any]] = []
        self.parts: list[bytes | ApiError | asyncio.Event] = [b"ID3", b"sound"]
        self.transcript: Transcript | ApiError = Transcript("Turn on the light.", "en", 1.5)
        self.engines = [
            AudioModel("stt.ears", "Ears", AudioTask.TRANSCRIPTION, ("en",)),
            AudioModel("tts.voice", "Voice", AudioTask.SPEECH, ("en",)),
        ]
        self.closed = asyncio.Event()

    @override
    def models(self) -> Sequence[AudioModel]:
        return self.engines

    @override
    def voices(self) -> Sequence[Voice]:
        return [Voice("anna", "Anna", "tts.voice", "en")]

    @override
    async def transcribe(self, recording: Recording, *, model: str | None = None, language: str | None = None) -> Transcript:
        self.heard.append((recording, model, language))
        if isinstance(self.transcript, ApiError):
            raise self.transcript
        return self.transcript

    @override
    async def speak(
        self,
        text: str,
        *,
        model: str | None = None,
        voice: str | None = None,
        audio_format: AudioFormat = AudioFormat.MP3,
        speed: float = 1.0,
        language: str | None = None,
    ) -> Speech:
        self.spoken.append({"text": text, "model": model, "voice": voice, "format": audio_format, "speed": speed})
        return Speech("audio/mpeg", self._say())

    async def _say(self) -> AsyncGenerator[bytes]:
        try:
            for part in self.parts:
                if isinstance(part, ApiError):
                    raise part
                if isinstance(part, asyncio.Event):
                    await part.wait()
                else:
                    yield part
        finally:
            self.closed.set()


@pytest.fixture
def audio() -> FakeAudio:
    return FakeAudio()


def form(data: bytes = b"RIFF", /, **fields: str) -> aiohttp.FormData:
    """The form of a transcription."""
    made = aiohttp.FormData()
    made.add_field("file", data, filename="a.wav", content_type="audio/wav")
    for name, value in {"model": "whisper-1", **fields}.items():
        made.add_field(name, value)
    return made


async def refused(gateway: Served, path: str, **options: Any) -> tuple[int, dict[str, Any]]:
    """Status and error of a POST."""
    status, body, _ = await gateway.ask("POST", path, **options)
    return status, body["error"]


async def test_audio_sdk_transcribes_a_recording(audio: FakeAudio) -> None:
    async with served(audio=audio) as gateway, gateway.sdk() as client:
        told = await client.audio.transcriptions.create(
            file=("speech.ogg", b"OggS" * 50_000, "audio/ogg"), model="whisper-1", language="en", prompt="lamps"
        )
    assert told.text == "Turn on the light."
    assert told.usage is not None
    assert told.usage.type == "duration"
    assert told.usage.seconds == 1.5
    ((recording, model, language),) = audio.heard
    assert (recording.data, recording.content_type, recording.filename) == (b"OggS" * 50_000, "audio/ogg", "speech.ogg")
    assert (model, language) == (None, "en")


async def test_audio_sdk_gets_a_transcript_in_each_format(audio: FakeAudio) -> None:
    async with served(audio=audio) as gateway, gateway.sdk() as client:
        ask = client.audio.transcriptions.create
        assert await ask(file=b"RIFF", model="stt.ears", response_format="text") == "Turn on the light.\n"
        verbose = await ask(file=b"RIFF", model="stt.ears", response_format="verbose_json")
    assert (verbose.language, verbose.duration, verbose.text) == ("en", 1.5, "Turn on the light.")
    assert audio.heard[0][1] == "stt.ears"


async def test_audio_sdk_streams_speech(audio: FakeAudio) -> None:
    go_on = asyncio.Event()
    audio.parts = [b"first", go_on, b"second"]
    async with served(audio=audio) as gateway, gateway.sdk() as client:
        speech = client.audio.speech.with_streaming_response
        async with speech.create(model="tts.voice", input="Hello", voice="anna", response_format="opus", speed=1.5) as answer:
            parts = []
            async for part in answer.iter_bytes():
                parts.append(part)
                go_on.set()
    assert parts == [b"first", b"second"]
    assert answer.headers["Content-Type"] == "audio/mpeg"
    assert audio.spoken == [
        {"text": "Hello", "model": "tts.voice", "voice": "anna", "format": AudioFormat.OPUS, "speed": 1.5},
    ]


@pytest.mark.parametrize("voice", ["alloy", "default", {"id": "shimmer"}])
async def test_audio_models_and_voices_of_openai_use_the_default(audio: FakeAudio, voice: Any) -> None:
    async with served(audio=audio) as gateway, gateway.sdk() as client:
        answer = await client.audio.speech.create(model="gpt-4o-mini-tts", input="Hello", voice=voice)
        assert answer.content == b"ID3sound"
    assert audio.spoken == [{"text": "Hello", "model": None, "voice": None, "format": AudioFormat.MP3, "speed": 1.0}]


@pytest.mark.parametrize("prefix", ["", "zeroconf-ai/", "zeroconf-ai%2F"])
async def test_audio_engine_has_the_names_that_models_have(audio: FakeAudio, prefix: str) -> None:
    async with served(audio=audio) as gateway:
        spoken, _, _ = await gateway.ask("POST", "audio/speech", json={"model": f"{prefix}TTS.Voice:latest", "input": "Hello"})
        transcribed, _, _ = await gateway.ask("POST", "audio/transcriptions", data=form(model=f"{prefix}STT.ears"))
        await gateway.ask("POST", "audio/speech", json={"model": f"{prefix}TTS-1:latest", "input": "Hello"})
        listed, voices, _ = await gateway.get("audio/voices", params={"model": f"{prefix}TTS.voice"})
    assert (spoken, transcribed, listed, len(voices["voices"])) == (200, 200, 200, 1)
    assert ([order["model"] for order in audio.spoken], audio.heard[0][1]) == (["tts.voice", None], "stt.ears")


async def test_audio_engines_and_voices_are_listed(audio: FakeAudio) -> None:
    async with served(audio=audio) as gateway:
        _, models, _ = await gateway.get("audio/models")
        _, voices, _ = await gateway.get("audio/voices?model=tts.voice")
        status, _, _ = await gateway.get("audio/voices?model=tts.nobody")
    assert [model["id"] for model in models["models"]] == ["stt.ears", "tts.voice"]
    assert voices == {"voices": [{"id": "anna", "name": "Anna", "model": "tts.voice", "language": "en"}]}
    assert status == 404


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": "ass"}, "response_format"),
        ({"response_format": "srt,vtt"}, "response_format"),
        ({"response_format": "diarized_json"}, "response_format"),
    ],
)
async def test_audio_invalid_transcription_parameter_is_refused(audio: FakeAudio, fields: dict[str, str], param: str) -> None:
    async with served(audio=audio) as gateway:
        status, error = await refused(gateway, "audio/transcriptions", data=form(b"RIFF", **fields))
    assert (status, error["param"], error["type"]) == (400, param, "invalid_request_error")
    assert audio.heard == []


@pytest.mark.parametrize(
    "changes",
    [
        {"input": ""},
        {"input": "x" * (MAX_INPUT + 1)},
        {"input": 5},
        {"voice": 5},
        {"model": []},
        {"response_format": "midi"},
        {"response_format": ["mp3"]},
        {"speed": 5},
        {"speed": "fast"},
        {"stream_format": "ndjson"},
    ],
)
async def test_audio_invalid_speech_parameter_is_named(audio: FakeAudio, changes: dict[str, Any]) -> None:
    async with served(audio=audio) as gateway:
        status, error = await refused(gateway, "audio/speech", json=SPEAK | changes)
    assert (status, error["param"]) == (400, next(iter(changes)))
    assert audio.spoken == []


async def test_audio_invalid_form_is_refused(audio: FakeAudio) -> None:
    no_file = aiohttp.FormData({"model": "whisper-1"}, default_to_multipart=True)
    nested = b'--a\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n--a--\r\n'
    multipart = {"Content-Type": "multipart/form-data; boundary=a"}
    async with served(audio=audio) as gateway:
        answers = [
            await refused(gateway, "audio/transcriptions", json={"file": "x"}),
            await refused(gateway, "audio/transcriptions", data=no_file),
            await refused(gateway, "audio/transcriptions", data=form(b"")),
            await refused(gateway, "audio/transcriptions", data=b"nonsense", headers=multipart),
            await refused(gateway, "audio/transcriptions", data=b"x", headers={"Content-Type": "multipart/form-data"}),
            await refused(gateway, "audio/transcriptions", data=nested, headers=multipart),
        ]
    assert [status for status, _ in answers] == [400] * 6
    assert audio.heard == []


@pytest.mark.parametrize("chunked", [False, True])
async def test_audio_recording_beyond_the_limit_is_not_read_completely(audio: FakeAudio, chunked: bool) -> None:
    asked = 0

    async def endless() -> AsyncGenerator[bytes]:
        nonlocal asked
        yield b'--a\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        while asked < 4 * MAX_FILE_BYTES:
            asked += 1 << 20
            yield bytes(1 << 20)

    headers = {"Content-Type": "multipart/form-data; boundary=a"}
    async with served(audio=audio) as gateway:
        if chunked:
            status, error = await refused(gateway, "audio/transcriptions", data=endless(), headers=headers)
        else:
            status, error = await refused(gateway, "audio/transcriptions", data=form(bytes(MAX_FILE_BYTES + 1)))
    assert (status, error["code"]) == (413, "request_too_large")
    assert asked < 4 * MAX_FILE_BYTES
    assert audio.heard == []


async def test_audio_recording_at_the_limit_is_accepted(audio: FakeAudio) -> None:
    async with served(audio=audio) as gateway:
        status, _, _ = await gateway.ask("POST", "audio/transcriptions", data=form(bytes(MAX_FILE_BYTES)))
    assert status == 200
    assert len(audio.heard[0][0].data) == MAX_FILE_BYTES


async def test_audio_unknown_engine_lists_the_known_ones(audio: FakeAudio) -> None:
    async with served(audio=audio) as gateway, gateway.sdk() as client:
        with pytest.raises(APIStatusError, match=r"there is stt\.ears") as unknown:
            await client.audio.transcriptions.create(file=b"RIFF", model="stt.nobody")
        assert (unknown.value.status_code, unknown.value.code) == (404, "model_not_found")
        audio.engines.clear()
        status, error = await refused(gateway, "audio/speech", json=SPEAK)
    assert (status, error["code"]) == (404, "model_not_found")


async def test_audio_without_engines_is_a_404() -> None:
    async with served() as gateway:
        answers = [
            await refused(gateway, "audio/transcriptions", data=form()),
            await refused(gateway, "audio/speech", json=SPEAK),
        ]
        status, _, _ = await gateway.get("audio/voices")
    assert [(status, error["code"]) for status, error in answers] == [(404, "not_offered")] * 2
    assert status == 404


class Narrow(Access):
    """Lets everybody in, for one engine."""

    scopes: list[str]

    def __init__(self) -> None:
        self.scopes = []

    @property
    @override
    def required(self) -> bool:
        return False

    @override
    async def admit(self, request: web.BaseRequest, scope: str) -> Caller:
        self.scopes.append(scope)
        return Caller(Source.HTTP, models=("stt.*",))


async def test_audio_key_is_limited_to_its_models(audio: FakeAudio) -> None:
    access = Narrow()
    async with served(audio=audio, access=access) as gateway:
        status, error = await refused(gateway, "audio/speech", json=SPEAK)
        heard, _, _ = await gateway.ask("POST", "audio/transcriptions", data=form())
    assert (status, error["code"]) == (403, "model_not_allowed")
    assert heard == 200
    assert audio.spoken == []
    assert set(access.scopes) == {"audio"}


async def test_audio_requires_a_key(audio: FakeAudio) -> None:
    async with served(audio=audio, key=KEY) as gateway:
        status, _ = await refused(gateway, "audio/speech", json=SPEAK)
    assert status == 401
    assert audio.spoken == []


async def test_speech_failure_before_the_first_audio_is_an_error_response(audio: FakeAudio) -> None:
    audio.parts = [UpstreamError("The voice is hoarse.")]
    audio.transcript = UpstreamError("The ears are deaf.")
    async with served(audio=audio) as gateway:
        answers = [
            await refused(gateway, "audio/speech", json=SPEAK),
            await refused(gateway, "audio/transcriptions", data=form()),
        ]
        audio.parts = []
        answers.append(await refused(gateway, "audio/speech", json=SPEAK))
    assert [(status, error["message"]) for status, error in answers] == [
        (502, "The voice is hoarse."),
        (502, "The ears are deaf."),
        (502, "The engine returned no audio."),
    ]


async def test_speech_interrupted_closes_the_connection(audio: FakeAudio) -> None:
    audio.parts = [b"first", UpstreamError("hoarse")]
    async with served(audio=audio) as gateway, gateway.session.post(f"{gateway.url}/audio/speech", json=SPEAK) as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientError):
            await answer.read()


async def test_audio_client_disconnect_ends_the_engine(audio: FakeAudio) -> None:
    audio.parts = [b"first", asyncio.Event()]
    async with served(audio=audio) as gateway:
        async with gateway.session.post(f"{gateway.url}/audio/speech", json=SPEAK) as answer:
            assert await answer.content.readany() == b"first"
            answer.close()
        async with asyncio.timeout(AT_ONCE):
            await audio.closed.wait()
