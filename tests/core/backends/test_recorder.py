"""Recorded exchanges, and their replay to OpenAI's own client."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
import json
from pathlib import Path
import stat
from typing import Any

import aiohttp
from openai import APIStatusError, AsyncOpenAI
import pytest

from tests.support.clouds.asking import DIALECTS, TOOLS, chat, say
from tests.support.clouds.openai import FakeOpenAI
from tests.support.clouds.server import Call, Fault, Refusal, Reply
from tests.support.fakes.upstream import Upstream, answers, stalls, streams
from zeroconf_ai.backends import recorder as module
from zeroconf_ai.backends.base import Backend, Endpoint, Timeouts
from zeroconf_ai.backends.http import HttpUpstream
from zeroconf_ai.backends.recorder import Recorder
from zeroconf_ai.config.backend_types import BACKEND_TYPES
from zeroconf_ai.protocol import json as bounded
from zeroconf_ai.protocol.errors import ApiError
from zeroconf_ai.protocol.recorded_exchange import RecordedExchange
from zeroconf_ai.server.replay import RecordingError, Replay, read_recording

KEY = "sk-canary-0123456789"
PROMPT = "Where does Anna live? Mail anna@example.net from 192.168.7.7."
BODY: dict[str, Any] = {"model": "gpt-4.1", "messages": [{"role": "user", "content": PROMPT}], "stream": True}
TOOL = Reply("Let me look for Anna.", calls=(Call("find", {"who": "Anna", "deep": True}, "call_01A"),))


@asynccontextmanager
async def recording(folder: Path, base_url: str, *, keep_texts: bool = False) -> AsyncIterator[HttpUpstream]:
    """An upstream whose exchanges are recorded."""
    recorder = Recorder(folder, keep_texts=keep_texts)
    async with aiohttp.ClientSession(middlewares=(recorder.middleware,)) as session:
        yield HttpUpstream(session, Endpoint(base_url, KEY), name="Cloud")
        await recorder.close()


async def ask(upstream: HttpUpstream, body: dict[str, Any]) -> None:
    """Read an answer to its end, or to its error."""
    raw = json.dumps(body).encode()
    try:
        answer = await upstream.post("/chat/completions", raw, stream=bool(body.get("stream")))
    except ApiError:
        return
    try:
        if body.get("stream"):
            async for _ in answer.batches():
                pass
        else:
            await answer.completion()
    except ApiError:
        pass
    finally:
        await answer.close()


def exchanges(folder: Path) -> list[RecordedExchange]:
    """What was recorded."""
    return [RecordedExchange.parse(file.read_bytes()) for file in sorted(folder.iterdir())]


def files_of(folder: Path) -> bytes:
    """All files, which only their owner can read."""
    files = sorted(folder.iterdir())
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    return b"".join(file.name.encode() + file.read_bytes() for file in files)


async def events(url: str, body: dict[str, Any]) -> list[Any]:
    """The events that OpenAI's own client reads."""
    async with AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0, _strict_response_validation=True) as client:
        return [event.model_dump() async for event in await client.chat.completions.create(**body)]


