"""What a Claude model takes: from `GET /v1/models` where it is known, else from its name."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
import re
from typing import Any, Self

from ...protocol.models import ModelInfo
from ...protocol.record import Capability
from ...protocol.values import clean, mapping, parse_count

DEFAULT_MAX_TOKENS = 4096
"""Every Claude model can say so much."""

EFFORTS = ("low", "medium", "high", "xhigh", "max")
"""Levels of `output_config.effort`, in their order (SDK 2.11, `output_config_param.py`)."""

_NAME = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")
_LAST_WITH_SAMPLING = (4, 6)
_FIRST_STRUCTURED = (4, 5)


@dataclass(frozen=True, slots=True)
class Traits:
    """What one model takes, as far as requests differ by it."""

    max_tokens: int | None = None
    context_window: int | None = None
    sampling: bool = True
    """Whether it takes temperature, top_p and top_k; models after 4.6 do not."""
    structured: bool = False
    """`output_config.format`; the others are made to call a tool."""
    adaptive: bool = False
    manual: bool = False
    """Thinking with a budget (`enabled`), which models after 4.6 refuse."""
    may_disable: bool = False
    efforts: tuple[str, ...] = ()
    vision: bool = True

    @classmethod
    def by_name(cls, model: str) -> Self:
        """What the name tells: a Claude without a version is taken for the newest, another vendor's model for a plain one."""
        if "claude" not in model:
            return cls()
        found = _NAME.search(model)
        version = (int(found[1]), int(found[2] or 0)) if found else (99, 0)
        return cls(sampling=version <= _LAST_WITH_SAMPLING, structured=version >= _FIRST_STRUCTURED)

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """One entry of the models list. API versions and proxies that leave `capabilities` out tell by the name."""
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
            # The models that dropped the manual budget are those that dropped sampling.
            sampling=known.sampling and not (adaptive and not manual),
            structured=_supported(capabilities, "structured_outputs"),
            adaptive=adaptive,
            manual=manual,
            may_disable=_supported(thinking, "disabled"),
            efforts=tuple(level for level in EFFORTS if _supported(effort, level)),
            vision=_supported(capabilities, "image_input"),
        )

    def info(self, model: str) -> ModelInfo:
        """The model as the list says it to everybody."""
        can = {Capability.COMPLETION, Capability.STREAMING, Capability.TOOLS, Capability.JSON}
        if self.vision:
            can.add(Capability.VISION)
        return ModelInfo(model, self.context_window, self.max_tokens, frozenset(can), owned_by="anthropic")


def _supported(capabilities: Mapping[str, Any], name: str) -> bool:
    return mapping(capabilities.get(name)).get("supported") is True
