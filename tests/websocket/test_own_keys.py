"""API keys that users create for themselves, over the page's WebSocket commands, and blocked users."""

from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator, MockHAClientWebSocket, WebSocketGenerator

from custom_components.zeroconf_ai.core.accounting.budget import Action, Scope
from custom_components.zeroconf_ai.core.accounting.periods import Period
from custom_components.zeroconf_ai.core.accounting.store import AccountingStore
from custom_components.zeroconf_ai.core.protocol.values import NANO
from custom_components.zeroconf_ai.gateway.own_keys import CONF_OWN_KEYS
from homeassistant.core import HomeAssistant

from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway import bearer, box, gateway_with, post_chat, runtime_of
from .test_commands import ask

pytestmark = pytest.mark.usefixtures("ready_to_serve")

ALLOWED: dict[str, Any] = {
    "limit": 2,
    "models": ["test-*"],
    "endpoints": ["chat", "models"],
    "background": True,
    "home_only": True,
    "valid_days": 30,
    "requests_per_minute": 100,
    "tokens_per_minute": 100_000,
    "parallel": 3,
    "monthly_budget": 5.0,
}


class Home:
    """A gateway, its administrator and a user who is none."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry, user: MockUser, client: MockHAClientWebSocket) -> None:
        self._hass = hass
        self._entry = entry
        self.user = user
        self.client = client
        """The user's."""

    @property
    def store(self) -> AccountingStore:
        """The accounting store of the gateway."""
        store: AccountingStore = runtime_of(self._entry).store
        return store

    async def allow(self, **allowed: Any) -> None:
        """The owner's settings."""
        self._hass.config_entries.async_update_entry(self._entry, options={**self._entry.options, CONF_OWN_KEYS: allowed})
        await self._hass.async_block_till_done()

    async def refusal(self, command: str, /, **fields: Any) -> tuple[str, str]:
        """Code and sentence of a command that fails."""
        await self.client.send_json_auto_id({"type": f"zeroconf_ai/{command}", **fields})
        answer = await self.client.receive_json()
        assert not answer["success"], answer
        return answer["error"]["code"], answer["error"]["message"]

    async def own(self) -> dict[str, Any]:
        """What the user may do."""
        found: dict[str, Any] = (await ask(self.client, "keys"))["own"]
        return found


@pytest.fixture
async def home(
    hass: HomeAssistant,
    provider: FakeProvider,
    hass_admin_user: MockUser,
    hass_read_only_user: MockUser,
    hass_read_only_access_token: str,
    hass_ws_client: WebSocketGenerator,
) -> Home:
    """A home whose owner has set nothing."""
    hass_admin_user.name = "Anna"
    entry = await set_up(hass, gateway_with(box(provider)))
    return Home(hass, entry, hass_read_only_user, await hass_ws_client(hass, hass_read_only_access_token))


async def test_own_keys_by_default_users_create_none_and_learn_whom_to_ask(home: Home) -> None:
    own = await home.own()
    assert (own["refusal"], own["limit"], own["used"], own["administrators"]) == ("off", 0, 0, ["Anna"])
    assert await home.refusal("keys/create_own", name="Laptop") == (
        "own_keys_off",
        "Users create no API keys here. Ask an administrator for one.",
    )
    assert [key.name for key in home.store.keys] == ["First key"]


async def test_own_keys_created_one_has_the_owners_limits_and_works(
    home: Home, hass_client_no_auth: ClientSessionGenerator
) -> None:
    await home.allow(**ALLOWED)
    made = await ask(home.client, "keys/create_own", name="Laptop", labels=["Study", "Laptop"])
    assert (await post_chat(await hass_client_no_auth(), key=made["key"]))[0] == 200
    found = await ask(home.client, "keys")
    (key,) = found["keys"]
    assert made["key"] not in str(found)
    assert {name: key[name] for name in ALLOWED if name in key} == {
        name: ALLOWED[name] for name in ALLOWED if name not in ("limit", "valid_days", "monthly_budget")
    }
    assert (key["user_id"], key["labels"], key["requests_month"]) == (home.user.id, ["Laptop", "Study"], 1)
    (stored,) = (one for one in home.store.keys if one.id == key["key_id"])
    assert stored.expires is not None
    assert round((stored.expires - stored.created) / 86_400) == 30
    (budget,) = home.store.budgets.of(Scope.USER, home.user.id)
    assert (budget.amount, budget.period) == (5 * NANO, Period.MONTH)
    own = found["own"]
    assert (own["refusal"], own["used"], [budget["amount"] for budget in own["budgets"]]) == (None, 1, [5.0])


async def test_own_keys_a_new_key_brings_no_new_budget(home: Home) -> None:
    await home.allow(**ALLOWED)
    await home.store.budgets.set(Scope.USER, home.user.id, NANO, Period.MONTH)
    await ask(home.client, "keys/create_own", name="Laptop")
    assert [budget.amount for budget in home.store.budgets.of(Scope.USER, home.user.id)] == [NANO]


