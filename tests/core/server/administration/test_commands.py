"""The commands of the page of a server."""

from ipaddress import ip_address
import json
import time
from unittest.mock import ANY

from tests.support.fakes.upstream import StubBackend
from tests.support.server import KEY, served
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.generation import Generation, Outcome
from zeroconf_ai.lan.providers import Provider
from zeroconf_ai.lan.trust import Trust
from zeroconf_ai.protocol.record import ServiceRecord
from zeroconf_ai.protocol.status import ProviderState
from zeroconf_ai.protocol.usage import Usage
from zeroconf_ai.routing.policy import Policy
from zeroconf_ai.server.access.guard import Guard
from zeroconf_ai.server.administration.administration import Administration
from zeroconf_ai.server.administration.program import Program
from zeroconf_ai.server.gateway import Gateway

from .browser import MODEL, Browser, Site, event_of


async def test_administration_keys_are_created_disabled_rotated_and_revoked(owner: Browser, site: Site) -> None:
    status, made = await owner.ask("keys/create", {"name": "  Laptop\u202e "})
    assert (status, made["name"]) == (200, "Laptop")
    assert made["curl"].startswith(f"curl {owner.origin}/v1/chat/completions")
    assert made["key"] in made["python"]
    used = {"Authorization": f"Bearer {made['key']}"}
    assert (await site.server.ask("GET", "models", headers=used))[0] == 200
    (await owner.ask("keys/enable", {"key_id": made["key_id"], "enabled": False}))
    assert (await site.server.ask("GET", "models", headers=used))[0] == 403
    assert (await owner.ask("keys/enable", {"key_id": made["key_id"], "enabled": True}))[1]["enabled"] is True
    _, rotated = await owner.ask("keys/rotate", {"key_id": made["key_id"]})
    assert rotated["key"] != made["key"]
    _, listed = await owner.ask("keys")
    assert [key["name"] for key in listed["keys"]] == ["Owner", "Laptop"]
    assert (listed["base_url"], listed["authority"]) == (f"{owner.origin}/v1", None)
    assert rotated["key"] not in json.dumps(listed)
    assert await owner.ask("keys/revoke", {"key_id": made["key_id"]}) == (200, {})
    assert (await owner.ask("keys/revoke", {"key_id": made["key_id"]}))[0] == 404
    assert not any(key.admin for key in site.store.keys if key.name != "Owner")
    actors = {(event.act, event.actor) for event in await site.store.audit.list()}
    assert ("key.revoke", site.key_id) in actors


async def test_administration_keys_have_labels_and_limits_that_are_changed(owner: Browser, site: Site) -> None:
    limits = {"requests_per_minute": 10, "tokens_per_minute": 1000, "parallel": 1}
    hosted = {"home_only": True, "hosted_tools": ["web_search", "mcp"]}
    fields = {"labels": [" Kitchen "], "models": ["a*"], "endpoints": ["chat"], "background": True, **limits, **hosted}
    _, made = await owner.ask("keys/create", {"name": "Tablet", **fields, "expires": 4_102_444_800, "monthly_budget": 2.5})
    wanted = {**fields, "labels": ["Kitchen"], "expires": "2100-01-01T00:00:00+00:00"}
    assert {name: made[name] for name in wanted} == wanted
    for program in ("curl", "python", "javascript", "opencode", "open_webui", "claude_code", "continue"):
        assert made["key"] in made[program]
        assert owner.origin in made[program]
    (_, tablet) = (await owner.ask("keys"))[1]["keys"]
    assert [budget["amount"] for budget in tablet["budgets"]] == [2.5]
    nothing = dict.fromkeys(("parallel", "expires", "monthly_budget"))
    _, changed = await owner.ask("keys/update", {"key_id": made["key_id"], "name": "Desk", "labels": [], **nothing})
    kept = {**wanted, "name": "Desk", "labels": [], "parallel": None, "expires": None}
    assert {name: changed[name] for name in kept} == kept
    assert [key["budgets"] for key in (await owner.ask("keys"))[1]["keys"]] == [[], []]
    assert (await owner.ask("keys/update", {"key_id": "nobody", "name": "X"}))[0] == 404
    assert next(key for key in site.store.keys if key.name == "Owner").admin


async def test_administration_budget_is_set_reset_and_removed(owner: Browser, site: Site) -> None:
    named = {"scope": "household", "period": "month"}
    assert await owner.ask("budgets/set", {**named, "amount": 5, "action": "refuse"}) == (200, {})
    found = (await owner.ask("budgets"))[1]
    (budget,) = found["budgets"]
    assert found["currency"] == "USD"
    assert (budget["owner"], budget["amount"], budget["action"]) == ("Test gateway", 5, "refuse")
    assert await owner.ask("budgets/reset", named) == (200, {})
    key = {"scope": "key", "period": "day", "subject": site.key_id}
    assert await owner.ask("budgets/set", {**key, "amount": 0.5}) == (200, {})
    assert [budget["owner"] for budget in (await owner.ask("budgets"))[1]["budgets"]] == ["Test gateway", "Owner"]
    assert await owner.ask("budgets/remove", named) == (200, {})
    assert (await owner.ask("budgets/remove", named))[0] == 404


