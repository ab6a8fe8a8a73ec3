"""The tools of the MCP server, called by the client of the official SDK."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from mcp.client.client import Client
from mcp_types import CallToolResult, TextContent
import pytest

import zeroconf_ai
from zeroconf_ai.accounting.keys.client_key import ADMIN
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.backends.demo.backend import DemoBackend
from zeroconf_ai.mcp_server import tools
from zeroconf_ai.mcp_server.providers import Providers
from zeroconf_ai.mcp_server.server import create_server
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.server.access.guard import Guard

from ...support.fakes.provider import FakeProvider, stall, text
from ...support.server import Served, served


@asynccontextmanager
async def agent(url: str, key: str | None = None) -> AsyncIterator[Client]:
    """An agent whose server uses the provider at `url`."""
    providers = Providers(partial(zeroconf_ai.Client, url, key=key))
    try:
        async with Client(create_server(providers, usage=key is not None)) as client:
            yield client
    finally:
        await providers.close()


@pytest.fixture
async def demo() -> AsyncIterator[Served]:
    async with served() as running:
        yield running


def text_of(result: CallToolResult) -> str:
    """The text of a result."""
    return "".join(part.text for part in result.content if isinstance(part, TextContent))


def details_of(result: CallToolResult) -> dict[str, Any]:
    """The data of a result."""
    assert not result.is_error, text_of(result)
    assert result.structured_content is not None
    return result.structured_content


async def test_providers_and_models_are_listed(demo: Served) -> None:
    async with agent(demo.url) as client:
        (provider,) = details_of(await client.call_tool("list_providers", {}))["result"]
        models = {row["id"]: row for row in details_of(await client.call_tool("list_models", {}))["models"]}
    assert (provider["online"], provider["reason"]) == (True, "")
    assert {"demo-rules", "demo-embed"} <= set(provider["models"]) == set(models)
    assert models["demo-rules"]["provider_id"] == provider["id"]
    assert "tools" in models["demo-rules"]["capabilities"]
    assert models["demo-embed"]["capabilities"] == ["embeddings"]


async def test_long_lists_of_models_are_cut_and_searched() -> None:
    many = [{"id": f"model-{number}"} for number in range(1000)]
    async with FakeProvider(models=many) as fake, agent(fake.base_url) as client:
        (provider,) = details_of(await client.call_tool("list_providers", {}))["result"]
        everything = details_of(await client.call_tool("list_models", {}))
        some = details_of(await client.call_tool("list_models", {"containing": "MODEL-77"}))
    assert (len(provider["models"]), provider["model_count"]) == (200, 1000)
    assert (len(everything["models"]), everything["left_out"]) == (200, 800)
    assert [row["id"] for row in some["models"]] == ["model-77", *(f"model-77{digit}" for digit in range(10))]
    assert some["left_out"] == 0


async def test_question_is_answered_with_details(demo: Served) -> None:
    async with agent(demo.url) as client:
        asked = await client.call_tool("ask", {"question": "count to 5", "model": "demo-rules"})
    details = details_of(asked)
    assert text_of(asked) == details["text"] == "1 2 3 4 5"
    assert (details["model"], details["finish_reason"], details["completion_tokens"]) == ("demo-rules", "stop", 5)


async def test_question_has_its_instructions_and_maximum() -> None:
    async with FakeProvider(answers=[text("Fine.")]) as provider, agent(provider.base_url) as client:
        details_of(await client.call_tool("ask", {"question": "How?", "instructions": "Be short.", "max_tokens": 7}))
    (body,) = provider.requests
    assert body["messages"] == [{"role": "system", "content": "Be short."}, {"role": "user", "content": "How?"}]
    assert body["max_tokens"] == 7


@pytest.mark.parametrize(
    "wrong", [{"max_tokens": 0}, {"max_tokens": 10**9}, {"question": ""}, {"question": "x" * (tools.MAX_QUESTION + 1)}]
)
async def test_question_out_of_bounds_is_refused(demo: Served, wrong: dict[str, Any]) -> None:
    async with agent(demo.url) as client:
        refused = await client.call_tool("ask", {"question": "count to 5", **wrong})
    assert refused.is_error


async def test_answer_of_a_provider_that_ignores_the_maximum_is_cut(demo: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "MAX_ANSWER", 10)
    async with agent(demo.url) as client:
        details = details_of(await client.call_tool("ask", {"question": "count to 500"}))
    assert (details["text"], details["finish_reason"], details["prompt_tokens"]) == ("1 2 3 4 5 ", "length", None)


async def test_question_without_an_answer_in_time_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "MAX_SECONDS", 1)
    async with FakeProvider(answers=[stall()]) as provider, agent(provider.base_url) as client:
        asked = await client.call_tool("ask", {"question": "hello"})
    assert (asked.is_error, "within 1 s" in text_of(asked)) == (True, True), text_of(asked)


async def test_question_for_an_unknown_model_names_it(demo: Served) -> None:
    async with agent(demo.url) as client:
        asked = await client.call_tool("ask", {"question": "hello", "model": "no-such-model"})
    assert (asked.is_error, "no-such-model" in text_of(asked)) == (True, True), text_of(asked)


async def test_question_reports_progress_while_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "_PROGRESS_SECONDS", 0.02)
    reports: list[tuple[float, str | None]] = []
    enough = asyncio.Event()

    async def report(progress: float, total: float | None, message: str | None) -> None:
        assert total is None
        reports.append((progress, message))
        if sum("answers" in (said or "") for _, said in reports) > 3:
            enough.set()

    async with served(DemoBackend(word_seconds=0.02)) as running, agent(running.url) as client:
        asking = asyncio.create_task(client.call_tool("ask", {"question": "count to 100000"}, progress_callback=report))
        async with asyncio.timeout(20):
            await enough.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        async with asyncio.timeout(20):
            while any(member.active for member in running.engine.pool):
                await asyncio.sleep(0.01)
    assert [at for at, _ in reports] == sorted(at for at, _ in reports)
    assert reports[0][1] == "looking for a provider"


async def test_provider_that_does_not_answer_is_looked_for_again() -> None:
    async with FakeProvider(answers=[text("Here.")]) as provider:
        port, url = provider.port, provider.base_url
    async with agent(url) as client:
        for name in ("ask", "list_models", "list_providers"):
            nobody = await client.call_tool(name, {"question": "hello"} if name == "ask" else {})
            assert (nobody.is_error, "refused" in text_of(nobody)) == (True, True), text_of(nobody)
        for answer in ("Back.", "Again."):
            async with FakeProvider(port=port, answers=[text(answer)]):
                assert text_of(await client.call_tool("ask", {"question": "hello"})) == answer
            assert (await client.call_tool("ask", {"question": "hello"})).is_error


async def test_usage_is_shown_as_the_key_may_see_it(tmp_path: Path) -> None:
    store = await AccountingStore.open(tmp_path / "gateway.db")
    try:
        _, owner = await store.keys.create("Owner", endpoints=(ADMIN, "usage", "chat", "models", "status"))
        _, guest = await store.keys.create("Guest")
        seen = {}
        async with served(access=Guard(store.keys), ledger=store.ledger) as running:
            await running.engine.attach(Accounting.of(store))
            for name, key in (("Guest", guest), ("Owner", owner)):
                async with agent(running.url, key) as client:
                    details_of(await client.call_tool("ask", {"question": "count to 3"}))
                    usage = details_of(await client.call_tool("usage", {"group_by": "key"}))
                    seen[name] = {row["key_name"]: row["requests"] for row in usage["data"]}
    finally:
        await store.close()
    assert seen == {"Guest": {"Guest": 1}, "Owner": {"Guest": 1, "Owner": 1}}


async def test_usage_is_no_tool_without_a_key(demo: Served) -> None:
    async with agent(demo.url) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == {"list_providers", "list_models", "ask"}
