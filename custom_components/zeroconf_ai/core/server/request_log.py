"""What a log says about a request: its ids on every line, and one line of its own when it has ended.

Only `zeroconf-ai serve` asks for it (`AccessLog`). In Home Assistant, `CURRENT` is never set.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
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
    path, method = _redacted(request.rel_url.raw_path), request.method
    entry: dict[str, Any] = {"event": f"{method} {path} {status}", "method": method, "path": path, "status": status}
    if (client := request.remote) is not None:
        entry["client"] = client
    caller, record = log.caller, log.generation
    if caller is not None and caller.key_id is not None:
        entry["key"], entry["key_id"] = caller.name, caller.key_id
    if record is not None:
        _add_usage(entry, record)
    entry["duration_ms"] = _milliseconds(seconds)
    if (size := _size(response)) is not None:
        entry["bytes"] = size
    entry["request_id"] = log.id
    if log.traceparent is not None:
        entry.update(log.ids())
    return entry


def _add_usage(entry: dict[str, Any], record: Generation) -> None:
    """Add what is known of the answer."""
    used = record.usage
    entry["model"] = record.model or record.requested_model
    if record.backend_name is not None:
        entry["provider"] = record.backend_name
    entry["prompt_tokens"], entry["completion_tokens"] = used.prompt_tokens, used.completion_tokens
    if used.cached_tokens:
        entry["cached_tokens"] = used.cached_tokens
    if record.cost is not None:
        entry["cost"], entry["currency"] = record.cost / NANO, record.currency
    if record.first_token is not None:
        entry["first_token_ms"] = _milliseconds(record.first_token)
    entry["attempts"] = record.attempts
    if record.error_code is not None:
        entry["error"] = record.error_code


def _milliseconds(seconds: float) -> float:
    """To one decimal place. `round` with a number of places takes ten times as long."""
    return round(seconds * 10_000) / 10


_redacted = lru_cache(maxsize=128)(redact)
"""`redact` for paths: most requests are to a few of them."""


def _size(response: web.StreamResponse | None) -> int | None:
    """The bytes of a response's body; None if they are not known."""
    if isinstance(response, web.Response) and not response.prepared:
        return len(response.body) if isinstance(response.body, bytes | bytearray) else None
    return None if response is None else response.body_length
