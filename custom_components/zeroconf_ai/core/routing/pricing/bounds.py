"""The cost to reserve for a request under a budget, and the request limited so that it cannot cost more than that.

A backend that costs money gets only the fields whose cost was computed, and a limit for its answer that fits the reservation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
import math
from typing import Any, NamedTuple

from ...dialects.gemini.options import google_options
from ...protocol.audio_requests import recording_tokens, speech_tokens
from ...protocol.demand import answer_count, answer_limit, predicted_tokens
from ...protocol.errors import BudgetShortError
from ...protocol.hosted_tools import HostedDialect
from ...protocol.image_requests import image_count, image_tokens
from ...protocol.models import ModelInfo
from ...protocol.prices import MILLION, UNIT_RATES, Prices
from ...protocol.request import Kind, Request
from ...protocol.values import mapping
from ..pool.member import Member
from .costs import UNSURE, audio_cost, image_cost, is_measured, price_of, worst_cost
from .hosted_calls import most_of_calls, tokens_of_calls, with_calls_limited

USUAL_ANSWER = 4096
"""Tokens of an answer whose length neither the request nor the model limits: every model in use can generate these."""
LEAST_ANSWER = 16
"""Tokens that must be left for an answer whose length the request does not limit."""
_LONGEST_UNSTREAMED = 20_000
"""Tokens of an answer without a limit and without streaming: more would exceed the timeouts of upstreams."""
_SLACK = 1.5
"""Factor on the limit of an answer for which cost is reserved if the balance allows it.

An upstream that ignores the limit is cut off by an estimate of its tokens; one that keeps it must not be cut off.
"""
_BYTES_PER_TOKEN = 4
"""UTF-8 bytes per token of an answer: the usual number in English, and in other languages with current vocabularies."""
_LONGEST_WORD = 16
"""UTF-8 bytes of a chunk that can be one token. Vocabularies have longer words, which are rare in any answer."""
_LONG_TOKENS = 1.25
"""Factor by which the mean token may be longer than usual without an answer in large chunks being cut off before its limit."""
_WINDOW_MARGIN = 1.25
"""Factor on the estimated tokens of a prompt."""
_IMAGE_TOKENS = (("4o-mini", 48_500), ("claude", 5_000), ("gpt-image", 8_000), ("gpt-", 5_000))
"""Maximum tokens of an image, by a part of the model id. gpt-4o-mini counts 33 times as many as others, at a lower price;
the GPT image models up to 6,240 more with `input_fidelity: high` (OpenAI, "Images and vision", "Calculating costs").
"""
_IMAGE_TOKENS_ELSEWHERE = 16_384
"""Maximum tokens of an image with Qwen's models; no other known model counts more."""
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
_OF_IMAGES = frozenset(
    {
        "model", "prompt", "n", "size", "quality", "background", "moderation", "output_format", "output_compression",
        "response_format", "style", "user",
    }
)  # fmt: skip
_FORWARDED: Mapping[Kind, frozenset[str]] = {
    Kind.CHAT: _ANY_KIND
    | {
        "messages", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "verbosity", "modalities",
        "metadata", "store", "cache_control", "chat_template_kwargs",
    },
    Kind.COMPLETION: _ANY_KIND | {"prompt", "suffix", "echo", "raw"},
    Kind.EMBEDDINGS: frozenset(
        {
            "model", "input", "encoding_format", "dimensions", "user", "options", "keep_alive", "truncate", "input_type",
            "task_type",
        }
    ),
    Kind.IMAGES: _OF_IMAGES,
    Kind.IMAGE_EDITS: _OF_IMAGES | {"input_fidelity"},
    Kind.TRANSCRIPTION: frozenset(
        {
            "model", "language", "languages", "prompt", "keywords", "response_format", "temperature", "timestamp_granularities",
            "stream", "include", "chunking_strategy", "known_speaker_names",
        }
    ),
    Kind.SPEECH: frozenset({"model", "input", "voice", "response_format", "speed", "instructions"}),
}  # fmt: skip
"""The fields that cost nothing beyond tokens, or are counted among them. All others are removed."""
_UNPRICED = ("web_search_options", "audio", "plugins", "models", "route", "provider", "preset", "mcp_servers", "container")
"""Fields that cost more than tokens, or select the upstream and its price. They cannot be removed without changing the answer."""
_TIERS = frozenset({"default", "flex"})
"""The service tiers that cost at most the list price."""


