"""What is remembered of the parameters that models have refused."""

from zeroconf_ai.backends.rejected_params import RejectedParams


def test_refused_parameters_of_a_model_add_up() -> None:
    rejected = RejectedParams()
    rejected.add("a", frozenset({"seed"}))
    rejected.add("a", frozenset({"top_k"}))
    assert rejected.of("a") == {"seed", "top_k"}
    assert rejected.of("b") == frozenset()


def test_refused_parameters_of_the_oldest_model_are_forgotten() -> None:
    rejected = RejectedParams()
    for number in range(1001):
        rejected.add(f"model-{number}", frozenset({"seed"}))
    assert rejected.of("model-0") == frozenset()
    assert rejected.of("model-1") == rejected.of("model-1000") == {"seed"}
