"""The servers that speak OpenAI's language, and what is particular about each. Sources stand beside what they explain."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...protocol.record import Capability, Cost, Placement
from ..base import BackendInfo, Timeouts
from .listing import ModelsReader, litellm_models, llamacpp_models, lmstudio_models, openrouter_models, plain_models
from .load import LoadReader, litellm_load, llamacpp_load, vllm_load

_CLOUD = Timeouts(connect=10.0, between_tokens=120.0)
_LOADING = Timeouts(first_token=120.0)
"""For servers that load a model when it is asked for."""

_OTHERS_OWN = frozenset(
    {"options", "num_ctx", "keep_alive", "think", "thinking", "top_k", "min_p", "repetition_penalty", "repeat_penalty"}
)
"""Parameters of other servers, which OpenAI answers with a 400."""


@dataclass(frozen=True, slots=True)
class Flavor:
    """One kind of server. Paths that begin with `//` are looked for at the server's root, the others behind /v1."""

    name: str
    title: str
    provider: str
    """What the protocol's `provider` key calls it."""
    base_url: str | None = None
    """Where it is unless its owner says otherwise."""
    health: str = "/models"
    """A path that costs nothing and answers 200 while it is well."""
    health_with_key: bool = True
    models: ModelsReader = plain_models
    load: LoadReader | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drops: frozenset[str] = frozenset()
    """Parameters that it refuses, and that an answer can do without."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Parameters of a chat that it knows by another name."""
    cache_marks: bool = False
    """Whether it takes Anthropic's `cache_control`, which others may refuse as a field that they do not know."""
    token_arrays: bool = True
    """Whether it embeds tokens as well as texts."""
    placement: Placement = Placement.LOCAL
    cost: Cost = Cost.FREE
    timeouts: Timeouts = field(default_factory=Timeouts)
    needs_key: bool = False

    @property
    def fetches_images(self) -> bool:
        """Whether it may fetch what a caller's URL names: an engine inside the house would reach into it (llama.cpp does)."""
        return self.placement is Placement.CLOUD

    @property
    def tells_hops(self) -> bool:
        """Whether it is told which gateways a request came through: a cloud has no business to know."""
        return self.placement is not Placement.CLOUD

    def with_health_path(self, path: str) -> Flavor:
        """The same flavor with another path of the health probe, which may require the API key."""
        return replace(self, health=path, health_with_key=True)

    def info(self, backend_id: str, name: str, **changes: Any) -> BackendInfo:
        """What such a backend says of itself unless its owner says otherwise."""
        can = frozenset(Capability) if self.placement is Placement.CLOUD else None
        return replace(BackendInfo(backend_id, name, can, cost=self.cost, placement=self.placement), **changes)


OPENAI = Flavor(
    "openai",
    "OpenAI",
    "openai",
    base_url="https://api.openai.com/v1",
    drops=_OTHERS_OWN,
    # max_tokens is deprecated, and refused by the models that reason (SDK 3.52, completion_create_params.py).
    renames={"max_tokens": "max_completion_tokens"},
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
    # /models is public and large; /key is small, and tells at once that a key is bad.
    health="/key",
    models=openrouter_models,
    # App attribution: which program asks, never who (openrouter.ai/docs, "App Attribution").
    headers={"HTTP-Referer": "https://github.com/zeroconf-ai/zeroconf-ai", "X-Title": "ZeroConf AI"},
    cache_marks=True,
    placement=Placement.CLOUD,
    cost=Cost.METERED,
    timeouts=_CLOUD,
    needs_key=True,
)

LITELLM = Flavor(
    "litellm",
    "LiteLLM",
    "litellm",
    # Not /health: that one asks every model for an answer, and is billed (docs.litellm.ai, "Health Checks").
    health="//health/liveliness",
    models=litellm_models,
    load=litellm_load,
    cache_marks=True,
    placement=Placement.PROXY,
    cost=Cost.UNKNOWN,
    timeouts=_LOADING,
)

VLLM = Flavor("vllm", "vLLM", "vllm", base_url="http://localhost:8000/v1", health="//health", load=vllm_load)

LLAMACPP = Flavor(
    "llamacpp",
    "llama.cpp",
    "llamacpp",
    base_url="http://localhost:8080/v1",
    health="//health",
    health_with_key=False,  # public by design, and 503 while it loads its model
    models=llamacpp_models,
    load=llamacpp_load,
    timeouts=_LOADING,
)

LMSTUDIO = Flavor(
    "lmstudio",
    "LM Studio",
    "custom",
    base_url="http://localhost:1234/v1",
    models=lmstudio_models,
    # It knows the older name only (lmstudio.ai/docs, "OpenAI Compatibility Endpoints").
    renames={"max_completion_tokens": "max_tokens"},
    token_arrays=False,
    timeouts=_LOADING,
)

COMPATIBLE = Flavor("openai_compatible", "OpenAI-compatible server", "custom", timeouts=_LOADING, cost=Cost.UNKNOWN)

FLAVORS: Mapping[str, Flavor] = {
    flavor.name: flavor for flavor in (OPENAI, OPENROUTER, LITELLM, VLLM, LLAMACPP, LMSTUDIO, COMPATIBLE)
}
