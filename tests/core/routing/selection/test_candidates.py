"""Candidates, their order and rejection reasons (docs/protocol.md, section 3, rules 1 to 5, 8 and 9)."""

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
from zeroconf_ai.routing.pool.member import Member, Wake
from zeroconf_ai.routing.pool.pool import Pool
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


def test_candidates_without_tools_are_skipped_for_tools(pool: Pool, add: Add) -> None:
    add("plain", capabilities=TEXT_ONLY)
    add("able", capabilities=TEXT_ONLY | {Capability.TOOLS})
    add("silent")
    found = candidates(pool, chat(tools=[{"type": "function"}]))
    assert [candidate.member.id for candidate in found.ordered] == ["able", "silent"]
    assert found.passed_over == ("Plain: cannot do tools",)


def test_candidates_without_vision_are_skipped_for_images(pool: Pool, add: Add) -> None:
    add("blind", models=[ModelInfo("m", capabilities=frozenset({Capability.COMPLETION}))])
    add("seeing", models=[ModelInfo("m", capabilities=frozenset({Capability.COMPLETION, Capability.VISION}))])
    found = candidates(pool, chat(messages=IMAGE))
    assert [candidate.member.id for candidate in found.ordered] == ["seeing"]
    assert found.passed_over == ("Blind: its model m cannot do vision",)


def test_candidates_for_an_unsupported_capability_are_a_client_error(pool: Pool, add: Add) -> None:
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
    with pytest.raises(UnavailableError, match="Off: disabled"):
        candidates(pool, chat(tools=[{"type": "function"}]))


def test_candidates_offline_but_capable_are_tried(pool: Pool, add: Add) -> None:
    add("blind", models=[ModelInfo("m", capabilities=frozenset({Capability.COMPLETION}))])
    seeing = add("seeing", models=[ModelInfo("m", capabilities=frozenset({Capability.COMPLETION, Capability.VISION}))])
    seeing.state = ProviderState.OFFLINE
    assert order(pool, chat(messages=IMAGE)) == ["seeing"]


def test_candidates_for_auto_report_a_prompt_too_long_for_all(pool: Pool, add: Add) -> None:
    add("a", models=[ModelInfo("m", context_window=100), ModelInfo("n", context_window=200)])
    with pytest.raises(InvalidRequestError, match="about 1000 tokens exceeds its 200") as caught:
        candidates(pool, chat(model="auto", messages=[{"role": "user", "content": "x" * 4000}]))
    assert caught.value.code == "context_length_exceeded"


def test_candidates_prompt_too_long_for_all_is_a_client_error(pool: Pool, add: Add) -> None:
    add("short", models=[ModelInfo("m", context_window=100)])
    with pytest.raises(InvalidRequestError, match="Shorten it") as caught:
        candidates(pool, chat(messages=[{"role": "user", "content": "x" * 4000}]))
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, "context_length_exceeded", "messages")


def test_candidates_with_a_small_context_are_skipped_with_numbers(pool: Pool, add: Add) -> None:
    add("short", models=[ModelInfo("m", context_window=100)])
    add("long", models=[ModelInfo("m", context_window=100_000)])
    found = candidates(pool, chat(messages=[{"role": "user", "content": "x" * 4000}]))
    assert [candidate.member.id for candidate in found.ordered] == ["long"]
    assert found.passed_over == ("Short: the prompt of about 1000 tokens exceeds its 100",)


def test_candidates_without_json_are_not_skipped(pool: Pool, add: Add) -> None:
    add("plain", capabilities=TEXT_ONLY, models=[ModelInfo("m", capabilities=frozenset({Capability.COMPLETION}))])
    assert order(pool, chat(response_format={"type": "json_object"})) == ["plain"]


