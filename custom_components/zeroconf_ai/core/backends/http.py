"""`HttpUpstream`: requests, responses and errors of every backend that uses HTTP."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from ssl import SSLContext
from typing import Any, override

import aiohttp

from ..dialects.openai.expected import Expected
from ..dialects.openai.transcripts import transcript_chunks
from ..protocol.chunks import completion_as_chunk, has_message
from ..protocol.errors import (
    ApiError,
    CertificateError,
    ClientCertificateError,
    StreamBrokenError,
    UpstreamConnectionError,
    UpstreamTimeoutError,
    error_from_response,
    redact,
)
from ..protocol.reasons import connection_reason
from ..protocol.request import Kind, Request
from ..protocol.values import NOTHING
from .audio import HttpSpeechAnswer, TranscriptAnswer, TranscriptStream, form_of
from .base import Answer, Endpoint, SpeechAnswer, StaticAnswer, Timeouts
from .bodies import MAX_BODY_BYTES, loads, read_limited
from .client_tls import PinMismatchError, refusal
from .connect_limit import connect_limit
from .egress import Egress
from .headers import merged, secrets_in
from .http_answer import HttpAnswer
from .openai_answer import OpenAIAnswer

_CLOSED = (aiohttp.ServerDisconnectedError, aiohttp.ClientConnectionResetError)
_MAX_ERROR_BYTES = 64 * 1024
_UNAUTHORIZED = 401
_JSON = {"Content-Type": "application/json"}


class HttpUpstream:
    """A base URL with its key and certificate. Redirects are not followed, so that no other host gets the request or the key."""

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
        """`name`: the provider's name in errors; `headers`: sent with every request, without secrets.

        `egress` checks the addresses of an endpoint with `public_only`.
        """
        self.session = session
        self.endpoint = endpoint
        """May be replaced; applies from the next request on."""
        self.name = name
        self.renew_key: Callable[[], Awaitable[bool]] | None = None
        """Called after a 401; returns whether it has set another key, with which the request is then repeated once."""
        self.timeouts = timeouts or Timeouts()
        self._headers = dict(headers or {})
        self._egress = egress or Egress()

    @property
    def base_url(self) -> str:
        """The address without a trailing slash."""
        return self.endpoint.base_url.rstrip("/")

    @property
    def key(self) -> str | None:
        """The API key, or None."""
        return self.endpoint.key

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that errors must not contain."""
        return secrets_in(self.endpoint)

    @override
    def __repr__(self) -> str:
        """Without the key."""
        return f"<HttpUpstream {self.base_url}>"

    def at_root(self) -> "HttpUpstream":
        """The same server above `/v1`."""
        endpoint = replace(self.endpoint, base_url=self.base_url.removesuffix("/v1"))
        return HttpUpstream(
            self.session, endpoint, name=self.name, timeouts=self.timeouts, headers=self._headers, egress=self._egress
        )

    async def get_json(self, path: str, *, secret: bool = True) -> Any:
        """The response of `get` as JSON. Raises as `get` does, and UpstreamError for a response that is not JSON."""
        return loads(await self.get(path, secret=secret), self.name)

    async def get(self, path: str, *, secret: bool = True, limit: int | None = None) -> bytes:
        """The response of `GET base_url + path`, within the probe's timeout. Raises an ApiError for anything but a 2xx.

        `secret` False: without the key and the configured headers. `limit`: maximum bytes of the body (None: MAX_BODY_BYTES).
        """
        return (await self.exchange("GET", path, headers=self.headers(secret=secret), limit=limit))[1]

    async def exchange(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> tuple[int, bytes]:
        """Status and body of the response to a short request, within the probe's timeout. Raises as `get` does.

        `body`: JSON; `headers`: all headers (None: those of every request); `limit`: maximum bytes of the response's body.
        """
        sent = {**(self.headers() if headers is None else headers), **(NOTHING if body is None else _JSON)}
        try:
            async with asyncio.timeout(self.timeouts.probe):
                response = await self._open(method, path, body, sent)
                try:
                    return response.status, await read_limited(response, limit or MAX_BODY_BYTES)
                finally:
                    response.close()
        except TimeoutError:
            raise UpstreamTimeoutError(f"{self.name} did not answer within {self.timeouts.probe:g} s") from None
        except (aiohttp.ClientError, OSError) as err:
            raise self.unreachable(err) from None

    async def look(self, path: str, *, secret: bool, limit: int) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of the response of `GET base_url + path`, whatever its status, within the probe's timeout.

        `secret` and `limit` as for `get`. Raises an ApiError if no response arrives, or a longer one.
        """
        try:
            async with asyncio.timeout(self.timeouts.probe):
                response = await self._send("GET", path, None, self.headers(secret=secret))
                try:
                    return response.status, response.headers, await read_limited(response, limit)
                finally:
                    response.close()
        except TimeoutError:
            raise UpstreamTimeoutError(f"{self.name} did not answer within {self.timeouts.probe:g} s") from None
        except (aiohttp.ClientError, OSError) as err:
            raise self.unreachable(err) from None

    async def post(
        self,
        path: str,
        body: bytes | aiohttp.FormData,
        *,
        stream: bool,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
        expected: Expected | None = None,
    ) -> Answer:
        """Send `body`, JSON or a form; returns when the upstream has answered with a 2xx. Raises an ApiError otherwise.

        `max_bytes`: the maximum size of a complete answer (None: MAX_BODY_BYTES). `expected`: what a chat or a text completion
        may contain; None: for another kind of answer.
        """
        limit = self.timeouts.first_token if stream else self.timeouts.answer
        started = asyncio.get_running_loop().time()
        deadline = started + limit
        kind = _JSON if isinstance(body, bytes) else NOTHING  # aiohttp adds the type of a form, with its boundary
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._open("POST", path, body, self.headers({**kind, **headers} if headers else kind))
        except TimeoutError:
            raise UpstreamTimeoutError(f"{self.name} accepted the request but did not respond within {limit:g} s") from None
        expected = (expected or Expected()) if stream else expected
        return await self.read_ahead(OpenAIAnswer(self, response, deadline, max_bytes, expected), started, stream=stream)

    async def post_for_audio(self, path: str, body: bytes, *, headers: Mapping[str, str] | None = None) -> SpeechAnswer:
        """Send `body`; returns when the upstream has answered with a 2xx. Raises an ApiError otherwise."""
        limit = self.timeouts.first_token
        deadline = asyncio.get_running_loop().time() + limit
        accepted = {**_JSON, "Accept": "audio/*, application/json;q=0.5, */*;q=0.1", **(headers or {})}
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._open("POST", path, body, self.headers(accepted))
        except TimeoutError:
            raise UpstreamTimeoutError(f"{self.name} accepted the request but did not respond within {limit:g} s") from None
        return HttpSpeechAnswer(self, response, deadline)

    async def post_audio(self, request: Request, headers: Mapping[str, str]) -> Answer:
        """Send a request for a transcript or speech. Raises as `post` does."""
        path = f"/{request.kind.value}"
        if request.kind is Kind.SPEECH:
            return await self.post_for_audio(path, request.dump(), headers=headers)
        if request.stream:
            return await self._post_for_events(path, request, headers)
        return TranscriptAnswer(await self.post(path, form_of(request), stream=False, headers=headers))

    async def _post_for_events(self, path: str, request: Request, headers: Mapping[str, str]) -> Answer:
        """The stream of a transcript; one of a complete transcript from a server that does not stream."""
        limit = self.timeouts.answer  # a server that does not stream sends nothing before its transcript is complete
        deadline = asyncio.get_running_loop().time() + limit
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._open("POST", path, form_of(request), self.headers(headers))
        except TimeoutError:
            raise UpstreamTimeoutError(f"{self.name} accepted the request but did not respond within {limit:g} s") from None
        if response.content_type == "text/event-stream":
            return TranscriptStream(self, response, deadline)
        answer = TranscriptAnswer(OpenAIAnswer(self, response, deadline))
        try:
            completion = await answer.completion()
        finally:
            await answer.close()
        if not isinstance(completion.data.get("text"), str):
            raise StreamBrokenError(f"{self.name} answered without a transcript")
        return StaticAnswer(completion, transcript_chunks(completion.data))

    async def read_ahead(self, answer: HttpAnswer, started: float, *, stream: bool) -> Answer:
        """The answer. If a stream was requested and a complete answer came, it is read here, so that its error is raised here.

        `started`: the loop's time when the request was sent.
        """
        if not (stream and answer.is_labelled_json):
            return answer
        try:
            answer.deadline = started + self.timeouts.answer
            if await answer.is_stream(started + self.timeouts.first_token):
                return answer
            completion = await answer.completion()
        except BaseException:
            await answer.close()
            raise
        await answer.close()
        if not has_message(completion.data):
            raise StreamBrokenError(f"{self.name} answered without an answer")
        return StaticAnswer(completion, [completion_as_chunk(completion)])

    def headers(self, more: Mapping[str, str] | None = None, *, secret: bool = True) -> dict[str, str]:
        """The headers of a request, with the key and the configured headers unless `secret` is False."""
        found = {"Accept": "application/json, text/event-stream", **self._headers, **(more or {})}
        if not secret:
            return found
        if self.key:
            found |= self.credentials(self.key)
        return merged(found, self.endpoint.headers)

    def credentials(self, key: str) -> dict[str, str]:
        """The headers with the API key. Subclasses override it."""
        return {"Authorization": f"Bearer {key}"}

    def error(self, err: ApiError) -> ApiError:
        """The error for an error response; subclasses override it where the HTTP status is ambiguous."""
        return err

    async def _open(
        self, method: str, path: str, data: bytes | aiohttp.FormData | None, headers: dict[str, str]
    ) -> aiohttp.ClientResponse:
        """An open response with a 2xx status. Raises an ApiError otherwise; TimeoutError only from a timeout of the caller."""
        response = await self._send(method, path, data, headers)
        renew = None if isinstance(data, aiohttp.FormData) else self.renew_key  # a form can be sent only once
        if response.status == _UNAUTHORIZED and renew is not None and "Authorization" in headers:
            try:
                renewed = await renew()
            except BaseException:
                response.close()
                raise
            if renewed and self.key:
                response.close()
                response = await self._send(method, path, data, headers | self.credentials(self.key))
        if 200 <= response.status < 300:
            return response
        try:
            body = await read_limited(response, _MAX_ERROR_BYTES, cut=True)
        except (aiohttp.ClientError, OSError) as err:
            raise self.unreachable(err) from None
        finally:
            response.close()
        raise self.error(error_from_response(response.status, body, response.headers, secrets=self.secrets))

    async def _send(
        self, method: str, path: str, data: bytes | aiohttp.FormData | None, headers: dict[str, str]
    ) -> aiohttp.ClientResponse:
        """The response, whatever its status. Raises an ApiError if the server does not respond."""
        url = f"{self.base_url}{path}"
        request = partial(self._egress.request, self.session) if self.endpoint.public_only else self.session.request
        try:
            return await request(
                method,
                url,
                data=data,
                headers=headers,
                ssl=self.endpoint.ssl,
                timeout=_connect_timeout(self.timeouts.connect, connect_limit()),
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError, ValueError) as err:  # ValueError: an invalid header or address
            raise self.unreachable(err) from None  # aiohttp's error contains the headers, and so the key

    def unreachable(self, err: Exception) -> ApiError:
        """The error for a connection that failed, or was lost before a response."""
        if isinstance(err, aiohttp.ServerFingerprintMismatch) or isinstance(err.__cause__, PinMismatchError):
            return CertificateError(f"{self.name} presents a different certificate from the confirmed one")
        if isinstance(err, aiohttp.ClientConnectorCertificateError):
            return CertificateError(f"{self.name} presents a certificate that cannot be verified")
        if (refused := refusal(err)) is not None:
            return ClientCertificateError(f"{self.name} refuses the connection: {refused}")
        if isinstance(err, aiohttp.ConnectionTimeoutError):
            seconds = min(self.timeouts.connect, connect_limit() or self.timeouts.connect)
            return UpstreamConnectionError(f"{self.name} did not accept the connection within {seconds:g} s")
        if isinstance(err, ValueError):
            return UpstreamConnectionError(f"{self.name} could not be asked: its address or its API key has invalid characters")
        detail = redact(str(err), self.secrets) or type(err).__name__
        message = f"{self.name} could not be reached"
        if isinstance(self.endpoint.ssl, SSLContext) and isinstance(err, _CLOSED):
            reason = "it closed the connection, as a server does that does not accept the client certificate"
            return UpstreamConnectionError(f"{message}: {reason}", log_text=f"{message}: {detail}")
        return UpstreamConnectionError(f"{message}: {connection_reason(err)}", log_text=f"{message}: {detail}")


@lru_cache(maxsize=32)
def _connect_timeout(seconds: float, limit: float | None) -> aiohttp.ClientTimeout:
    """A timeout of the connection only; `HttpAnswer` limits the duration of the answer. `limit`: seconds for DNS, TCP and TLS."""
    return aiohttp.ClientTimeout(total=None, connect=limit, sock_connect=seconds)
