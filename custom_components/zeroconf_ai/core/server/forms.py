"""Reads forms with files (multipart/form-data), within bounds of size, memory, number of parts and time."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
import logging

from aiohttp import BodyPartReader, MultipartReader, StreamReader, web
from aiohttp.http import HttpProcessingError

from ..protocol.errors import InvalidRequestError, RequestTooLargeError
from .content_encoding import decompressor
from .dispatch import RequestContext

_LOGGER = logging.getLogger(__name__)

_MAX_FIELD_BYTES = 64 * 1024
_MAX_PARTS = 64
_OTHERS_BYTES = 256 * 1024
"""Maximum bytes of the fields beside the file, and of the boundaries."""
_READ_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class FormFile:
    """The file of a form, with the type and the name that the client states."""

    data: bytes = field(repr=False)
    content_type: str
    name: str
    field_name: str = "file"
    """The field of the form."""


@dataclass(slots=True)
class Form:
    """The text fields of a form, and its files."""

    fields: dict[str, str] = field(default_factory=dict)
    files: list[FormFile] = field(default_factory=list)
    lists: dict[str, list[str]] = field(default_factory=dict)
    """The values of each text field that ends with `[]`, under the name without it."""

    @property
    def file(self) -> FormFile | None:
        """The first file."""
        return self.files[0] if self.files else None


@dataclass(frozen=True, slots=True)
class FormLimits:
    """The files that a form may have."""

    max_file_bytes: int
    too_large: str
    """The message of the error for a larger one."""
    file_fields: Collection[str] = ("file",)
    """The fields that may contain one; further files than `max_files` are read as texts."""
    max_files: int = 1
    max_total_bytes: int | None = None
    """Maximum bytes of all files together; None: the maximum of one file."""

    @property
    def max_bytes(self) -> int:
        """Maximum bytes of the whole form."""
        return (self.max_total_bytes or self.max_file_bytes) + _OTHERS_BYTES

    def allows(self, name: str, count: int) -> bool:
        """Whether a part is a file. `count`: the files before it."""
        return name.partition("[")[0] in self.file_fields and count < self.max_files

    def error(self) -> RequestTooLargeError:
        """The error for a file or a form that is larger."""
        return RequestTooLargeError(self.too_large)


async def read_form(context: RequestContext, limits: FormLimits) -> Form:
    """Read the form in the body of a request.

    Raises InvalidRequestError if it is malformed or no form, RequestTooLargeError, RequestTimeoutError, UnavailableError.
    """
    if (context.http.content_length or 0) > limits.max_bytes:
        raise limits.error()
    async with context.receiving(limits.max_bytes):
        return await _read(context, limits)


async def _read(context: RequestContext, limits: FormLimits) -> Form:
    http = context.http
    if http.content_type != "multipart/form-data":
        field_name = next(iter(limits.file_fields))
        raise InvalidRequestError(f"Send the file as '{field_name}' of a form (multipart/form-data).", code="invalid_body")
    form = Form()
    try:
        # Not `http.multipart()`: it applies the limits of the surrounding application instead of ours.
        reader = MultipartReader(http.headers, await _content(context, limits))
        count = total = 0
        while (part := await reader.next()) is not None:
            count += 1
            if count > _MAX_PARTS or not isinstance(part, BodyPartReader):
                raise InvalidRequestError("The form has too many parts, or parts within parts.", code="invalid_body")
            name = part.name or ""
            if limits.allows(name, len(form.files)):
                data = await _read_part(part, limits.max_file_bytes, limits)
                total += len(data)
                if total > limits.max_bytes:
                    raise limits.error()
                form.files.append(FormFile(data, part.headers.get("Content-Type", ""), part.filename or "", name))
            else:
                text = (await _read_part(part, _MAX_FIELD_BYTES, limits)).decode(errors="replace").strip()
                form.fields[name] = text
                if name.endswith("[]"):
                    form.lists.setdefault(name.removesuffix("[]"), []).append(text)
    except HttpProcessingError as err:
        raise InvalidRequestError("The form cannot be read: the headers of a part are invalid.", code="invalid_body") from err
    except (web.RequestPayloadError, ValueError, RuntimeError) as err:
        _LOGGER.info("The form of a request cannot be read: %s", err)
        message = "The form cannot be read. Send multipart/form-data with a boundary, and close it."
        raise InvalidRequestError(message, code="invalid_body") from err
    return form


async def _content(context: RequestContext, limits: FormLimits) -> StreamReader:
    """The form as a stream. A compressed one, which clients hardly send, is read at once."""
    http = context.http
    if decompressor(http) is None:
        return http.content
    content = StreamReader(http.protocol, _READ_BYTES, loop=asyncio.get_running_loop())
    content.feed_data(await context.read(limits.max_bytes))
    content.feed_eof()
    return content


async def _read_part(part: BodyPartReader, limit: int, limits: FormLimits) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk(_READ_BYTES):
        data += chunk
        if len(data) > limit:
            raise limits.error()
    return bytes(data)
