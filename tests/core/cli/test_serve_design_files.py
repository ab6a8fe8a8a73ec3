"""`zeroconf-ai serve` starts with both files of the design documents as they stand; their secrets are variables."""

from pathlib import Path

import aiohttp
import pytest

from ..config.test_design_files import ROUTER, SECRET, SERVER
from .test_serve_upstreams import QUIET, gateway

pytestmark = pytest.mark.usefixtures("own_loopback")


@pytest.mark.parametrize(("text", "port"), [(SERVER, 8080), (ROUTER, None)], ids=["server", "router"])
async def test_serve_starts_with_a_design_file_and_requires_a_key(tmp_path: Path, text: str, port: int | None) -> None:
    file = tmp_path / "design.yaml"
    file.write_text(text, encoding="utf-8")
    async with gateway(
        tmp_path, "--config", str(file), *QUIET, env={"OPENAI_API_KEY": SECRET}, verbose=False, closed=True
    ) as served:
        ready = served.ready
        assert ready["key"].startswith("zai_")
        assert (ready["auth"], ready["port"]) == ("token", port or ready["port"])
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{ready['url']}/models") as refused:
                assert refused.status == 401
            async with http.get(f"{ready['url']}/models", headers={"Authorization": f"Bearer {ready['key']}"}) as listed:
                assert listed.status == 200
        said = await served.stop()
    assert SECRET not in said
    assert "Traceback" not in said
