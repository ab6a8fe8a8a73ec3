"""`Limits`: requests and tokens within a minute, requests at a time; in memory and through a shared database."""

import asyncio
from typing import Any

import pytest

from zeroconf_ai.accounting.admission import Admission, AdmissionRequest, RateLimits
from zeroconf_ai.accounting.budget import Action, Scope
from zeroconf_ai.accounting.limits import token_buckets as buckets_module
from zeroconf_ai.accounting.limits.rate_limits import go_duration
from zeroconf_ai.accounting.limits.token_buckets import BucketDraw, BucketShortfall, MemoryTokenBuckets
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.protocol.errors import QuotaError, RateLimitError
from zeroconf_ai.protocol.usage import Usage

from ..conftest import FreshDatabase, Make


async def keyed(store: AccountingStore, **limits: Any) -> str:
    key, _ = await store.keys.create("Phone", **limits)
    return key.id


async def admit(store: AccountingStore, key_id: str | None = None, *, tokens: int = 0, **fields: Any) -> Admission:
    request = AdmissionRequest("http", "chat", "m", key_id=key_id, prompt_tokens=tokens, **fields)
    return await store.admission_control.admit(request)


async def refused(store: AccountingStore, key_id: str | None = None, **fields: Any) -> RateLimitError:
    with pytest.raises(RateLimitError) as caught:
        await admit(store, key_id, **fields)
    assert caught.value.status == 429
    return caught.value


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0ms"), (0.0115, "12ms"), (0.9999, "1s"), (1, "1s"), (8.64, "8.64s"), (60, "1m0s"), (360, "6m0s"), (61.5, "1m1.5s")],
)
def test_durations_are_written_as_openai_writes_them(seconds: float, words: str) -> None:
    assert go_duration(seconds) == words


async def test_token_bucket_refills_evenly_and_can_be_overdrawn() -> None:
    now = [0.0]
    buckets = MemoryTokenBuckets(lambda: now[0])
    assert await buckets.draw([BucketDraw("a", 60, 60)]) == {"a": 0}
    short = await buckets.draw([BucketDraw("b", 10, 1), BucketDraw("a", 60, 3)])
    assert isinstance(short, BucketShortfall)
    assert (short.draw.name, short.wait) == ("a", 3)
    assert await buckets.level("b", 10) == 10  # nothing is taken unless all is
    now[0] = 3
    assert await buckets.draw([BucketDraw("a", 60, 3)]) == {"a": 0}
    now[0] = 500
    assert await buckets.draw([BucketDraw("a", 60, 100)]) == {"a": -40}
    buckets.give({"a": 90, "unknown": 5})
    assert await buckets.level("a", 60) == 50
    now[0] = 1000
    assert await buckets.level("a", 60) == 60


async def test_token_buckets_are_bounded_and_used_ones_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets_module, "MAX_BUCKETS", 10)
    buckets = MemoryTokenBuckets(lambda: 0.0)
    await buckets.draw([BucketDraw("busy", 10, 5)])
    for number in range(100):
        await buckets.draw([BucketDraw(f"a{number}", 10, 1)])
        await buckets.draw([BucketDraw("busy", 10, 0)])
    assert len(buckets._levels) == 10
    assert await buckets.level("busy", 10) == 5


async def test_rate_limit_of_a_key_is_counted_and_reported(store: AccountingStore) -> None:
    key = await keyed(store, requests_per_minute=3)
    told = [(await admit(store, key)).headers for _ in range(3)]
    assert [headers["x-ratelimit-remaining-requests"] for headers in told] == ["2", "1", "0"]
    assert {headers["x-ratelimit-limit-requests"] for headers in told} == {"3"}
    assert "x-ratelimit-limit-tokens" not in told[0]
    error = await refused(store, key)
    assert 15 < (error.retry_after or 0) <= 20
    assert error.headers()["x-ratelimit-remaining-requests"] == "0"
    assert int(error.headers()["retry-after-ms"]) <= 20_000
    await admit(store, await keyed(store, requests_per_minute=3))  # another's is its own
    await admit(store)


async def test_tokens_are_reserved_by_estimate_and_corrected(store: AccountingStore, make: Make) -> None:
    key = await keyed(store, tokens_per_minute=1000)
    admission = await admit(store, key, tokens=900)
    assert (await store.admission_control.rate_limit_status(key, None, None)).tokens is not None
    assert "Too many tokens" in (await refused(store, key, tokens=200)).message
    admission.reconcile(make("g", usage=Usage(50, 50)))
    admission.reconcile(make("g", usage=Usage(50, 50)))
    status = await wait_for_tokens(store, key, 900)
    assert 900 <= status < 1000
    large = await admit(store, key, tokens=800)
    large.reconcile(make("g", usage=Usage(2_000)))
    assert (await refused(store, key, tokens=1)).retry_after


async def wait_for_tokens(store: AccountingStore, key: str, least: int) -> int:
    """The remaining amounts, after a shared database is updated."""
    await store.flush()
    status = await store.admission_control.rate_limit_status(key, None, None)
    assert status.tokens is not None
    assert status.tokens.limit == 1000
    assert status.tokens.remaining >= least
    return status.tokens.remaining


