"""`/v1/audio/…` of the engine's backends: routing, failover, limits, and OpenAI's SDK as the client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, override

import aiohttp
from aiohttp import web
import openai
from openai.types.audio import Transcription, TranscriptionVerbose
import pytest

from tests.support.fakes.speech import KOKORO, WHISPER, FakeSpeechServer, print_of, spoken
from tests.support.fakes.upstream import StubBackend
from tests.support.server import Served, served
from zeroconf_ai.backends.base import BackendInfo, Endpoint
from zeroconf_ai.config.backend_types import BACKEND_TYPES
from zeroconf_ai.protocol.record import Capability

WORDS = "Turn on the kitchen light."
WAVE = spoken("anything", 16_000)


@asynccontextmanager
async def over(*fakes: FakeSpeechServer, kind: str = "openai_compatible", **options: Any) -> AsyncIterator[Served]:
    """A gateway over these servers, the first one preferred."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        backends = []
        for number, fake in enumerate(fakes):
            await stack.enter_async_context(fake)
            info = BackendInfo(f"b{number}", f"Server {number}", priority=number)
            made = BACKEND_TYPES[kind]
            backends.append(made.make(session, info, Endpoint(fake.base_url), timeouts=made.timeouts))
        yield await stack.enter_async_context(served(*backends, **options))


def knowing(**options: Any) -> FakeSpeechServer:
    """A server that understands WAVE."""
    return FakeSpeechServer({print_of(WAVE): WORDS}, **options)


async def test_transcript_of_a_backend_is_that_of_the_sdk() -> None:
    fake = knowing()
    async with over(fake) as gateway, gateway.sdk() as client:
        plain = await client.audio.transcriptions.create(model="whisper-1", file=("a.wav", WAVE), language="en", prompt="kitchen")
        text = await client.audio.transcriptions.create(model=WHISPER, file=("a.wav", WAVE), response_format="text")
        verbose = await client.audio.transcriptions.create(
            model="auto", file=("a.wav", WAVE), response_format="verbose_json", timestamp_granularities=["word"], temperature=0.5
        )
    assert isinstance(plain, Transcription)
    assert plain.text == WORDS
    assert text == f"{WORDS}\n"
    assert isinstance(verbose, TranscriptionVerbose)
    assert (verbose.text, [segment.text for segment in verbose.segments or ()]) == (WORDS, [WORDS])
    assert [heard.fields for heard in fake.heard] == [
        {"model": WHISPER, "language": "en", "prompt": "kitchen", "response_format": "json"},
        {"model": WHISPER, "response_format": "json"},
        {"model": WHISPER, "response_format": "verbose_json", "temperature": "0.5", "timestamp_granularities[]": "word"},
    ]
    assert [(heard.data, heard.name) for heard in fake.heard] == [(WAVE, "a.wav")] * 3


async def test_speech_of_a_backend_is_streamed_to_the_sdk() -> None:
    fake = FakeSpeechServer()
    async with (
        over(fake) as gateway,
        gateway.sdk() as client,
        client.audio.speech.with_streaming_response.create(
            model=KOKORO, voice="bm_george", input="Hello", response_format="wav", speed=1.5
        ) as response,
    ):
        assert response.headers["X-ZeroconfAI-Model"] == KOKORO
        assert response.headers["Content-Type"] == "audio/wav"
        sound = b"".join([part async for part in response.iter_bytes()])
    assert sound == spoken("Hello")
    assert fake.said == [{"model": KOKORO, "voice": "bm_george", "input": "Hello", "response_format": "wav", "speed": 1.5}]


