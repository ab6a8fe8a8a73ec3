"""Every form and menu in a real browser: no text is missing, and texts of providers do not become markup."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
import re
from typing import Any

from aiohttp import web
from playwright.async_api import Page, Request, Route
from zeroconf.asyncio import AsyncZeroconf

from devhome.browser import open_browser, show
from devhome.client import HomeClient, Json, eventually, flow_path
from devhome.gateway import add_gateway
from devhome.home import Home
from devhome.namespaces import Lan
from tests.support.fakes.provider import FakeProvider, running, serving
from zeroconf_ai.protocol.record import SATURN_TYPE

from .advertised import info, record_of_tester
from .steps import DOMAIN, add, discovered

SHOWN = """() => {
  const texts = [];
  const read = node => {
    if (node.nodeType === Node.TEXT_NODE) texts.push(node.textContent);
    if (["STYLE", "SCRIPT"].includes(node.tagName)) return;
    for (const name of ["label", "heading", "placeholder", "helper"]) {
      if (typeof node[name] === "string") texts.push(node[name]);
    }
    if (node.shadowRoot) read(node.shadowRoot);
    node.childNodes.forEach(read);
  };
  document.querySelector("home-assistant").shadowRoot.querySelectorAll("dialog-data-entry-flow").forEach(read);
  return texts.map(text => text.trim()).filter(text => text);
}"""
"""Every text in the dialog of a flow, through all shadow trees."""
FAULT = re.compile(r"formatjs|MISSING_VALUE|Translation \[|component\.\w+\.|\{\w+\}|(?m:^[a-z]+(?:_[a-z0-9]+)+$)")
"""An error of formatjs, a raw key, a placeholder without value, the name of a field."""
VALUES = frozenset({"auto", "balanced", "fast", "smart"})
"""Model names, which are shown unchanged."""

type Open = Callable[[], Awaitable[Any]]


@dataclass
class Walk:
    """Goes through flows by the API and keeps their steps."""

    client: HomeClient
    steps: list[tuple[str, Json]] = field(default_factory=list)

    async def go(self, opener: str, handler: str | list[str], *inputs: Json, kind: str = "", **context: Any) -> Json:
        """Start a flow, answer its steps one after the other, and leave it. Returns the last step."""
        step = await self.client.start_flow(handler, kind=kind, **context)
        self.keep(opener, step)
        for given in inputs:
            step = await self.client.continue_flow(step["flow_id"], given, kind=kind)
            self.keep(opener, step)
        if step["type"] in ("form", "menu"):
            await self.client.rest("DELETE", f"{flow_path(kind)}/{step['flow_id']}")
        return step

    def keep(self, opener: str, step: Json) -> None:
        """Store a step that has texts."""
        if step["type"] in ("form", "menu", "abort"):
            self.steps.append((opener, step))


@dataclass
class Dialog:
    """Shows the API's steps in the dialog of Home Assistant's frontend and collects their faults."""

    page: Page
    step: Json = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    async def answer(self, route: Route, request: Request) -> None:
        """Answer the frontend's request for a flow with the step that is to be shown."""
        await route.fulfill(json={} if request.method == "DELETE" else self.step)

    async def read(self, name: str, step: Json, opening: Open) -> None:
        """Show a step, read it, and close the dialog."""
        self.step = step
        await opening()
        dialog = self.page.locator("dialog-data-entry-flow")
        await dialog.locator(f"step-flow-{step['type']}").wait_for(state="attached")
        await dialog.locator("ha-markdown, ha-form, ha-list-item").first.wait_for(state="attached")
        await self.page.wait_for_load_state("networkidle")
        texts: list[str] = await self.page.evaluate(SHOWN)
        fields = {item["name"] for item in _fields(step.get("data_schema") or [])}
        options = step.get("menu_options") or []
        raw = (fields | set(options)) - VALUES
        title = f"{name}: {step.get('step_id') or step.get('reason')}"
        self.faults += [f"{title}: {text!r}" for text in texts if FAULT.search(text) or text in raw]
        assert len(texts) > 1, title
        await self.page.keyboard.press("Escape")
        await dialog.locator("ha-dialog").wait_for(state="detached")


def _fields(schema: list[Json]) -> list[Json]:
    """The fields of a form, those of its sections included."""
    return [inner for item in schema for inner in (item, *_fields(item.get("schema") or []))]


