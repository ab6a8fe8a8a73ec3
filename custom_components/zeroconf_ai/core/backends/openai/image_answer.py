"""`ImagesAnswer`: replaces the addresses of generated images by base64, if the client requests base64.

LocalAI and stable-diffusion.cpp answer with addresses of their own, which clients of the gateway may not reach.
"""

from base64 import b64encode
from typing import Any, override

import aiohttp
from yarl import URL

from ...dialects.images import MAX_IMAGE_BYTES, image_from_data_url
from ...protocol.chunks import Chunk
from ...protocol.data_urls import is_data_url, media_type
from ...protocol.errors import ApiError, StreamBrokenError
from ..base import Answer, WrappedAnswer
from ..dialect_backend import DialectUpstream
from ..media import ImageGate

_MAX_FETCHED = 10
"""Maximum number of images in one answer (`image_requests.MAX_IMAGES`)."""


class ImagesAnswer(WrappedAnswer):
    """An answer with images, each of which gets `b64_json`."""

    def __init__(self, answer: Answer, upstream: DialectUpstream, gate: ImageGate) -> None:
        """`upstream` fetches addresses on the server itself, `gate` fetches other addresses, which must be public."""
        super().__init__(answer)
        self._upstream = upstream
        self._gate = gate

    @override
    async def completion(self) -> Chunk:
        """Raises StreamBrokenError for an image that cannot be fetched."""
        completion = await self._answer.completion()
        items = completion.data.get("data")
        by_address = [
            item
            for item in (items if isinstance(items, list) else ())
            if isinstance(item, dict) and not item.get("b64_json") and isinstance(item.get("url"), str)
        ]
        if not by_address:
            return completion
        if len(by_address) > _MAX_FETCHED:
            raise StreamBrokenError(f"{self._upstream.name} answered with more than {_MAX_FETCHED} images")
        for item in by_address:
            await self._fetch(item)
        return Chunk.of(completion.data)

    async def _fetch(self, item: dict[str, Any]) -> None:
        url = item.pop("url")
        try:
            item["b64_json"] = await self._content(url)
        except (ApiError, aiohttp.ClientError, OSError, ValueError) as err:
            message = f"{self._upstream.name} answered with an image that could not be fetched"
            reason = err.log_text if isinstance(err, ApiError) else type(err).__name__
            raise StreamBrokenError(message, log_text=f"{message}: {reason}") from None

    async def _content(self, url: str) -> str:
        """The base64 of the image at an address."""
        if is_data_url(url):
            return image_from_data_url(url, "data").data
        address = URL(url)
        if address.origin() != URL(self._upstream.base_url).origin():
            return (await self._gate.fetch_all([(url, "data")]))[url].data
        path = address.raw_path_qs.removeprefix(URL(self._upstream.base_url).raw_path.rstrip("/"))
        raw = await self._upstream.get(path, limit=MAX_IMAGE_BYTES)
        if not (media_type(raw) or "").startswith("image/"):
            raise ValueError("no image")
        return b64encode(raw).decode()
