"""What no single flow shows of the texts: there is one for each problem and each value, and none too many."""

from custom_components.zeroconf_ai import flow_probe
from custom_components.zeroconf_ai.const import THINKING_MODES
from custom_components.zeroconf_ai.core.protocol.record import Capability, Cost, Placement

from .flow_texts import TEXTS

PROBLEMS = {value for name, value in vars(flow_probe).items() if name.isupper() and isinstance(value, str)}


def test_each_problem_has_a_text_wherever_it_can_come_up() -> None:
    assert len(PROBLEMS) > 10
    texts = TEXTS["config"]
    assert set(texts["error"]) == PROBLEMS | {"gone"}
    before_any_form = PROBLEMS - {flow_probe.INVALID_URL, flow_probe.MOVED, flow_probe.NEEDS_KEY, flow_probe.UNIQUE_ID_MISMATCH}
    others = {"already_configured", "follows_advertisement", "own_advertisement"}
    assert set(texts["abort"]) == before_any_form | others
    of_an_advertisement = {flow_probe.INVALID_URL, flow_probe.MOVED, flow_probe.INVALID_RECORD, flow_probe.IDENTITY_MISMATCH}
    assert set(TEXTS["issues"]["identity_changed"]["fix_flow"]["error"]) == PROBLEMS - of_an_advertisement


def test_each_value_of_the_protocol_has_a_name() -> None:
    selectors = TEXTS["selector"]
    assert set(selectors["cost"]["options"]) == set(Cost)
    assert set(selectors["capability"]["options"]) == set(Capability)
    assert set(selectors["placement"]["options"]) == set(Placement)
    assert set(selectors["thinking"]["options"]) == set(THINKING_MODES)