async def test_markup_of_a_provider_is_text_in_every_dialog(
    home: Home, client: HomeClient, provider: FakeProvider, network: AsyncZeroconf
) -> None:
    fetched: list[str] = []

    async def spy(request: web.BaseRequest) -> web.Response:
        fetched.append(request.path)
        return web.Response(body=b"", content_type="image/png")

    async with serving(spy) as port, open_browser(home.url, home.login.token) as page:
        evil = f"http://127.0.0.1:{port}"  # where the browser would reach it
        page.on("request", lambda request: fetched.append(request.url) if request.url.startswith(evil) else None)
        name = f"![n]({evil}/n)<img src={evil}>"  # at most 63 bytes
        models = (f"![m]({evil}/m)", f"<img src='{evil}/h'>", f"[Sign in]({evil}/l)", f"{evil}/a")
        provider.models = [{"id": model} for model in models]
        record = record_of_tester(provider, name=name, models=models[:1])
        await (await network.async_register_service(info(record)))
        await discovered(client, name)
        await show(page, f"{home.url}/config/integrations/dashboard")
        await page.get_by_role("button", name="Add", exact=True).click()
        await page.get_by_text("Your prompts are processed").wait_for()
        dialog = page.locator("dialog-data-entry-flow")
        shown: list[str] = await page.evaluate(SHOWN)
        assert name in shown
        assert f"Models: {', '.join(models)}" in shown
        assert await dialog.locator("ha-markdown").locator("img, a").count() == 0
        await page.get_by_role("button", name="Submit").click()
        await page.get_by_role("button", name="Skip and finish").click()

        async def vanished() -> Json | None:
            issues = (await client.call("repairs/list_issues"))["issues"]
            return next((issue for issue in issues if issue["translation_key"] == "model_vanished"), None)

        provider.models = [{"id": "other"}]
        await network.async_update_service(info(record_of_tester(provider, name=name, models=("other",))))
        await eventually(vanished, timeout=10)
        await show(page, f"{home.url}/config/repairs")
        await page.get_by_text("is no longer available").first.click()
        await page.get_by_text("no longer offers").wait_for()
        assert any(text.startswith(f"{name} no longer offers {models[0]}") for text in await page.evaluate(SHOWN))
        assert await dialog.locator("ha-markdown").locator("img, a").count() == 0
        await page.wait_for_load_state("networkidle")
        assert fetched == []


