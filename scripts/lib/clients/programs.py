"""The clients and how each is started."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
import json
from pathlib import Path

from tests.support.clouds.server import Call

from .model import PROMPTS

SCRIPTS = Path(__file__).parent / "scripts"
METER = "meter.txt"
"""The file that the coding agents read; it is in their working folder."""

_READ_METER = Call("read_meter", {"room": "kitchen"}, id="call_kitchen")
_CHAT, _MESSAGES, _RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
_GOOGLE, _OLLAMA = "/v1beta/models/*", "/api/chat"
_SHELL = f"cat {METER}"


@dataclass(frozen=True)
class Turn:
    """What a client is started in."""

    url: str
    """The gateway's address without a path."""
    key: str
    model: str
    work: Path
    """The working folder, with the meter's file; also the client's home."""
    packages: Path
    """The folder of the packages from npm."""


type Commands = Callable[[Turn], Sequence[Sequence[str]]]


@dataclass(frozen=True)
class Program:
    """A client. It is started once for all three prompts (a script) or once for each (an agent in the terminal)."""

    name: str
    package: str
    """Its package on npm or PyPI."""
    api: str
    """The path of the gateway that it uses."""
    commands: Commands | None = None
    """How an agent in the terminal is started."""
    script: str = ""
    """A library's script in the folder `scripts`."""
    calls: tuple[Call, ...] = (_READ_METER,)
    """The tool calls with which it reads the meter."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Its settings; `{url}`, `{key}`, `{model}` and `{work}` are replaced."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Its configuration files below the home folder, with the same replacements."""

    @property
    def python(self) -> bool:
        """Whether it is a Python script."""
        return self.script.endswith(".py")


def _terminal(*first: str, again: Sequence[str], last: Sequence[str] = ()) -> Commands:
    """An agent in the terminal: the options of each start, those that continue the conversation, and those after the prompt."""

    def commands(turn: Turn) -> Sequence[Sequence[str]]:
        program = [part.format_map(vars(turn)) for part in first]
        after = [part.format_map(vars(turn)) for part in last]
        return [[*program, *(again if number else ()), *after, prompt] for number, prompt in enumerate(PROMPTS)]

    return commands


def _codex(turn: Turn) -> Sequence[Sequence[str]]:
    options = ("--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")
    binary = f"{turn.packages}/.bin/codex"
    first = [binary, "exec", *options]
    return [[*first, PROMPTS[0]], *([*first, "resume", "--last", prompt] for prompt in PROMPTS[1:])]


_CODEX_CONFIG = """
model = "{model}"
model_provider = "home"

[model_providers.home]
name = "Home"
base_url = "{url}/v1"
env_key = "ZEROCONF_AI_KEY"
wire_api = "responses"
"""
_CONTINUE_CONFIG = """
name: Home
version: 0.0.1
schema: v1
models:
  - name: Home
    provider: openai
    model: {model}
    apiBase: {url}/v1
    apiKey: {key}
    roles: [chat, edit, apply]
"""
_OPENCODE_CONFIG = {
    "$schema": "https://opencode.ai/config.json",
    "autoupdate": False,
    "provider": {
        "home": {
            "npm": "@ai-sdk/openai-compatible",
            "name": "Home",
            "options": {"baseURL": "<url>/v1", "apiKey": "<key>"},
            "models": {"<model>": {"name": "Home"}},
        }
    },
}
_GEMINI_CONFIG = {"security": {"auth": {"selectedType": "gemini-api-key"}}, "privacy": {"usageStatisticsEnabled": False}}
_ANTHROPIC = {"ANTHROPIC_BASE_URL": "{url}", "ANTHROPIC_API_KEY": "{key}"}
_OPENAI = {"OPENAI_BASE_URL": "{url}/v1", "OPENAI_API_KEY": "{key}"}