def test_candidates_for_embeddings_are_backends_with_an_embedding_model(pool: Pool, add: Add) -> None:
    add("chat", models=["m"])
    add("embed", models=["nomic-embed"])
    request = Request.parse(Kind.EMBEDDINGS, {"input": "Hi", "model": "nomic-embed"})
    assert order(pool, request) == ["embed"]
    found = candidates(pool, Request.parse(Kind.EMBEDDINGS, {"input": "Hi"}))
    assert [(candidate.member.id, candidate.model) for candidate in found.ordered] == [("embed", "nomic-embed")]


# Rule 2: unavailable backends.


@pytest.mark.parametrize(
    ("state", "resting", "why"),
    [
        (ProviderState.OFFLINE, False, "Bad: offline"),
        (ProviderState.UNAUTHORIZED, False, "Bad: it rejects its API key"),
        (ProviderState.HEALTHY, True, "Bad: it asked for a pause of 60 s"),
    ],
)
def test_candidates_unavailable_are_skipped_with_the_reason(
    pool: Pool, add: Add, state: ProviderState, resting: bool, why: str
) -> None:
    bad = add("bad", priority=1)
    add("good")
    bad.state, bad.last_error = state, "it broke"
    bad.resting_until = time.monotonic() + 60 if resting else 0.0
    found = candidates(pool, chat())
    assert [candidate.member.id for candidate in found.ordered] == ["good"]
    assert found.passed_over == (why,)


def test_candidates_disabled_are_no_last_resort(pool: Pool, add: Add) -> None:
    add("attic").enabled = False
    with pytest.raises(UnavailableError, match="Attic: disabled for routing"):
        candidates(pool, chat())
    assert order(pool, pinned("attic")) == ["attic"]


def test_candidates_that_can_be_woken_keep_their_order(pool: Pool, add: Add) -> None:
    sleeper, other = add("sleeper", priority=1), add("other", priority=2)
    sleeper.state, sleeper.wake = ProviderState.OFFLINE, Wake(nothing, 1)
    assert order(pool) == ["sleeper", "other"]
    other.priority_override = 1
    assert order(pool) == ["other", "sleeper"]  # awake before asleep


# Rule 3: pins.


def test_candidates_of_a_pin_are_the_pinned_provider_only(pool: Pool, add: Add) -> None:
    add("one", priority=1)
    add("two", priority=2)
    assert order(pool, pinned("two")) == ["two"]
    with pytest.raises(UnavailableError, match="gone"):
        candidates(pool, pinned("gone"))


def test_candidates_of_a_pin_include_unlisted_models(pool: Pool, add: Add) -> None:
    add("one")
    assert candidates(pool, pinned("one", model="hidden")).ordered[0].model == "hidden"


@pytest.mark.parametrize("name", ["attic", "Attic"])
def test_candidates_with_a_provider_prefix_are_found_by_id_or_name(pool: Pool, add: Add, name: str) -> None:
    add("cellar", models=["m", "org/m"], priority=1)
    add("attic", models=["m", "org/m"])
    for asked, model in ((f"{name}/m", "m"), (f"{name}/org/m", "org/m"), (f"{name}/auto", "m"), (f"{name}/", "m")):
        (candidate,) = candidates(pool, chat(model=asked)).ordered
        assert (candidate.member.id, candidate.model) == ("attic", model)


def test_candidates_with_a_slash_in_the_providers_name_can_be_pinned(pool: Pool, add: Add) -> None:
    add("pc/gpu")
    assert order(pool, chat(model="pc/gpu/m")) == ["pc/gpu"]


def test_candidates_model_with_a_slash_precedes_a_provider_prefix(pool: Pool, add: Add) -> None:
    add("meta", models=["llama"])
    add("attic", models=["meta/llama"])
    (candidate,) = candidates(pool, chat(model="meta/llama")).ordered
    assert (candidate.member.id, candidate.model) == ("attic", "meta/llama")


def test_candidates_of_a_pin_without_the_model_are_a_not_found_error(pool: Pool, add: Add) -> None:
    add("attic", models=["m"])
    add("cellar", models=["other"])
    with pytest.raises(NotFoundError):
        candidates(pool, chat(model="attic/other-than-this"))


