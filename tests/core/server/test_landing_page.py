"""The page at the root of a server's own port."""

import pytest

from zeroconf_ai.backends.demo.backend import DemoBackend

from ...support.server import KEY, served


@pytest.mark.parametrize(("key", "said"), [(None, "need no API key"), (KEY, "YOUR_KEY")])
async def test_landing_page_describes_the_server_without_secrets(key: str | None, said: str) -> None:
    async with served(DemoBackend(), key=key) as server:
        async with server.session.get(f"http://127.0.0.1:{server.port}/") as response:
            text = await response.text()
            assert response.status == 200
            assert response.content_type == "text/html"
            assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert f"http://127.0.0.1:{server.port}/v1/chat/completions" in text
        assert said in text
        assert KEY not in text


async def test_landing_page_escapes_the_name() -> None:
    async with served(DemoBackend(), name="<script>alert(1)</script>") as server:
        headers = {"Host": "<b>evil</b>"}
        async with server.session.get(f"http://127.0.0.1:{server.port}/", headers=headers) as response:
            text = await response.text()
    assert "<script>" not in text
    assert "<b>" not in text
