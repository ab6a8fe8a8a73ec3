"""One HTTP upstream: requests, answers and what can go wrong with them, for every backend that speaks HTTP."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import lru_cache
from typing import Any, override

import aiohttp

from ..dialects.base import reported
from ..protocol import json, sse
from ..protocol.chunks import Chunk, Delta, completion_as_chunk
from ..protocol.errors import (
    ApiError,
    CertificateError,
    StreamBrokenError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamTimeoutError,
    error_from_response,
    error_message,
    redact,
)
from ..protocol.reasons import connection_reason
from .base import Answer, Endpoint, StaticAnswer, Timeouts
from .deadline_reader import LOOK_SECONDS, DeadlineReader
from .egress import Egress
from .headers import merged, secrets_in

MAX_BODY_BYTES = 64 * 1024 * 1024
"""A larger JSON answer is refused: an untrusted server must not fill the memory."""
_MAX_ERROR_BYTES = 64 * 1024
_JSON = {"Content-Type": "application/json"}


class HttpUpstream:
    """A base URL, its key and its certificate. Sends nothing anywhere else: redirects are not followed."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        endpoint: Endpoint,
        *,
        name: str,
        timeouts: Timeouts | None = None,
        headers: Mapping[str, str] | None = None,
        egress: Egress | None = None,
    ) -> None:
        """`name` is what errors call the provider; `headers` go with every request, and hold no secret.

        `egress` judges the addresses of an endpoint that must be public.
        """
        self.session = session
        self.endpoint = endpoint
        """May be replaced; what is set holds from the next request on."""
        self.name = name
        self.timeouts = timeouts or Timeouts()
        self._headers = dict(headers or {})
        self._egress = egress or Egress()

    @property
    def base_url(self) -> str:
        """The address without a slash at its end."""
        return self.endpoint.base_url.rstrip("/")

    @property
    def key(self) -> str | None:
        """The key, where there is one."""
        return self.endpoint.key

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no error may repeat."""
        return secrets_in(self.endpoint)

    @override
    def __repr__(self) -> str:
        """Without the key."""
        return f"<HttpUpstream {self.base_url}>"

    async def get_json(self, path: str, *, secret: bool = True) -> Any:
        """The JSON that `get` gives. Raises an ApiError for anything else, too."""
        return _loads(await self.get(path, secret=secret), self.name)

    async def get(self, path: str, *, secret: bool = True, limit: int | None = None) -> bytes:
        """What `GET base_url + path` answers within the probe's time. Raises an ApiError for anything but a 2xx.

        `secret` False leaves the key and the owner's headers at home; more than `limit` bytes (MAX_BODY_BYTES) are refused.
        """
        try:
            async with asyncio.timeout(self.timeouts.probe):
                response = await self._open("GET", path, headers=self.headers(secret=secret))
                try:
                    return await _read_limited(response, limit or MAX_BODY_BYTES)
                finally:
                    response.close()
        except TimeoutError:
            raise UpstreamTimeoutError(f"{self.name} did not answer within {self.timeouts.probe:g} s") from None
        except (aiohttp.ClientError, OSError) as err:
            raise self.unreachable(err) from None

    async def post(
        self,
        path: str,
        body: bytes,
        *,
        stream: bool,
        headers: Mapping[str, str] | None = None,
        most_bytes: int | None = None,
    ) -> Answer:
        """Send `body`; returns when the upstream has answered with a 2xx. Raises an ApiError otherwise.

        `most_bytes`: what a whole answer may have (None: MAX_BODY_BYTES).
        """
        limit = self.timeouts.first_token if stream else self.timeouts.answer
        started = asyncio.get_running_loop().time()
        deadline = started + limit
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._open("POST", path, data=body, headers=self.headers({**_JSON, **(headers or {})}))
        except TimeoutError:
            raise UpstreamTimeoutError(f"{self.name} took the request and said nothing for {limit:g} s") from None
        if stream and "json" in response.content_type:
            answer = HttpAnswer(self, response, started + self.timeouts.answer, most_bytes)
            try:
                whole = await answer.whole()
            finally:
                await answer.close()
            return StaticAnswer(whole, [completion_as_chunk(whole)])
        return HttpAnswer(self, response, deadline, most_bytes)

    def headers(self, more: Mapping[str, str] | None = None, *, secret: bool = True) -> dict[str, str]:
        """The headers of a request; with the key and the owner's, unless `secret` is False."""
        found = {"Accept": "application/json, text/event-stream", **self._headers, **(more or {})}
        if not secret:
            return found
        return merged(found | (self.credentials(self.key) if self.key else {}), self.endpoint.headers)

    def credentials(self, key: str) -> dict[str, str]:
        """The headers that show the key. Made to be overridden."""
        return {"Authorization": f"Bearer {key}"}

    async def _open(self, method: str, path: str, **options: Any) -> aiohttp.ClientResponse:
        """A response with a 2xx status, open. Raises an ApiError otherwise, TimeoutError only for the caller's own limit."""
        url = f"{self.base_url}{path}"
        options |= {
            "ssl": self.endpoint.ssl, "timeout": _connect_timeout(self.timeouts.connect), "allow_redirects": False
        }  # fmt: skip
        try:
            if self.endpoint.public_only:
                response = await self._egress.request(self.session, method, url, **options)
            else:
                response = await self.session.request(method, url, **options)
        except (aiohttp.ClientError, OSError, ValueError) as err:  # ValueError: a header or an address that is none
            raise self.unreachable(err) from None  # aiohttp's own error holds the request's headers, and so the key
        if 200 <= response.status < 300:
            return response
        try:
            body = await _read_limited(response, _MAX_ERROR_BYTES, cut=True)
        except (aiohttp.ClientError, OSError) as err:
            raise self.unreachable(err) from None
        finally:
            response.close()
        raise error_from_response(response.status, body, response.headers, secrets=self.secrets)

    def unreachable(self, err: Exception) -> ApiError:
        """The error for a connection that could not be made, or was lost before an answer."""
        if isinstance(err, aiohttp.ServerFingerprintMismatch):
            return CertificateError(f"{self.name} shows another certificate than the one that was confirmed")
        if isinstance(err, aiohttp.ClientConnectorCertificateError):
            return CertificateError(f"{self.name} shows a certificate that cannot be verified")
        if isinstance(err, aiohttp.ConnectionTimeoutError):
            return UpstreamConnectionError(f"{self.name} did not take the connection within {self.timeouts.connect:g} s")
        told = redact(str(err), self.secrets) or type(err).__name__
        message = f"{self.name} could not be reached"
        return UpstreamConnectionError(f"{message}: {connection_reason(err)}", log_text=f"{message}: {told}")


