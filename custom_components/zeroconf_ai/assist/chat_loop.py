"""`ChatLoop`: sends a chat log through the engine, streams the answer into it, and runs tools between the rounds."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
import logging
from pathlib import Path
from typing import Any

import voluptuous as vol

from homeassistant.components import conversation
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import llm
from homeassistant.helpers.json import json_dumps
from homeassistant.util import slugify

from ..const import (
    CONF_EXTRA_BODY,
    CONF_MAX_HISTORY,
    CONF_MAX_TOKENS,
    CONF_TELL_CHANGE,
    CONF_TEMPERATURE,
    CONF_THINKING,
    CONF_TOP_P,
    DEFAULT_MAX_HISTORY,
    DOMAIN,
    MAX_TOOL_ITERATIONS,
    THINKING_DEFAULT,
    THINKING_HIGH,
    THINKING_LOW,
    THINKING_OFF,
    THINKING_ON,
)
from ..core.engine import Caller, Engine
from ..core.protocol import json
from ..core.protocol.chunks import Delta, Message
from ..core.protocol.errors import InvalidRequestError
from ..core.protocol.request import Kind, Request
from ..core.protocol.speech.plain import plain as plain_text
from ..core.protocol.thinking import Piece, pieces_of
from ..core.routing.execution.reply import Reply
from ..core.routing.execution.sessions import session_key
from ..errors import EMPTY_RESPONSE, STREAM_BROKEN, structure_failed
from ..markdown import escape
from .answer_text import AnswerProgress, AnswerText, Hold, hold_for
from .chat_log import (
    cut_reasoning,
    has_acted,
    has_attachments,
    match_tool_name,
    messages_to_json,
    parse_arguments,
    parse_structured,
    read_attachments,
    structure_to_json,
    tools_to_json,
    trim_history,
)
from .home_labels import HomeLabels
from .situation import Conversations, without_time
from .spoken import async_provider_changed

_LOGGER = logging.getLogger(__name__)

_DROPPABLE = ("response_format", "chat_template_kwargs", "reasoning_effort", "temperature", "top_p", "tool_choice")
"""Optional parameters, which are left out if a server rejects them."""
_HINTS = {
    "response_format": ("response_format", "json_schema"),
    "chat_template_kwargs": ("chat_template_kwargs", "enable_thinking"),
}
"""Names in server errors that identify a parameter, if they differ from its name."""

_EFFORTS = {THINKING_OFF: "none", THINKING_LOW: "low", THINKING_ON: "medium", THINKING_HIGH: "high"}
"""`reasoning_effort` of OpenAI, which each dialect translates."""

_ANSWER_NOW = "Answer the user now with what you know. Do not call any more tools."
_JSON_ONLY = "Answer with nothing but a JSON object that fits this JSON schema:\n{schema}"
_CORRECT = "That answer cannot be used: {error}. Answer again with nothing but a JSON object that fits the schema."

type ModelKey = tuple[str, str]
"""A backend's id and a model."""
type Deltas = AsyncGenerator[conversation.AssistantContentDeltaDict | conversation.ToolResultContentDeltaDict]


