"""Records page by page, and reports by hour and address, in SQLite and PostgreSQL."""

from datetime import date, datetime
import time

import pytest

from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.generation import FailedAttempt, Outcome
from zeroconf_ai.accounting.usage.record_search import RecordFilter
from zeroconf_ai.accounting.usage.rollups import Group, UsageFilter
from zeroconf_ai.admin.names import Names
from zeroconf_ai.admin.requests import find_requests
from zeroconf_ai.admin.usage import recent_usage_report, usage_report
from zeroconf_ai.protocol.errors import InvalidRequestError
from zeroconf_ai.protocol.usage import Usage

from ..conftest import Make

NOBODY = Names()


async def test_requests_pages_are_newest_first_without_gaps_or_repeats(store: AccountingStore, make: Make) -> None:
    now = time.time()
    for number in range(7):
        store.ledger.record(make(f"r{number}", created=now - number // 2))  # several at the same time
    seen: list[str] = []
    after, pages = None, 0
    while pages == 0 or after is not None:
        page = await find_requests(store.ledger, NOBODY, RecordFilter(), after=after, limit=3)
        seen += [one["id"] for one in page["requests"]]
        after, pages = page["next"], pages + 1
    assert pages == 3
    assert sorted(seen) == [f"r{number}" for number in range(7)]
    assert seen[-1] == "r6"


async def test_requests_show_attempts_costs_and_the_answers_id(store: AccountingStore, make: Make) -> None:
    failed = FailedAttempt("attic", "Attic", "m", "too many requests", "rate_limit_exceeded", 0.5, 0.75)
    store.ledger.record(make("plain", created=time.time() - 1))
    store.ledger.record(
        make(
            "full",
            answer_id="msg_1",
            provider_health="degraded",
            failed_attempts=(failed,),
            cost=3_000_000_000,
            prompt_cost=1_000_000_000,
            cost_source="owner",
            converted_cost=2_500_000_000,
            converted_currency="EUR",
            energy=7200.0,
            sent=1.0,
            first_byte=1.25,
            first_token=1.5,
        )
    )
    full, plain = (await find_requests(store.ledger, NOBODY, RecordFilter()))["requests"]
    assert (full["answer_id"], full["provider_health"], full["cost_source"]) == ("msg_1", "degraded", "owner")
    assert (full["cost_prompt"], full["cost_completion"], full["cost"]) == (1.0, 2.0, 3.0)
    assert (full["converted_cost"], full["converted_currency"], full["energy_wh"]) == (2.5, "EUR", 2.0)
    assert (full["sent_ms"], full["first_byte_ms"], full["latency_ms"]) == (1000.0, 1250.0, 1500.0)
    told = {name: value for name, value in failed._asdict().items() if name not in ("began", "ended")}
    assert full["failed_attempts"] == [told | {"began_ms": 500.0, "ended_ms": 750.0}]
    assert (plain["answer_id"], plain["provider_health"], plain["cost_prompt"], plain["cost_completion"]) == (None,) * 4
    assert plain["failed_attempts"] == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (RecordFilter(model="qwen3:8b"), {"a", "b"}),
        (RecordFilter(request_id="b"), {"b"}),
        (RecordFilter(request_id="chatcmpl-1"), {"a", "c"}),
        (RecordFilter(request_id="chatcmpl-1", user_id="u1"), {"c"}),
        (RecordFilter(request_id="chatcmpl-%"), set()),
        (RecordFilter(backend_id="attic"), {"a"}),
        (RecordFilter(key_id="k1"), {"b"}),
        (RecordFilter(key_id=""), {"a", "c"}),
        (RecordFilter(user_id="u1"), {"c"}),
        (RecordFilter(address="192.0.2.7"), {"a"}),
        (RecordFilter(source="assist"), {"c"}),
        (RecordFilter(outcome=Outcome.ERROR), {"b"}),
        (RecordFilter(key_id="' OR 1=1 --"), set()),
    ],
)
async def test_requests_filter_finds_only_what_matches(
    store: AccountingStore,
    make: Make,
    wanted: RecordFilter,
    found: set[str],
) -> None:
    store.ledger.record(make("a", answer_id="chatcmpl-1", model="qwen3:8b", backend_id="attic", address="192.0.2.7"))
    store.ledger.record(make("b", requested_model="qwen3:8b", key_id="k1", outcome=Outcome.ERROR))
    store.ledger.record(make("c", answer_id="chatcmpl-1", user_id="u1", source="assist"))
    page = await find_requests(store.ledger, NOBODY, wanted)
    assert {one["id"] for one in page["requests"]} == found


