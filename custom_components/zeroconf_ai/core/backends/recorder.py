"""`Recorder`: writes every exchange of a session with upstreams into a file without private data, for a replay elsewhere.

It is a middleware of aiohttp's client. Answers are recorded in the pieces in which they are read. Requests without a body, as of
health checks, are repeated all the time: they are recorded again only if the answer has changed.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from hashlib import sha256
import logging
import os
from pathlib import Path
import re
from typing import Any

import aiohttp
from aiohttp.client_middlewares import ClientHandlerType

from ..protocol.recorded_exchange import CLOSED, COMPLETE, CUT, STALLED, RecordedChunk, RecordedExchange
from ..protocol.scrubbing import Scrubber, scrub_bytes
from ..version import __version__

_LOGGER = logging.getLogger(__name__)

MAX_FILES = 2000
MAX_BODY_BYTES = 4 * 1024 * 1024
"""Of a request or an answer; the rest is left out."""
MAX_CHUNKS = 20_000
"""Of an answer."""
MAX_TOTAL_BYTES = 256 * 1024 * 1024
"""Of all bodies."""
_KEPT_QUERY = frozenset(("alt", "api-version", "beta", "version"))
"""Names in a query whose values say nothing private."""
_OLLAMA_SHOW = "/api/show"
"""The only description of a model that is requested with a body."""
_FILE = re.compile(r"(\d{5})-.*\.json")
_FRAMING = frozenset(("content-length", "content-encoding", "transfer-encoding", "connection", "keep-alive"))
"""Headers of how an answer was sent, which a replay sends in its own way: bodies are recorded decompressed."""


@dataclass(eq=False, slots=True)
class _Recording:
    """An exchange that is not over."""

    upstream: int
    method: str
    path: str
    request_headers: dict[str, str] = field(repr=False)
    request_body: bytes = field(repr=False)
    started: float
    finish: Callable[["_Recording", str, str], None]
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: bytearray = field(default_factory=bytearray, repr=False)
    chunks: list[RecordedChunk] = field(default_factory=list)
    truncated: bool = False
    request_truncated: bool = False

    def add(self, data: bytes) -> None:
        """Record data that has arrived."""
        if self.truncated or len(self.body) + len(data) > MAX_BODY_BYTES or len(self.chunks) >= MAX_CHUNKS:
            self.truncated = True
            return
        self.body += data
        self.chunks.append(RecordedChunk(asyncio.get_running_loop().time() - self.started, len(data)))


def _end_by(err: BaseException) -> str:
    """How an answer ended, for an error while the client waited for it."""
    return STALLED if isinstance(err, asyncio.CancelledError | TimeoutError) else CUT


class _RecordedContent:
    """The content of a response; records every read by `readany` and `iter_any`."""

    def __init__(self, content: aiohttp.StreamReader, recording: _Recording) -> None:
        self._content = content
        self._recording = recording

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def readany(self) -> bytes:
        """The next data; b"" at the end."""
        recording = self._recording
        try:
            data = await self._content.readany()
        except BaseException as err:
            recording.finish(recording, _end_by(err), type(err).__name__)
            raise
        if data:
            recording.add(data)
        if self._content.at_eof():
            recording.finish(recording, COMPLETE, "")
        return data

    async def iter_any(self) -> AsyncIterator[bytes]:
        """All data as it arrives."""
        while data := await self.readany():
            yield data

    def released(self) -> None:
        """The connection is released: the answer is complete, though it may still have to be read, or the client closed it."""
        if not self._content.is_eof():
            self._recording.finish(self._recording, CLOSED, "")


class Recorder:
    """Records exchanges until its limits are reached or it is closed."""

    def __init__(self, folder: Path, *, keep_texts: bool = False) -> None:
        """Create the folder, which only its owner can read; earlier recordings stay. Blocking. Raises OSError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        numbers = [int(found[1]) for file in folder.iterdir() if (found := _FILE.fullmatch(file.name))]
        self._folder = folder
        self._number = max(numbers, default=0)
        self._scrubber = Scrubber(keep_texts=keep_texts)
        self._upstreams: dict[str, int] = {}
        """The numbers of servers by their origins."""
        self._seen: dict[tuple[int, str], bytes] = {}
        """The digest of the last answer to each request without a body."""
        self._files = self._bytes = 0
        self._full = False
        self._open: set[_Recording] = set()
        self._writing: set[asyncio.Task[None]] = set()

    async def middleware(self, request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
        """Send a request, and record its answer."""
        if self._full:
            return await handler(request)
        recording = await self._begin(request)
        try:
            response = await handler(request)
        except BaseException as err:
            self._finish(recording, _end_by(err), type(err).__name__)
            raise
        recording.status = response.status
        recording.headers = {str(name): value for name, value in response.headers.items() if name.lower() not in _FRAMING}
        content = _RecordedContent(response.content, recording)
        response.content = content  # type: ignore[assignment]
        if response.connection is not None:
            response.connection.add_callback(content.released)
        return response

    async def close(self) -> None:
        """Write the exchanges that are still open."""
        for recording in tuple(self._open):
            self._finish(recording, CLOSED, "")
        await asyncio.gather(*self._writing, return_exceptions=True)

    async def _begin(self, request: aiohttp.ClientRequest) -> _Recording:
        url, body = request.url, request.body
        self._scrubber.learn(request.headers, url.query)
        sent = body if isinstance(body, bytes) else await body.as_bytes()
        values = (f"{name}={value if name in _KEPT_QUERY else 'scrubbed'}" for name, value in url.query.items())
        recording = _Recording(
            upstream=self._upstreams.setdefault(str(url.origin()), len(self._upstreams) + 1),
            method=request.method,
            path="?".join(filter(None, (url.raw_path, "&".join(values)))),
            request_headers={str(name): value for name, value in request.headers.items()},
            request_body=sent[:MAX_BODY_BYTES],
            started=asyncio.get_running_loop().time(),
            finish=self._finish,
            request_truncated=len(sent) > MAX_BODY_BYTES,
        )
        self._open.add(recording)
        return recording

    def _finish(self, recording: _Recording, end: str, error: str) -> None:
        """Write a recording, the first time this is called for it."""
        if recording not in self._open:
            return
        self._open.discard(recording)
        if self._full or self._is_repeated(recording, error):
            return
        self._files += 1
        self._bytes += len(recording.body) + len(recording.request_body)
        if self._files > MAX_FILES or self._bytes > MAX_TOTAL_BYTES:
            self._full = True
            _LOGGER.warning("The recording in %s is full: nothing more is recorded", self._folder)
            return
        self._number += 1
        task = asyncio.create_task(asyncio.to_thread(self._write, self._number, recording, end, error))
        self._writing.add(task)
        task.add_done_callback(self._written)

    def _written(self, task: asyncio.Task[None]) -> None:
        self._writing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOGGER.error("An exchange could not be recorded", exc_info=error)

    def _is_repeated(self, recording: _Recording, error: str) -> bool:
        if recording.method != "GET":
            return False
        answer = sha256(f"{recording.status} {error} ".encode() + recording.body).digest()
        key = (recording.upstream, recording.path)
        if self._seen.get(key) == answer:
            return True
        self._seen[key] = answer
        return False

    def _write(self, number: int, recording: _Recording, end: str, error: str) -> None:
        """Scrub and write. Blocking."""
        scrubber, is_error = self._scrubber, recording.status >= 400
        is_listing = recording.method == "GET" or recording.path.endswith(_OLLAMA_SHOW)

        def scrub(text: str) -> str:
            return scrubber.listing(text) if is_listing else scrubber.body(text, is_error=is_error)

        exchange = RecordedExchange(
            upstream=recording.upstream,
            method=recording.method,
            path=scrubber.text(recording.path),
            request_headers=scrubber.headers(recording.request_headers),
            request_body=scrub_bytes(recording.request_body, scrubber.body),
            status=recording.status,
            headers=scrubber.headers(recording.headers),
            body=scrub_bytes(bytes(recording.body), scrub),
            chunks=recording.chunks,
            end=end,
            error=error,
            truncated=recording.truncated or recording.request_truncated,
        )
        words = re.sub(r"[^A-Za-z]+", "-", exchange.path.partition("?")[0])[-40:].strip("-")
        file = self._folder / f"{number:05}-{recording.method}-{words}.json"
        try:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
                opened.write(exchange.to_json(__version__))
        except OSError as err:
            _LOGGER.warning("The exchange cannot be recorded in %s: %s", file, err.strerror)
