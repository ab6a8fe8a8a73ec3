"""The kinds of inference servers: name, ports, and the backend type with the native API of each."""

from collections.abc import Sequence
from dataclasses import dataclass

from . import server_signatures as signatures
from .server_signatures import Access, Get, Page, Signature


@dataclass(frozen=True, slots=True)
class ServerKind:
    """One kind of server, and how it is recognized."""

    id: str
    title: str
    port: int
    """The usual port."""
    type: str
    """The backend type that uses its native API."""
    signature: Signature
    path: str = "/v1"
    """The path of the base URL."""
    is_proxy: bool = False
    """Whether it forwards requests, also to clouds that cost money."""
    is_front_end: bool = False
    """Whether it serves the models of other servers: those of this machine are used themselves."""
    other_ports: tuple[int, ...] = ()
    """Further ports on which it is searched for on the network."""
    checks_keys: bool = True
    """Whether its signature shows that a key is valid; otherwise any key makes it usable until a request is refused."""

    @property
    def ports(self) -> tuple[int, ...]:
        """All ports on which it is searched for on the network."""
        return (self.port, *self.other_ports)


@dataclass(frozen=True, slots=True)
class Recognized:
    """The kind of a server, and whether it answers without a key."""

    kind: ServerKind
    access: Access

    @property
    def is_locked(self) -> bool:
        """Whether it requires an API key."""
        return self.access is Access.LOCKED


SERVER_KINDS: tuple[ServerKind, ...] = (
    ServerKind("ollama", "Ollama", 11434, "ollama", signatures.ollama, path=""),
    ServerKind("lmstudio", "LM Studio", 1234, "lmstudio", signatures.lmstudio),
    ServerKind("llamacpp", "llama.cpp", 8080, "llamacpp", signatures.llamacpp),
    ServerKind("localai", "LocalAI", 8080, "openai_compatible", signatures.localai),
    ServerKind("llamaswap", "llama-swap", 8080, "openai_compatible", signatures.llamaswap),
    ServerKind("vllm", "vLLM", 8000, "vllm", signatures.vllm),
    ServerKind("litellm", "LiteLLM", 4000, "litellm", signatures.litellm, is_proxy=True),
    ServerKind("jan", "Jan", 1337, "openai_compatible", signatures.jan),
    ServerKind("sglang", "SGLang", 30000, "openai_compatible", signatures.sglang, other_ports=(8000,)),
    ServerKind("tabbyapi", "TabbyAPI", 5000, "openai_compatible", signatures.tabbyapi),
    ServerKind("text_generation_webui", "text-generation-webui", 5000, "openai_compatible", signatures.text_generation_webui),
    ServerKind("koboldcpp", "KoboldCpp", 5001, "openai_compatible", signatures.koboldcpp, checks_keys=False),
    ServerKind("gpt4all", "GPT4All", 4891, "openai_compatible", signatures.gpt4all),
    ServerKind(
        "open_webui",
        "Open WebUI",
        3000,
        "openai_compatible",
        signatures.open_webui,
        path="/api",
        is_proxy=True,
        is_front_end=True,
        other_ports=(8080,),
    ),
)
"""In the order in which servers on one port are asked for."""

UNKNOWN_KIND = ServerKind("openai_compatible", "OpenAI-compatible server", 0, "openai_compatible", signatures.compatible)
"""A server that refuses requests without a key as OpenAI does, and of which nothing else is known."""

LOCAL_KINDS = tuple(kind for kind in SERVER_KINDS if not kind.is_front_end)
"""The kinds that are searched for on this machine."""


def kind_of(kind_id: str | None) -> ServerKind | None:
    """The kind with this id; None if there is no such kind."""
    return next((kind for kind in SERVER_KINDS if kind.id == kind_id), None)


async def recognize(get: Get, kinds: Sequence[ServerKind] = SERVER_KINDS) -> Recognized | None:
    """What answers: the first of `kinds` whose signature the server has; None for a server of another kind.

    Each path is asked for once.
    """
    pages: dict[str, Page | None] = {}

    async def get_once(path: str) -> Page | None:
        if path not in pages:
            pages[path] = await get(path)
        return pages[path]

    for kind in kinds:
        if (access := await kind.signature(get_once)) is not None:
            return Recognized(kind, access)
    return None
