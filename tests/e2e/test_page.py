"""The page in the sidebar of a real Home Assistant, in a real browser. Its screenshots in docs/images are for the README."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
import json
from pathlib import Path
import re
import shlex
from typing import Any

import aiohttp
from openai import AsyncOpenAI
from playwright.async_api import ConsoleMessage, Page, Route
import pytest
import pytest_asyncio

from devhome.browser import open_browser, screenshot, show
from devhome.namespaces import Lan
from devhome.onboarding import Login, renewed

from .gateway_home import GatewayHome, gateway_home
from .sdks import CHAT_MODEL, VISION_MODEL

pytestmark = pytest.mark.asyncio(loop_scope="module")

IMAGES = Path(__file__).parents[2] / "docs" / "images"
FRONTEND = Path(__file__).parents[2] / "frontend"
AXE = FRONTEND / "node_modules" / "axe-core" / "axe.min.js"
ACCESSIBLE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
TABS = ("Overview", "Chat", "Providers", "Usage", "Requests", "API keys", "Budgets", "Models", "Why this provider?")
HOSTILE = '"><img src=x onerror=alert(1)><b>[x](javascript:alert(1))![](http://192.0.2.1/x.png)'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(lan: Lan, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayHome]:
    async with gateway_home(lan, tmp_path_factory.mktemp("page")) as made:
        await chat(made, made.gateway.key, CHAT_MODEL, CHAT_MODEL, VISION_MODEL)
        yield made


async def chat(site: GatewayHome, key: str, *models: str) -> None:
    """Send one request to each of the models."""
    async with AsyncOpenAI(base_url=f"{site.address.url}/v1", api_key=key, max_retries=0) as client:
        for model in models:
            await client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hello"}])


@asynccontextmanager
async def browser(site: GatewayHome, token: str | None = None, **window: Any) -> AsyncGenerator[Page]:
    """The page, logged in as the owner or with a token. Errors, in the console too, and requests to other hosts fail the test."""
    errors: list[str] = []
    foreign: list[str] = []

    def requested(url: str) -> None:
        if not url.startswith((site.home.url, "data:", "blob:")):
            foreign.append(url)

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "/zeroconf_ai_page/" in message.location["url"]:
            errors.append(message.text)

    async with open_browser(site.home.url, token or site.home.login.token, **window) as page:
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", said)
        page.on("request", lambda request: requested(request.url))
        await show(page, f"{site.home.url}/zeroconf-ai")
        yield page
    assert errors == []
    assert foreign == []


async def open_tab(page: Page, name: str) -> None:
    """Open a tab."""
    tab = page.get_by_role("navigation", name="Sections").get_by_role("link", name=name, exact=True)
    await tab.click()
    await tab.and_(page.locator("[aria-current=page]")).wait_for()
    await page.wait_for_load_state("networkidle")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 360])
async def test_page_every_tab_is_accessible_and_as_wide_as_the_window(site: GatewayHome, width: int, dark: bool) -> None:
    async with browser(site, width=width, height=800, dark=dark) as page:
        await page.add_script_tag(path=AXE)
        for name in TABS:
            await open_tab(page, name)
            found = await page.locator("zai-page").evaluate("(element, rules) => axe.run(element, rules)", ACCESSIBLE)
            assert [(one["id"], one["nodes"][0]["html"], one["nodes"][0]["failureSummary"]) for one in found["violations"]] == []
            assert await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
            if (name, width) == ("Providers", 1280):
                await screenshot(page, IMAGES / "page-providers.png")


def home_elements() -> list[str]:
    """The names of Home Assistant's elements that the page uses, from the one file that has them."""
    source = (FRONTEND / "src" / "elements.ts").read_text()
    return re.findall(r'"(ha-[a-z-]+)"', source.partition("HOME_ELEMENTS")[2].partition("}")[0])


async def test_page_elements_of_home_assistant_are_there_and_used(site: GatewayHome) -> None:
    names = home_elements()
    assert len(names) > 3
    async with browser(site, width=360) as page:
        await page.get_by_role("status").get_by_text("nothing waits").wait_for()
        missing = await page.evaluate("names => names.filter(name => customElements.get(name) === undefined)", names)
        assert missing == []
        drawn = page.locator("zeroconf-ai-panel")
        for name in ("ha-card", "ha-switch", "ha-menu-button"):
            await drawn.locator(name).first.wait_for()
        await page.get_by_role("switch", name="Home only").press("Space")
        await page.get_by_text("No request leaves the home").wait_for()
        await page.get_by_role("switch", name="Home only").press("Space")
        await page.get_by_text("Turn on to keep every request").wait_for()


