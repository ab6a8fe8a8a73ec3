"""Images of the page's conversations in Home Assistant: of the logged-in user, with and without a gateway."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pytest_homeassistant_custom_component.common import MockUser
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.zeroconf_ai.core.accounting.conversations.conversation import Owner, Role
from custom_components.zeroconf_ai.usage.shared_store import SHARED_STORE
from homeassistant.components.http.ban import KEY_FAILED_LOGIN_ATTEMPTS
from homeassistant.core import HomeAssistant

from .support.fakes.provider import FakeProvider
from .support.home_assistant.entries import make_entry, set_up
from .support.home_assistant.gateway import box, gateway_with
from .support.pictures import SVG, encoded

PATH = "/api/zeroconf_ai/images"
pytestmark = pytest.mark.usefixtures("ready_to_serve")


def form(data: bytes, **fields: str) -> aiohttp.FormData:
    """A form with an image."""
    made = aiohttp.FormData()
    for name, value in {"conversation_id": "c1", "message_id": "m1", **fields}.items():
        made.add_field(name, value)
    made.add_field("file", data, filename="photo.png", content_type="image/png")
    return made


async def uploaded(client: Any, path: str, data: bytes, **fields: str) -> tuple[int, dict[str, Any]]:
    """Status and body of an upload."""
    response = await client.post(path, data=form(data, **fields))
    return response.status, await response.json()


@pytest.mark.parametrize("with_gateway", [False, True])
async def test_image_of_a_user_is_stored_in_the_configuration_and_shown(
    hass: HomeAssistant,
    provider: FakeProvider,
    hass_client: ClientSessionGenerator,
    hass_client_no_auth: ClientSessionGenerator,
    hass_admin_user: MockUser,
    hass_read_only_access_token: str,
    tmp_path: Path,
    *,
    with_gateway: bool,
) -> None:
    entry = await set_up(hass, gateway_with(box(provider)) if with_gateway else make_entry(provider))
    client, nobody, other = await hass_client(), await hass_client_no_auth(), await hass_client(hass_read_only_access_token)
    path = "/v1/images/upload" if with_gateway else PATH
    status, body = await uploaded(client, path, encoded("JPEG"))
    assert status == 200, body
    stored = tmp_path / "zeroconf_ai" / "images" / "c1" / "m1" / body["filename"]
    assert body["path"] == stored.relative_to(tmp_path).as_posix()
    assert body["url"].startswith("/v1/images/c1/" if with_gateway else f"{PATH}/c1/")
    shown = await nobody.get(body["url"])  # an <img> sends no token
    assert (shown.status, shown.content_type) == (200, "image/jpeg")
    assert await shown.read() == await asyncio.to_thread(stored.read_bytes)
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert (await uploaded(other, path, encoded()))[0] == 404, "it is another user's conversation"
    assert (await uploaded(client, path, SVG))[0] == 415
    assert (await uploaded(client, path, encoded(), message_id="..%2f"))[0] == 400
    for _ in range(3):
        assert (await nobody.get(body["url"] + "x")).status == 403
    assert not hass.http.app.get(KEY_FAILED_LOGIN_ATTEMPTS), "no ban for an old address"
    assert (await nobody.post(PATH, data=form(encoded()))).status == 401
    store = hass.data[SHARED_STORE].store
    assert store is not None
    said = await store.conversations.append(Owner(user_id=hass_admin_user.id), "c1", Role.USER, "Look", message_id="m1")
    assert [image.filename for image in said.images] == [body["filename"]]
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert not await asyncio.to_thread(stored.exists)
    assert (await nobody.get(f"{PATH}/c1/m1/x.png")).status == 503
