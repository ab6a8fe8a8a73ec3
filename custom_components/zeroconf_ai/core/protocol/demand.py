"""The maximum that an upstream may bill for a request: tokens of the prompt, number of answers and their length.

Upper bounds, not estimates: each token of the vocabularies in use represents at least one byte of UTF-8, so a text has at most as
many tokens as bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from .values import mapping

LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict")
"""The parameters that limit the length of an answer, in all dialects."""
_PER_MESSAGE = 8
"""Tokens that a chat template adds to a message."""
_PER_PROMPT = 32
_PER_TOOLS = 1024
"""Tokens of the system prompt that an upstream adds if there are tools."""
_PLAIN = frozenset({"role", "content"})
_TEXT_PARTS = {"text": "text", "refusal": "refusal"}


@dataclass(frozen=True, slots=True)
class PromptDemand:
    """The maximum number of tokens of a prompt."""

    tokens: int
    """The tokens without images."""
    images: int = 0
    unbounded: bool = False
    """Whether it contains media of unknown size (files, videos), so that it may fill the model's context."""


def text_demand(value: object) -> PromptDemand:
    """The demand of the prompts of a text completion or the input of embeddings: one or more texts or lists of tokens."""
    return PromptDemand(_PER_PROMPT + _tokens_of(value))


def chat_demand(body: Mapping[str, Any]) -> PromptDemand:
    """The demand of the messages, tools and response format of a chat completion."""
    tokens, images, unbounded = _PER_PROMPT, 0, False
    for message in body["messages"]:
        content = message.get("content")
        tokens += _PER_MESSAGE
        if message.keys() - _PLAIN:
            tokens += len(orjson.dumps({key: value for key, value in message.items() if key not in _PLAIN}))
        if isinstance(content, str):
            tokens += _bytes(content)
            continue
        for part in content or ():
            kind = part.get("type")
            if kind == "image_url":
                images += 1
            elif kind in _TEXT_PARTS or kind == "input_audio":
                # A second of audio is about 10 tokens and at least 1,000 bytes, so counting its base64 as text is more.
                tokens += len(orjson.dumps(part))
            else:
                unbounded = True
    # A required tool may be in the prompt twice: as a tool and as an instruction.
    times = 1 if body.get("tool_choice") in (None, "auto", "none") else 2
    for name in ("tools", "functions"):
        if body.get(name):
            tokens += _PER_TOOLS + times * len(orjson.dumps(body[name]))
    if body.get("response_format"):
        tokens += len(orjson.dumps(body["response_format"]))
    return PromptDemand(tokens, images, unbounded)


def answer_limit(body: Mapping[str, Any]) -> int | None:
    """The maximum tokens of each answer, reasoning included: the largest of the given limits; None without a limit."""
    named = max(_count(body.get(name)) for name in LIMITS)
    if options := body.get("options"):
        named = max(named, _count(mapping(options).get("num_predict")))
    if not named:
        return None
    reasoning = mapping(body.get("thinking")).get("budget_tokens"), mapping(body.get("reasoning")).get("max_tokens")
    return max(named, *map(_count, reasoning))


def answer_count(body: Mapping[str, Any]) -> int:
    """The number of answers: the larger of `n` and `best_of`, for each prompt."""
    return max(1, _count(body.get("n")), _count(body.get("best_of"))) * prompt_count(body.get("prompt"))


def prompt_count(prompt: object) -> int:
    """The number of prompts of a text completion; 1 for other requests."""
    if not isinstance(prompt, list) or all(isinstance(item, int) for item in prompt):
        return 1
    return len(prompt)


def predicted_tokens(body: Mapping[str, Any]) -> int:
    """The maximum tokens of a `prediction`: rejected ones are billed as completion tokens in addition to the answer's limit."""
    return len(orjson.dumps(body["prediction"])) if body.get("prediction") else 0


def _tokens_of(value: object) -> int:
    if isinstance(value, str):
        return _bytes(value)
    if isinstance(value, int):
        return 1
    if isinstance(value, list):
        if all(isinstance(item, int) for item in value):
            return len(value)
        return sum(_PER_MESSAGE + _tokens_of(item) for item in value)
    return len(orjson.dumps(value))


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="replace"))


def _count(value: object) -> int:
    """A whole number above 0, else 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
