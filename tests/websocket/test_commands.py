"""The WebSocket commands of the page, over a real WebSocket of Home Assistant."""

import json
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator, MockHAClientWebSocket, WebSocketGenerator

from custom_components.zeroconf_ai.core.admin.live import INTERVAL
from custom_components.zeroconf_ai.core.protocol.exchange import Exchange
from custom_components.zeroconf_ai.data import DATA
from custom_components.zeroconf_ai.provider import network_scan
from custom_components.zeroconf_ai.usage.database import CONF_KEEP_BODIES
from homeassistant.core import HomeAssistant

from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway import KEY, box, gateway_with, post_chat, runtime_of
from ..support.waiting import observe

pytestmark = pytest.mark.usefixtures("ready_to_serve")

HELLO = {"messages": [{"role": "user", "content": "Hello"}]}
FOR_ADMINISTRATORS: list[dict[str, Any]] = [
    {"type": "zeroconf_ai/live"},
    {"type": "zeroconf_ai/keys/create", "name": "Laptop"},
    {"type": "zeroconf_ai/keys/update", "key_id": "x", "name": "Laptop"},
    {"type": "zeroconf_ai/clients"},
    {"type": "zeroconf_ai/clients/code", "name": "Laptop"},
    {"type": "zeroconf_ai/clients/close_code"},
    {"type": "zeroconf_ai/clients/approve", "request_id": "x"},
    {"type": "zeroconf_ai/clients/refuse", "request_id": "x"},
    {"type": "zeroconf_ai/clients/replace_authority"},
    {"type": "zeroconf_ai/currency"},
    {"type": "zeroconf_ai/budgets"},
    {"type": "zeroconf_ai/budgets/set", "scope": "household", "amount": 5},
    {"type": "zeroconf_ai/budgets/reset", "scope": "household"},
    {"type": "zeroconf_ai/budgets/remove", "scope": "household"},
    {"type": "zeroconf_ai/providers/set", "backend_id": "x", "enabled": False},
    {"type": "zeroconf_ai/providers/order", "backend_ids": ["x"]},
    {"type": "zeroconf_ai/providers/check", "backend_id": "x"},
    {"type": "zeroconf_ai/why", "text": "Hello"},
    {"type": "zeroconf_ai/callers"},
    {"type": "zeroconf_ai/home_only", "enabled": True},
    {"type": "zeroconf_ai/models"},
    {"type": "zeroconf_ai/alerts"},
    {
        "type": "zeroconf_ai/alerts/set",
        "notify_entities": [],
        "notify_actions": [],
        "alert_kinds": [],
        "alert_from": 80,
        "key_factor": 5,
    },
    {"type": "zeroconf_ai/alerts/test"},
    {"type": "zeroconf_ai/models/set", "name": "x", "targets": ["auto"]},
    {"type": "zeroconf_ai/models/remove", "name": "fast"},
    {"type": "zeroconf_ai/models/strategy", "strategy": "cost"},
    {"type": "zeroconf_ai/discovered"},
    {"type": "zeroconf_ai/discovery/check"},
    {"type": "zeroconf_ai/discovery/scan"},
    {"type": "zeroconf_ai/server_models"},
    *(
        {"type": f"zeroconf_ai/server_models/{act}", "backend_id": "x", "model": "m"}
        for act in ("load", "unload", "delete", "pull", "cancel")
    ),
]
FOR_USERS: list[dict[str, Any]] = [
    {"type": "zeroconf_ai/usage"},
    {"type": "zeroconf_ai/requests"},
    {"type": "zeroconf_ai/requests/words", "request_id": "x"},
    {"type": "zeroconf_ai/keys"},
    {"type": "zeroconf_ai/keys/create_own", "name": "Laptop"},
    {"type": "zeroconf_ai/keys/update_own", "key_id": "x", "name": "Laptop"},
    {"type": "zeroconf_ai/keys/enable", "key_id": "x", "enabled": False},
    {"type": "zeroconf_ai/keys/rotate", "key_id": "x"},
    {"type": "zeroconf_ai/keys/revoke", "key_id": "x"},
    {"type": "zeroconf_ai/chat/follow"},
    {"type": "zeroconf_ai/chat/conversations"},
    {"type": "zeroconf_ai/chat/create"},
    {"type": "zeroconf_ai/chat/send", "conversation_id": "x", "text": "Hello"},
    {"type": "zeroconf_ai/chat/retry", "conversation_id": "x"},
    {"type": "zeroconf_ai/chat/stop", "conversation_id": "x"},
    {"type": "zeroconf_ai/chat/rename", "conversation_id": "x", "title": "Mine"},
    {"type": "zeroconf_ai/chat/delete", "conversation_id": "x"},
]


