"""What all backends have in common."""

from zeroconf_ai.backends.base import BackendInfo, StaticAnswer
from zeroconf_ai.protocol.chunks import Chunk


async def test_an_answer_that_is_there_is_read_as_body_or_stream_and_closed_twice() -> None:
    chunk = Chunk(b"{}")
    answer = StaticAnswer(Chunk(b"whole"), [chunk])
    assert await answer.body() == b"whole"
    assert [batch async for batch in answer.batches()] == [[chunk]]
    await answer.close()
    await answer.close()


def test_nothing_is_held_against_a_backend_that_does_not_say() -> None:
    info = BackendInfo("id", "name")
    assert (info.capabilities, info.announced_models, info.priority) == (None, (), 100)
