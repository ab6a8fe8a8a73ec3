"""Whatever a peer sends, a link ends or goes on, and its memory stays bounded."""

import asyncio
from typing import Any, cast

import aiohttp
from hypothesis import HealthCheck, given, settings, strategies as st

from zeroconf_ai.relay.frames import (
    FIRST_CREDIT,
    MAX_STREAMS,
    FrameType,
    RequestHead,
    ResponseHead,
    encode,
    encode_request,
    encode_response,
    encode_window,
)
from zeroconf_ai.relay.link import Link, Role, WebSocket
from zeroconf_ai.relay.stream import RelayError, Stream

RESETS = st.sampled_from([b"", b"{}", b'{"error": {"code": "going_away"}}', b"["])
OBJECTS = st.sampled_from([b"{}", b'{"a": 1}', b"x"])
STREAMS = st.integers(1, 6)
FRAMES = st.one_of(
    st.builds(encode_request, STREAMS, st.just(RequestHead("POST", "/v1/chat/completions"))),
    st.builds(encode_response, STREAMS, st.just(ResponseHead(200))),
    st.builds(encode, st.just(FrameType.DATA), STREAMS, st.sampled_from([b"", b"x", bytes(70_000)])),
    st.builds(encode, st.just(FrameType.END), STREAMS),
    st.builds(encode, st.just(FrameType.RESET), STREAMS, RESETS),
    st.builds(encode_window, STREAMS, st.sampled_from([1, 70_000, 16 * 1024 * 1024])),
    st.builds(encode, st.sampled_from([FrameType.PING, FrameType.PONG]), st.just(0), st.binary(max_size=64)),
    st.builds(encode, st.sampled_from([FrameType.GOAWAY, FrameType.HELLO]), st.just(0), OBJECTS),
    st.binary(max_size=40),
)


class Script:
    """A WebSocket that delivers what it is given, and then closes."""

    def __init__(self, frames: list[bytes]) -> None:
        self._frames = frames
        self.sent = 0
        self.closed = False

    async def receive(self) -> aiohttp.WSMessage:
        """The next message."""
        await asyncio.sleep(0)
        if self._frames:
            return aiohttp.WSMessage(aiohttp.WSMsgType.BINARY, self._frames.pop(0), None)
        return aiohttp.WSMessage(aiohttp.WSMsgType.CLOSED, None, None)

    async def send_bytes(self, data: bytes) -> None:
        """Count what is sent."""
        self.sent += len(data)

    async def close(self) -> bool:
        """Close."""
        self.closed = True
        return True

    def get_extra_info(self, name: str) -> Any:
        """Nothing is known."""
        return None


async def run(frames: list[bytes], role: Role) -> None:
    """Give the frames to a link, and read and write its streams meanwhile."""
    held: list[Stream] = []

    async def accept(stream: Stream) -> None:
        held.append(stream)
        link.answer(stream, 200)
        await stream.send(bytes(100_000))
        async for _ in stream:
            pass
        stream.end()

    script = Script(list(frames))
    link = Link(cast("WebSocket", script), role, accept=accept)
    if role is Role.HOUSE:
        for _ in range(3):
            stream = link.open_now(RequestHead("POST", "/v1/chat/completions"))
            stream.write(bytes(300_000))
            stream.end()
            held.append(stream)
    async with asyncio.timeout(10):
        await link.run()
    assert link.closed
    assert script.closed
    assert link.reason
    assert link.streams == 0
    for stream in held:
        assert len(stream._unsent) <= 300_000
        assert sum(map(len, stream._parts)) <= FIRST_CREDIT
        try:
            stream.write(b"more")
        except RelayError:
            continue
        raise AssertionError("a stream of a closed link takes data")
    assert len(held) <= MAX_STREAMS
    assert script.sent <= 6 * 1024 * 1024


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(FRAMES, max_size=40), st.sampled_from(Role))
def test_link_any_frames_end_it_or_go_on(frames: list[bytes], role: Role) -> None:
    asyncio.run(run(frames, role))
