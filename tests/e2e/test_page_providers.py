"""Providers on the page of a real Home Assistant: what is discovered, everything that can be added, and why nothing is found."""

from collections.abc import AsyncIterator

from playwright.async_api import Locator, Page
import pytest
import pytest_asyncio

from devhome.namespaces import Lan
from tests.support.clouds.ollama import PLAIN
from tests.support.clouds.server import locked_engine

from .conftest import StartProvider
from .gateway_home import GatewayHome, gateway_home
from .test_network_scan import LITELLM, serving
from .test_page import ACCESSIBLE, AXE, browser, open_tab

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECONDS = 60_000.0
"""Milliseconds that discovery and probes may take on a busy machine."""
CHOICES = (
    "Ollama",
    "OpenAI (cloud service)",
    "Anthropic (cloud service)",
    "Google Gemini (cloud service)",
    "OpenRouter (cloud service)",
    "LiteLLM",
    "vLLM",
    "llama.cpp",
    "LM Studio",
    "Another server (OpenAI-compatible)",
    "An agent of this home",
    "A ZeroConf AI provider by its address",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(lan: Lan, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayHome]:
    async with gateway_home(lan, tmp_path_factory.mktemp("page-providers")) as made:
        yield made


async def names_in_list(page: Page) -> list[str]:
    """The names in the list of providers."""
    return await page.locator("zai-providers li b").all_inner_texts()


async def test_discovered_provider_is_added_on_the_page(site: GatewayHome, start_provider: StartProvider) -> None:
    async with browser(site, width=1280, height=1000) as page:
        await open_tab(page, "Providers")
        await start_provider("cellar", name="Cellar <b>AI</b>", key="zai_secret")
        discovered = page.get_by_role("region", name="Discovered")
        await discovered.get_by_text("needs an API key").wait_for(timeout=SECONDS)
        add = discovered.get_by_role("button", name="Add Cellar <b>AI</b>")
        await add.wait_for()
        await page.add_script_tag(path=AXE)
        await add.press("Enter")
        await page.get_by_role("textbox", name="API key").fill("wrong")
        await page.get_by_role("button", name="Submit").click()
        await page.get_by_text("does not accept").first.wait_for(timeout=SECONDS)
        found = await page.locator("zai-page").evaluate("(element, rules) => axe.run(element, rules)", ACCESSIBLE)
        assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
        await page.get_by_role("textbox", name="API key").fill("zai_secret")
        await page.get_by_role("button", name="Submit").click()
        await page.get_by_role("status").get_by_text("Cellar <b>AI</b> is set up.").wait_for(timeout=SECONDS)
        await page.locator("zai-providers li", has_text="Cellar <b>AI</b>").get_by_text("Online").wait_for(timeout=SECONDS)
        await discovered.get_by_text("Set up", exact=True).wait_for(timeout=SECONDS)
        assert await discovered.get_by_role("button", name="Add Cellar").count() == 0


async def test_add_ai_ends_in_a_working_backend_and_warns_of_a_known_address(site: GatewayHome) -> None:
    async with browser(site, width=360, height=800, dark=True) as page:
        await open_tab(page, "Providers")
        await page.get_by_role("button", name="Add AI").click()
        choices = page.get_by_role("region", name="What do you want to add?")
        for label in CHOICES:
            await choices.get_by_role("button", name=label, exact=True).wait_for()
        await choices.get_by_role("button", name="Another server").click()
        await page.get_by_role("textbox", name="Address").fill(site.openai.base_url)
        await page.get_by_role("textbox", name="API key").fill(site.openai.key or "")
        await page.get_by_role("button", name="Submit").click()
        await page.get_by_text("Cloud has the same address already").wait_for(timeout=SECONDS)
        await page.get_by_role("button", name="Submit").click()
        name = page.get_by_role("textbox", name="Name")
        await name.fill("Second way")
        await page.get_by_role("button", name="Submit").click()
        await page.get_by_role("status").get_by_text("Second way is set up.").wait_for(timeout=SECONDS)
        await page.locator("zai-providers li", has_text="Second way").get_by_text("Online").wait_for(timeout=SECONDS)
        await page.get_by_role("button", name="Add AI").click()
        await choices.get_by_role("button", name="Another server").click()
        await page.get_by_role("textbox", name="Address").fill(site.openai.base_url)
        await page.get_by_role("button", name="Submit").click()
        await page.get_by_text("Second way").last.wait_for(timeout=SECONDS)
        await page.get_by_role("button", name="Done").click()
        assert await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


async def test_add_ai_agent_of_this_home_is_cancelled_without_a_trace(site: GatewayHome) -> None:
    async with browser(site) as page:
        await open_tab(page, "Providers")
        before = await names_in_list(page)
        await page.get_by_role("button", name="Add AI").click()
        await page.get_by_role("button", name="An agent of this home").click()
        await page.get_by_role("button", name="Submit").wait_for(timeout=SECONDS)
        await page.get_by_role("button", name="Cancel").click()
        await page.get_by_role("button", name="Add AI").wait_for()
        assert await names_in_list(page) == before


async def test_why_nothing_is_found_names_the_interface(site: GatewayHome, start_provider: StartProvider) -> None:
    await start_provider("attic", name="Loft")
    async with browser(site) as page:
        await open_tab(page, "Providers")
        await page.get_by_role("button", name="Check the network").click()
        await page.get_by_text("Multicast works here").wait_for(timeout=SECONDS)
        await page.get_by_text("Loft").first.wait_for()
        await page.get_by_text("Interfaces and packets").click()
        await page.get_by_role("cell", name="eth0").first.wait_for()


async def test_search_of_the_network_finds_a_server_with_a_key_and_adds_it(site: GatewayHome, lan: Lan) -> None:
    desk = lan.host("desk")
    fake = locked_engine(LITELLM, ["/health/liveliness"])
    async with serving(desk, fake, 4000), browser(site, width=360, height=800) as page:
        await open_tab(page, "Providers")
        search = page.get_by_role("region", name="Search my network")
        await search.get_by_role("button", name="Search my network").press("Enter")
        found = search.get_by_role("listitem").filter(has_text=f"LiteLLM on {desk.ipv4}")
        await found.get_by_text("needs an API key").wait_for(timeout=SECONDS)
        await page.add_script_tag(path=AXE)
        checked = await page.locator("zai-page").evaluate("(element, rules) => axe.run(element, rules)", ACCESSIBLE)
        assert [(one["id"], one["nodes"][0]["html"]) for one in checked["violations"]] == []
        assert await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        await found.get_by_role("button", name="Add LiteLLM").click()
        await page.get_by_text(f"LiteLLM (http://{desk.ipv4}:4000/v1) requires an API key").first.wait_for(timeout=SECONDS)
        await page.get_by_role("textbox", name="API key").fill(fake.key or "")
        await page.get_by_role("button", name="Submit").click()
        await page.get_by_role("status").get_by_text(f"LiteLLM on {desk.ipv4} is set up.").wait_for(timeout=SECONDS)
        await page.locator("zai-providers li", has_text="LiteLLM on").get_by_text("Online").wait_for(timeout=SECONDS)
        await search.get_by_role("button", name="Search my network").click()
        await found.get_by_text("Set up", exact=True).wait_for(timeout=SECONDS)


async def test_models_of_a_server_are_loaded_unloaded_downloaded_and_deleted(site: GatewayHome) -> None:
    async with browser(site, width=1280, height=1000) as page:
        await open_tab(page, "Models")
        models = page.get_by_role("region", name="Models of Attic")

        def row(name: str) -> Locator:
            return models.get_by_role("row").filter(has_text=name)

        await models.get_by_role("button", name=f"Load {PLAIN}").click(timeout=SECONDS)
        await row(PLAIN).get_by_text("loaded", exact=True).wait_for(timeout=SECONDS)
        await row(PLAIN).get_by_text("5 GB").last.wait_for()
        assert PLAIN in site.ollama.loaded
        await models.get_by_role("button", name=f"Unload {PLAIN}").click()
        await models.get_by_role("button", name=f"Load {PLAIN}").wait_for(timeout=SECONDS)
        assert PLAIN not in site.ollama.loaded
        site.ollama.pull_gate.clear()
        await models.get_by_role("textbox", name="Name of a model in the library").fill("tiny:1b")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await models.get_by_role("progressbar", name="tiny:1b").wait_for(timeout=SECONDS)
        await models.get_by_text("Downloading tiny:1b: pulling 5a").wait_for(timeout=SECONDS)
        site.ollama.pull_gate.set()
        await models.get_by_text("tiny:1b is installed.").wait_for(timeout=SECONDS)
        await models.get_by_role("button", name="Delete tiny:1b").click(timeout=SECONDS)
        assert "tiny:1b" in site.ollama.installed  # not before the second click
        await row("tiny:1b").get_by_role("button", name="Delete for good").click()
        await models.get_by_role("button", name="Delete tiny:1b").wait_for(state="detached", timeout=SECONDS)
        assert "tiny:1b" not in site.ollama.installed
        await models.get_by_role("textbox", name="Name of a model in the library").fill("missing")
        await models.get_by_role("button", name="Download").click()
        await models.get_by_text("missing cannot be installed").wait_for(timeout=SECONDS)
