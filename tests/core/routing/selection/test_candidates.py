"""PROTOCOL 3, rules 1 to 5, 8 and 9: who may answer, in which order, and why the others may not."""

import time

import pytest

from tests.core.routing.conftest import Add
from tests.support.fakes.upstream import chat
from zeroconf_ai.protocol.errors import InvalidRequestError, NotFoundError, UnavailableError
from zeroconf_ai.protocol.models import ModelInfo
from zeroconf_ai.protocol.record import Capability
from zeroconf_ai.protocol.request import Kind, Request
from zeroconf_ai.protocol.status import ProviderState, ProviderStatus, Queue
from zeroconf_ai.routing.policy import Terms
from zeroconf_ai.routing.pool.pool import Member, Pool, Wake
from zeroconf_ai.routing.selection.candidates import candidates

TEXT_ONLY = frozenset({Capability.COMPLETION, Capability.STREAMING})
IMAGE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]


def order(pool: Pool, request: Request | None = None) -> list[str]:
    return [candidate.member.id for candidate in candidates(pool, request or chat()).ordered]


def pinned(to: str, **body: object) -> Request:
    return Request.parse(Kind.CHAT, dict(chat(**body).body), pin=to)  # type: ignore[arg-type]


async def nothing() -> None:
    return


# Rule 1: capabilities and context.


def test_a_provider_without_tools_is_passed_over_when_tools_are_sent(pool: Pool, add: Add) -> None:
    add("plain", capabilities=TEXT_ONLY)
    add("able", capabilities=TEXT_ONLY | {Capability.TOOLS})
    add("silent")
    found = candidates(pool, chat(tools=[{"type": "function"}]))
    assert [candidate.member.id for candidate in found.ordered] == ["able", "silent"]
    assert found.passed_over == ("Plain: cannot do tools",)


def test_a_model_without_vision_or_tools_is_passed_over_when_they_are_needed(pool: Pool, add: Add) -> None:
    add("blind", models=[ModelInfo("m", capabilities=frozenset({Capability.COMPLETION}))])
    add("seeing", models=[ModelInfo("m", capabilities=frozenset({Capability.COMPLETION, Capability.VISION}))])
    found = candidates(pool, chat(messages=IMAGE))
    assert [candidate.member.id for candidate in found.ordered] == ["seeing"]
    assert found.passed_over == ("Blind: its model m cannot do vision",)


def test_what_no_provider_could_ever_do_is_the_callers_error(pool: Pool, add: Add) -> None:
    blind = ModelInfo("m", capabilities=frozenset({Capability.COMPLETION}))
    away = add("away", models=[blind])
    add("plain", capabilities=TEXT_ONLY, models=["m", "other"])
    away.state = ProviderState.OFFLINE
    with pytest.raises(InvalidRequestError, match="Away: its model m cannot do tools; Plain: cannot do tools") as caught:
        candidates(pool, chat(tools=[{"type": "function"}]))
    assert (caught.value.status, caught.value.code) == (400, "unsupported_capability")
    with pytest.raises(InvalidRequestError, match="Away: has no model that can do this"):
        candidates(pool, Request.parse(Kind.EMBEDDINGS, {"input": "Hi"}))
    add("off", models=["m"]).enabled = False
    with pytest.raises(UnavailableError, match="Off: switched off"):
        candidates(pool, chat(tools=[{"type": "function"}]))


def test_one_that_could_and_is_away_is_still_tried(pool: Pool, add: Add) -> None:
    add("blind", models=[ModelInfo("m", capabilities=frozenset({Capability.COMPLETION}))])
    seeing = add("seeing", models=[ModelInfo("m", capabilities=frozenset({Capability.COMPLETION, Capability.VISION}))])
    seeing.state = ProviderState.OFFLINE
    assert order(pool, chat(messages=IMAGE)) == ["seeing"]


def test_auto_says_when_the_prompt_is_too_long_for_all(pool: Pool, add: Add) -> None:
    add("a", models=[ModelInfo("m", context_window=100), ModelInfo("n", context_window=200)])
    with pytest.raises(InvalidRequestError, match="about 1000 tokens exceeds its 200") as caught:
        candidates(pool, chat(model="auto", messages=[{"role": "user", "content": "x" * 4000}]))
    assert caught.value.code == "context_length_exceeded"


def test_a_prompt_that_is_too_long_for_all_is_the_callers_error(pool: Pool, add: Add) -> None:
    add("short", models=[ModelInfo("m", context_window=100)])
    with pytest.raises(InvalidRequestError, match="Shorten it") as caught:
        candidates(pool, chat(messages=[{"role": "user", "content": "x" * 4000}]))
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, "context_length_exceeded", "messages")


