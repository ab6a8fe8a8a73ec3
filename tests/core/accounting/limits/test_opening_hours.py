"""The hours of the day in which requests are answered."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from zeroconf_ai.accounting.limits.opening_hours import OpeningHours

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("ranges", "clock", "seconds"),
    [
        ([], "03:00", 0),
        (["08:00-22:00"], "08:00", 0),
        (["08:00-22:00"], "21:59", 0),
        (["08:00-22:00"], "22:00", 10 * 3600),
        (["08:00-22:00"], "07:30", 1800),
        (["22:00-06:00"], "23:00", 0),
        (["22:00-06:00"], "05:59", 0),
        (["22:00-06:00"], "06:00", 16 * 3600),
        (["00:00-24:00"], "12:00", 0),
        (["18:00-24:00"], "23:59", 0),
        (["18:00-24:00"], "00:00", 18 * 3600),
        (["08:00-09:00", "20:00-21:00"], "10:00", 10 * 3600),
        (["08:00-09:00", "20:00-21:00"], "20:30", 0),
    ],
)
def test_opening_hours_closed_seconds_lead_to_the_next_start(ranges: list[str], clock: str, seconds: float) -> None:
    """Ranges may go over midnight, and several may be set."""
    now = datetime.fromisoformat(f"2026-11-30T{clock}:00+00:00")
    assert OpeningHours.parse(ranges).closed_seconds(now) == seconds


def test_opening_hours_over_a_change_of_the_clock_are_those_of_the_clock() -> None:
    """The night in which summer time begins has one hour less."""
    evening = datetime(2026, 3, 28, 22, 0, tzinfo=BERLIN)
    assert OpeningHours.parse(["08:00-22:00"]).closed_seconds(evening) == 9 * 3600


def test_opening_hours_use_the_clock_of_the_machine() -> None:
    """Without a moment, the present counts."""
    hour = datetime.now(UTC).hour
    closed = OpeningHours.parse([f"{(hour + 12) % 24:02}:00-{(hour + 13) % 24:02}:00"])
    assert closed.closed_seconds(zone=UTC) > 3600


@pytest.mark.parametrize("text", ["", "8:00-22:00", "08:00", "08:00-25:00", "24:00-08:00", "08:60-09:00", "08.00-22.00", "night"])
def test_opening_hours_that_are_no_hours_are_refused(text: str) -> None:
    """The error says how they are written."""
    with pytest.raises(ValueError, match="write hours as 08:00-22:00"):
        OpeningHours.parse([text])


def test_opening_hours_are_written_as_they_were_read() -> None:
    """For the error that a closed connector answers."""
    assert str(OpeningHours.parse([" 08:00-12:00", "18:00-24:00"])) == "08:00-12:00, 18:00-24:00"
