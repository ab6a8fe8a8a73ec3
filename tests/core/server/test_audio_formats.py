"""The formats of transcripts and speech: subtitles, streams of events, and what of a form is passed on."""

import base64
import json
from pathlib import Path
from typing import Any

import openai
from openai.types.audio import TranscriptionTextDeltaEvent, TranscriptionTextDoneEvent
import pytest

from tests.core.server.test_audio import FakeAudio, form
from tests.core.server.test_audio_of_backends import WAVE, WORDS, knowing, over
from tests.core.server.test_audio_prices import priced
from tests.support.fakes.speech import FakeSpeechServer, spoken
from tests.support.server import served
from zeroconf_ai.server.audio import Transcript
from zeroconf_ai.server.subtitles import subtitles

SRT = f"1\n00:00:00,000 --> 00:00:00,080\n{WORDS}\n\n"
VTT = f"WEBVTT\n\n00:00:00.000 --> 00:00:00.080\n{WORDS}\n\n"


@pytest.mark.parametrize(("wanted", "expected"), [("srt", SRT), ("vtt", VTT), ("text", f"{WORDS}\n")])
async def test_transcript_of_a_backend_has_the_format_that_the_client_wants(wanted: Any, expected: str) -> None:
    async with over(knowing()) as gateway, gateway.sdk() as client:
        told = await client.audio.transcriptions.create(model="whisper-1", file=("a.wav", WAVE), response_format=wanted)
    assert told == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("srt", "1\n00:00:00,000 --> 00:00:01,500\nTurn on the light.\n\n"),
        ("vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nTurn on the light.\n\n"),
        ("text", "Turn on the light.\n"),
    ],
)
async def test_transcript_of_the_home_has_the_format_that_the_client_wants(wanted: str, expected: str) -> None:
    async with served(audio=FakeAudio()) as gateway:
        status, said, headers = await gateway.ask(
            "POST", "audio/transcriptions", data=form(response_format=wanted, stream="true")
        )
    if wanted == "text":
        assert headers["Content-Type"] == "text/event-stream"
    else:
        assert (status, said.decode(), headers["Content-Type"]) == (200, expected, "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("data", "wanted", "expected"),
    [
        (
            {"segments": [{"start": 0, "end": 1.25, "text": " One\n\n --> two "}, {"start": 3661.0004, "end": 1, "text": "x"}]},
            "srt",
            "1\n00:00:00,000 --> 00:00:01,250\nOne -> two\n\n2\n01:01:01,000 --> 01:01:01,000\nx\n\n",
        ),
        ({"text": "x", "duration": "2.5"}, "srt", "1\n00:00:00,000 --> 00:00:02,500\nx\n\n"),
        ({"text": "x"}, "srt", "1\n00:00:00,000 --> 00:00:09,000\nx\n\n"),
        ({"text": "", "segments": []}, "srt", ""),
        ({"text": "", "segments": "none"}, "vtt", "WEBVTT\n\n"),
        (
            {"segments": [7, {"text": None}, {"start": "a", "end": -1, "text": "x"}]},
            "srt",
            "1\n00:00:00,000 --> 00:00:00,000\nx\n\n",
        ),
    ],
)
def test_subtitles_have_a_line_and_times_for_each_segment(data: dict[str, Any], wanted: str, expected: str) -> None:
    assert subtitles(data, wanted, 9.0) == expected


def sse(*events: Any) -> bytes:
    return b"".join(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode() for event in events)


def delta(text: str) -> dict[str, Any]:
    return {"type": "transcript.text.delta", "delta": text}


USAGE = {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59}


@pytest.mark.parametrize(
    ("events", "deltas"),
    [
        (sse(delta("Turn on "), delta("it."), {"type": "transcript.text.done", "text": "Turn on it.", "usage": USAGE}), 2),
        (sse({"text": "Turn on "}, {"text": "it."}), 2),
        (
            sse(
                {"object": "transcription.chunk", "choices": [{"delta": {"content": "Turn on "}}]},
                {"object": "transcription.chunk", "choices": [{"delta": {"content": "it."}}]},
                {"choices": [], "usage": {"prompt_tokens": 14, "completion_tokens": 45, "total_tokens": 59}},
                "[DONE]",
            ),
            2,
        ),
        (None, 1),
    ],
    ids=["openai", "faster-whisper-server", "vllm", "does not stream"],
)
async def test_stream_of_a_transcript_is_that_of_the_sdk(events: bytes | None, deltas: int) -> None:
    fake = FakeSpeechServer({}) if events is not None else knowing()
    fake.events = events
    async with over(fake) as gateway, gateway.sdk() as client:
        stream = await client.audio.transcriptions.create(model="whisper-1", file=("a.wav", WAVE), stream=True)
        found = [event async for event in stream]
    said = [event.delta for event in found if isinstance(event, TranscriptionTextDeltaEvent)]
    assert len(said) == deltas
    assert "".join(said) == (WORDS if events is None else "Turn on it.")
    assert isinstance(found[-1], TranscriptionTextDoneEvent)
    assert found[-1].text == "".join(said)
    assert fake.heard[0].fields["stream"] == "true"


