"""How soon the page shows the live state, in a fresh Chromium each time: of `zeroconf-ai serve --demo`, and in Home Assistant.

Home Assistant loads its own frontend first, so there the time counts from the request of the page's first file.
"""

import asyncio
from collections.abc import Awaitable, Callable
import json
from pathlib import Path
import statistics
import sys

from playwright.async_api import Page

from devhome.browser import open_browser
from devhome.gateway import add_gateway
from devhome.home import PAGE, Home
from devhome.process import free_port
from tests.support.command import serving

SENTENCE = "zai-overview .sentence"
"""The sentence of state: the page shows it when it has the live state."""
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
FIRST_FILE = "performance.getEntriesByType('resource').find(({ name }) => name.includes('/panel.js')).startTime"

type Figures = dict[str, float]


async def _shown(page: Page, since: str) -> float:
    """Milliseconds from `since`, an expression of JavaScript, until the sentence is there."""
    await page.locator(SENTENCE).wait_for()
    return float(await page.evaluate(f"performance.now() - {since}"))


async def _median(rounds: int, measure: Callable[[], Awaitable[Figures]]) -> Figures:
    found = [await measure() for _ in range(rounds)]
    return {name: statistics.median(one[name] for one in found) for name in found[0]}


async def _server(folder: Path, rounds: int) -> Figures:
    async def measure() -> Figures:
        with serving(folder, "--no-advertise") as server:
            async with open_browser(server.url) as page:
                await page.goto(server.ready["page"])
                shown = await _shown(page, "0")
                return {"first paint": float(await page.evaluate(FIRST_PAINT)), "live state": shown}

    return await _median(rounds, measure)


async def _home(folder: Path, rounds: int) -> Figures:
    home = Home(folder, port=free_port("127.0.0.1", range(18000, 19000)), listen=["127.0.0.1"])
    try:
        await home.start()
        async with home.client() as client:
            await add_gateway(client)

        async def measure() -> Figures:
            async with open_browser(home.url, home.login.token) as page:
                await page.goto(home.url + PAGE)
                return {"live state": await _shown(page, FIRST_FILE)}

        return await _median(rounds, measure)
    finally:
        await home.stop()


async def _measure(folder: Path, rounds: int) -> dict[str, Figures]:
    return {
        "zeroconf-ai serve --demo": await _server(folder / "served", rounds),
        "Home Assistant": await _home(folder / "home", rounds),
    }


def main(folder: Path, rounds: int, *, as_json: bool) -> None:
    """Run and print. Raises DevHomeError if Chromium or a home is missing."""
    table = asyncio.run(_measure(folder, rounds))
    if as_json:
        sys.stdout.write(json.dumps(table, indent=2) + "\n")
        return
    for name, figures in table.items():
        for figure, milliseconds in figures.items():
            sys.stdout.write(f"{name:28}{figure:16}{milliseconds:>8,.0f} ms\n")
