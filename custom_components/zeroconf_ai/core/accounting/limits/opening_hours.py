"""`OpeningHours`: the hours of the day in which requests are answered, on the machine's clock."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
import re
from typing import Self, override

_RANGE = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")
MOST_RANGES = 24


@dataclass(frozen=True, slots=True)
class HourRange:
    """From `start` to `end`, which may be on the next day. Equal ones mean the whole day."""

    start: time
    end: time

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `08:00-22:00`. Raises ValueError."""
        found = _RANGE.fullmatch(text.strip())
        if found is None:
            raise ValueError("write hours as 08:00-22:00")
        start = time(int(found[1]), int(found[2]))
        return cls(start, time(int(found[3] or 0), int(found[4] or 0)))

    @override
    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{'24:00' if self.end == time() else f'{self.end:%H:%M}'}"

    def includes(self, moment: time) -> bool:
        """Whether a time of the day is in it."""
        if self.start < self.end:
            return self.start <= moment < self.end
        return moment >= self.start or moment < self.end or self.start == self.end


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """Several ranges; none: always open."""

    ranges: tuple[HourRange, ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """Read ranges such as `08:00-22:00`. Raises ValueError."""
        found = tuple(HourRange.parse(text) for text in texts)
        if len(found) > MOST_RANGES:
            raise ValueError(f"at most {MOST_RANGES} ranges are possible")
        return cls(found)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.ranges)

    @override
    def __str__(self) -> str:
        return ", ".join(map(str, self.ranges))

    def closed_seconds(self, now: datetime | None = None, zone: tzinfo | None = None) -> float:
        """Seconds until they begin; 0 within them. `now` has a time zone, by default the present in `zone` or the machine's."""
        local = datetime.now().astimezone(zone) if now is None else now
        if not self.ranges or any(one.includes(local.time()) for one in self.ranges):
            return 0.0
        starts = (self._start(one, local) for one in self.ranges)
        return max(1.0, min(starts))

    @staticmethod
    def _start(one: HourRange, local: datetime) -> float:
        """Seconds until the next start of a range, also when the clock is changed in between."""
        start = datetime.combine(local.date(), one.start)
        if one.start <= local.time():
            start += timedelta(days=1)
        zone = local.tzinfo
        begins = start.astimezone() if zone is None else start.replace(tzinfo=zone)
        return begins.timestamp() - local.timestamp()
