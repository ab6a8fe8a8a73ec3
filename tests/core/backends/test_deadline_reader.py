"""How long the next piece of a stream is awaited."""

import asyncio
from collections.abc import Callable

import aiohttp
from aiohttp.base_protocol import BaseProtocol
import pytest

from zeroconf_ai.backends.deadline_reader import DeadlineReader

SHORT, LONG = 0.01, 3600.0


def _stream(limit: int = 2**16) -> aiohttp.StreamReader:
    loop = asyncio.get_running_loop()
    protocol = BaseProtocol(loop)
    protocol.connection_made(asyncio.Transport())
    return aiohttp.StreamReader(protocol, limit, loop=loop)


def _in(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


def _after(deadline: float, do: Callable[[], object]) -> None:
    """Do it in the loop's turn in which timers of that deadline go off, or in the next."""
    asyncio.get_running_loop().call_at(deadline + SHORT, do)


async def test_deadline_ends_silence() -> None:
    reader = DeadlineReader(_stream(), _in(SHORT))
    with pytest.raises(TimeoutError):
        await reader.read()


async def test_deadline_moved_replaces_the_first() -> None:
    stream, first = _stream(), _in(SHORT)
    reader = DeadlineReader(stream, first)
    stream.feed_data(b"one")
    assert await reader.read() == b"one"
    reader.deadline = _in(LONG)
    _after(first, lambda: stream.feed_data(b"two"))
    assert await reader.read() == b"two"
    reader.close()


async def test_deadline_moved_earlier_applies() -> None:
    stream = _stream()
    reader = DeadlineReader(stream, _in(LONG))
    stream.feed_data(b"one")
    assert await reader.read() == b"one"
    reader.deadline = _in(SHORT)
    with pytest.raises(TimeoutError):
        await reader.read()


async def test_deadline_after_an_early_timer_ends_silence() -> None:
    stream = _stream()
    reader = DeadlineReader(stream, _in(SHORT))
    stream.feed_data(b"one")
    assert await reader.read() == b"one"
    reader.deadline = _in(3 * SHORT)
    with pytest.raises(TimeoutError):
        await reader.read()


async def test_deadline_data_received_in_time_is_read_later() -> None:
    stream, deadline = _stream(), _in(SHORT)
    reader = DeadlineReader(stream, deadline)
    stream.feed_data(b"one")
    assert await reader.read() == b"one"
    stream.feed_data(b"two")
    stream.feed_eof()
    passed = asyncio.Event()
    _after(deadline, passed.set)
    await passed.wait()
    assert await reader.read() == b"two"
    assert await reader.read() == b""
    reader.close()


async def test_deadline_ends_a_stream_without_waiting() -> None:
    stream, deadline = _stream(), _in(SHORT)
    reader = DeadlineReader(stream, deadline)
    passed = asyncio.Event()
    _after(deadline, passed.set)
    await passed.wait()
    stream.feed_data(b"what was there in time")
    assert await reader.read() == b"what was there in time"
    stream.feed_data(b": more")
    with pytest.raises(TimeoutError):
        await reader.read()
    reader.close()


async def test_deadline_moved_applies_to_a_stream_without_waiting() -> None:
    stream = _stream()
    reader = DeadlineReader(stream, _in(-SHORT))
    for _ in range(3):
        stream.feed_data(b"one")
        assert await reader.read() == b"one"
        reader.deadline = _in(-SHORT)
    reader.close()


async def test_deadline_reader_large_data_is_read_in_parts() -> None:
    stream = _stream(2**20)
    reader = DeadlineReader(stream, _in(LONG))
    stream.feed_data(b"x" * 1_000_000)
    stream.feed_eof()
    parts: list[bytes] = []
    while part := await reader.read():
        parts.append(part)
    assert (len(b"".join(parts)), max(map(len, parts))) == (1_000_000, 256 * 1024)
    reader.close()


async def test_deadline_reader_closed_leaves_no_timer() -> None:
    stream, deadline = _stream(), _in(SHORT)
    reader = DeadlineReader(stream, deadline)
    stream.feed_data(b"one")
    await reader.read()
    reader.close()
    passed = asyncio.Event()
    _after(deadline, passed.set)
    await passed.wait()
    assert stream.exception() is None