async def test_page_of_a_frontend_without_these_elements_is_plain_and_works(site: GatewayHome) -> None:
    names = home_elements()

    async def renamed(route: Route) -> None:
        response = await route.fetch()
        text = await response.text()
        for name in names:
            text = text.replace(f"`{name}`", f"`{name}-of-another-version`")
        await route.fulfill(response=response, body=text)

    async with open_browser(site.home.url, site.home.login.token, width=360, height=800) as page:
        await page.route("**/zeroconf_ai_page/*.js*", renamed)
        await show(page, f"{site.home.url}/zeroconf-ai")
        await page.get_by_role("status").get_by_text("nothing waits").wait_for()
        panel = page.locator("zeroconf-ai-panel")
        for name in names:
            assert await panel.locator(name).count() == 0
        await page.get_by_role("switch", name="Home only").press("Space")
        await page.get_by_text("No request leaves the home").wait_for()
        await page.get_by_role("switch", name="Home only").press("Space")
        await page.get_by_text("Turn on to keep every request").wait_for()
        await page.get_by_role("button", name="Menu").click()
        await page.get_by_role("link", name="Settings").wait_for()


async def test_page_shows_who_answered_what_it_cost_and_why(site: GatewayHome) -> None:
    async with browser(site) as page:
        await page.get_by_role("status").get_by_text(f"Attic answers with {VISION_MODEL}; nothing waits").wait_for()
        await open_tab(page, "Usage")
        await page.get_by_role("row", name=re.compile(rf"^{re.escape(CHAT_MODEL)} ")).wait_for()
        await page.get_by_role("img", name=re.compile("^Usage from")).wait_for(state="attached")
        await open_tab(page, "Requests")
        await page.get_by_role("row").nth(1).get_by_role("button").click()
        await page.get_by_text("Time to first token").wait_for()
        await open_tab(page, "Why this provider?")
        await page.get_by_label("Request").fill("Hello")
        await page.get_by_label("Model", exact=True).fill(CHAT_MODEL)
        await page.get_by_role("button", name="Show the plan").click()
        first = page.get_by_role("listitem").filter(has_text="Cloud")
        await first.get_by_text("at most").wait_for()
        body = json.dumps({"model": VISION_MODEL, "messages": [{"role": "user", "content": 'It\'s "five"'}]})
        head = f"curl {site.address.url}/v1/chat/completions \\\n  -H 'Authorization: Bearer {site.gateway.key}'"
        curl = f"{head} \\\n  -d {shlex.quote(body)}"
        await page.get_by_label("Request").fill(curl)
        await page.get_by_label("Ask as").select_option("Nobody in particular")
        await page.get_by_role("button", name="Show the plan").click()
        await page.get_by_text(f"A curl command that asks the model {VISION_MODEL}.").wait_for()
        await page.get_by_role("listitem").filter(has_text="Attic").wait_for()
        assert len(site.openai.bodies("/v1/chat/completions")) == 2


async def test_page_models_chain_is_made_and_reordered_by_keyboard_and_changes_the_plan(site: GatewayHome) -> None:
    async with browser(site, width=1280, height=1200) as page:
        await open_tab(page, "Models")
        await page.get_by_role("row", name=re.compile(rf"^{re.escape(CHAT_MODEL)} Cloud")).wait_for()
        await page.get_by_label("Name", exact=True).fill("smart")
        await page.get_by_label("First model").fill(CHAT_MODEL)
        await page.get_by_role("button", name="Create").click()
        card = page.get_by_role("region", name="smart")
        await card.get_by_text(f"Now: Cloud answers with {CHAT_MODEL}.").wait_for()
        await card.get_by_label("Another model").fill(VISION_MODEL)
        await card.get_by_role("button", name="Add").click()
        up = card.get_by_role("button", name=f"Move {VISION_MODEL} up")
        await up.focus()
        await page.keyboard.press("Enter")
        await card.get_by_text(f"Now: Attic answers with {VISION_MODEL}.").wait_for()
        await card.get_by_role("button", name=f"Move {VISION_MODEL} down").and_(page.locator(":focus")).wait_for()
        await card.get_by_label("Strategy").select_option("The cheapest provider answers.")
        await card.get_by_role("button", name="Delete smart").click()
        await card.wait_for(state="detached")


