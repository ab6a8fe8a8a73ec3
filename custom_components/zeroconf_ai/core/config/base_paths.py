"""The path of a base URL that a person has entered or copied."""

import re

_ENDPOINTS = ("/chat/completions", "/completions", "/embeddings", "/responses", "/messages", "/api/chat", "/api/generate")
"""Paths of requests, which people copy together with the base URL."""
_SLASHES = re.compile(r"/{2,}")
_REPEATED = re.compile(r"(?:/v1){2,}$")


def base_path(path: str) -> str:
    """The path without an endpoint, doubled slashes, a second `/v1` and a slash at the end; "" for the root."""
    plain = _SLASHES.sub("/", path).rstrip("/")
    for ending in _ENDPOINTS:
        plain = plain.removesuffix(ending)
    return _REPEATED.sub("/v1", plain)
