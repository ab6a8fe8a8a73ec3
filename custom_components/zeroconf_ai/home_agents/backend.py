"""Backends for Home Assistant's agents: a conversation agent or AI task entity is a model of the gateway.

`homeassistant/assist` is Home Assistant's default agent, which needs no LLM. Others are `homeassistant/` and their object id.

An agent acts with the permissions of the request's user, which Home Assistant checks when an agent calls an action on entities
(not when it reads a state). A request without a user has all permissions, like requests of Home Assistant itself. API keys are
created by administrators; a key with fewer permissions needs a user.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import override

from homeassistant.components import ai_task, conversation
from homeassistant.components.ai_task.const import DATA_COMPONENT
from homeassistant.components.conversation.agent_manager import async_get_agent
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_ENTITY_ID, STATE_UNAVAILABLE, __version__
from homeassistant.core import CALLBACK_TYPE, Context, Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from ..assist.local_fallback import MAX_SENTENCE
from ..const import SUBENTRY_HOME_AGENT
from ..core.backends.answer_errors import no_audio, no_images
from ..core.backends.answers import TextAnswer
from ..core.backends.base import Answer, Backend, BackendInfo, Timeouts
from ..core.dialects.openai.text_completions import as_chat
from ..core.protocol.chunks import Chunk, ChunkWriter, Delta, Message
from ..core.protocol.errors import (
    ApiError,
    InvalidRequestError,
    LoopDetectedError,
    NotFoundError,
    UnavailableError,
    UpstreamConnectionError,
    UpstreamTimeoutError,
)
from ..core.protocol.models import ModelInfo
from ..core.protocol.record import Capability
from ..core.protocol.request import CHARACTERS_PER_TOKEN, Kind, Request, english_length
from ..core.protocol.status import Health
from ..core.protocol.usage import Usage
from .exchange import AgentExchange, Converse, GenerateData
from .home_only import leaves_home
from .prompt import Prompt, read_prompt, read_structure

PREFIX = "homeassistant/"
ASSIST_MODEL = f"{PREFIX}assist"

MAX_IDENTICAL = 4
"""The maximum number of concurrent requests with the same prompt per agent. More of them indicate a loop: an agent that uses
this gateway by an address that does not reveal it."""
MAX_RUNNING = 64

_CHAT = frozenset({Capability.COMPLETION, Capability.STREAMING})

_current_call: ContextVar[AgentCall | None] = ContextVar("zeroconf_ai_asked", default=None)
"""The agent call that the current task belongs to."""


def is_asked_by_client() -> bool:
    """Whether the current task answers a client of the gateway."""
    return _current_call.get() is not None


class AgentCall:
    """Marks everything that an agent does during one call."""

    looped = False
    """Whether the agent called this gateway in turn."""


def model_of(entity_id: str | None) -> str:
    """The model id of an agent: `homeassistant/assist` for the default agent (None or its entity id)."""
    if entity_id is None or entity_id == conversation.HOME_ASSISTANT_AGENT:
        return ASSIST_MODEL
    return PREFIX + entity_id.rpartition(".")[2]


class AgentBackend(Backend):
    """One agent of this Home Assistant, with one model. Lives on Home Assistant's loop."""

    def __init__(
        self, hass: HomeAssistant, info: BackendInfo, entity_id: str | None, *, timeouts: Timeouts | None = None
    ) -> None:
        """`entity_id` is a conversation agent's or an AI task's; None is Home Assistant's default agent.

        Of `timeouts`, only `answer` is used: the maximum time without output, which includes the agent's tool calls.
        """
        self._hass = hass
        self._info = info
        self._entity_id = entity_id or conversation.HOME_ASSISTANT_AGENT
        self._is_task = self._entity_id.startswith(f"{ai_task.DOMAIN}.")
        self._silence = (timeouts or Timeouts()).answer
        self._running: Counter[int] = Counter()
        capabilities = _CHAT | {Capability.JSON} if self._is_task else _CHAT
        self._model = ModelInfo(model_of(entity_id), capabilities=capabilities, owned_by="homeassistant")

    @property
    @override
    def info(self) -> BackendInfo:
        return self._info

    @override
    async def leaves_home(self) -> bool:
        """Whether the agent's integration is a cloud's, by its manifest. Unknown counts as yes."""
        return await leaves_home(self._hass, self._entity_id)

    @override
    async def health(self) -> Health:
        """Raises UpstreamConnectionError if the entity is missing or unavailable."""
        self._check()
        return Health("ok", self._info.name, __version__, id=self._info.id)

    @override
    async def models(self) -> tuple[ModelInfo, ...]:
        return (self._model,)

    @override
    async def send(self, request: Request) -> Answer:
        """Start the agent call. Invalid requests raise here; later failures are raised by the answer."""
        if request.kind is Kind.EMBEDDINGS:
            raise NotFoundError(f"{self._info.name} has no models for embeddings.", code="model_not_found", param="model")
        if request.kind.is_audio:
            raise no_audio(self._info.name, request.kind)
        if request.kind.makes_images:
            raise no_images(self._info.name)
        if request.model != self._model.id:
            message = f"There is no model {request.model}, only {self._model.id}."
            raise NotFoundError(message, code="model_not_found", param="model")
        call = _current_call.get()
        if call is not None or request.inside:
            if call is not None:
                call.looped = True
            raise LoopDetectedError(
                f"An agent of this Home Assistant requests {self._model.id}, which is another one. Choose another model."
            )
        if request.kind is Kind.COMPLETION:
            return TextAnswer(await self._chat(as_chat(request)))
        return await self._chat(request)

    async def _chat(self, request: Request) -> Answer:
        self._check()
        prompt = read_prompt(request)
        if self._entity_id == conversation.HOME_ASSISTANT_AGENT and len(prompt.text) > MAX_SENTENCE:
            message = f"{self._info.name} accepts sentences of up to {MAX_SENTENCE} characters; this one has {len(prompt.text)}."
            raise InvalidRequestError(message, code="context_length_exceeded", param="messages")
        context = await self._context(request)
        ask: AgentExchange
        if self._is_task:
            structure = read_structure(request.body)
            ask = GenerateData(self._hass, self._entity_id, self._info.name, prompt, structure, context)
        else:
            ask = Converse(self._hass, self._entity_id, self._info.name, prompt, context)
        release = self._acquire(prompt)
        return AgentAnswer(self._hass, self._info.name, ask, request, self._silence, release)

    def _check(self) -> None:
        """Raises UpstreamConnectionError if the agent is missing or unavailable."""
        if self._is_task:
            component = self._hass.data.get(DATA_COMPONENT)
            there = component is not None and component.get_entity(self._entity_id) is not None
        else:
            there = async_get_agent(self._hass, self._entity_id) is not None
        if not there:
            raise UpstreamConnectionError(
                f"{self._entity_id} no longer exists in this Home Assistant. Choose another agent in the gateway's settings."
            )
        state = self._hass.states.get(self._entity_id)
        if state is not None and state.state == STATE_UNAVAILABLE:
            raise UpstreamConnectionError(f"{self._entity_id} is unavailable. Check its integration in Home Assistant.")

    async def _context(self, request: Request) -> Context:
        """The context with the user of the request. Raises InvalidRequestError for a deleted or inactive user."""
        if request.user_id is not None:
            user = await self._hass.auth.async_get_user(request.user_id)
            if user is None or not user.is_active:
                message = "The Home Assistant user of this API key was deleted or is not active. Use another key."
                raise InvalidRequestError(message, code="user_inactive")
        return Context(user_id=request.user_id)

    def _acquire(self, prompt: Prompt) -> Callable[[], None]:
        """Count a running request; returns its release. Raises LoopDetectedError or UnavailableError at a limit."""
        prompt_hash = hash((prompt.text, prompt.earlier))
        if self._running.total() >= MAX_RUNNING:
            message = f"{self._info.name} is already running {MAX_RUNNING} requests."
            raise UnavailableError(message, code="provider_capacity_exceeded", retry_after=1.0)
        uses_model = self._entity_id != conversation.HOME_ASSISTANT_AGENT
        if uses_model and self._running[prompt_hash] >= MAX_IDENTICAL:
            message = (
                f"{self._info.name} receives the same prompt repeatedly while it answers: it seems to use this gateway itself."
            )
            raise LoopDetectedError(message)
        self._running[prompt_hash] += 1

        def release() -> None:
            self._running[prompt_hash] -= 1
            if not self._running[prompt_hash]:
                del self._running[prompt_hash]

        return release


