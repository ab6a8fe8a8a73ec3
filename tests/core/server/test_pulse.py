"""Signs of life in a stream that is silent."""

import asyncio
from unittest.mock import AsyncMock, Mock

import pytest

from zeroconf_ai.server.response_writer import PING_SECONDS, Pulse

from ...support.waiting import next_turn


async def test_pulse_of_a_stream_pings_only_after_a_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now)
    response = Mock(write=AsyncMock())
    pulse = Pulse(response, b": ping\n\n")

    async def passes(seconds: float) -> None:
        nonlocal now
        now += seconds
        for _ in range(5):  # the timer, and the task that it may begin
            await next_turn()

    for _ in range(5):
        await passes(0.9 * PING_SECONDS)
        pulse.wrote()
    response.write.assert_not_called()
    await passes(1.1 * PING_SECONDS)
    response.write.assert_awaited_once_with(b": ping\n\n")
    await passes(1.1 * PING_SECONDS)
    assert response.write.await_count == 2
    await pulse.stop()
    await passes(1.1 * PING_SECONDS)
    assert response.write.await_count == 2