@pytest.mark.parametrize(
    ("listed", "voice", "sent"),
    [
        ({"voices": ["one", "two"]}, "two", "two"),
        ({"voices": ["one", "two"]}, "alloy", "one"),
        ({"voices": ["one", "two"]}, None, "one"),
        ({"voices": [{"id": "one", "name": "Anna"}, {"id": "two", "name": "Bert"}]}, "Bert", "two"),
        ([{"voice_id": "one", "name": "Anna"}, {"voice_id": "two"}], "two", "two"),
        ({"data": [{"name": "one"}]}, "x", "one"),
        ({"voices": {"one": {"name": "Anna"}}}, "x", "one"),
        ({"voices": [7, None, {}, "", "one"]}, "x", "one"),
        ({"voices": []}, "x", "x"),
        ("nothing", None, "alloy"),
        (None, "x", "x"),
        (None, None, "alloy"),
        (500, "x", "x"),
        (403, None, "alloy"),
    ],
)
async def test_speech_has_a_voice_that_the_server_has(listed: Any, voice: str | None, sent: str) -> None:
    fake = FakeSpeechServer()
    fake.voices = listed
    body = {"input": "Hello", "voice": voice} if voice is not None else {"input": "Hello"}
    async with over(fake) as gateway:
        for _ in range(2):
            status, _, _ = await gateway.ask("POST", "audio/speech", json=body)
            assert status == 200
    assert [said["voice"] for said in fake.said] == [sent] * 2
    assert len(fake.bodies("/v1/audio/voices")) == 1


@pytest.mark.parametrize(
    "fault", ["refuses", "is gone", "answers with JSON", "answers with HTML", "is silent", "reports an error"]
)
async def test_speech_fails_over_before_its_first_audio(fault: str) -> None:
    first, second = FakeSpeechServer(), FakeSpeechServer()
    async with over(first, second) as gateway:
        match fault:
            case "refuses":
                first.refusal = (503, "overloaded")
            case "is gone":
                await first.stop()
            case "answers with JSON":
                first.speech = {"audio": "none"}
            case "answers with HTML":
                first.speech = ("text/html", b"<html>")
            case "is silent":
                first.speech = ("audio/wav", b"")
            case "reports an error":
                first.speech = {"error": {"message": "no memory"}}
        status, sound, headers = await gateway.ask("POST", "audio/speech", json={"input": "Hello"})
    assert (status, sound) == (200, spoken("Hello"))
    assert (headers["X-ZeroconfAI-Provider"], headers["X-ZeroconfAI-Attempts"]) == ("Server 1", "2")


async def test_speech_that_breaks_off_closes_the_connection() -> None:
    fake = FakeSpeechServer()
    fake.broken = True
    async with over(fake) as gateway:
        with pytest.raises(aiohttp.ClientError):
            await gateway.ask("POST", "audio/speech", json={"input": "Hello"})


async def test_transcript_fails_over_with_the_complete_recording() -> None:
    first, second = knowing(), knowing()
    async with over(first, second) as gateway, gateway.sdk() as client:
        first.refusal = (500, "out of memory")
        found = await client.audio.transcriptions.with_raw_response.create(model="auto", file=("a.wav", WAVE))
        assert found.headers["X-ZeroconfAI-Attempts"] == "2"
    assert found.parse().text == WORDS
    assert [heard.data for heard in second.heard] == [WAVE]


async def test_transcript_of_silence_is_empty() -> None:
    async with over(FakeSpeechServer()) as gateway, gateway.sdk() as client:
        found = await client.audio.transcriptions.create(model="auto", file=("a.wav", WAVE))
    assert found.text == ""


async def test_recording_that_a_backend_cannot_read_is_not_sent_to_others() -> None:
    first, second = FakeSpeechServer(), FakeSpeechServer()
    async with over(first, second) as gateway, gateway.sdk() as client:
        with pytest.raises(openai.BadRequestError, match="cannot be decoded"):
            await client.audio.transcriptions.create(model="auto", file=("a.wav", b"no wave"))
    assert not second.heard


