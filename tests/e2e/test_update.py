"""An installation of an earlier version is updated: the current version starts with its files.

The tests build on each other: first the data that the update keeps, then the data that requests add.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from dataclasses import replace
import json
import sqlite3
from typing import Any

import pytest
import pytest_asyncio

from devhome.namespaces import Lan
from tests.support.clouds.ollama import PLAIN
from tests.support.fakes.provider import refuse

from .installation import Installation
from .sdks import CHAT_MODEL
from .steps import DOMAIN
from .updated_home import HELLO, OFFICE_ANSWER, OFFICE_MODEL, PERIODICAL, Updated, updated_home

pytestmark = pytest.mark.asyncio(loop_scope="module")

BEFORE = Installation.of("e5b26fc")
ENTITIES = BEFORE.entities
OFFICE, ATTIC, GATEWAY = (entry["entry_id"] for entry in BEFORE.entries())
CLOUD, BASEMENT = (
    sub["subentry_id"] for entry in BEFORE.entries() for sub in entry["subentries"] if sub["subentry_type"] == "backend"
)
FIRST, LAPTOP, TABLET = BEFORE.expected["keys"]
SECRETS = BEFORE.secrets

BY_CLOUD = {"requests": 1, "tokens_in": 21, "tokens_out": 8, "tokens_cached": 3, "cost_total": 0.000103}
BY_BASEMENT = {"requests": 1, "tokens_in": 21, "tokens_out": 8, "cost_total": 0.0000185}
BY_OFFICE = {"requests": 1, "tokens_in": 12, "tokens_out": 3, "tokens_cached": 4, "cost_total": 0.0002}
BY_ATTIC = {"requests": 1, "tokens_in": 12, "tokens_out": 3}
REFUSED = {"requests": 1, "errors": 1}
"""Of the household and of the key; the provider itself counts attempts."""
CHANGED_ON_PURPOSE = {f"{CLOUD}_monthly_budget": "50.0"}
"""Settings that show something else than before: a backend's monthly limit was not shown as its budget (see CHANGELOG.md)."""


def key_id(key: Mapping[str, Any]) -> str:
    """The prefix of the unique ids of a key's entities."""
    return f"key_{key['key_id']}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def updated(lan: Lan, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Updated]:
    async with updated_home(lan, tmp_path_factory.mktemp("update") / "config", BEFORE) as made:
        yield made


async def test_update_entries_and_subentries_are_loaded(updated: Updated) -> None:
    entries = {entry["entry_id"]: entry for entry in await updated.client.call("config_entries/get", domain=DOMAIN)}
    for stored in BEFORE.entries():
        entry = entries.pop(stored["entry_id"])
        assert (entry["state"], entry["title"]) == ("loaded", stored["title"])
        subentries = await updated.client.call("config_entries/subentries/list", entry_id=stored["entry_id"])
        kept = ("subentry_id", "subentry_type", "title", "unique_id")
        assert [{name: sub[name] for name in kept} for sub in subentries] == [
            {name: sub[name] for name in kept} for sub in stored["subentries"]
        ]
    assert not entries
    issues = (await updated.client.call("repairs/list_issues"))["issues"]
    # The home has several providers, for which an assistant is offered.
    assert [issue["issue_id"] for issue in issues if issue["domain"] == DOMAIN] == ["any_provider"]
    assert not [line for line in updated.home.complaints() if DOMAIN in line]


async def test_update_entities_keep_registration_and_are_provided(updated: Updated) -> None:
    registry = {
        entry["unique_id"]: entry
        for entry in await updated.client.call("config/entity_registry/list")
        if entry["platform"] == DOMAIN
    }
    kept = ("entity_id", "config_entry_id", "config_subentry_id", "device_id", "disabled_by", "name")
    wrong: dict[str, str] = {}
    states = await updated.client.states()
    for unique_id, before in ENTITIES.items():
        now = registry.get(unique_id, {})
        if any(now.get(name) != before[name] for name in kept):
            wrong[before["entity_id"]] = str(now)
        elif "state" in before and (
            before["entity_id"] not in states or states[before["entity_id"]]["attributes"].get("restored")
        ):
            wrong[before["entity_id"]] = "is no longer provided"
    assert not wrong


async def test_update_totals_show_what_they_showed(updated: Updated) -> None:
    await updated.until_totals({})


async def test_update_settings_are_kept(updated: Updated) -> None:
    states = await updated.states()
    for unique_id, entity in ENTITIES.items():
        if entity["entity_id"].startswith(("number.", "select.", "switch.")):
            expected = CHANGED_ON_PURPOSE.get(unique_id, entity["state"])
            assert states[unique_id]["state"] == expected, entity["entity_id"]
    models = await updated.get("/v1/models", SECRETS["First key"])
    (alias,) = [model for model in models["data"] if model["id"] == "house"]
    assert alias["targets"] == [CHAT_MODEL, "auto"]


async def test_update_api_keys_keep_rights_and_limits(updated: Updated) -> None:
    keys = (await updated.client.call_service(DOMAIN, "list_keys", response=True))["keys"]
    moved = {"created", "last_used"}
    for key, before in zip(keys, (FIRST, LAPTOP, TABLET), strict=True):
        assert {name: key[name] for name in before.keys() - moved} == {name: before[name] for name in before.keys() - moved}
    status = await updated.get("/v1/status", SECRETS["Laptop"])
    assert {name: limit["limit"] for name, limit in status["rate_limits"].items()} == {
        "requests": 600,
        "tokens": 500_000,
        "parallel": 4,
    }


