"""Agents and AI tasks whose requests stay at home."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.assist.home_labels import HomeLabels
from custom_components.zeroconf_ai.const import CONF_HOME_LABELS, CONF_HOME_ONLY, CONF_LOCAL_FALLBACK
from custom_components.zeroconf_ai.core.protocol.home_rule import HomeRule
from homeassistant.components import ai_task, conversation
from homeassistant.components.conversation import trace
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.const import CONF_API_KEY, CONF_TYPE
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er, label_registry as lr

from ..support.fakes.provider import FakeProvider, running, text, tool_call
from ..support.home_assistant.entries import agent_data, set_up, task_data
from ..support.home_assistant.gateway import box, gateway_with

pytestmark = pytest.mark.usefixtures("ready_to_serve")

AGENT = "conversation.butler"
TASK = "ai_task.worker"
QUESTION = "Why is the sky blue?"
REFUSAL = "That stays at home, and no model at home can answer it."


@dataclass
class House:
    """A cloud service that the gateway prefers, and a server at home."""

    cloud: FakeProvider
    home: FakeProvider
    entry: MockConfigEntry


@pytest.fixture
async def at_home(provider: FakeProvider) -> AsyncIterator[FakeProvider]:
    """Another provider."""
    async with running(FakeProvider()) as fake:
        yield fake


async def house(
    hass: HomeAssistant, cloud: FakeProvider, home: FakeProvider, options: dict[str, Any] | None = None, **agent: Any
) -> House:
    """The house, with an agent and an AI task that may use both."""
    outside = box(cloud, "Cloud", **{CONF_TYPE: "openai", CONF_API_KEY: "sk-test", "priority": 1})
    inside = box(home, "Attic", priority=90)
    fields = {"model": "auto", CONF_LOCAL_FALLBACK: False, **agent}
    subentries = (outside, inside, agent_data("Butler", **fields), task_data("Worker", model="auto", **agent))
    entry = await set_up(hass, gateway_with(*subentries, options={"cloud_fallback": True, **(options or {})}))
    for fake in (cloud, home):
        fake.requests.clear()
    return House(cloud, home, entry)


async def say(
    hass: HomeAssistant, words: str = QUESTION, conversation_id: str | None = None, language: str | None = None
) -> conversation.ConversationResult:
    """Send a text to the agent."""
    return await conversation.async_converse(hass, words, conversation_id, Context(), language, AGENT)


def speech(result: conversation.ConversationResult) -> str:
    """The spoken text."""
    spoken: str = result.response.speech["plain"]["speech"]
    return spoken


async def test_agent_that_stays_at_home_is_answered_there(
    hass: HomeAssistant, provider: FakeProvider, at_home: FakeProvider
) -> None:
    found = await house(hass, provider, at_home, home_only=True)
    found.home.answers = [text("It scatters.")]
    assert speech(await say(hass)) == "It scatters."
    assert (len(found.cloud.requests), len(found.home.requests)) == (0, 1)


async def test_agent_that_stays_at_home_refuses_in_one_sentence_with_providers_outside_alone(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    outside = box(provider, "Cloud", **{CONF_TYPE: "openai", CONF_API_KEY: "sk-test"})
    stays = agent_data("Butler", **{"model": "auto", CONF_HOME_ONLY: True, CONF_LOCAL_FALLBACK: False})
    await set_up(hass, gateway_with(outside, stays))
    provider.requests.clear()
    assert speech(await say(hass)) == REFUSAL
    assert speech(await say(hass, language="de")) == "Das bleibt im Haus, und im Haus kann es leider kein Modell beantworten."
    assert provider.requests == []


@pytest.fixture
def lock(hass: HomeAssistant) -> er.RegistryEntry:
    """A lock with a label, exposed to Assist, and a lamp without."""
    label = lr.async_get(hass).async_create("Private")
    registry = er.async_get(hass)
    found = registry.async_get_or_create("lock", "demo", "1", suggested_object_id="door", original_name="Front door")
    lamp = registry.async_get_or_create("light", "demo", "2", suggested_object_id="lamp", original_name="Lamp")
    for entry, state in ((found, "unlocked"), (lamp, "on")):
        hass.states.async_set(entry.entity_id, state, {"friendly_name": entry.original_name})
        async_expose_entity(hass, conversation.DOMAIN, entry.entity_id, True)
    return registry.async_update_entity(found.entity_id, labels={label.label_id})


async def test_labelled_entity_keeps_the_conversation_at_home_once_a_tool_read_it(
    hass: HomeAssistant, provider: FakeProvider, at_home: FakeProvider, lock: er.RegistryEntry
) -> None:
    found = await house(hass, provider, at_home, {CONF_HOME_LABELS: list(lock.labels)})
    found.cloud.answers = [tool_call("homeassistant__GetLiveContext", '{"domain": "light"}'), text("It is on.")]
    first = await say(hass, "Is the lamp on?")
    assert (speech(first), len(found.cloud.requests), len(found.home.requests)) == ("It is on.", 2, 0)
    found.cloud.answers = [tool_call("homeassistant__GetLiveContext", "{}")]
    found.home.answers = [text("It is open.")]
    second = await say(hass, "Is the door open?", first.conversation_id)
    assert (speech(second), len(found.cloud.requests), len(found.home.requests)) == ("It is open.", 3, 1)
    assert "unlocked" in str(found.home.requests[0]["messages"])
    assert "unlocked" not in str(found.cloud.requests)
    found.home.answers = [text("You are welcome.")]
    third = await say(hass, "Thanks", first.conversation_id)
    assert (speech(third), len(found.cloud.requests), len(found.home.requests)) == ("You are welcome.", 3, 2)
    said = trace.async_get_traces()[-1].as_dict()["events"]
    assert {"stays_home": HomeRule.ENTITY.words} in [event["data"] for event in said]
    found.cloud.answers = [text("Hi.")]
    assert speech(await say(hass, "Hello")) == "Hi."  # another conversation may leave


async def test_labelled_entity_that_was_read_ends_in_one_spoken_sentence_without_a_model_at_home(
    hass: HomeAssistant, provider: FakeProvider, lock: er.RegistryEntry
) -> None:
    outside = box(provider, "Cloud", **{CONF_TYPE: "openai", CONF_API_KEY: "sk-test"})
    agent = agent_data("Butler", **{"model": "auto", CONF_LOCAL_FALLBACK: False})
    await set_up(hass, gateway_with(outside, agent, options={CONF_HOME_LABELS: list(lock.labels)}))
    provider.requests.clear()
    provider.answers = [tool_call("homeassistant__GetLiveContext", '{"name": "front door"}'), text("Never.")]
    assert speech(await say(hass, "Is it open?")) == REFUSAL
    assert "unlocked" not in str(provider.requests)


@pytest.mark.parametrize(
    ("media", "stays"),
    [
        ("media-source://camera/camera.bedroom", True),
        ("media-source://camera/camera.street", False),
        ("media-source://cams/{device}/2026/11/30/event-1", True),
        ("media-source://cams/bed-1|clip|7", True),
        ("media-source://cams/street-1|clip|7", True),  # names neither a device nor an entity: it may be the bedroom's
        ("media-source://media_source/local/street.jpg", False),
    ],
)
async def test_labelled_camera_keeps_its_pictures_at_home(hass: HomeAssistant, media: str, *, stays: bool) -> None:
    label = lr.async_get(hass).async_create("Private")
    owner = MockConfigEntry(domain="cams")
    owner.add_to_hass(hass)
    device = dr.async_get(hass).async_get_or_create(config_entry_id=owner.entry_id, identifiers={("cams", "1")})
    dr.async_get(hass).async_update_device(device.id, labels={label.label_id})
    registry = er.async_get(hass)
    registry.async_get_or_create("camera", "cams", "bed-1", suggested_object_id="bedroom", device_id=device.id)
    registry.async_get_or_create("camera", "other", "street-1", suggested_object_id="street")
    await set_up(hass, gateway_with(options={CONF_HOME_LABELS: [label.label_id]}))
    assert HomeLabels(hass).keeps_picture(media.format(device=device.id)) is stays


async def test_labelled_camera_keeps_a_task_at_home(
    hass: HomeAssistant, provider: FakeProvider, at_home: FakeProvider, tmp_path: Path
) -> None:
    label = lr.async_get(hass).async_create("Private")
    camera = er.async_get(hass).async_get_or_create("camera", "cams", "bed-1", suggested_object_id="bedroom")
    er.async_get(hass).async_update_entity(camera.entity_id, labels={label.label_id})
    found = await house(hass, provider, at_home, {CONF_HOME_LABELS: [label.label_id]})
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    for media, outside in (("media-source://camera/camera.street", 1), ("media-source://camera/camera.bedroom", 0)):
        attachment = conversation.Attachment(media, "image/png", picture)
        for fake in (found.cloud, found.home):
            fake.requests.clear()
            fake.answers = [text("A bed.")]
        with patch("homeassistant.components.ai_task.task._resolve_attachments", return_value=[attachment]):
            await ai_task.async_generate_data(
                hass, task_name="Look", entity_id=TASK, instructions="What is there?", attachments=[{"media_content_id": media}]
            )
        assert (len(found.cloud.requests), len(found.home.requests)) == (outside, 1 - outside)