class HttpAnswer(Answer):
    """An open HTTP response, read as Server-Sent Events or as one JSON body."""

    def __init__(
        self, upstream: HttpUpstream, response: aiohttp.ClientResponse, deadline: float, most_bytes: int | None = None
    ) -> None:
        """`deadline` is the loop's time by which the first bytes, or the whole of a body, must be there.

        `most_bytes`: what a whole body may have (None: MAX_BODY_BYTES).
        """
        self._most_bytes = min(most_bytes or MAX_BODY_BYTES, MAX_BODY_BYTES)
        self._upstream = upstream
        self._response = response
        self._deadline = deadline
        self._reader = DeadlineReader(response.content, deadline)
        self.headers = response.headers

    @override
    async def batches(self) -> AsyncIterator[list[Chunk]]:
        name, timeouts = self._upstream.name, self._upstream.timeouts
        loop = asyncio.get_running_loop()
        decoder = sse.SSEDecoder()
        spoke: float | None = None
        """When the last known token came."""
        now = loop.time()
        tail: list[Chunk] = []
        while True:
            try:
                data = await self._reader.read()
                events = decoder.feed(data) if data else decoder.flush()
            except TimeoutError:
                raise silent_error(name, begun=spoke is not None) from None
            except (aiohttp.ClientError, OSError) as err:
                raise broken_off(name, err) from None
            except ValueError as err:
                raise unreadable(name, err) from None
            chunks: list[Chunk] = []
            for event in events:
                if event.data.startswith(b"[DONE]"):
                    if chunks:
                        yield chunks
                    return
                chunk = Chunk(event.data)
                named = event.event == "error"
                if (named or b'"error"' in event.data) and (error := self._error_in(chunk, named=named)) is not None:
                    if chunks:  # what was said before it is not lost
                        yield chunks
                    raise error
                _check_event(event.data, name)
                chunks.append(chunk)
            if chunks:
                # Comments and an early role are signs of life, not tokens: they do not move the first token's deadline.
                looks = spoke is None or now - spoke >= LOOK_SECONDS
                token = looks and any(Delta.parse(chunk.data).has_token for chunk in chunks)
                tail = (tail + chunks)[-2:]
                yield chunks
                now = loop.time()  # the time that the caller took does not count
                if token:
                    spoke = now
                if spoke is not None:
                    self._reader.deadline = min(now + timeouts.between_tokens, spoke + timeouts.silence)
            if not data:
                break
        # No [DONE]: the end is clean only where the model said that it has finished.
        if not any(chunk.finish_reason for chunk in tail):
            raise StreamBrokenError(f"{name} ended the stream before the answer was complete")

    @override
    async def whole(self) -> Chunk:
        body, parsed = await self._parsed()
        return Chunk.of(parsed if isinstance(parsed, dict) else {}, body)

    async def _parsed(self) -> tuple[bytes, Any]:
        """The body and the JSON value in it, which is no error. Raises as `whole` does."""
        name = self._upstream.name
        try:
            whole = self._response.content.is_eof()  # a short one mostly comes with its head: there is nothing to wait for
            async with asyncio.timeout_at(None if whole else self._deadline):
                body = await _read_limited(self._response, self._most_bytes)
        except TimeoutError:
            raise UpstreamTimeoutError(f"{name} did not finish its answer in time") from None
        except (aiohttp.ClientError, OSError) as err:
            raise broken_off(name, err) from None
        parsed = _loads(body, name)
        if isinstance(parsed, dict) and parsed.get("error"):
            raise self._error(parsed)
        return body, parsed

    @override
    async def close(self) -> None:
        self._reader.close()
        self._response.close()

    def _error_in(self, chunk: Chunk, *, named: bool = False) -> StreamBrokenError | None:
        """The error that a 200 carries, if it does; an event `named` error is one whatever it holds."""
        return self._error(chunk.data) if named or chunk.data.get("error") else None

    def _error(self, data: Mapping[str, Any]) -> StreamBrokenError:
        return reported(self._upstream.name, redact(error_message(data), self._upstream.secrets))


