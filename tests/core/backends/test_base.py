"""What all backends have in common."""

from zeroconf_ai.backends.base import BackendInfo, StaticAnswer
from zeroconf_ai.protocol.chunks import Chunk


async def test_static_answer_is_read_and_closed_twice() -> None:
    chunk = Chunk(b"{}")
    answer = StaticAnswer(Chunk(b"whole"), [chunk])
    assert await answer.body() == b"whole"
    assert [batch async for batch in answer.batches()] == [[chunk]]
    await answer.close()
    await answer.close()


def test_backend_without_capabilities_is_not_excluded() -> None:
    info = BackendInfo("id", "name")
    assert (info.capabilities, info.advertised_models, info.priority) == (None, (), 100)
