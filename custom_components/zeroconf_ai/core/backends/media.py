"""Images of a request: taken out of data URLs, and fetched from the web for upstreams that only take them by value.

A URL in a request is the caller's, and this program sits inside a home's network: the gate only lets it reach public addresses,
and connects to the very address that it checked (a name may resolve to another one a moment later).
"""

import asyncio
from base64 import b64decode, b64encode
import binascii
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
import socket
from typing import Any, override
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from ..protocol.errors import InvalidRequestError
from ..protocol.request import Kind, Request
from ..protocol.values import mapping

MAX_IMAGE_BYTES = 20 * 1024 * 1024
"""OpenAI's limit for an image."""
MAX_FETCHED = 20
FETCH_SECONDS = 10.0

_FORBIDDEN: tuple[IPv4Network | IPv6Network, ...] = (
    ip_network("168.63.129.16/32"),  # Azure's host agent: a public address with a private meaning
    ip_network("192.88.99.0/24"),  # 6to4 relays
)
_NAT64 = ip_network("64:ff9b::/96")

type Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Image:
    """An image by value. `data` is base64, `media_type` one of image/jpeg, png, gif, webp."""

    media_type: str
    data: str

    @override
    def __repr__(self) -> str:
        """Sizes only."""
        return f"<Image {self.media_type} of {len(self.data)} characters>"


def image_url(part: Mapping[str, Any], where: str) -> str:
    """The URL of an `image_url` part. Raises InvalidRequestError where it has none."""
    given = part.get("image_url")
    url = given if isinstance(given, str) else mapping(given).get("url")
    if not isinstance(url, str) or not url:
        raise InvalidRequestError(f"{where} has no image_url.url.", param=where)
    return url


def image_from_data_url(url: str, where: str) -> Image:
    """The image in a `data:` URL. Raises InvalidRequestError where it holds none that models read."""
    head, _, data = url.partition(",")
    if not head.endswith(";base64"):
        raise InvalidRequestError(f"{where}: the data URL must hold base64.", param=where)
    try:
        return _image(b64decode(data, validate=True), where)
    except binascii.Error:
        raise InvalidRequestError(f"{where}: the data URL holds no valid base64.", param=where) from None


def _image(raw: bytes, where: str) -> Image:
    """An image by its first bytes: what a URL or a header calls it may be wrong, and upstreams compare."""
    if raw.startswith(b"\xff\xd8\xff"):
        kind = "jpeg"
    elif raw.startswith(b"\x89PNG\r\n\x1a\n"):
        kind = "png"
    elif raw.startswith((b"GIF87a", b"GIF89a")):
        kind = "gif"
    elif raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        kind = "webp"
    else:
        raise InvalidRequestError(f"{where} is no JPEG, PNG, GIF or WebP image.", param=where)
    return Image(f"image/{kind}", b64encode(raw).decode())


def web_images(request: Request) -> Iterator[tuple[str, str]]:
    """(URL, where it stands) of each image of a chat that is not there by value."""
    for index, message in enumerate(request.body["messages"] if request.kind is Kind.CHAT else ()):
        content = message.get("content")
        for position, part in enumerate(content if isinstance(content, list) else ()):
            if part.get("type") == "image_url":
                where = f"messages[{index}].content[{position}]"
                url = image_url(part, where)
                if not url.startswith("data:"):
                    yield url, where


def with_images(request: Request, images: Mapping[str, Image]) -> Request:
    """The chat with the given images, by URL, in the place of their addresses."""

    def turned(part: Mapping[str, Any]) -> Mapping[str, Any]:
        image = images.get(image_url(part, "messages")) if part.get("type") == "image_url" else None
        if image is None:
            return part
        given = part["image_url"]
        by_value = {"url": f"data:{image.media_type};base64,{image.data}"}
        return {**part, "image_url": {**given, **by_value} if isinstance(given, Mapping) else by_value}

    messages = [
        {**message, "content": [turned(part) for part in content]}
        if isinstance(content := message.get("content"), list)
        else message
        for message in request.body["messages"]
    ]
    return request.with_body(messages=messages)


