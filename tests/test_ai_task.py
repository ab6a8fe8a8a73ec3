"""AI tasks: texts, structured data with its fallbacks, attachments."""

import base64
import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import voluptuous as vol

from homeassistant.components import ai_task, media_source
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import selector

from .support.fakes.provider import FakeProvider, refuse, text, tool_call
from .support.home_assistant.entries import TASK, make_entry, set_up, task_data

STRUCTURE = vol.Schema(
    {
        vol.Required("room", description="The room's name"): selector.TextSelector(),
        vol.Required("lamps"): selector.NumberSelector(selector.NumberSelectorConfig(min=0, max=10)),
        vol.Optional("note"): selector.TextSelector(),
    }
)


async def generate(hass: HomeAssistant, structure: vol.Schema | None = None, **kwargs: Any) -> Any:
    """Run a task and return its data."""
    result = await ai_task.async_generate_data(
        hass, task_name="Count lamps", entity_id=TASK, instructions="Count the lamps.", structure=structure, **kwargs
    )
    return result.data


async def test_task_without_a_structure_returns_text(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = [text("Three", " lamps.")]
    assert await generate(hass) == "Three lamps."


async def test_task_structure_is_requested_by_a_strict_schema(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = [text('{"room": "Kitchen", "lamps": 3, "note": null}')]
    assert await generate(hass, STRUCTURE) == {"room": "Kitchen", "lamps": 3}
    asked = provider.requests[0]["response_format"]
    assert asked["type"] == "json_schema"
    assert asked["json_schema"]["name"] == "count_lamps"
    assert asked["json_schema"]["strict"] is True
    schema = asked["json_schema"]["schema"]
    assert schema["required"] == ["room", "lamps", "note"]
    assert schema["additionalProperties"] is False
    assert "null" in schema["properties"]["note"]["type"]
    assert schema["properties"]["room"]["description"] == "The room's name"


@pytest.mark.parametrize(
    "answer",
    [
        '```json\n{"room": "Kitchen", "lamps": 3}\n```',
        'Here you are:\n{"room": "Kitchen", "lamps": 3}\nAnything else?',
        '<think>Let me count.</think>{"room": "Kitchen", "lamps": 3}',
    ],
    ids=["fence", "words around", "thoughts"],
)
async def test_task_answer_with_additions_of_small_models_is_parsed(
    hass: HomeAssistant, provider: FakeProvider, answer: str
) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = [text(answer)]
    assert await generate(hass, STRUCTURE) == {"room": "Kitchen", "lamps": 3}


async def test_task_invalid_answer_is_sent_back_once_with_the_error(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = [text('{"room": "Kitchen"}'), text('{"room": "Kitchen", "lamps": 2}')]
    assert await generate(hass, STRUCTURE) == {"room": "Kitchen", "lamps": 2}
    wrong, told = provider.requests[1]["messages"][-2:]
    assert wrong == {"role": "assistant", "content": '{"room": "Kitchen"}'}
    assert "lamps" in told["content"]


async def test_task_second_invalid_answer_is_an_error_with_a_solution(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = [text("I cannot do that.")]
    with pytest.raises(HomeAssistantError, match="Choose a model") as caught:
        await generate(hass, STRUCTURE)
    assert caught.value.translation_key == "structure_failed"
    assert "JSON" not in str(caught.value)
    assert len(provider.requests) == 2


async def test_task_for_a_server_without_schemas_has_instructions(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = [
        refuse(400, "response_format json_schema is not supported", param="response_format"),
        text('{"room": "Kitchen", "lamps": 1}'),
        text('{"room": "Hall", "lamps": 0}'),
    ]
    assert await generate(hass, STRUCTURE) == {"room": "Kitchen", "lamps": 1}
    assert await generate(hass, STRUCTURE) == {"room": "Hall", "lamps": 0}
    assert [("response_format" in request) for request in provider.requests] == [True, False, False]
    schema = json.loads(provider.requests[2]["messages"][-1]["content"].partition("\n")[2])
    assert schema["required"] == ["room", "lamps", "note"]


async def test_task_images_and_pdf_files_are_sent(hass: HomeAssistant, provider: FakeProvider, tmp_path: Path) -> None:
    await set_up(hass, make_entry(provider))
    picture, paper = tmp_path / "lamp.png", tmp_path / "manual.pdf"
    picture.write_bytes(b"\x89PNG example")
    paper.write_bytes(b"%PDF example")
    found = [
        media_source.PlayMedia(url="http://example.com/lamp.png", mime_type="image/png", path=picture),
        media_source.PlayMedia(url="http://example.com/manual.pdf", mime_type="application/pdf", path=paper),
    ]
    attachments = [
        {"media_content_id": "media-source://media_source/local/lamp.png", "media_content_type": "image/png"},
        {"media_content_id": "media-source://media_source/local/manual.pdf", "media_content_type": "application/pdf"},
    ]
    with patch("homeassistant.components.media_source.async_resolve_media", side_effect=found):
        await generate(hass, attachments=attachments)
    words, image, document = provider.requests[0]["messages"][-1]["content"]
    assert words == {"type": "text", "text": "Count the lamps."}
    assert image["image_url"]["url"] == "data:image/png;base64," + base64.b64encode(b"\x89PNG example").decode()
    assert document["file"]["filename"] == "manual.pdf"
    assert document["file"]["file_data"].startswith("data:application/pdf;base64,")


@pytest.mark.parametrize(
    ("name", "kind", "key"),
    [("gone.png", "image/png", "attachment_not_readable"), ("song.mp3", "audio/mpeg", "unsupported_attachment")],
)
async def test_task_unsupported_attachment_is_an_error(
    hass: HomeAssistant, provider: FakeProvider, tmp_path: Path, name: str, kind: str, key: str
) -> None:
    await set_up(hass, make_entry(provider))
    media = media_source.PlayMedia(url="http://example.com/x", mime_type=kind, path=tmp_path / name)
    attachment = {"media_content_id": "media-source://media_source/local/x", "media_content_type": kind}
    with (
        patch("homeassistant.components.media_source.async_resolve_media", return_value=media),
        pytest.raises(HomeAssistantError) as caught,
    ):
        await generate(hass, attachments=[attachment])
    assert caught.value.translation_key == key
    assert not provider.requests


async def test_task_empty_answer_is_an_error(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = [text("")]
    with pytest.raises(HomeAssistantError) as caught:
        await generate(hass)
    assert caught.value.translation_key == "empty_response"


async def test_task_unknown_tool_is_answered_with_an_error(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider, subentries=[task_data()]))
    provider.answers = [tool_call("open_door", "{}"), text("Then not.")]
    assert await generate(hass) == "Then not."
    told = provider.requests[1]["messages"][-1]
    assert told["role"] == "tool"
    assert "no tools are available" in told["content"]


async def test_task_for_any_provider_uses_an_available_model(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider, subentries=[task_data(model="auto")]))
    assert await generate(hass) == "Hello there."
    assert provider.requests[0]["model"] == "test-model"