async def ask(client: MockHAClientWebSocket, command: str, /, **fields: Any) -> Any:
    """The result of a command that succeeds."""
    await client.send_json_auto_id({"type": f"zeroconf_ai/{command}", **fields})
    answer = await client.receive_json()
    assert answer["success"], answer
    return answer["result"]


async def error_of(client: MockHAClientWebSocket, message: dict[str, Any]) -> str:
    """The code of a command's error."""
    await client.send_json_auto_id(message)
    answer = await client.receive_json()
    assert not answer["success"]
    code: str = answer["error"]["code"]
    return code


@pytest.fixture
async def entry(hass: HomeAssistant, provider: FakeProvider) -> MockConfigEntry:
    """A gateway with a key and one backend."""
    return await set_up(hass, gateway_with(box(provider)))


async def test_commands_every_registered_one_is_tried(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    registered = {name for name in hass.data["websocket_api"] if name.startswith("zeroconf_ai/")}
    assert registered == {message["type"] for message in (*FOR_ADMINISTRATORS, *FOR_USERS)}


@pytest.mark.parametrize("message", FOR_ADMINISTRATORS, ids=lambda message: message["type"])
async def test_commands_of_administrators_are_refused_for_a_user(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    hass_ws_client: WebSocketGenerator,
    hass_read_only_access_token: str,
    message: dict[str, Any],
) -> None:
    client = await hass_ws_client(hass, hass_read_only_access_token)
    assert await error_of(client, message) == "unauthorized"
    assert [key.name for key in runtime_of(entry).store.keys] == ["First key"]


async def test_live_state_is_sent_at_once_and_after_a_request(
    hass: HomeAssistant, entry: MockConfigEntry, hass_ws_client: WebSocketGenerator, hass_client_no_auth: ClientSessionGenerator
) -> None:
    client = await hass_ws_client(hass)
    await client.send_json_auto_id({"type": "zeroconf_ai/live"})
    assert (await client.receive_json())["success"]
    state = (await client.receive_json())["event"]
    assert [(member["name"], member["kind"]) for member in state["members"]] == [("Assist", "agent"), ("Box", "backend")]
    assert state["requests_today"] == 0
    assert (await post_chat(await hass_client_no_auth()))[0] == 200
    while state["requests_today"] == 0:
        state = (await client.receive_json())["event"]
    assert state["last_answer"] == {"backend": "Box", "model": "test-model"}
    assert state["running"] == []


async def test_live_subscription_that_ends_sends_nothing_more(
    hass: HomeAssistant, entry: MockConfigEntry, hass_ws_client: WebSocketGenerator, hass_client_no_auth: ClientSessionGenerator
) -> None:
    client = await hass_ws_client(hass)
    await client.send_json({"id": 1, "type": "zeroconf_ai/live"})
    assert (await client.receive_json())["success"]
    assert (await client.receive_json())["type"] == "event"
    await client.send_json({"id": 2, "type": "unsubscribe_events", "subscription": 1})
    assert (await client.receive_json())["success"]
    assert (await post_chat(await hass_client_no_auth()))[0] == 200
    await observe(1.5 * INTERVAL)
    await client.send_json({"id": 3, "type": "ping"})
    assert (await client.receive_json())["type"] == "pong"


async def test_keys_created_one_is_shown_once_with_examples_and_counts_its_use(
    hass: HomeAssistant, entry: MockConfigEntry, hass_ws_client: WebSocketGenerator, hass_client_no_auth: ClientSessionGenerator
) -> None:
    client = await hass_ws_client(hass)
    made = await ask(client, "keys/create", name="Laptop")
    assert made["key"] in made["curl"]
    assert (await post_chat(await hass_client_no_auth(), key=made["key"]))[0] == 200
    listed = await ask(client, "keys")
    assert made["key"] not in str(listed)
    laptop = next(key for key in listed["keys"] if key["name"] == "Laptop")
    assert laptop["requests_month"] == 1
    disabled = await ask(client, "keys/enable", key_id=laptop["key_id"], enabled=False)
    assert not disabled["enabled"]
    assert (await post_chat(await hass_client_no_auth(), key=made["key"]))[0] == 403


async def test_keys_user_sees_rotates_and_revokes_only_his_own(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    hass_ws_client: WebSocketGenerator,
    hass_read_only_user: MockUser,
    hass_read_only_access_token: str,
) -> None:
    store = runtime_of(entry).store
    mine, _ = await store.keys.create("Mine", user_id=hass_read_only_user.id)
    (first,) = (key for key in store.keys if key.name == "First key")
    client = await hass_ws_client(hass, hass_read_only_access_token)
    assert [key["name"] for key in (await ask(client, "keys"))["keys"]] == ["Mine"]
    for command in ("rotate", "revoke"):
        assert await error_of(client, {"type": f"zeroconf_ai/keys/{command}", "key_id": first.id}) == "not_found"
    assert (await ask(client, "keys/rotate", key_id=mine.id))["key"].startswith("zai_")
    await ask(client, "keys/revoke", key_id=mine.id)
    assert [key.name for key in store.keys] == ["First key"]


async def test_usage_and_requests_of_a_user_are_his_own(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    hass_ws_client: WebSocketGenerator,
    hass_client_no_auth: ClientSessionGenerator,
    hass_read_only_user: MockUser,
    hass_read_only_access_token: str,
) -> None:
    store = runtime_of(entry).store
    _, secret = await store.keys.create("Mine", user_id=hass_read_only_user.id)
    http = await hass_client_no_auth()
    for key in ({"key": secret}, {}):
        assert (await post_chat(http, **key))[0] == 200
    admin, user = await hass_ws_client(hass), await hass_ws_client(hass, hass_read_only_access_token)
    assert len((await ask(admin, "requests"))["requests"]) == 2
    assert [one["who"] for one in (await ask(user, "requests"))["requests"]] == ["Mine"]
    assert (await ask(user, "requests", user_id="somebody else"))["requests"][0]["who"] == "Mine"
    for one in (await ask(admin, "requests"))["requests"]:
        found = await ask(user, "requests", request_id=one["id"])
        assert [mine["who"] for mine in found["requests"]] == (["Mine"] if one["who"] == "Mine" else [])
    assert (await ask(admin, "usage"))["total"]["requests"] == 2
    for groups in (["day"], ["hour"], ["address"], ["hour", "address"]):
        assert (await ask(user, "usage", group_by=groups))["total"]["requests"] == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"start": "2026-02-01", "end": "2026-01-01"},
        {"start": "1990-01-01", "end": "2026-01-01"},
        {"group_by": ["nonsense"]},
    ],
)
async def test_usage_invalid_range_or_group_is_an_error(
    hass: HomeAssistant, entry: MockConfigEntry, hass_ws_client: WebSocketGenerator, fields: dict[str, Any]
) -> None:
    client = await hass_ws_client(hass)
    assert await error_of(client, {"type": "zeroconf_ai/usage", **fields}) == "invalid_format"