async def test_requests_record_has_cost_speed_and_the_name_of_today(store: AccountingStore, make: Make) -> None:
    key, _ = await store.keys.create("Laptop")
    usage = Usage(prompt_tokens=100, completion_tokens=60)
    store.ledger.record(
        make("a", key_id=key.id, caller="Old name", usage=usage, cost=2_500_000, duration=4.0, first_token=1.0, stream=True)
    )
    (record,) = (await find_requests(store.ledger, Names(store.keys), RecordFilter()))["requests"]
    assert (record["who"], record["cost"], record["currency"]) == ("Laptop", 0.0025, "USD")
    assert (record["latency_ms"], record["duration_ms"], record["tokens_per_second"]) == (1000, 4000, 20)


@pytest.mark.parametrize("cursor", ["x", "AAAA", "", "/////////////////////w==", "AAAAAAAA+H8AAAAAAAAAAA=="])
async def test_requests_invalid_cursor_is_an_error(store: AccountingStore, cursor: str) -> None:
    with pytest.raises(InvalidRequestError, match="no cursor"):
        await find_requests(store.ledger, NOBODY, RecordFilter(), after=cursor)


async def test_usage_report_by_hour_and_address_sums_the_records(store: AccountingStore, make: Make) -> None:
    noon = datetime.combine(store.totals.date, datetime.min.time(), store.zone).timestamp() + 12 * 3600
    for minutes, address, cost in ((1, "192.0.2.7", 1_000_000), (59, "192.0.2.7", 2_000_000), (61, None, None)):
        usage = Usage(prompt_tokens=10, completion_tokens=5)
        store.ledger.record(make(f"r{minutes}", created=noon + 60 * minutes, address=address, cost=cost, usage=usage))
    today = store.totals.date
    report = await recent_usage_report(store.ledger, NOBODY, today, today, ["hour", "address"])
    assert [(row["address"], row["requests"], row["tokens_prompt"], row["cost"]) for row in report["rows"]] == [
        ("192.0.2.7", 2, 20, {"USD": pytest.approx(0.003)}),
        ("", 1, 10, {}),
    ]
    assert datetime.fromisoformat(report["rows"][0]["hour"]).timestamp() == noon
    assert report["total"]["requests"] == 3
    assert report["complete"]


async def test_usage_reports_of_days_and_of_addresses_have_the_energy_and_its_cost(store: AccountingStore, make: Make) -> None:
    store.ledger.record(make("cloud", cost=2_000_000_000))
    for number in range(2):
        measured = {"cost_source": "measured", "currency": "EUR", "energy": 1_800_000.0}
        store.ledger.record(make(f"home{number}", cost=100_000_000, **measured))
    today = store.totals.date
    for report in (
        await usage_report(store.ledger, NOBODY, today, today, [Group.DAY]),
        await recent_usage_report(store.ledger, NOBODY, today, today, ["address"]),
    ):
        assert report["total"]["cost"] == {"USD": 2.0, "EUR": pytest.approx(0.2)}
        assert report["total"]["energy_cost"] == {"EUR": pytest.approx(0.2)}
        assert report["total"]["energy_kwh"] == pytest.approx(1.0)


async def test_usage_report_by_key_has_the_name_of_today(store: AccountingStore, make: Make) -> None:
    key, _ = await store.keys.create("Laptop")
    store.ledger.record(make("a", key_id=key.id, caller="Old name"))
    today: date = store.totals.date
    report = await usage_report(store.ledger, Names(store.keys), today, today, [Group.KEY])
    assert [(row["key_name"], row["requests"]) for row in report["rows"]] == [("Laptop", 1)]
    mine = await usage_report(store.ledger, Names(store.keys), today, today, [Group.DAY], only=UsageFilter(user_id="nobody"))
    assert mine["rows"] == []
