"""Each of the engine's errors has words for a person, and the words say only what is filled in."""

import json
from pathlib import Path
from string import Formatter

import pytest

from custom_components.zeroconf_ai import errors
from custom_components.zeroconf_ai.core.protocol.errors import ApiError, InvalidRequestError, RateLimitError
from custom_components.zeroconf_ai.errors import to_home_assistant_error
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

ENGLISH = json.loads((Path(errors.__file__).parent / "translations" / "en.json").read_text())["exceptions"]


@pytest.mark.parametrize("err", [*(kind("why.", retry_after=2.6) for kind, _ in errors._KEYS), ApiError("why.", retry_after=2.6)])
def test_every_error_has_words(err: ApiError) -> None:
    raised = to_home_assistant_error(err)
    placeholders = raised.translation_placeholders or {}
    assert placeholders == {"message": "why", "seconds": "3"}
    message = ENGLISH[raised.translation_key]["message"]
    assert {name for _, name, _, _ in Formatter().parse(message) if name} <= set(placeholders)


def test_no_time_to_wait_is_made_up() -> None:
    raised = to_home_assistant_error(RateLimitError("slow down"))
    assert raised.translation_key == "busy"
    assert "{seconds}" not in ENGLISH["busy"]["message"]


def test_only_wrong_input_is_the_callers_fault() -> None:
    assert isinstance(to_home_assistant_error(InvalidRequestError("no")), ServiceValidationError)
    assert type(to_home_assistant_error(RateLimitError("slow down"))) is HomeAssistantError
