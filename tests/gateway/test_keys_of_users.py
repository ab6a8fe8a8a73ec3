"""Keys and tokens of deactivated or deleted users are refused everywhere."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.zeroconf_ai.const import CONF_AUTH, CONF_OWN_PORT
from custom_components.zeroconf_ai.core.server.dispatch import Route
from custom_components.zeroconf_ai.core.server.endpoints import OWN_PORT_ROUTES, ROUTES
from homeassistant.auth.const import GROUP_ID_USER
from homeassistant.auth.models import User
from homeassistant.components.http.auth import async_sign_path
from homeassistant.core import HomeAssistant

from ..support.fakes.provider import FakeProvider
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway import bearer, box, gateway_with, runtime_of
from ..support.ports import free_port

pytestmark = pytest.mark.usefixtures("ready_to_serve")

LOCKED = [route for route in (*ROUTES, *OWN_PORT_ROUTES) if not route.public]
MODELS = next(route for route in ROUTES if route.path == "/v1/models")


@pytest.fixture
async def user(hass: HomeAssistant) -> User:
    await hass.auth.async_create_user("Ada")  # the first one owns the home, and stays
    return await hass.auth.async_create_user("Bo", group_ids=[GROUP_ID_USER])


class Doors:
    """Home Assistant's own port, and the gateway's."""

    def __init__(self, client: Any, session: aiohttp.ClientSession, port: int, secret: str) -> None:
        self._client = client
        self._session = session
        self._port = port
        self._secret = secret

    async def request(self, route: Route, *, separate_port: bool, **options: Any) -> tuple[int, Any]:
        """Status and body of a request for a route."""
        path = route.path.replace("{model:.+}", "test-model")
        url = f"http://127.0.0.1:{self._port}{path}" if separate_port else path
        given = {"headers": bearer(self._secret), **options}
        if route.method == "POST":
            given["json"] = {}
        async with (self._session if separate_port else self._client).request(route.method, url, **given) as response:
            kind = response.content_type
            return response.status, await response.json() if kind == "application/json" else await response.text()

    async def statuses(self) -> dict[tuple[str, bool], int]:
        """Of each route at each port."""
        asked = [(route, True) for route in LOCKED] + [(route, False) for route in ROUTES if not route.public]
        return {(route.path, own): (await self.request(route, separate_port=own))[0] for route, own in asked}


@pytest.fixture(params=["token", "none"])
async def doors(
    hass: HomeAssistant,
    provider: FakeProvider,
    user: User,
    hass_client_no_auth: ClientSessionGenerator,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Doors]:
    """A gateway on both ports, with a key of the user."""
    port = free_port()
    hass.http.server_host = ["127.0.0.1"]
    entry = await set_up(hass, gateway_with(box(provider), options={CONF_AUTH: request.param, CONF_OWN_PORT: port}))
    every = tuple(sorted({route.scope for route in LOCKED}))  # with that of administrators
    _, secret = await runtime_of(entry).store.keys.create("Laptop", user_id=user.id, endpoints=every)
    async with aiohttp.ClientSession() as session:
        yield Doors(await hass_client_no_auth(), session, port, secret)


async def test_key_of_a_deactivated_user_is_refused_on_all_routes_until_reactivation(
    hass: HomeAssistant, doors: Doors, user: User
) -> None:
    let_in = await doors.statuses()
    assert not {401, 403} & set(let_in.values())
    await hass.auth.async_update_user(user, is_active=False)
    refused = await doors.statuses()
    assert refused.keys() == let_in.keys()
    assert set(refused.values()) == {403}
    _, body = await doors.request(MODELS, separate_port=True)
    assert body["error"]["code"] == "key_disabled"
    await hass.auth.async_update_user(user, is_active=True)
    assert await doors.statuses() == let_in


async def test_key_of_a_deleted_user_is_refused_on_all_routes(hass: HomeAssistant, doors: Doors, user: User) -> None:
    assert not {401, 403} & set((await doors.statuses()).values())
    await hass.auth.async_remove_user(user)
    assert set((await doors.statuses()).values()) == {403}


async def test_signed_path_and_token_of_an_inactive_user_are_refused(
    hass: HomeAssistant, provider: FakeProvider, user: User, hass_client_no_auth: ClientSessionGenerator
) -> None:
    await set_up(hass, gateway_with(box(provider)))
    client = await hass_client_no_auth()
    refresh = await hass.auth.async_create_refresh_token(user, "https://example.com/")
    token = hass.auth.async_create_access_token(refresh)
    signed = async_sign_path(hass, "/v1/models", timedelta(minutes=5), refresh_token_id=refresh.id)
    assert (await client.get(signed)).status == 200
    assert (await client.get("/v1/models", headers=bearer(token))).status == 200
    # Home Assistant removes the tokens of a deactivated user; a token that is left must be refused too.
    user.is_active = False
    assert (await client.get(signed)).status == 401
    assert (await client.get("/v1/models", headers=bearer(token))).status == 401


async def test_key_without_a_user_is_accepted_if_a_user_is_deactivated(
    hass: HomeAssistant, provider: FakeProvider, user: User, hass_client_no_auth: ClientSessionGenerator
) -> None:
    await set_up(hass, gateway_with(box(provider)))
    await hass.auth.async_update_user(user, is_active=False)
    client = await hass_client_no_auth()
    assert (await client.get("/v1/models", headers=bearer())).status == 200