# A missing tag.


def test_candidates_without_a_tag_include_latest(pool: Pool, add: Add) -> None:
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


def test_candidates_with_the_exact_tag_precede_latest(pool: Pool, add: Add) -> None:
    add("a", models=["m:latest", "m"])
    assert candidates(pool, chat(model="m")).ordered[0].model == "m"
    assert candidates(pool, chat(model="m:latest")).ordered[0].model == "m:latest"


# Rules 4 and 5: order.


def test_order_lower_priority_is_first_and_the_override_applies(pool: Pool, add: Add) -> None:
    add("c", priority=30)
    add("a", priority=10)
    add("b", priority=20)
    assert order(pool) == ["a", "b", "c"]
    member = pool.get("c")
    assert member is not None
    member.priority_override = 1
    assert order(pool) == ["c", "a", "b"]


def test_order_of_equal_backends_is_least_busy_then_round_robin(pool: Pool, add: Add) -> None:
    a, b, c = add("a"), add("b"), add("c")
    a.active, b.last_used, c.last_used = 1, 2, 1
    assert order(pool) == ["c", "b", "a"]


def test_order_load_is_relative_to_known_capacity(pool: Pool, add: Add) -> None:
    small, large = add("small"), add("large")
    small.active, large.active = 1, 2
    large.status = ProviderStatus(queue=Queue(max_concurrent=8))
    assert order(pool) == ["large", "small"]


def test_order_healthy_precedes_degraded_of_equal_rank(pool: Pool, add: Add) -> None:
    slow, well = add("slow"), add("well")
    slow.state = ProviderState.DEGRADED
    assert order(pool) == ["well", "slow"]
    slow.priority_override = 1
    assert order(pool) == ["slow", "well"]
    assert well.online


def test_order_backends_without_free_permit_come_later(pool: Pool, add: Add) -> None:
    full, crowded, free = add("full", priority=1), add("crowded", priority=2), add("free", priority=3)
    full.limiter.limit, full.limiter.active = 1, 1
    crowded.limiter.limit, crowded.limiter.active, crowded.limiter.queue_length = 1, 1, 0
    assert order(pool) == ["free", "full", "crowded"]
    full.limiter.active = 0
    assert order(pool) == ["full", "free", "crowded"]
    assert free.limiter.free


def test_order_backends_at_their_monthly_limit_come_last(pool: Pool, add: Add) -> None:
    spent, full = add("spent", priority=1), add("full", priority=2)
    spent.terms, spent.month_cost = Terms(monthly_limit=5), 4
    full.limiter.limit, full.limiter.active = 1, 1
    assert order(pool) == ["spent", "full"]
    spent.month_cost = 5
    assert order(pool) == ["full", "spent"]


def test_order_backends_with_an_open_breaker_are_a_last_resort(pool: Pool, add: Add) -> None:
    bad = add("bad", priority=1)
    for _ in range(3):
        bad.breaker.fail()
    assert order(pool) == ["bad"]
    add("good", priority=2)
    found = candidates(pool, chat())
    assert [candidate.member.id for candidate in found.ordered] == ["good"]
    assert found.passed_over == ("Bad: failed repeatedly; next attempt in 30 s",)


# Rule 8: never another model, unless asked for any.


def test_candidates_without_the_model_are_skipped(pool: Pool, add: Add) -> None:
    add("a", models=["m"])
    add("b", models=["other"])
    found = candidates(pool, chat(model="m"))
    assert [candidate.model for candidate in found.ordered] == ["m"]
    assert found.passed_over == ("B: does not serve m",)


def test_auto_uses_each_providers_best_model(pool: Pool, add: Add) -> None:
    add("a", models=["nomic-embed", "big"])
    add("b", models=[ModelInfo("cold", warm=False), ModelInfo("warm", warm=True)])
    found = candidates(pool, chat(model="auto"))
    assert [(candidate.member.id, candidate.model) for candidate in found.ordered] == [("a", "big"), ("b", "warm")]


