"""Images of strangers: what is accepted by its content, what is left out, and what is refused before it takes memory."""

from base64 import b64decode
from collections.abc import Callable
import random

from PIL import Image
import pytest

from zeroconf_ai.accounting.conversations import image_files
from zeroconf_ai.accounting.conversations.image_files import MAX_BYTES, MODEL_PIXELS, data_url, encode_anew
from zeroconf_ai.protocol.errors import InvalidRequestError, RequestTooLargeError, UnsupportedMediaTypeError

from ....support.pictures import PLACE, SVG, animation, encoded, opened, photo, picture, png_of, saved


@pytest.mark.parametrize(
    ("name", "mode", "mime_type"),
    [
        *(("PNG", mode, "image/png") for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        *(("JPEG", mode, "image/jpeg") for mode in ("L", "RGB", "CMYK")),
        *(("GIF", mode, "image/gif") for mode in ("L", "P", "RGB")),
        *(("WEBP", mode, "image/webp") for mode in ("RGB", "RGBA")),
    ],
)
def test_images_of_every_mode_are_encoded_anew(name: str, mode: str, mime_type: str) -> None:
    given = encoded(name, mode) if mode != "I;16" else saved(sixteen_bits(), "PNG")
    made = encode_anew(given)
    assert (made.mime_type, made.width, made.height) == (mime_type, 40, 20)
    shown = opened(made.data)
    assert (shown.format, shown.size) == (name, (40, 20))
    left, right = (shown.convert("L").getpixel(at) for at in ((5, 10), (35, 10)))
    expected = [picture().convert("1" if mode == "1" else "L").convert("L").getpixel(at) for at in ((5, 10), (35, 10))]
    if mode != "1":
        assert [left, right] == pytest.approx(expected, abs=30)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(("orientation", "size"), [(1, (40, 20)), (6, (20, 40)), (3, (40, 20))])
def test_photo_is_upright_and_tells_nothing_but_the_picture(name: str, orientation: int, size: tuple[int, int]) -> None:
    given = photo(name, orientation)
    assert PLACE in given
    made = encode_anew(given)
    assert PLACE not in made.data
    shown = opened(made.data)
    assert (made.width, made.height) == shown.size == size
    assert not shown.getexif()
    assert not {"comment", "xmp", "icc_profile", "exif"} & shown.info.keys()
    is_red = shown.convert("RGB").getpixel((2, 2))[0] > 128  # type: ignore[index]
    assert is_red is (orientation != 3)


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG"])
def test_animation_becomes_its_first_frame(name: str) -> None:
    shown = opened(encode_anew(animation(name)).data)
    assert getattr(shown, "n_frames", 1) == 1
    assert shown.convert("RGB").getpixel((4, 4))[0] > 200  # type: ignore[index]


@pytest.mark.parametrize("name", ["PNG", "GIF", "WEBP"])
def test_transparency_is_kept(name: str) -> None:
    made = picture("RGBA")
    made.putalpha(0)
    assert opened(encode_anew(saved(made, name)).data).convert("RGBA").getpixel((5, 5))[3] == 0  # type: ignore[index]


@pytest.mark.parametrize(
    "data",
    [
        SVG,
        b"\xef\xbb\xbf  " + SVG,
        b"",
        b"\x89PN",
        b"<html>",
        b"%PDF-1.7\n" + encoded(),
        b"\x00" + encoded(),
        encoded("BMP"),
        encoded("TIFF"),
        encoded("ICO"),
        encoded("PPM"),
        b"RIFF\x00\x00\x00\x00WAVEfmt ",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
    ],
    ids=lambda data: repr(bytes(data[:12])),
)
def test_other_content_is_refused_whatever_its_name(data: bytes) -> None:
    with pytest.raises(UnsupportedMediaTypeError, match="not a PNG"):
        encode_anew(data)


def sixteen_bits() -> Image.Image:
    """The picture in 65,536 shades."""
    return picture("L").convert("I").point(lambda value: value * 257 + 0).convert("I;16")


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    "damage",
    [
        _cut,
        lambda data: data[:12],
        lambda data: data[:16] + b"\xff" * 40 + data[56:],
        lambda data: data[:8] + b"<svg>" * 20,
        lambda data: data[: len(data) // 3] + SVG + data[-4:],
    ],
)
@pytest.mark.parametrize("name", ["PNG", "JPEG", "GIF", "WEBP"])
def test_damaged_image_is_refused_or_loses_what_is_no_picture(name: str, damage: Callable[[bytes], bytes]) -> None:
    given = damage(encoded(name, size=(300, 200)))
    try:
        made = encode_anew(given)
    except (InvalidRequestError, RequestTooLargeError, UnsupportedMediaTypeError):
        pass
    else:  # decoders repair some damage
        assert b"svg" not in made.data
        assert opened(made.data).size == (made.width, made.height)


@pytest.mark.parametrize("name", ["PNG", "JPEG", "GIF", "WEBP"])
def test_truncated_image_is_refused(name: str) -> None:
    noisy = saved(picture(size=(300, 200)).effect_spread(40), name)
    with pytest.raises(InvalidRequestError, match="damaged"):
        encode_anew(_cut(noisy))


@pytest.mark.parametrize("name", ["PNG", "JPEG", "GIF", "WEBP"])
def test_random_damage_is_an_error_of_the_image_and_no_other(name: str) -> None:
    chance = random.Random(4711)
    sources = (encoded(name, size=(64, 48)), photo(name) if name != "GIF" else animation(name))
    for number in range(150):
        damaged = bytearray(sources[number % 2])
        for _ in range(chance.choice((1, 2, 5, 20))):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            made = encode_anew(bytes(damaged))
        except (InvalidRequestError, RequestTooLargeError, UnsupportedMediaTypeError):
            continue
        assert opened(made.data).size == (made.width, made.height)


def test_webp_of_a_size_that_cannot_be_written_is_an_error_of_the_image() -> None:
    """The canvas of an extended WebP may be 2^24 pixels wide, what Pillow writes 16,383."""
    given = bytearray(animation("WEBP"))
    assert given[12:16] == b"VP8X"
    given[24:27] = (17_000 - 1).to_bytes(3, "little")
    with pytest.raises(InvalidRequestError, match="damaged"):
        encode_anew(bytes(given))


@pytest.mark.parametrize("name", ["PNG", "JPEG", "GIF", "WEBP"])
@pytest.mark.parametrize("hidden", [SVG, b"<script>alert(1)</script>", b"PK\x03\x04", b"%PDF-1.7", b"#!/bin/sh\n"])
def test_file_that_is_an_image_and_something_else_is_only_the_image(name: str, hidden: bytes) -> None:
    made = encode_anew(encoded(name) + hidden)
    assert hidden not in made.data
    assert opened(made.data).format == name


@pytest.mark.parametrize(
    "size", [(40_001, 1_000), (8_000, 5_001), (2**31 - 1, 2**31 - 1), (65_535, 65_535), (1, 40_000_001), (100_000, 1_500)]
)
def test_gigantic_size_in_the_header_is_refused_before_decoding(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(*_: object) -> None:
        pytest.fail("it was decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    with pytest.raises(RequestTooLargeError, match="40 megapixels"):
        encode_anew(png_of(*size, bytes(10**6)))


def test_image_of_forty_megapixels_is_accepted() -> None:
    made = encode_anew(encoded("PNG", "L", (8_000, 5_000)))
    assert (made.width, made.height) == (8_000, 5_000)


@pytest.mark.parametrize("size", [(0, 0), (0, 5)])
def test_image_without_pixels_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InvalidRequestError, match="damaged"):
        encode_anew(png_of(*size))


def test_file_beyond_the_limit_is_refused_unread() -> None:
    with pytest.raises(RequestTooLargeError, match="10 MB"):
        encode_anew(encoded() + bytes(MAX_BYTES))


@pytest.mark.parametrize(("name", "mime_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
def test_model_gets_a_small_image_as_it_is(name: str, mime_type: str) -> None:
    small = encode_anew(encoded(name)).data
    head, _, sent = data_url(small, mime_type).partition(",")
    assert (head, b64decode(sent)) == (f"data:{mime_type};base64", small)


@pytest.mark.parametrize(("name", "mime_type"), [("GIF", "image/gif"), ("WEBP", "image/webp")])
def test_model_gets_formats_that_not_all_models_read_as_jpeg(name: str, mime_type: str) -> None:
    clear = picture("RGBA")
    clear.putalpha(0)
    for given, expected in ((picture(), 200), (clear, 255)):
        head, _, sent = data_url(encode_anew(saved(given, name)).data, mime_type).partition(",")
        assert head == "data:image/jpeg;base64"
        shown = opened(b64decode(sent))
        assert (shown.format, shown.size) == ("JPEG", (40, 20))
        assert shown.getpixel((5, 10))[0] == pytest.approx(expected, abs=12), "what is transparent is white"  # type: ignore[index]


def test_model_gets_a_large_image_scaled_down(monkeypatch: pytest.MonkeyPatch) -> None:
    large = encode_anew(encoded("PNG", "RGBA", (MODEL_PIXELS * 2, 100))).data
    head, _, sent = data_url(large, "image/png").partition(",")
    assert head == "data:image/jpeg;base64"
    assert opened(b64decode(sent)).size == (MODEL_PIXELS, 50)
    monkeypatch.setattr(image_files, "MODEL_BYTES", 10)
    assert data_url(encode_anew(encoded()).data, "image/png").startswith("data:image/jpeg;base64,")
