"""Images for tests, as cameras, programs and attackers make them."""

from io import BytesIO
import struct
from typing import Any
import zlib

from PIL import Image

PLACE = b"Secret Street 4711"
"""What metadata tell about a photo."""
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def picture(mode: str = "RGB", size: tuple[int, int] = (40, 20)) -> Image.Image:
    """A picture whose left half differs from its right half."""
    made = Image.new("RGB", size, (200, 30, 30))
    made.paste((30, 30, 200), (size[0] // 2, 0, size[0], size[1]))
    return made.convert(mode)


def encoded(name: str = "PNG", mode: str = "RGB", size: tuple[int, int] = (40, 20), **options: Any) -> bytes:
    """The picture as a file."""
    return saved(picture(mode, size), name, **options)


def saved(made: Image.Image, name: str, **options: Any) -> bytes:
    """A picture as a file."""
    file = BytesIO()
    made.save(file, name, **options)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    """The decoded picture."""
    made = Image.open(BytesIO(data))
    made.load()
    return made


def photo(name: str = "JPEG", orientation: int = 6) -> bytes:
    """A photo with place and comment, taken with the camera on its side."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = PLACE.decode()
    options: dict[str, Any] = {"comment": PLACE} if name == "JPEG" else {}
    return encoded(name, exif=exif.tobytes(), xmp=b"<x:xmpmeta>" + PLACE + b"</x:xmpmeta>", icc_profile=PLACE, **options)


def animation(name: str) -> bytes:
    """Three frames."""
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "green", "blue")]
    return saved(frames[0], name, save_all=True, append_images=frames[1:], duration=50)


def png_of(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG whose header says this size, with compressed lines."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
