"""Answers in OpenAI's format, which is the internal format, so that chunks keep their bytes.

OpenAI sends usage only if the client requests it, in one chunk without choices at the end. Other servers send it with the
choices, in every chunk, unasked, or not at all; clients that add up what they find would count it several times.
"""

from collections.abc import Mapping
from typing import Any, Self, override

import orjson

from ...protocol import sse
from ...protocol.chunks import Chunk
from ...protocol.errors import ApiError
from ...protocol.request import Request
from ...protocol.usage import Usage, usage_of
from ...protocol.values import mapping
from ..base import ResponseWriter

_PROVIDER = b'"provider"'
"""A key: texts in an answer cannot contain these bytes, because their quotation marks are escaped."""


class OpenAIWriter(ResponseWriter):
    """Forwards chunks. A failure is the last event, without `[DONE]` after it."""

    def __init__(self, request: Request) -> None:
        """`request` tells whether the client requests usage: at the end of a stream, or in each chunk as vLLM offers it."""
        options = mapping(request.body.get("stream_options"))
        self._wants_usage = options.get("include_usage") is True
        self._continuous = self._wants_usage and options.get("continuous_usage_stats") is True
        self._begun = False
        self._last: Chunk | None = None
        """The latest chunk."""
        self._reported: Chunk | None = None
        """The latest chunk with a field `usage`."""
        self._usage: Usage | None = None

    def for_model(self, _model: str) -> Self:
        """This writer: the chunks themselves name the model."""
        return self

    @override
    def answer_id(self, upstream: str | None) -> str | None:
        return upstream

    @override
    def body(self, completion: Chunk) -> bytes:
        return self._with_extras(completion.raw)

    @override
    def events(self, batch: list[Chunk]) -> bytes:
        events: list[bytes] = []
        for chunk in batch:
            if self._continuous or not chunk.may_have_usage:
                events.append(chunk.raw)
            elif (rest := self._without_usage(chunk)) is not None:
                events.append(rest)
        self._last = batch[-1] if batch else self._last
        if events and not self._begun:
            self._begun = True
            events[0] = self._with_extras(events[0])
            if self.provider_in_each:
                events[1:] = map(self._with_provider, events[1:])
        elif self.provider_in_each:
            events = list(map(self._with_provider, events))
        return b"".join(map(sse.encode, events))

    def _without_usage(self, chunk: Chunk) -> bytes | None:
        """The chunk without its usage, which is kept for the end; None if nothing else is in it."""
        data, choices = chunk.data, chunk.data.get("choices")
        listed = choices if isinstance(choices, list) else []
        in_choices = any(mapping(choice).get("usage") is not None for choice in listed)
        if data.get("usage") is None and not in_choices:
            return chunk.raw
        found = usage_of(data)
        self._reported = chunk
        self._usage = found if self._usage is None else self._usage.updated(found)
        if not listed:
            return None
        rest = {name: value for name, value in data.items() if name != "usage"}
        if in_choices:
            rest["choices"] = [_without(choice, "usage") if isinstance(choice, dict) else choice for choice in listed]
        return orjson.dumps(rest)

    def _usage_chunk(self) -> bytes:
        """The chunk with the usage: the upstream's bytes if they are as OpenAI's, with an estimate if it reported none."""
        last = self._reported or self._last or Chunk(b"{}")
        data, usage = last.data, self._usage or usage_of(last.data)
        if data.get("choices") == [] and data.get("usage") is not None and usage is not None and usage_of(data) == usage:
            return last.raw
        fields = {**mapping(data.get("usage")), **usage.to_json()} if usage else {**self.used().to_json(), "estimated": True}
        return orjson.dumps({**data, "choices": [], "usage": fields})

    def _with_extras(self, data: bytes) -> bytes:
        """Append the provider's name, unless the upstream has set it, and the dropped tools."""
        extras = []
        if self.provider and _PROVIDER not in data:
            extras.append(_PROVIDER + b":" + orjson.dumps(self.provider))
        if self.dropped_tools:
            extras.append(b'"dropped_tools":' + orjson.dumps(self.dropped_tools))
        return self._appended(data, extras)

    def _with_provider(self, data: bytes) -> bytes:
        """Append the provider's name, unless the upstream has set it."""
        if not self.provider or _PROVIDER in data:
            return data
        return self._appended(data, [_PROVIDER + b":" + orjson.dumps(self.provider)])

    @staticmethod
    def _appended(data: bytes, extras: list[bytes]) -> bytes:
        """The object with more fields at its end; the other bytes stay unchanged."""
        head = data.rstrip()
        if not extras or not head.endswith(b"}"):
            return data
        comma = b"" if head[:-1].strip() == b"{" else b","
        return b"".join((head[:-1], comma, b",".join(extras), b"}"))

    @override
    def end(self) -> bytes:
        if self._continuous or not self._wants_usage:
            return sse.DONE
        last = self._usage_chunk()
        return sse.encode(self._with_provider(last) if self.provider_in_each else last) + sse.DONE

    @override
    def failure(self, error: ApiError) -> bytes:
        return sse.encode(orjson.dumps(error.to_json()))


def _without(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}
