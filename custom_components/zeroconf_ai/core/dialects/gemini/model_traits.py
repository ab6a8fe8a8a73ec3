"""Parameters that a Gemini or Gemma model supports: from `GET /v1beta/models`, and by its name where the list has no field."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
import re
from typing import Any, Self

from ...protocol.models import ModelInfo
from ...protocol.record import Capability
from ...protocol.values import clean, mapping, parse_count

LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
"""Values of `thinkingConfig.thinkingLevel` in ascending order (google-genai 2.25, `ThinkingLevel`)."""

_VERSION = re.compile(r"(gemini|gemma)-(\d{1,2})(?:\.(\d{1,2}))?(?=-|$)")
_NEWEST = (99, 0)
"""The version of aliases such as `gemini-flash-latest`."""
_NO_CHAT = ("tts", "live", "native-audio", "transcribe")
"""Words in the names of models that answer with sound, or only to it."""
_WITH_IMAGES = ("image", "nano-banana")
"""Words in the names of models that answer with images."""
_NOT_THINKING = ("image", "embedding", *_NO_CHAT)
_FIRST_THINKING, _FIRST_WITH_LEVELS, _FIRST_WITHOUT_SAMPLING = (2, 5), (3, 0), (3, 6)
_SAMPLING_EXCEPTIONS = ("gemini-3.5-flash-lite", "gemini-3.5-transcribe")
"""Models without sampling parameters that are older than the first version without them."""
_EMBEDS = frozenset({"embedContent", "batchEmbedContents", "asyncBatchEmbedContent"})


@dataclass(frozen=True, slots=True)
class Traits:
    """The properties of a model on which requests depend."""

    context_window: int | None = None
    max_tokens: int | None = None
    methods: frozenset[str] = frozenset({"generateContent"})
    """The API's methods that the model supports."""
    thinks: bool = False
    """Whether it accepts `thinkingConfig`."""
    levels: tuple[str, ...] = ()
    """The thinking levels that it accepts; empty: a thinking budget."""
    least_budget: int = 0
    """The smallest thinking budget; 0: thinking can be disabled."""
    sampling: bool = True
    """Whether it accepts temperature, top_p and top_k; models from 3.6 on do not."""
    signed: bool = False
    """Whether tool calls that are sent back must have a thought signature."""
    json_with_tools: bool = False
    """Whether it accepts a JSON format together with tools; others are forced to call a tool."""
    system: bool = True
    """Whether it accepts a system instruction."""
    tools: bool = True
    json: bool = True
    images: bool = False
    """Whether it answers with images."""

    @classmethod
    def by_name(cls, model: str) -> Self:
        """The traits by name; models whose name is not known get the defaults."""
        name = model.rpartition("/")[2].lower()
        found = _VERSION.match(name)
        if found is not None and found[1] == "gemma":
            modern = int(found[2]) >= 4  # function calling, JSON and thinking begin there
            return cls(
                thinks=modern,
                levels=("MINIMAL", "HIGH") if modern else (),
                system=False,
                tools=modern,
                json=modern,
            )
        if found is not None:
            version = (int(found[2]), int(found[3] or 0))
        elif name.startswith("gemini-") and name.endswith("-latest"):
            version = _NEWEST
        else:
            return cls(images=name.startswith("gemini-") and any(word in name for word in _WITH_IMAGES))
        leveled = version >= _FIRST_WITH_LEVELS
        return cls(
            thinks=version >= _FIRST_THINKING and not any(word in name for word in _NOT_THINKING),
            levels=(LEVELS if _has_minimal(name, version) else LEVELS[1:]) if leveled else (),
            least_budget=128 if "pro" in name else 0,
            sampling=version < _FIRST_WITHOUT_SAMPLING and not name.startswith(_SAMPLING_EXCEPTIONS),
            signed=leveled,
            json_with_tools=leveled,
            images=any(word in name for word in _WITH_IMAGES),
        )

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> tuple[str, Self] | None:
        """(id, traits) of one entry of the models list; None for models that neither chat nor embed."""
        model = clean(data.get("name") or "").removeprefix("models/")
        listed = data.get("supportedGenerationMethods")
        methods = frozenset(method for method in listed if isinstance(method, str)) if isinstance(listed, list) else frozenset()
        chats = "generateContent" in methods and not any(word in model for word in _NO_CHAT)
        if not model or not (chats or methods & _EMBEDS):
            return None
        named = cls.by_name(model)
        thinks = data.get("thinking")
        traits = replace(
            named,
            context_window=parse_count(data.get("inputTokenLimit")) or None,
            max_tokens=parse_count(data.get("outputTokenLimit")) or None,
            methods=methods if chats else methods - {"generateContent"},
            thinks=thinks if isinstance(thinks, bool) else named.thinks,
        )
        return model, traits

    def info(self, model: str) -> ModelInfo:
        """The model as an entry of our models list."""
        can: set[Capability] = set()
        if "generateContent" in self.methods:
            can |= {Capability.COMPLETION, Capability.STREAMING, Capability.VISION}
            can |= ({Capability.TOOLS} if self.tools else set()) | ({Capability.JSON} if self.json else set())
            can |= {Capability.IMAGE_GENERATION} if self.images else set()
            can |= {Capability.AUDIO} if model.rpartition("/")[2].startswith("gemini") else set()
        if self.methods & _EMBEDS:
            can.add(Capability.EMBEDDINGS)
        return ModelInfo(model, self.context_window, self.max_tokens, frozenset(can), owned_by="google")


def entries(page: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The models of one page of the list."""
    listed = page.get("models")
    return [mapping(entry) for entry in listed] if isinstance(listed, list) else []


def _has_minimal(name: str, version: tuple[int, int]) -> bool:
    """Whether the lowest level is accepted: not by Pro models, and from 3.6 on only by 3.6 Flash."""
    if "pro" in name:
        return False
    return version < _FIRST_WITHOUT_SAMPLING or (version == _FIRST_WITHOUT_SAMPLING and "lite" not in name)
