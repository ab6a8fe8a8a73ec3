"""What people do on the page from beginning to end, by what they read on it: the owner, and a user who is no administrator."""

from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
import re
from typing import Any

import aiohttp
from openai import AsyncOpenAI
from PIL import Image
from playwright.async_api import FilePayload, Page
import pytest
import pytest_asyncio

from devhome.namespaces import Lan
from devhome.onboarding import Login, renewed
from devhome.provider import DemoProvider

from .chat_steps import answered, choose, open_chat
from .gateway_home import GatewayHome, gateway_home
from .sdks import CHAT_MODEL
from .steps import discovered
from .test_page import browser, open_tab

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECONDS = 60
"""How long a step of Home Assistant may take on a busy machine."""
QUESTION = "What is in this picture?"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(lan: Lan, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayHome]:
    """A home with a gateway, a cloud that costs money, and a demo provider on the network that nobody has added."""
    folder: Path = tmp_path_factory.mktemp("story")
    demo = DemoProvider(folder / "demo.log", name="Demo", host=lan.host("gpu"))
    await demo.start()
    try:
        async with gateway_home(lan, folder) as made:
            yield made
    finally:
        demo.kill()


def picture() -> FilePayload:
    """A small picture, as a camera makes one."""
    raw = BytesIO()
    Image.new("RGB", (64, 48), "teal").save(raw, "JPEG")
    return {"name": "garden.jpg", "mimeType": "image/jpeg", "buffer": raw.getvalue()}


async def ask_with_a_picture(page: Page) -> None:
    """Send a message with a picture to the cloud, and wait for the answer and what it cost."""
    await open_chat(page)
    await choose(page, "Cloud", CHAT_MODEL)
    await page.get_by_label("Add image").set_input_files(picture())
    await page.get_by_text("64 × 48").wait_for()
    await page.get_by_role("textbox", name="Message").fill(QUESTION)
    await page.get_by_role("button", name="Send").click()
    answer = await answered(page, "Hello there, this is the house.")
    await answer.get_by_text(re.compile(r"Cloud.*gpt-4\.1.*tokens.*\$0\.0")).wait_for()


async def make_a_key(page: Page, name: str, program: str) -> str:
    """Create a key, and return what the page says for the program. The secret is not shown a second time."""
    await open_tab(page, "API keys")
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_role("button", name="Create API key").click()
    await page.get_by_text("This API key is shown only now").wait_for()
    await page.get_by_label("Program").select_option(label=program)
    said = await page.locator("pre").last.inner_text()
    await page.get_by_role("button", name="Done").click()
    await page.get_by_role("cell", name=name).first.wait_for()
    return said


async def use_as_open_webui(said: str) -> None:
    """Do what Open WebUI does with the address and the key that it is told."""
    (url,) = set(re.findall(r"http://[\w.:]+/v1", said))
    (key,) = set(re.findall(r"zai_\w+", said))
    async with AsyncOpenAI(base_url=url, api_key=key, max_retries=0) as client:
        assert CHAT_MODEL in [model.id async for model in client.models.list()]
        await client.chat.completions.create(model=CHAT_MODEL, messages=[{"role": "user", "content": "Hello"}])


async def read_requests(page: Page, who: str) -> None:
    """Find who answered a request and what it cost, in its record."""
    await open_tab(page, "Requests")
    await page.get_by_role("row").filter(has_text=who).first.get_by_role("button").click()
    await page.get_by_text("Time to first token").first.wait_for()
    await page.get_by_text("Total cost").first.wait_for()


async def test_page_owner_adds_a_provider_chats_pays_shares_and_finds_out_why(site: GatewayHome) -> None:
    await discovered(site.client, "Demo")
    async with browser(site) as page:
        await open_tab(page, "Providers")
        await page.get_by_role("button", name="Add Demo").click()
        await page.get_by_role("button", name="Submit").click()
        await page.get_by_text("Demo is set up.").wait_for(timeout=SECONDS * 1000)

        await ask_with_a_picture(page)
        (body,) = site.openai.bodies("/v1/chat/completions")
        assert "data:image/" in str(body)
        await open_tab(page, "Overview")
        await (
            page.get_by_role("status")
            .get_by_text(re.compile(r"Cloud answers with gpt-4\.1; nothing waits; .*\$0\.\d+ today"))
            .wait_for()
        )
        await page.locator("zai-overview").get_by_text("Demo", exact=True).wait_for()

        await use_as_open_webui(await make_a_key(page, "Open WebUI", "Open WebUI"))
        await read_requests(page, "Open WebUI")

        await open_tab(page, "Why this provider?")
        await page.get_by_label("Request").fill("Hello")
        await page.get_by_label("Model", exact=True).fill(CHAT_MODEL)
        await page.get_by_role("button", name="Show the plan").click()
        await page.get_by_role("listitem").filter(has_text="Cloud").first.get_by_text("at most").wait_for()
        await page.get_by_text("Demo").first.wait_for()


async def test_page_user_chats_pays_and_makes_a_key_where_the_owner_allows_it(site: GatewayHome) -> None:
    created = await site.client.call("config/auth/create", name="Guest", group_ids=["system-users"], local_only=False)
    login: dict[str, Any] = {"username": "guest", "password": "guest-of-the-tests"}
    await site.client.call("config/auth_provider/homeassistant/create", user_id=created["user"]["id"], **login)
    async with aiohttp.ClientSession() as session:
        guest = await renewed(session, site.home.url, Login(login["username"], login["password"], ""))
    async with browser(site, guest.token) as page:
        await ask_with_a_picture(page)
        await read_requests(page, CHAT_MODEL)
        await open_tab(page, "Usage")
        await page.get_by_role("row", name=re.compile("gpt-4")).wait_for()
        await open_tab(page, "API keys")
        await page.get_by_text("Only administrators create API keys in this home.").wait_for()
        assert await page.get_by_role("button", name="Create API key").count() == 0

    step = await site.client.start_flow(site.gateway.entry_id, kind="options")
    await site.client.continue_flow(step["flow_id"], {"next_step_id": "own_keys"}, kind="options")
    await site.client.continue_flow(step["flow_id"], {"limit": 1}, kind="options")
    async with browser(site, guest.token) as page:
        await use_as_open_webui(await make_a_key(page, "My Open WebUI", "Open WebUI"))
        await read_requests(page, "My Open WebUI")
        await open_tab(page, "API keys")
        await page.get_by_text("You have as many API keys as you may have (1)").wait_for()
