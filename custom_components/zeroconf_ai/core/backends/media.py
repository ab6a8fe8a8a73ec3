"""Images of a request: taken out of data URLs, and fetched from the web for upstreams that only take them by value.

A URL in a request is the caller's, and this program runs inside a home's network: the gate fetches from public addresses only
(`egress`), and gives one error text for every image that it cannot fetch. Otherwise a caller could scan the home's ports with it.
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
"""Content parts that a model reads as text, whatever address stands in it."""
_ADDRESS = re.compile(r"\s*[a-zA-Z][a-zA-Z0-9+.-]*://")


class ImageGate:
    """Fetches images from public addresses, and from nowhere else."""

    def __init__(self, allowed: Iterable[Network] = (), egress: Egress | None = None) -> None:
        """`allowed` are networks that the owner opens although they are not public."""
        self._egress = egress or Egress(allowed)

    async def embed(self, request: Request) -> Request:
        """The request with its images by value, for a server in the home: it would fetch them from inside the home's network.

        Raises InvalidRequestError where an image cannot be fetched, and for the address of anything else.
        """
        _refuse_addresses(request)
        images = await self.fetch_all(web_images(request))
        return with_images(request, images) if images else request

    async def fetch_all(self, wanted: Iterable[tuple[str, str]]) -> dict[str, Image]:
        """The images by URL. Raises InvalidRequestError naming the first that cannot be fetched."""
        places = dict(wanted)
        if len(places) > MAX_FETCHED:
            raise InvalidRequestError(f"At most {MAX_FETCHED} images by URL in one request.", param="messages")
        if not places:
            return {}
        parsed = [(_parsed(url, where), where) for url, where in places.items()]
        timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
        connector = self._egress.connector()
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session:
            images = await asyncio.gather(*(self._fetch(session, url, where) for url, where in parsed))
        return dict(zip(places, images, strict=True))

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
            # One text for all: the reason would tell a caller what listens in this network, and what it answers.
            _LOGGER.debug("The image at %s was not fetched: %r", where, err)
            raise InvalidRequestError(
                f"{where}: images are only fetched from public addresses, and this one could not be. Send it as a data: URL.",
                param=where,
            ) from None


class _NotFetchedError(Exception):
    """An answer that holds no image."""


def _parsed(url: str, where: str) -> URL:
    """The URL as it will be connected to. Raises InvalidRequestError where it is not a web address."""
    try:
        parsed = URL(url)
        port = parsed.port
    except ValueError:
        parsed, port = URL(), None
    named = parsed.user is not None or parsed.password is not None
    if parsed.scheme not in ("http", "https") or not parsed.host or not port or named:
        raise InvalidRequestError(f"{where}: an image is a data: URL, or http(s) without a user's name.", param=where)
    return parsed


def _refuse_addresses(request: Request) -> None:
    """Raise InvalidRequestError for an address in a part that is not an image (`video_url`; a file whose id is a URL)."""
    messages = request.body.get("messages")
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        content = mapping(message).get("content")
        for position, part in enumerate(content if isinstance(content, list) else ()):
            kind = mapping(part).get("type")
            if kind in _TEXT_PARTS or (kind == "image_url" and request.kind is Kind.CHAT):
                continue
            if any(map(_ADDRESS.match, _texts(part))):
                where = f"messages[{index}].content[{position}]"
                raise InvalidRequestError(f"{where}: only images are fetched by URL. Send it by value.", param=where)


def _texts(value: object) -> Iterator[str]:
    """Every text in a JSON value, however deep."""
    left = [value]
    while left:
        match left.pop():
            case str() as text:
                yield text
            case Mapping() as inner:
                left.extend(inner.values())
            case list() as inner:
                left.extend(inner)
