"""Draws the integration's icon and logo, for light and for dark backgrounds, into custom_components/zeroconf_ai/brand.

A speech bubble that holds a spark and the waves it sends: an assistant that makes itself known on the network.
Everything is measured in units of a 512 x 512 icon. After a change: `.venv/bin/python scripts/lib/draw_brand.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
import math
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

FOLDER = Path(__file__).resolve().parents[2] / "custom_components" / "zeroconf_ai" / "brand"
UNITS = 512
OVERSAMPLING = 4  # drawn so many times larger and then scaled down: smooth edges

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours on one kind of background."""

    bubble_top: str
    bubble_bottom: str
    waves: str
    spark: str
    name: str
    suffix: str


LIGHT = Palette("#6366f1", "#4338ca", "#ffffff", "#fbbf24", "#1e1b4b", "#4f46e5")
DARK = Palette("#818cf8", "#4f46e5", "#ffffff", "#fcd34d", "#f5f5ff", "#a5b4fc")

CENTRE = (256.0, 256.0)
BUBBLE_RADIUS = 252.0
TAIL_ROUNDING = 44.0
SPARK_RADII = (104.0, 130.0)  # to the sides, up and down
SPARK_WAIST = 0.14  # how near the centre the sides are drawn, as a part of the radius
SPARK_ROUNDING = 6.0
WAVES = ((144.0, 1.0), (200.0, 0.6))  # radius and opacity, from the spark outwards
WAVE_WIDTH = 28.0
WAVE_ANGLE = 38.0  # degrees above and below the horizontal

NAME, SUFFIX = "ZeroConf", "AI"
NAME_START = 572.0  # where the name begins, right of the icon
NAME_SIZE = 236.0
NAME_WEIGHT = 4.5  # the font has one weight: its strokes are made this much wider on both sides
NAME_TRACKING = 8.0  # so much more between two letters, which makes up for their weight
WORD_GAP = 60.0


class Canvas:
    """A transparent picture that is drawn on in units, with `scale` pixels to one."""

    def __init__(self, width: float, height: float, scale: float) -> None:
        self.scale = scale
        self.image = Image.new("RGBA", (round(width * scale), round(height * scale)))

    def _pixels(self, points: Iterable[Point]) -> list[Point]:
        return [(x * self.scale, y * self.scale) for x, y in points]

    def mask(self) -> Image.Image:
        """An empty mask of the picture's size."""
        return Image.new("L", self.image.size)

    def polygon(self, mask: Image.Image, points: list[Point], rounding: float = 0) -> None:
        """Fill a polygon in the mask, grown by `rounding` with round corners."""
        draw = ImageDraw.Draw(mask)
        corners = self._pixels(points)
        draw.polygon(corners, fill=255)
        if rounding:
            draw.line([*corners, corners[0]], fill=255, width=round(2 * rounding * self.scale))
            for corner in corners:
                draw.circle(corner, rounding * self.scale, fill=255)

    def circle(self, mask: Image.Image, centre: Point, radius: float) -> None:
        """Fill a circle in the mask."""
        (x, y), r = self._pixels([centre])[0], radius * self.scale
        ImageDraw.Draw(mask).ellipse((x - r, y - r, x + r, y + r), fill=255)

    def tail(self, mask: Image.Image, centre: Point, radius: float, rounding: float) -> None:
        """Fill the square around a circle's lower left quarter, its outer corner rounded."""
        x, y = centre
        (left, top), (right, bottom) = self._pixels([(x - radius, y), (x, y + radius)])
        ImageDraw.Draw(mask).rounded_rectangle(
            (left, top, right, bottom), rounding * self.scale, fill=255, corners=(False, False, False, True)
        )

    def arc(self, mask: Image.Image, centre: Point, radius: float, middle: float, half: float, width: float) -> None:
        """Draw an arc with round ends in the mask: `half` degrees to both sides of the angle `middle`."""
        angles = [middle - half + step for step in range(round(2 * half) + 1)]
        outer = [at_angle(centre, radius + width / 2, angle) for angle in angles]
        inner = [at_angle(centre, radius - width / 2, angle) for angle in reversed(angles)]
        self.polygon(mask, outer + inner)
        for angle in (middle - half, middle + half):
            self.circle(mask, at_angle(centre, radius, angle), width / 2)

    def paint(self, mask: Image.Image, top: str, bottom: str | None = None) -> None:
        """Lay a colour, or a gradient from top to bottom, on the picture where the mask is set."""
        colour = Image.new("RGBA", self.image.size, top)
        if bottom:
            ramp = Image.linear_gradient("L").resize(self.image.size)
            colour = Image.composite(Image.new("RGBA", self.image.size, bottom), colour, ramp)
        colour.putalpha(mask)
        self.image.alpha_composite(colour)


