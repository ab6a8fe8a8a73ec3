"""What is recorded of a request is what its upstream will bill, whoever goes away and whatever breaks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.clouds.asking import DIALECTS, before
from tests.support.clouds.openai import FakeOpenAI
from tests.support.clouds.server import FakeCloud, Fault, Refusal, Reply
from tests.support.fakes.chunks import delta
from tests.support.fakes.recorder import MemoryRecorder
from tests.support.fakes.upstream import ROLE, STOP, StubBackend, chat
from tests.support.server import Served, events, served
from tests.support.waiting import cancel, until
from zeroconf_ai.accounting.prices.energy import EnergyMeter
from zeroconf_ai.accounting.usage.generation import Outcome
from zeroconf_ai.backends.base import Timeouts
from zeroconf_ai.engine import Caller, Engine, Source
from zeroconf_ai.protocol.errors import ApiError, StreamBrokenError, UpstreamConnectionError
from zeroconf_ai.protocol.prices import Prices
from zeroconf_ai.protocol.record import Cost
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.protocol.usage import Usage
from zeroconf_ai.routing.accounting import Accounting
from zeroconf_ai.routing.policy import Policy, Terms
from zeroconf_ai.routing.pool.member import Member
from zeroconf_ai.routing.pricing.bounds import USUAL_ANSWER

CALLER = Caller(Source.HTTP)
DOLLAR = 10**9
PRICES = Prices(DOLLAR, 10 * DOLLAR, 0)
"""1000 nano-dollars for a token of the prompt, 10,000 for one of the answer, nothing for what was cached."""
WORDS = "All is well in the house."
CLOUDS = pytest.mark.parametrize("name", DIALECTS)
HASTY = Timeouts(connect=1.0, first_token=0.2, between_tokens=0.2, answer=0.2, probe=1.0)


@asynccontextmanager
async def asking(name: str, fake: FakeCloud, **more: Any) -> AsyncIterator[tuple[Engine, Member, MemoryRecorder]]:
    """An engine before a cloud of one dialect, with the owner's prices."""
    recorder = MemoryRecorder()
    async with before(name, fake, **more) as backend:
        engine = Engine()
        await engine.attach(Accounting(recorder=recorder))
        member = engine.add(backend, Terms(prices={"*": PRICES}))
        yield engine, member, recorder
        await engine.close()


def question(name: str, *, stream: bool, **fields: Any) -> Request:
    body = {"model": DIALECTS[name].model, "messages": [{"role": "user", "content": "Hi " * 40}], "stream": stream}
    return Request.parse(Kind.CHAT, body | fields)


async def read_until(engine: Engine, request: Request, *, until: Callable[[str], bool] = lambda _: False) -> None:
    """A caller that reads to the end or disconnects after some output."""
    said = ""
    async with engine.run(request, CALLER) as reply:
        if not request.stream:
            assert reply.body
            return
        async for chunk in reply.chunks():
            choices = chunk.data.get("choices") or [{}]
            said += choices[0].get("delta", {}).get("content") or ""
            if until(said):
                return


async def arrived(fake: FakeCloud, name: str) -> None:
    await until(lambda: fake.bodies(DIALECTS[name].path))


def prompt_of(name: str) -> int:
    """The prompt's tokens as known before the answer is complete: Anthropic and Google report them at the start."""
    return 21 if name in ("anthropic", "gemini") else question(name, stream=True).estimated_prompt_tokens


@CLOUDS
@pytest.mark.parametrize("stream", [True, False])
async def test_usage_of_an_answer_is_the_upstreams(name: str, stream: bool) -> None:
    fake = DIALECTS[name].fake(Reply(WORDS))
    async with asking(name, fake) as (engine, _, recorder):
        await read_until(engine, question(name, stream=stream))
    entry = recorder.only
    assert (entry.outcome, entry.estimated) == (Outcome.OK, False)
    assert (entry.usage.prompt_tokens, entry.usage.completion_tokens) == (21, 8)
    expected = (entry.usage.cost, "upstream") if name == "openrouter" else (PRICES.cost(entry.usage), "owner")
    assert (entry.cost, entry.cost_source, entry.currency) == (*expected, "USD")
    if name == "anthropic":  # beside the input there: 6 read from the cache, 5 written, 2 of these for an hour
        assert (entry.usage.cached_tokens, entry.usage.cache_write_tokens, entry.usage.cache_write_1h_tokens) == (6, 5, 2)
        assert entry.cost == (21 - 6) * 1000 + 8 * 10_000


