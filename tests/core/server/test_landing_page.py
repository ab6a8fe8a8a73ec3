"""The page at the root of a server's own port."""

import pytest

from zeroconf_ai.backends.demo.backend import DemoBackend
from zeroconf_ai.server.administration.administration import Administration

from ...support.server import KEY, served

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "text/plain"])
async def test_root_tells_programs_that_ollama_is_running(accept: str | None) -> None:
    headers = {} if accept is None else {"Accept": accept}
    async with served(DemoBackend(), key=KEY) as server:
        for method, text in (("GET", b"Ollama is running"), ("HEAD", b"")):
            status, body, found = await server.ask(method, "/", headers=headers)
            assert (status, body, found["Content-Type"]) == (200, text, "text/plain; charset=utf-8")
        status, body, found = await server.ask("HEAD", "/", headers=BROWSER)
        assert (status, found["Content-Type"]) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize(("key", "said"), [(None, "need no API key"), (KEY, "YOUR_KEY")])
async def test_landing_page_describes_the_server_without_secrets(key: str | None, said: str) -> None:
    async with served(DemoBackend(), key=key) as server:
        async with server.session.get(f"http://127.0.0.1:{server.port}/", headers=BROWSER) as response:
            text = await response.text()
            assert response.status == 200
            assert response.content_type == "text/html"
            assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert f"http://127.0.0.1:{server.port}/v1/chat/completions" in text
        assert said in text
        assert KEY not in text


async def test_landing_page_links_to_the_administration_where_there_is_one() -> None:
    async with served(DemoBackend(), key=KEY, administration=lambda gateway: Administration(gateway, None, KEY)) as server:
        _, found, _ = await server.ask("GET", "/", headers=BROWSER)
        assert b'<a href="/admin/">' in found
    async with served(DemoBackend(), key=KEY) as server:
        _, found, _ = await server.ask("GET", "/", headers=BROWSER)
        assert b"/admin/" not in found


async def test_landing_page_escapes_the_name() -> None:
    async with served(DemoBackend(), name="<script>alert(1)</script>") as server:
        headers = BROWSER | {"Host": "<b>evil</b>"}
        async with server.session.get(f"http://127.0.0.1:{server.port}/", headers=headers) as response:
            text = await response.text()
    assert "<script>" not in text
    assert "<b>" not in text
