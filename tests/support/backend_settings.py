"""Example values of every backend setting, as written in a configuration file; none is a default."""

from typing import Any

EXAMPLES: dict[str, tuple[Any, ...]] = {
    "id": ("garage",),
    "name": ("Büro GPU",),
    "type": ("litellm",),
    "endpoint": ("http://192.0.2.21:8000/api/v1",),
    "authType": ("x-api-key", "header X-Token"),
    "authSecret": ("another-secret",),
    "headers": ({"X-Team": "house", "X-Room": "attic"},),
    "verifySsl": (False,),
    "enabled": (False,),
    "isDefault": (True,),
    "priority": (0, 65535),
    "weight": (2, 1000),
    "tags": (["garage", "gpu"],),
    "location": ("cloud", "the attic"),
    "gpu": (True, "RTX 4090", 2, {"name": "RTX 4090", "memory": 24}),
    "defaultModel": ("m",),
    "maxConcurrent": (1, 100_000),
    "queueLength": (0, 100_000),
    "requestsPerMinute": (1, 1_000_000_000),
    "tokensPerMinute": (1000,),
    "cost": ("metered", "subscription", "unknown"),
    "prices": (
        {"*": {"input": 1, "output": 2, "cached": 3, "reasoning": 4, "cacheWrite": 5, "cacheWrite1h": 6, "image": 7}},
        {
            "m": {"input": 1, "output": 2, "audio": 3, "minute": 0.006, "characters": 15},
            "n": {"minute": 1},
            "o": {"characters": 2},
        },
        {"m": {"image": 0.04}},
        {"m": {"input": 0.1, "output": 0.2, "cached": 0.3, "reasoning": 0.4, "cacheWrite": 0.5, "cacheWrite1h": 0.6}},
        {"m": {"input": 999_999, "output": 0, "currency": "EUR"}, "*": {"input": 0, "output": 0.25, "currency": "EUR"}},
    ),
    "costPer1kTokens": (0.5, {"input": 0.1, "output": 0.2}),
    "hostedToolPrices": ({"web_search": 0.008, "mcp": 0, "code_execution_4g": 0.12},),
    "monthlyLimit": (20, 0, 999_999, 12.345678901),
    "aliases": ({"house": "m", "gpt-4o": "m:8b"},),
    "models": (["m"], ["b", {"id": "m", "alias": "a", "contextWindow": 1, "maxTokens": 2, "capabilities": ["vision"]}]),
    "contextWindow": (4096,),
    "maxTokens": (512,),
    "capabilities": (
        {"vision": True, "functionCalling": True, "jsonMode": False},
        ["completion", "streaming", "tools", "vision", "audio", "embeddings", "json"],
    ),
    "numCtx": (512, 10_000_000),
    "keepAlive": ("10m", -1, 300),
    "timeouts.connect": (0.1,),
    "timeouts.firstToken": (90.5, 3600),
    "timeouts.answer": (0.5,),
    "timeouts.betweenTokens": (1,),
    "timeouts.silence": (60,),
    "timeouts.probe": (2,),
    "health.timeout": (2.5,),
    "healthCheckTimeout": (2.5, "2500ms", 2500),
    "healthCheckInterval": (60, "1m", 60_000),
    "healthCheckPath": ("/ready",),
    "health.interval": (60,),
    "health.path": ("//ready", "/ready"),
}
"""Examples by their key in the file; a dot separates a group and its key."""
NEEDED = {"id": "attic", "type": "vllm", "endpoint": "http://192.0.2.20:8000/v1", "authSecret": "secret"}
"""The provider of which the tests set one setting."""
CASES = [(key, value) for key, values in EXAMPLES.items() for value in values]


def provider(key: str, value: Any) -> dict[str, Any]:
    """The provider with another value of one setting."""
    group, _, inner = key.partition(".")
    return NEEDED | {group: {inner: value} if inner else value}
