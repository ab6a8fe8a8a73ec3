"""Responses of the last minutes may be continued (`previous_response_id`) and referred to (`item_reference`) by who got them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from zeroconf_ai.protocol.errors import InvalidRequestError
from zeroconf_ai.routing.caller import Caller, Source
from zeroconf_ai.server.recent_responses import KEPT_SECONDS, MAX_BYTES, MAX_ITEMS, MAX_RESPONSES, RecentResponses, owner_of

from ...support.fakes.provider import FakeProvider, text, tool_call
from ...support.sdks import gpt, response_events, scripted
from ...support.server import Served

OWNER = ("key", None, None)
LOOK: Any = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}, "strict": False}


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Served, FakeProvider]]:
    async with scripted(tool_call("look", "{}"), text("Dark.")) as running:
        yield running


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "test-model", "tools": [LOOK], **fields}


async def first_response(gateway: Served, **fields: Any) -> dict[str, Any]:
    events = await response_events(gateway, body(input="Look", **fields))
    response: dict[str, Any] = events[-1]["response"]
    assert response["store"] is False
    return response


RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "dark"}


async def test_previous_response_is_continued(pair: tuple[Served, FakeProvider]) -> None:
    gateway, provider = pair
    first = await first_response(gateway, instructions="Be brief.")
    async with (
        gpt(gateway) as client,
        client.responses.stream(**body(input=[RESULT], previous_response_id=first["id"])) as stream,
    ):
        second = await stream.get_final_response()
    assert second.previous_response_id == first["id"]
    messages = provider.requests[1]["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]  # instructions are not carried over
    await response_events(gateway, body(input="And now?", previous_response_id=second.id))
    assert [message["content"] for message in provider.requests[2]["messages"]] == ["Look", None, "dark", "Dark.", "And now?"]


async def test_item_references_are_resolved(pair: tuple[Served, FakeProvider]) -> None:
    """As the AI SDK sends them, by default."""
    gateway, provider = pair
    first = await first_response(gateway, store=True)
    [call] = first["output"]
    items = [{"role": "user", "content": "Look"}, {"type": "item_reference", "id": call["id"]}, RESULT]
    second = (await response_events(gateway, body(input=items)))[-1]["response"]
    items += [{"id": second["output"][0]["id"]}, {"role": "user", "content": "Sure?"}]
    await response_events(gateway, body(input=items))
    messages = provider.requests[2]["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant", "user"]
    assert messages[1]["tool_calls"][0]["id"] == "call_1"


async def test_response_that_must_not_be_stored_is_not_kept(pair: tuple[Served, FakeProvider]) -> None:
    gateway, _ = pair
    first = await first_response(gateway, store=False)
    assert len(gateway.gateway.recent_responses) == 0
    status, answer, _ = await gateway.ask("POST", "responses", json=body(input="x", previous_response_id=first["id"]))
    assert (status, answer["error"]["param"]) == (400, "previous_response_id")


async def test_reasoning_with_a_signature_is_continued_unchanged() -> None:
    signed = {"index": 0, "format": "anthropic-claude-v1", "type": "reasoning.text", "text": "Hm.", "signature": "seal"}
    thinks = tool_call("look", "{}")
    thinks[0]["choices"][0]["delta"] |= {"reasoning_content": "Hm.", "reasoning_details": [signed]}
    async with scripted(thinks, text("Dark.")) as (gateway, provider):
        first = await first_response(gateway)
        assert "encrypted_content" not in first["output"][0]
        await response_events(gateway, body(input=[RESULT], previous_response_id=first["id"]))
    assert provider.requests[1]["messages"][1]["reasoning_details"] == [signed]


def kept(count: int = 1, *, text: str = "Hi", items: int = 1, responses: RecentResponses | None = None) -> RecentResponses:
    """Responses `resp_0`… to requests with this text, each with items `msg_0`… or, if there are several, `msg_0_0`…."""
    if responses is None:
        responses = RecentResponses()
    for number in range(count):
        ids = [f"msg_{number}"] if items == 1 else [f"msg_{number}_{place}" for place in range(items)]
        output = [{"id": item_id, "type": "message"} for item_id in ids]
        responses.put(OWNER, [{"role": "user", "content": text}], {"id": f"resp_{number}"}, output)
    return responses


@pytest.mark.parametrize(
    "request_body", [{"previous_response_id": "resp_0"}, {"input": [{"type": "item_reference", "id": "msg_0"}]}]
)
@pytest.mark.parametrize("owner", [("other", None, None), (None, "user", None), (None, None, "192.0.2.1")])
def test_response_of_another_owner_is_unknown(owner: Any, request_body: Any) -> None:
    assert kept().resolve(OWNER, request_body)
    with pytest.raises(InvalidRequestError, match="not known here"):
        kept().resolve(owner, request_body)


def test_responses_are_bounded_in_number() -> None:
    responses = kept(MAX_RESPONSES + 5)
    assert len(responses) == MAX_RESPONSES
    with pytest.raises(InvalidRequestError, match=r"input\[0\].id"):
        responses.resolve(OWNER, {"input": [{"type": "item_reference", "id": "msg_4"}]})
    assert responses.resolve(OWNER, {"input": [{"type": "item_reference", "id": "msg_5"}]})


def test_responses_are_bounded_in_size() -> None:
    responses = kept(20, text="x" * (MAX_BYTES // 8))
    assert len(responses) == 7
    kept(1, text="x" * (MAX_BYTES // 4), responses=responses)
    assert len(responses) == 7
    assert responses.resolve(OWNER, {"previous_response_id": "resp_19"})


def test_responses_are_bounded_in_items() -> None:
    """Ids need more memory than their text."""
    responses = kept(10, items=MAX_ITEMS // 8)
    assert len(responses) == 8
    kept(1, items=MAX_ITEMS // 4 + 1, responses=responses)
    assert len(responses) == 8
    reference = {"type": "item_reference", "id": "msg_9_5"}
    assert responses.resolve(OWNER, {"input": [reference, reference]}) == [{"id": "msg_9_5", "type": "message"}] * 2


def test_response_is_forgotten_after_some_minutes() -> None:
    now = 0.0
    responses = kept(responses=RecentResponses(lambda: now))
    now = KEPT_SECONDS - 1
    assert responses.resolve(OWNER, {"previous_response_id": "resp_0", "input": "x"})
    now = KEPT_SECONDS + 1
    with pytest.raises(InvalidRequestError, match="previous_response_id"):
        responses.resolve(OWNER, {"previous_response_id": "resp_0", "input": "x"})
    assert len(responses) == 0


def test_owner_without_key_and_user_is_the_address() -> None:
    caller = Caller(Source.HTTP, address="192.0.2.1")
    assert owner_of(caller) == (None, None, "192.0.2.1")
