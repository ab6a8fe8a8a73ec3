"""Wrong keys: who sends many has to wait."""

import aiohttp
import pytest

from zeroconf_ai.server.access import auth_throttle
from zeroconf_ai.server.access.auth_throttle import AuthThrottle
from zeroconf_ai.server.access.guard import Guard

from ....support.server import KEY, served
from .guards import bearer, get_as


async def test_guard_many_wrong_keys_are_throttled_and_valid_ones_accepted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 1000.0
    guard = Guard(key=KEY, clock=lambda: now)
    async with served(access=guard) as gateway:
        for _ in range(auth_throttle.FAILURES):
            assert await get_as(gateway, Authorization="Bearer wrong") == (401, "invalid_api_key")
        waits = []
        for _ in range(8):
            status, body, headers = await gateway.get("models", headers=bearer("wrong"))
            assert (status, body["error"]["type"]) == (429, "rate_limit_error")
            waits.append(int(headers["Retry-After"]))
        assert waits == [2, 4, 8, 16, 32, 60, 60, 60]
        assert await get_as(gateway, Authorization=f"Bearer {KEY}") == (200, None)
        assert await get_as(gateway) == (401, "missing_api_key")  # no guess
        connector = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
        async with (
            aiohttp.ClientSession(connector=connector) as other,
            other.get(f"{gateway.url}/models", headers=bearer("wrong")) as answer,
        ):
            assert answer.status == 401  # another address
        now += auth_throttle.WINDOW * 2
        assert await get_as(gateway, Authorization="Bearer wrong") == (401, "invalid_api_key")
    assert caplog.text.count("127.0.0.1 failed more than 10 times") == 1


def test_guard_throttle_ends_with_time() -> None:
    now = 0.0
    times = AuthThrottle(lambda: now)
    for _ in range(100):
        assert times.failed("192.0.2.1") == 0.0
        now += auth_throttle.WINDOW / auth_throttle.FAILURES


def test_guard_throttle_counts_an_ipv6_network_as_one_address() -> None:
    times = AuthThrottle(lambda: 0.0)
    waits = [times.failed(f"2001:db8:0:1::{host:x}") for host in range(1, auth_throttle.FAILURES + 2)]
    assert waits[-2:] == [0.0, 2.0]
    assert times.failed("2001:db8:0:2::1") == 0.0
    assert times.failed("::ffff:192.0.2.1") == 0.0


def test_guard_throttle_stores_a_maximum_of_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth_throttle, "MAX_ADDRESSES", 3)
    times = AuthThrottle(lambda: 0.0)
    for _ in range(auth_throttle.FAILURES):
        times.failed("192.0.2.1")
    for last in (2, 3):
        times.failed(f"192.0.2.{last}")
    assert times.failed("192.0.2.1") == 2.0  # still known, and now the newest
    for last in (4, 5, 6):
        times.failed(f"192.0.2.{last}")
    assert times.failed("192.0.2.1") == 0.0
    assert len(times._levels) == 3