@pytest.mark.parametrize("path", ["audio/speech", "audio/transcriptions"])
async def test_audio_that_came_through_this_gateway_before_is_refused(path: str) -> None:
    fake = knowing()
    async with over(fake) as gateway:
        data = aiohttp.FormData({"file": WAVE}) if path.endswith("ions") else None
        options: dict[str, Any] = {"data": data} if data is not None else {"json": {"input": "Hello"}}
        status, said, _ = await gateway.ask("POST", path, headers={"Via": "1.1 gateway-id"}, **options)
        assert (status, said["error"]["code"]) == (508, "loop_detected")
        if data is None:
            await gateway.ask("POST", path, json={"input": "Hello"}, headers={"Via": "1.1 other"})
            [asked] = [request for request in fake.received if request.path == "/v1/audio/speech"]
            assert asked.headers["Via"] == "1.1 other, 1.1 gateway-id"


async def test_audio_models_of_backends_are_used_for_nothing_else() -> None:
    backend = StubBackend("mixed", models=[WHISPER, KOKORO, "llama3", "nomic-embed", "gpt-4o-mini-tts", "gpt-4o-transcribe"])
    async with served(backend) as gateway:
        for path, body, model in (
            ("chat/completions", {"messages": [{"role": "user", "content": "Hi"}]}, "llama3"),
            ("embeddings", {"input": "Hi"}, "nomic-embed"),
        ):
            _, _, headers = await gateway.ask("POST", path, json=body)
            assert headers["X-ZeroconfAI-Model"] == model
        _, listed, _ = await gateway.get("audio/models")
    assert {(model["id"], model["task"]) for model in listed["models"]} == {
        (WHISPER, "transcription"), ("gpt-4o-transcribe", "transcription"), (KOKORO, "speech"), ("gpt-4o-mini-tts", "speech")
    }  # fmt: skip


async def test_audio_voices_of_backends_are_listed() -> None:
    async with over(FakeSpeechServer()) as gateway:
        _, every, _ = await gateway.get("audio/voices")
        _, named, _ = await gateway.get("audio/voices", params={"model": KOKORO})
        status, _, _ = await gateway.get("audio/voices", params={"model": "piper"})
    assert every == named
    assert [(voice["id"], voice["model"]) for voice in named["voices"]] == [("af_heart", KOKORO), ("bm_george", KOKORO)]
    assert status == 404


async def test_voices_of_a_backend_do_not_wait_for_those_of_another() -> None:
    together = asyncio.Barrier(2)

    class Waiting(FakeSpeechServer):
        @override
        async def respond(self, request: web.Request) -> web.StreamResponse:
            if request.path == "/v1/audio/voices":
                await together.wait()
            return await super().respond(request)

    first, second, broken = Waiting(), Waiting(), FakeSpeechServer()
    second.voices, broken.voices = {"voices": ["two"]}, 500
    async with over(first, second, broken) as gateway:
        _, said, _ = await gateway.get("audio/voices")
    assert [voice["id"] for voice in said["voices"]] == ["af_heart", "bm_george", "two"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("input", ""), ("input", "x" * 4097), ("input", 7), ("voice", 7), ("response_format", "midi"), ("speed", 9), ("model", 7)],
)
async def test_speech_of_an_invalid_request_names_the_parameter(field: str, value: Any) -> None:
    fake = FakeSpeechServer()
    async with over(fake) as gateway:
        status, said, _ = await gateway.ask("POST", "audio/speech", json={"input": "Hello", field: value})
    assert (status, said["error"]["param"], fake.said) == (400, field, [])


async def test_audio_is_advertised_and_found_by_capability_or_name() -> None:
    from zeroconf_ai.presence.advertised_record import describe_engine  # noqa: PLC0415
    from zeroconf_ai.protocol.record import ServiceRecord  # noqa: PLC0415

    record = ServiceRecord("gateway", "gateway.local.", 1)
    async with over(FakeSpeechServer()) as gateway:
        assert Capability.AUDIO in describe_engine(record, gateway.engine).capabilities
    async with served(StubBackend("chats", models=["llama3"])) as gateway:
        assert Capability.AUDIO not in describe_engine(record, gateway.engine).capabilities
