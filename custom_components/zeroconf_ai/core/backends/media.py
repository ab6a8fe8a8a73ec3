"""`ImageGate`: fetches images by URL for upstreams that only accept them by value.

The client chooses the URL, and this program runs inside a home network. The gate therefore fetches from public addresses only
(`egress`), with a single error text for every failure. Otherwise a client could scan the ports of the home network.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
import logging
import re

import aiohttp
from yarl import URL

from ..dialects.images import MAX_IMAGE_BYTES, Image, read_image, web_images, with_images
from ..protocol.errors import InvalidRequestError
from ..protocol.request import Kind, Request
from ..protocol.values import mapping
from .egress import Address, Egress, Network

_LOGGER = logging.getLogger(__name__)

MAX_FETCHED = 20
FETCH_SECONDS = 10.0

_TEXT_PARTS = frozenset({"text", "input_text", "output_text", "refusal", "thinking", "reasoning"})
"""Content parts that a model reads as text; URLs in them are not fetched."""
_ADDRESS = re.compile(r"\s*[a-zA-Z][a-zA-Z0-9+.-]*://")


class ImageGate:
    """Fetches images from public and explicitly allowed addresses only."""

    def __init__(self, allowed: Iterable[Network] = (), egress: Egress | None = None) -> None:
        """`allowed`: networks that are allowed although they are not public."""
        self._egress = egress or Egress(allowed)

    async def embed(self, request: Request) -> Request:
        """The request with its images by value, for a local server, which would fetch URLs inside the home network.

        Raises InvalidRequestError if an image cannot be fetched, and for the URL of any other content.
        """
        _refuse_addresses(request)
        images = await self.fetch_all(web_images(request))
        return with_images(request, images) if images else request

    async def fetch_all(self, wanted: Iterable[tuple[str, str]]) -> dict[str, Image]:
        """Fetch images. `wanted`: (URL, its position in the request). Raises InvalidRequestError for a failure."""
        positions = dict(wanted)
        if len(positions) > MAX_FETCHED:
            raise InvalidRequestError(f"At most {MAX_FETCHED} images by URL in one request.", param="messages")
        if not positions:
            return {}
        parsed = [(_parsed(url, where), where) for url, where in positions.items()]
        timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
        connector = self._egress.connector()
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session:
            images = await asyncio.gather(*(self._fetch(session, url, where) for url, where in parsed))
        return dict(zip(positions, images, strict=True))

    def allows(self, address: Address) -> bool:
        """Whether an address may be reached."""
        return self._egress.allows(address)

    async def _fetch(self, session: aiohttp.ClientSession, url: URL, where: str) -> Image:
        try:
            async with session.get(url, allow_redirects=False) as response:
                if response.status != 200:
                    raise _NotFetchedError(f"its server answered {response.status}")
                raw = bytearray()
                async for part in response.content.iter_any():
                    raw += part
                    if len(raw) > MAX_IMAGE_BYTES:
                        raise _NotFetchedError(f"it is larger than {MAX_IMAGE_BYTES >> 20} MB")
            return read_image(bytes(raw), where)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, InvalidRequestError, _NotFetchedError) as err:
            # The same text for every reason: the reason would reveal which servers this network has, and their responses.
            _LOGGER.debug("The image at %s was not fetched: %r", where, err)
            raise InvalidRequestError(
                f"{where}: the image could not be fetched; only public addresses are allowed. Send it as a data: URL.",
                param=where,
            ) from None


class _NotFetchedError(Exception):
    """A response without an image."""


def _parsed(url: str, where: str) -> URL:
    """The parsed URL. Raises InvalidRequestError if it is not an http(s) URL, or contains credentials."""
    try:
        parsed = URL(url)
        port = parsed.port
    except ValueError:
        parsed, port = URL(), None
    named = parsed.user is not None or parsed.password is not None
    if parsed.scheme not in ("http", "https") or not parsed.host or not port or named:
        raise InvalidRequestError(f"{where}: an image must be a data: URL, or an http(s) URL without credentials.", param=where)
    return parsed


def _refuse_addresses(request: Request) -> None:
    """Raise InvalidRequestError for a URL in content that is not an image (`video_url`; a file whose id is a URL)."""
    messages = request.body.get("messages")
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        content = mapping(message).get("content")
        for position, part in enumerate(content if isinstance(content, list) else ()):
            kind = mapping(part).get("type")
            if kind in _TEXT_PARTS or (kind == "image_url" and request.kind is Kind.CHAT):
                continue
            if any(map(_ADDRESS.match, _texts(part))):
                where = f"messages[{index}].content[{position}]"
                raise InvalidRequestError(f"{where}: only images can be sent by URL. Send the content itself.", param=where)


def _texts(value: object) -> Iterator[str]:
    """Every text in a JSON value, at any depth."""
    pending = [value]
    while pending:
        match pending.pop():
            case str() as text:
                yield text
            case Mapping() as inner:
                pending.extend(inner.values())
            case list() as inner:
                pending.extend(inner)
