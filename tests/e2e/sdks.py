"""Clients of a gateway, one for each SDK, all with the same steps. Those for Node are `clients/*.mjs`."""

from abc import ABC, abstractmethod
import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
import json
from pathlib import Path
import sys
from typing import Any, override

import anthropic
import ollama
import openai

from tests.support.clouds.ollama import SEER
from tests.support.clouds.openai import EMBEDDING_MODEL
from tests.support.clouds.server import PNG

NODE = Path(sys.prefix) / "bin" / "node"
SCRIPTS = Path(__file__).parent / "clients"

CHAT_MODEL, VISION_MODEL, UNKNOWN_MODEL = "gpt-4.1", SEER, "no-such-model"
QUESTION: dict[str, Any] = {"role": "user", "content": "How warm is the kitchen?"}
READING = "21.5"
ROOM = {"type": "object", "properties": {"room": {"type": "string"}}, "required": ["room"], "additionalProperties": False}
RESULT = ROOM | {"properties": {"room": {"type": "string"}, "celsius": {"type": "number"}}, "required": ["room", "celsius"]}
FUNCTION = {"name": "read_meter", "description": "Reads a thermometer.", "parameters": ROOM}

type Told = dict[str, Any]
type Step = Callable[[], Awaitable[Told]]


@dataclass(frozen=True)
class Address:
    """The gateway's URLs on Home Assistant's port and on its separate port, both without a path, and the key."""

    url: str
    own_url: str
    key: str


class Sdk(ABC):
    """One SDK. `ask` runs a step and returns its result."""

    name: str
    errors: dict[int, str]
    """The name of the exception by status."""
    steps: frozenset[str]

    async def ask(self, address: Address, step: str) -> Told:
        """Run a step; `wrong_key` and `rate_limited` are ordinary chats for the client."""
        async with self.doing(address, step) as told:
            return told

    @abstractmethod
    def doing(self, address: Address, step: str) -> AbstractAsyncContextManager[Told]:
        """Run a step; the client stays open until the block ends."""


class NodeSdk(Sdk):
    """A script of `clients/`, as a process."""

    def __init__(self, name: str, errors: dict[int, str], *without: str) -> None:
        """`without`: steps that the SDK does not have."""
        self.name = f"node-{name}"
        self.errors = errors
        self.steps = STEPS - set(without)
        self._script = SCRIPTS / f"{name}.mjs"

    @override
    @asynccontextmanager
    async def doing(self, address: Address, step: str) -> AsyncIterator[Told]:
        pipe = asyncio.subprocess.PIPE
        command = (str(NODE), str(self._script), step, f"{address.url}/v1", address.key)
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), 30)
            if not line:
                raise AssertionError((await process.stderr.read()).decode())
            yield json.loads(line)
        finally:
            process.stdin.close()
            if process.returncode is None:
                try:
                    await asyncio.wait_for(process.wait(), 10)
                except TimeoutError:
                    process.kill()
                    await process.wait()


class PythonSdk(Sdk):
    """A Python SDK: its steps are methods."""

    refusals: tuple[type[Exception], ...]

    def __init__(self, *without: str) -> None:
        """`without`: steps that the SDK does not have."""
        self.errors = SAME_ERRORS
        self.steps = STEPS - set(without)

    @override
    @asynccontextmanager
    async def doing(self, address: Address, step: str) -> AsyncIterator[Told]:
        async with self.connected(address) as client:
            try:
                told = await getattr(self, "chat" if step in ("wrong_key", "rate_limited") else step)(client)
            except self.refusals as err:
                told = {"error": type(err).__name__, "status": getattr(err, "status_code", None), "message": str(err)}
            yield told

    @abstractmethod
    def connected(self, address: Address) -> AbstractAsyncContextManager[Any]:
        """The SDK's client."""