async def test_page_budget_is_made_changed_and_removed_and_a_test_alert_is_sent(site: GatewayHome) -> None:
    async with browser(site, width=1280, height=1200) as page:
        await open_tab(page, "Budgets")
        await page.get_by_role("combobox", name=re.compile("^For")).select_option("Person")
        await page.get_by_role("combobox", name=re.compile("^Person")).select_option(index=0)
        await page.get_by_label("Amount").fill("5")
        await page.get_by_label("Alert at (per cent)").fill("50, 90")
        await page.get_by_role("button", name="Save budget").click()
        await page.get_by_text(re.compile(r"0\.00 of \D*5\.00 spent")).wait_for()
        await page.get_by_text("Alerts at 50, 90 %").wait_for()
        await page.get_by_role("button", name="Change:").click()
        await page.get_by_label("Amount").first.fill("7.5")
        await page.get_by_role("button", name="Save budget").first.click()
        await page.get_by_text(re.compile(r"0\.00 of \D*7\.50 spent")).wait_for()
        await page.get_by_role("button", name="Remove:").click()
        await page.get_by_role("button", name="Remove", exact=True).click()
        await page.get_by_text(re.compile(r"0\.00 of \D*7\.50 spent")).wait_for(state="detached")
        await page.get_by_label("Providers that do not answer").check()
        await page.get_by_role("button", name="Save alerts").click()
        await page.get_by_text("Saved.").wait_for()
        await page.get_by_role("button", name="Send a test alert").click()
        await page.get_by_text("Home Assistant: delivered").wait_for()


async def test_page_created_key_is_shown_once_and_its_name_stays_text(site: GatewayHome) -> None:
    async with browser(site) as page:
        await open_tab(page, "API keys")
        await page.get_by_label("Name").fill(HOSTILE)
        await page.get_by_role("button", name="Create API key").click()
        await page.get_by_text("This API key is shown only now").wait_for()
        key = (await page.locator("pre").first.inner_text()).strip()
        await chat(site, key, CHAT_MODEL)
        await page.get_by_role("button", name="Done").click()
        await page.get_by_role("cell", name=HOSTILE).wait_for()
        await open_tab(page, "Requests")
        await page.get_by_role("cell", name=HOSTILE).wait_for()
        assert key not in await page.content()
        assert await page.locator("zai-page img").count() == 0


async def test_page_budget_is_set_and_shown_on_the_overview(site: GatewayHome) -> None:
    async with browser(site) as page:
        await open_tab(page, "Budgets")
        await page.get_by_label("Amount").fill("5")
        await page.get_by_role("button", name="Save budget").click()
        await page.get_by_text(re.compile(r"of \D*5\.00 spent")).wait_for()
        await open_tab(page, "Overview")
        await page.get_by_role("meter").wait_for()


async def test_page_of_a_user_has_his_own_tabs_and_keys(site: GatewayHome) -> None:
    created = await site.client.call("config/auth/create", name="Guest", group_ids=["system-users"], local_only=False)
    login: dict[str, Any] = {"username": "guest", "password": "guest-of-the-tests"}
    await site.client.call("config/auth_provider/homeassistant/create", user_id=created["user"]["id"], **login)
    async with aiohttp.ClientSession() as session:
        guest = await renewed(session, site.home.url, Login(login["username"], login["password"], ""))
    async with browser(site, guest.token) as page:
        links = await page.get_by_role("navigation", name="Sections").get_by_role("link").all_inner_texts()
        assert links == ["Chat", "Usage", "Requests", "API keys"]
        await open_tab(page, "API keys")
        await page.get_by_text("You have no API key").wait_for()
        await page.get_by_text("Only administrators create API keys in this home.").wait_for()
        await page.get_by_text("Questions? Ask").wait_for()
        assert await page.get_by_role("button", name="Create API key").count() == 0
        await open_tab(page, "Requests")
        await page.get_by_text("No records match").wait_for()
        await allow_own_keys(site, limit=1)
        await open_tab(page, "API keys")
        await page.get_by_label("Name").fill("Laptop of the guest")
        await page.get_by_role("button", name="Create API key").click()
        await page.get_by_text("This API key is shown only now").wait_for()
        await chat(site, (await page.locator("pre").first.inner_text()).strip(), CHAT_MODEL)
        await page.get_by_role("button", name="Done").click()
        await page.get_by_text("You have as many API keys as you may have (1)").wait_for()
        await open_tab(page, "Requests")
        await page.get_by_role("cell", name="Laptop of the guest").wait_for()


async def allow_own_keys(site: GatewayHome, limit: int) -> None:
    """The owner lets users create API keys, with the form of the gateway's options."""
    menu = await site.client.start_flow(site.gateway.entry_id, kind="options")
    form = await site.client.continue_flow(menu["flow_id"], {"next_step_id": "own_keys"}, kind="options")
    assert form["step_id"] == "own_keys", form
    await site.client.continue_flow(menu["flow_id"], {"limit": limit, "background": False}, kind="options")
