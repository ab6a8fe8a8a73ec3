"""`POST /v1/images/edits`: images that a model makes from others, in OpenAI's form. They are not streamed."""

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from ...dialects.base import ParsedRequest
from ...dialects.openai.client_response import OpenAIWriter
from ...protocol.data_urls import media_type
from ...protocol.errors import InvalidRequestError
from ...protocol.image_requests import MAX_INPUT_BYTES, MAX_INPUTS, InputImage
from ...protocol.request import Kind, Request
from ..dispatch import RequestContext
from ..forms import Form, FormFile, FormLimits, read_form
from ..gateway import Gateway
from ..response_writer import answer

_NUMBERS: Final = frozenset({"n", "output_compression", "partial_images"})
_BOOLEANS: Final = {"true": True, "false": False}


async def image_edits(gateway: Gateway, context: RequestContext) -> web.StreamResponse:
    """Handle OpenAI's edits of images."""
    total = gateway.max_body_bytes
    limits = FormLimits(
        min(MAX_INPUT_BYTES, total),
        f"An image is larger than {MAX_INPUT_BYTES >> 20} MB, or all are larger than {total >> 20} MB. Send smaller ones.",
        ("image", "mask"),
        MAX_INPUTS + 2,
        total,
    )
    async with gateway.interruptible():
        form = await read_form(context, limits)
    return await answer(gateway, context, lambda context, _: _parse(context, form), raw=b"")


def _parse(context: RequestContext, form: Form) -> ParsedRequest:
    images = tuple(map(_image, form.files))
    request = Request.of_object(Kind.IMAGE_EDITS, _body(form.fields), request_id=context.id, via=context.via, images=images)
    return ParsedRequest(request, OpenAIWriter(request).for_model)


def _body(fields: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a form with their types; empty ones are left out."""
    found: dict[str, Any] = {name: text for name, text in fields.items() if name and text}
    for name in _NUMBERS & found.keys():
        found[name] = int(found[name]) if found[name].isdecimal() and len(found[name]) < 10 else found[name]
    if "stream" in found:
        found["stream"] = _BOOLEANS.get(found["stream"].casefold(), found["stream"])
    return found


def _image(file: FormFile) -> InputImage:
    """A file by its content. Raises InvalidRequestError if it is no image."""
    is_mask = file.field_name.startswith("mask")
    kind = media_type(file.data) or ""
    if not kind.startswith("image/"):
        param = "mask" if is_mask else "image"
        raise InvalidRequestError(f"'{param}' must be a PNG, JPEG, WebP or GIF image.", param=param)
    return InputImage(kind, file.data, is_mask)
