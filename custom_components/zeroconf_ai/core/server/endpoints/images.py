"""`POST /v1/images/upload`, and `GET /v1/images/…` with a signed URL: the images of conversations."""

from typing import Final

from aiohttp import hdrs, web

from ...accounting.conversations.conversation import Owner
from ...accounting.conversations.image_files import MAX_BYTES
from ...accounting.conversations.image_store import URL_SECONDS, ImageStore, Origin
from ...accounting.storage.database import DatabaseError
from ...admin.images import HomeImages, ShownImage
from ...protocol.errors import InvalidRequestError, NotFoundError, PermissionDeniedError, UnavailableError
from ...protocol.household import CALLER_ID
from ..dispatch import RequestContext
from ..forms import FormLimits, read_form
from ..gateway import Gateway

PATH: Final = "/v1/images"
UPLOAD_PATH: Final = f"{PATH}/upload"
_FORM: Final = FormLimits(MAX_BYTES, f"The image is larger than {MAX_BYTES >> 20} MB. Send a smaller one.", ("file", "image"))
_CONVERSATION: Final = ("conversation_id", "conversationId", "conversation")
_MESSAGE: Final = ("message_id", "messageId", "message")
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    hdrs.CACHE_CONTROL: f"private, max-age={URL_SECONDS}, immutable",
}
"""The headers of an image: a browser must not show it as a page."""


async def upload(gateway: Gateway, context: RequestContext) -> web.Response:
    """Store an image of a message in one of the caller's conversations."""
    caller = context.caller
    if gateway.images is None or not gateway.images.offered:
        raise NotFoundError("This server stores no images: it has no database.", code="not_offered")
    if caller.key_id == CALLER_ID:  # all members of the household share its token, and an image belongs to one
        message = f"A household token may not use {UPLOAD_PATH}. Use an API key, or send the image in the message."
        raise PermissionDeniedError(message, code="endpoint_not_allowed")
    if (owner := owner_of(caller.key_id, caller.user_id)) is None:
        raise PermissionDeniedError("Images belong to an API key or a user. Send an API key.", code="key_required")
    async with gateway.interruptible():
        origin = Origin(caller.source, caller.username, caller.name or None)
        return context.json(await store_upload(gateway.images, context, owner, origin, PATH))


async def show(gateway: Gateway, context: RequestContext) -> web.Response:
    """The image of a signed URL."""
    if gateway.images is None:
        raise NotFoundError("This server stores no images: it has no database.", code="not_offered")
    return await image_response(gateway.images, context)


def owner_of(key_id: str | None, user_id: str | None) -> Owner | None:
    """The owner of what an API key or user stores; None without either."""
    return None if key_id is None and user_id is None else Owner(key_id, user_id)


async def store_upload(store: ImageStore, context: RequestContext, owner: Owner, origin: Origin, prefix: str) -> ShownImage:
    """Store the image in a request's form; returns the body of the response. `prefix`: the path of the images.

    Raises an ApiError.
    """
    form = await read_form(context, _FORM)
    if form.file is None:
        raise InvalidRequestError("Send the image as 'file' of the form.", param="file")
    conversation_id, message_id = (
        next((form.fields[name] for name in names if name in form.fields), "") for names in (_CONVERSATION, _MESSAGE)
    )
    try:
        image = await store.add(owner, conversation_id, message_id, form.file.data, origin)
    except DatabaseError as err:
        raise UnavailableError(str(err), code="database_failed") from err
    return HomeImages(store, prefix).shown(owner, image)


async def image_response(store: ImageStore, context: RequestContext) -> web.Response:
    """The image that the signed URL of a request names. Raises an ApiError."""
    path = [context.variables.get(name, "") for name in ("conversation", "message", "filename")]
    query = context.http.query
    try:
        image, data = await store.open(path, *(query.get(name, "") for name in ("expires", "owner", "signature")))
    except DatabaseError as err:
        raise UnavailableError(str(err), code="database_failed") from err
    headers = {
        **context.headers,
        **HEADERS,
        hdrs.CONTENT_TYPE: image.mime_type,
        hdrs.CONTENT_DISPOSITION: f'inline; filename="{image.filename}"',
    }
    return web.Response(body=data, headers=headers)
