"""Requests for images (`/v1/images/generations`, `/v1/images/edits`): their valid values, and the tokens of their images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from .errors import InvalidRequestError
from .values import parse_count

MAX_IMAGES: Final = 10
"""OpenAI's limit for one request (API reference, "Create image", `n`)."""
MAX_PROMPT: Final = 32_000
"""Characters: OpenAI's limit for the GPT image models, the largest of all."""
MAX_INPUTS: Final = 16
"""Images to edit: OpenAI's limit for one request with a GPT image model (API reference, "Create image edit", `image`)."""
MAX_INPUT_BYTES: Final = 20 * 1024 * 1024
"""Maximum size of one image. OpenAI's limit is 50 MB, that of Gemini 20 MB for the whole request."""
_STANDARD_PIXELS: Final = 1024 * 1536
"""Pixels of gpt-image-1's largest image, to which `_TOKENS` apply."""
_MOST_PIXELS: Final = 8192 * 8192
_TOKENS: Final[Mapping[object, int]] = {"low": 408, "medium": 1584, "xhigh": 4 * 6240, "max": 4 * 6240}
"""Tokens of an image of 1024x1536 pixels by quality (OpenAI, "Image generation", "Cost and latency").

For the last two, OpenAI publishes no figure: assumed are four times as many as in high quality.
"""
_MOST_TOKENS: Final = 6240
"""Tokens of this image in high quality, which `auto` may choose."""


@dataclass(frozen=True, slots=True)
class InputImage:
    """An image to edit, or the mask: a PNG whose transparent pixels are to be changed."""

    media_type: str
    """image/jpeg, png, gif or webp, by its content."""
    data: bytes = field(repr=False)
    is_mask: bool = False


def check_inputs(images: Sequence[InputImage]) -> None:
    """Raise InvalidRequestError for a request to edit no image, too many images, or with two masks."""
    count = sum(not image.is_mask for image in images)
    if not 1 <= count <= MAX_INPUTS:
        raise InvalidRequestError(f"Send 1 to {MAX_INPUTS} images as 'image' of the form.", param="image")
    if len(images) - count > 1:
        raise InvalidRequestError("Send at most one mask.", param="mask")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_PROMPT and not value.isspace()


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_IMAGES


def _is_word(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 64


RULES: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    "n": (_is_count, f"a whole number from 1 to {MAX_IMAGES}"),
    "size": (_is_word, "a size such as 1024x1024, or left out"),
    "quality": (_is_word, "a word such as high, or left out"),
    "response_format": (lambda value: value in ("url", "b64_json"), "url or b64_json"),
    "stream": (lambda value: value is False, "false: images are not streamed"),
}
"""By parameter: whether a value is valid, and the description of the valid values."""
PROMPT: Final = (_is_text, f"a text of at most {MAX_PROMPT:,} characters that is not empty")
"""The rule of the parameter `prompt`."""


def image_tokens(body: Mapping[str, Any]) -> int:
    """The maximum tokens of all images of a request. Larger images have more tokens, in proportion to their pixels."""
    each = _TOKENS.get(body.get("quality"), _MOST_TOKENS) if isinstance(body.get("quality"), str) else _MOST_TOKENS
    width, _, height = str(body.get("size") or "").lower().partition("x")
    pixels = min(parse_count(width) * parse_count(height), _MOST_PIXELS) if width.isdecimal() and height.isdecimal() else 0
    if pixels > _STANDARD_PIXELS:
        each = -(-each * pixels // _STANDARD_PIXELS)
    return each * image_count(body)


def image_count(body: Mapping[str, Any]) -> int:
    """The number of images that a request is for."""
    count: int = body.get("n") or 1
    return count


def has_images(data: Mapping[str, Any]) -> bool:
    """Whether a complete answer has at least one image, and each has its content or its address."""
    items = data.get("data")
    return (
        isinstance(items, list)
        and bool(items)
        and all(isinstance(item, dict) and any(_is_filled(item.get(name)) for name in ("b64_json", "url")) for item in items)
    )


def _is_filled(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def without_content(data: Mapping[str, Any]) -> dict[str, Any]:
    """A complete answer without the content of its images, for records."""
    items = [{name: value for name, value in item.items() if name != "b64_json"} for item in data["data"]]
    return {**data, "data": items}
