"""Where money is limited: what a request is to have set aside, and the form in which it cannot cost more than that.

A backend that costs money gets only fields that were reckoned with, and a limit for its answer that fits what was set aside.
"""

from collections.abc import Mapping
from dataclasses import dataclass
import math
from typing import Any, NamedTuple

from ...protocol.demand import PromptDemand, answer_count, answer_limit, predicted_tokens
from ...protocol.errors import BudgetShortError
from ...protocol.models import ModelInfo
from ...protocol.prices import MILLION, Prices
from ...protocol.request import Kind, Request
from ...protocol.values import mapping
from ..pool.member import Member
from .costs import UNSURE, is_measured, price_of, worst_cost

USUAL_ANSWER = 4096
"""Tokens of an answer whose length neither the request nor the model limits: what every model in use can say."""
LEAST_ANSWER = 16
"""Tokens that must be left for an answer whose length the request does not limit."""
_LONGEST_UNSTREAMED = 20_000
"""Tokens of an answer without a limit of its own that comes whole: more would take longer than upstreams wait."""
_SLACK = 1.5
"""By how much more than its limit is set aside for an answer where that fits.

An upstream that does not keep the limit is cut off by an estimate of its tokens; one that does must not be.
"""
_BYTES_PER_TOKEN = 4
"""Of an answer's UTF-8: the usual number in English, and in others with the vocabularies that are made for them."""
_LONG_TOKENS = 1.25
"""By how much longer than usual the tokens of an answer may be on the average that is not to be cut off before its limit."""
_WINDOW_MARGIN = 1.25
"""The size of a prompt in tokens is an estimate."""
_IMAGE_TOKENS = (("4o-mini", 48_500), ("claude", 5_000), ("gpt-", 5_000))
"""The most tokens of an image, by what is in a model's id. gpt-4o-mini counts 33 times as many as others, at a lower price."""
_IMAGE_TOKENS_ELSEWHERE = 16_384
"""The most that Qwen's models make of an image; no other is known that makes more."""
_JSON_BYTES = 64 * 1024
_JSON_BYTES_PER_TOKEN = 64
_JSON_BYTES_PER_LOGPROBS = 8192

_ANY_KIND = frozenset(
    {
        "model", "stream", "stream_options", "temperature", "top_p", "top_k", "top_a", "min_p", "typical_p", "seed", "stop",
        "presence_penalty", "frequency_penalty", "repetition_penalty", "repeat_penalty", "logit_bias", "logprobs", "top_logprobs",
        "max_tokens", "max_completion_tokens", "n", "best_of", "user", "safety_identifier", "prompt_cache_key",
        "prompt_cache_retention", "keep_alive", "num_ctx", "options", "reasoning_effort", "reasoning", "include_reasoning",
        "thinking", "think", "response_format", "prediction", "service_tier",
    }
)  # fmt: skip
_FORWARDED: Mapping[Kind, frozenset[str]] = {
    Kind.CHAT: _ANY_KIND
    | {
        "messages", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "verbosity", "modalities",
        "metadata", "store", "cache_control", "chat_template_kwargs",
    },
    Kind.COMPLETION: _ANY_KIND | {"prompt", "suffix", "echo"},
    Kind.EMBEDDINGS: frozenset(
        {"model", "input", "encoding_format", "dimensions", "user", "options", "keep_alive", "truncate", "input_type"}
    ),
}  # fmt: skip
"""What was reckoned with: it costs nothing beyond tokens, or is counted among them. All else is left out."""
_UNPRICED = ("web_search_options", "audio", "plugins", "models", "route", "provider", "preset", "mcp_servers", "container")
"""Fields that cost more than tokens, or choose who is paid what; without them the answer would not be what was asked for."""
_TIERS = frozenset({"default", "flex"})
"""The service tiers that cost no more than the list says."""


