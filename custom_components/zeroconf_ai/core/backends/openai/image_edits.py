"""`ImageEditor`: edits of images at servers with OpenAI's API (`/images/edits`, a form), and at LocalAI, without such a path."""

from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import aiohttp

from ...protocol.errors import ApiError, MethodNotAllowedError
from ...protocol.request import Kind, Request
from ...protocol.values import mapping
from ..answer_errors import lacks_path, no_edits
from ..base import Answer, ImageEdits
from ..dialect_backend import DialectUpstream

_WITH_REFERENCES = ("kontext", "edit", "flux.2", "flux-2", "omnigen")
"""Parts of the names of models that edit images by a text; other models change an image by adding noise (img2img)."""


def edit_form(request: Request) -> aiohttp.FormData:
    """The form of a request to edit images. Several images are an array, as OpenAI's SDKs send it."""
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value in request.body.items():
        if name != "stream" and value is not None:
            form.add_field(name, value if isinstance(value, str) else str(value))
    several = sum(not image.is_mask for image in request.images) > 1
    for index, image in enumerate(request.images):
        name = "mask" if image.is_mask else "image[]" if several else "image"
        filename = f"{index}.{image.media_type.removeprefix('image/')}"
        form.add_field(name, image.data, content_type=image.media_type, filename=filename)
    return form


class ImageEditor:
    """The edits of one server. It is recognized as LocalAI, or as a server without edits, when it has no path for them."""

    def __init__(self, root: DialectUpstream) -> None:
        """`root`: the root of the server."""
        self._root = root
        self._is_localai = False
        self._offered = True

    @property
    def edits(self) -> ImageEdits:
        """Whether the server edits images, as far as is known. LocalAI's masks have another meaning: white instead of clear."""
        if not self._offered:
            return ImageEdits.NO
        return ImageEdits.WITHOUT_MASK if self._is_localai else ImageEdits.YES

    def forget(self) -> None:
        """Check again with the next request: the server may have been updated."""
        self._offered, self._is_localai = True, False

    async def send(self, request: Request, post: Callable[[Request], Awaitable[Answer]]) -> Answer:
        """Send a request by `post`. Raises MethodNotAllowedError if the server edits no images, or none with a mask."""
        if not self._is_localai:
            try:
                return await post(request)
            except ApiError as err:
                if not lacks_path(err):
                    raise
            self._is_localai = await self._recognize()
            if not self._is_localai:
                self._offered = False
                raise no_edits(self._root.name)
        if any(image.is_mask for image in request.images):
            raise MethodNotAllowedError(f"{self._root.name} does not edit images with a mask.")
        return await post(_for_localai(request))

    async def _recognize(self) -> bool:
        """Whether the server is LocalAI: only its `/system` lists backends (localai.io, "System information")."""
        try:
            return isinstance(mapping(await self._root.get_json("/system")).get("backends"), list)
        except ApiError:
            return False


def _for_localai(request: Request) -> Request:
    """LocalAI makes images from others, which are base64 in the JSON of `/images/generations` (core/schema/openai.go)."""
    images = [b64encode(image.data).decode() for image in request.images]
    if any(word in request.model.lower() for word in _WITH_REFERENCES):
        inputs: dict[str, Any] = {"ref_images": images}
    elif len(images) == 1:
        inputs = {"file": images[0]}
    else:
        inputs = {"files": images}
    return replace(request, kind=Kind.IMAGES, body={**request.body, **inputs}, images=())
