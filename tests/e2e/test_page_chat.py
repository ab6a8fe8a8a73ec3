"""Conversations on the page of a real Home Assistant, in a real browser: images, tools, other models, and other people."""

from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
import re
from typing import Any

import aiohttp
from playwright.async_api import Page, expect
import pytest
import pytest_asyncio

from devhome.browser import screenshot
from devhome.namespaces import Lan
from devhome.onboarding import Login, renewed
from tests.support.clouds.ollama import SEER, THINKER
from tests.support.clouds.server import Call, Reply
from tests.support.pictures import encoded

from .chat_steps import answered, answers, choose, last_answer, new_conversation, open_chat, say
from .gateway_home import GatewayHome, gateway_home
from .sdks import CHAT_MODEL
from .test_page import ACCESSIBLE, AXE, IMAGES, browser, open_tab

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOSTILE = (
    "**Bold** <img src=x onerror=alert(1)> ![x](http://192.0.2.1/x.png) [l](javascript:alert(1)) "
    "[ok](https://example.org/) <script>alert(1)</script>\n\n```html\n<b>code</b>\n```\n\n"
    "| a |\n|---|\n| <iframe src=//192.0.2.1> |"
)
LAMP = "input_boolean.kitchen_lamp"
ATTACH = """(element, [name, data, event]) => {
  const bytes = Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
  const moved = new DataTransfer();
  moved.items.add(new File([bytes], name, { type: 'image/png' }));
  const given = { bubbles: true, composed: true, cancelable: true };
  element.dispatchEvent(event === 'paste'
    ? new ClipboardEvent('paste', { ...given, clipboardData: moved })
    : new DragEvent('drop', { ...given, dataTransfer: moved }));
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(lan: Lan, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayHome]:
    async with gateway_home(lan, tmp_path_factory.mktemp("chat")) as made:
        await made.client.call("input_boolean/create", name="Kitchen lamp")
        expose: dict[str, Any] = {"assistants": ["conversation"], "entity_ids": [LAMP], "should_expose": True}
        await made.client.call("homeassistant/expose_entity", **expose)
        yield made


async def attach(page: Page, name: str, data: bytes, event: str) -> None:
    """Paste or drop an image."""
    await page.get_by_role("textbox", name="Message").evaluate(ATTACH, [name, b64encode(data).decode(), event])
    await page.get_by_role("img", name=name).wait_for()


async def test_chat_controls_the_home_and_shows_what_it_touched(site: GatewayHome) -> None:
    site.ollama.outcomes = [
        Reply(thought="The lamp.", calls=(Call("HassTurnOn", {"name": "Kitchen lamp"}),)),
        Reply("The kitchen lamp is **on**."),
    ]
    async with browser(site) as page:
        await open_chat(page)
        await choose(page, "Attic", THINKER)
        await say(page, "Turn on the kitchen lamp")
        answer = await answered(page, "The kitchen lamp is on.")
        row = answer.get_by_role("listitem").filter(has_text="Kitchen lamp")
        await expect(row).to_contain_text("on")
        await answer.get_by_text(re.compile("HassTurnOn$")).click()
        await answer.get_by_text('"Kitchen lamp"').first.wait_for()
        await answer.get_by_text("Reasoning").click()
        await answer.get_by_text("The lamp.").wait_for()
        await site.client.call_service("input_boolean", "turn_off", {"entity_id": LAMP})
        await expect(row).to_contain_text("off")
        await answer.get_by_text(re.compile(rf"Attic · {THINKER} · .*tokens")).wait_for()


async def test_chat_sends_images_that_were_pasted_dropped_or_chosen(site: GatewayHome, tmp_path: Path) -> None:
    site.ollama.outcomes = [Reply("Red and blue.")]
    picture = encoded("PNG", size=(64, 48))
    file = tmp_path / "chosen.png"
    file.write_bytes(picture)
    async with browser(site) as page:
        await open_chat(page)
        await choose(page, "Attic", SEER)
        await attach(page, "pasted.png", picture, "paste")
        await attach(page, "dropped.png", picture, "drop")
        await page.get_by_label("Add image").set_input_files(file)
        await page.get_by_role("img", name="chosen.png").wait_for()
        await expect(page.get_by_text("64 × 48")).to_have_count(3)
        await page.get_by_role("button", name="Remove dropped.png").click()
        await say(page, "Which colours?")
        await answered(page, "Red and blue.")
        shown = page.get_by_role("article", name="You").get_by_role("img", name="Image, 64 × 48 pixels")
        await expect(shown).to_have_count(2)
        assert await shown.first.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
        sent = site.ollama.last.body["messages"][-1]
        assert (sent["content"], len(sent["images"])) == ("Which colours?", 2)
        await page.get_by_label("Add image").set_input_files(
            {"name": "evil.png", "mimeType": "image/png", "buffer": b"<svg xmlns='http://www.w3.org/2000/svg'/>"}
        )
        await page.get_by_role("alert").get_by_text("evil.png cannot be sent.").wait_for()


async def test_chat_answer_of_a_hostile_model_stays_text(site: GatewayHome) -> None:
    site.openai.outcomes = [Reply(HOSTILE)]
    async with browser(site) as page:
        await open_chat(page)
        await choose(page, "Cloud", CHAT_MODEL)
        await page.get_by_label("Control the home").uncheck()
        await say(page, HOSTILE)
        answer = await answered(page, "<script>alert(1)</script>")
        assert await answer.locator("strong").inner_text() == "Bold"
        assert (await answer.locator("pre code").inner_text()).strip() == "<b>code</b>"
        links = [await link.get_attribute("href") for link in await answer.get_by_role("link").all()]
        assert links == ["http://192.0.2.1/x.png", "https://example.org/"]
        assert await page.locator("zai-page").locator("img, script, iframe").count() == 0
        await page.locator("zai-chat-list").get_by_text("**Bold** <img src=x").first.wait_for()
        await page.get_by_label("Control the home").check()


async def test_chat_is_asked_again_from_another_model_which_the_conversation_says(site: GatewayHome) -> None:
    site.ollama.outcomes, site.openai.outcomes = [Reply("From the attic.")], [Reply("From the cloud.")]
    async with browser(site) as page:
        await open_chat(page)
        await choose(page, "Attic", THINKER)
        await say(page, "Where are you?")
        await answered(page, "From the attic.")
        await page.get_by_role("button", name="Ask again").click()
        await choose(page, "Cloud", CHAT_MODEL)
        await page.get_by_role("button", name="Ask", exact=True).click()
        await answered(page, "From the cloud.")
        await page.get_by_text("Cloud answers instead of Attic.").wait_for()
        await page.get_by_text("Former answer from Attic").wait_for()
        await page.reload()
        await open_chat(page)
        selected = page.locator("zai-chat-picker").get_by_label("Provider").locator("option:checked")
        await expect(selected).to_contain_text("Cloud")
        await page.get_by_role("button", name=re.compile("^Where are you")).first.click()
        await page.get_by_text("Cloud answers instead of Attic.").wait_for()


async def test_chat_goes_on_while_another_tab_is_shown_and_is_stopped(site: GatewayHome) -> None:
    site.ollama.outcomes, site.ollama.pause = [Reply(" ".join(f"word{number}" for number in range(400)))], 0.05
    try:
        async with browser(site) as page:
            await open_chat(page)
            await choose(page, "Attic", THINKER)
            await say(page, "Tell me a long story")
            await last_answer(page).get_by_text("word3").wait_for()
            await open_tab(page, "Usage")
            await open_chat(page)
            await last_answer(page).get_by_text("word3").wait_for()
            await page.get_by_role("button", name="Stop").click()
            stopped = await answered(page, "Stopped.")
            assert "word399" not in await stopped.inner_text()
    finally:
        site.ollama.pause = 0.0


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 360])
async def test_chat_is_accessible_and_as_wide_as_the_window(site: GatewayHome, width: int, dark: bool, tmp_path: Path) -> None:
    story = (
        "Two lamps are on:\n\n| Room | Lamp |\n|---|---|\n| Kitchen | ceiling |\n| Hall | wall |\n\n"
        "1. Turn off the **hall**\n2. Set `kitchen` to 40 %\n\n> Or ask me to do both."
    )
    site.ollama.outcomes = [
        Reply(thought="Which lamps?", calls=(Call("HassTurnOn", {"name": "Kitchen lamp"}),)),
        Reply(story),
    ]
    async with browser(site, width=width, height=800, dark=dark) as page:
        await page.add_script_tag(path=AXE)

        async def check(name: str) -> None:
            found = await page.locator("zai-page").evaluate("(element, rules) => axe.run(element, rules)", ACCESSIBLE)
            assert [(one["id"], one["nodes"][0]["html"], one["nodes"][0]["failureSummary"]) for one in found["violations"]] == []
            assert await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
            await screenshot(page, tmp_path / f"{name}.png")

        await open_chat(page)
        await new_conversation(page)
        await check("empty")
        await choose(page, "Attic", THINKER)
        await page.get_by_label("Control the home").check()
        await say(page, "Which lamps are on?")
        await answered(page, "Two lamps are on")
        await check("answer")
        if width == 1280 and not dark:
            await page.get_by_role("searchbox", name="Search conversations").fill("lamp")
            await expect(page.locator("zai-chat-list li").filter(has_text="Bold")).to_have_count(0)
            await page.get_by_role("textbox", name="Message").focus()
            await screenshot(page, IMAGES / "page-chat.png")


async def test_chat_of_a_user_is_his_own(site: GatewayHome) -> None:
    site.ollama.outcomes = [Reply("Hello, guest.")]
    created = await site.client.call("config/auth/create", name="Visitor", group_ids=["system-users"], local_only=False)
    login: dict[str, Any] = {"username": "visitor", "password": "visitor-of-the-tests"}
    await site.client.call("config/auth_provider/homeassistant/create", user_id=created["user"]["id"], **login)
    async with aiohttp.ClientSession() as session:
        visitor = await renewed(session, site.home.url, Login(login["username"], login["password"], ""))
    async with browser(site, visitor.token) as page:
        await page.get_by_text("Your conversations will be listed here.").wait_for()
        await choose(page, "Attic", THINKER)
        await say(page, "Hello from the visitor")
        await answered(page, "Hello, guest.")
        assert await answers(page).count() == 1
    async with browser(site) as page:
        await open_chat(page)
        await page.get_by_role("searchbox", name="Search conversations").fill("visitor")
        await page.get_by_text("No conversation contains this.").wait_for()