class CostBounds(NamedTuple):
    """What is to be set aside for a request at one backend, in nano-units."""

    least: int
    """Without so much it is not sent."""
    most: int
    """What is set aside where there is so much."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Where an answer is cut off."""

    tokens: int
    """Of all choices together, as far as they can be estimated."""

    @staticmethod
    def tokens_in(chunks: int, size: int) -> int:
        """What `size` bytes of an answer in so many chunks are: a chunk has a token at least."""
        return max(chunks, -(-size // _BYTES_PER_TOKEN))


def cost_bounds(member: Member, model: str, request: Request) -> CostBounds:
    """What a request is to have set aside at a backend; nothing where nobody knows a price."""
    prices = price_of(member, model)
    if is_measured(member, model) or prices is None or not _costs_anything(prices):
        usual = worst_cost(member, model, 0, 0)
        return CostBounds(usual, usual)
    info = member.served.find(model)
    prompt = _prompt_tokens(request.prompt_demand, model, info)
    if request.kind is Kind.EMBEDDINGS:
        cost = worst_cost(member, model, prompt, 0)
        return CostBounds(cost, cost)
    count, predicted = answer_count(request.body), predicted_tokens(request.body)
    limit = answer_tokens(request, info)
    ample = math.ceil(limit * _SLACK)
    return CostBounds(
        worst_cost(member, model, prompt, _fewest(request, limit) * count + predicted),
        worst_cost(member, model, prompt, ample * count + predicted),
    )


def answer_tokens(request: Request, info: ModelInfo | None) -> int:
    """The most tokens of one answer: the request's own limit, else the model's, else what is usual."""
    longest = None if info is None else info.max_output_tokens
    own = answer_limit(request.body)
    if own is not None:
        return min(own, longest or own)
    limit = longest or USUAL_ANSWER
    if not request.stream:
        limit = min(limit, _LONGEST_UNSTREAMED)
    if info is not None and info.context_window:
        room = info.context_window - int(request.estimated_prompt_tokens * _WINDOW_MARGIN) - LEAST_ANSWER
        limit = min(limit, max(room, LEAST_ANSWER))
    return limit


def unpriced_field(request: Request, info: ModelInfo | None) -> str | None:
    """The field whose cost is not known before, if a request has one."""
    body = request.body
    if (param := next((param for param in _UNPRICED if body.get(param)), None)) is not None:
        return param
    if (body.get("modalities") or ["text"]) != ["text"]:
        return "modalities"
    if request.kind is not Kind.CHAT:
        return None
    for index, tool in enumerate(body.get("tools") or ()):
        if tool.get("type", "function") not in ("function", "custom"):
            return f"tools[{index}].type"
    if any(message.get("audio") for message in body["messages"]):
        return "messages"
    if request.prompt_demand.unbounded and not (info and info.context_window):
        return "messages"
    return None


def bounded(member: Member, model: str, request: Request, allowance: int) -> tuple[Request, Ceiling | None]:
    """The request as it cannot cost more than `allowance` nano-units, and where its answer is cut off.

    What has no price is left as it is. Raises BudgetShortError where the prompt and the answer that is asked for cost more.
    """
    prices = price_of(member, model)
    if prices is None or not _costs_anything(prices) or is_measured(member, model):
        return request, None
    info = member.served.find(model)
    prompt = _prompt_tokens(request.prompt_demand, model, info)
    rates = prices.at(prompt * UNSURE)
    left = allowance - rates.dearest(prompt, 0)
    if left < 0:
        raise _short(member)
    if request.kind is Kind.EMBEDDINGS:
        return _only_known(request, {}), None
    count, predicted = answer_count(request.body), predicted_tokens(request.body)
    limit = answer_tokens(request, info)
    per_token = rates.dearest(0, MILLION)
    most = limit * count
    if per_token:
        fits = (left * MILLION // per_token - predicted) // count
        if fits < _fewest(request, limit):
            raise _short(member)
        if fits < limit:
            fits = max(int(fits / _LONG_TOKENS), LEAST_ANSWER)
        fits = min(fits, limit)
        # The prompt was taken for the longest that it can be; what it most likely is leaves more for an answer before it is cut.
        likely = min(prompt, request.estimated_prompt_tokens * UNSURE + LEAST_ANSWER)
        most = max(fits * count, (allowance - rates.dearest(likely, 0)) * MILLION // per_token - predicted)
        limit = fits
    bytes_each = _JSON_BYTES_PER_LOGPROBS if request.body.get("logprobs") else _JSON_BYTES_PER_TOKEN
    sent = _only_known(request, _limits(request.body, limit))
    return sent.with_meta(answer_bytes=_JSON_BYTES + most * bytes_each), Ceiling(most)


def _fewest(request: Request, limit: int) -> int:
    """The tokens without which an answer is not asked for: all of a limit that the request names."""
    return limit if answer_limit(request.body) is not None else min(LEAST_ANSWER, limit)


def _limits(body: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """What limits an answer, by the name that the client used."""
    name = "max_completion_tokens" if body.get("max_completion_tokens") is not None else "max_tokens"
    changes: dict[str, Any] = {"max_tokens": None, "max_completion_tokens": None, name: limit}
    thinking, reasoning = mapping(body.get("thinking")), mapping(body.get("reasoning"))
    if (thinking.get("budget_tokens") or 0) >= limit:  # upstreams refuse thoughts that are longer than the answer may be
        changes["thinking"] = None
    if (reasoning.get("max_tokens") or 0) >= limit:
        changes["reasoning"] = {key: value for key, value in reasoning.items() if key != "max_tokens"} or None
    return changes


def _only_known(request: Request, changes: Mapping[str, Any]) -> Request:
    """The request with the fields that were reckoned with, some of them changed."""
    known = _FORWARDED[request.kind]
    changed = dict(changes)
    if isinstance(options := request.body.get("options"), Mapping):
        changed["options"] = {key: value for key, value in options.items() if key != "num_predict"}
    if request.body.get("service_tier") not in _TIERS:
        changed["service_tier"] = None
    body = {key: value for key, value in request.body.items() if key in known and key not in changed}
    return request.with_meta(body=body | {key: value for key, value in changed.items() if value is not None})


def _prompt_tokens(demand: PromptDemand, model: str, info: ModelInfo | None) -> int:
    each = next((tokens for word, tokens in _IMAGE_TOKENS if word in model), _IMAGE_TOKENS_ELSEWHERE)
    tokens = demand.tokens + demand.images * each
    window = info.context_window if info is not None else None
    return max(tokens, window or 0) if demand.unbounded else tokens


def _costs_anything(prices: Prices) -> bool:
    return any(rates.dearest(MILLION, MILLION) for rates in (prices, *(tier.prices for tier in prices.tiers)))


def _short(member: Member) -> BudgetShortError:
    return BudgetShortError(f"{member.name} may cost more for this than was set aside from the budget.")