@dataclass(slots=True)
class ChatLoop:
    """The chat loop of one agent. `options` are its subentry's data; `pin` is the only allowed backend, None for any."""

    hass: HomeAssistant
    engine: Engine
    caller: Caller
    entity_id: str
    model: str
    pin: str | None
    options: Mapping[str, Any]
    on_prompt: Callable[[Request], None]
    """Called with the first request of each turn before it is sent."""
    on_reply: Callable[[Reply], None] | None = None
    """Called when a backend answers, with each request of a turn."""
    new_request_id: Callable[[], str] | None = None
    """Returns the id of each request; None: its record gets a random one."""
    spoken: bool = False
    """Whether the answer is spoken, so that nothing can be taken back."""
    plain: bool = False
    """Whether the answer has no Markdown and no emoji."""
    language: str | None = None
    """The language of the conversation; None: Home Assistant's language."""
    _conversations: Conversations = field(default_factory=Conversations)
    _refused: set[str] = field(default_factory=set)
    """Parameters that servers rejected."""
    _unopened: set[ModelKey] = field(default_factory=set)
    """Models whose text begins with reasoning, without an opening tag."""
    _separate: set[ModelKey] = field(default_factory=set)
    """Models that gave an answer in which reasoning, if there was any, was apart from the text."""

    def on_behalf_of(self, user_id: str, username: str | None) -> ChatLoop:
        """The same chat loop on behalf of a Home Assistant user; rejected parameters are shared."""
        return replace(self, caller=replace(self.caller, user_id=user_id, username=username))

    def for_answer(self, *, language: str, device_id: str | None, spoken: bool, plain: bool) -> ChatLoop:
        """The same chat loop for one answer; what was learned of models and conversations is shared."""
        caller = replace(self.caller, device_id=device_id)
        return replace(self, caller=caller, language=language, spoken=spoken, plain=spoken and plain)

    async def answer(
        self,
        chat_log: conversation.ChatLog,
        *,
        progress: AnswerProgress | None = None,
        structure: vol.Schema | None = None,
        task: str = "",
        situation: str = "",
        rounds: int = MAX_TOOL_ITERATIONS,
    ) -> Any:
        """Answer the last message of the chat log and add the answer to it. Returns its text, or with a `structure` its data.

        `situation` follows that message, and takes the place of the time in the instructions.

        The text is empty if the model only called tools successfully, or answered with pictures that are not spoken. Raises an
        ApiError, or a HomeAssistantError with a translation key, if there is no answer; `progress` then tells whether a part was
        streamed.
        """
        files: dict[Path, dict[str, Any]] = {}
        if has_attachments(chat_log.content):
            files = await self.hass.async_add_executor_job(read_attachments, chat_log.content)
        body = self._body(chat_log)
        self._conversations.put(chat_log, situation)
        progress = progress or AnswerProgress()
        schema: dict[str, Any] | None = None
        if structure is not None:
            serializer = chat_log.llm_api.custom_serializer if chat_log.llm_api else None
            schema = structure_to_json(structure, serializer or llm.selector_serializer)
        extra: list[dict[str, Any]] = []
        corrected = False
        begin = len(chat_log.content)
        for round_number in range(rounds):
            last = round_number == rounds - 1
            history = trim_history(chat_log.content, self.options.get(CONF_MAX_HISTORY, DEFAULT_MAX_HISTORY))
            messages = messages_to_json(history, files, partial(self._conversations.get, chat_log.conversation_id)) + extra
            if situation and messages[0]["role"] == "system":
                messages[0] = {**messages[0], "content": without_time(messages[0]["content"])}
            if last and body.get("tools"):
                messages.append({"role": "user", "content": _ANSWER_NOW})
            known = len(chat_log.content)
            message = await self._round(
                chat_log, body, messages, schema, task, progress, force_answer=last, first=not round_number
            )
            if len(chat_log.content) > known and chat_log.unresponded_tool_results and not last:
                continue
            silent = not message.content.strip()
            if silent and message.finish_reason == "length":
                raise HomeAssistantError(translation_domain=DOMAIN, translation_key=STREAM_BROKEN)
            if structure is None:
                if progress.wordless:
                    return ""
                if silent and (message.tool_calls or not has_acted(chat_log, begin)):
                    break
                return "" if silent else message.content
            try:
                return parse_structured(message.content, structure)
            except ValueError as err:
                if corrected or last:
                    raise structure_failed(self.model, err) from err
                corrected = True
                extra = [{"role": "user", "content": _CORRECT.format(error=err)}]
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key=EMPTY_RESPONSE)

    def _body(self, chat_log: conversation.ChatLog) -> dict[str, Any]:
        """All parameters of a request except the messages."""
        options = self.options
        body: dict[str, Any] = {"model": self.model, "stream": True}
        for name in (CONF_TEMPERATURE, CONF_TOP_P, CONF_MAX_TOKENS):
            if options.get(name) is not None:
                body[name] = int(options[name]) if name == CONF_MAX_TOKENS else options[name]
        thinking = options.get(CONF_THINKING, THINKING_DEFAULT)
        if thinking != THINKING_DEFAULT:
            # The two parameters of servers of open models; if a server refuses them, the request is repeated without.
            body["reasoning_effort"] = _EFFORTS[thinking]
            body["chat_template_kwargs"] = {"enable_thinking": thinking != THINKING_OFF}
        if chat_log.llm_api and chat_log.llm_api.tools:
            body["tools"] = tools_to_json(chat_log.llm_api.tools, chat_log.llm_api.custom_serializer)
        if extra := options.get(CONF_EXTRA_BODY):
            body |= json.loads(extra) if isinstance(extra, str) else extra
        return body

    async def _round(
        self,
        chat_log: conversation.ChatLog,
        body: dict[str, Any],
        messages: list[dict[str, Any]],
        schema: dict[str, Any] | None,
        task: str,
        progress: AnswerProgress,
        *,
        force_answer: bool,
        first: bool,
    ) -> Message:
        """Send one request, and stream the answer and the results of its tool calls into the chat log."""
        while True:
            sent = {key: value for key, value in body.items() if key not in self._refused}
            if force_answer and "tools" in sent and "tool_choice" not in self._refused:
                sent["tool_choice"] = "none"
            sent["messages"] = messages
            if schema is not None:
                sent |= self._structured(schema, task, messages)
            session = session_key(chat_log.conversation_id, sent, None)  # the conversation stays with one backend
            request_id = None if self.new_request_id is None else self.new_request_id()
            home_rule = HomeLabels(self.hass).rule(chat_log.content)
            request = Request.parse(Kind.CHAT, sent, pin=self.pin, session=session, request_id=request_id, home_rule=home_rule)
            if (rule := home_rule or self.caller.home_rule) is not None:
                chat_log.async_trace({"stays_home": rule.words})
            if first:
                self.on_prompt(request)
            message = Message()
            known = len(chat_log.content)
            try:
                async with self.engine.run(request, self.caller) as reply:
                    if self.on_reply is not None:
                        self.on_reply(reply)
                    await self._note_change(chat_log, reply, progress)
                    stream = self._deltas(chat_log, reply, message, progress, force_answer=force_answer)
                    async for _ in chat_log.async_add_delta_content_stream(self.entity_id, stream):
                        pass
                    self._trace(chat_log, reply)
                cut_reasoning(chat_log, known, message.content)
            except InvalidRequestError as err:
                refused = _refused_parameter(err, sent)
                if refused is None:
                    raise
                _LOGGER.debug("%s does not accept %s, repeating the request without it", self.model, refused)
                self._refused.add(refused)
                continue
            return message

    def _structured(self, schema: dict[str, Any], task: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
        """Request a structured answer: with `response_format`, or with instructions if a server rejected that."""
        if "response_format" not in self._refused:
            named = {"name": slugify(task)[:60] or "result", "strict": True, "schema": schema}
            return {"response_format": {"type": "json_schema", "json_schema": named}}
        return {"messages": [*messages, {"role": "user", "content": _JSON_ONLY.format(schema=json_dumps(schema))}]}

    async def _deltas(
        self, chat_log: conversation.ChatLog, reply: Reply, message: Message, progress: AnswerProgress, *, force_answer: bool
    ) -> Deltas:
        """Yield the chat log's deltas: first the role, reasoning separately, tool calls when complete."""
        yield {"role": "assistant"}
        async for text in self._text(reply, message, progress):
            yield text
        if force_answer:
            return
        offered = [tool.name for tool in chat_log.llm_api.tools] if chat_log.llm_api else []
        failed: list[tuple[llm.ToolInput, str]] = []
        calls: list[llm.ToolInput] = []
        for call in message.tool_calls:
            tool = llm.ToolInput(id=call.id, tool_name=match_tool_name(call.name, offered), tool_args={})
            try:
                tool.tool_args = parse_arguments(call.arguments)
                if not offered:
                    raise ValueError("no tools are available")
            except ValueError as err:
                tool.external = True  # Home Assistant does not run it; the model gets the error and may correct the call
                failed.append((tool, str(err)))
            calls.append(tool)
        if calls:
            progress.begun = True
            yield {"tool_calls": calls}
        for tool, error in failed:
            result = llm.ToolResult(data={"error": "InvalidArguments", "error_text": f"{error}. Call it again."}, error=True)
            yield {"role": "tool_result", "tool_call_id": tool.id, "tool_name": tool.tool_name, "result": result}

    async def _text(
        self, reply: Reply, message: Message, progress: AnswerProgress
    ) -> AsyncGenerator[conversation.AssistantContentDeltaDict]:
        """Yield the text and the reasoning of an answer. `message` gets all that arrives."""
        model = (reply.backend_id, reply.model)
        hold = Hold.NEVER
        if self.spoken and model not in self._separate:
            hold = Hold.SENTENCE if self.options.get(CONF_THINKING) == THINKING_OFF else hold_for(reply.model)
        answer = AnswerText(begun=model in self._unopened, hold=hold, plain=self.plain)
        content: list[str] = []
        received: list[str] = []
        async for chunk in reply.chunks():
            delta = Delta.parse(chunk.data)
            message.add(delta)
            pieces: list[Piece] = []
            if delta.reasoning:
                yield {"thinking_content": delta.reasoning}
                pieces = answer.release()
            if delta.content:
                received.append(delta.content)
                pieces += answer.feed(delta.content)
                progress.begun = progress.begun or answer.had_text
            for piece in pieces:
                if piece.is_reasoning:
                    yield {"thinking_content": piece.text}
                else:
                    content.append(progress.preceded(piece.text))
                    yield {"content": content[-1]}
        for piece in answer.flush():
            if piece.is_reasoning:
                yield {"thinking_content": piece.text}
            else:
                content.append(progress.preceded(piece.text))
                progress.begun = True
                yield {"content": content[-1]}
        message.content = "".join(content)
        progress.wordless = answer.had_text and not message.content.strip()
        if answer.unopened:
            self._unopened.add(model)
            self._separate.discard(model)
            if answer.spoke_reasoning:
                message.content = "".join(piece.text for piece in pieces_of("".join(received)) if not piece.is_reasoning)
        elif model in self._unopened and not answer.found_tag and (text := "".join(received)):
            self._unopened.discard(model)  # this time it did not reason, or its server has learned to separate it
            message.content = progress.preceded(plain_text(text) if self.plain else text)
            progress.begun = True
            yield {"content": message.content}
        elif received and model not in self._unopened:
            self._separate.add(model)

    async def _note_change(self, chat_log: conversation.ChatLog, reply: Reply, progress: AnswerProgress) -> None:
        """Add a change of the conversation's provider to the trace and, once and if the owner wants it, to the answer."""
        handover = reply.handover
        if handover is None or handover.origin == handover.target:
            return
        chat_log.async_trace({"provider_change": {"from": handover.origin, "to": handover.target, "reason": handover.reason}})
        if self.options.get(CONF_TELL_CHANGE) and self._conversations.tell(chat_log.conversation_id):
            names = (name if self.spoken else escape(name) for name in (handover.origin, handover.target))
            stays_home = handover.home_rule is not None
            progress.notice = await async_provider_changed(self.hass, self.language, *names, stays_home=stays_home)

    def _trace(self, chat_log: conversation.ChatLog, reply: Reply) -> None:
        """Add the usage to the trace with Home Assistant's key names."""
        stats: dict[str, Any] = {"provider": reply.backend_name, "model": reply.model}
        if (usage := reply.usage) is not None:
            stats |= {
                "input_tokens": usage.prompt_tokens,
                "cached_input_tokens": usage.cached_tokens,
                "output_tokens": usage.completion_tokens,
            }
        chat_log.async_trace({"stats": stats})


def _refused_parameter(err: InvalidRequestError, sent: Mapping[str, Any]) -> str | None:
    """The optional parameter that a server rejected, or None."""
    text = f"{err.param or ''} {err.message}"
    for name in _DROPPABLE:
        if name in sent and any(hint in text for hint in _HINTS.get(name, (name,))):
            return name
    return None
