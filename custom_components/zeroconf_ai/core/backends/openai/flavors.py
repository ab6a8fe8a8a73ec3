"""The kinds of OpenAI-compatible servers and their differences, with sources."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...dialects.openai.message_forms import Form
from ...dialects.reasoning import FIELDS as REASONING_FIELDS
from ...protocol.models import AUDIO
from ...protocol.record import Capability, Cost, Placement
from ..base import BackendInfo, Timeouts
from ..dialect_backend import DialectUpstream
from ..model_control import ModelControl
from .listing import (
    ModelsReader,
    described_models,
    litellm_models,
    llamacpp_models,
    lmstudio_models,
    openrouter_models,
    plain_models,
)
from .load import LoadReader, litellm_load, llamacpp_load, vllm_load
from .model_control import LlamacppModels, LmStudioModels

_CLOUD = Timeouts(connect=10.0, between_tokens=120.0)
_LOADING = Timeouts(first_token=120.0)
"""For servers that load a model on request."""

FOREIGN = frozenset(
    {
        "cache_prompt", "chat_template_kwargs", "enable_thinking", "extra_body", "include_reasoning", "keep_alive", "min_p",
        "num_ctx", "options", "raw", "reasoning", "repeat_penalty", "repetition_penalty", "task_type", "think", "thinking",
        "thinking_budget", "title", "top_k", "typical_p",
    }
)  # fmt: skip
"""Parameters of other servers, which OpenAI rejects with a 400."""


@dataclass(frozen=True, slots=True)
class Flavor:
    """One kind of server. Paths that start with `//` are relative to the server's root, others to /v1."""

    name: str
    title: str
    provider: str
    """Its value of the protocol's `provider` key."""
    base_url: str | None = None
    """The default address."""
    health: str = "/models"
    """A free path that returns 200 while the server is healthy."""
    health_with_key: bool = True
    models: ModelsReader = plain_models
    load: LoadReader | None = None
    model_control: Callable[[DialectUpstream], ModelControl] | None = None
    """Makes the model control for a server's root; None: its API cannot control models."""
    headers: Mapping[str, str] = field(default_factory=dict)
    drops: frozenset[str] = frozenset()
    """Optional parameters that it rejects."""
    message_drops: frozenset[str] = frozenset()
    """Fields of messages that it rejects or ignores."""
    least_form: Form = Form.TIDY
    """The form of all messages: chat templates and strict clouds know no `developer` and only one system message."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Parameters of a chat → their names on this server."""
    plain_schemas: bool = False
    """Whether a tool's parameters must be a plain object at the top (`parameter_schemas`)."""
    cache_marks: bool = False
    """Whether it accepts Anthropic's `cache_control`, which other servers may reject as an unknown field."""
    responses: bool = True
    """Whether it may have `/responses`, to which requests with hosted tools are passed on."""
    token_arrays: bool = True
    """Whether embeddings accept tokens as well as texts."""
    placement: Placement = Placement.LOCAL
    cost: Cost = Cost.FREE
    timeouts: Timeouts = field(default_factory=Timeouts)
    needs_key: bool = False

    @property
    def fetches_images(self) -> bool:
        """Whether it may fetch a client's URLs: a local server could reach the home network with them (llama.cpp fetches)."""
        return self.placement is Placement.CLOUD

    @property
    def gets_hops(self) -> bool:
        """Whether it gets the request id and the ids of forwarding gateways (`Via`): clouds do not, for privacy."""
        return self.placement is not Placement.CLOUD

    def with_health_path(self, path: str) -> "Flavor":
        """The same flavor with another path of the health probe, which may require the API key."""
        return replace(self, health=path, health_with_key=True)

    def info(self, backend_id: str, name: str, **changes: Any) -> BackendInfo:
        """The default description of such a backend. `changes` override fields."""
        can = frozenset(Capability) - {Capability.IMAGE_GENERATION} - AUDIO if self.placement is Placement.CLOUD else None
        return replace(BackendInfo(backend_id, name, can, cost=self.cost, placement=self.placement), **changes)


OPENAI = Flavor(
    "openai",
    "OpenAI",
    "openai",
    base_url="https://api.openai.com/v1",
    drops=FOREIGN,
    message_drops=REASONING_FIELDS,
    plain_schemas=True,
    # max_tokens is deprecated, and rejected by reasoning models (SDK 3.52, completion_create_params.py).
    renames={"max_tokens": "max_completion_tokens"},
    least_form=Form.AS_SENT,
    placement=Placement.CLOUD,
    cost=Cost.METERED,
    timeouts=_CLOUD,
    needs_key=True,
)

OPENROUTER = Flavor(
    "openrouter",
    "OpenRouter",
    "openrouter",
    base_url="https://openrouter.ai/api/v1",
    # /models is public and large; /key is small and rejects an invalid key.
    health="/key",
    models=openrouter_models,
    # App attribution: names this program, never the user (openrouter.ai/docs, "App Attribution").
    plain_schemas=True,
    headers={"HTTP-Referer": "https://github.com/zeroconf-ai/zeroconf-ai", "X-Title": "ZeroConf AI"},
    cache_marks=True,
    least_form=Form.AS_SENT,
    placement=Placement.CLOUD,
    cost=Cost.METERED,
    timeouts=_CLOUD,
    needs_key=True,
)

LITELLM = Flavor(
    "litellm",
    "LiteLLM",
    "litellm",
    # Not /health, which sends a billed request to every model (docs.litellm.ai, "Health Checks").
    health="//health/liveliness",
    models=litellm_models,
    load=litellm_load,
    plain_schemas=True,
    cache_marks=True,
    least_form=Form.AS_SENT,
    placement=Placement.PROXY,
    cost=Cost.UNKNOWN,
    timeouts=_LOADING,
)

VLLM = Flavor(
    "vllm", "vLLM", "vllm", base_url="http://localhost:8000/v1", health="//health", models=described_models, load=vllm_load
)

LLAMACPP = Flavor(
    "llamacpp",
    "llama.cpp",
    "llamacpp",
    base_url="http://localhost:8080/v1",
    health="//health",
    health_with_key=False,  # public by design; 503 while it loads its model
    models=llamacpp_models,
    responses=False,  # it translates them to chats, which have no hosted tools (llama.cpp, tools/server/README.md)
    load=llamacpp_load,
    model_control=LlamacppModels,
    timeouts=_LOADING,
)

LMSTUDIO = Flavor(
    "lmstudio",
    "LM Studio",
    "custom",
    base_url="http://localhost:1234/v1",
    models=lmstudio_models,
    model_control=LmStudioModels,
    # It supports only the older name (lmstudio.ai/docs, "OpenAI Compatibility Endpoints").
    renames={"max_completion_tokens": "max_tokens"},
    token_arrays=False,
    timeouts=_LOADING,
)

COMPATIBLE = Flavor(
    "openai_compatible", "OpenAI-compatible server", "custom", models=described_models, timeouts=_LOADING, cost=Cost.UNKNOWN
)

FLAVORS: Mapping[str, Flavor] = {
    flavor.name: flavor for flavor in (OPENAI, OPENROUTER, LITELLM, VLLM, LLAMACPP, LMSTUDIO, COMPATIBLE)
}
