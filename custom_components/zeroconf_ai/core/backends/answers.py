"""Answers of a backend, converted to another of OpenAI's formats."""

from collections.abc import AsyncIterator
from typing import override

from ..dialects.openai.embeddings import pack
from ..dialects.openai.text_completions import as_text, text_chunk
from ..protocol.chunks import Chunk
from ..protocol.errors import StreamBrokenError
from .base import WrappedAnswer


class TextAnswer(WrappedAnswer):
    """A chat's answer as a text completion."""

    @override
    async def batches(self) -> AsyncIterator[list[Chunk]]:
        async for batch in self._answer.batches():
            if converted := [chunk for chunk in map(text_chunk, batch) if chunk is not None]:
                yield converted

    @override
    async def completion(self) -> Chunk:
        return Chunk.of(as_text((await self._answer.completion()).data, "message"))


class PackedAnswer(WrappedAnswer):
    """An embeddings answer in base64: vectors in lists are encoded, encoded ones are kept."""

    @override
    async def completion(self) -> Chunk:
        completion = await self._answer.completion()
        changed = False
        listed = completion.data.get("data")
        for item in listed if isinstance(listed, list) else ():
            if isinstance(item, dict) and isinstance(vector := item.get("embedding"), list):
                try:
                    item["embedding"] = pack(vector)
                except ValueError as err:
                    message = "the provider sent an embedding that cannot be read"
                    raise StreamBrokenError(message, log_text=f"{message}: {err}") from None
                changed = True
        return Chunk.of(completion.data) if changed else completion
