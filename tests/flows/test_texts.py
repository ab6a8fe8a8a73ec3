"""What no single flow shows of the texts: there is one for each problem and each value, and none too many."""

import re

from custom_components.zeroconf_ai.const import THINKING_MODES
from custom_components.zeroconf_ai.core.config.backend_types import BACKEND_TYPES
from custom_components.zeroconf_ai.core.protocol.record import Auth, Capability, Cost, Placement
from custom_components.zeroconf_ai.core.routing.policy import Strategy
from custom_components.zeroconf_ai.flows import (
    address,
    backend,
    backend_lines,
    backend_probe,
    connector,
    enroll,
    gateway,
    household_probe,
    model_options,
    networks,
    probe,
)

from ..support.home_assistant.flow_texts import TEXTS, texts_in

PROBLEMS = {value for name, value in vars(probe).items() if name.isupper() and isinstance(value, str)}
OF_ENROLMENT = {value for name, value in vars(enroll).items() if name.startswith("ENROLL_")}
OF_A_TOKEN = {household_probe.HOUSEHOLD_OLD, household_probe.HOUSEHOLD_UNPROVEN, household_probe.HOUSEHOLD_WRONG}
OF_THE_GATEWAY = {
    gateway.CERTIFICATE_UNUSABLE,
    networks.MAC_INVALID,
    networks.NETWORK_INVALID,
    networks.NETWORK_NEEDED,
    networks.NETWORK_NOT_PRIVATE,
    gateway.PORT_TAKEN,
    gateway.MTLS_NEEDS_TLS,
    backend_probe.NO_TLS,
}
OF_A_BACKEND = {
    probe.CANNOT_CONNECT,
    probe.INVALID_AUTH,
    probe.INVALID_CERTIFICATE,
    probe.INVALID_URL,
    probe.NEEDS_KEY,
    probe.NEEDS_TLS,
    probe.NOT_ALLOWED,
    probe.NOT_A_PROVIDER,
    backend_probe.ADDRESS_IN_USE,
    backend_probe.KEY_FOR_NEW_HOST,
    backend_probe.NO_TLS,
    backend_lines.ALIAS_INVALID,
    backend_lines.PRICES_INVALID,
    backend_lines.TOOL_PRICES_INVALID,
    backend_lines.HEADER_INVALID,
    model_options.KEEP_ALIVE_INVALID,
}


def test_flow_error_of_each_problem_has_a_text() -> None:
    assert len(PROBLEMS) > 10
    texts = TEXTS["config"]
    of_an_address = {"gone", address.NEEDS_KEY_NAMED, backend_probe.ADDRESS_IN_USE, model_options.KEEP_ALIVE_INVALID}
    of_a_connector = {connector.CODE_EXPIRED, connector.CODE_USED_UP, connector.CONNECTOR_FAILED}
    of_a_code = {household_probe.HOUSEHOLD_INVALID, household_probe.HOUSEHOLD_NEEDED}
    of_forms = OF_THE_GATEWAY | of_an_address | OF_A_TOKEN | of_a_code | of_a_connector | OF_ENROLMENT
    assert set(texts["error"]) == PROBLEMS | of_forms
    before_any_form = PROBLEMS - {probe.INVALID_URL, probe.MOVED, probe.NEEDS_KEY, probe.UNIQUE_ID_MISMATCH}
    others = {"already_configured", "follows_advertisement", "own_advertisement", "foreign_loopback", "gone", "too_many_cards"}
    others |= {"backend_gone", "backend_reauthenticated", "gateway_exists", "connector_has_no_address", connector.KEY_FILE}
    assert set(texts["abort"]) == before_any_form | others
    of_an_advertisement = {probe.INVALID_URL, probe.MOVED, probe.INVALID_RECORD, probe.IDENTITY_MISMATCH}
    assert set(TEXTS["issues"]["identity_changed"]["fix_flow"]["error"]) == (PROBLEMS - of_an_advertisement) | OF_A_TOKEN


def test_backend_error_of_each_problem_has_a_text() -> None:
    assert set(TEXTS["config_subentries"]["backend"]["error"]) == OF_A_BACKEND


def test_backend_step_of_each_type_has_a_text() -> None:
    steps = TEXTS["config_subentries"]["backend"]["step"]
    assert set(steps) == {"user", "reconfigure", "details", *backend.TYPES}
    assert set(steps["user"]["menu_options"]) == set(backend.TYPES) == set(BACKEND_TYPES) - {"zeroconfai"}


def test_selector_option_of_each_protocol_value_has_a_text() -> None:
    selectors = TEXTS["selector"]
    assert set(selectors["cost"]["options"]) == set(selectors["backend_cost"]["options"]) == set(Cost)
    assert set(selectors["auth"]["options"]) == set(Auth)
    assert set(selectors["strategy"]["options"]) == set(Strategy)
    assert set(selectors["capability"]["options"]) == set(Capability)
    assert set(selectors["placement"]["options"]) == set(Placement)
    assert set(selectors["thinking"]["options"]) == set(THINKING_MODES)


def test_menu_title_contains_no_placeholder() -> None:
    menus = [
        step
        for flow in ("config", "options")
        for step in TEXTS[flow]["step"].values()
        if "menu_options" in step  # a step of one id may be a menu in one flow and a form in another
    ]
    assert len(menus) >= 3
    assert not [step["title"] for step in menus if "{" in step["title"]]


def test_form_text_rendered_as_markdown_contains_no_error_reason() -> None:
    rendered = [
        (path, text)
        for path, text in texts_in(TEXTS)
        if re.search(r"\.step\..*(description|data_description)(\.|$)", path) and "{reason}" in text
    ]
    assert not rendered
