"""Images are reserved by the tokens that they may have, and charged by those that they had."""

import orjson
import pytest

from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.engine import Engine
from zeroconf_ai.protocol.errors import QuotaError
from zeroconf_ai.protocol.image_requests import image_tokens
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.record import Cost
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.protocol.values import NANO

from ....support.engine import CALLER, complete
from ....support.fakes.billing import spending, spent
from ....support.fakes.upstream import StubBackend

HOUSE = {"model": "gpt-image-1", "prompt": "A small house"}
PRICES = Prices(5 * NANO, 40 * NANO)
"""Those of gpt-image-1: 5 USD for a million tokens of the prompt, 40 USD for a million of images."""


async def test_budget_reserves_images_and_charges_their_tokens(store: AccountingStore) -> None:
    cloud = StubBackend("cloud", models=[ModelInfo("gpt-image-1", pricing=PRICES.to_json())], cost=Cost.METERED)
    async with spending(store, cloud, amount=NANO // 2) as engine:  # 0.25 is reserved for one image in high quality
        await complete(engine, Request.parse(Kind.IMAGES, HOUSE | {"partial_images": 3, "svg": True}))
        assert cloud.sent[0].body == HOUSE  # nothing whose cost is not known
        assert await spent(store) == (3 * 5 + 100 * 40) * NANO // 1_000_000
        with pytest.raises(QuotaError, match="budget"):
            await complete(engine, Request.parse(Kind.IMAGES, HOUSE | {"n": 4}))
        await complete(engine, Request.parse(Kind.IMAGES, HOUSE | {"n": 4, "quality": "low"}))
    assert len(cloud.sent) == 2


async def test_record_of_images_has_no_images() -> None:
    engine = Engine()
    await engine.checker.check(engine.add(StubBackend("one", models=["gpt-image-1"])), models=True)
    async with engine.run(Request.parse(Kind.IMAGES, HOUSE), CALLER) as reply:
        assert "b64_json" in reply.body.decode()
        assert orjson.loads(reply.said)["data"] == [{}]
    await engine.close()


@pytest.mark.parametrize(
    ("asked", "tokens"),
    [
        ({}, 6240),
        ({"n": 3, "quality": "low"}, 3 * 408),
        ({"quality": "medium", "size": "1024x1024"}, 1584),
        ({"quality": "hd", "size": "auto"}, 6240),
        ({"quality": "max"}, 4 * 6240),
        ({"size": "2048x3072"}, 4 * 6240),
        ({"size": f"{10**20}x1", "quality": "low"}, 408),
        ({"size": "99999999x99999999", "quality": "low"}, 408 * 8192 * 8192 // (1024 * 1536)),
    ],
)
def test_images_have_at_most_these_tokens(asked: dict[str, object], tokens: int) -> None:
    assert image_tokens(asked) == tokens
