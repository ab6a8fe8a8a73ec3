"""What only Anthropic's API knows of a request, kept in the internal format under one name, for Claude models.

Other servers do not get it (`openai/cache_control.py`). Under `anthropic` have
- the request: `betas`, and PARAMETERS;
- a tool: `tool`, a tool that Anthropic has defined, or `fields` of the tool;
- a tool's result: `is_error`;
- a part: `block`, which replaces the part (None: another part's block contains it), `fields` of its block, or `tool_use_id` of
  the tool's result that contains it: OpenAI's format has only text there.
"""

from collections.abc import Iterable, Mapping
import re
from typing import Any

from ..protocol.values import mapping

NAME = "anthropic"
PARAMETERS = ("metadata", "context_management", "service_tier")
"""Not `speed` and `inference_geo`, which multiply the price that budgets count with."""
TOOL_FIELDS = ("defer_loading", "input_examples", "allowed_callers", "eager_input_streaming")
DOCUMENT_FIELDS = ("citations", "context")
TOOL_FAILED = "The tool failed."
"""The beginning of a failed tool's result in the internal format, which has no field for it."""
_BETA = re.compile(r"[\w.-]{1,64}", re.ASCII)
_MAX_BETAS = 32


def extras_of(holder: Mapping[str, Any]) -> Mapping[str, Any]:
    """The extras of a request, message, tool or part; empty for none."""
    return mapping(holder.get(NAME))


def extra(**fields: Any) -> dict[str, Any]:
    """The extras to add to a request, message, tool or part; empty without values."""
    found = {name: value for name, value in fields.items() if value}
    return {NAME: found} if found else {}


def selected(holder: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The fields with these names that have a value."""
    return {name: holder[name] for name in names if holder.get(name) is not None}


def known_betas(values: Iterable[object]) -> list[str]:
    """The valid names of betas in the values of `anthropic-beta`, each of which may list several."""
    named = (name.strip() for value in values if isinstance(value, str) for name in value.split(","))
    return list(dict.fromkeys(name for name in named if _BETA.fullmatch(name)))[:_MAX_BETAS]
