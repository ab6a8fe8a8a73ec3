"""Home Assistant's user interface in a headless Chromium, logged in as the owner."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
import json
import os
from pathlib import Path
import shutil
import time

from playwright.async_api import Page, async_playwright

from . import DevHomeError

# The system's own Chromium asks its maker's servers for updates and lists at every start, which there may be no way to.
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
WAIT = 30_000
"""Milliseconds until an element that should be there is missed; the first page of a fresh home compiles a lot."""


def chromium() -> str:
    """The path of the installed Chromium. Raises DevHomeError if there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    raise DevHomeError("no Chromium is installed: scripts/setup names the package")


@asynccontextmanager
async def open_browser(
    url: str, token: str | None = None, *, width: int = 1280, height: int = 800, dark: bool = False
) -> AsyncGenerator[Page]:
    """A page at the home's `url`, logged in with a long-lived access token if there is one; use `show` to go somewhere.

    Chromium belongs to the network namespace of the thread that opens it.
    """
    login = {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": 1800,
        # A date far off, so that the page does not ask for another token; there is nothing to refresh this one with.
        "expires": int((time.time() + 86400 * 365) * 1000),
        "refresh_token": "",
        "hassUrl": url,
        "clientId": f"{url}/",
    }
    arguments = [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=arguments)
        try:
            context = await browser.new_context(
                viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", locale="en-GB"
            )
            context.set_default_timeout(WAIT)
            if token is not None:
                await context.add_init_script(f"localStorage.setItem('hassTokens', {json.dumps(json.dumps(login))})")
            yield await context.new_page()
        finally:
            await browser.close()


async def show(page: Page, url: str) -> None:
    """Go to a page of the home and wait until it is drawn."""
    await page.goto(url)
    await page.wait_for_selector("#ha-launch-screen", state="detached")
    await page.wait_for_load_state("networkidle")


async def screenshot(page: Page, path: Path) -> None:
    """Save what the window shows as PNG, without anything in motion."""
    path.parent.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=path, animations="disabled")
