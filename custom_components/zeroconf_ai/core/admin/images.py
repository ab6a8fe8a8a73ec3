"""Images of conversations, as clients and models get them."""

from pathlib import Path
from typing import TypedDict
from urllib.parse import quote

from ..accounting.conversations.conversation import Image, Owner
from ..accounting.conversations.image_store import URL_SECONDS, ImageStore


class ShownImage(TypedDict):
    """What a client needs to show an image."""

    filename: str
    path: str
    """The path of the file, below the folder of the configuration or of the database."""
    size: int
    """Bytes."""
    mimeType: str
    width: int
    """Pixels."""
    height: int
    conversation_id: str
    message_id: str
    url: str
    """Without host; needs no login and is valid for `expires_in` seconds."""
    expires_in: int


class HomeImages:
    """The images of a home whose server shows them below a path."""

    def __init__(self, store: ImageStore, prefix: str) -> None:
        """`prefix` is the path, such as `/v1/images`."""
        self._store = store
        self._prefix = prefix

    def shown(self, owner: Owner, image: Image) -> ShownImage:
        """An image for its owner."""
        return {
            "filename": image.filename,
            "path": f"{self._store.label}/{image.path}",
            "size": image.size,
            "mimeType": image.mime_type,
            "width": image.width,
            "height": image.height,
            "conversation_id": image.conversation_id,
            "message_id": image.message_id,
            "url": f"{self._prefix}/{quote(image.path)}?{self._store.query_of(owner, image)}",
            "expires_in": URL_SECONDS,
        }

    async def count(self, owner: Owner, conversation_id: str, message_id: str) -> int:
        """The number of images that were uploaded for a message. Raises NotFoundError, DatabaseError."""
        return await self._store.count(owner, conversation_id, message_id)

    async def data_url(self, image: Image) -> str:
        """An image as a data URL for a model. Raises NotFoundError, InvalidRequestError for a damaged file."""
        return await self._store.data_url(image)

    def file(self, image: Image) -> Path:
        """The file of an image. Raises NotFoundError."""
        return self._store.file(image)