def test_a_prompt_longer_than_the_context_is_passed_over_with_numbers(pool: Pool, add: Add) -> None:
    add("short", models=[ModelInfo("m", context_window=100)])
    add("long", models=[ModelInfo("m", context_window=100_000)])
    found = candidates(pool, chat(messages=[{"role": "user", "content": "x" * 4000}]))
    assert [candidate.member.id for candidate in found.ordered] == ["long"]
    assert found.passed_over == ("Short: the prompt of about 1000 tokens exceeds its 100",)


def test_json_is_never_a_reason_to_pass_over(pool: Pool, add: Add) -> None:
    add("plain", capabilities=TEXT_ONLY, models=[ModelInfo("m", capabilities=frozenset({Capability.COMPLETION}))])
    assert order(pool, chat(response_format={"type": "json_object"})) == ["plain"]


def test_embeddings_go_to_their_model_only(pool: Pool, add: Add) -> None:
    add("chat", models=["m"])
    add("embed", models=["nomic-embed"])
    request = Request.parse(Kind.EMBEDDINGS, {"input": "Hi", "model": "nomic-embed"})
    assert order(pool, request) == ["embed"]
    found = candidates(pool, Request.parse(Kind.EMBEDDINGS, {"input": "Hi"}))
    assert [(candidate.member.id, candidate.model) for candidate in found.ordered] == [("embed", "nomic-embed")]


# Rule 2: who may not be asked now.


@pytest.mark.parametrize(
    ("state", "resting", "why"),
    [
        (ProviderState.OFFLINE, False, "Bad: offline"),
        (ProviderState.UNAUTHORIZED, False, "Bad: its key is refused"),
        (ProviderState.HEALTHY, True, "Bad: asked to be left alone for 60 s"),
    ],
)
def test_one_that_cannot_be_asked_now_is_passed_over_with_the_reason(
    pool: Pool, add: Add, state: ProviderState, resting: bool, why: str
) -> None:
    bad = add("bad", priority=1)
    add("good")
    bad.state, bad.last_error = state, "it broke"
    bad.resting_until = time.time() + 60 if resting else 0.0
    found = candidates(pool, chat())
    assert [candidate.member.id for candidate in found.ordered] == ["good"]
    assert found.passed_over == (why,)


def test_one_that_is_switched_off_is_not_even_a_last_resort(pool: Pool, add: Add) -> None:
    add("attic").enabled = False
    with pytest.raises(UnavailableError, match="Attic: switched off for routing"):
        candidates(pool, chat())
    assert order(pool, pinned("attic")) == ["attic"]


def test_one_that_sleeps_and_can_be_woken_is_asked_in_its_turn(pool: Pool, add: Add) -> None:
    sleeper, other = add("sleeper", priority=1), add("other", priority=2)
    sleeper.state, sleeper.wake = ProviderState.OFFLINE, Wake(nothing, 1)
    assert order(pool) == ["sleeper", "other"]
    other.priority_override = 1
    assert order(pool) == ["other", "sleeper"]  # awake before asleep


# Rule 3: pins.


def test_a_pin_is_the_only_candidate(pool: Pool, add: Add) -> None:
    add("one", priority=1)
    add("two", priority=2)
    assert order(pool, pinned("two")) == ["two"]
    with pytest.raises(UnavailableError, match="gone"):
        candidates(pool, pinned("gone"))


def test_a_pinned_provider_is_asked_for_models_that_it_does_not_list(pool: Pool, add: Add) -> None:
    add("one")
    assert candidates(pool, pinned("one", model="hidden")).ordered[0].model == "hidden"


@pytest.mark.parametrize("name", ["attic", "Attic"])
def test_a_model_may_name_its_provider_by_id_or_name(pool: Pool, add: Add, name: str) -> None:
    add("cellar", models=["m", "org/m"], priority=1)
    add("attic", models=["m", "org/m"])
    for asked, model in ((f"{name}/m", "m"), (f"{name}/org/m", "org/m"), (f"{name}/auto", "m"), (f"{name}/", "m")):
        (candidate,) = candidates(pool, chat(model=asked)).ordered
        assert (candidate.member.id, candidate.model) == ("attic", model)


def test_a_name_with_a_slash_can_be_pinned_too(pool: Pool, add: Add) -> None:
    add("pc/gpu")
    assert order(pool, chat(model="pc/gpu/m")) == ["pc/gpu"]


