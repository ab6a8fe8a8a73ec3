"""The set-up of a provider in a real browser. Its screenshots are stored in docs/images, for the README."""

from pathlib import Path

from playwright.async_api import Page, expect

from devhome.browser import open_browser, screenshot, show
from devhome.client import HomeClient
from devhome.home import Home

from .conftest import StartProvider
from .steps import state_is

IMAGES = Path(__file__).parents[2] / "docs" / "images"


async def say(page: Page, words: str) -> None:
    """Type into Assist's dialog."""
    await page.get_by_role("textbox").last.fill(words)
    await page.keyboard.press("Enter")


async def test_discovered_provider_is_added_with_two_clicks_and_answers_in_assist(
    home: Home, client: HomeClient, start_provider: StartProvider
) -> None:
    await start_provider(name="Gaming PC")
    async with open_browser(home.url, home.login.token) as page:
        await show(page, f"{home.url}/config/integrations/dashboard")
        await page.get_by_text("Gaming PC (demo-rules; free)").wait_for()
        await page.locator("img[alt='ZeroConf AI'], ha-integration-card img, ha-config-flow-card img").first.wait_for()
        await screenshot(page, IMAGES / "discovered.png")

        await page.get_by_role("button", name="Add", exact=True).click()  # one
        await page.get_by_text("Your prompts are processed on that machine").wait_for()
        await screenshot(page, IMAGES / "confirm.png")
        await page.get_by_role("button", name="Submit").click()  # two
        await page.get_by_role("button", name="Skip and finish").click()
        await state_is(client, "sensor.gaming_pc_status", "healthy")

        devices = await client.call("config/device_registry/list")
        device = next(device for device in devices if device["name"] == "Gaming PC")
        await show(page, f"{home.url}/config/devices/device/{device['id']}")
        await page.get_by_text("Healthy").first.wait_for(state="attached")
        await page.wait_for_timeout(1000)
        await screenshot(page, IMAGES / "device.png")

        await show(page, home.url)
        await page.get_by_role("button", name="Assist (A)").click()
        await page.locator("ha-voice-command-dialog ha-dropdown [slot=trigger]").click()
        await page.locator("ha-voice-command-dialog ha-dropdown-item", has_text="Gaming PC").click()
        await say(page, "Turn on the kitchen light")
        await state_is(client, "light.kitchen_light", "on")
        answer = page.locator("ha-voice-command-dialog ha-assist-chat .message.hass").last
        await expect(answer).to_contain_text("Turned on the light")  # Home Assistant's built-in sentences have precedence
        await say(page, "Count to 5")
        await expect(answer).to_contain_text("1 2 3 4 5")
        await page.wait_for_timeout(1500)
        await screenshot(page, IMAGES / "assist.png")


async def test_browser_integration_page_shows_the_agent_of_an_added_provider(
    home: Home, client: HomeClient, start_provider: StartProvider
) -> None:
    await start_provider(name="Gaming PC")
    async with open_browser(home.url, home.login.token, dark=True) as page:
        await show(page, f"{home.url}/config/integrations/dashboard")
        await page.get_by_role("button", name="Add", exact=True).click()
        await page.get_by_role("button", name="Submit").click()
        await page.get_by_role("button", name="Skip and finish").click()
        await state_is(client, "sensor.gaming_pc_status", "healthy")
        await show(page, f"{home.url}/config/integrations/integration/zeroconf_ai")
        await page.get_by_text("Gaming PC Agent").first.wait_for()
        await screenshot(page, IMAGES / "integration.png")
