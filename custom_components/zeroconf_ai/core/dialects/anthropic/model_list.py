"""Models in the format of Anthropic's `GET /v1/models` (SDK 2.14, `model_info.py`, `model_list_params.py`, `pagination.py`)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ...protocol.models import ModelInfo
from ...protocol.record import Capability
from ..turns import invalid
from .model_traits import EFFORTS

MAX_PAGE = 1000
"""The maximum of `limit`, and its default here: Home Assistant's `anthropic` integration reads the first page only."""


def models_page(models: Sequence[Mapping[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
    """The page of `models` (our model objects) that `limit`, `after_id` and `before_id` request; chat models only.

    Raises InvalidRequestError, which names the invalid parameter.
    """
    chat = [model for model in models if (known := ModelInfo.parse(model)) is not None and known.for_chat]
    ids = [model["id"] for model in chat]
    limit = _limit(query.get("limit"))
    if (before := query.get("before_id")) is not None:
        end = _place(ids, before, "before_id")
        start = max(0, end - limit)
        more = start > 0
    else:
        start = _place(ids, after, "after_id") + 1 if (after := query.get("after_id")) is not None else 0
        end = min(len(ids), start + limit)
        more = end < len(ids)
    page = [model_object(model) for model in chat[start:end]]
    first, last = (page[0]["id"], page[-1]["id"]) if page else (None, None)
    return {"data": page, "has_more": more, "first_id": first, "last_id": last}


def model_object(model: Mapping[str, Any]) -> dict[str, Any]:
    """One of our model objects in Anthropic's format."""
    created = model.get("created")
    return {
        "type": "model",
        "id": model["id"],
        "display_name": model["id"],
        "created_at": datetime.fromtimestamp(created if isinstance(created, int) else 0, UTC).isoformat().replace("+00:00", "Z"),
        "lifecycle": "active",
        "line": None,
        "deprecated_at": None,
        "retires_at": None,
        "max_input_tokens": model.get("context_window"),
        "max_tokens": model.get("max_output_tokens"),
        "capabilities": _capabilities(model),
    }


def _capabilities(model: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a model supports; None if it is unknown, also for Claude models, whose clients know more about them than we do.

    Thinking counts as not supported: clients that see it as supported request it by default, which makes local models slow.
    """
    known = model.get("capabilities")
    if known is None or "claude" in model["id"]:
        return None
    no, sees = {"supported": False}, {"supported": Capability.VISION in known}
    return {
        "batch": no,
        "citations": no,
        "code_execution": no,
        "context_management": {
            **no,
            "clear_thinking_20251015": no,
            "clear_tool_uses_20250919": no,
            "compact_20260112": no,
        },
        "effort": {**no, **dict.fromkeys(EFFORTS, no)},
        "image_input": sees,
        "pdf_input": no,
        "server_tools": {**no, "code_execution": no, "web_search": no},
        "structured_outputs": {"supported": Capability.JSON in known},
        "thinking": {**no, "types": {"adaptive": no, "between_tools": no, "disabled": {"supported": True}, "enabled": no}},
    }


def _limit(given: str | None) -> int:
    if given is None:
        return MAX_PAGE
    if not (given.isascii() and given.isdecimal() and 1 <= int(given[:9]) <= MAX_PAGE):
        raise invalid("limit", f"a whole number from 1 to {MAX_PAGE}")
    return int(given)


def _place(ids: Sequence[str], wanted: str, param: str) -> int:
    if wanted not in ids:
        raise invalid(param, "the id of a listed model")
    return ids.index(wanted)
