"""The page without a mouse: Tab reaches everything that acts, and the keyboard does it."""

from collections.abc import AsyncIterator

from playwright.async_api import Locator, Page
import pytest
import pytest_asyncio

from devhome.namespaces import Lan

from .gateway_home import GatewayHome, gateway_home
from .test_page import browser

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOCUSED = """() => {
  let focused = document.activeElement;
  while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement;
  return focused;
}"""
ACTING = """() => {
  const found = [];
  const collect = root => {
    for (const element of root.querySelectorAll("*")) {
      if (element.matches("a[href], button, input, select, textarea, summary, [contenteditable]") && !element.disabled
          && element.tabIndex >= 0 && element.checkVisibility() && !(element.type === "radio" && !element.checked)
          && !element.closest("[inert]")) found.push(element);
      if (element.shadowRoot) collect(element.shadowRoot);
    }
  };
  const panel = document.querySelector("home-assistant").shadowRoot.querySelector("home-assistant-main").shadowRoot
    .querySelector("zeroconf-ai-panel");
  collect(panel.shadowRoot.querySelector("zai-page").shadowRoot);
  return found;
}"""
"""Everything of the page that acts and is shown."""


async def tab_to(page: Page, wanted: Locator, limit: int = 80) -> None:
    """Press Tab until an element has the focus. Fails if it never gets it."""
    for _ in range(limit):
        if await wanted.evaluate(f"element => element.contains(({FOCUSED})()) || element.shadowRoot?.contains(({FOCUSED})())"):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {wanted}")


def tabs_of(page: Page) -> Locator:
    """The links to the tabs."""
    return page.get_by_role("navigation", name="Sections").get_by_role("link")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(lan: Lan, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayHome]:
    async with gateway_home(lan, tmp_path_factory.mktemp("keyboard")) as made:
        yield made


async def test_page_keyboard_reaches_every_tab_and_everything_that_acts_there(site: GatewayHome) -> None:
    async with browser(site) as page:
        await tabs_of(page).first.wait_for()
        for number in range(await tabs_of(page).count()):
            tab = tabs_of(page).nth(number)
            await tab_to(page, tab)
            await page.keyboard.press("Enter")
            await tab.and_(page.locator("[aria-current=page]")).wait_for()
            await page.wait_for_load_state("networkidle")
            acting = await page.evaluate_handle(ACTING)
            await page.evaluate("all => { window.left = new Set(all) }", acting)
            await tabs_of(page).first.focus()
            for _ in range(await page.evaluate("left.size") + 10):
                await page.evaluate(f"left.delete(({FOCUSED})())")
                await page.keyboard.press("Tab")
            missed = await page.evaluate("[...left].filter(element => element.isConnected).map(element => element.outerHTML)")
            assert missed == [], await tab.inner_text()
            await tabs_of(page).first.focus()


async def test_page_keyboard_orders_providers_and_creates_and_revokes_a_key(site: GatewayHome) -> None:
    async with browser(site) as page:
        await tab_to(page, tabs_of(page).filter(has_text="Providers"))
        await page.keyboard.press("Enter")
        down, up = page.get_by_role("button", name="Move Attic down"), page.get_by_role("button", name="Move Attic up")
        await up.and_(page.locator(":disabled")).wait_for()
        await tab_to(page, down)
        await page.keyboard.press("Enter")
        await down.and_(page.locator(":disabled")).wait_for()
        await tabs_of(page).first.focus()
        await tab_to(page, up)
        await page.keyboard.press("Enter")
        await up.and_(page.locator(":disabled")).wait_for()

        await tabs_of(page).first.focus()
        await tab_to(page, tabs_of(page).filter(has_text="API keys"))
        await page.keyboard.press("Enter")
        name = page.get_by_label("Name", exact=True)
        await name.wait_for()
        await tab_to(page, name)
        await page.keyboard.type("Keyboard")
        await page.keyboard.press("Enter")
        await page.get_by_text("This API key is shown only now").wait_for()
        await tab_to(page, page.get_by_role("button", name="Done"))
        await page.keyboard.press("Enter")
        row = page.get_by_role("row").filter(has_text="Keyboard")
        await tab_to(page, row.get_by_role("button", name="Revoke"))
        await page.keyboard.press("Enter")
        await row.get_by_text("Revoke Keyboard?").wait_for()
        await tabs_of(page).first.focus()
        await tab_to(page, row.get_by_role("button", name="Revoke"))
        await page.keyboard.press("Enter")
        await row.wait_for(state="detached")
