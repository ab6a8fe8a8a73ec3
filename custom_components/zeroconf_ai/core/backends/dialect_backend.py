"""The base of backends with another dialect than OpenAI's, whose answers are translated as they arrive."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, override

import aiohttp
import orjson

from ..dialects.base import Translator
from ..dialects.openai.completion_repair import repaired_completion
from ..dialects.openai.expected import Expected
from ..protocol import json
from ..protocol.chunks import Chunk, NativeChunk
from ..protocol.errors import ApiError, StreamBrokenError, UpstreamTimeoutError
from ..protocol.values import NOTHING
from ..protocol.whole_answer import completion_of
from .answer_errors import unreadable_error
from .base import Answer, Backend, BackendInfo
from .bodies import decoded, read_limited
from .http import HttpUpstream
from .http_answer import TranslatedStream
from .media import ImageGate

_MAX_TEXT_BYTES = 8 * 1024 * 1024
_MAX_LINE_BYTES = 64 * 1024
_JSON = {"Content-Type": "application/json"}


class DialectUpstream(HttpUpstream):
    """An HTTP upstream with text responses and translated answers."""

    async def get_text(self, path: str, *, secret: bool = True) -> str:
        """The response of `get` as text."""
        return (await self.get(path, secret=secret, limit=_MAX_TEXT_BYTES)).decode(errors="replace")

    async def ask(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON response of a POST request that costs nothing, within the probe's timeout. Raises an ApiError."""
        try:
            async with asyncio.timeout(self.timeouts.probe):
                answer = await self.post(path, orjson.dumps(body), stream=False)
                try:
                    return json.loads(await answer.body())
                finally:
                    await answer.close()
        except TimeoutError:
            raise UpstreamTimeoutError(f"{self.name} did not answer within {self.timeouts.probe:g} s") from None

    async def change(self, method: str, path: str, body: Mapping[str, Any], *, seconds: float | None = None) -> bytes:
        """The response of a request that changes the server, within `seconds` (None: the probe's timeout). Raises an ApiError."""
        limit = seconds or self.timeouts.probe
        try:
            async with asyncio.timeout(limit):
                response = await self._open(method, path, orjson.dumps(body), self.headers(_JSON))
                try:
                    return await read_limited(response, _MAX_TEXT_BYTES)
                finally:
                    response.close()
        except TimeoutError:
            raise UpstreamTimeoutError(f"{self.name} did not answer within {limit:g} s") from None
        except (aiohttp.ClientError, OSError) as err:
            raise self.unreachable(err) from None

    async def lines(self, path: str, body: Mapping[str, Any], *, silence: float) -> AsyncIterator[bytes]:
        """The lines of the response to a POST request. Raises an ApiError, also if nothing comes for `silence` seconds."""
        response: aiohttp.ClientResponse | None = None
        rest = b""
        try:
            async with asyncio.timeout(silence):
                response = await self._open("POST", path, orjson.dumps(body), self.headers(_JSON))
            while True:
                async with asyncio.timeout(silence):
                    part = await response.content.readany()
                if not part:
                    break
                *complete, rest = (rest + part).split(b"\n")
                if len(rest) > _MAX_LINE_BYTES:
                    raise StreamBrokenError(f"{self.name} sent a line of more than {_MAX_LINE_BYTES} bytes")
                for line in complete:
                    if line.strip():
                        yield line
            if rest.strip():
                yield rest
        except TimeoutError:
            raise UpstreamTimeoutError(f"{self.name} sent nothing for {silence:g} s") from None
        except (aiohttp.ClientError, OSError) as err:
            raise self.unreachable(err) from None
        finally:
            if response is not None:
                response.close()

    async def translate(
        self,
        path: str,
        body: Mapping[str, Any],
        translator: Translator,
        *,
        stream: bool,
        max_bytes: int | None = None,
        headers: Mapping[str, str] = NOTHING,
        kind: type["TranslatedAnswer"] | None = None,
    ) -> Answer:
        """Send `body`; returns a translated answer when the upstream has answered with a 2xx. Raises an ApiError otherwise.

        `max_bytes`: the maximum size of a complete answer (None: MAX_BODY_BYTES). `headers` are added. `kind`: the class of
        the answer, if it is not `TranslatedAnswer`.
        """
        limit = self.timeouts.first_token if stream else self.timeouts.answer
        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(started + limit):
                response = await self._open("POST", path, orjson.dumps(body), self.headers({**_JSON, **headers}))
        except TimeoutError:
            raise UpstreamTimeoutError(f"{self.name} accepted the request but did not respond within {limit:g} s") from None
        return await self.read_ahead(
            (kind or TranslatedAnswer)(self, response, started + limit, translator, max_bytes), started, stream=stream
        )


class DialectBackend[U: DialectUpstream](Backend):
    """A backend with one upstream, which translates requests to its dialect."""

    def __init__(self, info: BackendInfo, upstream: U, gate: ImageGate | None) -> None:
        """`gate` fetches the images that the upstream cannot or should not fetch."""
        self._info = info
        self._upstream = upstream
        self._gate = gate or ImageGate()

    @override
    def __repr__(self) -> str:
        """Id and address."""
        return f"<{type(self).__name__} {self._info.id} at {self._upstream.base_url}>"

    @property
    @override
    def info(self) -> BackendInfo:
        return self._info

    @property
    @override
    def address(self) -> str:
        return self._upstream.base_url


class TranslatedAnswer(TranslatedStream):
    """An open response in another dialect, translated to OpenAI's chunks or completion."""

    @override
    async def completion(self) -> Chunk:
        body = await self._body()
        found = decoded(body, self._upstream.name)
        if found is None or isinstance(found[1], list):
            return Chunk.of(repaired_completion(completion_of(self._streamed(body)), Expected()))
        try:
            if not isinstance(parsed := found[1], dict):
                raise ValueError("something that is not a JSON object")
            return Chunk.of(repaired_completion(self._translator.completion(parsed), Expected()))
        except ApiError as err:
            raise self._upstream.error(err) from None
        except ValueError as err:
            raise unreadable_error(self._upstream.name, err) from None


class NativeAnswer(TranslatedAnswer):
    """The answer to a request that was passed on in its own dialect."""

    native = True

    @override
    async def completion(self) -> Chunk:
        body = await self._body()
        try:
            if not isinstance(parsed := json.loads(body), dict):
                raise ValueError("something that is not a JSON object")
            return NativeChunk.around(Chunk.of(self._translator.completion(parsed)), parsed)
        except ApiError as err:
            raise self._upstream.error(err) from None
        except ValueError as err:
            raise unreadable_error(self._upstream.name, err) from None
