"""A house whose tools programs use: a light that Assist may turn on, a provider that calls tools, and keys of users."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from openai import AsyncOpenAI
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.const import CONF_HOME_LABELS, CONF_OWN_PORT
from custom_components.zeroconf_ai.core.accounting.store import AccountingStore
from custom_components.zeroconf_ai.data import DATA
from homeassistant.auth.const import GROUP_ID_USER
from homeassistant.auth.models import User
from homeassistant.components import conversation
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, label_registry as lr
from homeassistant.helpers.entity_component import EntityComponent
from homeassistant.setup import async_setup_component

from ..fakes.provider import FakeProvider, tool_call
from ..ports import free_port
from .agents import Lamp
from .entries import set_up
from .gateway import box, gateway_with, runtime_of

LIGHT = "light.kitchen_light"
TURN_ON = tool_call("intent__HassTurnOn", '{"name": "Kitchen light"}')
READ_ALL = tool_call("homeassistant__GetLiveContext", "{}")
TOOLS = {"X-ZeroconfAI-Tools": "home"}
ASK: dict[str, Any] = {"model": "test-model", "messages": [{"role": "user", "content": "Turn on the kitchen light."}]}
MCP: dict[str, Any] = {"type": "mcp", "server_label": "home", "require_approval": "never"}


@dataclass
class House:
    """A gateway on its own port, a light that is off, and a provider that calls tools."""

    hass: HomeAssistant
    entry: MockConfigEntry
    provider: FakeProvider
    port: int
    user: User

    @property
    def store(self) -> AccountingStore:
        """The accounting store of the gateway."""
        store: AccountingStore = runtime_of(self.entry).store
        return store

    @property
    def light(self) -> str:
        """`on` or `off`."""
        state = self.hass.states.get(LIGHT)
        assert state is not None
        return state.state

    @asynccontextmanager
    async def client(self, *llm_apis: str, user: User | None = None) -> AsyncIterator[AsyncOpenAI]:
        """OpenAI's client with a key of a user that may use these LLM APIs."""
        _, secret = await self.store.keys.create("Laptop", user_id=(user or self.user).id, llm_apis=llm_apis)
        async with self.client_with(secret) as client:
            yield client

    def client_with(self, secret: str) -> AsyncOpenAI:
        """OpenAI's client with a key."""
        return AsyncOpenAI(base_url=f"http://127.0.0.1:{self.port}/v1", api_key=secret, max_retries=0)

    async def tool_events(self) -> list[tuple[str, str]]:
        """Actor and subject of the calls in the audit log, the newest first."""
        return [(event.actor, event.subject) for event in await self.store.audit.list() if event.act == "tool.call"]

    async def add_labelled_lock(self) -> None:
        """A lock whose label keeps its data at home."""
        label = lr.async_get(self.hass).async_create("Private")
        found = er.async_get(self.hass).async_get_or_create("lock", "demo", "1", suggested_object_id="door")
        er.async_get(self.hass).async_update_entity(found.entity_id, labels={label.label_id})
        self.hass.states.async_set(found.entity_id, "unlocked", {"friendly_name": "Front door"})
        async_expose_entity(self.hass, conversation.DOMAIN, found.entity_id, True)
        options = {**self.entry.options, CONF_HOME_LABELS: [label.label_id]}
        self.hass.config_entries.async_update_entry(self.entry, options=options)
        await self.hass.async_block_till_done()

    def move_provider(self, *, outside: bool) -> None:
        """Have the provider outside of the home, or in it."""
        (member,) = (one for one in self.hass.data[DATA].engine.pool if one.name == "Box")
        member.leaves_home = outside


async def make_house(hass: HomeAssistant, provider: FakeProvider, **options: Any) -> House:
    """A house with a light that Assist may use, and a user who is no administrator. `options`: of the gateway."""
    await hass.auth.async_create_user("Ada")  # the first one owns the home
    user = await hass.auth.async_create_user("Bo", group_ids=[GROUP_ID_USER])
    for domain in ("conversation", "llm", "light"):
        assert await async_setup_component(hass, domain, {})
    lights: EntityComponent[Any] = hass.data["light"]
    await lights.async_add_entities([Lamp()])
    async_expose_entity(hass, conversation.DOMAIN, LIGHT, True)
    port = free_port()
    hass.http.server_host = ["127.0.0.1"]
    entry = await set_up(hass, gateway_with(box(provider), options={CONF_OWN_PORT: port, **options}))
    return House(hass, entry, provider, port, user)
