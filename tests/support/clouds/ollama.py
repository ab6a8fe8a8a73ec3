"""A fake of Ollama's native API."""

import asyncio
from base64 import b64decode
import binascii
from collections.abc import Iterator
import json
from typing import Any, override

from aiohttp import web
from ollama import Options
from ollama._types import GenerateRequest

from .server import FakeCloud, Handler, Refusal, Reply, pieces, reply_of

THINKER, PLAIN, SEER, EMBEDDER = "qwen3:8b", "phi4:latest", "gemma3:4b", "nomic-embed-text:latest"
_CAPABILITIES = {
    THINKER: ["completion", "tools", "thinking"],
    PLAIN: ["completion"],
    SEER: ["completion", "vision"],
    EMBEDDER: ["embedding"],
}
_CONTEXT = {THINKER: 40_960, PLAIN: 16_384, SEER: 131_072, EMBEDDER: 2048}
_KNOWN = frozenset({"model", "messages", "stream", "format", "keep_alive", "tools", "options", "think", "truncate", "shift"})


class FakeOllama(FakeCloud):
    """An Ollama server that requires no key by default. It streams unless the request disables streaming."""

    prefix = ""
    content_type = "application/x-ndjson"

    def __init__(self, *outcomes: Any, key: str | None = None, counts_prompt: bool = True, gives_ids: bool = True) -> None:
        """`counts_prompt`: whether answers contain the prompt's tokens. `gives_ids`: whether tool calls have ids."""
        super().__init__(*outcomes, key=key)
        self.loaded: dict[str, int] = {THINKER: 8192}
        """Loaded models: name → context size in tokens."""
        self.counts_prompt = counts_prompt
        self.gives_ids = gives_ids
        self.installed: dict[str, list[str]] = dict(_CAPABILITIES)
        """Capabilities of the installed models."""
        self.pull_gate = asyncio.Event()
        """A download waits for it after its first lines."""
        self.pull_gate.set()

    @override
    def routes(self) -> dict[tuple[str, str], Handler]:
        return {
            ("GET", "/"): self.root_page,
            ("GET", "/v1/models"): self.openai_models,
            ("GET", "/api/version"): self.version,
            ("GET", "/api/tags"): self.tags,
            ("GET", "/api/ps"): self.ps,
            ("POST", "/api/show"): self.show,
            ("POST", "/api/chat"): self.chat,
            ("POST", "/api/generate"): self.generate,
            ("POST", "/api/embed"): self.embed,
            ("POST", "/api/pull"): self.pull,
            ("DELETE", "/api/delete"): self.delete,
        }

    @override
    def refusal(self, refused: Refusal) -> web.Response:
        return web.json_response({"error": refused.message}, status=refused.status, headers=dict(refused.headers))

    @override
    def broken(self) -> bytes:
        return b'{"error":"llama runner process has terminated: signal: killed"}\n'

    @override
    def answer_headers(self) -> dict[str, str]:
        return {}

    async def root_page(self, _: web.Request) -> web.Response:
        """What a browser sees."""
        return web.Response(text="Ollama is running")

    async def openai_models(self, _: web.Request) -> web.Response:
        """OpenAI's list of the installed models."""
        listed = [{"id": model, "object": "model", "created": 1, "owned_by": "library"} for model in _CAPABILITIES]
        return web.json_response({"object": "list", "data": listed})

    async def pull(self, request: web.Request) -> web.StreamResponse:
        """Install a model."""
        model = (await request.json())["model"]
        response = web.StreamResponse(headers={"Content-Type": self.content_type})
        await response.prepare(request)
        if model == "missing":
            await response.write(b'{"status":"pulling manifest"}\n{"error":"pull model manifest: file does not exist"}\n')
            return response
        await response.write(b'{"status":"pulling manifest"}\n{"status":"pulling 5a","total":2000,"compl')
        await response.write(b'eted":500}\n')
        await self.pull_gate.wait()
        self.installed[model] = ["completion"]
        await response.write(b'{"status":"success"}\n')
        return response

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a model."""
        if self.installed.pop((await request.json())["model"], None) is None:
            return self.refusal(Refusal(404, "model not found"))
        return web.Response()

    def _hold(self, body: dict[str, Any]) -> web.Response:
        """Load or unload a model, as a request without a prompt does."""
        model, unloads = body["model"], body.get("keep_alive") == 0
        if model not in self.installed:
            return self.refusal(Refusal(404, f"model '{model}' not found"))
        if unloads:
            self.loaded.pop(model, None)
        else:
            self.loaded[model] = body.get("options", {}).get("num_ctx", 4096)
        return web.json_response({"model": model, "done": True, "done_reason": "unload" if unloads else "load"})

    async def version(self, _: web.Request) -> web.Response:
        """The version."""
        return web.json_response({"version": "0.33.0"})

    async def tags(self, _: web.Request) -> web.Response:
        """The installed models."""
        return web.json_response({"models": [_entry(model) for model in self.installed]})

    async def ps(self, _: web.Request) -> web.Response:
        """The loaded models."""
        extra = {"expires_at": "2026-11-21T12:00:00Z", "size_vram": 5_000_000_000}
        models = [_entry(model) | extra | {"context_length": size} for model, size in self.loaded.items()]
        return web.json_response({"models": models})

    async def show(self, request: web.Request) -> web.Response:
        """The properties of a model."""
        model = (await request.json())["model"]
        if model not in self.installed:
            return self.refusal(Refusal(404, f"model '{model}' not found"))
        info = {"general.architecture": "qwen3", "qwen3.context_length": _CONTEXT.get(model, 4096), "qwen3.embedding_length": 768}
        details = _entry(model)["details"]
        return web.json_response({"details": details, "model_info": info, "capabilities": self.installed[model]})

    async def embed(self, request: web.Request) -> web.Response:
        """One vector for each text."""
        body = await request.json()
        if body["input"] == "":
            return self._hold(body)
        given = [body["input"]] if isinstance(body["input"], str) else body["input"]
        if not all(isinstance(item, str) for item in given):
            return self.refusal(Refusal(400, "invalid input type"))
        if isinstance(outcome := self.outcome(), Refusal):
            return self.refusal(outcome)
        answer = {
            "model": body["model"],
            "embeddings": [[0.25, -0.5, 0.125]] * len(given),
            "total_duration": 1,
            "load_duration": 1,
        }
        return web.json_response(answer | ({"prompt_eval_count": 4} if self.counts_prompt else {}))

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """Chat."""
        body = await request.json()
        if (refused := self._wrong(body)) is not None:
            return self.refusal(refused)
        outcome = self.outcome_for(body)
        if isinstance(outcome, Refusal):
            return self.refusal(outcome)
        reply, fault = reply_of(outcome)
        head = {"model": body["model"], "created_at": "2026-11-21T10:00:00.123456789Z"}
        if not body.get("stream", True):
            message: dict[str, Any] = {"role": "assistant", "content": reply.text}
            if reply.thought:
                message["thinking"] = reply.thought
            if calls := self._calls(reply):
                message["tool_calls"] = calls
            return await self.whole(request, head | {"message": message} | self._end(reply), fault)
        return await self.stream(request, self._frames(head, reply), fault)

    async def generate(self, request: web.Request) -> web.StreamResponse:
        """Complete a text."""
        body = await request.json()
        if unknown := body.keys() - GenerateRequest.model_fields.keys():
            return self.refusal(Refusal(400, f"ignored: {sorted(unknown)}"))
        if not body.get("prompt"):
            if self.installed.get(body["model"]) == ["embedding"]:
                return self.refusal(Refusal(400, f'"{body["model"]}" does not support generate'))
            return self._hold(body)
        outcome = self.outcome_for(body)
        if isinstance(outcome, Refusal):
            return self.refusal(outcome)
        reply, fault = reply_of(outcome)
        head = {"model": body["model"], "created_at": "2026-11-21T10:00:00.123456789Z"}
        if not body.get("stream", True):
            return await self.whole(request, head | {"response": reply.text} | self._end(reply), fault)
        lines = [head | {"response": piece, "done": False} for piece in pieces(reply.text)]
        lines.append(head | {"response": ""} | self._end(reply))
        return await self.stream(request, (json.dumps(line).encode() + b"\n" for line in lines), fault)

    def _frames(self, head: dict[str, Any], reply: Reply) -> Iterator[bytes]:
        def line(message: dict[str, Any], end: dict[str, Any] | None = None) -> bytes:
            message = {"role": "assistant", "content": "", **message}
            return json.dumps(head | {"message": message} | (end or {"done": False})).encode() + b"\n"

        for piece in pieces(reply.thought):
            yield line({"thinking": piece})
        for piece in pieces(reply.text):
            yield line({"content": piece})
        for call in self._calls(reply):
            yield line({"tool_calls": [call]})
        yield line({}, self._end(reply))

    def _calls(self, reply: Reply) -> list[Any]:
        return [
            ({"id": call.id} if self.gives_ids else {})
            | {"function": {"index": index, "name": call.name, "arguments": call.arguments}}
            for index, call in enumerate(reply.calls)
        ]

    def _end(self, reply: Reply) -> dict[str, Any]:
        end = {"done": True, "done_reason": reply.stop or "stop", "total_duration": 5, "load_duration": 1}
        end |= {"eval_count": reply.completion_tokens, "eval_duration": 3}
        return end | ({"prompt_eval_count": reply.prompt_tokens, "prompt_eval_duration": 1} if self.counts_prompt else {})

    def _wrong(self, body: dict[str, Any]) -> Refusal | None:
        """The real API's error for the body, or None; a parameter that the real API ignores is an error too."""
        model = body["model"]
        can = _CAPABILITIES.get(model) or _CAPABILITIES.get(f"{model}:latest")
        if can is None:
            return Refusal(404, f'model "{model}" not found, try pulling it first')
        if unknown := (body.keys() - _KNOWN) | (body.get("options", {}).keys() - Options.model_fields.keys() - {"min_p"}):
            return Refusal(400, f"ignored: {sorted(unknown)}")
        if body.get("tools") and "tools" not in can:
            return Refusal(400, f"registry.ollama.ai/library/{model} does not support tools")
        if body.get("think") and "thinking" not in can:
            return Refusal(400, f'"{model}" does not support thinking')
        for message in body["messages"]:
            if not isinstance(message["content"], str):
                return Refusal(400, "json: cannot unmarshal array into Go struct field ChatRequest.messages of type string")
            for call in message.get("tool_calls", ()):
                if not isinstance(call["function"]["arguments"], dict):
                    return Refusal(
                        400, "json: cannot unmarshal string into Go struct field of type api.ToolCallFunctionArguments"
                    )
            try:
                for image in message.get("images", ()):
                    b64decode(image, validate=True)
            except binascii.Error:
                return Refusal(400, "illegal base64 data at input byte 4")
        return None


def _entry(model: str) -> dict[str, Any]:
    details = {"parent_model": "", "format": "gguf", "family": "qwen3", "families": ["qwen3"], "parameter_size": "8.2B"}
    return {
        "name": model,
        "model": model,
        "modified_at": "2026-11-01T10:00:00Z",
        "size": 5_225_388_164,
        "digest": "500a1f067a9f" + model[:2],
        "details": details | {"quantization_level": "Q4_K_M"},
    }
