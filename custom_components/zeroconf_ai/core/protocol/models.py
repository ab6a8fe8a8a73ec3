"""Model lists (`/v1/models`): parsed from any server, written for any client."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from .record import Capability
from .values import clean, mapping, parse_count

_NOT_FOR_CHAT = (
    "embed", "rerank", "bge-", "minilm", "moderation", "realtime", "sora-",
)  # fmt: skip
_MAKES_IMAGES = (
    "dall-e", "gpt-image", "chatgpt-image", "stable-diffusion", "stablediffusion", "sdxl", "flux", "imagen-", "qwen-image",
    "z-image", "hidream", "kandinsky", "seedream", "ideogram", "recraft", "grok-2-image", "grok-imagine-image",
)  # fmt: skip
"""Parts of the names of models that only generate images: models of clouds, LocalAI's gallery and vLLM-Omni."""
_ONLY_FROM_TEXTS = ("dall-e-3", "imagen-")
"""Parts of the names of models that make images but edit none (OpenAI, "Create image edit"; Google, "Imagen")."""
_TRANSCRIBES = (
    "whisper", "transcribe", "transcription", "parakeet", "canary-", "moonshine", "sensevoice", "-asr", "speech-to-text", "-stt",
)  # fmt: skip
"""Parts of the names of models that only transcribe: of clouds, speaches, LocalAI's gallery and vLLM."""
_SPEAKS = (
    "tts", "kokoro", "piper", "chatterbox", "orpheus", "playai", "vibevoice", "voxcpm", "zonos", "text-to-speech",
)  # fmt: skip
"""The same of models that only speak: of clouds, Kokoro-FastAPI, speaches, LocalAI's gallery and vLLM-Omni."""
AUDIO = frozenset({Capability.TRANSCRIPTION, Capability.SPEECH})
"""The capabilities of models for `/v1/audio/…`."""
_ONLY = frozenset({Capability.EMBEDDINGS, Capability.IMAGE_GENERATION, *AUDIO})
"""Capabilities of models that mostly do nothing else."""
_TYPES: Mapping[object, Capability] = {
    "embedding": Capability.EMBEDDINGS,
    "embeddings": Capability.EMBEDDINGS,
    "image": Capability.IMAGE_GENERATION,
    "transcribe": Capability.TRANSCRIPTION,
    "audio": Capability.SPEECH,
    "automatic-speech-recognition": Capability.TRANSCRIPTION,
    "text-to-speech": Capability.SPEECH,
    "transcription": Capability.TRANSCRIPTION,
    "speech": Capability.SPEECH,
    "audio_transcription": Capability.TRANSCRIPTION,
    "audio_speech": Capability.SPEECH,
    "audio2text": Capability.TRANSCRIPTION,
    "text2audio": Capability.SPEECH,
    "speech_to_text": Capability.TRANSCRIPTION,
    "speech-to-text": Capability.TRANSCRIPTION,
    "text_to_speech": Capability.SPEECH,
    "stt": Capability.TRANSCRIPTION,
    "asr": Capability.TRANSCRIPTION,
    "tts": Capability.SPEECH,
}
"""Together's `type`, speaches' `task` and that of `/v1/audio/models` → capabilities, for models that are not for chats.

LiteLLM's `mode`, Xinference's `model_ability` and `model_type`, GPUStack's `categories` and Lemonade's `labels` have some too.
"""
_TYPED = ("type", "task", "mode", "model_type")
_AUDIO_WORDS = frozenset(word for word, capability in _TYPES.items() if capability in AUDIO) - {"audio"}
"""The words for audio in lists of models, without `audio`, which may mean a chat with recordings."""
_CHAT_WORDS = frozenset({"chat", "completion", "generate", "llm"})
_TYPED_LISTS = ("model_ability", "categories", "labels")
_SYNONYMS = {
    "chat": "completion",
    "completion_chat": "completion",
    "embed": "embeddings",
    "embedding": "embeddings",
    "function_calling": "tools",
    "tool_use": "tools",
    "multimodal": "vision",
}
MAX_MODELS = 10_000
MAX_HOPS = 32
_MOST_WORDS = 32
_NAMES = ("id", "name", "model")
"""The fields of an entry that may name its model, in the order of preference."""
AUTO = "auto"
"""The model name that means any model of any provider."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model of one provider. None: the provider does not report it."""

    id: str
    context_window: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[Capability] | None = None
    warm: bool | None = None
    owned_by: str = ""
    pricing: Mapping[str, Any] | None = None
    virtual: bool = False
    """Whether it is a gateway's model alias instead of a real model."""
    via: tuple[str, ...] = ()
    """Ids of the gateways through which it is reached, the nearest last. None of them may forward requests for it."""
    preferred: bool = False
    """Whether the owner made it the default model of its provider."""

    @property
    def for_chat(self) -> bool:
        """Whether it is a chat model: by its capabilities if they are known, else by its name."""
        if self.capabilities is not None:
            return Capability.COMPLETION in self.capabilities
        return not self.makes_images and not self.is_audio and not any(word in self.id.lower() for word in _NOT_FOR_CHAT)

    @property
    def makes_images(self) -> bool:
        """Whether the model makes images from texts: by its capabilities if known, else by its name."""
        if self.capabilities is not None:
            return Capability.IMAGE_GENERATION in self.capabilities
        return any(word in self.id.lower() for word in _MAKES_IMAGES)

    @property
    def edits_images(self) -> bool:
        """Whether the model may edit images: one that makes images and is not known for making them from texts only."""
        return self.makes_images and not any(word in self.id.lower() for word in _ONLY_FROM_TEXTS)

    @property
    def transcribes(self) -> bool:
        """Whether the model writes down what a recording says: by its capabilities if known, else by its name."""
        if self.capabilities is not None:
            return Capability.TRANSCRIPTION in self.capabilities
        return any(word in self.id.lower() for word in _TRANSCRIBES)

    @property
    def speaks(self) -> bool:
        """Whether the model speaks texts: by its capabilities if known, else by its name."""
        if self.capabilities is not None:
            return Capability.SPEECH in self.capabilities
        return any(word in self.id.lower() for word in _SPEAKS)

    @property
    def is_audio(self) -> bool:
        """Whether it is for `/v1/audio/…`."""
        return self.transcribes or self.speaks

    @property
    def abilities(self) -> frozenset[Capability]:
        """The model's capabilities if known, else its main capability, by its name."""
        if self.capabilities:
            return self.capabilities
        if self.for_chat:
            return frozenset({Capability.COMPLETION})
        named = {
            Capability.IMAGE_GENERATION: self.makes_images,
            Capability.TRANSCRIPTION: self.transcribes,
            Capability.SPEECH: self.speaks,
        }
        return frozenset(capability for capability, has in named.items() if has) or frozenset({Capability.EMBEDDINGS})

    def supports(self, needed: Iterable[Capability]) -> bool:
        """Whether the model has the capabilities, or may have them because the provider does not report any."""
        return self.capabilities is None or self.capabilities.issuperset(needed)

    @classmethod
    def parse(cls, data: object) -> Self | None:
        """Parse one entry of a models list: an object with `id` (or Ollama's `name`, `model`) or a string; None if invalid."""
        if isinstance(data, str):
            return cls(model_id) if (model_id := clean(data)) else None
        if not isinstance(data, Mapping):
            return None
        names = (clean(name) for key in _NAMES if isinstance(name := data.get(key), str))
        if not (model_id := next(filter(None, names), "")):
            return None
        window = (
            parse_count(data.get("context_window"))
            or parse_count(data.get("context_length"))
            or parse_count(data.get("max_model_len"))
            or parse_count(mapping(data.get("meta")).get("n_ctx"))
            or parse_count(mapping(data.get("meta")).get("n_ctx_train"))
        )
        known = _capabilities(data)
        warm = data.get("warm")
        return cls(
            id=model_id,
            context_window=window or None,
            max_output_tokens=parse_count(data.get("max_output_tokens")) or None,
            capabilities=known,
            warm=warm if isinstance(warm, bool) else None,
            owned_by=clean(data.get("owned_by") or ""),
            pricing=data.get("pricing") if isinstance(data.get("pricing"), Mapping) else None,
            virtual=data.get("virtual") is True,
            via=tuple(clean(hop, 64) for hop in via[:MAX_HOPS]) if isinstance(via := data.get("via"), list) else (),
        )

    def to_json(self, *, provider: str) -> dict[str, Any]:
        """OpenAI's model object with our extra fields, without what is unknown."""
        extra: dict[str, Any] = {
            "context_window": self.context_window,
            "max_output_tokens": self.max_output_tokens,
            "capabilities": None if self.capabilities is None else sorted(self.capabilities),
            "pricing": self.pricing,
            "warm": self.warm,
            "virtual": self.virtual or None,
            "via": list(self.via) or None,
        }
        return {
            "id": self.id,
            "object": "model",
            "created": 0,
            "owned_by": self.owned_by or provider,
            "provider": provider,
            "supports_streaming": self.for_chat,
        } | {key: value for key, value in extra.items() if value is not None}