async def test_own_keys_beyond_the_number_are_refused_in_one_sentence(home: Home) -> None:
    await home.allow(limit=1)
    await home.store.keys.create("From the owner", user_id=home.user.id)
    assert (await home.own())["refusal"] == "limit"
    refused = ("too_many_keys", "You have 1 API key, and may have no more. Revoke one first.")
    assert await home.refusal("keys/create_own", name="Laptop") == refused
    (mine,) = (await ask(home.client, "keys"))["keys"]
    await ask(home.client, "keys/enable", key_id=mine["key_id"], enabled=False)
    assert await home.refusal("keys/create_own", name="Laptop") == refused
    await ask(home.client, "keys/revoke", key_id=mine["key_id"])
    await ask(home.client, "keys/create_own", name="Laptop")


async def test_own_keys_created_at_the_same_time_do_not_exceed_the_number(
    hass: HomeAssistant, home: Home, hass_ws_client: WebSocketGenerator, hass_read_only_access_token: str
) -> None:
    await home.allow(limit=3)
    clients = [await hass_ws_client(hass, hass_read_only_access_token) for _ in range(4)]
    for client in clients:
        for number in range(5):
            await client.send_json_auto_id({"type": "zeroconf_ai/keys/create_own", "name": f"Key {number}"})
    answers = [await client.receive_json() for client in clients for _ in range(5)]
    made = [answer["result"]["key"] for answer in answers if answer["success"]]
    assert len(set(made)) == len(made) == 3
    assert {answer["error"]["code"] for answer in answers if not answer["success"]} == {"too_many_keys"}
    assert sum(key.user_id == home.user.id for key in home.store.keys) == 3


async def test_own_keys_user_renames_labels_disables_and_enables_his_own(
    home: Home, hass_client_no_auth: ClientSessionGenerator
) -> None:
    await home.allow(limit=1)
    made = await ask(home.client, "keys/create_own", name="Laptop")
    changed = await ask(home.client, "keys/update_own", key_id=made["key_id"], name="Desk", labels=["Study"])
    assert (changed["name"], changed["labels"]) == ("Desk", ["Study"])
    code, sentence = await home.refusal("keys/update_own", key_id=made["key_id"], labels=["a,b"])
    assert (code, sentence) == ("invalid_format", "A label must have at most 50 characters and no comma.")
    client = await hass_client_no_auth()
    for enabled, status in ((False, 403), (True, 200)):
        await ask(home.client, "keys/enable", key_id=made["key_id"], enabled=enabled)
        assert (await post_chat(client, key=made["key"]))[0] == status


async def test_own_keys_user_does_not_enable_what_an_administrator_disabled(
    hass: HomeAssistant, home: Home, hass_ws_client: WebSocketGenerator
) -> None:
    await home.allow(limit=1)
    made = await ask(home.client, "keys/create_own", name="Laptop")
    administrator = await hass_ws_client(hass)
    await ask(administrator, "keys/enable", key_id=made["key_id"], enabled=False)
    # Disabling it again does not make it the user's own doing.
    await ask(home.client, "keys/enable", key_id=made["key_id"], enabled=False)
    (mine,) = (await ask(home.client, "keys"))["keys"]
    assert (mine["enabled"], mine["disabled_by_owner"]) == (False, False)
    assert (await home.refusal("keys/enable", key_id=made["key_id"], enabled=True))[0] == "disabled_by_administrator"
    await ask(administrator, "keys/enable", key_id=made["key_id"], enabled=True)
    assert (await ask(home.client, "keys"))["keys"][0]["enabled"]


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        ("update_own", {"name": "Mine"}),
        ("enable", {"enabled": False}),
        ("enable", {"enabled": True}),
        ("rotate", {}),
        ("revoke", {}),
    ],
)
async def test_own_keys_of_somebody_else_are_out_of_reach(home: Home, command: str, fields: dict[str, Any]) -> None:
    await home.allow(limit=5)
    (first,) = home.store.keys
    other, _ = await home.store.keys.create("Other", user_id="somebody")
    for key in (first, other):
        assert (await home.refusal(f"keys/{command}", key_id=key.id, **fields))[0] == "not_found"
    assert [(key.name, key.enabled, key.prefix) for key in home.store.keys] == [
        (key.name, True, key.prefix) for key in (first, other)
    ]
    assert (await ask(home.client, "keys"))["keys"] == []


@pytest.mark.parametrize(
    "field",
    [{"user_id": "x"}, {"endpoints": ["admin"]}, {"models": []}, {"expires": None}, {"parallel": None}, {"monthly_budget": 1}],
)
async def test_own_keys_user_sets_no_limits_himself(home: Home, field: dict[str, Any]) -> None:
    await home.allow(**ALLOWED)
    assert (await home.refusal("keys/create_own", name="Laptop", **field))[0] == "invalid_format"
    made = await ask(home.client, "keys/create_own", name="Laptop")
    assert (await home.refusal("keys/update_own", key_id=made["key_id"], **field))[0] == "invalid_format"


