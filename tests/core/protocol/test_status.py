"""Health and status, tolerantly in and exactly out."""

from hypothesis import given, strategies as st
import orjson
import pytest

from zeroconf_ai.protocol.status import Health, Period, ProviderStatus, Queue
from zeroconf_ai.protocol.usage import Usage
from zeroconf_ai.protocol.values import NANO

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["status", "queue", "usage", "today", "models", "id", "warm", "depth", "cost", "uptime_seconds", "currency"]
            ),
            inner,
        )
    ),
    max_leaves=15,
)


@given(anything)
def test_health_of_any_content_is_parsed_and_serializable(data: object) -> None:
    health = Health.parse(data)
    assert health.status in ("ok", "degraded", "unavailable")
    orjson.dumps(health.to_json())


@given(anything)
def test_status_of_any_object_is_parsed_and_serializable(data: object) -> None:
    if not isinstance(data, dict):
        with pytest.raises(TypeError):
            ProviderStatus.parse(data)
        return
    orjson.dumps(ProviderStatus.parse(data).to_json())


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"status": "ok"}, "ok"),
        ({"status": "Degraded"}, "degraded"),
        ({"status": "unavailable"}, "unavailable"),
        ({"status": "healthy"}, "ok"),
        ({}, "ok"),
        (None, "ok"),
        ([], "ok"),
    ],
)
def test_health_of_any_answer_is_ok_unless_stated(data: object, status: str) -> None:
    assert Health.parse(data).status == status


def test_health_contains_the_identity() -> None:
    health = Health("degraded", "ollama", "1.2", 12.5, "some-id")
    assert Health.parse(orjson.loads(orjson.dumps(health.to_json()))) == health


def test_status_complete_is_serialized_and_parsed_back() -> None:
    status = ProviderStatus(
        "some-id",
        "1.0",
        5231.0,
        Queue(2, 1, 4, 1.5),
        Period(12, Usage(3100, 900, cost=13_100_000), "EUR"),
        Period(24, Usage(6200, 1800)),
        None,
        frozenset({"a", "b"}),
    )
    assert ProviderStatus.parse(orjson.loads(orjson.dumps(status.to_json()))) == status


def test_status_example_of_the_protocol_is_parsed() -> None:
    status = ProviderStatus.parse(
        {
            "object": "status",
            "queue": {"depth": 0, "active": 1, "max_concurrent": 4, "estimated_wait_seconds": 0.0},
            "usage": {
                "today": {"requests": 12, "prompt_tokens": 3100, "completion_tokens": 900, "cost": 0.0131, "currency": "USD"}
            },
            "models": [{"id": "qwen3:8b", "warm": True, "active": 1}, {"id": "other"}],
        }
    )
    assert status.queue == Queue(0, 1, 4)
    assert status.today == Period(12, Usage(3100, 900, cost=round(0.0131 * NANO)))
    assert status.month is None
    assert status.warm_models == {"qwen3:8b"}


@pytest.mark.parametrize("currency", ["", "EURO", "1$", None, 5])
def test_status_invalid_currency_becomes_usd(currency: object) -> None:
    period = Period.parse({"currency": currency})
    assert period is not None
    assert period.currency == "USD"


def test_status_invalid_usage_and_queue_are_ignored() -> None:
    assert Queue.parse({"depth": -1, "active": "x", "max_concurrent": 1e99, "estimated_wait_seconds": -4}) == Queue()
    assert Queue.parse([]) is None
    assert Period.parse("x") is None
