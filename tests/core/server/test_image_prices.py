"""Prices per image: what budgets reserve and are charged, and what a request without a known price may do."""

from pathlib import Path
from typing import Any

import pytest

from tests.core.server.test_limits_http import bearer, limited
from tests.support.fakes.upstream import StubBackend
from zeroconf_ai.accounting.budget import Scope
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.record import Cost
from zeroconf_ai.protocol.values import NANO
from zeroconf_ai.routing.policy import Terms

MODEL = "dall-e-2"
CENTS = NANO // 100


async def make(gateway: Any, secret: str, count: int) -> tuple[int, str | None]:
    """Status and error code of a request for images."""
    body = {"prompt": "A house", "model": MODEL, "n": count}
    status, said, _ = await gateway.ask("POST", "images/generations", json=body, **bearer(secret))
    return status, None if status == 200 else said["error"]["code"]


@pytest.mark.parametrize("own", [True, False], ids=["of the owner", "of the list"])
async def test_price_of_an_image_is_reserved_for_each_and_charged_for_those_made(tmp_path: Path, own: bool) -> None:
    prices = Prices(0, 0, image=4 * CENTS)
    model = ModelInfo(MODEL, pricing=None if own else prices.to_json())
    async with limited(tmp_path / "gateway.db", StubBackend("cloud", models=[model], cost=Cost.METERED)) as (gateway, store):
        member = gateway.engine.pool.get("cloud")
        assert member is not None
        member.terms = Terms(monthly_limit=NANO, prices={MODEL: prices} if own else {})
        key, secret = await store.keys.create("Phone")
        await store.budgets.set(Scope.KEY, key.id, 10 * CENTS, Period.DAY)
        found = [await make(gateway, secret, count) for count in (3, 2, 1, 1)]
        assert found == [(429, "budget_exceeded"), (200, None), (200, None), (429, "budget_exceeded")]
        assert member.month_cost == 8 * CENTS


async def test_image_without_a_known_price_is_refused_by_an_empty_budget_like_a_chat(tmp_path: Path) -> None:
    cloud = StubBackend("cloud", models=[ModelInfo(MODEL), ModelInfo("m")], cost=Cost.METERED)
    async with limited(tmp_path / "gateway.db", cloud) as (gateway, store):
        key, secret = await store.keys.create("Phone")
        for amount, status in ((0, 429), (NANO, 200)):
            await store.budgets.set(Scope.KEY, key.id, amount, Period.DAY)
            chat = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
            asked = await gateway.ask("POST", "chat/completions", json=chat, **bearer(secret))
            assert (asked[0], (await make(gateway, secret, 1))[0]) == (status, status)


def test_price_of_an_image_alone_is_a_price_and_survives_the_list() -> None:
    found = Prices.parse({"cost_per_image": 0.04})
    assert found == Prices(0, 0, image=4 * CENTS)
    assert Prices.parse(found.to_json()) == found