@CLOUDS
async def test_client_that_leaves_in_the_middle(name: str) -> None:
    fake = DIALECTS[name].fake(Reply(WORDS * 20))
    fake.pause = 0.001
    async with asking(name, fake) as (engine, _, recorder):
        await read_until(engine, question(name, stream=True), until=lambda said: len(said) >= 100)
    entry = recorder.only
    assert (entry.outcome, entry.estimated, entry.cost_source) == (Outcome.CANCELLED, True, "owner")
    assert entry.usage.prompt_tokens == prompt_of(name)
    assert 25 <= entry.usage.completion_tokens < len(WORDS * 20) / 4
    assert entry.cost == PRICES.cost(entry.usage) > prompt_of(name) * 100


@CLOUDS
@pytest.mark.parametrize("fault", ["cut", "end", "stall", "error", "garbage"])
async def test_stream_that_dies(name: str, fault: str) -> None:
    fake = DIALECTS[name].fake(Fault(fault, after=8, reply=Reply(WORDS * 4)))
    async with asking(name, fake, timeouts=HASTY) as (engine, _, recorder):
        with pytest.raises(ApiError):
            await read_until(engine, question(name, stream=True))
    entry = recorder.only
    assert (entry.outcome, entry.estimated, entry.cost_source) == (Outcome.ERROR, True, "owner")
    assert entry.usage.prompt_tokens == prompt_of(name)
    assert 1 <= entry.usage.completion_tokens < len(WORDS)
    assert entry.cost == PRICES.cost(entry.usage)


@CLOUDS
async def test_usage_of_a_disconnect_before_the_first_token_is_the_prompt(name: str) -> None:
    fake = DIALECTS[name].fake(Fault("stall", after=0, reply=Reply(WORDS)))
    async with asking(name, fake) as (engine, member, recorder):
        request = question(name, stream=True)
        task = asyncio.create_task(read_until(engine, request))
        await arrived(fake, name)
        await cancel(task)
    entry = recorder.only
    assert (entry.outcome, entry.estimated, entry.usage.completion_tokens) == (Outcome.CANCELLED, True, 0)
    assert (entry.backend_id, entry.model, entry.attempts) == (member.id, request.model, 1)
    assert entry.usage.prompt_tokens == request.estimated_prompt_tokens
    assert (entry.cost, entry.cost_source) == (request.estimated_prompt_tokens * 1000, "owner")


@CLOUDS
@pytest.mark.parametrize(("fields", "billed"), [({"max_tokens": 500}, 500), ({}, USUAL_ANSWER)])
async def test_usage_of_an_abandoned_answer_is_billed_like_the_upstream(name: str, fields: dict[str, Any], billed: int) -> None:
    """The upstream completes the answer anyway; only its limit bounds the length."""
    fake = DIALECTS[name].fake(Fault("stall", after=0, reply=Reply(WORDS)))
    async with asking(name, fake) as (engine, _, recorder):
        request = question(name, stream=False, **fields)
        task = asyncio.create_task(read_until(engine, request))
        await arrived(fake, name)
        await cancel(task)
    entry = recorder.only
    assert (entry.outcome, entry.estimated, entry.usage.completion_tokens) == (Outcome.CANCELLED, True, billed)
    assert (entry.cost, entry.cost_source) == (PRICES.cost(Usage(request.estimated_prompt_tokens, billed)), "owner")


async def test_usage_of_an_abandoned_local_answer_is_its_prompt() -> None:
    recorder, never = MemoryRecorder(), asyncio.Event()
    engine = Engine()
    await engine.attach(Accounting(recorder=recorder))
    home = StubBackend("home", never)
    engine.add(home)
    task = asyncio.create_task(read_until(engine, chat(max_tokens=500)))
    await until(lambda: home.sent)
    await cancel(task)
    await engine.close()
    assert (recorder.only.outcome, recorder.only.usage.completion_tokens, recorder.only.cost) == (Outcome.CANCELLED, 0, 0)


