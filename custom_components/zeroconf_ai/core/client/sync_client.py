"""`SyncClient`: the client for programs without an event loop.

with SyncClient() as ai:
print(ai.chat("What is mDNS?"))
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Any, Self, override

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

    def stream(self, question: Question, **options: Any) -> "SyncStream":
        """The answer as it arrives, as `Client.stream` gives it: for a `with` block, whose end ends the answer, or for a loop."""
        return SyncStream(lambda answered: self._pieces(answered, question, **options))

    def _pieces(self, answered: Callable[[Answer], None], question: Question, **options: Any) -> Generator[str]:
        """The pieces of an answer's text; `answered` is called at its end."""
        arrived: SimpleQueue[str | Exception | Answer] = SimpleQueue()

        async def read() -> None:
            try:
                async with self._client.stream(question, **options) as stream:
                    async for piece in stream:
                        arrived.put(piece)
                    answer = stream.answer
                arrived.put(answer)
            except Exception as err:  # noqa: BLE001 - raised where the pieces are read
                arrived.put(err)

        reading = asyncio.run_coroutine_threadsafe(read(), self._loop)
        try:
            while not isinstance(piece := arrived.get(), Answer):
                if isinstance(piece, Exception):
                    raise piece
                yield piece
            answered(piece)
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


class SyncStream(Iterator[str]):
    """The pieces of an answer's text. `answer` is complete afterwards."""

    def __init__(self, begin: Callable[[Callable[[Answer], None]], Generator[str]]) -> None:
        """`begin` gets the function that takes the complete answer."""
        self._pieces = begin(self._take)
        self._answer: Answer | None = None

    def _take(self, answer: Answer) -> None:
        self._answer = answer

    @property
    def answer(self) -> Answer:
        """The complete answer. Raises RuntimeError before the stream was read to its end."""
        if self._answer is None:
            raise RuntimeError("The stream was not read to its end")
        return self._answer

    @override
    def __next__(self) -> str:
        """The next piece. Raises ApiError if the provider stops answering."""
        return next(self._pieces)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the answer."""
        self._pieces.close()
