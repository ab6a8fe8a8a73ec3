"""Paths of base URLs as people enter them, in every place where a provider's address is entered."""

import pytest

from zeroconf_ai.client.connections import base_url_of
from zeroconf_ai.config.backend_types import BACKEND_TYPES
from zeroconf_ai.config.base_paths import base_path
from zeroconf_ai.config.draft import base_url, errors_at


@pytest.mark.parametrize(
    ("entered", "path"),
    [
        ("", ""),
        ("/", ""),
        ("//", ""),
        ("/v1", "/v1"),
        ("//v1", "/v1"),
        ("/v1/", "/v1"),
        ("/v1//", "/v1"),
        ("/v1/v1", "/v1"),
        ("/v1/v1/v1/chat/completions/", "/v1"),
        ("/v1/messages", "/v1"),
        ("/v1/responses", "/v1"),
        ("/messages", ""),
        ("/api/v1", "/api/v1"),
        ("/api/chat", ""),
        ("/openai/v1/chat/completions", "/openai/v1"),
        ("/llm//v1", "/llm/v1"),
        ("/models", "/models"),
        ("/v1beta", "/v1beta"),
    ],
)
def test_path_of_a_base_url_is_tidied(entered: str, path: str) -> None:
    assert base_path(entered) == path
    assert base_url(f"http://gpu:8000{entered}", BACKEND_TYPES["openai_compatible"], errors_at("x"), "endpoint") == (
        f"http://gpu:8000{path or '/v1'}"
    )
    assert base_url_of(f"http://gpu:8000{entered}") == f"http://gpu:8000{path or '/v1'}"
