"""Writes the usage of requests to InfluxDB: one point for each request, in batches, as line protocol to `/api/v2/write`.

Source: docs.influxdata.com/influxdb/v2 ("Line protocol", "Write API"); InfluxDB 3 and InfluxDB 1.8 accept the same. The ledger
stays in its own database: points that cannot be written are dropped, the oldest first.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
import logging
from typing import Final, override

import aiohttp

from ...protocol.values import NANO
from .generation import Generation, Recorder

_LOGGER = logging.getLogger(__name__)

MEASUREMENT: Final = "zeroconf_ai_request"
FLUSH_SECONDS = 5.0
"""The longest time that a point waits for others."""
BATCH = 1000
"""Points of one write."""
MAX_WAITING = 20_000
"""Points that wait while InfluxDB does not answer: about 8 MB."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
"""Seconds before a failed write is tried again, which double with each failure."""
_TIMEOUT = aiohttp.ClientTimeout(total=20.0)
_CLOSE_SECONDS = 5.0
"""How long closing waits for the last write."""
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_KEY_ESCAPES = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\n": r"\ ", "\r": r"\ ", "\t": r"\ ", "\\": "/"})
_TEXT_ESCAPES = str.maketrans({'"': r"\"", "\\": r"\\", "\n": " ", "\r": " "})


@dataclass(frozen=True, slots=True)
class InfluxTarget:
    """An InfluxDB server and where it stores the points."""

    url: str
    bucket: str
    org: str = ""
    token: str | None = field(default=None, repr=False)


class InfluxWriter(Recorder):
    """Writes a point for each request, from `start` to `close`. Recording never waits."""

    def __init__(self, session: aiohttp.ClientSession, target: InfluxTarget) -> None:
        """`session` is shared and stays open."""
        self._session = session
        self._target = target
        self._waiting: deque[str] = deque()
        self._filled = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._failing = False
        self.dropped = 0
        """Points that were lost because InfluxDB did not answer for too long, or refused them."""

    @override
    def record(self, generation: Generation) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(point(generation))
        if len(self._waiting) >= BATCH:
            self._filled.set()

    def start(self) -> None:
        """Start writing."""
        self._task = asyncio.create_task(self._run(), name="zeroconf_ai influxdb")

    async def close(self) -> None:
        """Write what waits, within 5 s, and stop."""
        if self._task is None:
            return
        self._closing = True
        self._filled.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._task, _CLOSE_SECONDS)

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._filled.wait(), FLUSH_SECONDS)
            self._filled.clear()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                if (reason := await self._write(batch)) is None:
                    pause = _FIRST_PAUSE
                    continue
                self._keep(batch)
                if self._closing:
                    break
                self._warn(reason)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            if self._closing:
                return

    def _keep(self, batch: list[str]) -> None:
        """Put a batch that was not written back in front, as far as there is room."""
        room = max(0, MAX_WAITING - len(self._waiting))
        self.dropped += max(0, len(batch) - room)
        self._waiting.extendleft(reversed(batch[-room:] if room else []))

    async def _write(self, batch: list[str]) -> str | None:
        """Write a batch; returns why it is to be tried again, or None. What InfluxDB refuses for good is dropped."""
        params: Mapping[str, str] = {"org": self._target.org, "bucket": self._target.bucket, "precision": "ns"}
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if self._target.token:
            headers["Authorization"] = f"Token {self._target.token}"
        try:
            async with self._session.post(
                f"{self._target.url}/api/v2/write",
                params={key: value for key, value in params.items() if value or key == "org"},
                data="\n".join(batch).encode(),
                headers=headers,
                timeout=_TIMEOUT,
                allow_redirects=False,
            ) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as err:
            return type(err).__name__
        if status in _RETRIED:
            return f"status {status}"
        if status >= 300:
            self.dropped += len(batch)
            self._warn(f"status {status}")
        elif self._failing:
            self._failing = False
            _LOGGER.warning("InfluxDB answers again")
        return None

    def _warn(self, reason: str) -> None:
        """Log a failure once, until a write succeeds. The reason has neither address nor token."""
        if not self._failing:
            self._failing = True
            _LOGGER.warning("The usage cannot be written to InfluxDB: %s", reason)


def point(generation: Generation) -> str:
    """The line of a request. Tags have few values; what identifies a single request is a field."""
    tags = {
        "backend": generation.backend_name,
        "currency": generation.currency,
        "key": generation.caller,
        "kind": generation.kind,
        "model": generation.model or generation.requested_model,
        "outcome": generation.outcome.value,
        "source": generation.source,
    }
    usage = generation.usage
    fields: dict[str, str | None] = {
        "attempts": f"{generation.attempts}i",
        "audio_seconds": repr(float(usage.audio_seconds)) if usage.audio_seconds else None,
        "completion_tokens": f"{usage.completion_tokens}i",
        "cost": None if generation.cost is None else repr(generation.cost / NANO),
        "duration": repr(float(generation.duration)),
        "energy_ws": None if generation.energy is None else repr(float(generation.energy)),
        "error": None if generation.error_code is None else _text(generation.error_code),
        "first_token": None if generation.first_token is None else repr(float(generation.first_token)),
        "id": _text(generation.id),
        "prompt_tokens": f"{usage.prompt_tokens}i",
        "requests": "1i",
        "speech_characters": f"{usage.speech_characters}i" if usage.speech_characters else None,
    }
    named = "".join(f",{name}={_key(value)}" for name, value in tags.items() if value and value.strip())
    values = ",".join(f"{name}={value}" for name, value in fields.items() if value is not None)
    return f"{MEASUREMENT}{named} {values} {round(generation.created * NANO)}"


def _key(text: str) -> str:
    """A tag's value. A backslash before a comma or the end would change what follows, so none is written."""
    return text.strip().translate(_KEY_ESCAPES)


def _text(text: str) -> str:
    return f'"{text.translate(_TEXT_ESCAPES)}"'
