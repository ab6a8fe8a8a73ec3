"""Answers of the fake Gemini, and what it was sent."""

from typing import Any

import pytest

from tests.support.clouds.gemini import FakeGemini
from tests.support.clouds.server import Call, Reply

CALLS = Reply("", "Let me look.", "sealed", (Call("read", {"room": "attic"}), Call("stop", {}, "toolu_02B")))
streamed_or_not = pytest.mark.parametrize("stream", [True, False])


def sent(fake: FakeGemini) -> Any:
    """The generation parameters of the newest request."""
    return fake.last.body.get("generationConfig", {})
