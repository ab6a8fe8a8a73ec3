"""Bodies of upstreams: bounded, and read as JSON by their content."""

from typing import Any

import aiohttp

from ..protocol import json
from ..protocol.errors import StreamBrokenError
from ..protocol.event_decoder import all_events, is_done, start_of
from .answer_errors import unreadable_error

MAX_BODY_BYTES = 64 * 1024 * 1024
"""Larger JSON answers are rejected: an untrusted server must not exhaust the memory."""


async def read_limited(response: aiohttp.ClientResponse, limit: int, *, cut: bool = False, first: bytes = b"") -> bytes:
    """The body, of which `first` was read already. More than `limit` bytes are cut off if `cut`, else raise StreamBrokenError."""
    parts = [first]
    size = len(first)
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > limit:
            if cut:
                break
            raise StreamBrokenError(f"the provider sent more than {limit} bytes")
    return b"".join(parts)[:limit]


def loads(body: bytes, name: str) -> Any:
    """The JSON value of a body. Raises StreamBrokenError if it is not JSON or nested too deeply."""
    if (found := decoded(body, name)) is None:
        raise _not_json(name)
    return found[1]


def decoded(body: bytes, name: str) -> tuple[bytes, Any] | None:
    """(JSON text, value) of a body, which may be framed as one event; None for a stream of several. Raises as `loads` does."""
    text = json.mended(start_of(body))
    try:
        return text, json.loads(text)
    except json.DepthError as err:
        raise StreamBrokenError(f"{name} sent {err}") from None
    except json.JSONDecodeError:
        try:
            events = [event for event in all_events(body) if event.data[:1] in (b"{", b"[") and not is_done(event.data)]
        except ValueError as err:
            raise unreadable_error(name, err) from None
    if len(events) > 1 or (events and events[0].event == "error"):
        return None
    if not events or events[0].data == text:
        raise _not_json(name)
    return decoded(events[0].data, name)


def _not_json(name: str) -> StreamBrokenError:
    return StreamBrokenError(f"{name} answered with something that is not JSON: is this the address of an LLM server?")
