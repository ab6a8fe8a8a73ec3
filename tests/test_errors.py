"""Each of the engine's errors is one sentence for a person, without placeholders that are not filled in."""

import json
from pathlib import Path
from string import Formatter

import pytest

from custom_components.zeroconf_ai import errors
from custom_components.zeroconf_ai.core.protocol.errors import (
    ApiError,
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    RateLimitError,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamTimeoutError,
)
from custom_components.zeroconf_ai.errors import SENTENCES, sentence_key, to_home_assistant_error
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

ENGLISH = json.loads((Path(errors.__file__).parent / "translations" / "en.json").read_text())["exceptions"]


@pytest.mark.parametrize("err", [*(kind("why.") for kind, _ in errors._BY_TYPE), ApiError("why.")])
def test_error_of_every_type_has_a_sentence_with_its_placeholders(err: ApiError) -> None:
    raised = to_home_assistant_error(err, "test")
    message = ENGLISH[raised.translation_key]["message"]
    assert {name for _, name, _, _ in Formatter().parse(message) if name} == set(raised.translation_placeholders or {})
    assert sentence_key(err) in SENTENCES


@pytest.mark.parametrize("key", sorted(SENTENCES))
def test_sentence_that_is_spoken_is_short_and_has_no_placeholder(key: str) -> None:
    message = ENGLISH[key]["message"]
    assert len(message) <= 60
    assert message.count(".") == 1
    assert "{" not in message


def test_error_of_invalid_input_is_a_validation_error() -> None:
    assert isinstance(to_home_assistant_error(InvalidRequestError("no"), "test"), ServiceValidationError)
    assert type(to_home_assistant_error(RateLimitError("slow down"), "test")) is HomeAssistantError


@pytest.mark.parametrize(
    ("causes", "key"),
    [
        ([AuthenticationError("no"), AuthenticationError("no")], "not_set_up"),
        ([UpstreamTimeoutError("slow")], "provider_timeout"),
        ([UpstreamTimeoutError("slow"), UpstreamConnectionError("gone")], "all_failed"),
        ([], "all_failed"),
    ],
)
def test_sentence_of_equal_failures_of_all_backends_names_the_cause(causes: list[ApiError], key: str) -> None:
    err = UpstreamError("No provider could answer.")
    err.causes = tuple(causes)
    assert sentence_key(err) == key


def test_sentence_of_a_long_prompt_and_a_full_queue_is_specific() -> None:
    assert sentence_key(InvalidRequestError("long", code="context_length_exceeded")) == "request_too_long"
    assert sentence_key(UpstreamError("full", code="provider_capacity_exceeded")) == "busy"


def test_details_of_an_error_are_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    raised = to_home_assistant_error(UpstreamConnectionError("Box could not be reached", log_text="Box at 10.0.0.7"), "the task")
    assert "the task got no answer: Box at 10.0.0.7" in caplog.text
    assert "10.0.0.7" not in f"{raised.translation_placeholders}"
    assert (
        "10.0.0.7" not in f"{to_home_assistant_error(NotFoundError('no m', log_text='10.0.0.7'), 'x').translation_placeholders}"
    )
