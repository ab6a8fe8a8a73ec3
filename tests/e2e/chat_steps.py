"""Steps of a person who chats on the page, in both homes, by what he sees."""

import re

from playwright.async_api import Locator, Page

ANSWER = re.compile("^Answer from")


async def open_chat(page: Page) -> None:
    """Open the tab."""
    tab = page.get_by_role("navigation", name="Sections").get_by_role("link", name="Chat", exact=True)
    await tab.click()
    await page.get_by_role("textbox", name="Message").wait_for()


async def new_conversation(page: Page) -> None:
    """Leave the conversation that is shown."""
    await page.get_by_role("button", name="New conversation", exact=True).first.click()
    await page.get_by_role("heading", name="What do you want to know?").wait_for()


async def say(page: Page, text: str) -> None:
    """Write a message and send it with the keyboard."""
    field = page.get_by_role("textbox", name="Message")
    await field.fill(text)
    await field.press("Enter")


def answers(page: Page) -> Locator:
    """The answers of the conversation."""
    return page.get_by_role("article", name=ANSWER)


def last_answer(page: Page) -> Locator:
    """The newest answer."""
    return answers(page).last


async def answered(page: Page, text: str | re.Pattern[str]) -> Locator:
    """Wait until the newest answer contains a text and has ended."""
    answer = page.locator("zai-chat-message article[aria-busy=false]").filter(has_text=text).last
    await answer.wait_for()
    return answer


async def choose(page: Page, provider: str, model: str | None = None) -> None:
    """Choose who answers: first the provider, then its model."""
    picker = page.locator("zai-chat-picker").first
    option = picker.get_by_label("Provider").locator("option").filter(has_text=re.compile(f"^\\s*{provider}"))
    await picker.get_by_label("Provider").select_option(value=await option.get_attribute("value") or "")
    if model is not None:
        await picker.get_by_label("Model").select_option(value=model)