PROGRAMS = (
    Program(
        *("Codex", "@openai/codex", _RESPONSES, _codex),
        calls=(
            Call("exec_command", {"cmd": _SHELL}, id="call_meter"),
            Call("shell_command", {"command": _SHELL}, id="call_meter"),
            Call("shell", {"command": ["cat", METER]}, id="call_meter"),
        ),
        environment={"ZEROCONF_AI_KEY": "{key}"},
        files={".codex/config.toml": _CODEX_CONFIG},
    ),
    Program(
        *("Claude Code", "@anthropic-ai/claude-code", _MESSAGES),
        _terminal(
            *("{packages}/@anthropic-ai/claude-code-linux-x64/claude", "-p", "--model", "{model}", "--allowedTools", "Read,Bash"),
            again=("--continue",),
            last=("--",),
        ),
        calls=(Call("Read", {"file_path": f"<work>/{METER}"}, id="toolu_meter"),),
        environment={
            "ANTHROPIC_BASE_URL": "{url}",
            "ANTHROPIC_AUTH_TOKEN": "{key}",
            "ANTHROPIC_SMALL_FAST_MODEL": "{model}",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        },
    ),
    Program(
        *("Qwen Code", "@qwen-code/qwen-code", _CHAT),
        _terminal(
            *("{packages}/.bin/qwen", "--auth-type", "openai", "--model", "{model}", "--approval-mode", "yolo"),
            again=("--continue",),
            last=("--prompt",),
        ),
        calls=(Call("read_file", {"file_path": f"<work>/{METER}"}, id="call_meter"),),
        environment=_OPENAI,
    ),
    Program(
        *("Continue", "@continuedev/cli", _CHAT),
        _terminal(*("{packages}/.bin/cn", "--config", "{work}/continue.yaml", "--auto"), again=("--resume",), last=("-p",)),
        calls=(Call("Read", {"filepath": f"<work>/{METER}"}, id="call_meter"),),
        files={"continue.yaml": _CONTINUE_CONFIG},
        environment={"CONTINUE_TELEMETRY_ENABLED": "0"},
    ),
    Program(
        *("OpenCode", "opencode-linux-x64", _CHAT),
        _terminal(*("{packages}/opencode-linux-x64/bin/opencode", "run", "--model", "home/{model}"), again=("--continue",)),
        calls=(Call("read", {"filePath": f"<work>/{METER}"}, id="call_meter"),),
        files={".config/opencode/opencode.json": json.dumps(_OPENCODE_CONFIG)},
    ),
    Program(
        *("Gemini CLI", "@google/gemini-cli", _GOOGLE),
        _terminal(
            *("{packages}/.bin/gemini", "--model", "{model}", "--approval-mode", "yolo", "--skip-trust"),
            again=("--resume", "latest"),
            last=("--prompt",),
        ),
        calls=(Call("read_file", {"file_path": METER}, id="call_meter"),),
        environment={"GOOGLE_GEMINI_BASE_URL": "{url}", "GEMINI_API_KEY": "{key}"},
        files={".gemini/settings.json": json.dumps(_GEMINI_CONFIG)},
    ),
    Program("openai-agents (Python)", "openai-agents", _RESPONSES, script="openai_agents.py", environment=_OPENAI),
    Program("openai-agents (Node)", "@openai/agents", _RESPONSES, script="openai_agents.mjs", environment=_OPENAI),
    Program("AI SDK, OpenAI provider", "@ai-sdk/openai", _RESPONSES, script="ai_sdk.mjs"),
    Program("AI SDK, Anthropic provider", "@ai-sdk/anthropic", _MESSAGES, script="ai_sdk_anthropic.mjs"),
    Program("OpenAI SDK, stream helper", "openai", _CHAT, script="openai_stream.py", environment=_OPENAI),
    Program("LangChain", "langchain", _CHAT, script="langchain_agent.py", environment=_OPENAI),
    Program("LlamaIndex", "llama-index-core", _CHAT, script="llama_index_agent.py"),
    Program("smolagents", "smolagents", _CHAT, script="smolagents_agent.py"),
    Program("Anthropic tool runner (Python)", "anthropic", _MESSAGES, script="anthropic_runner.py", environment=_ANTHROPIC),
    Program("Anthropic tool runner (Node)", "@anthropic-ai/sdk", _MESSAGES, script="anthropic_runner.mjs"),
    Program("Google Gen AI SDK", "google-genai", _GOOGLE, script="google_chat.py"),
    Program("Ollama SDK (Python)", "ollama", _OLLAMA, script="ollama_chat.py"),
    Program("Ollama SDK (Node)", "ollama", _OLLAMA, script="ollama_chat.mjs"),
)
