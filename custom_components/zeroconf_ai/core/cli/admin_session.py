"""`AdminSession`: reads the data of a server's page as an administrator."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, Self

import aiohttp
from aiohttp import hdrs
import orjson

from ..backends.base import Endpoint
from ..protocol import json
from ..protocol.errors import ApiError, UpstreamConnectionError, UpstreamError, error_from_response
from ..protocol.values import mapping
from ..server.administration.administration import PATH

_SECONDS: Final = 10.0
_MAX_BYTES: Final = 16 * 1024 * 1024
_DATA: Final = b"data: "


class AdminSession:
    """A login session of a server's page, from entering `async with` to leaving it."""

    def __init__(self, endpoint: Endpoint, secret: str) -> None:
        """`secret`: the API key of an administrator, or the local secret from the running server's file (`running.Running`)."""
        self._endpoint = endpoint
        self._root = endpoint.base_url.removesuffix("/v1")
        self._secret = secret
        self._http = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # accept cookies of servers with an IP address as their host
            timeout=aiohttp.ClientTimeout(_SECONDS),
            headers={hdrs.ORIGIN: self._root},
        )

    async def __aenter__(self) -> Self:
        """Log in. Raises ApiError: NotFoundError without a page, PermissionDeniedError for a key without administrator rights."""
        try:
            await self.command("login", {"key": self._secret})
        except BaseException:
            await self._http.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Log out."""
        with suppress(ApiError):
            await self.command("logout", {})
        await self._http.close()

    async def command(self, name: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run a command of the page and return its result. Raises ApiError."""
        return await self._ask(hdrs.METH_POST, name, data=orjson.dumps(body), headers={hdrs.CONTENT_TYPE: "application/json"})

    async def live(self) -> Mapping[str, Any]:
        """The live state (`admin.live.Live`): the first event of the page's stream. Raises ApiError."""
        return await self._ask(hdrs.METH_GET, "live", headers={hdrs.ACCEPT: "text/event-stream"})

    async def _ask(self, method: str, name: str, **options: Any) -> Mapping[str, Any]:
        url = f"{self._root}{PATH}/api/{name}"
        try:
            async with self._http.request(method, url, ssl=self._endpoint.ssl, allow_redirects=False, **options) as response:
                if response.content_type == "text/event-stream" and response.ok:
                    return mapping(json.loads(await _first_event(response.content)))
                raw = await response.content.read(_MAX_BYTES)
                while not response.content.at_eof() and len(raw) < _MAX_BYTES:
                    raw += await response.content.read(_MAX_BYTES - len(raw))
                if not response.ok:
                    raise error_from_response(response.status, raw, response.headers, secrets=[self._secret])
                return mapping(json.loads(raw))
        except (aiohttp.ClientError, OSError, TimeoutError) as err:
            raise UpstreamConnectionError(f"{self._root} could not be reached: {str(err) or type(err).__name__}.") from None
        except json.JSONDecodeError:
            raise UpstreamError(f"{self._root} sent an answer that is not JSON. Is it a ZeroConf AI server?") from None


async def _first_event(content: aiohttp.StreamReader) -> bytes:
    """The data of the first event of a stream."""
    raw = b""
    async for chunk in content.iter_any():
        raw += chunk
        start = raw.find(_DATA)
        if start >= 0 and (end := raw.find(b"\n\n", start)) >= 0:
            return raw[start + len(_DATA) : end]
        if len(raw) > _MAX_BYTES:
            break
    return b""