def at_angle(centre: Point, radius: float, degrees: float) -> Point:
    """The point of a circle at an angle, clockwise from the right."""
    angle = math.radians(degrees)
    return centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle)


def curve(start: Point, control: Point, end: Point, steps: int = 48) -> list[Point]:
    """Points of a quadratic Bézier curve, without the last."""

    def between(axis: int, t: float) -> float:
        return (1 - t) ** 2 * start[axis] + 2 * t * (1 - t) * control[axis] + t**2 * end[axis]

    return [(between(0, step / steps), between(1, step / steps)) for step in range(steps)]


def spark() -> list[Point]:
    """The outline of a star with four points and hollow sides."""
    (x, y), (wide, high) = CENTRE, SPARK_RADII
    tips = [(x, y - high), (x + wide, y), (x, y + high), (x - wide, y)]
    waists = [at_angle(CENTRE, wide * SPARK_WAIST, angle) for angle in (-45, 45, 135, 225)]
    following = [*tips[1:], tips[0]]
    return [point for tip, waist, end in zip(tips, waists, following, strict=True) for point in curve(tip, waist, end)]


def draw_icon(canvas: Canvas, palette: Palette) -> None:
    """Draw the icon into the canvas's left 512 x 512 units."""
    bubble = canvas.mask()
    canvas.circle(bubble, CENTRE, BUBBLE_RADIUS)
    canvas.tail(bubble, CENTRE, BUBBLE_RADIUS, TAIL_ROUNDING)
    canvas.paint(bubble, palette.bubble_top, palette.bubble_bottom)

    for radius, opacity in WAVES:
        waves = canvas.mask()
        for side in (0, 180):
            canvas.arc(waves, CENTRE, radius, side, WAVE_ANGLE, WAVE_WIDTH)
        canvas.paint(waves.point([round(level * opacity) for level in range(256)]), palette.waves)

    star = canvas.mask()
    canvas.polygon(star, spark(), SPARK_ROUNDING)
    canvas.paint(star, palette.spark)


def draw_name(canvas: Canvas, palette: Palette) -> None:
    """Write the product's name to the right of the icon, its capitals centred on the icon's height."""
    font = ImageFont.load_default(NAME_SIZE * canvas.scale)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("this Pillow was built without FreeType")
    weight = NAME_WEIGHT * canvas.scale
    _, top, _, bottom = font.getbbox(NAME[0], stroke_width=weight, anchor="ls")
    baseline = CENTRE[1] * canvas.scale - (top + bottom) / 2
    start, end = NAME_START * canvas.scale, 0.0
    for word, colour in ((NAME, palette.name), (SUFFIX, palette.suffix)):
        letters = canvas.mask()
        for position, letter in enumerate(word):
            left = start + font.getlength(word[:position]) + position * NAME_TRACKING * canvas.scale
            ImageDraw.Draw(letters).text((left, baseline), letter, 255, font, "ls", stroke_width=weight)
            end = left + font.getbbox(letter, stroke_width=weight, anchor="ls")[2]
        canvas.paint(letters, colour)
        start = end + WORD_GAP * canvas.scale


def icon(palette: Palette, size: int) -> Image.Image:
    """The icon, `size` pixels wide and high."""
    canvas = Canvas(UNITS, UNITS, size * OVERSAMPLING / UNITS)
    draw_icon(canvas, palette)
    return canvas.image.resize((size, size), Image.Resampling.BOX)


def logo(palette: Palette, height: int) -> Image.Image:
    """The icon and the name beside it, `height` pixels high and as wide as they are."""
    canvas = Canvas(UNITS * 5, UNITS, height * OVERSAMPLING / UNITS)
    draw_icon(canvas, palette)
    draw_name(canvas, palette)
    _, _, right, _ = canvas.image.getbbox() or (0, 0, *canvas.image.size)
    width = math.ceil(right / OVERSAMPLING)
    picture = canvas.image.crop((0, 0, width * OVERSAMPLING, height * OVERSAMPLING))
    return picture.resize((width, height), Image.Resampling.BOX)


def main() -> None:
    """Draw all pictures."""
    FOLDER.mkdir(exist_ok=True)
    for prefix, palette in (("", LIGHT), ("dark_", DARK)):
        for suffix, size in (("", 256), ("@2x", 512)):
            icon(palette, size).save(FOLDER / f"{prefix}icon{suffix}.png", optimize=True)
            logo(palette, size).save(FOLDER / f"{prefix}logo{suffix}.png", optimize=True)


if __name__ == "__main__":
    main()
