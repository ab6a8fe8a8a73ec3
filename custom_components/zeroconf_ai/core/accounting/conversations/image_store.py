"""`ImageStore`: the images of conversations, as files that only their owner gets, through short-lived signed URLs."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
import hmac
import logging
from pathlib import Path
import re
import secrets
import time

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, select

from ...protocol.errors import InvalidRequestError, NotFoundError, PermissionDeniedError, UnavailableError
from ..storage.database import Database
from ..storage.tables import conversations, images
from . import image_folders, owned
from .conversation import Conversation, Image, Owner, checked_id
from .image_files import EXTENSIONS, EncodedImage, data_url, encode_anew

_LOGGER = logging.getLogger(__name__)

MAX_PER_MESSAGE = 5
MAX_OWNER_BYTES = 1024**3
"""All images of one owner."""
URL_SECONDS = 600
"""How long a signed URL is valid."""
_FILENAME = re.compile(rf"[A-Za-z0-9_-]{{1,64}}\.(?:{'|'.join(EXTENSIONS)})", re.ASCII)
_EXPIRES = re.compile(r"\d{1,12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an image comes from: what a conversation that begins with it is created with."""

    source: str
    username: str | None = None
    display_name: str | None = None


class ImageStore:
    """The images of conversations. Methods are called on one event loop.

    Files are at `{folder}/{conversation}/{message}/{filename}`. All ids are checked, so that no path leads out of the folder.
    """

    def __init__(self, database: Database, folder: Path | None, clock: Callable[[], float] = time.time) -> None:
        """Without a folder, no images are stored. `clock` returns seconds since the epoch."""
        self._database = database
        self._folder = folder
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        """Signs URLs. They end with the process, as they would minutes later."""
        self._decoding = asyncio.Lock()
        """One image at a time: 40 megapixels take up to half a gigabyte while they are decoded."""
        self._files = asyncio.Lock()
        """Held while files are written or removed, so that no new folder is removed as an empty one."""

    @property
    def offered(self) -> bool:
        """Whether images can be stored."""
        return self._folder is not None

    @property
    def label(self) -> str:
        """The last two parts of the folder, which name it to clients without the rest of its path."""
        return "/".join(self._folder.parts[-2:]) if self._folder is not None else ""

    async def add(self, owner: Owner, conversation_id: str, message_id: str, data: bytes, origin: Origin) -> Image:
        """Store an image of a message, which may be added later. A conversation with an unknown id is created for the owner.

        Raises InvalidRequestError for an invalid id, a damaged image, more than `MAX_PER_MESSAGE` images or `MAX_OWNER_BYTES`,
        NotFoundError for a conversation of another owner, UnsupportedMediaTypeError and RequestTooLargeError as `encode_anew`,
        UnavailableError if the file cannot be written, DatabaseError.
        """
        folder = self._checked_folder()
        checked_id(conversation_id, "conversation_id")
        checked_id(message_id, "message_id")
        await self._database.read(lambda connection: self._check_room(connection, owner, conversation_id, message_id, 0))
        async with self._decoding:
            encoded = await asyncio.to_thread(encode_anew, data)
        image = self._new(conversation_id, message_id, encoded)

        def insert(connection: Connection) -> None:
            if not self._check_room(connection, owner, conversation_id, message_id, image.size):
                owned.add(connection, owner, _new_conversation(conversation_id, image.created, origin))
            row = {name: getattr(image, name) for name in Image.__dataclass_fields__}
            owned.insert_new(connection, images, row, "file")

        # A caller that goes away in between must leave no row without a file.
        await asyncio.shield(asyncio.create_task(self._store(folder, image, encoded.data, insert)))
        return image

    async def count(self, owner: Owner, conversation_id: str, message_id: str) -> int:
        """The number of images that were stored for a message. Raises NotFoundError for another owner's conversation."""

        def work(connection: Connection) -> int:
            owned.find(connection, owner, conversation_id)
            of_message = and_(images.c.conversation_id == conversation_id, images.c.message_id == message_id)
            return int(connection.scalar(select(func.count()).select_from(images).where(of_message)) or 0)

        return await self._database.read(work)

    def file(self, image: Image) -> Path:
        """The file of a stored image, which only readers of its message know. Raises NotFoundError."""
        if not _FILENAME.fullmatch(image.filename):
            raise _no_image()
        return self._checked_folder() / image.path

    async def data_url(self, image: Image) -> str:
        """A stored image as a data URL for a model. Raises NotFoundError, InvalidRequestError for a damaged file."""
        data = await self._read(image)
        async with self._decoding:
            return await asyncio.to_thread(data_url, data, image.mime_type)

    def query_of(self, owner: Owner, image: Image) -> str:
        """The query of the URL that shows the image for `URL_SECONDS`: `expires=…&owner=…&signature=…`."""
        expires = int(self._clock()) + URL_SECONDS
        tag = self._tag(owner.key_id, owner.user_id)
        return f"expires={expires}&owner={tag}&signature={self._sign(image.path, str(expires), tag)}"

    async def open(self, path: Sequence[str], expires: str, owner: str, signature: str) -> tuple[Image, bytes]:
        """The image with the ids and filename of `path`, and its file, for the values of a query that `query_of` made.

        Raises PermissionDeniedError for a signature that is invalid or has expired, NotFoundError, DatabaseError.
        """
        named = "/".join(path)
        if not _EXPIRES.fullmatch(expires) or not hmac.compare_digest(
            self._sign(named, expires, owner).encode(), signature.encode(errors="replace")
        ):
            raise PermissionDeniedError("The address of this image is invalid.", code="invalid_signature")
        if int(expires) < self._clock():
            raise PermissionDeniedError("The address of this image has expired. Reload the page.", code="signature_expired")
        conversation_id, message_id, filename = path
        wanted = and_(
            images.c.conversation_id == conversation_id, images.c.message_id == message_id, images.c.filename == filename
        )
        columns = [images.c[name] for name in Image.__dataclass_fields__]
        found = (
            select(*columns, conversations.c.key_id, conversations.c.user_id)
            .join(conversations, conversations.c.id == images.c.conversation_id)
            .where(wanted)
        )
        row = await self._database.read(lambda connection: connection.execute(found).first())
        if row is None or self._tag(row.key_id, row.user_id) != owner:
            raise _no_image()
        image = Image(**{name: getattr(row, name) for name in Image.__dataclass_fields__})
        return image, await self._read(image)

    async def remove(self, conversation_id: str) -> None:
        """Remove the files of a conversation that was deleted."""
        if self._folder is not None:
            async with self._files:
                await asyncio.to_thread(image_folders.remove, self._folder / checked_id(conversation_id, "conversation_id"))

    async def sweep(self) -> None:
        """Remove the files of this database's images that are not in it any more. Raises DatabaseError."""
        if self._folder is None:
            return
        for conversation_id, paths in await asyncio.to_thread(image_folders.listed, self._folder, self._database.id):
            known = await self._database.read(partial(_paths, conversation_id))
            if gone := [path for path in paths if path not in known]:
                async with self._files:
                    await asyncio.to_thread(image_folders.remove_files, self._folder, conversation_id, gone)

    async def _store(self, folder: Path, image: Image, data: bytes, insert: Callable[[Connection], None]) -> None:
        """Insert the row, then write the file, so that `sweep` finds no file without a row. Raises as `add` does."""
        await self._database.write(insert)
        try:
            async with self._files:
                await asyncio.to_thread(image_folders.write, folder, self._database.id, image.path, data)
        except OSError as err:
            await self._database.write(lambda connection: connection.execute(delete(images).where(_is(image))))
            _LOGGER.warning("The image of a conversation cannot be written to %s: %s", folder, err.strerror or err)
            raise UnavailableError("The image cannot be stored at the moment.", code="image_not_stored") from err

    def _checked_folder(self) -> Path:
        if self._folder is None:
            raise NotFoundError("This server stores no images.", code="not_offered")
        return self._folder

    def _new(self, conversation_id: str, message_id: str, encoded: EncodedImage) -> Image:
        return Image(
            conversation_id,
            message_id,
            f"{secrets.token_hex(16)}.{encoded.extension}",
            self._clock(),
            len(encoded.data),
            encoded.mime_type,
            encoded.width,
            encoded.height,
        )

    def _check_room(self, connection: Connection, owner: Owner, conversation_id: str, message_id: str, size: int) -> bool:
        """Whether the conversation exists.

        Raises NotFoundError if it is another owner's, InvalidRequestError if there is no room for the image.
        """
        exists_already = bool(connection.scalar(select(exists().where(conversations.c.id == conversation_id))))
        if exists_already:
            owned.find(connection, owner, conversation_id)
        of_message = and_(images.c.conversation_id == conversation_id, images.c.message_id == message_id)
        if (connection.scalar(select(func.count()).select_from(images).where(of_message)) or 0) >= MAX_PER_MESSAGE:
            message = f"A message may have {MAX_PER_MESSAGE} images at most."
            raise InvalidRequestError(message, code="too_many_images", param="message_id")
        own = select(conversations.c.id).where(owned.belongs_to(owner))
        stored = select(func.coalesce(func.sum(images.c.size), 0)).where(images.c.conversation_id.in_(own))
        if int(connection.scalar(stored) or 0) + size > MAX_OWNER_BYTES:
            message = f"Your images take {MAX_OWNER_BYTES >> 20} MB already. Delete some conversations."
            raise InvalidRequestError(message, code="too_many_images")
        return exists_already

    async def _read(self, image: Image) -> bytes:
        """The file of an image that is in the database. Raises NotFoundError if the file is missing."""
        file = self.file(image)
        try:
            return await asyncio.to_thread(file.read_bytes)
        except OSError:
            raise _no_image() from None

    def _tag(self, key_id: str | None, user_id: str | None) -> str:
        """Identifies an owner in a URL without naming it."""
        return self._mac("owner", repr((key_id, user_id)))[:22]

    def _sign(self, path: str, expires: str, tag: str) -> str:
        return self._mac("url", repr((path, expires, tag)))

    def _mac(self, *parts: str) -> str:
        made = hmac.digest(self._secret, "\n".join(parts).encode(errors="backslashreplace"), "sha256")
        return urlsafe_b64encode(made).decode().rstrip("=")


def _is(image: Image) -> ColumnElement[bool]:
    return and_(
        images.c.conversation_id == image.conversation_id,
        images.c.message_id == image.message_id,
        images.c.filename == image.filename,
    )


def _paths(conversation_id: str, connection: Connection) -> set[str]:
    rows = connection.execute(select(images).where(images.c.conversation_id == conversation_id))
    return {f"{row.conversation_id}/{row.message_id}/{row.filename}" for row in rows}


def _new_conversation(conversation_id: str, created: float, origin: Origin) -> Conversation:
    return Conversation(conversation_id, created, created, "", origin.source, origin.username, origin.display_name)


def _no_image() -> NotFoundError:
    return NotFoundError("There is no such image.", code="image_not_found")
