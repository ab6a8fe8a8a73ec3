"""Compression of request bodies: `Content-Encoding` (RFC 9110, section 8.4) is gzip or deflate.

On a separate port this module decompresses: aiohttp would answer an encoding that it cannot decode before the route is known, and
so without the route's error format. Home Assistant's own server decompresses before its requests reach the gateway.
"""

from collections.abc import Iterator
import zlib

from aiohttp import hdrs, web

from ..protocol.errors import UnsupportedMediaTypeError

COMPRESSED_BODIES = web.AppKey("zeroconf_ai_compressed_bodies", bool)
"""Whether the requests of an application have bodies as they were sent; otherwise aiohttp has decompressed them."""
ACCEPTED = ("gzip", "deflate")
_PIECE = 64 * 1024
_MAX_MEMBERS = 64
"""Maximum number of members of a body in gzip: compressors write one, or one for each thread."""
_GZIP_MAGIC = b"\x1f\x8b"


def decompressor(request: web.Request) -> "Decompressor | None":
    """What decompresses the request's body; None if it need not be. Raises UnsupportedMediaTypeError for another encoding."""
    named = ", ".join(request.headers.getall(hdrs.CONTENT_ENCODING, ())).strip().lower()
    if named in ("", "identity"):
        return None
    if named not in ACCEPTED:
        raise UnsupportedMediaTypeError(
            f"The Content-Encoding {named[:40]!r} is not supported. Send the body with {' or '.join(ACCEPTED)}, or uncompressed.",
            code="unsupported_content_encoding",
            more_headers={hdrs.ACCEPT_ENCODING: ", ".join(ACCEPTED)},  # RFC 9110, section 15.5.16
        )
    return Decompressor(gzip=named == "gzip") if request.app.get(COMPRESSED_BODIES) else None


class Decompressor:
    """Decompresses one body in pieces of at most 64 KiB."""

    def __init__(self, *, gzip: bool) -> None:
        """`gzip`: gzip, also of several members, else deflate with or without zlib's header, which some clients omit."""
        self._gzip = gzip
        self._inner: zlib._Decompress | None = None
        self._members = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pieces that `data` completes. Raises ValueError for invalid data."""
        while data:
            if self._inner is None:
                self._members += 1
                if self._members > _MAX_MEMBERS:
                    raise ValueError(f"the compressed body has more than {_MAX_MEMBERS} members")
                self._inner = zlib.decompressobj(self._window(data))
            try:
                yield from self._pieces(self._inner, data)
            except zlib.error as err:
                raise ValueError(f"invalid compression: {err}") from None
            if not self._inner.eof:
                return
            data = self._inner.unused_data
            if not data.startswith(_GZIP_MAGIC):
                return  # padding after the end, as gzip ignores it
            self._inner = None

    def end(self) -> None:
        """Raise ValueError if the body ended early."""
        if self._inner is None or not self._inner.eof:
            raise ValueError("the compressed body is not complete")

    def _window(self, data: bytes) -> int:
        if self._gzip:
            return 16 + zlib.MAX_WBITS
        return zlib.MAX_WBITS if data[0] & 0x0F == zlib.DEFLATED else -zlib.MAX_WBITS  # RFC 1950, section 2.2

    @staticmethod
    def _pieces(inner: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
        while True:
            piece = inner.decompress(data, _PIECE)
            if piece:
                yield piece
            data = inner.unconsumed_tail
            if not data and len(piece) < _PIECE:
                return
