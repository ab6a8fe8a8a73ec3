"""The page while the home that it shows restarts: a real process that ends and begins again below an open browser.

Meanwhile the browser reports errors, and Home Assistant's own frontend too; they fail none of these tests.
"""

from pathlib import Path

from devhome.browser import open_browser, show
from devhome.namespaces import Lan
from tests.support.command import serving

from .gateway_home import gateway_home, until_served
from .sdks import CHAT_MODEL, VISION_MODEL
from .test_page import chat

LOST = "The connection is lost. Reconnecting…"
SECONDS = 120
"""How long a start on a busy machine may take."""


async def test_page_follows_the_live_state_again_after_home_assistant_restarted(lan: Lan, tmp_path: Path) -> None:
    async with gateway_home(lan, tmp_path) as site, open_browser(site.home.url, site.home.login.token) as page:
        await show(page, f"{site.home.url}/zeroconf-ai")
        await page.get_by_role("status").get_by_text("nothing waits").wait_for()
        await site.home.stop()
        lost = page.locator("zai-page").get_by_text(LOST)
        await lost.wait_for()
        await site.home.start()
        await lost.wait_for(state="detached", timeout=SECONDS * 1000)
        await until_served(site.gateway, CHAT_MODEL, VISION_MODEL, seconds=SECONDS)
        await chat(site, site.gateway.key, VISION_MODEL)
        await page.get_by_role("status").get_by_text(f"Attic answers with {VISION_MODEL}").wait_for(timeout=SECONDS * 1000)


async def test_server_page_is_open_again_with_the_link_of_the_restarted_demo(lan: Lan, tmp_path: Path) -> None:
    with serving(tmp_path, "--no-advertise") as first:
        link, port = first.ready["page"], str(first.ready["port"])
        async with open_browser(first.url) as page:
            await page.goto(link)
            await page.get_by_role("status").get_by_text("nothing waits").wait_for()
            first.stop()
            await page.get_by_text(LOST).wait_for()
            with serving(tmp_path, "--no-advertise", "--port", port) as second:
                await page.get_by_role("alert").get_by_text("Your session has ended.").wait_for()
                await page.goto(second.ready["page"])
                await page.get_by_role("status").get_by_text("nothing waits").wait_for()
