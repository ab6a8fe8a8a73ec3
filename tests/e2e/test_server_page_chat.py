"""Conversations on the page of a real `zeroconf-ai serve`, in a real browser."""

from collections.abc import Iterator
from pathlib import Path
import re

from playwright.async_api import Page, expect
import pytest

from devhome.namespaces import Lan
from tests.support.command import serving

from .chat_steps import answered, answers, last_answer, new_conversation, open_chat, say
from .test_page import ACCESSIBLE, AXE
from .test_server_page import Site, browser, log_in, show_tab

HOSTILE = "say <img src=x onerror=alert(1)> ![x](http://192.0.2.1/x.png) [l](javascript:alert(1)) [m](https://192.0.2.1/) **b**"


@pytest.fixture(scope="module")
def site(lan: Lan, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    state = tmp_path_factory.mktemp("chats")
    key = Site("", state, "").keys("create", "Owner", "--endpoint", "admin")
    with serving(state, "--keys", "--no-advertise", "--name", "Attic", "--delay", "0.05") as server:
        yield Site(server.url.removesuffix("/v1"), state, key)


async def begin(page: Page, site: Site) -> None:
    """Log in and open the tab."""
    await log_in(page, site.key)
    await open_chat(page)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 360])
async def test_chat_is_accessible_and_as_wide_as_the_window(site: Site, width: int, dark: bool, tmp_path: Path) -> None:
    async with browser(site.url, width=width, height=800, dark=dark) as page:
        await page.evaluate(AXE.read_text())
        await begin(page, site)

        async def check(name: str) -> None:
            found = await page.evaluate("rules => axe.run(document, rules)", ACCESSIBLE)
            assert [(one["id"], one["nodes"][0]["html"], one["nodes"][0]["failureSummary"]) for one in found["violations"]] == []
            assert await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
            await page.screenshot(path=tmp_path / f"{name}.png", animations="disabled")

        await expect(page.locator(".ideas button")).to_have_count(4)
        await check("empty")
        await say(page, "say **Lists**\n\n1. one\n2. `two`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> " + "long words " * 30)
        await answered(page, "long words")
        await check("answer")
        await page.get_by_role("button", name="Ask again").click()
        if width < 800:
            await page.get_by_role("button", name="Conversations").click()
        await page.get_by_role("button", name=re.compile("^Rename ")).first.click()
        await check("open")


async def test_chat_answers_with_details_and_keeps_hostile_text_as_text(site: Site) -> None:
    async with browser(site.url) as page:
        await begin(page, site)
        await page.get_by_role("button", name="What can you help me with?").click()
        answer = await answered(page, "I am demo-rules")
        await answer.get_by_text(re.compile(r"demo-rules · .*tokens · .*tokens/s · first token after .* · Free")).wait_for()
        await answer.get_by_text("ID", exact=True).click()
        await answer.get_by_role("link", name=re.compile("^gen_")).click()
        await page.get_by_text("Time to first token").wait_for()
        await open_chat(page)
        await say(page, HOSTILE)
        answer = await answered(page, "<img src=x onerror=alert(1)>")
        assert await answer.locator("strong").inner_text() == "b"
        links = [await link.get_attribute("href") for link in await answer.get_by_role("link").all()]
        assert links == ["http://192.0.2.1/x.png", "https://192.0.2.1/"]
        assert await page.locator("zai-page img").count() == 0
        await page.get_by_role("button", name=re.compile("^What can you help me with")).first.wait_for()


async def test_chat_answer_is_stopped_and_asked_for_again(site: Site) -> None:
    async with browser(site.url) as page:
        await begin(page, site)
        await say(page, "count to 900")
        await last_answer(page).get_by_text("3 4").wait_for()
        await page.get_by_role("button", name="Stop").click()
        stopped = await answered(page, "Stopped.")
        assert "900" not in await stopped.inner_text()
        await say(page, "count to 3")
        await answered(page, "1 2 3")
        await page.get_by_role("button", name="Ask again").click()
        await page.get_by_role("button", name="Ask", exact=True).click()
        await page.get_by_text("Former answer from demo-rules").wait_for()
        await expect(answers(page).filter(visible=True).last).to_contain_text("1 2 3")


async def test_chat_goes_on_while_another_tab_is_shown_and_on_another_device(site: Site) -> None:
    async with browser(site.url) as page, browser(site.url) as other:
        await begin(page, site)
        await say(page, "count to 80")
        await last_answer(page).get_by_text("3 4").wait_for()
        await begin(other, site)
        await other.get_by_role("button", name=re.compile("^count to 80")).click()
        await last_answer(other).get_by_text("3 4").wait_for()
        await show_tab(page, "Overview")
        await open_chat(page)
        await answered(page, "79 80")
        await answered(other, "79 80")
        await new_conversation(page)
        await answered(other, "79 80")


async def test_chat_conversations_are_searched_renamed_and_deleted(site: Site) -> None:
    async with browser(site.url) as page:
        await begin(page, site)
        await say(page, "say the pump hums")
        await answered(page, "The pump hums")
        await page.reload()
        await open_chat(page)
        await page.get_by_role("searchbox", name="Search conversations").fill("PUMP HUMS")
        entry = page.get_by_role("button", name=re.compile("^say the pump hums"))
        await expect(page.locator("zai-chat-list li")).to_have_count(1)
        await page.get_by_role("button", name="Rename say the pump hums").click()
        await page.get_by_label("Title").fill("<b>Heating</b>")
        await page.get_by_label("Title").press("Enter")
        await expect(page.locator("zai-chat-list li")).to_contain_text("<b>Heating</b>")
        await page.get_by_role("button", name="<b>Heating</b>").first.click()
        await answered(page, "The pump hums")
        await page.get_by_role("button", name="Delete <b>Heating</b>").click()
        await page.get_by_role("button", name="Delete", exact=True).click()
        await page.get_by_role("heading", name="What do you want to know?").wait_for()
        await page.get_by_text("No conversation contains this.").wait_for()
        assert await entry.count() == 0