def test_a_models_own_slash_goes_before_a_provider_of_that_name(pool: Pool, add: Add) -> None:
    add("meta", models=["llama"])
    add("attic", models=["meta/llama"])
    (candidate,) = candidates(pool, chat(model="meta/llama")).ordered
    assert (candidate.member.id, candidate.model) == ("attic", "meta/llama")


def test_a_pinned_provider_that_does_not_serve_the_model_is_not_replaced(pool: Pool, add: Add) -> None:
    add("attic", models=["m"])
    add("cellar", models=["other"])
    with pytest.raises(NotFoundError):
        candidates(pool, chat(model="attic/other-than-this"))


# A missing tag.


def test_a_missing_tag_means_latest(pool: Pool, add: Add) -> None:
    add("ollama", models=["llama3.2:latest", "qwen3:8b"], priority=1)
    add("other", models=["llama3.2"])
    for asked in ("llama3.2", "llama3.2:latest"):
        found = candidates(pool, chat(model=asked)).ordered
        assert [(candidate.member.id, candidate.model) for candidate in found] == [
            ("ollama", "llama3.2:latest"),
            ("other", "llama3.2"),
        ]
    with pytest.raises(NotFoundError):
        candidates(pool, chat(model="qwen3"))


def test_the_exact_tag_goes_before_latest(pool: Pool, add: Add) -> None:
    add("a", models=["m:latest", "m"])
    assert candidates(pool, chat(model="m")).ordered[0].model == "m"
    assert candidates(pool, chat(model="m:latest")).ordered[0].model == "m:latest"


# Rules 4 and 5: order.


def test_lower_priority_numbers_come_first_and_the_owners_count(pool: Pool, add: Add) -> None:
    add("c", priority=30)
    add("a", priority=10)
    add("b", priority=20)
    assert order(pool) == ["a", "b", "c"]
    member = pool.get("c")
    assert member is not None
    member.priority_override = 1
    assert order(pool) == ["c", "a", "b"]


def test_equals_are_asked_least_busy_first_and_then_in_turn(pool: Pool, add: Add) -> None:
    a, b, c = add("a"), add("b"), add("c")
    a.active, b.last_used, c.last_used = 1, 2, 1
    assert order(pool) == ["c", "b", "a"]


def test_busy_is_measured_against_capacity_where_it_is_known(pool: Pool, add: Add) -> None:
    small, large = add("small"), add("large")
    small.active, large.active = 1, 2
    large.status = ProviderStatus(queue=Queue(max_concurrent=8))
    assert order(pool) == ["large", "small"]


def test_the_healthy_come_before_the_degraded_of_equal_rank_only(pool: Pool, add: Add) -> None:
    slow, well = add("slow"), add("well")
    slow.state = ProviderState.DEGRADED
    assert order(pool) == ["well", "slow"]
    slow.priority_override = 1
    assert order(pool) == ["slow", "well"]
    assert well.online


def test_one_whose_places_are_taken_comes_after_those_with_a_free_one_whatever_its_rank(pool: Pool, add: Add) -> None:
    full, crowded, free = add("full", priority=1), add("crowded", priority=2), add("free", priority=3)
    full.limiter.limit, full.limiter.active = 1, 1
    crowded.limiter.limit, crowded.limiter.active, crowded.limiter.queue_length = 1, 1, 0
    assert order(pool) == ["free", "full", "crowded"]
    full.limiter.active = 0
    assert order(pool) == ["full", "free", "crowded"]
    assert free.limiter.free


def test_one_that_has_cost_its_months_limit_comes_last(pool: Pool, add: Add) -> None:
    spent, full = add("spent", priority=1), add("full", priority=2)
    spent.terms, spent.month_cost = Terms(monthly_limit=5), 4
    full.limiter.limit, full.limiter.active = 1, 1
    assert order(pool) == ["spent", "full"]
    spent.month_cost = 5
    assert order(pool) == ["full", "spent"]


def test_one_whose_breaker_is_open_is_only_a_last_resort(pool: Pool, add: Add) -> None:
    bad = add("bad", priority=1)
    for _ in range(3):
        bad.breaker.fail()
    assert order(pool) == ["bad"]
    add("good", priority=2)
    found = candidates(pool, chat())
    assert [candidate.member.id for candidate in found.ordered] == ["good"]
    assert found.passed_over == ("Bad: failed again and again, is left alone for 30 s",)


# Rule 8: never another model, unless asked for any.


