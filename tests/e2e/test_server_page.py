"""The page of a real `zeroconf-ai serve` in a real browser."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
import json
from pathlib import Path
import re
import subprocess
from typing import Any

from openai import AsyncOpenAI
from playwright.async_api import Page
import pytest

from devhome.browser import open_browser
from devhome.namespaces import Lan
from tests.support.command import COMMAND, environment, serving

from .conftest import StartProvider
from .test_page import ACCESSIBLE, AXE, HOSTILE

MODEL = "demo-rules"
TABS = ("Overview", "Chat", "Providers", "Usage", "Requests", "API keys", "Budgets", "Models", "Why this provider?")
LOAD_TABS = ("Overview", "Providers", "Models", "Why this provider?")
SHARED = "zai_shared-example-key-of-these-tests"


@dataclass(frozen=True)
class Site:
    """A running server, the folder of its state, and the key of its administrator."""

    url: str
    state: Path
    key: str

    def keys(self, *arguments: str) -> str:
        """The output of `zeroconf-ai keys`."""
        command = [*COMMAND, "keys", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environment(self.state))
        return done.stdout.strip()


@pytest.fixture(scope="module")
def site(lan: Lan, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    state = tmp_path_factory.mktemp("served")
    key = Site("", state, "").keys("create", "Owner", "--endpoint", "admin")
    with serving(state, "--keys", "--no-advertise", "--name", "Attic") as server:
        yield Site(server.url.removesuffix("/v1"), state, key)


@asynccontextmanager
async def browser(url: str, **window: Any) -> AsyncGenerator[Page]:
    """The page of the server. Errors of its scripts, in the console too, and requests to other hosts fail the test."""
    errors: list[str] = []
    foreign: list[str] = []

    def said(kind: str, text: str) -> None:
        if kind in ("error", "warning") and "status of 401" not in text and "status of 403" not in text:
            errors.append(text)

    async with open_browser(url, **window) as page:
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: said(message.type, message.text))
        page.on("request", lambda request: None if request.url.startswith((url, "data:")) else foreign.append(request.url))
        await page.goto(f"{url}/admin/")
        yield page
    assert errors == []
    assert foreign == []


async def log_in(page: Page, key: str) -> None:
    """Log in with the form."""
    await page.get_by_label("API key").fill(key)
    await page.get_by_role("button", name="Log in").click()
    await page.get_by_role("navigation", name="Sections").wait_for()


async def show_tab(page: Page, name: str) -> None:
    """Open a tab. The stream of the live state never ends, so the network is never idle."""
    tab = page.get_by_role("navigation", name="Sections").get_by_role("link", name=name, exact=True)
    await tab.click()
    await tab.and_(page.locator("[aria-current=page]")).wait_for()


async def chat(site: Site, key: str, text: str = "Hello") -> None:
    """Send a request."""
    async with AsyncOpenAI(base_url=f"{site.url}/v1", api_key=key, max_retries=0) as client:
        await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": text}])


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 360])
async def test_server_page_every_tab_is_accessible_and_as_wide_as_the_window(site: Site, width: int, dark: bool) -> None:
    async with browser(site.url, width=width, height=800, dark=dark) as page:
        axe = AXE.read_text()
        await page.get_by_label("API key").wait_for()

        async def check() -> None:
            found = await page.evaluate("rules => axe.run(document, rules)", ACCESSIBLE)
            assert [(one["id"], one["nodes"][0]["html"], one["nodes"][0]["failureSummary"]) for one in found["violations"]] == []
            assert await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0

        await page.evaluate(axe)
        await check()
        await log_in(page, site.key)
        for name in TABS:
            await show_tab(page, name)
            await page.locator("zai-page").get_by_role("main").wait_for()
            await check()


async def test_server_page_shows_requests_keys_budgets_and_the_plan(site: Site) -> None:
    async with browser(site.url) as page:
        await log_in(page, site.key)
        await page.get_by_text("Owner", exact=True).wait_for()
        await show_tab(page, "API keys")
        await page.get_by_label("Name").fill(HOSTILE)
        await page.get_by_role("button", name="Create API key").click()
        await page.get_by_text("This API key is shown only now").wait_for()
        key = (await page.locator("pre").first.inner_text()).strip()
        assert f"{site.url}/v1" in await page.locator("pre").nth(1).inner_text()
        await page.get_by_label("Program").select_option("OpenAI SDK for Python")
        assert f'OpenAI(base_url="{site.url}/v1", api_key="{key}")' in await page.locator("pre").nth(2).inner_text()
        await page.get_by_role("button", name="Done").click()
        await page.get_by_role("cell", name=HOSTILE).wait_for()
        assert key not in await page.content()
        await page.get_by_role("row", name=HOSTILE).get_by_role("button", name="Change").click()
        form = page.locator("zai-key-form").last
        await form.get_by_label("Labels").fill("Kitchen, <img src=x onerror=alert(1)>")
        await form.get_by_label("Concurrent requests").fill("2")
        await form.get_by_role("button", name="Save").click()
        await page.get_by_text("Concurrent requests: 2").wait_for()
        await page.get_by_role("combobox", name="Label").select_option("Kitchen")
        await page.get_by_text("1 of 2").wait_for()
        await show_tab(page, "Overview")
        await chat(site, key)
        await page.get_by_role("status").get_by_text(f"answers with {MODEL}; nothing waits").wait_for()
        await show_tab(page, "Requests")
        await page.get_by_role("cell", name=HOSTILE).first.wait_for()
        await page.get_by_role("row").nth(1).get_by_role("button").click()
        await page.get_by_text("Time to first token").wait_for()
        assert await page.locator("zai-page img").count() == 0
        await show_tab(page, "Usage")
        await page.get_by_role("img").wait_for(state="attached")
        await show_tab(page, "Budgets")
        await page.get_by_label("Amount").fill("5")
        await page.get_by_role("button", name="Save budget").click()
        await page.get_by_text(re.compile(r"of \D*5\.00 spent")).wait_for()
        await page.get_by_text("Attic", exact=True).wait_for()
        await show_tab(page, "Providers")
        await page.get_by_role("button", name="Check now").click()
        assert await page.get_by_role("button", name="Disable").count() == 0
        await show_tab(page, "Models")
        await page.get_by_text("The configuration file of the server defines strategy and names").wait_for()
        await page.get_by_text(f"answers with {MODEL}.").first.wait_for()
        assert await page.get_by_role("button", name="Create").count() == 0
        await show_tab(page, "Why this provider?")
        await page.get_by_label("Request").fill("Hello")
        await page.get_by_role("button", name="Show the plan").click()
        await page.get_by_role("listitem").filter(has_text=MODEL).first.wait_for()


async def test_server_page_ends_with_its_key_and_on_logging_out(site: Site) -> None:
    second = site.keys("create", "Second", "--endpoint", "admin")
    program = site.keys("create", "Program")
    async with browser(site.url) as page:
        await page.get_by_label("API key").fill(program)
        await page.get_by_role("button", name="Log in").click()
        await page.get_by_role("alert").get_by_text("This is no key of an administrator.").wait_for()
        await log_in(page, second)
        await page.reload()
        await page.get_by_role("navigation", name="Sections").wait_for()
        assert await page.evaluate("document.cookie") == ""
        site.keys("revoke", "Second")
        await page.get_by_role("alert").get_by_text("Your session has ended.").wait_for()
        await log_in(page, site.key)
        await page.get_by_role("button", name="Log out").click()
        await page.get_by_label("API key").wait_for()
        await page.reload()
        await page.get_by_label("API key").wait_for()


async def test_server_page_of_the_demo_opens_with_the_printed_link_and_records_requests(lan: Lan, tmp_path: Path) -> None:
    with serving(tmp_path, "--no-advertise") as server:
        link, url = server.ready["page"], server.url.removesuffix("/v1")
        async with browser(url) as page:
            await page.get_by_label("API key").wait_for()
            await page.goto(link)
            await page.get_by_role("navigation", name="Sections").wait_for()
            assert page.url == f"{url}/admin/"
            links = await page.get_by_role("navigation", name="Sections").get_by_role("link").all_inner_texts()
            assert tuple(links) == TABS
            await chat(Site(url, tmp_path, ""), "no key is needed")
            await page.get_by_role("status").get_by_text(f"answers with {MODEL}; nothing waits").wait_for()
            await show_tab(page, "Requests")
            await page.get_by_role("row").nth(1).get_by_text(MODEL).first.wait_for()
        async with browser(url) as stranger:
            await stranger.goto(link)
            await stranger.get_by_role("alert").get_by_text("This link has been used.").wait_for()


async def test_server_page_of_one_shared_key_shows_load_only(lan: Lan, tmp_path: Path) -> None:
    with serving(tmp_path, "--key", SHARED, "--no-advertise") as server:
        url = server.url.removesuffix("/v1")
        async with browser(url) as page:
            await log_in(page, SHARED)
            links = await page.get_by_role("navigation", name="Sections").get_by_role("link").all_inner_texts()
            assert tuple(links) == LOAD_TABS
            await page.get_by_role("status").get_by_text("Providers ready: 1; nothing waits").wait_for()
            await show_tab(page, "Providers")
            await page.get_by_text(MODEL, exact=True).first.wait_for()


async def test_server_page_discovers_says_why_and_keeps_requests_at_home(site: Site, start_provider: StartProvider) -> None:
    await start_provider("loft", name="Loft <b>AI</b>")
    async with browser(site.url, width=360) as page:
        await log_in(page, site.key)
        await show_tab(page, "Providers")
        discovered = page.get_by_role("region", name="Discovered")
        found = discovered.get_by_role("listitem").filter(has_text="Loft <b>AI</b>")
        while not await found.count():  # a scan ends after two seconds
            again = discovered.get_by_role("button", name="Search again")
            await again.click(timeout=60_000)
            await again.wait_for(timeout=60_000)
        await found.get_by_text("--upstream zeroconfai=http://").wait_for()
        assert await page.get_by_role("button", name="Add AI").count() == 0
        await page.get_by_role("button", name="Check the network").click()
        await page.get_by_text("Multicast works here").wait_for(timeout=60_000)
        assert await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        await show_tab(page, "Overview")
        await page.get_by_role("switch", name="Home only").check()
        await page.get_by_text("No request leaves the home").wait_for()
        assert json.loads((site.state / "zeroconf-ai" / "home-only.json").read_text()) != []
        await page.get_by_role("switch", name="Home only").uncheck()
        await page.get_by_text("Turn on to keep every request").wait_for()
