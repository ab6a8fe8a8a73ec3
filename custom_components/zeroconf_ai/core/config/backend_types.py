"""The backend types: one declaration each, from which the readers, forms, the price list and the advertisement are derived."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import aiohttp

from ..accounting.prices.price_book import PriceList
from ..backends.anthropic.backend import BASE_URL as ANTHROPIC_URL, CLOUD_TIMEOUTS, AnthropicBackend, anthropic_info
from ..backends.base import Backend, BackendInfo, Endpoint, Timeouts
from ..backends.gemini.backend import BASE_URL as GEMINI_URL, CLOUD_TIMEOUTS as GEMINI_TIMEOUTS, GeminiBackend, gemini_info
from ..backends.ollama.backend import BASE_URL as OLLAMA_URL, LOCAL_TIMEOUTS, OllamaBackend, OllamaOptions, ollama_info
from ..backends.openai.backend import OpenAIBackend
from ..backends.openai.flavors import COMPATIBLE, LITELLM, LLAMACPP, LMSTUDIO, OPENAI, OPENROUTER, VLLM, Flavor
from ..backends.zeroconfai import ZeroconfAIBackend

CUSTOM = "custom"
"""The protocol's name for all servers to which it gives no name of their own."""


class BackendFactory(Protocol):
    """The constructor of a backend class."""

    def __call__(
        self, session: aiohttp.ClientSession, info: BackendInfo, endpoint: Endpoint, /, *, timeouts: Timeouts
    ) -> Backend:
        """Create a backend, without network requests. `session` is shared and stays open."""


@dataclass(frozen=True, slots=True)
class BackendType:
    """One backend type."""

    name: str
    title: str
    make: BackendFactory
    info: Callable[[str, str], BackendInfo]
    """Id and name → what such a backend costs and can do, and where it runs."""
    provider: str = CUSTOM
    """The protocol's name for a server with backends of this type only."""
    endpoint: str | None = None
    """The default endpoint."""
    path: str = "/v1"
    """The path appended to addresses without a path."""
    foreign_paths: tuple[str, ...] = ()
    """Ends of addresses that people enter although the API is not there; they are removed."""
    needs_key: bool = False
    key_header: str = "Authorization"
    """The header for the API key."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    price_list: PriceList | None = None
    """None: the models are not in the public price list."""
    in_forms: bool = True
    """Whether people add such backends in a form; other ones are discovered."""
    headers_in_form: bool = False
    """Whether the form asks for extra headers."""
    flavor: Flavor | None = None
    """The flavor of an OpenAI-compatible server; None for other dialects."""
    has_options: bool = False
    """Whether context size and keep-alive of its models can be set (`OllamaOptions`)."""

    @property
    def key_variable(self) -> str:
        """The environment variable with the API key that the programs of the provider use."""
        return f"{self.name.upper()}_API_KEY"

    @property
    def has_health_path(self) -> bool:
        """Whether the path of the health probe can be set: for OpenAI-compatible servers."""
        return self.flavor is not None

    def with_options(self, options: OllamaOptions) -> "BackendType":
        """The type with these options of its models; the type unchanged if it has no such options."""
        return replace(self, make=partial(OllamaBackend, options=options)) if self.has_options else self

    def with_health_path(self, path: str) -> "BackendType":
        """The same type with another path of the health probe. Raises ValueError if the type has none."""
        if self.flavor is None:
            raise ValueError(f"a backend of type {self.name} has no health path")
        flavor = self.flavor.with_health_path(path)
        return replace(self, make=partial(OpenAIBackend, flavor=flavor), flavor=flavor)


def _openai(flavor: Flavor, *, price_list: PriceList | None = None, headers_in_form: bool = False) -> BackendType:
    return BackendType(
        flavor.name,
        flavor.title,
        partial(OpenAIBackend, flavor=flavor),
        flavor.info,
        flavor.provider,
        flavor.base_url,
        needs_key=flavor.needs_key,
        timeouts=flavor.timeouts,
        price_list=price_list,
        headers_in_form=headers_in_form,
        flavor=flavor,
    )


_OLLAMA = BackendType(
    "ollama",
    "Ollama",
    OllamaBackend,
    ollama_info,
    "ollama",
    OLLAMA_URL,
    path="",
    foreign_paths=("/v1", "/api"),
    timeouts=LOCAL_TIMEOUTS,
    has_options=True,
)
_ANTHROPIC = BackendType(
    "anthropic",
    "Anthropic",
    AnthropicBackend,
    anthropic_info,
    "anthropic",
    ANTHROPIC_URL,
    needs_key=True,
    key_header="x-api-key",
    timeouts=CLOUD_TIMEOUTS,
    price_list=PriceList("anthropic"),
)
_GEMINI = BackendType(
    "gemini",
    "Google Gemini",
    GeminiBackend,
    gemini_info,
    "gemini",
    GEMINI_URL,
    path="/v1beta",
    foreign_paths=("/openai", "/models"),
    needs_key=True,
    key_header="x-goog-api-key",
    timeouts=GEMINI_TIMEOUTS,
    price_list=PriceList("google"),
)
_ZEROCONFAI = BackendType("zeroconfai", "ZeroConf AI", ZeroconfAIBackend, BackendInfo, in_forms=False)

BACKEND_TYPES: Mapping[str, BackendType] = {
    declared.name: declared
    for declared in (
        _OLLAMA,
        _openai(OPENAI, price_list=PriceList("openai")),
        _ANTHROPIC,
        _GEMINI,
        _openai(OPENROUTER, price_list=PriceList("openrouter")),
        _openai(LITELLM),
        _openai(VLLM),
        _openai(LLAMACPP),
        _openai(LMSTUDIO),
        _openai(COMPATIBLE, price_list=PriceList(), headers_in_form=True),
        _ZEROCONFAI,
    )
}
"""By the name used in configurations, in the order of forms and documentation."""
ADVERTISED_PROVIDERS: frozenset[str] = frozenset(declared.provider for declared in BACKEND_TYPES.values()) - {CUSTOM}
"""The protocol's names for servers with one backend type."""
_PROVIDER_TITLES: Mapping[str, str | None] = {
    "homeassistant": "Home Assistant",
    CUSTOM: None,
    **{declared.provider: declared.title for declared in BACKEND_TYPES.values() if declared.provider != CUSTOM},
}


def type_title(name: str) -> str:
    """A backend type's title; the name itself for a type that does not exist."""
    declared = BACKEND_TYPES.get(name)
    return name if declared is None else declared.title


def provider_title(provider: str | None) -> str | None:
    """What a person calls a server with this value of the protocol's `provider` key; None if the value says nothing."""
    return None if provider is None else _PROVIDER_TITLES.get(provider, provider)
