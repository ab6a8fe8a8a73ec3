"""OpenAI's requests for images ↔ Gemini's `generateContent` with images as the answer (ai.google.dev, "Image generation").

Gemini makes one image for each request; its usage counts image tokens as completion tokens.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping
import time
from typing import Any

from ...protocol.errors import InvalidRequestError, StreamBrokenError
from ...protocol.request import Request
from ...protocol.usage import Usage
from ...protocol.values import mapping, parse_count

_RATIOS = ((1, 1), (2, 3), (3, 2), (3, 4), (4, 3), (4, 5), (5, 4), (9, 16), (16, 9), (21, 9))
"""Width and height of the aspect ratios that all image models support (google-genai 2.25, `ImageConfig.aspect_ratio`)."""


def image_body(request: Request) -> dict[str, Any]:
    """The body of a request for one image, with the images to edit.

    The requested size sets the aspect ratio only: the model has its own sizes.
    """
    config: dict[str, Any] = {"responseModalities": ["IMAGE"]}
    width, _, height = str(request.body.get("size") or "").lower().partition("x")
    if parse_count(width) and parse_count(height):
        wanted = parse_count(width) / parse_count(height)
        best = min(_RATIOS, key=lambda ratio: max(wanted * ratio[1] / ratio[0], ratio[0] / ratio[1] / wanted))
        config["imageConfig"] = {"aspectRatio": f"{best[0]}:{best[1]}"}
    inputs = [{"inlineData": {"mimeType": image.media_type, "data": b64encode(image.data).decode()}} for image in request.images]
    parts = [*inputs, {"text": request.body["prompt"]}]
    return {"contents": [{"role": "user", "parts": parts}], "generationConfig": config}


def image_of(completion: Mapping[str, Any], name: str) -> str:
    """The base64 of the last image of a translated answer: earlier ones are drafts.

    Raises InvalidRequestError if Google withholds it, StreamBrokenError if the answer has none.
    """
    choice = mapping(completion["choices"][0])
    said = mapping(choice.get("message"))
    images = said.get("images")
    if isinstance(images, list) and images:
        _, _, data = str(mapping(mapping(images[-1]).get("image_url")).get("url")).partition(",")
        return data
    if choice.get("finish_reason") == "content_filter":
        message = f"Google withholds the image. {said.get('refusal') or ''}".strip()
        raise InvalidRequestError(message, code="content_policy_violation", param="prompt", upstream_status=200)
    raise StreamBrokenError(f"{name} answered without an image")


def image_list(images: Iterable[str], usage: Usage | None) -> dict[str, Any]:
    """OpenAI's answer with these images (base64) and their usage, if it is known."""
    found: dict[str, Any] = {"created": int(time.time()), "data": [{"b64_json": image} for image in images]}
    if usage is not None:
        found["usage"] = {
            "input_tokens": usage.prompt_tokens,
            "input_tokens_details": {"image_tokens": 0, "text_tokens": usage.prompt_tokens},
            "output_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
        }
    return found
