"""Images of a request: parsed from data URLs and substituted for web addresses. No I/O."""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, override

from ..protocol.data_urls import is_data_url, media_type
from ..protocol.errors import InvalidRequestError
from ..protocol.request import Kind, Request
from ..protocol.values import mapping

MAX_IMAGE_BYTES = 20 * 1024 * 1024
"""OpenAI's limit for one image."""


@dataclass(frozen=True, slots=True)
class Image:
    """The content of an image. `data` is base64, `media_type` one of image/jpeg, png, gif, webp."""

    media_type: str
    data: str

    @override
    def __repr__(self) -> str:
        """Without the content."""
        return f"<Image {self.media_type} of {len(self.data)} characters>"


def image_url(part: Mapping[str, Any], where: str) -> str:
    """The URL of an `image_url` part. Raises InvalidRequestError if it has none."""
    given = part.get("image_url")
    url = given if isinstance(given, str) else mapping(given).get("url")
    if not isinstance(url, str) or not url:
        raise InvalidRequestError(f"{where} has no image_url.url.", param=where)
    return url


def image_from_data_url(url: str, where: str) -> Image:
    """The image in a `data:` URL. Raises InvalidRequestError if it is invalid or of another type than `Image` allows."""
    head, _, data = url.partition(",")
    if not head.endswith(";base64"):
        raise InvalidRequestError(f"{where}: the data URL must contain base64.", param=where)
    try:
        return read_image(b64decode(data, validate=True), where)
    except ValueError:  # also for characters that are not ASCII
        raise InvalidRequestError(f"{where}: the base64 of the data URL is invalid.", param=where) from None


def read_image(raw: bytes, where: str) -> Image:
    """Detect the type of an image by its first bytes, because stated types may be wrong and upstreams check them.

    Raises InvalidRequestError for other types.
    """
    kind = media_type(raw)
    if kind is None or not kind.startswith("image/"):
        raise InvalidRequestError(f"{where} is not a JPEG, PNG, GIF or WebP image.", param=where)
    return Image(kind, b64encode(raw).decode())


def web_images(request: Request) -> Iterator[tuple[str, str]]:
    """(URL, path in the request) of each image of a chat that is given by its web address."""
    for index, message in enumerate(request.body["messages"] if request.kind is Kind.CHAT else ()):
        content = message.get("content")
        for position, part in enumerate(content if isinstance(content, list) else ()):
            if part.get("type") == "image_url":
                where = f"messages[{index}].content[{position}]"
                url = image_url(part, where)
                if not is_data_url(url):
                    yield url, where


def with_images(request: Request, images: Mapping[str, Image]) -> Request:
    """The chat with `images` (by URL) in place of their web addresses."""

    def replaced(part: Mapping[str, Any]) -> Mapping[str, Any]:
        image = images.get(image_url(part, "messages")) if part.get("type") == "image_url" else None
        if image is None:
            return part
        given = part["image_url"]
        by_value = {"url": f"data:{image.media_type};base64,{image.data}"}
        return {**part, "image_url": {**given, **by_value} if isinstance(given, Mapping) else by_value}

    messages = [
        {**message, "content": [replaced(part) for part in content]}
        if isinstance(content := message.get("content"), list)
        else message
        for message in request.body["messages"]
    ]
    return request.with_body(messages=messages)
