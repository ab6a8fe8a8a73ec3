"""`SyncClient`: the client for programs without an event loop.

with SyncClient() as ai:
print(ai.chat("What is mDNS?"))
"""

import asyncio
from collections.abc import Coroutine, Generator, Mapping, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Any, Self

from ..protocol.models import ModelInfo
from .answers import Answer
from .client import Client, ProviderInfo, Question


class SyncClient:
    """A `Client` with methods that wait, for one thread at a time. Its event loop runs in a thread of its own."""

    def __init__(self, provider: str | None = None, **options: Any) -> None:
        """The arguments are those of `Client`."""
        self._client = Client(provider, **options)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="zeroconf_ai client", daemon=True)

    def __enter__(self) -> Self:
        """Find the providers. Raises like `Client` does."""
        self._thread.start()
        try:
            self._wait(self._client.open())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        try:
            self._wait(self._client.close())
        finally:
            self._stop()

    @property
    def providers(self) -> list[ProviderInfo]:
        """The providers, the preferred one first."""
        return self._wait(self._of_client("providers"))

    @property
    def models(self) -> list[ModelInfo]:
        """The models of the providers that answer, those of the preferred one first."""
        return self._wait(self._of_client("models"))

    def chat(self, question: Question, **options: Any) -> Answer:
        """Return the complete answer, as `Client.chat` does."""
        return self._wait(self._client.chat(question, **options))

    def stream(self, question: Question, **options: Any) -> Generator[str]:
        """Iterate over the pieces of the answer's text. Closing the iterator ends the answer."""
        arrived: SimpleQueue[str | Exception | None] = SimpleQueue()

        async def read() -> None:
            try:
                async with self._client.stream(question, **options) as stream:
                    async for piece in stream:
                        arrived.put(piece)
                arrived.put(None)
            except Exception as err:  # noqa: BLE001 - raised where the pieces are read
                arrived.put(err)

        reading = asyncio.run_coroutine_threadsafe(read(), self._loop)
        try:
            while (piece := arrived.get()) is not None:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            reading.cancel()

    def forget(self, session: str) -> None:
        """Forget the questions and answers of a session."""
        self._wait(self._client.forget(session))

    def embed(self, texts: str | Sequence[str], **options: Any) -> list[list[float]]:
        """The embeddings of texts, in their order."""
        return self._wait(self._client.embed(texts, **options))

    def usage(self, **options: Any) -> Mapping[str, Any]:
        """The usage that the provider recorded, as `Client.usage` does."""
        return self._wait(self._client.usage(**options))

    async def _of_client(self, name: str) -> Any:
        return getattr(self._client, name)

    def _wait[T](self, coroutine: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
