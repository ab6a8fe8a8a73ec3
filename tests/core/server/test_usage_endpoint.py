"""`/v1/usage`: a caller's own usage, all usage for administrators, and `/v1/status` from the same accounting store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import csv
from datetime import UTC, datetime
import io
from pathlib import Path
import time
from typing import Any

import pytest

from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.generation import Generation, Outcome
from zeroconf_ai.protocol.record import Auth
from zeroconf_ai.protocol.usage import Usage
from zeroconf_ai.server.access.guard import Guard, HomeUser
from zeroconf_ai.server.endpoints import usage as usage_module

from ...support.server import CHAT, Served, served

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
RANGE = "from=2026-11-01&to=2026-11-30"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[AccountingStore]:
    opened = await AccountingStore.open(tmp_path / "gateway.db", zone=UTC)
    yield opened
    await opened.close()


@asynccontextmanager
async def kept(store: AccountingStore, **guard: Any) -> AsyncIterator[Served]:
    async with served(access=Guard(store.keys, **guard), ledger=store.ledger) as gateway:
        yield gateway


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def used(store: AccountingStore, created: float = NOON, **fields: Any) -> None:
    given: dict[str, Any] = {
        "model": "m",
        "backend_id": "b",
        "backend_name": "B",
        "usage": Usage(10, 5, 2, 1),
        "cost": 1_500_000_000,
    }
    given |= {"outcome": Outcome.OK, "cost": 1_500_000_000, "duration": 2.0, **fields}
    store.ledger.record(Generation(id="gen", created=created, source="http", kind="chat", requested_model="auto", **given))


async def test_usage_of_a_caller_contains_only_its_own(store: AccountingStore) -> None:
    one, first = await store.keys.create("One", user_id="u1")
    two, second = await store.keys.create("Two")
    used(store, key_id=one.id, user_id="u1", caller="One")
    used(store, user_id="u1")
    used(store, key_id=two.id, caller="Two")
    used(store)
    people = {"u1": HomeUser("u1", "Anna", admin=False), "admin": HomeUser("a", "Admin", admin=True)}
    found = {}
    async with kept(store, home_user=lambda request: people.get(request.headers.get("Authorization", "")[7:])) as gateway:
        for who in (first, second, "u1", "admin"):
            status, told, _ = await gateway.get(f"usage?{RANGE}&group_by=client", headers=bearer(who))
            assert status == 200
            found[who] = {row["key_name"]: row["requests"] for row in told["data"]}
        assert (await gateway.get("usage"))[0] == 401
    assert found[first] == {"One": 1}
    assert found[second] == {"Two": 1}
    assert found["u1"] == {"One": 1, "": 1}
    assert found["admin"] == {"One": 1, "Two": 1, "": 2}


async def test_usage_by_label_counts_each_request_once_in_the_total(store: AccountingStore) -> None:
    both, secret = await store.keys.create("Both", labels=("App", "Kitchen"))
    other, _ = await store.keys.create("Other", labels=("Kitchen",))
    for key in (both, both, other):
        used(store, key_id=key.id)
    admin = HomeUser("a", "Admin", admin=True)
    async with kept(
        store, home_user=lambda request: admin if "Admin" in request.headers.get("Authorization", "") else None
    ) as gateway:
        _, told, _ = await gateway.get(f"usage?{RANGE}&group_by=label", headers=bearer("Admin"))
        assert {row["label"]: row["requests"] for row in told["data"]} == {"App": 2, "Kitchen": 3}
        assert told["total"]["requests"] == 3
        _, told, _ = await gateway.get(f"usage?{RANGE}&group_by=key&label=App", headers=bearer("Admin"))
        assert [row["key"] for row in told["data"]] == [both.id]
        _, told, _ = await gateway.get(f"usage?{RANGE}&group_by=label&label=Kitchen", headers=bearer(secret))
        assert ({row["label"]: row["requests"] for row in told["data"]}, told["total"]["requests"]) == (
            {"App": 2, "Kitchen": 2},
            2,
        )


async def test_usage_without_keys_contains_only_anonymous_requests(store: AccountingStore) -> None:
    key, _ = await store.keys.create("One")
    used(store, key_id=key.id)
    used(store, user_id="u")
    used(store)
    async with kept(store, mode=Auth.NONE) as gateway:
        _, told, _ = await gateway.get(f"usage?{RANGE}&group_by=key,user")
    assert [row["requests"] for row in told["data"]] == [1]
    assert told["total"]["requests"] == 1


async def test_usage_group_has_all_fields(store: AccountingStore) -> None:
    used(store, first_token=0.5)
    used(store, first_token=1.5, currency="EUR", cost_source="measured", energy=7200.0)
    used(store, outcome=Outcome.ERROR, usage=Usage(), cost=None, estimated=True)
    async with kept(store, mode=Auth.NONE) as gateway:
        _, told, _ = await gateway.get(f"usage?{RANGE}&group_by=day&group_by=provider,model")
    assert (told["from"], told["to"], told["time_zone"]) == ("2026-11-01", "2026-11-30", "UTC")
    assert told["group_by"] == ["day", "backend", "model"]
    numbers = {
        "requests": 3,
        "errors": 1,
        "cancelled": 0,
        "estimated": 1,
        "priced": 2,
        "failed_attempts": 0,
        "tokens_prompt": 20,
        "tokens_completion": 10,
        "tokens_cached": 4,
        "tokens_reasoning": 2,
        "tokens_cache_write": 0,
        "tokens_cache_write_1h": 0,
        "audio_seconds": 0.0,
        "speech_characters": 0,
        "mean_duration_ms": 2000.0,
        "mean_latency_ms": 1000.0,
        "energy_kwh": 0.002,
        "cost": {"EUR": 1.5, "USD": 1.5},
        "energy_cost": {"EUR": 1.5},
    }
    assert told["data"] == [{"day": "2026-11-20", "backend": "b", "backend_name": "B", "model": "m"} | numbers]
    assert told["total"] == numbers


async def test_usage_as_csv_is_safe_for_spreadsheets(store: AccountingStore) -> None:
    used(store, model="=1+1")
    async with kept(store, mode=Auth.NONE) as gateway:
        path = f"{gateway.url}/usage?{RANGE}&group_by=model&format=csv"
        async with gateway.session.get(path) as response:
            assert response.content_type == "text/csv"
            assert response.headers["Content-Disposition"] == 'attachment; filename="usage-2026-11-01-2026-11-30.csv"'
            [row] = csv.DictReader(io.StringIO(await response.text(), newline=""))
        async with gateway.session.get(f"{gateway.url}/usage?from=2020-01-01&to=2020-01-01&format=csv") as response:
            [heading] = (await response.text()).splitlines()
    assert (row["model"], row["requests"], row["cost_USD"]) == ("'=1+1", "1", "1.5")
    assert heading.startswith("day,requests,")


async def test_usage_default_is_this_month_by_day(store: AccountingStore) -> None:
    used(store, created=time.time())
    used(store, created=time.time() - 40 * 86_400)
    async with kept(store, mode=Auth.NONE) as gateway:
        _, told, _ = await gateway.get("usage")
    today = store.totals.date
    assert [(row["day"], row["requests"]) for row in told["data"]] == [(today.isoformat(), 1)]
    assert (told["from"], told["to"]) == (today.replace(day=1).isoformat(), today.isoformat())


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("format=xml", "format"),
        ("from=yesterday", "from"),
        ("to=20301231", "to"),
        ("from=2026-02-02&to=2026-02-01", "to"),
        ("group_by=", "group_by"),
        ("group_by=day,address", "group_by"),
        ("group_by=key&limit=0", "limit"),
        ("group_by=key&limit=50001", "limit"),
        ("group_by=key&limit=ten", "limit"),
        ("limit=10", "limit"),
    ],
)
async def test_usage_invalid_query_reports_the_reason(store: AccountingStore, query: str, param: str) -> None:
    async with kept(store, mode=Auth.NONE) as gateway:
        status, told, _ = await gateway.get(f"usage?{query}")
    assert (status, told["error"]["param"]) == (400, param)


async def test_usage_with_too_many_rows_is_refused(store: AccountingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_module, "MAX_ROWS", 2)
    async with kept(store, mode=Auth.NONE) as gateway:
        for model in ("a", "b"):
            used(store, model=model)
            assert (await gateway.get(f"usage?{RANGE}&group_by=model"))[0] == 200
        used(store, model="c")
        status, told, _ = await gateway.get(f"usage?{RANGE}&group_by=model")
    assert status == 400
    assert "fewer days" in told["error"]["message"]


async def test_usage_beyond_the_limit_is_summed_as_other(store: AccountingStore) -> None:
    for key, times in (("d", 1), ("c", 3), ("b", 1), ("a", 2)):
        for _ in range(times):
            used(store, key_id=key, caller=f"Key {key}")
    admin = HomeUser("a", "Admin", admin=True)
    async with kept(store, home_user=lambda _: admin) as gateway:
        told = {}
        for limit in (1, 3, 4, 9):
            _, told[limit], _ = await gateway.get(f"usage?{RANGE}&group_by=key&limit={limit}")
    rows = {limit: [(row["key"], row["key_name"], row["requests"]) for row in each["data"]] for limit, each in told.items()}
    assert rows[1] == [("c", "Key c", 3), ("other", "", 4)]
    assert rows[3] == [("a", "Key a", 2), ("b", "Key b", 1), ("c", "Key c", 3), ("other", "", 1)]
    assert rows[4] == rows[9] == [(key, f"Key {key}", times) for key, times in (("a", 2), ("b", 1), ("c", 3), ("d", 1))]
    assert told[1]["data"][1]["cost"] == {"USD": 6.0}
    assert told[1]["total"] == told[9]["total"]


async def test_usage_with_a_key_for_other_endpoints_is_refused(store: AccountingStore) -> None:
    _, secret = await store.keys.create("Chat", endpoints=("chat",))
    async with kept(store) as gateway:
        status, told, _ = await gateway.get("usage", headers=bearer(secret))
    assert (status, told["error"]["code"]) == (403, "endpoint_not_allowed")


async def test_usage_without_records_is_a_404() -> None:
    async with served() as gateway:
        assert (await gateway.get("usage"))[0] == 404


async def test_status_usage_equals_the_accounting_store(store: AccountingStore) -> None:
    used(store, created=time.time() - 400 * 86_400)
    used(store, created=time.time())
    async with kept(store, mode=Auth.NONE) as gateway:
        _, told, _ = await gateway.get("status")
    assert (told["usage"]["today"]["requests"], told["usage"]["total"]["requests"]) == (1, 2)
    assert (told["usage"]["total"]["prompt_tokens"], told["usage"]["total"]["cost"]) == (20, 3.0)


async def test_status_cost_has_its_own_currency(store: AccountingStore) -> None:
    used(store, created=time.time(), currency="EUR")
    async with kept(store, mode=Auth.NONE) as gateway:
        _, told, _ = await gateway.get("status")
    assert (told["usage"]["today"]["cost"], told["usage"]["today"]["currency"]) == (1.5, "EUR")


async def test_status_without_an_accounting_store_has_the_totals_in_memory() -> None:
    async with served() as gateway:
        await gateway.ask("POST", "chat/completions", json=CHAT | {"model": "auto"})
        _, told, _ = await gateway.get("status")
        assert told["usage"]["today"]["requests"] == told["usage"]["total"]["requests"] == 1
        gateway.gateway.totals = None
        _, told, _ = await gateway.get("status")
        assert "today" not in told.get("usage", {})
