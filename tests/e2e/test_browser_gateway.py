"""The set-up of the gateway in a real browser. Its screenshot is stored in docs/images, for the README."""

from pathlib import Path

from openai import AsyncOpenAI

from devhome.browser import open_browser, screenshot, show
from devhome.client import HomeClient
from devhome.home import Home

from .steps import state_is

IMAGE = Path(__file__).parents[2] / "docs" / "images" / "gateway.png"


async def test_gateway_is_set_up_with_a_few_clicks(home: Home, client: HomeClient) -> None:
    async with open_browser(home.url, home.login.token) as page:
        await show(page, f"{home.url}/config/integrations/dashboard/add?domain=zeroconf_ai")
        confirm = page.get_by_role("button", name="OK")
        choice = page.get_by_text("Share AI on the network (gateway)")
        await confirm.or_(choice).first.wait_for()
        if await confirm.count():
            await confirm.click()
        await choice.click()
        await page.get_by_text("Home Assistant becomes a gateway").wait_for()
        await page.get_by_role("button", name="Submit").click()
        await page.get_by_text("This API key is shown only now").wait_for()
        shown = await page.locator("pre").all_inner_texts()
        key = next(text.strip() for text in shown if text.startswith("zai_"))
        curl = next(text for text in shown if text.startswith("curl"))
        await page.get_by_role("button", name="Submit").click()
        await page.get_by_role("button", name="Skip and finish").click()

        base_url = f"{home.url}/v1"
        assert base_url in curl
        async with AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0) as openai:
            order = await openai.chat.completions.create(
                model="homeassistant/assist", messages=[{"role": "user", "content": "Turn on the kitchen light"}]
            )
        assert order.choices[0].message.content
        await state_is(client, "light.kitchen_light", "on")

        await show(page, f"{home.url}/config/integrations/integration/zeroconf_ai")
        await page.get_by_role("button", name="Add backend").wait_for()
        await page.get_by_text("Home Assistant agent").first.wait_for()
        await page.wait_for_timeout(1500)
        await screenshot(page, IMAGE)
        assert key not in home.log()