def shape(value: Any) -> Any:
    """A value whose texts are only their lengths."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [shape(inner) for inner in value]
    return len(value) if isinstance(value, str) else value


@pytest.mark.parametrize("keep_texts", [True, False])
async def test_recorded_tool_call_is_replayed_to_the_openai_client(tmp_path: Path, keep_texts: bool) -> None:
    async with FakeOpenAI(TOOL) as fake:
        async with recording(tmp_path, fake.base_url, keep_texts=keep_texts) as upstream:
            await ask(upstream, BODY)
        real = await events(fake.root, BODY)
    (recorded,) = exchanges(tmp_path)
    assert (recorded.status, recorded.error) == (200, "")
    assert recorded.end in ("complete", "closed")
    replay = Replay(read_recording(tmp_path)[1], speed=0)
    replayed = await events(await replay.start(), BODY)
    await replay.close()
    assert len(real) > 5
    if keep_texts:
        assert replayed == real
    else:
        assert shape(replayed) == shape(real)
        call = [event["choices"][0]["delta"]["tool_calls"] for event in replayed if event["choices"][0]["delta"]["tool_calls"]]
        assert (call[0][0]["id"], call[0][0]["function"]["name"]) == ("call_01A", "find")
    raw = files_of(tmp_path)
    hidden = [KEY.encode(), b"anna@example.net", b"192.168.7.7", b"127.0.0.1"]
    assert [secret for secret in hidden if secret in raw] == []
    assert (b"Where does Anna live" in raw) is keep_texts
    assert (b"Let me look" in raw or b"Let m" in raw) is keep_texts


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name", DIALECTS)
async def test_scrubbed_recording_of_every_dialect_is_read_like_the_real_answer(tmp_path: Path, name: str, stream: bool) -> None:
    dialect = DIALECTS[name]
    reply = Reply(
        "It is warm, Anna.", thought="Anna asks.", calls=(Call("read", {"who": "Anna", "deep": True, "n": 11}), Call("stop"))
    )
    declared = BACKEND_TYPES[name]
    request = chat(dialect.model, "Is it warm? I am Anna.", stream=stream, tools=TOOLS)

    async def said(session: aiohttp.ClientSession, base_url: str) -> tuple[Any, ...]:
        make: Callable[..., Backend] = declared.make
        backend = make(session, declared.info(name, name), Endpoint(base_url, KEY))
        models = await backend.models()
        message = await say(backend, request)
        await backend.close()
        calls = [(call.name, shape(json.loads(call.arguments or "{}").values())) for call in message.tool_calls]
        return models, len(message.content), len(message.reasoning), calls, message.finish_reason, message.usage

    recorder = Recorder(tmp_path)
    fake = dialect.fake(reply)
    async with fake, aiohttp.ClientSession(middlewares=(recorder.middleware,)) as session:
        real = await said(session, fake.base_url)
        await recorder.close()
    assert b"Anna" not in files_of(tmp_path)
    replay = Replay(read_recording(tmp_path)[1], speed=0)
    url = await replay.start()
    async with aiohttp.ClientSession() as session:
        assert await said(session, url + fake.prefix) == real
    await replay.close()


async def test_replay_sends_the_same_bytes_in_the_same_pieces(tmp_path: Path) -> None:
    pieces = [b'data: {"choices":[{"delta":{"content":"H\xc3', b'\xa9 1"}}]}\n', b"\ndata: [DONE]\n\n"]
    fake = Upstream().on("/chat/completions", streams(*pieces, done=False))
    async with fake:
        async with recording(tmp_path, fake.base_url, keep_texts=True) as upstream:
            await ask(upstream, BODY)
        async with recording(tmp_path, fake.base_url) as upstream:
            await ask(upstream, BODY)
    kept, scrubbed = exchanges(tmp_path)
    assert kept.body == b"".join(pieces)
    assert scrubbed.body == b'data: {"choices":[{"delta":{"content":"X\xc3\xa9 1"}}]}\n\ndata: [DONE]\n\n'
    for recorded in (kept, scrubbed):
        replay = Replay([recorded], speed=0)
        url = await replay.start()
        async with aiohttp.ClientSession() as session, session.post(f"{url}/v1/chat/completions", json={}) as response:
            sizes, size = [], 0
            async for data, ends in response.content.iter_chunks():
                size += len(data)
                if ends:
                    sizes.append(size)
                    size = 0
        await replay.close()
        assert [size for size in sizes if size] == [chunk.size for chunk in recorded.chunks]


@pytest.mark.parametrize(
    ("outcome", "end", "status"),
    [
        (
            Refusal(429, "Slow down", code="rate_limit", headers={"Retry-After": "7", "Set-Cookie": "a=secretsecret"}),
            "complete",
            429,
        ),
        (Fault("cut"), "cut", 200),
    ],
)
async def test_recorded_failure_is_replayed(tmp_path: Path, outcome: Any, end: str, status: int) -> None:
    async with FakeOpenAI(outcome) as fake, recording(tmp_path, fake.base_url) as upstream:
        await ask(upstream, BODY)
    (recorded,) = exchanges(tmp_path)
    assert (recorded.status, recorded.end) == (status, end)
    replay = Replay([recorded], speed=0)
    url = await replay.start()
    if status == 429:
        with pytest.raises(APIStatusError) as caught:
            await events(url, BODY)
        assert (caught.value.status_code, caught.value.response.headers["Retry-After"]) == (429, "7")
        assert "Slow down" in caught.value.message
        assert "Set-Cookie" not in caught.value.response.headers
    else:
        async with aiohttp.ClientSession() as session, session.post(f"{url}/v1/chat/completions", json={}) as response:
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
    await replay.close()


async def test_recorded_refused_connection_is_replayed_as_a_broken_one(tmp_path: Path) -> None:
    async with recording(tmp_path, "http://127.0.0.1:9/v1") as upstream:
        await ask(upstream, BODY)
    (recorded,) = exchanges(tmp_path)
    assert (recorded.status, recorded.end, recorded.error) == (0, "cut", "ClientConnectorError")
    replay = Replay([recorded])
    url = await replay.start()
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await session.post(f"{url}/v1/chat/completions", json={})
    await replay.close()


async def test_recorded_answer_that_the_client_leaves_is_written(tmp_path: Path) -> None:
    fake = Upstream().on("/chat/completions", streams({"choices": [{"delta": {"content": "Hi"}}]}, then="stall"))
    async with fake, recording(tmp_path, fake.base_url) as upstream:
        answer = await upstream.post("/chat/completions", json.dumps(BODY).encode(), stream=True)
        await anext(answer.batches())
        await answer.close()
    (recorded,) = exchanges(tmp_path)
    assert (recorded.status, recorded.end, len(recorded.chunks)) == (200, "closed", 1)


async def test_recorded_silence_is_replayed_until_the_client_leaves(tmp_path: Path) -> None:
    fake = Upstream().on("/chat/completions", stalls, streams({"choices": [{"delta": {"content": "Hi"}}]}, then="stall"))
    async with fake, recording(tmp_path, fake.base_url) as upstream:
        upstream.timeouts = Timeouts(first_token=0.3)
        await ask(upstream, BODY)
        upstream.timeouts = Timeouts(between_tokens=0.3)
        await ask(upstream, BODY)
    before, within = exchanges(tmp_path)
    assert [(recorded.status, recorded.end) for recorded in (before, within)] == [(0, "stalled"), (200, "stalled")]
    replay = Replay([before, within], speed=0)
    url = await replay.start()
    async with aiohttp.ClientSession() as session:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await session.post(f"{url}/v1/chat/completions", json={})
        async with session.post(f"{url}/v1/chat/completions", json={}) as response:
            assert await response.content.readany() == within.body
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await response.content.readany()
    await replay.close()


async def test_recording_repeats_no_unchanged_list_and_replays_answers_in_order(tmp_path: Path) -> None:
    first, second = ({"data": [{"id": name}]} for name in ("one", "two"))
    fake = Upstream().on("/models", answers(first), answers(first), answers(second))
    async with fake, recording(tmp_path, fake.base_url) as upstream:
        for _ in range(4):
            await upstream.get_json("/models")
    assert [json.loads(recorded.body) for recorded in exchanges(tmp_path)] == [first, second]
    replay = Replay(read_recording(tmp_path)[1], speed=0)
    url = await replay.start()
    async with aiohttp.ClientSession() as session:
        told = [await (await session.get(f"{url}/v1/models?x=1")).json() for _ in range(3)]
        unknown = await session.get(f"{url}/v1/other")
    await replay.close()
    assert (told, unknown.status) == ([first, second, second], 404)


async def test_recording_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(module, "MAX_FILES", 2)
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 200)
    fake = Upstream().on("/chat/completions", answers({"choices": [{"message": {"content": "x" * 300}}]}))
    async with fake, recording(tmp_path, fake.base_url) as upstream:
        for _ in range(4):
            await ask(upstream, {**BODY, "stream": False})
    found = exchanges(tmp_path)
    assert [(recorded.truncated, recorded.body) for recorded in found] == [(True, b"")] * 2
    assert caplog.text.count("is full") == 1


async def test_recording_of_a_large_request_has_its_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 300)
    fake = Upstream().on("/chat/completions", answers({"choices": []}))
    async with fake, recording(tmp_path, fake.base_url) as upstream:
        await ask(upstream, {**BODY, "stream": False, "user": "x" * 300})
    (recorded,) = exchanges(tmp_path)
    assert (len(recorded.request_body), recorded.body, recorded.truncated) == (300, b'{"choices": []}', True)


async def test_recording_in_a_folder_with_recordings_adds_to_them(tmp_path: Path) -> None:
    for _ in range(2):
        async with FakeOpenAI() as fake, recording(tmp_path, fake.base_url) as upstream:
            await ask(upstream, BODY)
    raw = files_of(tmp_path)
    assert all(f"0000{number}-POST-v-chat-completions.json".encode() in raw for number in (1, 2))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"format": 2}',
        b'{"format": 1, "response": {"body": "x", "chunks": [[0, 2]]}}',
        b'{"format": 1, "response": {"chunks": [3]}}',
    ],
)
def test_replay_of_a_damaged_file_names_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "1.json").write_bytes(content)
    with pytest.raises(RecordingError, match=r"1\.json is not a recorded exchange"):
        read_recording(tmp_path)


def test_replay_of_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="contains no recorded exchange"):
        read_recording(tmp_path)
    assert issubclass(bounded.JSONDecodeError, ValueError)


async def test_replay_keeps_the_times_unless_it_is_faster(tmp_path: Path) -> None:
    async with FakeOpenAI(Reply("one two three four five six")) as fake:
        fake.pause = 0.05
        async with recording(tmp_path, fake.base_url) as upstream:
            await ask(upstream, BODY)
    (recorded,) = exchanges(tmp_path)
    assert recorded.chunks[-1].after > 0.2
    replay = Replay([recorded])
    url = await replay.start()
    started = asyncio.get_running_loop().time()
    await events(url, BODY)
    assert asyncio.get_running_loop().time() - started >= recorded.chunks[-1].after
    await replay.close()
