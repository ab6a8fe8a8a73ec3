"""Lines of prices per image, in both directions."""

from typing import Any

import pytest

from custom_components.zeroconf_ai.flows.prices import read_prices, show_prices


@pytest.mark.parametrize(
    ("line", "rates", "shown"),
    [
        ("m = 0.04 per image", {"input_price": 0.0, "output_price": 0.0, "image_price": 0.04}, "m = 0 / 0 + 0.04 per image"),
        ("m = 5 / 40 + .01 PER IMAGE", {"input_price": 5.0, "output_price": 40.0, "image_price": 0.01}, None),
        (
            "m = 5/40/- + 1 per image EUR",
            {"input_price": 5.0, "output_price": 40.0, "image_price": 1.0, "currency": "EUR"},
            "m = 5 / 40 + 1 per image EUR",
        ),
    ],
)
def test_price_line_with_a_price_per_image_is_read_and_shown(line: str, rates: dict[str, Any], shown: str | None) -> None:
    found = read_prices(line)
    assert found == {"m": rates}
    assert show_prices(found) == (shown or "m = 5 / 40 + 0.01 per image")
    assert read_prices(show_prices(found)) == found


@pytest.mark.parametrize("line", ["m = per image", "m = x per image", "m = 5 + 1 per image", "m = -1 per image"])
def test_price_line_with_an_invalid_price_per_image_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="1"):
        read_prices(line)


@pytest.mark.parametrize(
    ("line", "rates", "shown"),
    [
        (
            "whisper-1 = 0.006 per minute",
            {"input_price": 0.0, "output_price": 0.0, "minute_price": 0.006},
            "whisper-1 = 0 / 0 + 0.006 per minute",
        ),
        (
            "tts-1 = 15 per 1m  Characters EUR",
            {"input_price": 0.0, "output_price": 0.0, "characters_price": 15.0, "currency": "EUR"},
            "tts-1 = 0 / 0 + 15 per 1M characters EUR",
        ),
        (
            "m = 1 / 2 + 0.5 per minute + 3 per image",
            {"input_price": 1.0, "output_price": 2.0, "minute_price": 0.5, "image_price": 3.0},
            "m = 1 / 2 + 3 per image + 0.5 per minute",
        ),
        (
            "m = 2.5 / 10 / - / - / - / - / 6",
            {"input_price": 2.5, "output_price": 10.0, "audio_price": 6.0},
            "m = 2.5 / 10 / - / - / - / - / 6",
        ),
    ],
)
def test_price_line_with_prices_of_audio_is_read_and_shown(line: str, rates: dict[str, Any], shown: str) -> None:
    found = read_prices(line)
    assert list(found.values()) == [rates]
    assert show_prices(found) == shown
    assert read_prices(show_prices(found)) == found


@pytest.mark.parametrize(
    "line", ["m = 1 per minute + 2 per minute", "m = 1 per characters", "m = + 1 per minute", "m = 1 per 1M"]
)
def test_price_line_with_invalid_prices_of_audio_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="1"):
        read_prices(line)