class ImageGate:
    """Fetches images from public addresses, and from nowhere else."""

    def __init__(self, allowed: Iterable[IPv4Network | IPv6Network] = ()) -> None:
        """`allowed` are networks that the owner opens although they are not public."""
        self._allowed = tuple(allowed)

    async def fetch_all(self, wanted: Iterable[tuple[str, str]]) -> dict[str, Image]:
        """The images by URL. Raises InvalidRequestError naming the first that cannot be had."""
        places = dict(wanted)
        if len(places) > MAX_FETCHED:
            raise InvalidRequestError(f"At most {MAX_FETCHED} images by URL in one request.", param="messages")
        if not places:
            return {}
        connector = aiohttp.TCPConnector(resolver=_Resolver(self), use_dns_cache=False, force_close=True)
        timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session:
            images = await asyncio.gather(*(self._fetch(session, url, where) for url, where in places.items()))
        return dict(zip(places, images, strict=True))

    def allows(self, address: Address) -> bool:
        """Whether an address may be reached."""
        address = _innermost(address)
        if any(address in network for network in self._allowed):
            return True
        if address.is_multicast or any(address in network for network in _FORBIDDEN):
            return False
        return address.is_global

    async def _fetch(self, session: aiohttp.ClientSession, url: str, where: str) -> Image:
        self._check_url(url, where)
        try:
            async with session.get(url, allow_redirects=False) as response:
                if response.status != 200:
                    told = "redirects, which is not followed" if 300 <= response.status < 400 else f"answers {response.status}"
                    raise InvalidRequestError(f"{where}: its server {told}.", param=where)
                raw = bytearray()
                async for part in response.content.iter_any():
                    raw += part
                    if len(raw) > MAX_IMAGE_BYTES:
                        raise InvalidRequestError(f"{where} is larger than {MAX_IMAGE_BYTES >> 20} MB.", param=where)
        except TimeoutError:
            raise InvalidRequestError(f"{where} could not be fetched within {FETCH_SECONDS:g} s.", param=where) from None
        except aiohttp.ClientConnectorDNSError as err:
            if isinstance(err.os_error, _NotPublicError):
                raise _not_public(where) from None
            raise InvalidRequestError(f"{where}: the name of its server is not known.", param=where) from None
        except (aiohttp.ClientError, OSError, ValueError) as err:
            raise InvalidRequestError(f"{where} could not be fetched: {type(err).__name__}.", param=where) from None
        return _image(bytes(raw), where)

    def _check_url(self, url: str, where: str) -> None:
        try:
            parts = urlsplit(url)
            host = parts.hostname
        except ValueError:
            host, parts = None, urlsplit("")
        if not host or parts.scheme not in ("http", "https") or parts.username is not None:
            raise InvalidRequestError(f"{where}: an image is a data: URL, or http(s) without a user's name.", param=where)
        try:
            # What the operating system takes for an address (127.1, 0x7f000001) is none here, and goes to the resolver.
            literal = ip_address(host)
        except ValueError:
            return
        if not self.allows(literal):
            raise _not_public(where)


class _NotPublicError(OSError):
    """A name that stands for an address which must not be reached."""


def _not_public(where: str) -> InvalidRequestError:
    return InvalidRequestError(f"{where}: images are only fetched from public addresses. Send it as a data: URL.", param=where)


def _innermost(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one that leads to it."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


class _Resolver(AbstractResolver):
    """Resolves names and lets only addresses through that the gate allows; aiohttp connects to what it is given here."""

    def __init__(self, gate: ImageGate) -> None:
        self._gate = gate

    @override
    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        results: list[ResolveResult] = []
        for found_family, _, proto, _, sockaddr in found:
            address = str(sockaddr[0]).partition("%")[0]
            # One address that is not public condemns the name: it is how rebinding is done.
            if not self._gate.allows(ip_address(address)):
                raise _NotPublicError(f"{host} is not public")
            flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
            results.append(ResolveResult(hostname=host, host=address, port=port, family=found_family, proto=proto, flags=flags))
        return results

    @override
    async def close(self) -> None:
        """Nothing is open."""