async def test_token_bucket_full_admits_a_larger_request(store: AccountingStore, make: Make) -> None:
    key = await keyed(store, tokens_per_minute=100)
    admission = await admit(store, key, tokens=4_000)
    assert (await refused(store, key, tokens=1)).retry_after
    admission.reconcile(make("g", usage=Usage(10)))
    await store.flush()
    await admit(store, key, tokens=50)


async def test_parallel_limit_is_enforced(store: AccountingStore, make: Make) -> None:
    key = await keyed(store, parallel=2)
    first, _second = await admit(store, key), await admit(store, key)
    error = await refused(store, key)
    assert "concurrent requests" in error.message
    assert error.headers()["Retry-After"] == "1"
    status = (await store.admission_control.rate_limit_status(key, None, None)).parallel
    assert status is not None
    assert (status.limit, status.remaining) == (2, 0)
    first.reconcile(make("g"))
    await store.flush()
    await admit(store, key)
    await refused(store, key)
    inner = await admit(store, key, nested=True)  # for a request that has its place
    inner.reconcile(make("g"))
    await refused(store, key)


async def test_rate_limit_refusal_returns_the_earlier_limits(store: AccountingStore) -> None:
    key = await keyed(store, requests_per_minute=5, parallel=1, tokens_per_minute=100)
    await admit(store, key, tokens=100, nested=True)
    await store.budgets.set(Scope.KEY, key, 0, Period.DAY, action=Action.REFUSE)
    for _ in range(3):
        with pytest.raises(QuotaError, match="is spent"):
            await admit(store, key, tokens=100)
    await store.flush()
    status = await store.admission_control.rate_limit_status(key, None, None)
    assert status.requests is not None
    assert status.tokens is not None
    assert status.parallel is not None
    assert (status.requests.remaining, status.tokens.remaining, status.parallel.remaining) == (5, 100, 1)


async def test_rate_limits_of_addresses_and_users_are_separate(store: AccountingStore) -> None:
    store.limits.per_address = RateLimits(requests_per_minute=1)
    store.limits.per_user = RateLimits(requests_per_minute=2)
    key = await keyed(store)
    await admit(store, address="2001:db8::1")
    assert "this address" in (await refused(store, address="2001:db8::2")).message  # one network, one subscriber
    await admit(store, address="192.0.2.1")
    await admit(store, key, address="192.0.2.1")
    await admit(store, key, user_id="u")
    await admit(store, key, user_id="u")
    assert "this user" in (await refused(store, key, user_id="u")).message


async def test_parallel_requests_of_an_address_are_limited(store: AccountingStore, make: Make) -> None:
    store.limits.per_address = RateLimits(parallel=1)
    key = await keyed(store)
    running = await admit(store, address="192.0.2.1")
    assert "this address has a limit of 1" in (await refused(store, address="192.0.2.1")).message
    await admit(store, address="192.0.2.2")
    await admit(store, key, address="192.0.2.1")
    status = await store.admission_control.rate_limit_status(None, None, "192.0.2.1")
    assert status.parallel is not None
    assert (status.parallel.limit, status.parallel.remaining) == (1, 0)
    running.reconcile(make("g"))
    await store.flush()
    await admit(store, address="192.0.2.1")


async def test_rate_limited_backend_is_skipped(store: AccountingStore, make: Make) -> None:
    fields: dict[str, Any] = {"worst_costs": {"a": 0, "b": 0}, "backend_rates": {"a": RateLimits(requests_per_minute=1)}}
    first = await admit(store, **fields)
    assert first.barred == frozenset()
    assert (await admit(store, **fields)).barred == {"a"}
    first.reconcile(make("g", backend_id="b"))  # it was not asked after all
    await store.flush()
    assert (await admit(store, **fields)).barred == frozenset()
    error = await refused(store, worst_costs={"a": 0}, backend_rates=fields["backend_rates"])
    assert 50 < (error.retry_after or 0) <= 60


async def test_rate_limit_changed_applies_immediately(store: AccountingStore) -> None:
    key = await keyed(store, requests_per_minute=100)
    await admit(store, key)
    await store.keys.update(key, requests_per_minute=2)
    await admit(store, key)
    await admit(store, key)
    await refused(store, key)
    await store.keys.update(key, requests_per_minute=None)
    await admit(store, key)
    with pytest.raises(ValueError, match="from 1"):
        await store.keys.update(key, parallel=0)


@pytest.mark.parametrize("fresh_database", ["postgresql"], indirect=True)
async def test_rate_limits_of_gateways_sharing_a_database_are_shared(fresh_database: FreshDatabase, make: Make) -> None:
    one, other = await AccountingStore.open(fresh_database.url), await AccountingStore.open(fresh_database.url)
    try:
        key = await keyed(one, requests_per_minute=10, parallel=6)
        await other.keys.refresh()
        found = await asyncio.gather(*(admit(store, key) for store in (one, other) for _ in range(10)), return_exceptions=True)
        admitted = [admission for admission in found if isinstance(admission, Admission)]
        assert len(admitted) == 6
        assert all(isinstance(error, RateLimitError) for error in found if not isinstance(error, Admission))
        for admission in admitted:
            admission.reconcile(make("g"))
        await one.flush()
        await other.flush()
        again = [await admit(store, key) for store in (one, other) for _ in range(2)]
        assert len(again) == 4
        await refused(other, key)
    finally:
        await one.close()
        await other.close()
