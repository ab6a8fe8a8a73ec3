"""Links between a house and a connector over a real WebSocket."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
import socket as sockets

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
import pytest

from zeroconf_ai.relay.frames import FIRST_CREDIT, FrameType, RequestHead, encode, encode_request, encode_window
from zeroconf_ai.relay.link import Link, Role
from zeroconf_ai.relay.stream import LinkClosedError, RelayError, Stream, StreamResetError

from .links import linked

LIMIT = 10.0
JSON = (("Content-Type", "application/json"),)


async def body_of(stream: Stream) -> bytes:
    """The complete body."""
    return b"".join([part async for part in stream])


@asynccontextmanager
async def echoing() -> AsyncGenerator[Link]:
    """The house's side of a link whose connector answers each request with its own body."""
    link: list[Link] = []

    async def accept(stream: Stream) -> None:
        link[0].answer(stream, 200, JSON)
        async for part in stream:
            await stream.send(part)
        stream.end()

    async with linked(accept) as pair, asyncio.timeout(LIMIT * 3):
        link.append(pair.connector)
        yield pair.house


async def test_stream_request_is_answered() -> None:
    async with echoing() as house:
        stream = await house.open("POST", "/v1/chat/completions", JSON)
        await stream.send(b"Hello")
        stream.end()
        head = await stream.response()
        assert (head.status, head.headers) == (200, JSON)
        assert await body_of(stream) == b"Hello"
        assert house.streams == 0


async def test_stream_each_part_arrives_while_the_body_is_open() -> None:
    async with echoing() as house:
        stream = await house.open("POST", "/v1/chat/completions")
        parts = aiter(stream)
        for number in range(20):
            stream.write(b"token %d" % number)
            assert await anext(parts) == b"token %d" % number


async def test_link_hundred_parallel_streams_are_answered() -> None:
    async def ask(house: Link, number: int) -> bytes:
        stream = await house.open("POST", "/v1/chat/completions")
        for part in range(10):
            await stream.send(b"%d.%d " % (number, part))
            await asyncio.sleep(0)
        stream.end()
        return await body_of(stream)

    async with echoing() as house:
        answers = await asyncio.gather(*(ask(house, number) for number in range(100)))
    for number, answer in enumerate(answers):
        assert answer == b"".join(b"%d.%d " % (number, part) for part in range(10))


async def test_stream_of_twenty_megabytes_arrives_and_never_exceeds_its_credit() -> None:
    received = 0
    link: list[Link] = []

    async def accept(stream: Stream) -> None:
        nonlocal received
        async for part in stream:
            received += len(part)
        link[0].answer(stream, 200)
        stream.end()

    async with linked(accept) as pair, asyncio.timeout(LIMIT * 3):
        link.append(pair.connector)
        stream = await pair.house.open("POST", "/v1/images/edits")
        await stream.send(bytes(20 * 1024 * 1024))
        stream.end()
        assert (await stream.response()).status == 200
        assert await body_of(stream) == b""
    assert received == 20 * 1024 * 1024


async def test_stream_slow_reader_stalls_no_other_stream() -> None:
    async with echoing() as house:
        slow = await house.open("POST", "/v1/chat/completions")
        filling = asyncio.create_task(slow.send(bytes(5 * 1024 * 1024)))
        await slow.response()
        for _ in range(20):
            quick = await house.open("POST", "/v1/chat/completions")
            await quick.send(bytes(300_000))
            quick.end()
            assert len(await body_of(quick)) == 300_000
        assert not filling.done()  # the slow stream's credit is used up
        total = 0
        async for part in slow:
            total += len(part)
            if total == 5 * 1024 * 1024:
                break
        await filling


async def test_link_of_slow_streams_holds_no_more_than_their_credit() -> None:
    waiting = asyncio.Event()
    link: list[Link] = []

    async def accept(stream: Stream) -> None:
        link[0].answer(stream, 200)
        waiting.set()
        await stream.send(bytes(3 * FIRST_CREDIT))
        stream.end()

    async with linked(accept) as pair, asyncio.timeout(LIMIT):
        link.append(pair.connector)
        stream = await pair.house.open("GET", "/v1/models")
        await waiting.wait()
        await stream.response()
        other = await pair.house.open("GET", "/v1/models")  # its answer comes after all that the first stream could send
        await other.response()
        held = sum(map(len, stream._parts))
        assert held <= FIRST_CREDIT
        assert len(await body_of(stream)) == 3 * FIRST_CREDIT


async def test_stream_reset_by_the_house_cancels_the_handler() -> None:
    running, cancelled = asyncio.Event(), asyncio.Event()

    async def accept(stream: Stream) -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with linked(accept) as pair, asyncio.timeout(LIMIT):
        stream = await pair.house.open("POST", "/v1/chat/completions")
        await running.wait()
        stream.reset()
        await cancelled.wait()
        assert pair.house.streams == 0
        with pytest.raises(RelayError):
            await stream.send(b"more")


async def test_stream_reset_by_the_connector_has_its_error() -> None:
    async def accept(stream: Stream) -> None:
        stream.reset({"code": "model_not_allowed", "message": "The connector does not offer this model."})

    async with linked(accept) as pair, asyncio.timeout(LIMIT):
        stream = await pair.house.open("POST", "/v1/chat/completions")
        with pytest.raises(StreamResetError, match="does not offer") as raised:
            await stream.response()
        assert raised.value.code == "model_not_allowed"