class AgentAnswer(Answer):
    """The streamed answer of an agent call, whose task is cancelled when the answer is closed."""

    def __init__(
        self, hass: HomeAssistant, name: str, ask: AgentExchange, request: Request, silence: float, release: Callable[[], None]
    ) -> None:
        """Starts the agent call at once. `release` is called when it ends."""
        self._name = name
        self._silence = silence
        self._request = request
        self._writer = ChunkWriter(request.model)
        self._message = Message()
        self._deltas_queue: asyncio.Queue[Delta | None] = asyncio.Queue()
        self._call = AgentCall()
        self._task = hass.async_create_background_task(
            self._run(ask), f"zeroconf_ai agent {request.request_id or name}", eager_start=False
        )
        self._task.add_done_callback(lambda _: self._finish(release))

    async def _run(self, ask: AgentExchange) -> Usage | None:
        _current_call.set(self._call)
        return await ask(self._deltas_queue.put_nowait)

    def _finish(self, release: Callable[[], None]) -> None:
        release()
        self._deltas_queue.put_nowait(None)

    @override
    async def batches(self) -> AsyncIterator[list[Chunk]]:
        yield [self._writer.chunk({"role": "assistant", "content": ""})]
        async for delta in self._deltas():
            said = {"content": delta.content} if delta.content or not delta.reasoning else {"reasoning_content": delta.reasoning}
            yield [self._writer.chunk(said)]
        yield [self._writer.chunk({}, "stop")]
        if (self._request.body.get("stream_options") or {}).get("include_usage"):
            yield [self._writer.usage(self._usage())]

    @override
    async def completion(self) -> Chunk:
        async for _ in self._deltas():
            pass
        self._message.finish_reason = "stop"
        self._message.usage = self._usage()
        return Chunk.of(self._writer.completion(self._message))

    @override
    async def close(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError, ApiError):
            await self._task

    async def _deltas(self) -> AsyncIterator[Delta]:
        """Yield the deltas to the end. Raises the ApiError that ends the call."""
        while True:
            try:
                async with asyncio.timeout(self._silence):
                    delta = await self._deltas_queue.get()
            except TimeoutError:
                raise UpstreamTimeoutError(f"{self._name} sent nothing for {self._silence:g} s") from None
            if delta is None:
                break
            self._message.add(delta)
            yield delta
        if self._task.cancelled():
            raise UnavailableError("Home Assistant is stopping.", retry_after=60.0)
        failure = self._task.exception()
        if failure is not None and self._call.looped:
            raise LoopDetectedError(
                f"{self._name} requested another agent of this Home Assistant from this gateway."
            ) from failure
        if failure is not None:
            raise failure

    def _usage(self) -> Usage:
        """The usage that the agent reported, else an estimate by length."""
        usage = self._task.result()
        if usage is not None:
            return usage
        characters = english_length(self._message.content) + english_length(self._message.reasoning)
        return Usage(self._request.estimated_prompt_tokens, -(-characters // CHARACTERS_PER_TOKEN))


def follow_renames(hass: HomeAssistant, entry: ConfigEntry) -> CALLBACK_TYPE:
    """Update the gateway's agent subentries when an entity id changes; returns a function that unsubscribes."""

    @callback
    def renamed(event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        former = event.data.get("old_entity_id")
        for subentry in list(entry.subentries.values()):
            if former and subentry.subentry_type == SUBENTRY_HOME_AGENT and subentry.data.get(CONF_ENTITY_ID) == former:
                data = {**subentry.data, CONF_ENTITY_ID: event.data["entity_id"]}
                hass.config_entries.async_update_subentry(entry, subentry, data=data)

    return hass.bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, renamed)
