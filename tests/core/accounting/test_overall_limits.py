"""Limits of all requests of an engine together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp

from tests.support.fakes.provider import FakeProvider, Script, text, usage
from tests.support.server import CHAT, Served, served, upstream
from zeroconf_ai.accounting.admission import RateLimits
from zeroconf_ai.accounting.household_cap import HouseholdCap
from zeroconf_ai.accounting.overall_limits import OverallLimits
from zeroconf_ai.routing.accounting import Accounting, combined

ONE_TOKEN = {**CHAT, "max_tokens": 1}


@asynccontextmanager
async def answering(answer: Script) -> AsyncIterator[Served]:
    """A gateway whose only provider answers this."""
    provider = FakeProvider(answers=[answer])
    async with aiohttp.ClientSession() as session, upstream(provider, session) as backend, served(backend) as gateway:
        yield gateway


async def attach(gateway: Served, **rates: int) -> OverallLimits:
    """Limit all requests of a gateway."""
    limits = OverallLimits(RateLimits(**{f"{name}_per_minute": value for name, value in rates.items()}))
    await gateway.engine.attach(Accounting(overall=limits))
    return limits


async def test_overall_limit_of_requests_refuses_the_next_with_its_delay() -> None:
    """Whoever asks, and the answers say what is left."""
    async with answering(text("Hi")) as gateway:
        await attach(gateway, requests=2)
        for left in ("1", "0"):
            status, _, headers = await gateway.ask("POST", "chat/completions", json=ONE_TOKEN)
            assert (status, headers["x-ratelimit-remaining-requests"]) == (200, left)
        status, body, headers = await gateway.ask("POST", "chat/completions", json=ONE_TOKEN)
        assert (status, body["error"]["code"]) == (429, "rate_limit_exceeded")
        assert body["error"]["message"].startswith("Too many requests: this provider has a limit of 2 per minute.")
        assert 25 <= int(headers["Retry-After"]) <= 30


async def test_overall_limit_of_tokens_counts_what_was_used() -> None:
    """Estimates are replaced by the numbers of the provider, so that short answers leave room."""
    answer = [*text("Hi")[:-1], usage(90, 900)]
    async with answering(answer) as gateway:
        await attach(gateway, tokens=1000)
        assert (await gateway.ask("POST", "chat/completions", json=ONE_TOKEN))[0] == 200
        status, body, _ = await gateway.ask("POST", "chat/completions", json={**CHAT, "max_tokens": 100})
        assert (status, "Too many tokens" in body["error"]["message"]) == (429, True)
        _, status_body, _ = await gateway.get("status")
        assert status_body["rate_limits"]["tokens"]["limit"] == 1000


async def test_overall_limit_of_refused_requests_is_released() -> None:
    """A request that another limit refuses does not count."""
    async with answering(text("Hi")) as gateway:
        limits = await attach(gateway, requests=1)
        await gateway.engine.attach(Accounting(admission_control=OverallLimits(RateLimits(1)).around(None)))
        limits.limiter.overall = replace(limits.limiter.overall, requests_per_minute=5)
        asked = [gateway.ask("POST", "chat/completions", json=ONE_TOKEN) for _ in range(3)]
        assert sorted([status for status, _, _ in await asyncio.gather(*asked)]) == [200, 429, 429]
        state = await limits.limiter.rate_limit_status(None, None, None)
        assert state.requests is not None
        assert state.requests.remaining == 4


async def test_overall_limits_apply_around_all_others() -> None:
    """They are combined with a household's, and a later part of accounting does not remove them."""
    limits, cap = OverallLimits(RateLimits(7)), HouseholdCap(1000, 0)
    both = combined([Accounting(overall=limits), Accounting(household=cap), Accounting()])
    assert both.admission_control is not None
    assert both.admission_control.counts_money
    state = await both.admission_control.rate_limit_status(None, None, None)
    assert state.requests is not None
    assert state.requests.limit == 7
