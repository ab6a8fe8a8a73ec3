"""Clients that cost next to nothing: each sends the same bytes again and again on one connection, and looks at the clock."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
import statistics
import time
from typing import override

import orjson

_END = b"0\r\n\r\n"


@dataclass(slots=True)
class Measured:
    """What clients saw in one turn. Times in seconds."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    first_bytes: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    """Of each answer the longest silence after its first byte."""
    tokens: int = 0
    errors: int = 0

    @property
    def requests(self) -> int:
        """How many were answered."""
        return len(self.latencies)


def request_bytes(path: str, body: dict[str, object], key: str | None) -> bytes:
    """A POST as it goes over the wire."""
    raw = orjson.dumps(body)
    head = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", f"Content-Length: {len(raw)}"]
    if key is not None:
        head.append(f"Authorization: Bearer {key}")
    return "\r\n".join([*head, "", ""]).encode() + raw


class _Client(asyncio.Protocol):
    """One connection. An answer's end is known by its length or, of a chunked one, by its last five bytes."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._done: asyncio.Future[None] | None = None
        self._head = bytearray()
        self._left: int | None = None
        self._tail = b""
        self.status = 0
        self.first = self.last = self.gap = 0.0
        self.tokens = 0

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(ConnectionError("closed"))

    async def ask(self, raw: bytes) -> None:
        """Send a request and wait for the end of its answer. Raises ConnectionError where the server hangs up."""
        assert self.transport is not None
        self._done = asyncio.get_running_loop().create_future()
        self._head.clear()
        self._left = None
        self._tail = b""
        self.status = self.tokens = 0
        self.first = self.last = self.gap = 0.0
        if self.transport.is_closing():
            raise ConnectionError("closed")
        self.transport.write(raw)
        await self._done

    @override
    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if not self.status:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            head, data = bytes(self._head[:end]).lower(), bytes(self._head[end + 4 :])
            self.status = int(head.split(b" ", 2)[1])
            found = head.find(b"content-length:")
            self._left = int(head[found + 15 :].split(b"\r\n", 1)[0]) if found >= 0 else None
            self.last = now
        if data:
            if not self.first:
                self.first = now
            self.gap = max(self.gap, now - self.last)
            self.last = now
            self.tokens += data.count(b'"word')
            self._tail = (self._tail + data)[-len(_END) :]
            if self._left is not None:
                self._left -= len(data)
        over = self._left <= 0 if self._left is not None else self._tail == _END
        if over and self._done is not None and not self._done.done():
            self._done.set_result(None)


async def run(port: int, raw: bytes, *, clients: int, seconds: float, streams: bool) -> Measured:
    """`clients` at a time for so many seconds; what is under way by then comes to its end and is counted too."""
    measured = Measured()
    begun = time.perf_counter()
    end = begun + seconds

    async def client() -> None:
        connection: _Client | None = None
        while time.perf_counter() < end:
            started = time.perf_counter()
            try:
                if connection is None:
                    _, connection = await asyncio.get_running_loop().create_connection(_Client, "127.0.0.1", port)
                await connection.ask(raw)
            except OSError:
                measured.errors += 1
                connection = None
                continue
            if connection.status != 200:
                measured.errors += 1
                continue
            measured.latencies.append(connection.last - started)
            measured.first_bytes.append(connection.first - started)
            measured.gaps.append(connection.gap)
            measured.tokens += connection.tokens if streams else 0
        if connection is not None and connection.transport is not None:
            connection.transport.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    measured.seconds = time.perf_counter() - begun
    return measured


def quantile(values: Iterable[float], share: float) -> float:
    """The value below which this share of them lies; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def median(values: Iterable[float]) -> float:
    """The median; 0 for none."""
    found = list(values)
    return statistics.median(found) if found else 0.0