async def test_update_usage_report_has_former_usage(updated: Updated) -> None:
    grouping = {"group_by": ["key", "model", "backend", "source", "user"]}
    report = await updated.client.call_service(DOMAIN, "export_usage", grouping, response=True)

    columns = BEFORE.expected["usage"][0].keys()

    def rows(usage: list[dict[str, Any]]) -> list[str]:
        return sorted(json.dumps({column: row[column] for column in columns}, sort_keys=True) for row in usage)

    # A later version may report more columns.
    assert rows(report["usage"]) == rows(BEFORE.expected["usage"])
    own = await updated.get("/v1/usage", SECRETS["Laptop"])
    assert own["total"]["requests"] == 5


async def test_update_records_and_stored_conversations_are_kept(updated: Updated) -> None:
    with closing(sqlite3.connect(f"file:{updated.home.folder / 'zeroconf_ai.db'}?mode=ro", uri=True)) as database:
        count = (
            "SELECT (SELECT count(*) FROM generations), (SELECT count(*) FROM conversations),"
            " (SELECT count(*) FROM bodies), (SELECT count(*) FROM audit)"
        )
        assert database.execute(count).fetchone() == (21, 8, 18, 8)


async def test_update_budgets_keep_spent_amounts(updated: Updated) -> None:
    states = await updated.client.states()
    for entity_id, spent in BEFORE.expected["spent"].items():
        assert states[entity_id]["attributes"]["spent"] == pytest.approx(spent)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def growth(updated: Updated) -> dict[str, float]:
    """Send requests of every kind and compile statistics; by unique id, what the requests add to the totals."""
    first, laptop = SECRETS["First key"], SECRETS["Laptop"]
    added: defaultdict[str, float] = defaultdict(float)

    def add(measures: Mapping[str, float], *owners: str) -> None:
        for owner in (*owners, GATEWAY):
            for measure, amount in measures.items():
                added[f"{owner}_{measure}"] += amount
        added[f"{GATEWAY}_tokens"] += measures.get("tokens_in", 0) + measures.get("tokens_out", 0)

    for key, secret in ((FIRST, first), (LAPTOP, laptop)):
        status, answer = await updated.chat(secret, CHAT_MODEL)
        assert (status, answer["choices"][0]["message"]["content"]) == (200, HELLO.text)
        add(BY_CLOUD, CLOUD, key_id(key))
    assert (await updated.chat(laptop, PLAIN))[0] == 200
    add(BY_BASEMENT, BASEMENT, key_id(LAPTOP))
    assert (await updated.chat(first, OFFICE_MODEL))[0] == 200
    add(BY_OFFICE, OFFICE, key_id(FIRST))
    assert await updated.says("conversation.custom_127_0_0_1_agent") == "Hello from the office."
    add(BY_OFFICE, OFFICE)
    task = {"task_name": "test", "instructions": "Say something", "entity_id": "ai_task.custom_127_0_0_1_ai_task"}
    answer = await updated.client.call_service("ai_task", "generate_data", task, response=True)
    assert answer["data"] == "Hello from the office."
    add(BY_OFFICE, OFFICE)
    assert await updated.says("conversation.house_agent") == HELLO.text
    add(BY_CLOUD, CLOUD)
    chat = {"prompt": "Hello", "config_entry_id": ATTIC}
    answer = await updated.client.call_service(DOMAIN, "chat", chat, response=True)
    assert answer["text"] == "Hello from the attic."
    add(BY_ATTIC, ATTIC)

    updated.office.answers = [refuse(500, "busy")]
    before = len(updated.office.requests)
    assert (await updated.chat(first, OFFICE_MODEL))[0] == 502
    updated.office.answers = [OFFICE_ANSWER]
    add(REFUSED, key_id(FIRST))
    added[f"{OFFICE}_errors"] += len(updated.office.requests) - before

    for owner in (CLOUD, BASEMENT, key_id(FIRST), key_id(LAPTOP), GATEWAY):
        for period in PERIODICAL:
            added[f"{owner}_{period}"] = added[f"{owner}_cost_total"]
    await updated.until_totals(added)
    await updated.compile_statistics()
    return added


async def test_update_totals_grow_by_what_requests_add(updated: Updated, growth: dict[str, float]) -> None:
    await updated.until_totals(growth)


async def test_update_long_term_statistics_continue(updated: Updated, growth: dict[str, float]) -> None:
    wrong = await updated.wrong_sums(growth)
    assert not wrong, f"(sum, expected): {wrong}"


async def test_update_budgets_grow_by_what_requests_cost(updated: Updated, growth: dict[str, float]) -> None:
    states = await updated.client.states()
    for owner, entity_id in ((GATEWAY, "sensor.house_ai_budget_left"), (key_id(LAPTOP), "sensor.laptop_budget_left")):
        spent = BEFORE.expected["spent"][entity_id] + growth[f"{owner}_cost_total"]
        assert states[entity_id]["attributes"]["spent"] == pytest.approx(spent)


async def test_update_disabled_and_unknown_keys_are_refused(updated: Updated, growth: dict[str, float]) -> None:
    status, answer = await updated.chat(SECRETS["Old tablet"], CHAT_MODEL)
    assert (status, answer["error"]["code"]) == (403, "key_disabled")
    status, answer = await updated.chat(SECRETS["Laptop"][:-1] + "!", CHAT_MODEL)
    assert (status, answer["error"]["code"]) == (401, "invalid_api_key")


async def test_update_further_restart_keeps_totals(updated: Updated, growth: dict[str, float]) -> None:
    assert await updated.home.stop() == 0
    await updated.home.start()
    async with updated.home.client() as client:
        again = replace(updated, client=client)
        await again.until_loaded()
        await again.until_totals(growth)
