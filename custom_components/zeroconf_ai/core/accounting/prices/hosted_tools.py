"""What providers charge for one call of a tool that they run, besides tokens.

Providers change them; the owner's prices of a backend (`hostedToolPrices`) replace these.

Sources:
- OpenAI: developers.openai.com/api/docs/pricing ("Tools"): web search 10 USD per 1,000 calls, of the preview and of search
  models in chats 25 USD; file search 2.50 USD per 1,000 calls; code interpreter 0.03 USD for a container of 1 GB, 0.12 of 4
  GB, 0.48 of 16 GB, 1.92 of 64 GB. An image: the largest size and highest quality of gpt-image-1. Computer use and MCP cost
  tokens only.
- Anthropic: platform.claude.com/docs/en/about-claude/pricing ("Tool pricing"): web search 10 USD per 1,000 searches; code
  execution 0.05 USD per hour of a container, of which an answer is charged one because its time is not reported; web fetch
  and MCP cost tokens only.
- Google: ai.google.dev/gemini-api/docs/pricing ("Grounding with Google Search"): 14 USD per 1,000 queries from Gemini 3 on,
  35 USD per 1,000 prompts before; URL context, code execution and file search cost tokens only.
"""

from collections.abc import Mapping
import re

from ...protocol.hosted_tools import HostedDialect, HostedTools
from ...protocol.values import NANO, NOTHING

UNLIMITED_CALLS = 8
"""Calls for which cost is reserved if the request allows any number; the request is limited to them where its dialect can."""
_NANO_PER_CALL: Mapping[tuple[HostedDialect, str], int] = {
    (HostedDialect.RESPONSES, "web_search"): NANO // 100,
    (HostedDialect.RESPONSES, "web_search_preview"): NANO // 40,
    (HostedDialect.RESPONSES, "file_search"): NANO // 400,
    (HostedDialect.RESPONSES, "code_execution"): NANO * 3 // 100,
    (HostedDialect.RESPONSES, "code_execution_4g"): NANO * 12 // 100,
    (HostedDialect.RESPONSES, "code_execution_16g"): NANO * 48 // 100,
    (HostedDialect.RESPONSES, "code_execution_64g"): NANO * 192 // 100,
    (HostedDialect.RESPONSES, "image_generation"): NANO // 4,
    (HostedDialect.RESPONSES, "computer_use"): 0,
    (HostedDialect.RESPONSES, "mcp"): 0,
    (HostedDialect.CHAT, "web_search"): NANO // 40,
    (HostedDialect.MESSAGES, "web_search"): NANO // 100,
    (HostedDialect.MESSAGES, "web_fetch"): 0,
    (HostedDialect.MESSAGES, "code_execution"): NANO // 20,
    (HostedDialect.MESSAGES, "mcp"): 0,
    (HostedDialect.GEMINI, "web_search"): NANO * 14 // 1000,
    (HostedDialect.GEMINI, "web_fetch"): 0,
    (HostedDialect.GEMINI, "code_execution"): 0,
    (HostedDialect.GEMINI, "file_search"): 0,
}
"""Nano-dollars by dialect and name of the price (`HostedTools.tools`)."""
PRICED_TOOLS = tuple(dict.fromkeys(name for _, name in _NANO_PER_CALL))
"""The names of prices that an owner can set."""
_GEMINI_BY_PROMPT = re.compile(r"gemini-[12]\b")
_NANO_PER_PROMPT = NANO * 35 // 1000


def calls_reserved(hosted: HostedTools) -> int:
    """How many calls of hosted tools one request may make at most, as far as cost is reserved."""
    if hosted.dialect is HostedDialect.CHAT:
        return 1
    return UNLIMITED_CALLS if hosted.most_calls is None else min(hosted.most_calls, UNLIMITED_CALLS)


def has_own_prices(hosted: HostedTools, own: Mapping[str, int]) -> bool:
    """Whether the owner has set the prices of all hosted tools of a request."""
    return all(name in own for name in hosted.tools.values())


def most_cost(hosted: HostedTools, model: str, own: Mapping[str, int] = NOTHING) -> int | None:
    """The maximum cost of the calls of one request in nano-dollars; None if a tool's price is unknown.

    `own`: the owner's prices by name, in nano-units of the backend's currency.
    """
    prices = [_price(hosted.dialect, name, own) for name in hosted.tools.values()]
    if None in prices:
        return None
    known = [price for price in prices if price is not None]
    if _is_by_prompt(hosted, model) and "web_search" in hosted.tools and "web_search" not in own:
        return _NANO_PER_PROMPT
    calls = calls_reserved(hosted)
    if hosted.dialect is HostedDialect.MESSAGES:  # limits the calls of each tool, and has one container
        return sum(price if name == "code_execution" else calls * price for name, price in zip(hosted.tools, known, strict=True))
    return calls * max(known, default=0)


def cost_of_calls(hosted: HostedTools, model: str, calls: Mapping[str, int], own: Mapping[str, int] = NOTHING) -> int:
    """The cost in nano-dollars of `calls` by type of tool; 0 for those of unknown price. `own`: as for `most_cost`."""
    total = 0
    for kind, count in calls.items():
        if kind == "web_search" and _is_by_prompt(hosted, model) and kind not in own:
            total += _NANO_PER_PROMPT
        else:
            total += count * (_price(hosted.dialect, hosted.tools.get(kind, kind), own) or 0)
    return total


def _price(dialect: HostedDialect, name: str, own: Mapping[str, int]) -> int | None:
    return own[name] if name in own else _NANO_PER_CALL.get((dialect, name))


def _is_by_prompt(hosted: HostedTools, model: str) -> bool:
    return hosted.dialect is HostedDialect.GEMINI and _GEMINI_BY_PROMPT.search(model) is not None