async def test_administration_usage_and_records_name_the_keys(owner: Browser, site: Site) -> None:
    laptop, _ = await site.store.keys.create("Laptop")
    for number in range(3):
        record = Generation(
            id=f"gen{number}",
            created=time.time(),
            source="http",
            kind="chat",
            requested_model="auto",
            model="m",
            backend_id="b",
            backend_name="B",
            usage=Usage(10, 5, 2, 1),
            cost=1_500_000_000,
            outcome=Outcome.OK,
            duration=2.0,
            key_id=laptop.id,
            caller="Laptop",
        )
        site.store.ledger.record(record)
    _, report = await owner.ask("usage", {"group_by": ["key"]})
    assert [(row["key_name"], row["requests"]) for row in report["rows"]] == [("Laptop", 3)]
    _, page = await owner.ask("requests", {"limit": 2, "key_id": laptop.id, "outcome": "ok"})
    assert [record["who"] for record in page["requests"]] == ["Laptop", "Laptop"]
    _, found = await owner.ask("requests", {"request_id": page["requests"][0]["id"]})
    assert found["requests"] == page["requests"][:1]
    _, rest = await owner.ask("requests", {"limit": 2, "after": page["next"]})
    assert (len(rest["requests"]), rest["next"]) == (1, None)
    _, hours = await owner.ask("usage", {"group_by": ["hour"]})
    assert hours["total"]["requests"] == 3


async def test_administration_why_and_check_answer_for_the_providers(owner: Browser) -> None:
    _, plan = await owner.ask("why", {"text": "Hello", "model": MODEL})
    assert [candidate["model"] for candidate in plan["candidates"]] == [MODEL]
    assert (await owner.ask("callers"))[1] == {"keys": [{"id": ANY, "name": "Owner"}], "users": []}
    models = (await owner.ask("models"))[1]
    assert (models["editable"], [model["id"] for model in models["models"]]) == (False, ["demo-embed", MODEL])
    backend_id = plan["candidates"][0]["backend_id"]
    assert await owner.ask("providers/check", {"backend_id": backend_id}) == (200, {})
    assert (await owner.ask("providers/check", {"backend_id": "nobody"}))[0] == 404


async def test_administration_of_one_shared_key_shows_load_and_no_records() -> None:
    async with served(key=KEY, administration=lambda gateway: Administration(gateway, None, KEY)) as server:
        browser = Browser(server, {})
        assert (await browser.ask("login", {"key": "zai_wrong"}))[0] == 401
        status, found = await browser.ask("login", {"key": KEY})
        assert (status, found) == (200, {"name": "", "records": False})
        async with browser.live() as response:
            assert json.loads((await event_of(response)).removeprefix("data: "))["members"][0]["models"]
        for command in ("keys", "budgets", "usage", "requests", "keys/create"):
            status, found = await browser.ask(command, {"name": "X"})
            assert (status, found["error"]["code"]) == (404, "not_recorded")


async def test_administrators_key_sees_the_usage_of_all_callers(site: Site) -> None:
    _, reader = await site.store.keys.create("Report", endpoints=("admin", "usage"))
    laptop, _ = await site.store.keys.create("Laptop")
    record = Generation(
        id="g",
        created=time.time(),
        source="http",
        kind="chat",
        requested_model="auto",
        outcome=Outcome.OK,
        key_id=laptop.id,
    )
    site.store.ledger.record(record)
    _, found, _ = await site.server.ask("GET", "usage?group_by=key", headers={"Authorization": f"Bearer {reader}"})
    assert [row["key"] for row in found["data"]] == [laptop.id]
    # The page's own key is for the page alone.
    assert (await site.server.ask("GET", "usage", headers={"Authorization": f"Bearer {site.secret}"}))[0] == 403


async def test_home_only_is_set_stored_and_told_to_the_page(store: AccountingStore) -> None:
    _, secret = await store.keys.create("Owner", endpoints=("admin",))
    saved: list[bool] = []

    def administration(gateway: Gateway) -> Administration:
        return Administration(gateway, store, program=Program(saved.append))

    async with served(access=Guard(store.keys), ledger=store.ledger, administration=administration) as server:
        owner = Browser(server, {})
        await owner.log_in(secret)
        assert await owner.ask("home_only", {"enabled": True}) == (200, {})
        assert (saved, server.gateway.engine.home_only) == ([True], True)
        assert (await owner.ask("home_only", {"enabled": "yes"}))[0] == 400
        server.gateway.engine.policy = Policy(home_only=True)
        status, found = await owner.ask("home_only", {"enabled": False})
        assert (status, found["error"]["code"]) == (400, "configured")
        assert "homeOnly" in found["error"]["message"]
        assert server.gateway.engine.home_only


async def test_discovered_providers_have_their_state_and_the_own_one_is_left_out(store: AccountingStore) -> None:
    _, secret = await store.keys.create("Owner", endpoints=("admin",))
    names = {"gateway-id": "Own", "new": "New", "used": "Used", "gone": "Gone", "changed": "Changed"}

    def provider(number: int, provider_id: str) -> Provider:
        address = ip_address(f"192.0.2.{number + 1}")
        record = ServiceRecord(names[provider_id], "box.local.", 8000, (address,), id=provider_id, models=("m",) * 20)
        state = ProviderState.OFFLINE if provider_id == "gone" else ProviderState.HEALTHY
        return Provider(record, Trust.CHANGED if provider_id == "changed" else Trust.NEW, state)

    async def scan() -> list[Provider]:
        return [provider(number, provider_id) for number, provider_id in enumerate(names)]

    used = StubBackend("lan:used")
    async with served(
        used,
        access=Guard(store.keys),
        ledger=store.ledger,
        administration=lambda gateway: Administration(gateway, store, program=Program(scan=scan)),
    ) as server:
        owner = Browser(server, {})
        await owner.log_in(secret)
        server.gateway.engine.own_id = "gateway-id"
        status, found = await owner.ask("discovered")
        assert status == 200
        assert [(one["name"], one["state"]) for one in found["providers"]] == [
            ("Changed", "changed"),
            ("New", "new"),
            ("Gone", "unanswered"),
            ("Used", "set_up"),
        ]
        assert len(found["providers"][0]["models"]) == 8
        assert (found["kinds"], found["gateway"]) == ([], None)
