"""The Python examples of docs/guides.md, as they stand, against a gateway."""

import asyncio
import os
import sys

from ...support.documented import ADDRESS, sections, with_replaced
from ...support.server import KEY, served

SDKS = ("The OpenAI SDK", "The Anthropic SDK", "The Google Gen AI SDK", "Ollama clients")


async def run(code: str) -> tuple[int | None, str]:
    """The exit code of a program, and what it prints and writes to its error output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-c", code),
        env=os.environ | {"ZEROCONF_AI_KEY": KEY},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(100):
        printed, _ = await process.communicate()
    return process.returncode, printed.decode()


async def test_examples_of_sdks_are_answered() -> None:
    page = sections("guides.md")
    examples = {title: next(text for language, text in page[title].blocks if language == "python") for title in SDKS}
    async with served(key=KEY) as gateway:
        real = {f"http://{ADDRESS}:{port}": gateway.url.removesuffix("/v1") for port in (8123, 8124)}
        found = await asyncio.gather(*(run(with_replaced(code, real)) for code in examples.values()))
        assert gateway.gateway.totals is not None
        asked = gateway.gateway.totals.household.today.requests
    assert dict(zip(SDKS, [code for code, _ in found], strict=True)) == dict.fromkeys(SDKS, 0), found
    assert asked == len(SDKS)
