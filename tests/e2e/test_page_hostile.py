"""Texts of strangers on the page stay text, whoever wrote them, and load nothing from anywhere."""

from pathlib import Path

import aiohttp
from zeroconf.asyncio import AsyncZeroconf

from devhome.gateway import add_backend
from devhome.namespaces import Lan
from tests.support.fakes.provider import FakeProvider, running, text

from .advertised import info, record_of_tester
from .chat_steps import answered, say
from .gateway_home import gateway_home, until_served
from .steps import discovered
from .test_page import HOSTILE, browser, open_tab

NAME = '"><img src=x onerror=alert(1)>'
"""Of an advertisement, which has at most 63 bytes."""
SCRIPT = "<script>alert(1)</script>"
MARKUP = "zai-page :is(img, iframe, object, embed, script, a[href^='javascript'], [onerror])"


async def test_page_texts_of_advertisements_models_errors_and_answers_stay_text(
    lan: Lan, tmp_path: Path, network: AsyncZeroconf
) -> None:
    async with gateway_home(lan, tmp_path) as site, running(FakeProvider(host=lan.host("tester").ipv4)) as stranger:
        stranger.models = [{"id": HOSTILE}, {"id": SCRIPT}]
        stranger.answers = [text(HOSTILE, SCRIPT)]
        connection = {"base_url": f"http://{stranger.host}:{stranger.port}/v1"}
        await add_backend(site.client, site.gateway.entry_id, "openai_compatible", connection, name=HOSTILE)
        await until_served(site.gateway, HOSTILE)
        async with running(FakeProvider(host=lan.host("tester").ipv4, id="22222222-2222-4222-8222-222222222222")) as advertised:
            record = record_of_tester(advertised, name=NAME, models=(SCRIPT,))
            await network.async_register_service(info(record))
            await discovered(site.client, '"')
            async with aiohttp.ClientSession(headers=site.headers) as session:
                for model, expected in ((HOSTILE, 200), (SCRIPT, 200), (f"{SCRIPT} is no model", 404)):
                    body = {"model": model, "messages": [{"role": "user", "content": SCRIPT}], "user": HOSTILE}
                    url = f"{site.gateway.base_url}/chat/completions"
                    async with session.post(url, json=body, headers={"User-Agent": SCRIPT}) as response:
                        assert response.status == expected, await response.text()
                await site.client.call("zeroconf_ai/keys/create", name=SCRIPT)
            async with browser(site) as page:
                alerts: list[str] = []
                page.on("dialog", lambda dialog: alerts.append(dialog.message))
                tabs = page.get_by_role("navigation", name="Sections").get_by_role("link")
                await tabs.first.wait_for()
                for tab in await tabs.all_inner_texts():
                    await open_tab(page, tab)
                    if tab == "Chat":
                        await page.get_by_label("Model").select_option(value=HOSTILE)
                        await say(page, SCRIPT)
                        await answered(page, SCRIPT)
                        await page.get_by_role("button", name=SCRIPT).first.wait_for()
                    closed = page.locator("zai-page button[aria-expanded=false]").filter(visible=True)
                    for number in range(await closed.count()):
                        await closed.nth(min(number, await closed.count() - 1)).click()
                        assert await page.locator(MARKUP).count() == 0, tab
                    assert await page.locator(MARKUP).count() == 0, tab
                    if tab in ("Overview", "Providers", "Requests"):
                        await page.locator("zai-page").get_by_text(HOSTILE).and_(page.locator(":not(option)")).first.wait_for()
                    if tab == "API keys":
                        await page.locator("zai-page").get_by_text(SCRIPT).and_(page.locator(":not(option)")).first.wait_for()
                assert alerts == []
