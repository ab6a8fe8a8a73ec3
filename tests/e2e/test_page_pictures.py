"""The pictures of the page in docs/images: a home with several providers, running requests and a budget."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Any

from openai import AsyncOpenAI
import pytest
import pytest_asyncio

from devhome.browser import screenshot
from devhome.gateway import add_backend
from devhome.namespaces import Lan
from tests.support.fakes.provider import FakeProvider, Script, refuse, running, stall, text, usage

from .gateway_home import GatewayHome, gateway_home, until_served
from .test_page import IMAGES, browser

pytestmark = pytest.mark.asyncio(loop_scope="module")

SMALL, LARGE, CLOUD = "gemma3:27b", "gpt-oss:20b", "claude-sonnet-4-5"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(lan: Lan, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayHome]:
    """The home: two requests run, one was answered by another provider than the first, and a part of the budget is spent."""
    host = lan.host("tester").ipv4
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(gateway_home(lan, tmp_path_factory.mktemp("pictures")))

        async def add(name: str, models: Sequence[str], *answers: Script, **details: Any) -> None:
            fake = await stack.enter_async_context(running(FakeProvider(host=host, models=[{"id": model} for model in models])))
            fake.answers = list(answers)
            connection = {"base_url": f"http://{host}:{fake.port}/v1"}
            await add_backend(made.client, made.gateway.entry_id, "openai_compatible", connection, name=name, **details)
            await until_served(made.gateway, *models)

        answer = [*text("Good", " morning.")[:-1], usage(41_000, 19_000)]
        await add("Laptop in the study", [SMALL], refuse(503, "There is no memory left."))
        await add("Workshop", [SMALL, LARGE], answer, stall())
        await add("Claude", [CLOUD], answer, currency="EUR", input_price=3.0, output_price=15.0)
        keys = {
            name: (await made.client.call("zeroconf_ai/keys/create", name=name))["key"] for name in ("Open WebUI", "OpenCode")
        }

        async def ask(name: str, model: str) -> None:
            async with AsyncOpenAI(base_url=f"{made.address.url}/v1", api_key=keys[name], max_retries=0) as client:
                await client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Good morning"}])

        for model in (CLOUD, CLOUD, CLOUD, SMALL):
            await ask("OpenCode", model)
        budget: dict[str, Any] = {"scope": "household", "subject": "", "period": "month", "amount": 2, "action": "free_only"}
        await made.client.call("zeroconf_ai/budgets/set", **budget)
        tasks = [asyncio.create_task(ask(name, LARGE)) for name in keys]
        yield made
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(("name", "width", "height"), [("page-overview", 1280, 800), ("page-overview-phone", 390, 844)])
async def test_page_overview_of_a_busy_home_is_pictured(site: GatewayHome, name: str, width: int, height: int) -> None:
    async with browser(site, width=width, height=height) as page:
        await page.get_by_role("cell", name="Open WebUI").wait_for()
        await page.get_by_role("meter").first.wait_for()
        await screenshot(page, IMAGES / f"{name}.png")
