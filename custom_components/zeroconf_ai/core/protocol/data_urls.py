"""Data URLs (RFC 2397) of images and files in a request, rewritten to the one form that all servers accept."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

_HEADS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
)
_SNIFFED = 24
"""Characters of base64 that contain the 12 bytes by which every type is known, after up to 6 characters of white space."""
_UNUSUAL = "-_ \t\r\n%"
"""The URL-safe alphabet, line breaks of MIME's base64, and percent-encoding."""
_URL_SAFE = str.maketrans("-_", "+/")


def media_type(raw: bytes) -> str | None:
    """The media type of an image or PDF by its first bytes, since stated types may be wrong; None for other content."""
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for head, kind in _HEADS if raw.startswith(head)), None)


def is_data_url(url: str) -> bool:
    """Whether a URL contains its content."""
    return url.lstrip()[:5].lower() == "data:"


def plain_data_url(url: str) -> str:
    """`data:TYPE;base64,DATA` with the type of the content, if it is known, and padded base64 of the standard alphabet.

    A URL that cannot be read is returned as it is.
    """
    head, _, data = url.partition(",")
    stated, *parameters = (part.strip().lower() for part in head.lstrip()[5:].split(";"))
    if "base64" not in parameters:
        return url
    plain = len(data) % 4 == 0 and not any(char in data for char in _UNUSUAL)
    try:
        if not plain:
            data = b64encode(_decoded(data)).decode()
        kind = media_type(b64decode(data[:_SNIFFED])) or stated or "application/octet-stream"
    except ValueError:
        return url
    wanted = f"data:{kind};base64"
    return url if plain and head == wanted else f"{wanted},{data}"


def with_plain_data_urls(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """A chat request with plain data URLs; the same object if there is nothing to change."""
    messages = [_message(message) for message in body["messages"]]
    if all(new is old for new, old in zip(messages, body["messages"], strict=True)):
        return body
    return {**body, "messages": messages}


def _message(message: Mapping[str, Any]) -> Mapping[str, Any]:
    content = message.get("content")
    if not isinstance(content, list):
        return message
    parts = [_part(part) for part in content]
    return message if all(new is old for new, old in zip(parts, content, strict=True)) else {**message, "content": parts}


def _part(part: Mapping[str, Any]) -> Mapping[str, Any]:
    match part:
        case {"type": "image_url", "image_url": str() as url} if (plain := _plain(url)) != url:
            return {**part, "image_url": {"url": plain}}
        case {"type": "image_url", "image_url": {"url": str() as url} as image} if (plain := _plain(url)) != url:
            return {**part, "image_url": {**image, "url": plain}}
        case {"type": "file", "file": {"file_data": str() as data} as file} if (plain := _plain(data, bare=True)) != data:
            return {**part, "file": {**file, "file_data": plain}}
    return part


def _plain(url: str, *, bare: bool = False) -> str:
    """`bare`: base64 without `data:` is a PDF if it begins like one."""
    if is_data_url(url):
        return plain_data_url(url)
    if bare and url.lstrip().startswith("JVBER"):  # %PDF
        return plain_data_url(f"data:;base64,{url}")
    return url


def _decoded(data: str) -> bytes:
    """The content. Raises ValueError."""
    text = unquote(data) if "%" in data else data
    text = "".join(text.split()).rstrip("=").translate(_URL_SAFE)
    return b64decode(text + "=" * (-len(text) % 4), validate=True)