def _capabilities(data: Mapping[str, Any]) -> frozenset[Capability] | None:
    """The capabilities of an entry, from a list of words or from flags by word (Mistral), else from its `type` (Together)."""
    named = data.get("capabilities")
    if isinstance(named, Mapping):
        named = [word for word, flag in named.items() if flag is True]
    words = {_SYNONYMS.get(word, word) for word in named if isinstance(word, str)} if isinstance(named, list | tuple) else set()
    known = frozenset(Capability(word) for word in words if word in Capability)
    if not known:
        return _typed(data)
    # Some providers list only capabilities beyond chat.
    return known | {Capability.COMPLETION} if known.isdisjoint(_ONLY) else known


def _typed(data: Mapping[str, Any]) -> frozenset[Capability] | None:
    """The capabilities that the type of a model tells; None for a type of models for chats, and without a type."""
    lists = (value for name in _TYPED_LISTS if isinstance(value := data.get(name), list))
    words = {word for words in lists for word in words[:_MOST_WORDS] if isinstance(word, str)}
    if (found := frozenset(_TYPES[word] for word in words & _AUDIO_WORDS)) and words.isdisjoint(_CHAT_WORDS):
        return found
    kinds = (value for name in _TYPED if isinstance(value := data.get(name), str))
    return next((frozenset({_TYPES[kind]}) for kind in kinds if kind in _TYPES), None)