@CLOUDS
async def test_usage_of_an_interrupted_answer_is_billed(name: str) -> None:
    fake = DIALECTS[name].fake(Fault("cut", after=0, reply=Reply(WORDS)))
    async with asking(name, fake) as (engine, _, recorder):
        with pytest.raises(ApiError):
            await read_until(engine, question(name, stream=False, max_tokens=500))
    assert (recorder.only.outcome, recorder.only.usage.completion_tokens) == (Outcome.ERROR, 500)
    assert recorder.only.cost == PRICES.cost(recorder.only.usage)


@CLOUDS
@pytest.mark.parametrize("stream", [True, False])
async def test_usage_of_a_disconnect_in_the_queue_is_nothing(name: str, stream: bool) -> None:
    fake = DIALECTS[name].fake(Reply(WORDS))
    async with asking(name, fake) as (engine, member, recorder):
        member.limiter.limit = 1
        async with _held(member):
            task = asyncio.create_task(read_until(engine, question(name, stream=stream)))
            await until(lambda: member.limiter.waiting)
            await cancel(task)
    assert fake.bodies(DIALECTS[name].path) == []
    assert (recorder.only.outcome, recorder.only.usage, recorder.only.cost, recorder.only.estimated) == (
        Outcome.CANCELLED,
        Usage(),
        None,
        False,
    )


@CLOUDS
@pytest.mark.parametrize("stream", [True, False])
async def test_usage_of_a_refused_request_is_nothing(name: str, stream: bool) -> None:
    fake = DIALECTS[name].fake(Refusal(429, "slowly"))
    async with asking(name, fake) as (engine, _, recorder):
        with pytest.raises(ApiError):
            await read_until(engine, question(name, stream=stream))
    assert (recorder.only.outcome, recorder.only.usage, recorder.only.cost) == (Outcome.ERROR, Usage(), None)


@CLOUDS
async def test_usage_of_a_late_answer_is_billed(name: str) -> None:
    fake = DIALECTS[name].fake(Fault("stall", after=0, reply=Reply(WORDS)))
    async with asking(name, fake, timeouts=HASTY) as (engine, _, recorder):
        with pytest.raises(ApiError):
            await read_until(engine, question(name, stream=False))
    entry = recorder.only
    assert (entry.outcome, entry.estimated, entry.usage.completion_tokens) == (Outcome.ERROR, True, USUAL_ANSWER)
    assert entry.cost == PRICES.cost(entry.usage)


async def test_usage_of_a_late_answer_and_its_failover_are_billed() -> None:
    recorder = MemoryRecorder()
    async with before("openai", FakeOpenAI(Fault("stall", after=0, reply=Reply(WORDS))), timeouts=HASTY) as late:
        engine = Engine(policy=Policy(retry_metered_timeouts=True))
        await engine.attach(Accounting(recorder=recorder))
        member = engine.add(late, Terms(prices={"*": PRICES}))
        await engine.checker.check(member, models=True)
        member.priority_override = 1
        said = [delta("Hello", finish="stop"), _used(3, 2)]
        engine.add(StubBackend("b", said, models=["gpt-4.1"], priority=90, cost=Cost.FREE))
        request = question("openai", stream=True)
        await read_until(engine, request)
        await engine.close()
    entry = recorder.only
    assert (entry.outcome, entry.backend_id, entry.usage) == (Outcome.OK, "b", Usage(3, 2))
    assert entry.cost == request.estimated_prompt_tokens * 1000


async def test_usage_price_is_that_at_the_start_of_the_request() -> None:
    recorder, go = MemoryRecorder(), asyncio.Event()
    engine = Engine()
    await engine.attach(Accounting(recorder=recorder))
    member = engine.add(
        StubBackend("a", [delta("Hello"), go, STOP, _used(10, 10)], cost=Cost.METERED), Terms(prices={"m": PRICES})
    )
    async with engine.run(chat(stream=True), CALLER) as reply:
        member.terms = Terms(prices={"m": Prices(99 * DOLLAR, 99 * DOLLAR)})
        go.set()
        _ = [chunk async for chunk in reply.chunks()]
    await read_until(engine, chat(stream=True))
    await engine.close()
    assert [entry.cost for entry in recorder.entries] == [10 * 1000 + 10 * 10_000, 20 * 99_000]