def test_auto_uses_a_suitable_model(pool: Pool, add: Add) -> None:
    blind = ModelInfo("blind", capabilities=frozenset({Capability.COMPLETION}))
    small = ModelInfo("small", context_window=10, capabilities=frozenset({Capability.COMPLETION, Capability.VISION}))
    add("a", models=[blind, small, ModelInfo("right", capabilities=frozenset({Capability.COMPLETION, Capability.VISION}))])
    assert candidates(pool, chat(model="auto", messages=IMAGE)).ordered[0].model == "right"


def test_auto_skips_backends_without_a_suitable_model(pool: Pool, add: Add) -> None:
    add("embed", models=["nomic-embed"])
    add("unknown", models=[])
    with pytest.raises(UnavailableError) as refused:
        candidates(pool, chat(model="auto"))
    assert refused.value.details == ("Embed: has no model that can do this", "Unknown: its models are not known yet")


def test_candidates_with_an_unknown_model_list_may_have_the_model(pool: Pool, add: Add) -> None:
    add("unknown", models=[])
    assert order(pool, chat(model="m")) == ["unknown"]


# Rule 9: the last resort, and reasons.


def test_last_resorts_are_ordered_by_likelihood(pool: Pool, add: Add) -> None:
    members = [add(name) for name in ("refused", "dead", "slow", "resting")]
    for member, state in zip(
        members, [ProviderState.UNAUTHORIZED, ProviderState.OFFLINE, ProviderState.DEGRADED, ProviderState.HEALTHY], strict=True
    ):
        member.state, member.resting_until = state, time.monotonic() + 60
    add("unable", capabilities=TEXT_ONLY - {Capability.COMPLETION})
    found = candidates(pool, chat())
    assert [candidate.member.id for candidate in found.ordered] == ["resting", "slow", "dead", "refused"]
    assert found.passed_over == ("Unable: cannot do completion",)


def test_candidates_without_any_provider_are_an_error_with_a_solution(pool: Pool) -> None:
    with pytest.raises(UnavailableError, match="No provider is set up"):
        candidates(pool, chat())


def test_unknown_model_error_lists_similar_models(pool: Pool, add: Add) -> None:
    add("a", models=["qwen3:8b", "llama3.2"])
    with pytest.raises(NotFoundError, match=r"qwen3 is not known here\. Near: qwen3:8b") as refused:
        candidates(pool, chat(model="qwen3"))
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")
    assert refused.value.details == ("A: does not serve qwen3",)


def test_known_model_unavailable_is_not_reported_as_unknown(pool: Pool, add: Add) -> None:
    add("a", models=["m"], capabilities=TEXT_ONLY)
    add("b", models=["other"])
    with pytest.raises(InvalidRequestError) as refused:
        candidates(pool, chat(model="m", tools=[{"type": "function"}]))
    assert refused.value.details == ("A: cannot do tools", "B: does not serve m")


def test_unknown_model_is_reported_before_other_reasons(pool: Pool, add: Add) -> None:
    add("a", models=["m"], capabilities=TEXT_ONLY)
    with pytest.raises(NotFoundError):
        candidates(pool, chat(model="never-heard-of", tools=[{"type": "function"}]))


def test_candidates_and_rejections_cover_all_backends(pool: Pool, add: Add) -> None:
    add("fine")
    members: list[Member] = [add(name) for name in ("off", "away", "rest")]
    members[0].enabled = False
    members[1].state = ProviderState.OFFLINE
    members[2].resting_until = time.monotonic() + 5
    add("blind", models=["other"])
    found = candidates(pool, chat())
    named = {candidate.member.name for candidate in found.ordered} | {reason.partition(":")[0] for reason in found.passed_over}
    assert named == {member.name for member in pool}
