"""`HomeAnswerer`: the page's chats with Home Assistant's tools, with the permissions of the person who chats."""

from collections.abc import Callable
from typing import Any, override

from homeassistant.components import conversation
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import llm
from homeassistant.helpers.json import json_dumps

from ..const import DOMAIN
from ..core.accounting.conversations.conversation import Image, Role
from ..core.admin.chat.answer import LiveAnswer
from ..core.admin.chat.answerer import Answerer, AnswerError, Turn
from ..core.admin.chat.history import Said
from ..core.admin.chat.messages import ENTITY_LIMIT, TOOL_TEXT_LIMIT
from ..core.admin.chat.providers import may_use_tools
from ..core.admin.images import HomeImages
from ..core.engine import Engine
from ..core.protocol.models import AUTO
from ..core.routing.execution.reply import Reply
from ..errors import log_failure, sentence_key
from .chat_loop import ChatLoop
from .home_labels import HomeLabels
from .spoken import async_sentence

_PROMPT = """You are an assistant in Home Assistant, in a chat{% if user_name %} with {{ user_name }}{% endif %}.
Answer questions about the world truthfully, and to the point. You may use Markdown.
"""
_AGENT_ID = f"{DOMAIN}.chat"
_RESULT_DEPTH = 6


class HomeAnswerer(Answerer):
    """Lets models control the home where a person allows it, else asks them through `plain`."""

    offers_tools = True

    def __init__(self, hass: HomeAssistant, engine: Engine, plain: Answerer, images: Callable[[], HomeImages | None]) -> None:
        """`images` returns None while none are stored; then models see none."""
        self._hass = hass
        self._engine = engine
        self._plain = plain
        self._images = images

    @override
    async def answer(self, turn: Turn, answer: LiveAnswer) -> None:
        if not (turn.choice.tools and may_use_tools(self._engine, turn.choice, sees=any(said.images for said in turn.history))):
            await self._plain.answer(turn, answer)
            return
        chat_log = conversation.ChatLog(self._hass, turn.conversation_id)
        chat_log.content += [self._content(said) for said in turn.history]
        begin = len(chat_log.content)
        listener = _Listener(self._hass, answer)
        chat_log.delta_listener = listener
        loop = ChatLoop(
            hass=self._hass,
            engine=self._engine,
            caller=turn.caller,
            entity_id=_AGENT_ID,
            model=turn.choice.model or AUTO,
            pin=turn.choice.backend_id,
            options={},
            on_prompt=lambda _: None,
            on_reply=listener.reached,
            new_request_id=turn.new_request_id,
        )
        try:
            await chat_log.async_provide_llm_data(
                llm.LLMContext(DOMAIN, Context(user_id=turn.caller.user_id), turn.language, conversation.DOMAIN, None),
                llm.LLM_API_ASSIST,
                _PROMPT,
            )
            try:
                await loop.answer(chat_log)
            finally:
                answer.home_rule = HomeLabels(self._hass).rule(chat_log.content)
        except HomeAssistantError as err:
            log_failure(_AGENT_ID, err)
            raise AnswerError(await async_sentence(self._hass, sentence_key(err), turn.language)) from err
        said = [one for one in chat_log.content[begin:] if isinstance(one, conversation.AssistantContent)]
        text = "\n\n".join(one.content for one in said if one.content)
        if text != answer.text:  # what looked like text until its closing tag was reasoning
            answer.replace_text(text, "\n\n".join(one.thinking_content for one in said if one.thinking_content))

    def _content(self, said: Said) -> conversation.Content:
        if said.role is not Role.USER:
            return conversation.AssistantContent(_AGENT_ID, said.content)
        images = self._images()
        attached = [] if images is None else [_attachment(image, images) for image in said.images]
        return conversation.UserContent(said.content, attached or None)


def _attachment(image: Image, images: HomeImages) -> conversation.Attachment:
    return conversation.Attachment(image.path, image.mime_type, images.file(image))


class _Listener:
    """Passes what is added to a chat log on to the answer."""

    def __init__(self, hass: HomeAssistant, answer: LiveAnswer) -> None:
        self._hass = hass
        self._answer = answer
        self._parts = False
        """Whether text follows in another message."""

    def __call__(self, _: conversation.ChatLog, delta: dict[str, Any]) -> None:
        answer = self._answer
        if delta.get("role") == "tool_result":
            self._tool_result(delta)
            return
        if delta.get("role") == "assistant":
            self._parts = bool(answer.text)
        if thinking := delta.get("thinking_content"):
            answer.add_thinking(thinking)
        if text := delta.get("content"):
            answer.add_text(f"\n\n{text}" if self._parts else text)
            self._parts = False
        for call in delta.get("tool_calls") or ():
            answer.set_tool(
                {
                    "id": call.id,
                    "name": call.tool_name,
                    "arguments": _text(call.tool_args),
                    "result": None,
                    "error": False,
                    "entities": [],
                }
            )

    def reached(self, reply: Reply) -> None:
        """A provider answers."""
        self._answer.reached(reply.backend_id, reply.backend_name, reply.model)

    def _tool_result(self, delta: dict[str, Any]) -> None:
        tool = self._answer.tool(delta["tool_call_id"])
        if tool is None:
            return
        result = delta["result"]
        found = result if isinstance(result, llm.ToolResult) else llm.ToolResult(result["data"], result["error"])
        touched = [one for one in dict.fromkeys(_entities(found.data, _RESULT_DEPTH)) if self._hass.states.get(one)]
        self._answer.set_tool({**tool, "result": _text(found.data), "error": found.error, "entities": touched[:ENTITY_LIMIT]})


def _entities(value: object, depth: int) -> list[str]:
    """The entities in a tool's result: what Home Assistant's intents report as the targets that they reached."""
    if depth <= 0:
        return []
    if isinstance(value, dict):
        own = value.get("id") if value.get("type") == "entity" else value.get("entity_id")
        return [*([own] if isinstance(own, str) else []), *_entities(list(value.values()), depth - 1)]
    if isinstance(value, list):
        return [one for entry in value[:200] for one in _entities(entry, depth - 1)]
    return []


def _text(value: object) -> str:
    """Data of other integrations as JSON, cut off at `TOOL_TEXT_LIMIT`."""
    try:
        return json_dumps(value)[:TOOL_TEXT_LIMIT]
    except TypeError, ValueError, RecursionError:
        return str(value)[:TOOL_TEXT_LIMIT]