async def test_blocked_user_is_refused_everywhere_until_unblocked(
    home: Home, hass_client_no_auth: ClientSessionGenerator, hass_read_only_access_token: str
) -> None:
    await home.allow(limit=5)
    made = await ask(home.client, "keys/create_own", name="Laptop")
    client = await hass_client_no_auth()
    await home.allow(limit=5, blocked=[home.user.id])
    for key in (made["key"], hass_read_only_access_token):
        response = await client.get("/v1/models", headers=bearer(key))
        error = (await response.json())["error"]
        assert (response.status, error["code"]) == (403, "user_blocked")
        assert error["message"] == "An administrator has blocked this user. Ask an administrator."
    upload = await client.post("/api/zeroconf_ai/images", headers=bearer(hass_read_only_access_token), data=b"")
    assert (upload.status, (await upload.json())["error"]["code"]) == (403, "user_blocked")
    own = await home.own()
    assert (own["refusal"], own["administrators"]) == ("blocked", ["Anna"])
    assert (await home.refusal("keys/create_own", name="More"))[0] == "user_blocked"
    conversation = (await ask(home.client, "chat/create"))["conversation_id"]
    assert (await home.refusal("chat/send", conversation_id=conversation, text="Hello"))[0] == "user_blocked"
    assert (await home.refusal("chat/retry", conversation_id=conversation))[0] == "user_blocked"
    await ask(home.client, "keys/enable", key_id=made["key_id"], enabled=False)
    assert (await home.refusal("keys/enable", key_id=made["key_id"], enabled=True))[0] == "disabled_by_administrator"
    await home.allow(limit=5)
    await ask(home.client, "keys/enable", key_id=made["key_id"], enabled=True)
    assert (await post_chat(client, key=made["key"]))[0] == 200


async def test_blocked_administrator_is_not_blocked(
    home: Home, hass_admin_user: MockUser, hass_client_no_auth: ClientSessionGenerator
) -> None:
    _, secret = await home.store.keys.create("Mine", user_id=hass_admin_user.id)
    await home.allow(limit=0, blocked=[hass_admin_user.id])
    assert (await post_chat(await hass_client_no_auth(), key=secret))[0] == 200


async def test_own_keys_show_a_spent_budget_that_stops_requests(home: Home) -> None:
    await home.store.budgets.set(Scope.USER, home.user.id, 0, Period.DAY, action=Action.REFUSE)
    await home.store.budgets.set(Scope.HOUSEHOLD, None, 0, Period.MONTH, action=Action.REFUSE)
    own = await home.own()
    assert [(budget["scope"], budget["period"]) for budget in own["exhausted"]] == [("user", "day"), ("household", "month")]
    assert all("amount" not in budget for budget in own["exhausted"])
    assert [budget["scope"] for budget in own["budgets"]] == ["user"]


async def test_own_keys_of_all_users_are_seen_by_an_administrator_with_their_owners(
    hass: HomeAssistant, home: Home, hass_ws_client: WebSocketGenerator
) -> None:
    await home.allow(limit=1)
    await ask(home.client, "keys/create_own", name="Laptop")
    found = await ask(await hass_ws_client(hass), "keys")
    assert found["own"] is None
    assert [(key["name"], key["user_name"]) for key in found["keys"]] == [("First key", None), ("Laptop", home.user.name)]


async def test_key_of_any_kind_is_created_and_changed_by_an_administrator(
    hass: HomeAssistant, home: Home, hass_ws_client: WebSocketGenerator
) -> None:
    client = await hass_ws_client(hass)
    limits = {"requests_per_minute": 10, "tokens_per_minute": 1000, "parallel": 1}
    more = {"models": ["a*"], "endpoints": ["chat"], "background": True, "home_only": True, "labels": ["Kitchen"]}
    expires = 4_102_444_800.0
    made = await ask(
        client, "keys/create", name="Tablet", user_id=home.user.id, expires=expires, monthly_budget=2.5, **limits, **more
    )
    wanted = {"user_id": home.user.id, **limits, **more, "expires": "2100-01-01T00:00:00+00:00"}
    assert {name: made[name] for name in wanted} == wanted
    listed = next(key for key in (await ask(client, "keys"))["keys"] if key["name"] == "Tablet")
    assert [budget["amount"] for budget in listed["budgets"]] == [2.5]
    changed = await ask(
        client, "keys/update", key_id=made["key_id"], parallel=None, user_id=None, expires=None, monthly_budget=None
    )
    kept = {**wanted, "parallel": None, "user_id": None, "expires": None, "name": "Tablet"}
    assert {name: changed[name] for name in kept} == kept
    assert home.store.budgets.of(Scope.KEY, made["key_id"]) == ()
    for wrong, code in (
        ({"expires": 1.0}, "invalid_format"),
        ({"expires": 1e300}, "invalid_format"),
        ({"parallel": 0}, "invalid_format"),
        ({"endpoints": ["admin"]}, "invalid_format"),
        ({"labels": ["x" * 51]}, "invalid_format"),
        ({"user_id": "nobody"}, "not_found"),
    ):
        await client.send_json_auto_id({"type": "zeroconf_ai/keys/update", "key_id": made["key_id"], **wrong})
        answer = await client.receive_json()
        assert answer["error"]["code"] == code, wrong
