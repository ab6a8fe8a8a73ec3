"""Estimates the complexity of a request without a model; docs/routing.md lists the signs and their points.

Only the last user message is searched for words and code. A system prompt for device control is long and full of lists, which
says nothing about the complexity of the question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import re
from typing import Any

from ...protocol.request import CHARACTERS_PER_TOKEN, Request, english_length

HARD = 3
"""Points from which a request goes to a strong model."""
LONG_QUESTION = ((1000, 2), (250, 1))
"""(tokens, points) of the last user message."""
LONG_PROMPT = 16_000
"""Tokens of the complete prompt."""
LONG_ANSWER = 4000
"""The request's limit of answer tokens."""
MANY_TOOLS = 24
"""Number of tools above which there is a point: more than the usual set of a home."""
DEEP_TALK = ((12, 2), (6, 1))
"""(user messages, points)."""
_READ = 2000
"""Characters searched at the beginning and at the end of the last user message."""

_CODE = re.compile(
    r"```|^[ \t]*(?:(?:async )?def \w+\(|class \w+[ (:{]|import [\w.{*]+[ ;]*$|from [\w.]+ import |import .{1,200} from ['\"]"
    r"|#include [<\"]|(?:pub )?fn \w+|func \w*\(|(?:public|private|protected) (?:static|class|void|final|async) "
    r"|(?:const|let|var) \w+ ?=|SELECT .{1,200} FROM |CREATE TABLE )"
    r"|Traceback \(most recent call last\)|\b(?:[Ss]tack ?trace|[Rr]egex|SyntaxError|NullPointerException)\b"
    r"|[;{}][ \t]*\n.*[;{}][ \t]*$",
    re.MULTILINE,
)
"""Fences, lines that begin as code does, traces, and two lines that end as code does."""
_REASONING = re.compile(
    # English
    r"\b(?:step[ -]by[ -]step|prove|derive|analy[sz]e|trade-?offs?|pros and cons|reason(?:ing)? (?:about|through)|in detail"
    r"|refactor|debug|compare|evaluate|explain (?:why|how)|design an?"
    # German
    r"|schritt für schritt|beweise|begründe|analysiere|vergleiche|bewerte|ausführlich|vor- und nachteile"
    r"|erkläre?,? (?:warum|wieso)"
    # French
    r"|étape par étape|démontre[rz]?|analyse[rz]|compare[rz]|en détail|explique[rz]? pourquoi"
    # Spanish, Portuguese, Italian
    r"|paso a paso|demuestra|analiza|razona|explica por qué|passo a passo|demonstre|analise|explique por que"
    r"|passo dopo passo|dimostra|analizza|confronta|spiega perché"
    # Dutch, Polish, Swedish
    r"|stap voor stap|bewijs|analyseer|vergelijk|krok po kroku|udowodnij|przeanalizuj|porównaj|steg för steg|bevisa|analysera"
    # Russian, Ukrainian
    r"|шаг за шагом|докажи|проанализируй|сравни|крок за кроком|доведи, що|проаналізуй)\b"
)
_REASONING_CJK = re.compile(  # Chinese, Japanese, Korean: words without spaces between them
    r"逐步|一步一步|分析一下|证明|比较一下|段階的に|分析して|比較して|証明して|단계별|분석해|비교해|증명해"
)
_EFFORT: Mapping[str, int] = {"none": -2, "minimal": -2, "low": -1, "high": 3, "xhigh": 3}


@dataclass(frozen=True, slots=True)
class Complexity:
    """Points, and the signs that they came from."""

    points: int
    signs: tuple[str, ...]

    @property
    def hard(self) -> bool:
        """Whether a strong model is the better choice."""
        return self.points >= HARD


def complexity(request: Request) -> Complexity:
    """The estimated difficulty of a request. Embeddings and images are never hard."""
    if not request.kind.writes:
        return Complexity(0, ())
    body = request.body
    user_texts: list[str] = [
        _text(message.get("content")) for message in body.get("messages", ()) if message.get("role") == "user"
    ]
    last = user_texts[-1] if user_texts else _text(body.get("prompt"))
    read = last if len(last) <= 2 * _READ else f"{last[:_READ]}\n{last[-_READ:]}"
    lower = read.lower()
    words = len({*_REASONING.findall(lower), *(() if lower.isascii() else _REASONING_CJK.findall(lower))})
    tokens = english_length(last) // CHARACTERS_PER_TOKEN
    found = {
        "length": _points(tokens, LONG_QUESTION) + (request.estimated_prompt_tokens > LONG_PROMPT),
        "code": 2 if _CODE.search(read) else 0,
        "reasoning": min(words, 2) + bool(words),
        "tools": int(len(body.get("tools") or ()) > MANY_TOOLS),
        "images": int(_has_media(body.get("messages", ()))),
        "depth": _points(len(user_texts), DEEP_TALK),
        "answer": int((body.get("max_completion_tokens") or body.get("max_tokens") or 0) >= LONG_ANSWER),
        "effort": _EFFORT.get(str(body.get("reasoning_effort")), 0),
    }
    return Complexity(sum(found.values()), tuple(sign for sign, points in found.items() if points))


def _points(count: int, steps: Sequence[tuple[int, int]]) -> int:
    return next((points for least, points in steps if count >= least), 0)


def _text(content: object) -> str:
    """The text of a message's content, or of a prompt, which may be a list of texts or tokens."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = (part.get("text") if isinstance(part, Mapping) else part for part in content)
    return "\n".join(part for part in parts if isinstance(part, str))


def _has_media(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the last user message contains an image, a file or audio."""
    last: Mapping[str, Any] = next((message for message in reversed(messages) if message.get("role") == "user"), {})
    content = last.get("content")
    return isinstance(content, list) and any(part.get("type") != "text" for part in content)
