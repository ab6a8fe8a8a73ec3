"""`AllowedModels`: an owner's list of models."""

from typing import override

from aiohttp import web
import pytest

from tests.core.clouds.asking import before, chat, say
from tests.core.clouds.openai import FakeOpenAI
from tests.core.clouds.server import Refusal
from zeroconf_ai.backends.allowed import AllowedModels
from zeroconf_ai.protocol.errors import NotFoundError


async def test_only_what_is_allowed_is_shown_and_served() -> None:
    async with before("openai", cloud := FakeOpenAI()) as inner:
        backend = AllowedModels(inner, ("o4-mini", "not-there", "gpt-4.1"))
        assert [model.id for model in await backend.models()] == ["o4-mini", "gpt-4.1"]
        assert (await say(backend, chat("gpt-4.1"))).content == "Hello there."
        with pytest.raises(NotFoundError) as raised:
            await backend.send(chat("gpt-3.5-turbo-instruct"))
        assert raised.value.code == "model_not_found"
        assert [body["model"] for body in cloud.bodies("/v1/chat/completions")] == ["gpt-4.1"]
        assert (await backend.health()).provider == "openai"
        assert await backend.status() is None
        assert cloud.key is not None
        assert cloud.key not in repr(backend)


class Listless(FakeOpenAI):
    """It knows no list of models."""

    @override
    async def models(self, _: web.Request) -> web.Response:
        return self.refusal(Refusal(404, "Not Found"))


async def test_of_a_server_without_a_list_all_that_is_allowed_is_shown() -> None:
    async with before("openai", Listless()) as inner:
        assert [model.id for model in await AllowedModels(inner, ("a", "b", "a")).models()] == ["a", "b"]