async def test_words_of_a_request_are_found_where_they_are_kept_and_by_their_user_only(
    hass: HomeAssistant,
    provider: FakeProvider,
    hass_ws_client: WebSocketGenerator,
    hass_client_no_auth: ClientSessionGenerator,
    hass_read_only_user: MockUser,
    hass_read_only_access_token: str,
) -> None:
    entry = await set_up(hass, gateway_with(box(provider), options={CONF_KEEP_BODIES: True}))
    _, secret = await runtime_of(entry).store.keys.create("Mine", user_id=hass_read_only_user.id)
    http = await hass_client_no_auth()
    for key in ({}, {"key": secret}):
        assert (await post_chat(http, **key))[0] == 200
    admin, user = await hass_ws_client(hass), await hass_ws_client(hass, hass_read_only_access_token)
    mine, other = (await ask(admin, "requests"))["requests"]
    assert (mine["who"], other["who"]) == ("Mine", "First key")
    assert mine["key"] == f"{secret[:8]}…"
    for client, request_id, found in ((admin, other, True), (user, mine, True), (user, other, False)):
        words = (await ask(client, "requests/words", request_id=request_id["id"]))["words"]
        assert (words is not None) is found
        assert words is None or ("messages" in words["request"] and words["answer"])
    assert (await ask(admin, "requests/words", request_id="unknown"))["words"] is None