async def test_stream_of_a_transcript_is_counted_and_streamed_from_the_next_server_after_a_failure(tmp_path: Path) -> None:
    first, second = FakeSpeechServer({}), FakeSpeechServer({})
    first.events = sse({"type": "error", "error": {"message": "no memory"}})
    second.events = sse(delta("It."), {"type": "transcript.text.done", "text": "It.", "usage": USAGE})
    async with priced(tmp_path, first, second, prices={}) as (gateway, store):
        _, secret = await store.keys.create("Phone")
        data, authorization = form(WAVE, stream="true"), {"Authorization": f"Bearer {secret}"}
        status, said, headers = await gateway.ask("POST", "audio/transcriptions", data=data, headers=authorization)
        assert (status, headers["X-ZeroconfAI-Provider"]) == (200, "Server 1")
        assert b'"transcript.text.done"' in said
        wanted = headers["X-Generation-ID"]
        _, told, _ = await gateway.get(f"generation?id={wanted}", headers=authorization)
    record = told["data"]
    assert (record["tokens_prompt"], record["tokens_completion"], record["audio_seconds"]) == (14, 45, 0.08)
    assert (record["streamed"], record["status"], record["estimated"]) == (True, "ok", False)


async def read(client: openai.AsyncOpenAI) -> None:
    """Read a stream to its end."""
    stream = await client.audio.transcriptions.create(model="whisper-1", file=("a.wav", WAVE), stream=True)
    async for _ in stream:
        pass


@pytest.mark.parametrize(
    "events",
    [
        sse(delta("It."), {"error": {"message": "no memory"}}),
        sse(delta("It.")),
        sse(delta("It."), "{broken"),
    ],
    ids=["error", "ends early", "no JSON"],
)
async def test_stream_of_a_transcript_that_breaks_off_ends_with_an_error(events: bytes) -> None:
    fake = FakeSpeechServer({})
    fake.events = events
    async with over(fake) as gateway, gateway.sdk() as client:
        with pytest.raises(openai.APIError):
            await read(client)


@pytest.mark.parametrize("events", [b"", sse("[DONE]"), sse({"text": ""})])
async def test_stream_of_silence_ends_or_fails_but_is_not_endless(events: bytes) -> None:
    fake = FakeSpeechServer({})
    fake.events = events
    async with over(fake) as gateway:
        status, said, _ = await gateway.ask("POST", "audio/transcriptions", data=form(WAVE, stream="true"))
    assert (status, b"done" in said) == (200, True) if events == sse("[DONE]") else status == 502


async def test_stream_of_an_engine_of_the_home_is_one_piece_and_its_end() -> None:
    audio = FakeAudio()
    async with served(audio=audio) as gateway, gateway.sdk() as client:
        for text in ("Turn on the light.", ""):
            audio.transcript = Transcript(text, "en", 1.5)
            stream = await client.audio.transcriptions.create(model="whisper-1", file=("a.wav", WAVE), stream=True)
            found = [event async for event in stream]
            assert [event.type for event in found] == [*(["transcript.text.delta"] if text else []), "transcript.text.done"]


async def test_lists_of_a_form_are_passed_on_whole() -> None:
    fake = knowing()
    async with over(fake) as gateway, gateway.sdk() as client:
        await client.audio.transcriptions.create(
            model="whisper-1",
            file=("a.wav", WAVE),
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
            chunking_strategy={"type": "server_vad", "threshold": 0.5},
        )
    [heard] = fake.heard
    assert heard.fields["timestamp_granularities[]"] == "segment"  # the fake keeps the last of several
    assert (heard.fields["chunking_strategy[type]"], heard.fields["chunking_strategy[threshold]"]) == ("server_vad", "0.5")


@pytest.mark.parametrize("of_backend", [True, False])
async def test_speech_as_events_has_the_same_audio_and_ends_with_usage(of_backend: bool) -> None:
    async with over(FakeSpeechServer()) as backends, served(audio=FakeAudio()) as home:
        gateway, sound = (backends, spoken("Hello")) if of_backend else (home, b"ID3sound")
        body = {"input": "Hello", "stream_format": "sse"}
        status, said, headers = await gateway.ask("POST", "audio/speech", json=body)
    assert (status, headers["Content-Type"]) == (200, "text/event-stream")
    events = [json.loads(line.removeprefix("data: ")) for line in said.decode().split("\n\n") if line]
    assert events[-1]["type"] == "speech.audio.done"
    assert set(events[-1]["usage"]) == {"input_tokens", "output_tokens", "total_tokens"}
    assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
    assert b"".join(base64.b64decode(event["audio"]) for event in events[:-1]) == sound
