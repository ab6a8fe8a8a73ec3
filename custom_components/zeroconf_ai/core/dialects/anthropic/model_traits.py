"""Parameters that a Claude model supports: from `GET /v1/models` if available, else by its name."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
import re
from typing import Any, Self

from ...protocol.models import ModelInfo
from ...protocol.record import Capability
from ...protocol.values import clean, mapping, parse_count

DEFAULT_MAX_TOKENS = 4096
"""A limit that all Claude models support."""

EFFORTS = ("low", "medium", "high", "xhigh", "max")
"""Levels of `output_config.effort` in ascending order (SDK 2.11, `output_config_param.py`)."""

_NAME = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")
_LAST_WITH_SAMPLING = (4, 6)
_FIRST_STRUCTURED = (4, 5)


@dataclass(frozen=True, slots=True)
class Traits:
    """The properties of a model on which requests depend."""

    max_tokens: int | None = None
    context_window: int | None = None
    sampling: bool = True
    """Whether it accepts temperature, top_p and top_k; models after 4.6 do not."""
    structured: bool = False
    """Whether it supports `output_config.format`; others are forced to call a tool."""
    adaptive: bool = False
    """Whether it supports adaptive thinking."""
    manual: bool = False
    """Whether it supports thinking with a budget (`enabled`); models after 4.6 do not."""
    may_disable: bool = False
    """Whether thinking may be disabled explicitly."""
    efforts: tuple[str, ...] = ()
    vision: bool = True
    signs: bool = True
    """Whether it signs its thinking, and refuses thinking without a signature; other vendors' models do not."""

    @classmethod
    def by_name(cls, model: str) -> Self:
        """The traits by name: a Claude without a version counts as the newest; other vendors' models get the defaults."""
        if "claude" not in model:
            return cls(signs=False)
        found = _NAME.search(model)
        version = (int(found[1]), int(found[2] or 0)) if found else (99, 0)
        return cls(sampling=version <= _LAST_WITH_SAMPLING, structured=version >= _FIRST_STRUCTURED)

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Parse one entry of the models list. Without `capabilities` (older API versions, proxies) the name decides."""
        known = replace(
            cls.by_name(clean(data.get("id") or "")),
            max_tokens=parse_count(data.get("max_tokens")) or None,
            context_window=parse_count(data.get("max_input_tokens")) or None,
        )
        capabilities = data.get("capabilities")
        if not isinstance(capabilities, Mapping):
            return known
        thinking = mapping(mapping(capabilities.get("thinking")).get("types"))
        effort = mapping(capabilities.get("effort"))
        adaptive, manual = _supported(thinking, "adaptive"), _supported(thinking, "enabled")
        return replace(
            known,
            # The models without thinking budgets are those without sampling parameters.
            sampling=known.sampling and not (adaptive and not manual),
            structured=_supported(capabilities, "structured_outputs"),
            adaptive=adaptive,
            manual=manual,
            may_disable=_supported(thinking, "disabled"),
            efforts=tuple(level for level in EFFORTS if _supported(effort, level)),
            vision=_supported(capabilities, "image_input"),
        )

    def info(self, model: str) -> ModelInfo:
        """The model as an entry of our models list."""
        can = {Capability.COMPLETION, Capability.STREAMING, Capability.TOOLS, Capability.JSON}
        if self.vision:
            can.add(Capability.VISION)
        return ModelInfo(model, self.context_window, self.max_tokens, frozenset(can), owned_by="anthropic")


def _supported(capabilities: Mapping[str, Any], name: str) -> bool:
    return mapping(capabilities.get(name)).get("supported") is True