async def test_flow_forms_and_menus_have_all_texts(
    home: Home, client: HomeClient, lan: Lan, provider: FakeProvider, network: AsyncZeroconf
) -> None:
    walk = Walk(client)
    add_service, configure = "Add service", "Configure"
    pages = {"conversation": "Change conversation agent", "ai_task_data": "Change AI task", "backend": "Add backend"}
    pages["home_agent"] = "Share a Home Assistant agent"
    wrong_address: Json = {"host": "http://", "advanced": {}}
    closed: Json = {"host": f"{lan.host('tester').ipv4}:9", "advanced": {}}

    # The config flow, before and after there is a provider and a gateway.
    await walk.go(add_service, DOMAIN, {"next_step_id": "provider"}, wrong_address, closed)
    await walk.go(add_service, DOMAIN, {"next_step_id": "gateway"}, {"name": "House", "auth": "none"})
    await walk.go(add_service, DOMAIN, {"next_step_id": "gateway"}, {"name": "House"})
    for cloud in ("anthropic", "gemini"):
        await walk.go(add_service, DOMAIN, {"next_step_id": cloud})
    provider.key = "old"
    await (await network.async_register_service(info(record_of_tester(provider))))
    card = await discovered(client, "Tester")
    walk.keep(add_service, await client.rest("GET", f"{flow_path('')}/{card['flow_id']}"))
    entry_id = await add(client, "Tester", "old")
    gateway = (await add_gateway(client)).entry_id
    await walk.go(add_service, DOMAIN, wrong_address, entry_id=entry_id)
    await walk.go(add_service, DOMAIN, {"name": "House", "auth": "none"}, entry_id=gateway)

    # Options.
    await walk.go(configure, entry_id, kind="options")
    for option in ("settings", "models", "budgets", "exchange_rates", "alerts", "database"):
        await walk.go(configure, gateway, {"next_step_id": option}, kind="options")
    await walk.go(configure, gateway, {"next_step_id": "import"}, {"yaml": "- nonsense"}, kind="options")
    for model in ("new", "auto"):
        await walk.go(configure, gateway, {"next_step_id": "models"}, {"id": model}, kind="options")
    await walk.go(configure, gateway, {"next_step_id": "keys"}, {"id": "new"}, kind="options")
    keys = await walk.go(configure, gateway, {"next_step_id": "keys"}, kind="options")
    key = keys["data_schema"][0]["selector"]["select"]["options"][0]["value"]
    for act in ("key_edit", "key_revoke"):
        await walk.go(configure, gateway, {"next_step_id": "keys"}, {"id": key}, {"next_step_id": act}, kind="options")
    rotate: list[Json] = [{"next_step_id": "keys"}, {"id": key}, {"next_step_id": "key_rotate"}, {"overlap": 1}]
    await walk.go(configure, gateway, *rotate, kind="options")
    budget: list[Json] = [{"next_step_id": "budgets"}, {"id": "new"}]
    await walk.go(configure, gateway, *budget, {"whose": "household", "period": "month", "amount": 5}, kind="options")
    budgets = await walk.go(configure, gateway, {"next_step_id": "budgets"}, kind="options")
    known = budgets["data_schema"][0]["selector"]["select"]["options"][0]["value"]
    await walk.go(configure, gateway, {"next_step_id": "budgets"}, {"id": known}, kind="options")

    # New and existing subentries.
    connection: Json = {"base_url": provider.base_url, "api_key": "old", "advanced": {}}
    menu = await walk.go(pages["backend"], [gateway, "backend"], kind="subentries")
    for backend in menu["menu_options"]:
        await walk.go(pages["backend"], [gateway, "backend"], {"next_step_id": backend}, kind="subentries")
    chosen: Json = {"next_step_id": "openai_compatible"}
    await walk.go(pages["backend"], [gateway, "backend"], chosen, {**connection, "base_url": "x://"}, kind="subentries")
    details: Json = {"name": "Engine", "routing": {}, "limits": {}, "costs": {}}
    # The address is the provider's, of which the form warns once.
    await walk.go(pages["backend"], [gateway, "backend"], chosen, connection, connection, details, kind="subentries")
    for kind in ("conversation", "ai_task_data", "home_agent"):
        await walk.go(pages[kind], [gateway, kind], kind="subentries")
    for entry in (entry_id, gateway):
        for subentry in await client.call("config_entries/subentries/list", entry_id=entry):
            handler = [entry, subentry["subentry_type"]]
            opener = pages[subentry["subentry_type"]]
            await walk.go(opener, handler, kind="subentries", subentry_id=subentry["subentry_id"])

    # Steps that need the user: another provider of the same name, a vanished model, a refused key.
    async with running(FakeProvider(id="22222222-2222-4222-8222-222222222222", host=provider.host)) as other:
        await (await network.async_register_service(info(record_of_tester(other), SATURN_TYPE)))
        card = await discovered(client, "Tester")
        walk.keep(add_service, await client.rest("GET", f"{flow_path('')}/{card['flow_id']}"))
        found = await walk.go(add_service, DOMAIN, {"next_step_id": "provider"})
        assert found["step_id"] == "found"
        await client.rest("DELETE", f"{flow_path('')}/{card['flow_id']}")  # else the frontend offers it in place of a new flow
    provider.models = [{"id": "other-model"}]
    await network.async_update_service(info(record_of_tester(provider, models=("other-model",))))
    repairs: list[tuple[str, Json]] = []

    async def vanished() -> Json | None:
        issues = (await client.call("repairs/list_issues"))["issues"]
        return next((issue for issue in issues if issue["translation_key"] == "model_vanished"), None)

    issue = await eventually(vanished, timeout=10)
    assert issue is not None
    step = await client.rest("POST", "/api/repairs/issues/fix", {"handler": DOMAIN, "issue_id": issue["issue_id"]})
    repairs.append(("is no longer available", step))
    provider.key, provider.open_health = "new", False
    await network.async_update_service(info(record_of_tester(provider, models=("other-model", "third-model"))))

    async def reauth() -> Json | None:
        flows = await client.flows_in_progress(DOMAIN)
        return next((flow for flow in flows if flow["context"]["source"] == "reauth"), None)

    flow = await eventually(reauth, timeout=10)
    assert flow is not None
    walk.keep(add_service, await client.rest("GET", f"{flow_path('')}/{flow['flow_id']}"))

    async with open_browser(home.url, home.login.token) as page:
        dialog = Dialog(page)
        for path in ("config/config_entries/**/flow", "config/config_entries/flow", "repairs/issues/fix"):
            for pattern in (f"**/api/{path}", f"**/api/{path}/*"):
                await page.route(pattern, dialog.answer)
        await show(page, f"{home.url}/config/integrations/integration/{DOMAIN}")
        for opener, step in walk.steps:
            await dialog.read(opener, step, page.get_by_role("button", name=opener, exact=True).first.click)
        await show(page, f"{home.url}/config/repairs")
        for words, step in repairs:
            await dialog.read(words, step, page.get_by_text(words).first.click)
    assert dialog.faults == []
    assert len({(opener, step.get("step_id")) for opener, step in walk.steps}) > 40
