"""One call of a conversation agent or AI task of this Home Assistant.

The agent runs its own tools with the permissions of the request's user; the caller receives only its text. Each call runs in its
own task, because Home Assistant stores the chat session in context variables of the task.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
import logging
from typing import Any, Protocol

from homeassistant.components import ai_task, conversation
from homeassistant.components.conversation.agent_manager import async_get_agent
from homeassistant.components.conversation.trace import (
    ConversationTrace,
    ConversationTraceEvent,
    ConversationTraceEventType,
    async_conversation_trace,
)
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import chat_session, intent
from homeassistant.helpers.json import json_dumps

from ..assist.spoken import async_sentence
from ..core.protocol import json
from ..core.protocol.chunks import Delta
from ..core.protocol.errors import NotFoundError, StreamBrokenError, UpstreamError, redact
from ..core.protocol.usage import Usage
from ..core.protocol.values import mapping, parse_count
from ..errors import STREAM_BROKEN
from .prompt import Prompt, Structure

_LOGGER = logging.getLogger(__name__)

_SEE_LOG = "see Home Assistant's log"
_REASON_CHARACTERS = 300
"""Characters kept of an agent's error message."""

type DeltaCallback = Callable[[Delta], None]


class AgentExchange(Protocol):
    """Runs one agent call and passes its deltas to `on_delta`. Returns the usage if the agent reports it."""

    async def __call__(self, on_delta: DeltaCallback) -> Usage | None:
        """Raises an ApiError if there is no complete answer."""


@dataclass(frozen=True, slots=True)
class Converse:
    """Calls a conversation agent by its entity id or legacy agent id."""

    hass: HomeAssistant
    agent_id: str
    name: str
    prompt: Prompt
    context: Context

    async def __call__(self, on_delta: DeltaCallback) -> Usage | None:
        """See `AgentExchange`. An agent that does not stream gives one delta at its end."""
        agent = async_get_agent(self.hass, self.agent_id)
        if agent is None:
            raise NotFoundError(f"{self.name} is no longer there.", code="model_not_found", param="model")
        listener = _DeltaListener(on_delta)
        with (
            _session(self.hass) as session,
            conversation.async_get_chat_log(self.hass, session, chat_log_delta_listener=listener) as chat_log,
            async_conversation_trace() as trace,
        ):
            for turn in self.prompt.history(self.agent_id):
                if isinstance(turn, conversation.UserContent):
                    chat_log.async_add_user_content(turn)
                else:
                    chat_log.async_add_assistant_content_without_tools(turn)
            asked = len(chat_log.content)
            question = conversation.ConversationInput(
                text=self.prompt.text,
                context=self.context,
                conversation_id=session.conversation_id,
                device_id=None,
                satellite_id=None,
                language=self.prompt.language or self.hass.config.language,
                agent_id=self.agent_id,
                extra_system_prompt=self.prompt.system,
            )
            trace.add_event(ConversationTraceEvent(ConversationTraceEventType.ASYNC_PROCESS, asdict(question)))
            failure: str | None = None
            speech = ""
            try:
                if isinstance(agent, conversation.ConversationEntity):
                    agent.async_set_context(self.context)
                    result = await agent.internal_async_process(question)
                else:
                    result = await agent.async_process(question)
            except HomeAssistantError as err:
                failure = str(err)
            except Exception:  # other integrations may raise anything
                _LOGGER.exception("%s failed", self.name)
                failure = _SEE_LOG
            else:
                trace.set_result(**result.as_dict())
                speech = str(mapping(result.response.speech.get("plain")).get("speech") or "")
                if result.response.error_code is intent.IntentResponseErrorCode.UNKNOWN:
                    failure = speech
            acted = any(isinstance(content, conversation.ToolResultContent) for content in chat_log.content[asked:])
        if failure is None:
            if not listener.has_content:
                listener.add_message(speech)
        elif speech and self.agent_id == conversation.HOME_ASSISTANT_AGENT:
            listener.add_message(speech)  # as in Assist
        elif acted:
            # A failover to another agent would run the actions twice.
            _LOGGER.warning("%s failed after it had called tools: %s", self.name, _redacted(failure))
            listener.add_message(await async_sentence(self.hass, STREAM_BROKEN, question.language))
        elif listener.has_content:
            raise StreamBrokenError(
                f"{self.name} failed during its answer", log_text=f"{self.name} failed during its answer: {_redacted(failure)}"
            )
        else:
            raise _failed(self.name, failure)
        return _usage(trace)


