"""Answers of a real server over the road, byte by byte as they were recorded once.

`LIVE=http://127.0.0.1:8080` asks that server instead (OpenAI's API, without a key), and records its answers anew. The recording
in this folder is of llama.cpp with the model of `scripts/lib/tiny_gguf.py`. Keys, addresses and host names are not in it.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
import json
import os
from pathlib import Path
import shutil

import aiohttp

from tests.support.server import events
from zeroconf_ai.backends.base import Backend, Endpoint
from zeroconf_ai.backends.recorder import Recorder
from zeroconf_ai.config.backend_types import BACKEND_TYPES
from zeroconf_ai.server.replay import Replay, read_recording

from .connectors import connected

RECORDING = Path(__file__).with_name("recording")
LIVE = os.environ.get("LIVE")
ASKED = {"messages": [{"role": "user", "content": "Is the kitchen warm?"}], "max_tokens": 40, "seed": 7, "temperature": 0.0}


@asynccontextmanager
async def recorded() -> AsyncGenerator[Backend]:
    """The backend of the machine."""
    declared = BACKEND_TYPES["llamacpp"]
    make: Callable[..., Backend] = declared.make
    if LIVE is None:
        replay = Replay(read_recording(RECORDING)[1], speed=0)
        url = await replay.start()
        async with aiohttp.ClientSession() as session:
            yield make(session, declared.info("llama", "llama"), Endpoint(f"{url}/v1"))
        await replay.close()
        return
    shutil.rmtree(RECORDING, ignore_errors=True)
    recorder = Recorder(RECORDING, keep_texts=True)
    async with aiohttp.ClientSession(middlewares=(recorder.middleware,)) as session:
        yield make(session, declared.info("llama", "llama"), Endpoint(f"{LIVE.rstrip('/')}/v1"))
    await recorder.close()


def said(chunks: list[str]) -> str:
    """The text of a stream."""
    found = (json.loads(chunk) for chunk in chunks if chunk != "[DONE]")
    return "".join(choice["delta"].get("content") or "" for chunk in found for choice in chunk["choices"])


async def test_recorded_answers_cross_the_road_unchanged() -> None:
    """Complete and streamed: text, tokens and finish reason are those that the server sent."""
    async with recorded() as backend, connected(backend) as found:
        model = next(model for member in found.home.server.engine.pool for model in member.models if not model.virtual)
        asked = {**ASKED, "model": model.id}
        status, complete, _ = await found.home.server.ask("POST", "chat/completions", json=asked)
        assert status == 200
        url = f"{found.url}/chat/completions"
        streamed = {**asked, "stream": True, "stream_options": {"include_usage": True}}
        async with found.home.server.session.post(url, json=streamed) as response:
            assert response.status == 200
            chunks = await events(response)

    exchanges = [exchange for exchange in read_recording(RECORDING)[1] if exchange.path.endswith("/chat/completions")]
    sent = {b'"stream":true' in exchange.request_body.replace(b" ", b""): exchange.body for exchange in exchanges}
    raw = [line.removeprefix("data: ") for line in sent[True].decode().split("\n\n") if line.startswith("data: ")]
    assert len(said(chunks)) > 0
    assert said(chunks) == said(raw)
    assert chunks[-1] == raw[-1] == "[DONE]"
    usage = [json.loads(chunk)["usage"] for chunk in (chunks[-2], raw[-2])]
    assert usage[0]["completion_tokens"] == usage[1]["completion_tokens"] > 0
    if False in sent:  # a backend may ask for a stream where its client did not
        assert complete["choices"][0]["message"]["content"] == json.loads(sent[False])["choices"][0]["message"]["content"]
    else:
        assert complete["choices"][0]["message"]["content"] == said(raw)


def test_recording_has_no_keys_and_no_addresses() -> None:
    """It is in the repository."""
    raw = b"".join(file.read_bytes() for file in RECORDING.glob("*.json")).lower()
    assert [word for word in (b"bearer ", b"sk-", b"zai_", b"127.0.0.1", b"localhost", b"192.168.") if word in raw] == []