def broken_off(name: str, err: Exception) -> StreamBrokenError:
    """The error for an answer whose connection was lost."""
    message = f"{name} broke its answer off"
    return StreamBrokenError(message, log_text=f"{message}: {type(err).__name__}")


def unreadable(name: str, err: ValueError) -> StreamBrokenError:
    """The error for an answer that is not what it should be; `err` says what it is."""
    log_text = f"{name} sent {err}"
    message = log_text if isinstance(err, json.DepthError) else f"{name} sent an answer that cannot be read"
    return StreamBrokenError(message, log_text=log_text)


def silent_error(name: str, *, begun: bool) -> UpstreamTimeoutError:
    """The error for a stream that brings nothing more."""
    silence = "fell silent in the middle of its answer" if begun else "took the request and did not begin to answer"
    return UpstreamTimeoutError(f"{name} {silence}")


def _check_event(data: bytes, name: str) -> None:
    """Raise StreamBrokenError for what does not look like a JSON object, or is nested too deeply. Parses almost none."""
    if not (data.startswith(b"{") and data.endswith(b"}")):
        stripped = data.strip()
        if stripped[:1] != b"{" or stripped[-1:] != b"}":
            raise StreamBrokenError(f"{name} sent an event that is no JSON object")
    if json.may_be_deep(data):
        try:
            json.loads(data)
        except json.DepthError as err:
            raise StreamBrokenError(f"{name} sent {err}") from None
        except json.JSONDecodeError:
            return  # who needs to know what is in it finds out


@lru_cache(maxsize=32)
def _connect_timeout(seconds: float) -> aiohttp.ClientTimeout:
    """Of the connection alone: how long an answer may take is watched here, by what it says."""
    return aiohttp.ClientTimeout(total=None, sock_connect=seconds)


async def _read_limited(response: aiohttp.ClientResponse, limit: int, *, cut: bool = False) -> bytes:
    """The body, at most `limit` bytes: more of it is cut off, or raises UpstreamError."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > limit:
            if cut:
                break
            raise UpstreamError(f"the provider sent more than {limit} bytes")
    return b"".join(parts)[:limit]


def _loads(body: bytes, name: str) -> Any:
    try:
        return json.loads(body)
    except json.DepthError as err:
        raise StreamBrokenError(f"{name} sent {err}") from None
    except json.JSONDecodeError:
        raise UpstreamError(f"{name} answered with something that is not JSON: is this the address of an LLM server?") from None
