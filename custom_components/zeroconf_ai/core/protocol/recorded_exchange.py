"""The file of a recorded exchange with an upstream: one request, and its answer as it arrived."""

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import orjson

from . import json
from .values import finite_number, mapping, parse_count

FORMAT = 1
MAX_FILE_BYTES = 64 * 1024 * 1024
COMPLETE, CLOSED, STALLED, CUT = "complete", "closed", "stalled", "cut"
"""How an answer ended: completely; closed by the client, which also happens after the last event; by a timeout of the
client; by a broken connection."""


@dataclass(frozen=True, slots=True)
class RecordedChunk:
    """Bytes that arrived together. `after`: seconds since the request was sent."""

    after: float
    size: int


@dataclass(frozen=True, slots=True)
class RecordedExchange:
    """One exchange. The headers are scrubbed."""

    upstream: int
    """The number of the server, from 1, in the order of the first requests."""
    method: str
    path: str
    """Path and query."""
    request_headers: Mapping[str, str] = field(default_factory=dict)
    request_body: bytes = field(default=b"", repr=False)
    status: int = 0
    """HTTP status; 0: no answer."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    chunks: Sequence[RecordedChunk] = ()
    end: str = COMPLETE
    error: str = ""
    """The class name of the error that ended the exchange."""
    truncated: bool = False
    """Whether the rest of the request or of the answer was too large to be recorded."""

    def to_json(self, version: str) -> bytes:
        """The content of the file. `version`: the program's version."""
        request = {"method": self.method, "path": self.path, "headers": dict(self.request_headers)}
        response = {
            "status": self.status,
            "headers": dict(self.headers),
            **_as_text(self.body),
            "chunks": [[round(chunk.after * 1000, 1), chunk.size] for chunk in self.chunks],
        }
        return orjson.dumps(
            {
                "format": FORMAT,
                "version": version,
                "upstream": self.upstream,
                "request": {**request, **_as_text(self.request_body)},
                "response": response if self.status else None,
                "end": self.end,
                "error": self.error or None,
                "truncated": self.truncated,
            },
            option=orjson.OPT_INDENT_2,
        )

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read an exchange from a file's content. Raises ValueError."""
        data = mapping(json.loads(raw))
        if data.get("format") != FORMAT:
            raise ValueError("it is not a recorded exchange")
        request, response = mapping(data.get("request")), mapping(data.get("response"))
        body = _from_text(response)
        chunks = []
        for entry in response.get("chunks") or ():
            after, size = entry
            chunks.append(RecordedChunk(max(0.0, finite_number(after) or 0.0) / 1000, parse_count(size)))
        if sum(chunk.size for chunk in chunks) != len(body):
            raise ValueError("its chunks do not have the size of its body")
        return cls(
            upstream=parse_count(data.get("upstream"), largest=1000) or 1,
            method=str(request.get("method")),
            path=str(request.get("path")),
            request_headers={str(name): str(value) for name, value in mapping(request.get("headers")).items()},
            request_body=_from_text(request),
            status=parse_count(response.get("status"), largest=999),
            headers={str(name): str(value) for name, value in mapping(response.get("headers")).items()},
            body=body,
            chunks=chunks,
            end=str(data.get("end")),
            error=str(data.get("error") or ""),
            truncated=data.get("truncated") is True,
        )


def _as_text(body: bytes) -> dict[str, Any]:
    """A body as `body`, or as `base64` if it is not UTF-8."""
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"base64": b64encode(body).decode()}


def _from_text(data: Mapping[str, Any]) -> bytes:
    """Raises ValueError."""
    encoded = data.get("base64")
    return b64decode(encoded, validate=True) if isinstance(encoded, str) else str(data.get("body") or "").encode()