async def test_currency_says_what_counts_one_to_one_and_what_has_no_rate(
    hass: HomeAssistant, provider: FakeProvider, hass_ws_client: WebSocketGenerator
) -> None:
    hass.config.currency = "EUR"
    await set_up(hass, gateway_with(box(provider, input_price=1.0, output_price=1.0)))
    client = await hass_ws_client(hass)
    assert await ask(client, "currency") == {"currency": "EUR", "rates": {}, "one_to_one": ["USD"], "missing": []}
    hass.data[DATA].engine.exchange = Exchange.of("EUR", {"GBP": 1.2})
    assert await ask(client, "currency") == {"currency": "EUR", "rates": {"GBP": 1.2}, "one_to_one": [], "missing": ["USD"]}


async def test_budget_set_shown_reset_and_removed(
    hass: HomeAssistant, entry: MockConfigEntry, hass_ws_client: WebSocketGenerator
) -> None:
    client = await hass_ws_client(hass)
    await ask(client, "budgets/set", scope="household", amount=5, action="refuse")
    (budget,) = (await ask(client, "budgets"))["budgets"]
    assert (budget["owner"], budget["amount"], budget["left"], budget["action"]) == ("Test gateway", 5, 5, "refuse")
    await ask(client, "budgets/reset", scope="household")
    await ask(client, "budgets/remove", scope="household")
    assert await ask(client, "budgets") == {"budgets": [], "currency": hass.config.currency}
    assert await error_of(client, {"type": "zeroconf_ai/budgets/remove", "scope": "household"}) == "not_found"


async def test_providers_order_and_use_are_set_and_survive_a_reload(
    hass: HomeAssistant, provider: FakeProvider, hass_ws_client: WebSocketGenerator
) -> None:
    entry = await set_up(hass, gateway_with(box(provider, "First"), box(provider, "Second")))
    engine = hass.data[DATA].engine
    ids = {member.name: member.id for member in engine.pool}
    client = await hass_ws_client(hass)
    await ask(client, "providers/order", backend_ids=[ids["Second"], ids["First"]])
    await ask(client, "providers/set", backend_id=ids["First"], enabled=False)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    members = {member.name: (member.priority, member.enabled) for member in engine.pool if member.name in ids}
    members.pop("Assist")
    assert members == {"Second": (10, True), "First": (20, False)}
    await ask(client, "providers/check", backend_id=ids["Second"])
    assert await error_of(client, {"type": "zeroconf_ai/providers/check", "backend_id": "x"}) == "not_found"


async def test_why_plan_names_the_backend_and_sends_nothing(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    provider: FakeProvider,
    hass_ws_client: WebSocketGenerator,
    hass_admin_user: MockUser,
) -> None:
    client = await hass_ws_client(hass)
    plan = await ask(client, "why", text="Hello")
    assert [(one["backend"], one["model"]) for one in plan["candidates"]] == [
        ("Box", "test-model"),
        ("Assist", "homeassistant/assist"),
    ]
    assert await error_of(client, {"type": "zeroconf_ai/why", "text": '{"messages": 3}'}) == "invalid_format"
    curl = f"curl http://ha.local:8123/v1/chat/completions -H 'Authorization: Bearer {KEY}' -d '{json.dumps(HELLO)}'"
    assert (await ask(client, "why", text=curl))["asker"] == "First key"
    assert (await ask(client, "why", text="Hello", user_id=hass_admin_user.id))["asker"] == hass_admin_user.name
    assert await error_of(client, {"type": "zeroconf_ai/why", "text": "Hello", "key_id": "x"}) == "not_found"
    callers = await ask(client, "callers")
    assert [one["name"] for one in callers["keys"]] == ["First key"]
    assert {"id": hass_admin_user.id, "name": hass_admin_user.name} in callers["users"]
    assert provider.bodies("/v1/chat/completions") == []


async def test_keys_without_a_gateway_is_an_error_that_says_what_to_do(
    hass: HomeAssistant, entry: MockConfigEntry, hass_ws_client: WebSocketGenerator
) -> None:
    await hass.config_entries.async_unload(entry.entry_id)
    client = await hass_ws_client(hass)
    assert await error_of(client, {"type": "zeroconf_ai/keys"}) == "no_gateway"


async def test_network_scan_shows_its_progress_and_ends_with_its_subscription(
    hass: HomeAssistant, entry: MockConfigEntry, hass_ws_client: WebSocketGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_scan, "home_networks", lambda _: ())
    client = await hass_ws_client(hass)
    await client.send_json_auto_id({"type": "zeroconf_ai/discovery/scan"})
    assert (await client.receive_json())["success"]
    events = [(await client.receive_json())["event"] for _ in range(2)]
    assert events == [{"progress": 1.0}, {"found": {"networks": [], "servers": [], "silent": []}}]
