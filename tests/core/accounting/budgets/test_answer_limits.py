"""Answers end at their reservation: of requests that name no limit, and of upstreams that do not keep it."""

import asyncio
from typing import Any

import pytest

from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.protocol.errors import QuotaError
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.routing.pricing.billing import Bill

from ....support.engine import CALLER, complete
from ....support.fakes.billing import CENT, HI, Cloud, spending, spent
from ....support.fakes.chunks import delta
from ....support.fakes.upstream import StubBackend


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("most", "sent"), [(None, None), (300, 300), (50_000, None)])
async def test_budget_request_without_a_limit_gets_a_fitting_one(
    store: AccountingStore, stream: bool, most: int | None, sent: int | None
) -> None:
    cloud = Cloud(most=most)
    async with spending(store, cloud) as engine:
        await complete(engine, Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "stream": stream}))
        limit = cloud.sent[0].body["max_tokens"]
        assert (limit == sent) if sent else (750 < limit < 1000)
        assert 0 < cloud.billed == await spent(store) <= CENT
        assert store.budgets.state("household:month").reserved == 0
        again = Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "stream": stream})
        found = await asyncio.gather(*(complete(engine, again) for _ in range(20)), return_exceptions=True)
        assert not any("max_tokens" in err.message for err in found if isinstance(err, QuotaError))
        assert any(isinstance(err, QuotaError) for err in found)
        assert cloud.billed == await spent(store) <= CENT


async def test_budget_request_limit_is_refused_not_lowered(store: AccountingStore) -> None:
    cloud = Cloud()
    async with spending(store, cloud) as engine:
        with pytest.raises(QuotaError, match="max_tokens below 2000"):
            await complete(engine, Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "max_tokens": 2000}))
        await complete(engine, Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "max_tokens": 900}))
    assert [request.body["max_tokens"] for request in cloud.sent] == [900]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fields", [{}, {"max_tokens": 60}, {"n": 3}], ids=str)
async def test_budget_fifty_parallel_requests_of_maximum_length_never_overspent(
    store: AccountingStore, stream: bool, fields: dict[str, Any]
) -> None:
    cloud = Cloud(word="and ")
    async with spending(store, cloud) as engine:
        request = Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "stream": stream, **fields})
        found = await asyncio.gather(*(complete(engine, request) for _ in range(50)), return_exceptions=True)
        assert all(isinstance(one, str | QuotaError) for one in found), found
        assert any(isinstance(one, str) for one in found)
        assert 0 < cloud.billed == await spent(store) <= CENT
        assert store.budgets.state("household:month").reserved == 0


@pytest.mark.parametrize("fields", [{}, {"max_tokens": 100}], ids=str)
async def test_stream_beyond_its_limit_ends_at_the_reservation(store: AccountingStore, fields: dict[str, Any]) -> None:
    cloud = Cloud(obeys=False)
    async with spending(store, cloud) as engine:
        request = Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "stream": True, **fields})
        async with engine.run(request, CALLER) as reply:
            chunks = [chunk async for chunk in reply.chunks()]
        assert (chunks[-2].finish_reason, reply.failure) == ("length", None)
        assert chunks[-1].data["usage"]["estimated"] is True
        assert 0 < cloud.billed <= await spent(store) + 10_000 <= CENT + 10_000
        assert cloud.billed <= CENT
        assert store.budgets.state("household:month").reserved == 0


@pytest.mark.parametrize("word", ["a", "word ", " because", "transmission", "\u0928\u092e\u0938\u094d"])
@pytest.mark.parametrize("tells", [True, False])
async def test_stream_within_its_limit_is_complete_and_charged_no_more(store: AccountingStore, word: str, tells: bool) -> None:
    cloud = Cloud(word=word, tells=tells)
    tight = 600 * 10_000  # the answer and a little more
    async with spending(store, cloud, amount=tight) as engine:
        said = await complete(engine, Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "stream": True, "max_tokens": 500}))
        assert said == word * 500
        assert 500 * 10_000 <= await spent(store) <= 502 * 10_000


@pytest.mark.parametrize("tokens", [2, 5, 50])
async def test_stream_in_large_chunks_beyond_its_limit_is_charged_at_most_the_reservation(
    store: AccountingStore, tokens: int
) -> None:
    """Its tokens are estimated from its bytes: four for each, as in English."""
    cloud = Cloud(obeys=False, tells=False, word="and " * tokens)
    async with spending(store, cloud) as engine:
        said = await complete(engine, Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "stream": True, "max_tokens": 100}))
        assert len(said) // 4 * 10_000 <= CENT + 10_000 * tokens
        assert await spent(store) <= CENT


async def test_stream_without_a_budget_is_not_inspected(store: AccountingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    home = StubBackend("home", [delta("Hello "), *[delta("you ")] * 1000, delta(finish="stop")])
    async with spending(store, home) as engine:
        monkeypatch.setattr(Bill, "_measure", lambda *_: pytest.fail("a chunk was read"))
        said = await complete(engine, Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "stream": True}))
        assert len(said) == 6 + 4000


async def test_answer_without_stream_is_limited_by_the_reservation(store: AccountingStore) -> None:
    cloud = Cloud()
    async with spending(store, cloud) as engine:
        await complete(engine, Request.parse(Kind.CHAT, {"model": "m", "messages": HI, "max_tokens": 100}))
    (sent,) = cloud.sent
    assert sent.answer_bytes is not None
    assert 65_536 < sent.answer_bytes < 200_000
