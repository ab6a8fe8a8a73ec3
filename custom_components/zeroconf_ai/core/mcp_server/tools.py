"""The tools: what an agent can do with the providers on the network."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal, TypedDict

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, TextContent
from pydantic import Field

from ..client.answers import Stream
from ..protocol.errors import ApiError
from .providers import Providers

MAX_QUESTION = 400_000
"""Characters of a question or of instructions: about 100,000 tokens."""
MAX_ANSWER_TOKENS = 32_768
MAX_ANSWER = 200_000
"""Characters of an answer, for a provider that ignores the maximum of tokens."""
MAX_SECONDS = 600.0
"""The time of one question."""
MAX_MODELS = 200
"""Models in one list: a provider may have thousands, and an agent's context is small."""
_PROGRESS_SECONDS = 1.0

Question = Annotated[str, Field(min_length=1, max_length=MAX_QUESTION, description="The complete question.")]
Instructions = Annotated[str | None, Field(max_length=MAX_QUESTION, description="How to answer (the system prompt).")]
ModelName = Annotated[
    str | None,
    Field(
        max_length=512,
        description="A model's id, PROVIDER/MODEL, or a provider's name or id, which means its default model. Default: any.",
    ),
]
Part = Annotated[str, Field(max_length=512, description="Only models whose ids contain this text.")]
AnswerTokens = Annotated[int, Field(ge=1, le=MAX_ANSWER_TOKENS, description="The maximum length of the answer, in tokens.")]
Group = Literal["day", "model", "backend", "key", "user", "source", "label"]


class ProviderRow(TypedDict):
    """A provider."""

    id: str
    name: str
    online: bool
    models: list[str]
    """At most MAX_MODELS of them."""
    model_count: int
    reason: str
    """Why it is not online; empty if it is."""


class ModelRow(TypedDict):
    """A model of a provider. None: the provider does not report it."""

    id: str
    provider: str
    provider_id: str
    capabilities: list[str] | None
    context_window: int | None


class ModelList(TypedDict):
    """Models, those of the preferred provider first."""

    models: list[ModelRow]
    left_out: int
    """How many more models match."""


class AnswerDetails(TypedDict):
    """An answer."""

    text: str
    provider: str
    model: str
    prompt_tokens: int | None
    """None if this server cut the answer."""
    completion_tokens: int | None
    finish_reason: str | None
    """`stop`, `length`, `content_filter` or `tool_calls`; None if the provider did not say."""


class Tools:
    """The tools of one server; each method is one, with its docstring as the description for the model."""

    def __init__(self, providers: Providers) -> None:
        """`providers` stay open."""
        self._providers = providers

    async def list_providers(self) -> list[ProviderRow]:
        """List the AI providers on the local network: who answers now, and with which models."""
        with _told():
            async with self._providers.use(search=True) as ai:
                return [
                    ProviderRow(
                        id=one.id,
                        name=one.name,
                        online=one.online,
                        models=[*one.models[:MAX_MODELS]],
                        model_count=len(one.models),
                        reason=one.reason,
                    )
                    for one in await ai.check()
                ]

    async def list_models(self, containing: Part = "") -> ModelList:
        """List the models of the providers that answer, with their capabilities and context windows in tokens."""
        with _told():
            async with self._providers.use() as ai:
                rows = [
                    ModelRow(
                        id=model.id,
                        provider=one.name,
                        provider_id=one.id,
                        capabilities=None if model.capabilities is None else sorted(model.capabilities),
                        context_window=model.context_window,
                    )
                    for one in ai.providers
                    if one.online
                    for model in one.details
                    if containing.casefold() in model.id.casefold()
                ]
                return ModelList(models=rows[:MAX_MODELS], left_out=max(0, len(rows) - MAX_MODELS))

    async def ask(
        self,
        context: Context,
        question: Question,
        model: ModelName = None,
        instructions: Instructions = None,
        max_tokens: AnswerTokens = 4096,
    ) -> Annotated[CallToolResult, AnswerDetails]:
        """Ask a model on the local network one question and return its answer. It knows nothing of this conversation."""
        messages: list[Mapping[str, Any]] = [{"role": "user", "content": question}]
        if instructions:
            messages.insert(0, {"role": "system", "content": instructions})
        with _told():
            async with (
                asyncio.timeout(MAX_SECONDS),
                _progress(context) as progress,
                self._providers.use() as ai,
                ai.stream(messages, model=model or None, max_tokens=max_tokens) as stream,
            ):
                return _result(stream, await _read(stream, progress))

    async def usage(self, first_day: date | None = None, last_day: date | None = None, group_by: Group = "day") -> dict[str, Any]:
        """Show the requests, tokens and cost that the provider recorded, by default of this month. Days are YYYY-MM-DD."""
        with _told():
            async with self._providers.use() as ai:
                return dict(await ai.usage(first_day, last_day, group_by=(group_by,)))


@dataclass
class _Progress:
    """What a running question reports."""

    text: str = "looking for a provider"


@asynccontextmanager
async def _progress(context: Context) -> AsyncIterator[_Progress]:
    """Report every second how long a question runs and what it does: clients extend their time limit by that."""
    progress = _Progress()
    loop = asyncio.get_running_loop()
    started = loop.time()

    async def report() -> None:
        while True:
            await context.report_progress(round(loop.time() - started, 1), None, progress.text)
            await asyncio.sleep(_PROGRESS_SECONDS)

    reporting = asyncio.create_task(report())
    try:
        yield progress
    finally:
        reporting.cancel()
        await asyncio.gather(reporting, return_exceptions=True)


async def _read(stream: Stream, progress: _Progress) -> str:
    """The text of an answer, at most MAX_ANSWER characters. Raises ApiError."""
    pieces, length = [], 0
    progress.text = f"{stream.provider} answers"
    async for piece in stream:
        pieces.append(piece)
        length += len(piece)
        progress.text = f"{stream.provider} answers: {length} characters"
        if length > MAX_ANSWER:
            break
    return "".join(pieces)[:MAX_ANSWER]


def _result(stream: Stream, text: str) -> CallToolResult:
    """The answer as text for the model, and with its details for the program."""
    answer = stream.answer if stream.complete else None
    details = AnswerDetails(
        text=text,
        provider=stream.provider,
        model=stream.model,
        prompt_tokens=None if answer is None else answer.usage.prompt_tokens,
        completion_tokens=None if answer is None else answer.usage.completion_tokens,
        finish_reason="length" if answer is None else answer.finish_reason,
    )
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=dict(details))


@contextmanager
def _told() -> Iterator[None]:
    """Let the agent read why a tool failed."""
    try:
        yield
    except ApiError as err:
        raise ToolError(err.message) from None
    except TimeoutError:
        raise ToolError(f"There was no complete answer within {MAX_SECONDS:g} s.") from None
