"""Servers that answer from a recording (`backends/recorder.py`): the same bytes, in the same pieces."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from ..protocol.recorded_exchange import CUT, MAX_FILE_BYTES, STALLED, RecordedExchange

_MAX_FILES = 20_000
_LONGEST_PAUSE = 60.0


class RecordingError(ValueError):
    """A folder has no recording that can be replayed. The message has the reason."""


def read_recording(folder: Path) -> dict[int, list[RecordedExchange]]:
    """The exchanges of a folder by the numbers of their upstreams, in their order. Blocking. Raises RecordingError."""
    found: dict[int, list[RecordedExchange]] = {}
    try:
        files = sorted(folder.glob("*.json"))[:_MAX_FILES]
        for file in files:
            if file.stat().st_size > MAX_FILE_BYTES:
                raise RecordingError(f"{file} is larger than {MAX_FILE_BYTES >> 20} MB.")
            try:
                exchange = RecordedExchange.parse(file.read_bytes())
            except (ValueError, TypeError) as err:
                raise RecordingError(f"{file} is not a recorded exchange: {err}.") from None
            found.setdefault(exchange.upstream, []).append(exchange)
    except OSError as err:
        raise RecordingError(f"{folder} cannot be read: {err.strerror}.") from None
    if not found:
        raise RecordingError(f"{folder} contains no recorded exchange.")
    return found


class Replay:
    """One upstream. Answers to the same path are given in their order; the last one is repeated."""

    def __init__(self, exchanges: Iterable[RecordedExchange], *, speed: float = 1.0) -> None:
        """`speed`: how many times faster than recorded; 0: without pauses."""
        self._speed = speed
        self._answers: dict[tuple[str, str], list[RecordedExchange]] = {}
        for exchange in exchanges:
            self._answers.setdefault((exchange.method, urlsplit(exchange.path).path), []).append(exchange)
        self._runner: web.AppRunner | None = None

    @property
    def paths(self) -> list[str]:
        """Methods and paths of the recorded requests."""
        return [f"{method} {path}" for method, path in self._answers]

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen, and return the URL without a path. Raises OSError."""
        app = web.Application(client_max_size=MAX_FILE_BYTES)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return f"http://{f'[{host}]' if ':' in host else host}:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        waiting = self._answers.get((request.method, request.rel_url.raw_path))
        if waiting is None:
            message = f"{request.method} {request.rel_url.raw_path} was not recorded"
            return web.json_response({"error": {"message": message, "type": "not_recorded"}}, status=404)
        exchange = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if not exchange.status:
            await _stall(exchange)
            return _cut(request, web.StreamResponse())
        headers = {name: value for name, value in exchange.headers.items() if value != "scrubbed"}
        response = web.StreamResponse(status=exchange.status, headers=headers)
        loop = asyncio.get_running_loop()
        started, at = loop.time(), 0
        if exchange.chunks:
            await self._pause(exchange.chunks[0].after, started)
        await response.prepare(request)
        for chunk in exchange.chunks:
            await self._pause(chunk.after, started)
            await response.write(exchange.body[at : at + chunk.size])
            await asyncio.sleep(0)  # the pieces leave one by one
            at += chunk.size
        await _stall(exchange)
        if exchange.end == CUT:
            return _cut(request, response)
        await response.write_eof()
        return response

    async def _pause(self, after: float, started: float) -> None:
        """Wait until the time of a piece."""
        if self._speed:
            passed = asyncio.get_running_loop().time() - started
            await asyncio.sleep(min(max(0.0, after / self._speed - passed), _LONGEST_PAUSE))


async def _stall(exchange: RecordedExchange) -> None:
    """Wait until the client disconnects, if the recorded client's wait for more data timed out."""
    if exchange.end == STALLED:
        await asyncio.Event().wait()


def _cut(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Break the connection."""
    if request.transport is not None:
        with suppress(OSError):
            request.transport.abort()
    return response
