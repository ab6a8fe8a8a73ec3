"""Images that an AI task makes."""

import base64
import binascii
from dataclasses import dataclass, field

from ..core.dialects.images import MAX_IMAGE_BYTES
from ..core.engine import Caller, Engine
from ..core.protocol.data_urls import media_type
from ..core.protocol.errors import StreamBrokenError
from ..core.protocol.models import AUTO
from ..core.protocol.request import Kind, Request
from ..core.protocol.values import mapping
from ..core.routing.pool.member import Member


@dataclass(frozen=True, slots=True)
class MadeImage:
    """An image. `content` is a file of the type `mime_type`."""

    content: bytes = field(repr=False)
    mime_type: str
    model: str
    revised_prompt: str | None = None
    """The prompt as the model changed it; None if it did not."""


def makes_images(member: Member) -> bool:
    """Whether a backend has a model that makes images."""
    return any(model.makes_images and not model.virtual for model in member.models)


def image_model(member: Member | None, model: str) -> str:
    """The model for a task's images: `model` if it makes images at its backend `member`, else any model."""
    found = None if member is None else member.served.find(model)
    return model if found is not None and found.makes_images else AUTO


async def make_image(engine: Engine, caller: Caller, prompt: str, *, model: str, pin: str | None) -> MadeImage:
    """Generate an image from `prompt`. `pin`: id of the only backend that may generate it, or None. Raises an ApiError."""
    body = {"model": model, "prompt": prompt, "response_format": "b64_json"}
    async with engine.run(Request.parse(Kind.IMAGES, body, pin=pin), caller) as reply:
        data, answered = reply.completion.data, reply.model
    item = mapping(data["data"][0])
    encoded, revised = item.get("b64_json"), item.get("revised_prompt")
    if not isinstance(encoded, str) or len(encoded) > MAX_IMAGE_BYTES * 4 // 3 + 4:
        raise StreamBrokenError(f"{reply.backend_name} answered with an image that is too large, or with its address only")
    try:
        content = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        content = b""
    kind = media_type(content) or ""
    if not kind.startswith("image/"):
        raise StreamBrokenError(f"{reply.backend_name} answered with an image that cannot be read")
    return MadeImage(content, kind, answered, revised if isinstance(revised, str) and revised else None)