class CostBounds(NamedTuple):
    """The amounts to reserve for a request at one backend, in nano-units."""

    least: int
    """The minimum: with a smaller balance the request is not sent."""
    most: int
    """Reserved if the balance is large enough."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The size at which an answer is cut off."""

    tokens: int
    """Estimated tokens of all choices together."""
    prompt: int
    """Maximum tokens of the prompt: what is charged for it if the answer is cut off, before its backend has counted it."""


def tokens_in(text: str) -> int:
    """Estimated tokens of the text of a chunk: at least 1.

    Most servers send a chunk for each token, however long, and vocabularies have no token with a space between two words. So a
    short chunk without one is a token. Others have several, of the usual length.
    """
    size = len(text) if text.isascii() else len(text.encode(errors="replace"))
    if size <= _LONGEST_WORD and len(text.split(None, 1)) < 2:
        return 1
    return -(-size // _BYTES_PER_TOKEN)


def cost_bounds(member: Member, model: str, request: Request) -> CostBounds:
    """The amounts to reserve for a request at a backend; 0 if no price is known."""
    prices = price_of(member, model)
    if is_measured(member, model) or prices is None or not _costs_anything(prices):
        usual = worst_cost(member, model, 0, 0)
        return CostBounds(usual, usual)
    info = member.served.find(model)
    prompt = _prompt_tokens(member, request, model, info)
    if request.kind is Kind.EMBEDDINGS:
        cost = worst_cost(member, model, prompt, 0)
        return CostBounds(cost, cost)
    if request.kind.makes_images:  # a requested image always costs its full price
        cost = worst_cost(member, model, prompt, image_tokens(request.body))
        cost += image_cost(member, model, image_count(request.body))
        return CostBounds(cost, cost)
    if request.kind.is_audio:
        cost = worst_cost(member, model, prompt, _answer_audio(prices, request)) + audio_cost(prices, request)
        return CostBounds(cost, cost)
    count, predicted = answer_count(request.body), predicted_tokens(request.body)
    limit = answer_tokens(request, info)
    ample = math.ceil(limit * _SLACK)
    return CostBounds(
        worst_cost(member, model, prompt, _fewest(request, limit) * count + predicted),
        worst_cost(member, model, prompt, ample * count + predicted),
    )


def _answer_audio(prices: Prices, request: Request) -> int:
    """The maximum tokens of the answer to a request for audio, as far as they may cost money."""
    return 0 if prices.has_audio_unit and not prices.output else audio_tokens(request)


def audio_tokens(request: Request) -> int:
    """The maximum tokens of the answer to a request for a transcript or speech."""
    return speech_tokens(request.body) if request.recording is None else recording_tokens(request.recording)


def answer_tokens(request: Request, info: ModelInfo | None) -> int:
    """The maximum tokens of one answer: the request's limit, else the model's, else `USUAL_ANSWER`."""
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
    """The request's field whose cost is unknown in advance; None if all costs can be computed."""
    body = request.body
    priced = ("web_search_options",) if _has_hosted(request, HostedDialect.CHAT) else ()
    if (param := next((param for param in _UNPRICED if body.get(param) and param not in priced), None)) is not None:
        return param
    if (body.get("modalities") or ["text"]) != ["text"]:
        return "modalities"
    if request.kind is not Kind.CHAT:
        return None
    google = google_options(body)
    if (google.tools and not _has_hosted(request, HostedDialect.GEMINI)) or "cachedContent" in google.request:
        return "extra_body"
    for index, tool in enumerate(body.get("tools") or ()):
        if tool.get("type", "function") not in ("function", "custom"):
            return f"tools[{index}].type"
    if any(message.get("audio") for message in body["messages"]):
        return "messages"
    if request.prompt_demand.unbounded and not (info and info.context_window):
        return "messages"
    return None


def bounded(member: Member, model: str, request: Request, allowance: int) -> tuple[Request, Ceiling | None]:
    """The request, limited so that it cannot cost more than `allowance` nano-units, and the ceiling of its answer.

    Without a price the request is returned unchanged. Raises BudgetShortError if the prompt and the requested answer cost more.
    """
    prices = price_of(member, model)
    if (calls := most_of_calls(member, model, request) or 0) > allowance:
        raise _short(member)
    request, allowance = with_calls_limited(member, request), allowance - calls
    if prices is None or not _costs_anything(prices) or is_measured(member, model):
        return request, None
    info = member.served.find(model)
    prompt = _prompt_tokens(member, request, model, info)
    rates = prices.at(prompt * UNSURE)
    left = allowance - rates.dearest(prompt, 0)
    if left < 0:
        raise _short(member)
    if request.kind is Kind.EMBEDDINGS:
        return _only_known(request, {}), None
    if request.kind.makes_images:
        if left < rates.dearest(0, image_tokens(request.body)) + image_cost(member, model, image_count(request.body)):
            raise _short(member)
        return _only_known(request, {}), None
    if request.kind.is_audio:
        if left < rates.dearest(0, _answer_audio(prices, request)) + audio_cost(prices, request):
            raise _short(member)
        return _only_known(request, {}), None
    count, predicted = answer_count(request.body), predicted_tokens(request.body)
    limit = answer_tokens(request, info)
    per_token = rates.dearest(0, MILLION)
    most = limit * count
    if per_token:
        most = left * MILLION // per_token - predicted
        fits = most // count
        if fits < _fewest(request, limit):
            raise _short(member)
        if fits < limit:
            fits = max(int(fits / _LONG_TOKENS), LEAST_ANSWER)
        limit = min(fits, limit)
    bytes_each = _JSON_BYTES_PER_LOGPROBS if request.body.get("logprobs") else _JSON_BYTES_PER_TOKEN
    sent = _only_known(request, _limits(request.body, limit))
    return sent.with_meta(answer_bytes=_JSON_BYTES + most * bytes_each), Ceiling(most, prompt)


def _fewest(request: Request, limit: int) -> int:
    """The minimum tokens for which a request is sent: all of a limit that the request sets."""
    return limit if answer_limit(request.body) is not None else min(LEAST_ANSWER, limit)


def _limits(body: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """The fields that limit an answer, with the name that the client used."""
    name = "max_completion_tokens" if body.get("max_completion_tokens") is not None else "max_tokens"
    changes: dict[str, Any] = {"max_tokens": None, "max_completion_tokens": None, name: limit}
    thinking, reasoning = mapping(body.get("thinking")), mapping(body.get("reasoning"))
    if (thinking.get("budget_tokens") or 0) >= limit:  # upstreams reject a reasoning budget that exceeds the answer's limit
        changes["thinking"] = None
    if (reasoning.get("max_tokens") or 0) >= limit:
        changes["reasoning"] = {key: value for key, value in reasoning.items() if key != "max_tokens"} or None
    return changes


def _only_known(request: Request, changes: Mapping[str, Any]) -> Request:
    """The request with only the fields of `_FORWARDED`, and with `changes`."""
    known = _FORWARDED[request.kind]
    if _has_hosted(request, HostedDialect.CHAT):
        known |= {"web_search_options"}
    changed = dict(changes)
    if isinstance(options := request.body.get("options"), Mapping):
        changed["options"] = {key: value for key, value in options.items() if key != "num_predict"}
    if request.body.get("service_tier") not in _TIERS:
        changed["service_tier"] = None
    google = google_options(request.body)
    priced = google.unpriced()
    changed |= (replace(priced, tools=google.tools) if _has_hosted(request, HostedDialect.GEMINI) else priced).to_chat()
    body = {key: value for key, value in request.body.items() if key in known and key not in changed}
    return request.with_meta(body=body | {key: value for key, value in changed.items() if value is not None})


def _prompt_tokens(member: Member, request: Request, model: str, info: ModelInfo | None) -> int:
    demand = request.prompt_demand
    each = next((tokens for word, tokens in _IMAGE_TOKENS if word in model), _IMAGE_TOKENS_ELSEWHERE)
    tokens = demand.tokens + demand.images * each
    window = info.context_window if info is not None else None
    if demand.unbounded:
        return max(tokens, window or 0)
    more = tokens_of_calls(member, request)
    return tokens + (more if window is None else min(more, max(window - tokens, 0)))


def _costs_anything(prices: Prices) -> bool:
    return any(getattr(prices, unit) for unit in UNIT_RATES) or any(
        rates.dearest(MILLION, MILLION) for rates in (prices, *(tier.prices for tier in prices.tiers))
    )


def _has_hosted(request: Request, dialect: HostedDialect) -> bool:
    """Whether the request has granted hosted tools, whose calls are priced, within the chat itself."""
    return request.hosted is not None and request.hosted.dialect is dialect


def _short(member: Member) -> BudgetShortError:
    return BudgetShortError(f"{member.name} may cost more for this request than was reserved from the budget.")