@dataclass(frozen=True, slots=True)
class GenerateData:
    """Calls an AI task entity."""

    hass: HomeAssistant
    entity_id: str
    name: str
    prompt: Prompt
    structure: Structure | None
    context: Context

    async def __call__(self, on_delta: DeltaCallback) -> Usage | None:
        """See `AgentExchange`. Tasks do not stream; data comes as JSON."""
        schema = self.structure.schema if self.structure else None
        instructions = self.prompt.instructions(json_only=self.structure is not None and schema is None)
        with async_conversation_trace() as trace:
            try:
                result = await ai_task.async_generate_data(
                    self.hass,
                    task_name=self.structure.name if self.structure else "answer",
                    entity_id=self.entity_id,
                    instructions=instructions,
                    structure=schema,
                    context=self.context,
                )
            except HomeAssistantError as err:
                raise _failed(self.name, str(err)) from err
            except Exception:
                _LOGGER.exception("%s failed", self.name)
                raise _failed(self.name, _SEE_LOG) from None
        _end_session(self.hass, result.conversation_id)
        on_delta(Delta(content=result.data if isinstance(result.data, str) else self._data(result.data)))
        return _usage(trace)

    def _data(self, data: Any) -> str:
        """The data as JSON. Raises UpstreamError for data that is not JSON, or nested too deeply."""
        try:
            json.check_depth(data)
            return json_dumps(data)
        except (json.DepthError, TypeError) as err:  # orjson raises TypeError
            message = f"{self.name} returned data that cannot be converted to JSON"
            raise UpstreamError(message, log_text=f"{message}: {_redacted(str(err))}") from None


class _DeltaListener:
    """Receives a chat log's deltas and passes on the agent's content and reasoning, without tool results."""

    def __init__(self, on_delta: DeltaCallback) -> None:
        self.has_content = False
        self._on_delta = on_delta
        self._is_assistant = False
        self._paused = False

    @callback
    def __call__(self, _: conversation.ChatLog, delta: Mapping[str, Any]) -> None:
        """Called by the chat log."""
        if role := delta.get("role"):
            self._is_assistant = role == "assistant"
            self._paused = self.has_content
        if not self._is_assistant:
            return
        if thought := delta.get("thinking_content"):
            self._on_delta(Delta(reasoning=thought))
        if content := delta.get("content"):
            self._add(content)

    def add_message(self, text: str) -> None:
        """Add text that the agent did not stream."""
        self._paused = self.has_content
        self._add(text)

    def _add(self, content: str) -> None:
        # The text after a tool call is a new message, so it begins a new paragraph.
        self._on_delta(Delta(content=f"\n\n{content}" if self._paused else content))
        self.has_content, self._paused = True, False


@contextmanager
def _session(hass: HomeAssistant) -> Iterator[chat_session.ChatSession]:
    """A chat session for one call. Clients send the history with each request, so the session is not kept."""
    session: chat_session.ChatSession | None = None
    try:
        with chat_session.async_get_chat_session(hass) as session:
            yield session
    finally:
        if session is not None:
            _end_session(hass, session.conversation_id)
            session.async_cleanup()


def _end_session(hass: HomeAssistant, conversation_id: str) -> None:
    """Remove a chat session at once instead of after five minutes, so that a busy gateway does not collect thousands."""
    session = hass.data.get(chat_session.DATA_CHAT_SESSION, {}).pop(conversation_id, None)
    if session is not None:
        session.async_cleanup()


def _usage(trace: ConversationTrace) -> Usage | None:
    """The tokens that the agent reported to the trace, over all rounds; None if it reported none."""
    used: Usage | None = None
    # The trace's public method copies all prompts and tools.
    for event in getattr(trace, "_events", ()):
        stats = mapping(mapping(event.data).get("stats"))
        if not stats:
            continue
        prompt, completion, cached = (parse_count(stats.get(f"{name}_tokens")) for name in ("input", "output", "cached_input"))
        counted = Usage(prompt, completion, cached)
        used = counted if used is None else used + counted
    return used


def _failed(name: str, why: str) -> UpstreamError:
    """The error of a failed agent. The reason goes only to the log: it is another integration's exception text."""
    return UpstreamError(f"{name} could not answer", log_text=f"{name} failed: {_redacted(why)}")


def _redacted(text: str) -> str:
    """An agent's error message for the log, without secrets."""
    return redact(text)[:_REASON_CHARACTERS] or "no details"
