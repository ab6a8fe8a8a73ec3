"""Clients that come and go: each request has an id, and ends as answered, refused, left by its client, or lost."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
import json
import random
from typing import Any

import aiohttp

REQUEST_SECONDS = 90.0
"""A request that takes longer is lost."""


class Outcome(StrEnum):
    """How a request ended."""

    ANSWERED = "answered"
    """Complete, with its usage."""
    REFUSED = "refused"
    """An error of the API, as the whole answer or as the last event of a stream."""
    LEFT = "left"
    """The client closed the connection in the middle of the answer."""
    LOST = "lost"
    """Anything else: no answer, half an answer, or an answer that is no JSON."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has ended. The tokens are those that the answer states, 0 without usage."""

    id: str
    outcome: Outcome
    detail: str = ""
    """The error, or how the request was lost."""
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Clients:
    """Some clients of a gateway that send chat requests, one after the other, over connections that they keep or renew."""

    def __init__(self, base_url: str, key: str, models: list[str], *, parallel: int, chance: random.Random) -> None:
        """`base_url` ends in /v1."""
        self._url = f"{base_url}/chat/completions"
        self._headers = {"Authorization": f"Bearer {key}"}
        self._models = models
        self._parallel = parallel
        self._chance = chance
        self._sent = 0
        self.ended: list[Request] = []

    @property
    def sent(self) -> int:
        """Requests that were begun."""
        return self._sent

    def count(self) -> Counter[Outcome]:
        """How many requests ended in each way."""
        return Counter(request.outcome for request in self.ended)

    async def run(self, is_over: Callable[[], bool]) -> None:
        """Send requests until `is_over`, and wait for their answers."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._parallel):
                group.create_task(self._one_client(is_over))

    async def _one_client(self, is_over: Callable[[], bool]) -> None:
        while not is_over():
            timeout = aiohttp.ClientTimeout(REQUEST_SECONDS)
            async with aiohttp.ClientSession(headers=self._headers, timeout=timeout) as session:
                for _ in range(self._chance.randint(1, 20)):
                    if is_over():
                        return
                    self.ended.append(await self._request(session))
                    await asyncio.sleep(self._chance.uniform(0.0, 0.2))

    async def _request(self, session: aiohttp.ClientSession) -> Request:
        self._sent += 1
        name = f"soak-{self._sent:06}"
        stream = self._chance.random() < 0.6
        leaves_after = self._chance.randint(1, 5) if stream and self._chance.random() < 0.1 else None
        body: dict[str, Any] = {
            "model": self._chance.choice(self._models),
            "messages": [{"role": "user", "content": f"What can you do? Number {self._sent}."}],
            "stream": stream,
        }
        if stream:
            body["stream_options"] = {"include_usage": True}
        try:
            async with session.post(self._url, json=body, headers={"X-Request-ID": name}) as response:
                if response.status != 200:
                    return _refused(name, await response.json())
                if stream:
                    return await _streamed(name, response, leaves_after)
                return _answered(name, (await response.json())["usage"])
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as err:
            return Request(name, Outcome.LOST, f"{type(err).__name__}: {err}")


async def _streamed(name: str, response: aiohttp.ClientResponse, leaves_after: int | None) -> Request:
    """Read a stream to its end, or leave it after some events. Raises ValueError, KeyError and TypeError for malformed events."""
    usage: Any = None
    events = 0
    async for line in response.content:
        data = line.strip().removeprefix(b"data: ")
        if data == b"[DONE]":
            return _answered(name, usage)
        if not data or line.startswith(b":"):
            continue
        event = json.loads(data)
        if "error" in event:
            return _refused(name, event)
        usage = event.get("usage") or usage
        events += 1
        if events == leaves_after:
            response.close()
            return Request(name, Outcome.LEFT)
    return Request(name, Outcome.LOST, "the stream ended without [DONE] and without an error")


def _answered(name: str, usage: dict[str, Any]) -> Request:
    return Request(name, Outcome.ANSWERED, "", usage["prompt_tokens"], usage["completion_tokens"])


def _refused(name: str, body: dict[str, Any]) -> Request:
    return Request(name, Outcome.REFUSED, str(body["error"]["message"]))
