"""Images from clients: recognized by content, decoded within limits and encoded again. All functions block.

Encoding again removes everything but the picture: EXIF with place and time, comments, previews, further frames, and
data of a second file format in the same file. Pillow takes 4 MB and is loaded with the first image.
"""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Final

from ...protocol.data_urls import media_type
from ...protocol.errors import InvalidRequestError, RequestTooLargeError, UnsupportedMediaTypeError

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_BYTES: Final = 10 * 1024 * 1024
"""Maximum size of an uploaded file."""
MAX_PIXELS: Final = 40_000_000
"""Width times height, read from the header before anything is decoded: small files can name gigantic sizes."""
MODEL_PIXELS: Final = 2048
"""Width and height that models get at most; the services scale larger images down to 1568 or 2048."""
MODEL_BYTES: Final = 3 * 1024 * 1024
"""Maximum size of an image that is sent to a model as it is; Anthropic accepts 5 MB of base64."""
_MODEL_TYPES: Final = ("image/png", "image/jpeg")
_QUALITY: Final = 90
_FORMATS: Final = {
    "image/png": ("PNG", "png"),
    "image/jpeg": ("JPEG", "jpg"),
    "image/gif": ("GIF", "gif"),
    "image/webp": ("WEBP", "webp"),
}
EXTENSIONS: Final = {extension: mime_type for mime_type, (_, extension) in _FORMATS.items()}
"""The media types of stored files by their extensions."""


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An image as it is stored."""

    data: bytes = field(repr=False)
    mime_type: str
    extension: str
    width: int
    height: int


def encode_anew(data: bytes) -> EncodedImage:
    """Decode an image and encode it again, in the same format, upright, and only its first frame.

    Raises UnsupportedMediaTypeError for other content than PNG, JPEG, GIF and WebP, RequestTooLargeError for more than
    `MAX_BYTES` or `MAX_PIXELS`, InvalidRequestError for a damaged file.
    """
    if len(data) > MAX_BYTES:
        raise RequestTooLargeError(f"The image is larger than {MAX_BYTES >> 20} MB. Send a smaller one.", code="image_too_large")
    mime_type = media_type(data) or ""
    if mime_type not in _FORMATS:
        raise UnsupportedMediaTypeError("The file is not a PNG, JPEG, GIF or WebP image.", code="unsupported_image")
    from PIL import ImageOps  # noqa: PLC0415

    name, extension = _FORMATS[mime_type]
    with _opened(data, name) as opened:
        opened.load()  # the first frame
        picture = _plain(ImageOps.exif_transpose(opened))
        picture.info.clear()
        return EncodedImage(_encoded(picture, name), mime_type, extension, *picture.size)


def data_url(data: bytes, mime_type: str) -> str:
    """The data URL of a stored image for a model: PNG or JPEG, which all of them read, of at most `MODEL_PIXELS`.

    Gemini reads no GIF, and llama.cpp neither GIF nor WebP everywhere. Raises InvalidRequestError for a damaged file.
    """
    name, _ = _FORMATS[mime_type]
    with _opened(data, name) as opened:
        if mime_type not in _MODEL_TYPES or max(opened.size) > MODEL_PIXELS or len(data) > MODEL_BYTES:
            opened.thumbnail((MODEL_PIXELS, MODEL_PIXELS))
            data, mime_type = _encoded(_plain(opened), "JPEG"), "image/jpeg"
    return f"data:{mime_type};base64,{b64encode(data).decode()}"


@contextmanager
def _opened(data: bytes, name: str) -> "Iterator[Image]":
    """An image whose size is within bounds, not decoded yet.

    Whatever fails in the block is the image's fault: raises InvalidRequestError, RequestTooLargeError.
    """
    from PIL import Image as Pillow  # noqa: PLC0415

    try:
        with Pillow.open(BytesIO(data), formats=[name]) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise _too_many_pixels()
            yield opened
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning) as err:
        raise _too_many_pixels() from err
    except RequestTooLargeError:
        raise
    except Exception as err:  # of damaged files, OSError, SyntaxError, ValueError, struct.error and others
        raise InvalidRequestError("The image is damaged or incomplete.", code="invalid_image", param="file") from err


def _plain(picture: "Image") -> "Image":
    """A copy in mode L, RGB or RGBA, which every format and model accepts."""
    if picture.mode.startswith("I"):  # 16 bits
        return picture.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if picture.mode == "1":
        return picture.convert("L")
    if picture.mode in ("L", "RGB", "RGBA") and "transparency" not in picture.info:
        return picture.copy()
    is_transparent = picture.has_transparency_data
    return picture.convert("RGBA" if is_transparent else "RGB")


def _encoded(picture: "Image", name: str) -> bytes:
    from PIL import Image as Pillow  # noqa: PLC0415

    written = BytesIO()
    if name == "JPEG" and picture.mode == "RGBA":
        paper = Pillow.new("RGB", picture.size, "white")
        paper.paste(picture, mask=picture.getchannel("A"))
        picture = paper
    picture.save(written, name, **({"quality": _QUALITY} if name in ("JPEG", "WEBP") else {}))
    return written.getvalue()


def _too_many_pixels() -> RequestTooLargeError:
    message = f"The image has more than {MAX_PIXELS // 1_000_000} megapixels. Send a smaller one."
    return RequestTooLargeError(message, code="image_too_large")
