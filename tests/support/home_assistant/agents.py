"""A scripted conversation agent, a light, and helpers that send requests to an agent's backend."""

import asyncio
from collections.abc import AsyncGenerator, Callable
import json
from typing import Any, Literal, override

from custom_components.zeroconf_ai.core.backends.base import BackendInfo
from custom_components.zeroconf_ai.core.protocol.chunks import Delta, Message
from custom_components.zeroconf_ai.core.protocol.request import Kind, Request
from custom_components.zeroconf_ai.home_agents.backend import AgentBackend
from homeassistant.components import conversation
from homeassistant.components.light import LightEntity
from homeassistant.components.light.const import ColorMode
from homeassistant.core import HomeAssistant
from homeassistant.helpers import intent, llm

ENTITY = "conversation.tester"
MODEL = "homeassistant/tester"

type Behaviour = Callable[
    [conversation.ConversationInput, conversation.ChatLog],
    AsyncGenerator[conversation.AssistantContentDeltaDict | conversation.ToolResultContentDeltaDict],
]


class ScriptedAgent(conversation.ConversationEntity):
    """A conversation agent that streams the deltas of `behave`."""

    _attr_has_entity_name = True
    _attr_name = "Tester"
    _attr_supports_streaming = True
    _attr_unique_id = "tester"
    entity_id = ENTITY

    def __init__(self) -> None:
        self.behave: Behaviour | None = None
        self.inputs: list[conversation.ConversationInput] = []
        self.logs: list[list[conversation.Content]] = []
        self.stats: dict[str, int] | None = None
        self.returns: intent.IntentResponse | None = None
        self.fails: intent.IntentResponseErrorCode | None = None
        """The error that it returns after its deltas."""

    @property
    @override
    def supported_languages(self) -> list[str] | Literal["*"]:
        return "*"

    @override
    async def _async_handle_message(
        self, user_input: conversation.ConversationInput, chat_log: conversation.ChatLog
    ) -> conversation.ConversationResult:
        self.inputs.append(user_input)
        self.logs.append(chat_log.content.copy())
        if self.returns is not None:
            return conversation.ConversationResult(self.returns, chat_log.conversation_id)
        assert self.behave is not None
        async for _ in chat_log.async_add_delta_content_stream(self.entity_id, self.behave(user_input, chat_log)):
            pass
        if self.stats is not None:
            chat_log.async_trace({"stats": self.stats})
        if self.fails is not None:
            response = intent.IntentResponse(language=user_input.language)
            response.async_set_error(self.fails, "The cloud at 10.0.0.7 is gone.")
            return conversation.ConversationResult(response, chat_log.conversation_id)
        return conversation.async_get_result_from_chat_log(user_input, chat_log)


class Lamp(LightEntity):
    """A light that can be turned on."""

    _attr_name = "Kitchen light"
    _attr_unique_id = "lamp"
    _attr_is_on = False
    _attr_color_mode = ColorMode.ONOFF

    def __init__(self) -> None:
        self._attr_supported_color_modes = {ColorMode.ONOFF}

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        self._attr_is_on = True

    @property
    def user_id(self) -> str | None:
        """The user id in the context of the last call."""
        return self._context.user_id if self._context else None


def says(*deltas: Any, failure: Exception | None = None) -> Behaviour:
    """Stream these deltas, wait for each Event among them, then raise `failure`, if any."""

    async def behave(_: conversation.ConversationInput, __: conversation.ChatLog) -> AsyncGenerator[Any]:
        for delta in deltas:
            if isinstance(delta, asyncio.Event):
                await delta.wait()
            else:
                yield delta
        if failure is not None:
            raise failure

    return behave


def backend(hass: HomeAssistant, entity_id: str | None = ENTITY, **options: Any) -> AgentBackend:
    """The backend of an agent."""
    return AgentBackend(hass, BackendInfo("agent", "The agent", agent=True), entity_id, **options)


def chat(*messages: str | dict[str, Any], model: str = MODEL, stream: bool = False, **fields: Any) -> Request:
    """A chat request; a text is a user message."""
    listed = [{"role": "user", "content": item} if isinstance(item, str) else item for item in messages or ("Hello",)]
    meta = {key: fields.pop(key) for key in ("user_id", "inside", "via") if key in fields}
    body = {"model": model, "messages": listed, "stream": stream, **fields}
    return Request.parse(Kind.CHAT, body, **meta)


async def message_of(agent: AgentBackend, request: Request) -> Message:
    """The complete answer, assembled as a client would."""
    answer = await agent.send(request)
    message = Message()
    try:
        if request.stream:
            async for batch in answer.batches():
                for chunk in batch:
                    message.add(Delta.parse(chunk.data))
        else:
            message.add(Delta.parse(json.loads(await answer.body())))
    finally:
        await answer.close()
    return message


def uses_tool(*after: Any, failure: Exception | None = None) -> Behaviour:
    """Stream a sentence, the call of the agent's own tool and its result, then the rest."""
    call = llm.ToolInput(id="t1", tool_name="look", tool_args={}, external=True)
    result = {"role": "tool_result", "tool_call_id": "t1", "tool_name": "look", "result": llm.ToolResult(data={"on": True})}
    return says(
        {"role": "assistant", "content": "Let me look."},
        {"tool_calls": [call]},
        result,
        {"role": "assistant"},
        *after,
        failure=failure,
    )