async def test_stream_whose_handler_fails_is_reset() -> None:
    async def accept(stream: Stream) -> None:
        raise ValueError("a bug")

    async with linked(accept) as pair, asyncio.timeout(LIMIT):
        stream = await pair.house.open("POST", "/v1/chat/completions")
        with pytest.raises(StreamResetError) as raised:
            await stream.response()
        assert raised.value.code == "internal_error"
        assert "bug" not in str(raised.value)


async def test_link_streams_beyond_the_limit_are_refused() -> None:
    async def accept(stream: Stream) -> None:
        await asyncio.Event().wait()

    async with linked(accept) as pair, asyncio.timeout(LIMIT):
        for _ in range(256):
            await pair.house.open("GET", "/v1/models")
        with pytest.raises(RelayError, match="too many"):
            await pair.house.open("GET", "/v1/models")


async def test_link_lost_in_mid_answer_ends_its_streams() -> None:
    async with echoing() as house:
        begun = await house.open("POST", "/v1/chat/completions")
        await begun.send(b"Hel")
        parts = aiter(begun)
        assert await anext(parts) == b"Hel"
        await house.close("the test ends it")
        with pytest.raises(LinkClosedError, match="the test ends it"):
            await anext(parts)
        with pytest.raises(LinkClosedError):
            await house.open("GET", "/v1/models")


async def test_link_goaway_lets_running_streams_finish_and_takes_no_new_ones() -> None:
    link: list[Link] = []
    go = asyncio.Event()

    async def accept(stream: Stream) -> None:
        link[0].answer(stream, 200)
        await go.wait()
        await stream.send(b"done")
        stream.end()

    async with linked(accept) as pair, asyncio.timeout(LIMIT):
        link.append(pair.connector)
        stream = await pair.house.open("POST", "/v1/chat/completions")
        stream.end()
        await stream.response()
        draining = asyncio.create_task(pair.connector.drain(LIMIT))
        while not pair.house.draining:
            await asyncio.sleep(0.01)
        with pytest.raises(LinkClosedError):
            await pair.house.open("GET", "/v1/models")
        assert not draining.done()
        go.set()
        assert await body_of(stream) == b"done"
        await draining


async def test_link_half_open_is_found() -> None:
    """The other side's machine has vanished: nothing arrives any more, and no connection is closed."""
    async with linked(heartbeat=0.1, dead=0.5) as pair, asyncio.timeout(LIMIT):
        pair.connector_run.cancel()  # reads and answers nothing from now on
        pair.connector._socket.close = _never  # type: ignore[method-assign]
        await pair.house_run
        assert "nothing was received" in pair.house.reason


async def _never(**_: object) -> bool:
    await asyncio.Event().wait()
    return True


async def test_link_idle_stays_open_by_its_heartbeat() -> None:
    async with linked(heartbeat=0.1, dead=2.0) as pair, asyncio.timeout(LIMIT):
        await asyncio.sleep(2.5)
        assert not pair.house.closed
        assert not pair.connector.closed


def test_link_on_uvloop_is_closed_without_an_error() -> None:
    """Its sockets have fewer methods."""
    uvloop = pytest.importorskip("uvloop")

    async def run() -> None:
        async with linked() as pair, asyncio.timeout(LIMIT):
            await pair.house.close()
            await pair.house_run
            await pair.connector_run

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def test_link_sends_small_frames_at_once() -> None:
    async with linked() as pair:
        for link in (pair.house, pair.connector):
            connection = link._socket.get_extra_info("socket")
            assert connection.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY)


OPEN = encode_request(1, RequestHead("GET", "/v1/models"))


@pytest.mark.parametrize(
    "frames",
    [
        [b""],
        [b"\xff\x00\x00\x00\x01"],
        [encode(FrameType.DATA, 9, b"x")],
        [encode(FrameType.OPEN, 1, b"{}")],
        [OPEN, OPEN],
        [OPEN, encode(FrameType.DATA, 1, bytes(200_000)), encode(FrameType.DATA, 1, bytes(100_000))],
        [OPEN, encode(FrameType.END, 1), encode(FrameType.DATA, 1, b"x")],
        [OPEN, encode(FrameType.END, 1), encode(FrameType.END, 1)],
        [OPEN, *[encode_window(1, 16 * 1024 * 1024)] * 2],
        [encode(FrameType.GOAWAY, 0, b"x")],
        [encode(FrameType.HELLO, 0, b"[]")],
        ["text"],
        [encode(FrameType.DATA, 1, bytes(1024 * 1024))],
    ],
)
async def test_link_frames_that_violate_the_protocol_end_it(frames: list[bytes | str]) -> None:
    reasons: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def accept(_: Stream) -> None:
        await asyncio.Event().wait()

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=1024 * 1024, timeout=1.0)
        await socket.prepare(request)
        link = Link(socket, Role.CONNECTOR, accept=accept)
        try:
            await link.run()
        finally:  # the server cancels it when the connection is lost
            reasons.set_result(link.reason)
        return socket

    app = web.Application()
    app.router.add_get("/", handle)
    async with TestServer(app) as server, aiohttp.ClientSession() as session, asyncio.timeout(LIMIT):
        async with session.ws_connect(server.make_url("/")) as socket:
            for frame in frames:
                await (socket.send_str(frame) if isinstance(frame, str) else socket.send_bytes(frame))
            while not (await socket.receive()).type & 0x100:  # aiohttp's own types: closed
                pass
        assert await reasons
