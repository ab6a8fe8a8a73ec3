"""Images that an AI task makes, from instructions or from other images."""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, field
import logging

from homeassistant.components import conversation
from homeassistant.exceptions import HomeAssistantError

from ..const import DOMAIN
from ..core.dialects.images import MAX_IMAGE_BYTES
from ..core.engine import Caller, Engine
from ..core.protocol.data_urls import media_type
from ..core.protocol.errors import InvalidRequestError, StreamBrokenError
from ..core.protocol.image_requests import MAX_INPUT_BYTES, InputImage
from ..core.protocol.models import AUTO
from ..core.protocol.request import Kind, Request
from ..core.protocol.values import mapping
from ..core.routing.pool.member import Member

_LOGGER = logging.getLogger(__name__)


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


def image_model(member: Member | None, model: str, *, edits: bool = False) -> str:
    """The model for a task's images: `model` if it makes images at its backend `member`, else any model. `edits`: from others."""
    found = None if member is None else member.served.find(model)
    able = found is not None and (found.edits_images if edits else found.makes_images)
    return model if able else AUTO


def read_images(attachments: Iterable[conversation.Attachment]) -> tuple[InputImage, ...]:
    """Read the images of a task. Blocking: run it in the executor.

    Raises HomeAssistantError if a file cannot be read or is no image, and InvalidRequestError if an image is too large.
    """
    return tuple(map(_read_image, attachments))


def _read_image(attachment: conversation.Attachment) -> InputImage:
    path = attachment.path
    try:
        with path.open("rb") as file:
            data = file.read(MAX_INPUT_BYTES + 1)
    except OSError as err:
        _LOGGER.warning("The attachment %s cannot be read: %s", path, err)
        raise HomeAssistantError(
            translation_domain=DOMAIN, translation_key="attachment_not_readable", translation_placeholders={"name": path.name}
        ) from err
    if len(data) > MAX_INPUT_BYTES:
        raise InvalidRequestError(f"{path.name} is larger than {MAX_INPUT_BYTES >> 20} MB.", param="image")
    kind = media_type(data) or ""
    if not kind.startswith("image/"):
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="unsupported_attachment",
            translation_placeholders={"name": path.name, "mime_type": attachment.mime_type},
        )
    return InputImage(kind, data)


async def make_image(
    engine: Engine, caller: Caller, prompt: str, *, model: str, pin: str | None, images: tuple[InputImage, ...] = ()
) -> MadeImage:
    """Generate an image from `prompt`, and from `images` if there are any.

    `pin`: id of the only backend that may generate it, or None. Raises an ApiError.
    """
    kind = Kind.IMAGE_EDITS if images else Kind.IMAGES
    body = {"model": model, "prompt": prompt, "response_format": "b64_json"}
    async with engine.run(Request.parse(kind, body, pin=pin, images=images), caller) as reply:
        data, answered = reply.completion.data, reply.model
    item = mapping(data["data"][0])
    encoded, revised = item.get("b64_json"), item.get("revised_prompt")
    if not isinstance(encoded, str) or len(encoded) > MAX_IMAGE_BYTES * 4 // 3 + 4:
        raise StreamBrokenError(f"{reply.backend_name} answered with an image that is too large, or with its address only")
    try:
        content = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        content = b""
    mime_type = media_type(content) or ""
    if not mime_type.startswith("image/"):
        raise StreamBrokenError(f"{reply.backend_name} answered with an image that cannot be read")
    return MadeImage(content, mime_type, answered, revised if isinstance(revised, str) and revised else None)