async def test_usage_intermediate_counts_are_not_final() -> None:
    """Some servers report intermediate usage in each chunk, which is too low for an interrupted stream."""
    recorder = MemoryRecorder()
    engine = Engine()
    await engine.attach(Accounting(recorder=recorder))
    first = delta("x" * 40) | {"usage": {"prompt_tokens": 50, "completion_tokens": 1}}
    engine.add(StubBackend("a", [first, *[delta("x" * 40)] * 4, StreamBrokenError("cut")]))
    with pytest.raises(StreamBrokenError):
        await read_until(engine, chat(stream=True))
    await engine.close()
    assert (recorder.only.usage, recorder.only.estimated) == (Usage(50, 50), True)


async def test_usage_cost_is_the_measured_energy() -> None:
    recorder, go = MemoryRecorder(), asyncio.Event()
    engine = Engine()
    await engine.attach(Accounting(recorder=recorder))
    member = engine.add(StubBackend("a", [delta("Hello"), go, STOP, _used(1, 1)]))
    member.meter = meter = EnergyMeter(idle=10, tariff=DOLLAR, currency="EUR")
    async with engine.run(chat(stream=True), CALLER) as reply:
        meter.sample(100_010, 0.0)  # the clock of the meter is the real one: this sample is of long ago
        go.set()
        _ = [chunk async for chunk in reply.chunks()]
    meter.sample(None, 0.0)
    await read_until(engine, chat(stream=True))
    await engine.close()
    first, second = recorder.entries
    assert (first.cost_source, first.currency) == ("measured", "EUR")
    assert first.cost is not None
    assert 0 < first.cost == pytest.approx(100_000 * first.duration * DOLLAR / 3_600_000, rel=0.9)
    assert first.energy is not None
    assert 0 < first.energy == pytest.approx(100_000 * first.duration, rel=0.9)
    assert (second.cost, second.cost_source, second.energy) == (0, "free", None)


async def test_record_times_are_those_of_the_attempt_that_answered_after_the_failed_one() -> None:
    recorder = MemoryRecorder()
    engine = Engine()
    await engine.attach(Accounting(recorder=recorder))
    engine.add(StubBackend("a", UpstreamConnectionError("A is unreachable")))
    engine.add(StubBackend("b"))
    await read_until(engine, chat(stream=True))
    await engine.close()
    record = recorder.only
    (failed,) = record.failed_attempts
    times = (failed.began, failed.ended, record.sent, record.first_byte, record.first_token, record.duration)
    known = [time for time in times if time is not None]
    assert len(known) == len(times)
    assert known == sorted(known)
    assert known[0] >= 0


PATHS: dict[str, dict[str, Any]] = {
    "chat/completions": {"messages": [{"role": "user", "content": "Hi"}]},
    "completions": {"prompt": "Hi"},
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("wants", [None, False, True])
async def test_usage_is_always_requested_and_returned_only_if_requested(path: str, wants: bool | None) -> None:
    fake, recorder = FakeOpenAI(Reply(WORDS)), MemoryRecorder()
    async with before("openai", fake) as backend, served(backend) as gateway:
        await gateway.engine.attach(Accounting(recorder))
        body: dict[str, Any] = {"model": "gpt-4.1", "stream": True, **PATHS[path]}
        body |= {} if wants is None else {"stream_options": {"include_usage": wants}}
        shown = await _stream(gateway, path, body)
    assert fake.last.body["stream_options"]["include_usage"] is True
    assert any('"usage": {' in event or '"usage":{' in event for event in shown) is (wants is True)
    assert any('"choices": []' in event or '"choices":[]' in event for event in shown) is (wants is True)
    assert shown[-1] == "[DONE]"
    assert (recorder.only.usage.prompt_tokens, recorder.only.usage.completion_tokens, recorder.only.estimated) == (21, 8, False)


async def _stream(gateway: Served, path: str, body: dict[str, Any]) -> list[str]:
    async with gateway.session.post(f"{gateway.url}/{path}", json=body) as response:
        assert response.status == 200, await response.text()
        return await events(response)


@asynccontextmanager
async def _held(member: Member) -> AsyncIterator[None]:
    """The backend's only place is taken."""
    place = await member.limiter.acquire()
    yield
    place.release()


def _used(prompt: int, completion: int) -> dict[str, Any]:
    return ROLE | {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}}
