"""The chunks of a stream as OpenAI-compatible servers send them."""

from typing import Any


def delta(content: str | None = None, *, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    """One chunk; `fields` go into the delta."""
    body = fields if content is None else {"content": content, **fields}
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": body, "finish_reason": finish}]}