def parse_models(body: object) -> tuple[ModelInfo, ...]:
    """Parse a models list in one of the known formats: `{"data": […]}`, `{"models": […]}`, either with objects by id, or a list.

    Duplicates and entries without an id are dropped; anything else is an empty list.
    """
    listed = body
    if isinstance(body, Mapping):
        listed = body.get("data") or body.get("models")
    if isinstance(listed, Mapping):
        listed = [{"id": model_id, **entry} for model_id, entry in listed.items() if isinstance(entry, Mapping)]
    if not isinstance(listed, list):
        return ()
    found = (ModelInfo.parse(item) for item in listed[:MAX_MODELS])
    return tuple({model.id: model for model in found if model is not None}.values())


def models_to_json(models: Iterable[ModelInfo], *, provider: str) -> dict[str, Any]:
    """OpenAI's list under `data`, and the same under `models`; chat models first, because some clients use the first model."""
    listed = [model.to_json(provider=provider) for model in sorted(models, key=lambda model: not model.for_chat)]
    return {"object": "list", "data": listed, "models": listed}


def by_preference(models: Iterable[ModelInfo]) -> list[ModelInfo]:
    """Sort the models: the owner's default first, then those with tools, then loaded ones, else in the provider's order."""
    return sorted(
        models, key=lambda model: (not model.preferred, not model.supports((Capability.TOOLS,)), model.warm is not True)
    )


def best_model(models: Iterable[ModelInfo]) -> ModelInfo | None:
    """The default model of a new agent: the first chat model by preference that is not an alias; None without chat models."""
    return next(iter(by_preference(model for model in models if model.for_chat and not model.virtual)), None)
