"""Reads the body of a request, within bounds of size, memory and time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import logging
from types import TracebackType
from typing import Self

from aiohttp import StreamReader, hdrs, web

from ..protocol.errors import InvalidRequestError, RequestTimeoutError, RequestTooLargeError
from .body_memory import COPIES, ROOM, SMALL, BodyShare, json_bytes
from .content_encoding import Decompressor, decompressor

_LOGGER = logging.getLogger(__name__)

BODY_SECONDS = 30.0
"""A body may take so long, and a second more for each BYTES_PER_SECOND bytes of it."""
BYTES_PER_SECOND = 16 * 1024
"""A tenth of what the slowest links of today upload (1.5 Mbit/s)."""


class UploadDeadline:
    """A block that ends with a RequestTimeoutError if a body arrives too slowly."""

    def __init__(self, content: StreamReader, limit: int) -> None:
        """`limit`: maximum bytes of the body; what exceeds it gets no time."""
        self._content = content
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._timeout = asyncio.timeout(None)
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        """Start."""
        await self._timeout.__aenter__()
        if not self._content.is_eof():
            self._timer = self._loop.call_at(self._due(), self._check)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None) -> None:
        """Stop. Raises RequestTimeoutError if the block was ended."""
        if self._timer is not None:
            self._timer.cancel()
        try:
            await self._timeout.__aexit__(kind, err, trace)
        except TimeoutError:
            if not self._timeout.expired():
                raise
            message = f"The body arrived too slowly: it may take {BODY_SECONDS:.0f} s, and 1 s more for each 16 KiB."
            raise RequestTimeoutError(message) from None

    def extend(self, seconds: float) -> None:
        """Do not count `seconds`, in which the body was not read."""
        self._started += seconds

    def _due(self) -> float:
        return self._started + BODY_SECONDS + min(self._content.total_raw_bytes, self._limit) / BYTES_PER_SECOND

    def _check(self) -> None:
        due = self._due()
        if self._loop.time() < due:
            self._timer = self._loop.call_at(due, self._check)
        else:
            self._timeout.reschedule(self._loop.time())


@asynccontextmanager
async def receiving(http: web.Request, share: BodyShare, limit: int) -> AsyncIterator[None]:
    """A block that reads a body of at most `limit` bytes in parts, with the memory and the deadline for it.

    Raises RequestTooLargeError, RequestTimeoutError, UnavailableError.
    """
    length = http.content_length
    await share.resize(COPIES * (limit if length is None else min(length, limit)))
    async with UploadDeadline(http.content, limit):
        yield


async def read_json(http: web.Request, share: BodyShare, limit: int, request_id: str) -> bytes:
    """Read a JSON text, decompressed, and hold the memory for it and its values.

    Raises RequestTooLargeError for more than `limit` bytes, before reading if the length is known, InvalidRequestError for a
    body that cannot be read, UnsupportedMediaTypeError for an unsupported compression, RequestTimeoutError, UnavailableError.
    """
    compressed = decompressor(http)
    length = http.content_length
    if length is None or length <= limit:
        known = length is not None and hdrs.CONTENT_ENCODING not in http.headers
        await share.resize(COPIES * length + ROOM if length is not None and known else min(SMALL, COPIES * limit))
        try:
            raw = await _read(http.content, compressed, share, limit, known=known)
        except (web.RequestPayloadError, ValueError) as err:
            _LOGGER.info("The body of request %s cannot be read: %s", request_id, err)
            message = "The body cannot be read. Check its length, encoding and compression."
            raise InvalidRequestError(message, code="invalid_body") from err
        if raw is not None:
            await share.resize(json_bytes(raw))
            return raw
    raise RequestTooLargeError(f"The request is larger than the maximum of {limit} bytes.")


async def _read(
    content: StreamReader, compressed: Decompressor | None, share: BodyShare, limit: int, *, known: bool
) -> bytes | None:
    """Read to the end; None for more than `limit` bytes. `known`: the memory for all of it is held already."""
    parts: list[bytes] = []
    size = 0
    async with UploadDeadline(content, limit) as deadline:
        async for part in _parts(content, compressed):
            size += len(part)
            if size > limit or content.total_raw_bytes > limit:
                return None
            parts.append(part)
            if not known and COPIES * size > SMALL:
                since = asyncio.get_running_loop().time()
                await share.resize(COPIES * limit + ROOM)
                deadline.extend(asyncio.get_running_loop().time() - since)
                known = True
    return b"".join(parts)


async def _parts(content: StreamReader, compressed: Decompressor | None) -> AsyncIterator[bytes]:
    while part := await content.readany():
        if compressed is None:
            yield part
            continue
        for piece in compressed.feed(part):
            yield piece
            await asyncio.sleep(0)  # a small part may become a large one
    if compressed is not None:
        compressed.end()
