"""`zeroconf-ai serve` without keys: the limits of single providers hold, over restarts too."""

import asyncio
from contextlib import closing
from pathlib import Path
import sqlite3
from typing import Any

from openai import AsyncOpenAI, InternalServerError, RateLimitError
import pytest

from tests.support.clouds.openai import FakeOpenAI
from tests.support.clouds.server import Reply
from tests.support.waiting import until

from ...support.command import run
from .test_serve_upstreams import QUIET, SECRET, gateway

pytestmark = pytest.mark.usefixtures("own_loopback")

QUESTION: Any = [{"role": "user", "content": "Hi"}]


def config(tmp_path: Path, fake: FakeOpenAI, *lines: str) -> Path:
    file = tmp_path / "providers.yaml"
    provider = [f"id: cloud, type: openai, endpoint: {fake.base_url}, authSecret: {SECRET}, models: [gpt-4.1]", *lines]
    file.write_text("providers:\n  - {" + ", ".join(provider) + "}\n")
    return file


async def count_answered(client: AsyncOpenAI, count: int, **more: Any) -> int:
    """How many of so many requests are answered."""
    answered = 0
    for _ in range(count):
        try:
            await client.with_options(max_retries=0).chat.completions.create(model="gpt-4.1", messages=QUESTION, **more)
        except RateLimitError:
            continue
        answered += 1
    return answered


async def test_monthly_limit_without_keys_is_enforced_over_a_restart(tmp_path: Path) -> None:
    """A request costs 0.001 (8 tokens of an answer at 125 for a million); a limit of 0.0101 allows ten at most."""
    async with FakeOpenAI(Reply("Hello", prompt_tokens=0), key=SECRET) as fake:
        file = config(tmp_path, fake, "monthlyLimit: 0.0101", "prices: {'*': {input: 0, output: 125}}")
        async with gateway(tmp_path, "--config", str(file), *QUIET) as served:
            first = await count_answered(served.client, 6, max_tokens=8)
            await served.stop()
        async with gateway(tmp_path, "--config", str(file), *QUIET) as served:
            second = await count_answered(served.client, 14, max_tokens=8)
            with pytest.raises(RateLimitError, match="The budget of this backend for the month"):
                await served.client.with_options(max_retries=0).chat.completions.create(
                    model="gpt-4.1", messages=QUESTION, max_tokens=8
                )
    assert (first, first + second) == (6, 10)
    with closing(sqlite3.connect(tmp_path / "zeroconf-ai" / "gateway.db")) as database:
        assert database.execute("SELECT count(*) FROM generations").fetchone() == (0,)


async def test_monthly_limit_in_another_currency_is_enforced_at_the_exchange_rate(tmp_path: Path) -> None:
    """A request costs 0.001 dollars, which are 0.002 francs here: a limit of 0.0101 francs allows five."""
    async with FakeOpenAI(Reply("Hello", prompt_tokens=0), key=SECRET) as fake:
        file = config(tmp_path, fake, "monthlyLimit: 0.0101", "prices: {'*': {input: 0, output: 125}}")
        text = file.read_text()
        file.write_text(f"currency: CHF\nexchangeRates: {{USD: 2}}\n{text}")
        async with gateway(tmp_path, "--config", str(file), *QUIET) as served:
            assert await count_answered(served.client, 8, max_tokens=8) == 5
        file.write_text(f"currency: CHF\nexchangeRates: {{EUR: 1}}\n{text}")
        async with gateway(tmp_path, "--config", str(file), *QUIET) as served:
            with pytest.raises(InternalServerError, match="No exchange rate is set for USD"):
                await served.client.with_options(max_retries=0).chat.completions.create(
                    model="gpt-4.1", messages=QUESTION, max_tokens=8
                )


@pytest.mark.parametrize("line", ["requestsPerMinute: 1", "tokensPerMinute: 1"])
async def test_rate_limit_of_a_provider_without_keys_is_enforced(tmp_path: Path, line: str) -> None:
    async with FakeOpenAI(Reply("Hello", prompt_tokens=12, completion_tokens=8), key=SECRET) as fake:
        file = config(tmp_path, fake, line)
        async with gateway(tmp_path, "--config", str(file), *QUIET) as served:
            assert await count_answered(served.client, 1, max_tokens=8) == 1
            with pytest.raises(RateLimitError, match="the only provider for this has") as refused:
                await served.client.with_options(max_retries=0).chat.completions.create(
                    model="gpt-4.1", messages=QUESTION, max_tokens=8
                )
            assert int(refused.value.response.headers["Retry-After"]) <= (60 if "requests" in line else 20 * 60)


async def test_limit_added_while_serving_is_enforced(tmp_path: Path) -> None:
    async with FakeOpenAI(Reply("Hello"), key=SECRET) as fake:
        file = config(tmp_path, fake)
        async with gateway(tmp_path, "--config", str(file), *QUIET) as served:
            assert await count_answered(served.client, 3, max_tokens=8) == 3
            config(tmp_path, fake, "monthlyLimit: 0", "prices: {'*': {input: 1, output: 1}}")

            async def refused() -> bool:
                return not await count_answered(served.client, 1, max_tokens=8)

            await until(refused)


async def test_limit_with_a_database_that_cannot_be_opened_is_reported(tmp_path: Path) -> None:
    (tmp_path / "zeroconf-ai").mkdir()
    (tmp_path / "zeroconf-ai" / "gateway.db").mkdir()
    file = tmp_path / "providers.yaml"
    file.write_text("providers:\n  - {id: a, type: ollama, monthlyLimit: 1}\n")
    done = await asyncio.to_thread(run, tmp_path, "serve", "--config", str(file), *QUIET)
    assert done.returncode == 1
    assert "database" in done.stderr