def test_nobody_answers_for_a_model_that_he_does_not_serve(pool: Pool, add: Add) -> None:
    add("a", models=["m"])
    add("b", models=["other"])
    found = candidates(pool, chat(model="m"))
    assert [candidate.model for candidate in found.ordered] == ["m"]
    assert found.passed_over == ("B: does not serve m",)


def test_auto_takes_each_providers_best_model(pool: Pool, add: Add) -> None:
    add("a", models=["nomic-embed", "big"])
    add("b", models=[ModelInfo("cold", warm=False), ModelInfo("warm", warm=True)])
    found = candidates(pool, chat(model="auto"))
    assert [(candidate.member.id, candidate.model) for candidate in found.ordered] == [("a", "big"), ("b", "warm")]


def test_auto_takes_a_model_that_fits(pool: Pool, add: Add) -> None:
    blind = ModelInfo("blind", capabilities=frozenset({Capability.COMPLETION}))
    small = ModelInfo("small", context_window=10, capabilities=frozenset({Capability.COMPLETION, Capability.VISION}))
    add("a", models=[blind, small, ModelInfo("right", capabilities=frozenset({Capability.COMPLETION, Capability.VISION}))])
    assert candidates(pool, chat(model="auto", messages=IMAGE)).ordered[0].model == "right"


def test_auto_passes_over_who_has_nothing_for_it(pool: Pool, add: Add) -> None:
    add("embed", models=["nomic-embed"])
    add("unknown", models=[])
    with pytest.raises(UnavailableError) as refused:
        candidates(pool, chat(model="auto"))
    assert refused.value.details == ("Embed: has no model that can do this", "Unknown: its models are not known yet")


def test_one_whose_models_are_not_known_may_have_the_one_asked_for(pool: Pool, add: Add) -> None:
    add("unknown", models=[])
    assert order(pool, chat(model="m")) == ["unknown"]


# Rule 9: the last resort, and reasons.


def test_when_nobody_is_ready_the_resting_and_the_dead_are_tried_likeliest_first(pool: Pool, add: Add) -> None:
    members = [add(name) for name in ("refused", "dead", "slow", "resting")]
    for member, state in zip(
        members, [ProviderState.UNAUTHORIZED, ProviderState.OFFLINE, ProviderState.DEGRADED, ProviderState.HEALTHY], strict=True
    ):
        member.state, member.resting_until = state, time.time() + 60
    add("unable", capabilities=TEXT_ONLY - {Capability.COMPLETION})
    found = candidates(pool, chat())
    assert [candidate.member.id for candidate in found.ordered] == ["resting", "slow", "dead", "refused"]
    assert found.passed_over == ("Unable: cannot do completion",)


def test_without_any_provider_the_error_says_what_to_do(pool: Pool) -> None:
    with pytest.raises(UnavailableError, match="No provider is set up"):
        candidates(pool, chat())


def test_an_unknown_model_is_named_with_those_that_are_near(pool: Pool, add: Add) -> None:
    add("a", models=["qwen3:8b", "llama3.2"])
    with pytest.raises(NotFoundError, match=r"qwen3 is not known here\. Near: qwen3:8b") as refused:
        candidates(pool, chat(model="qwen3"))
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")
    assert refused.value.details == ("A: does not serve qwen3",)


def test_a_known_model_that_nobody_may_use_now_is_not_called_unknown(pool: Pool, add: Add) -> None:
    add("a", models=["m"], capabilities=TEXT_ONLY)
    add("b", models=["other"])
    with pytest.raises(InvalidRequestError) as refused:
        candidates(pool, chat(model="m", tools=[{"type": "function"}]))
    assert refused.value.details == ("A: cannot do tools", "B: does not serve m")


def test_an_unknown_model_stays_unknown_whatever_else_is_wrong(pool: Pool, add: Add) -> None:
    add("a", models=["m"], capabilities=TEXT_ONLY)
    with pytest.raises(NotFoundError):
        candidates(pool, chat(model="never-heard-of", tools=[{"type": "function"}]))


def test_every_backend_is_either_a_candidate_or_has_a_reason(pool: Pool, add: Add) -> None:
    add("fine")
    members: list[Member] = [add(name) for name in ("off", "away", "rest")]
    members[0].enabled = False
    members[1].state = ProviderState.OFFLINE
    members[2].resting_until = time.time() + 5
    add("blind", models=["other"])
    found = candidates(pool, chat())
    named = {candidate.member.name for candidate in found.ordered} | {reason.partition(":")[0] for reason in found.passed_over}
    assert named == {member.name for member in pool}
