"""The targets of `scripts/fuzz`, each with some hundred inputs."""

from fuzz.mutations import inputs
from fuzz.targets import TARGETS
from hypothesis import HealthCheck, given, settings
import pytest

EXAMPLES = 150


@pytest.mark.parametrize("name", TARGETS)
def test_odd_bytes_are_read_or_refused_by_a_documented_error(name: str) -> None:
    target = TARGETS[name]
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run = given(inputs(target.examples))(target.run)
    settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=checks)(run)()
