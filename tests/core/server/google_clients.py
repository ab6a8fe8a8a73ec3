"""Google's SDK as a client of the gateway."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from google import genai
from google.genai import types

from ...support.server import Served

HELLO: Any = {"contents": [{"parts": [{"text": "count to 3"}]}]}


@asynccontextmanager
async def google(gateway: Served, key: str = "unused", version: str = "v1beta", base: str = "") -> AsyncIterator[Any]:
    """Google's client."""
    options = types.HttpOptions(base_url=f"http://127.0.0.1:{gateway.port}{base}", api_version=version)
    async with genai.Client(api_key=key, http_options=options).aio as client:
        yield client


def path(method: str, model: str = "test-model", version: str = "v1beta") -> str:
    return f"/{version}/models/{model}:{method}"
