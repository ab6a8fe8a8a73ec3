"""How hard a request looks: each sign alone, together, and the everyday requests of a home that must stay simple."""

from typing import Any

import pytest

from tests.support.fakes.upstream import chat
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.routing.selection.complexity import HARD, complexity

HOME = "You control a home. Compare states step by step. " + "light.kitchen: on; ```yaml``` analyse; " * 500


def said(*texts: str, **body: Any) -> Request:
    return chat(messages=[{"role": "system", "content": HOME}, *({"role": "user", "content": text} for text in texts)], **body)


@pytest.mark.parametrize(
    "text",
    [
        "turn the kitchen light on",
        "from now on set the heating to 20 degrees",
        "public holidays in may",
        "import the groceries list",
        "compare the temperature in the bedroom with the kitchen",
        "selecteer de volgende zender",
        "schalte das licht im wohnzimmer aus; danach den fernseher",
        "доведи температуру до 22 градусов",
        "打开客厅的灯",
        "the class of 1984",
    ],
)
def test_complexity_of_everyday_requests_is_simple(text: str) -> None:
    assert not complexity(said(text, tools=[{"type": "function"}] * 20)).hard
    assert "code" not in complexity(said(text)).signs


@pytest.mark.parametrize(
    "text",
    [
        "Analyse the trade-offs and prove the result",
        "Schritt für Schritt: vergleiche beide Tarife",
        "Démontrez-le étape par étape",
        "Analiza el contrato paso a paso",
        "Analizza e confronta le due offerte",
        "Vergelijk en analyseer de offertes",
        "Porównaj krok po kroku",
        "Докажи это шаг за шагом",
        "请逐步证明这个定理",
        "段階的に証明して",
        "단계별로 분석해 줘",
    ],
)
def test_complexity_detects_reasoning_in_several_languages(text: str) -> None:
    found = complexity(said(text))
    assert (found.signs, found.points, found.hard) == (("reasoning",), 3, True)


@pytest.mark.parametrize(
    "text",
    [
        "What is wrong?\n```python\nprint(1\n```",
        "def add(a, b):\n    return a - b",
        "    import os.path\n",
        "from pathlib import Path",
        "import React from 'react'",
        "#include <stdio.h>",
        "SELECT name FROM users",
        "Traceback (most recent call last):\n  File",
        "int main() {\n  return 0;\n",
        "const answer = 42",
    ],
)
def test_complexity_detects_code(text: str) -> None:
    assert (complexity(said(text)).signs, complexity(said(text)).points) == (("code",), 2)


@pytest.mark.parametrize(
    ("request_", "signs", "points"),
    [
        (said("x" * 1000), ("length",), 1),
        (said("x" * 4000), ("length",), 2),
        (said("x" * 100_000), ("length",), 3),
        (said(*["Hi"] * 6), ("depth",), 1),
        (said(*["Hi"] * 12), ("depth",), 2),
        (said("Hi", tools=[{"type": "function"}] * 25), ("tools",), 1),
        (said("Hi", max_tokens=4000), ("answer",), 1),
        (said("Hi", reasoning_effort="high"), ("effort",), 3),
        (said("Prove it", reasoning_effort="minimal"), ("reasoning", "effort"), 0),
        (chat(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]), ("images",), 1),
        (Request.parse(Kind.COMPLETION, {"prompt": "Prove it step by step"}), ("reasoning",), 3),
        (Request.parse(Kind.COMPLETION, {"prompt": [1, 2, 3]}), (), 0),
        (Request.parse(Kind.EMBEDDINGS, {"input": "Prove it step by step"}), (), 0),
    ],
)
def test_complexity_each_criterion_has_its_points(request_: Request, signs: tuple[str, ...], points: int) -> None:
    found = complexity(request_)
    assert (found.signs, found.points, found.hard) == (signs, points, points >= HARD)


def test_complexity_uses_only_the_last_message() -> None:
    earlier = [{"role": "user", "content": "Prove it step by step"}, {"role": "assistant", "content": "```python```"}]
    assert complexity(chat(messages=[*earlier, {"role": "user", "content": "thanks"}])).points == 0


def test_complexity_reads_both_ends_of_a_long_text() -> None:
    for text in ("Prove it step by step: " + "x " * 50_000, "x " * 50_000 + "Prove it step by step"):
        assert "reasoning" in complexity(said(text)).signs


def test_complexity_accepts_any_content() -> None:
    for content in (None, [], [{"type": "text"}], [{"type": "text", "text": 5}]):
        assert complexity(chat(messages=[{"role": "user", "content": content}])).points == 0
    assert complexity(chat(messages=[{"role": "assistant", "content": "Hi"}])).points == 0
