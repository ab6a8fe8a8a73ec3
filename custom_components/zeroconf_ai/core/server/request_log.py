"""What a log says about a request: its ids on every line, and one line of its own when it has ended.

Only `zeroconf-ai serve` asks for it (`AccessLog`). In Home Assistant, `CURRENT` is never set.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
import re
from secrets import token_hex
import time
from typing import Any, override

from aiohttp import web

from ..accounting.usage.generation import Generation, Recorder
from ..protocol.errors import redact
from ..protocol.values import NANO
from ..routing.caller import Caller

CLIENT_CLOSED = 499
"""The status, as in nginx, of a response that its client does not get."""

_SANE_ID = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)
_TRACE = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")
"""W3C Trace Context, 3.2.2: version, trace id, id of the client's span, flags; later versions may append more."""


@dataclass(slots=True)
class RequestLog:
    """What is known of a request that runs."""

    id: str
    traceparent: str | None
    """The header as it came."""
    caller: Caller | None = None
    """Set after authentication."""
    generation: Generation | None = None
    """The usage record; set when the request to the engine has ended."""

    def ids(self) -> dict[str, str]:
        """The ids of its lines: `request_id`; with a valid `traceparent`, its `trace_id` and `span_id`."""
        found = {"request_id": self.id}
        if self.traceparent is not None and (traced := _TRACE.fullmatch(self.traceparent.strip())):
            found["trace_id"], found["span_id"] = traced.groups()
        return found


CURRENT: ContextVar[RequestLog | None] = ContextVar("zeroconf_ai_request_log", default=None)
"""The request that this task answers. Tasks that it starts inherit it."""


def id_of(request: web.Request) -> str:
    """The id of a request: the client's `X-Request-ID` if it is valid, else a new one."""
    if (current := CURRENT.get()) is not None:
        return current.id
    named = request.headers.get("X-Request-ID", "")
    return named if _SANE_ID.fullmatch(named) else f"req_{token_hex(16)}"


def is_sane_id(text: str) -> bool:
    """Whether a text of a client may be an id in headers and logs."""
    return _SANE_ID.fullmatch(text) is not None


type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class AccessLog(Recorder):
    """Passes one entry for each request to `write`, when it has ended. To be attached to the engine, whose records it needs."""

    def __init__(self, write: Callable[[Mapping[str, Any]], None] | None, *, silent: frozenset[str]) -> None:
        """`write` None: no entries, only ids. Requests to the paths `silent`, which probes call all the time, have none.

        An entry has `event`, `method`, `path` (without the query, which may contain secrets), `status`, `client` (its address),
        `duration_ms` and the ids; and, where they are known, `bytes`, `key`, `key_id`, `model`, `provider`, `prompt_tokens`,
        `completion_tokens`, `cached_tokens`, `cost` and `currency`, `first_token_ms`, `attempts` and `error` (its code).
        """
        self._write = write
        self._silent = silent

    @override
    def record(self, generation: Generation) -> None:
        current = CURRENT.get()
        if current is not None and current.id == generation.id:
            current.generation = generation

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The response of `handler`, which runs with `CURRENT` set, as what aiohttp itself logs later does."""
        log = RequestLog(id_of(request), request.headers.get("traceparent"))
        CURRENT.set(log)
        started = time.perf_counter()
        status, response = CLIENT_CLOSED, None
        try:
            response = await handler(request)
            status = response.status
        except web.HTTPException as err:
            status = err.status
            raise
        except Exception:
            status = web.HTTPInternalServerError.status_code
            raise
        else:
            return response
        finally:
            if self._write is not None and request.path not in self._silent:
                self._write(_entry(log, request, status, response, time.perf_counter() - started))

    def refused(self, request: web.Request, response: web.Response, code: str | None) -> None:
        """Pass an entry for a request that reached no route: it cannot be read, and so has no method, path and duration."""
        if self._write is not None:
            entry = {
                "event": f"unreadable request {response.status}",
                "status": response.status,
                "client": request.remote,
                "error": code,
                "bytes": _size(response),
                "request_id": response.headers["X-Request-ID"],
            }
            self._write({name: value for name, value in entry.items() if value is not None})


def _entry(
    log: RequestLog, request: web.Request, status: int, response: web.StreamResponse | None, seconds: float
) -> dict[str, Any]:
    path = redact(request.rel_url.raw_path)
    entry: dict[str, Any] = {
        "event": f"{request.method} {path} {status}",
        "method": request.method,
        "path": path,
        "status": status,
        "client": request.remote,
    }
    caller, record = log.caller, log.generation
    if caller is not None and caller.key_id is not None:
        entry["key"], entry["key_id"] = caller.name, caller.key_id
    if record is not None:
        used = record.usage
        entry |= {
            "model": record.model or record.requested_model,
            "provider": record.backend_name,
            "prompt_tokens": used.prompt_tokens,
            "completion_tokens": used.completion_tokens,
            "cached_tokens": used.cached_tokens or None,
            "cost": None if record.cost is None else record.cost / NANO,
            "currency": None if record.cost is None else record.currency,
            "first_token_ms": None if record.first_token is None else round(record.first_token * 1000, 1),
            "attempts": record.attempts,
            "error": record.error_code,
        }
    entry["duration_ms"] = round(seconds * 1000, 1)
    entry["bytes"] = _size(response)
    return {name: value for name, value in entry.items() if value is not None} | log.ids()


def _size(response: web.StreamResponse | None) -> int | None:
    """The bytes of a response's body; None if they are not known."""
    if isinstance(response, web.Response) and not response.prepared:
        return len(response.body) if isinstance(response.body, bytes | bytearray) else None
    return None if response is None else response.body_length
