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
def test_any_health_is_read_and_can_be_sent_on(data: object) -> None:
    health = Health.parse(data)
    assert health.status in ("ok", "degraded", "unavailable")
    orjson.dumps(health.to_json())


@given(anything)
def test_any_status_that_is_an_object_is_read_and_can_be_sent_on(data: object) -> None:
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
def test_a_server_that_answers_at_all_is_well_unless_it_says_otherwise(data: object, status: str) -> None:
    assert Health.parse(data).status == status


def test_health_says_who_answers() -> None:
    health = Health("degraded", "ollama", "1.2", 12.5, "some-id")
    assert Health.parse(orjson.loads(orjson.dumps(health.to_json()))) == health


def test_a_whole_status_is_written_as_it_is_read() -> None:
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


def test_the_protocols_example_is_understood() -> None:
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
def test_a_currency_that_is_none_reads_as_dollars(currency: object) -> None:
    period = Period.parse({"currency": currency})
    assert period is not None
    assert period.currency == "USD"


def test_usage_and_queue_of_odd_values_count_as_nothing() -> None:
    assert Queue.parse({"depth": -1, "active": "2", "max_concurrent": 1e99, "estimated_wait_seconds": -4}) == Queue()
    assert Queue.parse([]) is None
    assert Period.parse("x") is None
