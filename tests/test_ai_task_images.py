"""AI tasks that make images, and that say whether they can."""

import base64
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from homeassistant.components import ai_task, media_source
from homeassistant.components.ai_task import AITaskEntityFeature
from homeassistant.const import ATTR_SUPPORTED_FEATURES
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

from .support.fakes.provider import PNG, FakeProvider
from .support.home_assistant.entries import TASK, make_entry, set_up, task_data

CHAT, PAINTER = {"id": "test-model"}, {"id": "flux.1-schnell"}
HOUSE = "A small house in the snow"


@pytest.fixture(autouse=True)
def media_folder(hass: HomeAssistant, tmp_path: Path) -> None:
    """Where Home Assistant stores images that were made."""
    hass.config.media_dirs = {"local": str(tmp_path)}


async def make(hass: HomeAssistant, **kwargs: Any) -> dict[str, Any]:
    """Run a task for an image, and return the action's response."""
    result = await ai_task.async_generate_image(hass, task_name="House", entity_id=TASK, instructions=HOUSE, **kwargs)
    assert result is not None
    return dict(result)


def stored(folder: Path) -> list[bytes]:
    """The images that Home Assistant stored."""
    return [file.read_bytes() for file in folder.rglob("*.png")]


def offers_images(hass: HomeAssistant) -> bool:
    state = hass.states.get(TASK)
    assert state is not None
    return AITaskEntityFeature.GENERATE_IMAGE in AITaskEntityFeature(state.attributes[ATTR_SUPPORTED_FEATURES])


@pytest.mark.parametrize("model", ["test-model", "auto", "flux.1-schnell"])
async def test_image_is_made_by_the_model_for_images_and_stored(
    hass: HomeAssistant, provider: FakeProvider, tmp_path: Path, model: str
) -> None:
    provider.models = [CHAT, PAINTER]
    provider.image["data"][0]["revised_prompt"] = "A house"
    await set_up(hass, make_entry(provider, subentries=[task_data(model=model)]))
    assert offers_images(hass)
    found = await make(hass)
    assert provider.requests == [{"model": "flux.1-schnell", "prompt": HOUSE, "response_format": "b64_json"}]
    assert (found["mime_type"], found["model"], found["revised_prompt"]) == ("image/png", "flux.1-schnell", "A house")
    assert stored(tmp_path) == [base64.b64decode(PNG)]


async def test_image_is_not_offered_without_a_model_for_images(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    assert not offers_images(hass)
    with pytest.raises(HomeAssistantError, match="does not support generating images"):
        await make(hass)
    assert not provider.requests


@pytest.mark.parametrize(
    ("answer", "key"),
    [
        ({"data": [{"url": "http://example.com/1.png"}]}, "stream_broken"),
        ({"data": [{"b64_json": "bm8gaW1hZ2U="}]}, "stream_broken"),
        ({"data": [{"b64_json": "not base64"}]}, "stream_broken"),
        ({"data": []}, "stream_broken"),
        ({"error": {"message": "no memory"}}, "all_failed"),
    ],
)
async def test_image_that_cannot_be_used_is_an_error(
    hass: HomeAssistant, provider: FakeProvider, tmp_path: Path, answer: dict[str, Any], key: str
) -> None:
    provider.models = [CHAT, PAINTER]
    provider.image = answer
    await set_up(hass, make_entry(provider))
    with pytest.raises(HomeAssistantError) as caught:
        await make(hass)
    assert caught.value.translation_key == key
    assert not stored(tmp_path)


async def make_from(hass: HomeAssistant, file: Path, kind: str) -> dict[str, Any]:
    """Run a task for an image with an attached file."""
    media = media_source.PlayMedia(url="http://example.com/x", mime_type=kind, path=file)
    attachment = {"media_content_id": f"media-source://media_source/local/{file.name}", "media_content_type": kind}
    with patch("homeassistant.components.media_source.async_resolve_media", return_value=media):
        return await make(hass, attachments=[attachment])


async def test_image_from_an_attachment_is_an_edit_of_it(hass: HomeAssistant, provider: FakeProvider, tmp_path: Path) -> None:
    provider.models = [CHAT, {"id": "dall-e-3"}, PAINTER]
    await set_up(hass, make_entry(provider, subentries=[task_data(model="dall-e-3")]))
    (tmp_path / "lamp.jpg").write_bytes(b"\xff\xd8\xff\xe0 the lamp")
    found = await make_from(hass, tmp_path / "lamp.jpg", "image/jpeg")
    [form] = provider.forms
    for part in (b"\xff\xd8\xff\xe0 the lamp", HOUSE.encode(), b"flux.1-schnell", b"image/jpeg"):
        assert part in form
    assert found["model"] == "flux.1-schnell"
    assert stored(tmp_path) == [base64.b64decode(PNG)]


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"no image", "unsupported_attachment"),
        (None, "attachment_not_readable"),
        (b"\xff\xd8\xff" + bytes(20 << 20), "request_refused_because"),
    ],
)
async def test_image_from_a_file_that_cannot_be_edited_is_refused_before_anything_is_sent(
    hass: HomeAssistant, provider: FakeProvider, tmp_path: Path, content: bytes | None, key: str
) -> None:
    provider.models = [CHAT, PAINTER]
    await set_up(hass, make_entry(provider))
    if content is not None:
        (tmp_path / "lamp.jpg").write_bytes(content)
    with pytest.raises(HomeAssistantError) as caught:
        await make_from(hass, tmp_path / "lamp.jpg", "image/jpeg")
    assert caught.value.translation_key == key
    assert (provider.requests, provider.forms) == ([], [])


async def test_image_from_an_attachment_at_a_provider_without_edits_is_an_error(
    hass: HomeAssistant, provider: FakeProvider, tmp_path: Path
) -> None:
    provider.models, provider.edits_images = [CHAT, PAINTER], False
    await set_up(hass, make_entry(provider))
    (tmp_path / "lamp.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    for _ in range(2):
        with pytest.raises(HomeAssistantError):
            await make_from(hass, tmp_path / "lamp.jpg", "image/jpeg")
    assert provider.paths.count("/v1/images/edits") == 1