class PythonOpenAI(PythonSdk):
    """OpenAI's SDK."""

    name = "python-openai"
    refusals = (openai.APIError,)

    @override
    @asynccontextmanager
    async def connected(self, address: Address) -> AsyncIterator[openai.AsyncOpenAI]:
        async with openai.AsyncOpenAI(base_url=f"{address.url}/v1", api_key=address.key) as client:
            yield client

    async def models(self, client: openai.AsyncOpenAI) -> Told:
        return {"models": [model.id async for model in client.models.list()]}

    async def chat(self, client: openai.AsyncOpenAI, **more: Any) -> Told:
        answer = await client.chat.completions.create(**{"model": CHAT_MODEL, "messages": [QUESTION], **more})
        usage = answer.usage
        return {
            "text": answer.choices[0].message.content,
            "prompt": usage.prompt_tokens,
            "completion": usage.completion_tokens,
            "message": answer.choices[0].message,
        }

    async def stream(self, client: openai.AsyncOpenAI) -> Told:
        told: Told = {"text": "", "pieces": 0}
        stream = await client.chat.completions.create(
            model=CHAT_MODEL,
            messages=[{"role": "user", "content": "Hello"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        async for chunk in stream:
            if chunk.choices and (piece := chunk.choices[0].delta.content):
                told["text"] += piece
                told["pieces"] += 1
            if chunk.usage is not None:
                told |= {"prompt": chunk.usage.prompt_tokens, "completion": chunk.usage.completion_tokens}
        return told

    async def tools(self, client: openai.AsyncOpenAI) -> Told:
        tools = [{"type": "function", "function": FUNCTION}]
        message = (await self.chat(client, tools=tools))["message"]
        (call,) = message.tool_calls
        result = {"role": "tool", "tool_call_id": call.id, "content": READING}
        answer = await self.chat(client, tools=tools, messages=[QUESTION, message, result])
        return {"name": call.function.name, "arguments": json.loads(call.function.arguments), "text": answer["text"]}

    async def structured(self, client: openai.AsyncOpenAI) -> Told:
        schema = {"name": "reading", "strict": True, "schema": RESULT}
        answer = await self.chat(client, response_format={"type": "json_schema", "json_schema": schema})
        return {"object": json.loads(answer["text"])}

    async def vision(self, client: openai.AsyncOpenAI) -> Told:
        picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
        message = {"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]}
        return await self.chat(client, model=VISION_MODEL, messages=[message])

    async def embeddings(self, client: openai.AsyncOpenAI) -> Told:
        answer = await client.embeddings.create(model=EMBEDDING_MODEL, input=["one", "two"])
        return {"vectors": [item.embedding for item in answer.data]}

    async def unknown_model(self, client: openai.AsyncOpenAI) -> Told:
        return await self.chat(client, model=UNKNOWN_MODEL)

    async def bad_parameter(self, client: openai.AsyncOpenAI) -> Told:
        return await self.chat(client, temperature=99)

    async def cancel(self, client: openai.AsyncOpenAI) -> Told:
        stream = await client.chat.completions.create(
            model=CHAT_MODEL, messages=[{"role": "user", "content": "Hello"}], stream=True
        )
        await anext(aiter(stream))
        await stream.close()
        return {"cancelled": True}


class PythonAnthropic(PythonSdk):
    """Anthropic's SDK."""

    name = "python-anthropic"
    refusals = (anthropic.APIError,)

    @override
    @asynccontextmanager
    async def connected(self, address: Address) -> AsyncIterator[anthropic.AsyncAnthropic]:
        async with anthropic.AsyncAnthropic(base_url=address.url, api_key=address.key) as client:
            yield client

    async def models(self, client: anthropic.AsyncAnthropic) -> Told:
        return {"models": [model.id async for model in client.models.list()]}

    async def chat(self, client: anthropic.AsyncAnthropic, **more: Any) -> Told:
        given = {"model": CHAT_MODEL, "max_tokens": 500, "messages": [QUESTION], **more}
        message = await client.messages.create(**given)
        return {
            "text": "".join(block.text for block in message.content if block.type == "text"),
            "prompt": message.usage.input_tokens + (message.usage.cache_read_input_tokens or 0),
            "completion": message.usage.output_tokens,
            "content": message.content,
        }

    async def stream(self, client: anthropic.AsyncAnthropic) -> Told:
        told: Told = {"text": "", "pieces": 0}
        async with client.messages.stream(
            model=CHAT_MODEL, max_tokens=500, messages=[{"role": "user", "content": "Hello"}]
        ) as stream:
            async for piece in stream.text_stream:
                told["text"] += piece
                told["pieces"] += 1
            usage = (await stream.get_final_message()).usage
        prompt = usage.input_tokens + (usage.cache_read_input_tokens or 0)
        return told | {"prompt": prompt, "completion": usage.output_tokens}

    async def tools(self, client: anthropic.AsyncAnthropic) -> Told:
        tools = [{"name": FUNCTION["name"], "description": FUNCTION["description"], "input_schema": ROOM}]
        content = (await self.chat(client, tools=tools))["content"]
        (call,) = [block for block in content if block.type == "tool_use"]
        result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": READING}]}
        answer = await self.chat(client, tools=tools, messages=[QUESTION, {"role": "assistant", "content": content}, result])
        return {"name": call.name, "arguments": call.input, "text": answer["text"]}

    async def structured(self, client: anthropic.AsyncAnthropic) -> Told:
        answer = await self.chat(client, output_config={"format": {"type": "json_schema", "schema": RESULT}})
        return {"object": json.loads(answer["text"])}

    async def vision(self, client: anthropic.AsyncAnthropic) -> Told:
        picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
        message = {"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]}
        return await self.chat(client, model=VISION_MODEL, messages=[message])

    async def unknown_model(self, client: anthropic.AsyncAnthropic) -> Told:
        return await self.chat(client, model=UNKNOWN_MODEL)

    async def bad_parameter(self, client: anthropic.AsyncAnthropic) -> Told:
        return await self.chat(client, extra_body={"temperature": 99})

    async def cancel(self, client: anthropic.AsyncAnthropic) -> Told:
        async with client.messages.stream(
            model=CHAT_MODEL, max_tokens=500, messages=[{"role": "user", "content": "Hello"}]
        ) as stream:
            await anext(aiter(stream.text_stream))
        return {"cancelled": True}


class PythonOllama(PythonSdk):
    """Ollama's SDK, at the gateway's separate port."""

    name = "python-ollama"
    refusals = (ollama.ResponseError,)

    def __init__(self) -> None:
        # It has no retries, and the gateway does not serve its path for embeddings.
        super().__init__("embeddings", "rate_limited")
        self.errors = dict.fromkeys(SAME_ERRORS, "ResponseError")

    @override
    @asynccontextmanager
    async def connected(self, address: Address) -> AsyncIterator[ollama.AsyncClient]:
        async with ollama.AsyncClient(host=address.own_url, headers={"Authorization": f"Bearer {address.key}"}) as client:
            yield client

    async def models(self, client: ollama.AsyncClient) -> Told:
        return {"models": [model.model for model in (await client.list()).models]}

    async def chat(self, client: ollama.AsyncClient, **more: Any) -> Told:
        answer = await client.chat(**{"model": CHAT_MODEL, "messages": [QUESTION], **more})
        return {
            "text": answer.message.content,
            "prompt": answer.prompt_eval_count,
            "completion": answer.eval_count,
            "message": answer.message,
        }

    async def stream(self, client: ollama.AsyncClient) -> Told:
        told: Told = {"text": "", "pieces": 0}
        async for part in await client.chat(model=CHAT_MODEL, messages=[QUESTION], stream=True):
            if piece := part.message.content:
                told["text"] += piece
                told["pieces"] += 1
            if part.done:
                told |= {"prompt": part.prompt_eval_count, "completion": part.eval_count}
        return told

    async def tools(self, client: ollama.AsyncClient) -> Told:
        tools = [{"type": "function", "function": FUNCTION}]
        message = (await self.chat(client, tools=tools))["message"]
        (call,) = message.tool_calls
        result = {"role": "tool", "tool_name": call.function.name, "content": READING}
        answer = await self.chat(client, tools=tools, messages=[QUESTION, message, result])
        return {"name": call.function.name, "arguments": dict(call.function.arguments), "text": answer["text"]}

    async def structured(self, client: ollama.AsyncClient) -> Told:
        return {"object": json.loads((await self.chat(client, format=RESULT))["text"])}

    async def vision(self, client: ollama.AsyncClient) -> Told:
        message = {"role": "user", "content": "What is this?", "images": [PNG]}
        return await self.chat(client, model=VISION_MODEL, messages=[message])

    async def unknown_model(self, client: ollama.AsyncClient) -> Told:
        return await self.chat(client, model=UNKNOWN_MODEL)

    async def bad_parameter(self, client: ollama.AsyncClient) -> Told:
        return await self.chat(client, options={"temperature": 99})

    async def cancel(self, client: ollama.AsyncClient) -> Told:
        stream = await client.chat(model=CHAT_MODEL, messages=[QUESTION], stream=True)
        assert isinstance(stream, AsyncGenerator)
        await anext(stream)
        await stream.aclose()
        return {"cancelled": True}


SAME_ERRORS = {400: "BadRequestError", 401: "AuthenticationError", 404: "NotFoundError"}
STEPS = frozenset(
    "models chat stream tools structured vision embeddings wrong_key unknown_model bad_parameter rate_limited cancel".split()
)
SDKS: tuple[Sdk, ...] = (
    PythonOpenAI(),
    PythonAnthropic("embeddings"),
    PythonOllama(),
    NodeSdk("openai", SAME_ERRORS),
    NodeSdk("ai", dict.fromkeys(SAME_ERRORS, "APICallError"), "models"),
)
