"""The import of a file of providers, in the options of the gateway."""

import asyncio

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.const import CONF_AUTH, CONF_STRATEGY, CONF_VIRTUAL_MODELS, SUBENTRY_BACKEND
from custom_components.zeroconf_ai.core.routing.policy import DEFAULT_VIRTUAL_MODELS
from custom_components.zeroconf_ai.data import DATA
from custom_components.zeroconf_ai.gateway.backend_storage import config_of
from custom_components.zeroconf_ai.gateway.coordinators import BackendCoordinators
from custom_components.zeroconf_ai.gateway.members import GatewayMembers
from custom_components.zeroconf_ai.gateway.runtime import GatewayRuntime
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from ..support.clouds.ollama import FakeOllama
from ..support.waiting import until
from .options import begin, submit

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")
YAML = """
providers:
  - id: attic
    name: The attic
    type: ollama
    endpoint: {attic}
    priority: 20
  - id: cloud
    type: openai
    authSecret: sk-canary-0123456789
    enabled: {enabled}
"""


async def test_import_adds_backends_and_updates_them_by_id(
    hass: HomeAssistant, gateway: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with FakeOllama() as first, FakeOllama() as second:
        result = await begin(hass, gateway, "import")
        result = await submit(hass, result, {"yaml": YAML.format(attic=first.root, enabled="false")})
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "imported")
        assert result["description_placeholders"] == {"added": "1", "updated": "0"}
        (attic,) = gateway.get_subentries_of_type(SUBENTRY_BACKEND)
        assert (attic.title, attic.unique_id) == ("The attic", "attic")
        assert attic.data == {"type": "ollama", "base_url": first.root, "priority": 20}

        text = YAML.format(attic=second.root, enabled="false") + "routing:\n  strategy: cost\n"
        result = await submit(hass, await begin(hass, gateway, "import"), {"yaml": text})
        assert result["description_placeholders"] == {"added": "0", "updated": "1"}
        await hass.async_block_till_done()
        (same,) = gateway.get_subentries_of_type(SUBENTRY_BACKEND)
        assert (same.subentry_id, config_of(same).endpoint) == (attic.subentry_id, second.root)
        assert (gateway.options[CONF_STRATEGY], gateway.options[CONF_AUTH]) == ("cost", "token")
        assert CONF_VIRTUAL_MODELS not in gateway.options
    assert "canary" not in caplog.text


async def test_import_of_many_backends_is_applied_in_steps_and_not_once_for_each(
    hass: HomeAssistant, gateway: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work is counted, not time: with 400 backends Home Assistant stood still for minutes."""
    count = 40
    applied, turns, added_in = 0, 0, []
    apply_options, add = GatewayRuntime.apply_options, BackendCoordinators._add
    member_checks: list[str] = []
    on_member = GatewayMembers._on_member

    async def counted_options(self: GatewayRuntime) -> None:
        nonlocal applied
        applied += 1
        await apply_options(self)

    def counted_add(self: BackendCoordinators, subentry: ConfigSubentry) -> None:
        added_in.append(turns)
        add(self, subentry)

    def counted_member(self: GatewayMembers, backend_id: str, event: object) -> None:
        member_checks.append(backend_id)
        on_member(self, backend_id, event)

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(GatewayRuntime, "apply_options", counted_options)
    monkeypatch.setattr(BackendCoordinators, "_add", counted_add)
    monkeypatch.setattr(GatewayMembers, "_on_member", counted_member)
    text = "providers:\n" + "".join(
        f"  - id: p{number}\n    type: ollama\n    endpoint: http://127.0.0.1:9/\n" for number in range(count)
    )
    turning = asyncio.create_task(count_turns())
    result = await submit(hass, await begin(hass, gateway, "import"), {"yaml": text})
    assert result["description_placeholders"] == {"added": str(count), "updated": "0"}
    await until(lambda: len(set(member_checks)) >= count)
    turning.cancel()
    await hass.async_block_till_done()
    assert applied <= 6
    assert len(added_in) == len(set(added_in)) == count
    assert len(member_checks) <= 6 * count
    titles = [subentry.title for subentry in gateway.get_subentries_of_type(SUBENTRY_BACKEND)]
    assert titles[:2] == ["Ollama", "Ollama (p1)"]
    assert len(set(titles)) == count
    result = await submit(hass, await begin(hass, gateway, "import"), {"yaml": text})
    assert result["description_placeholders"] == {"added": "0", "updated": str(count)}
    assert [subentry.title for subentry in gateway.get_subentries_of_type(SUBENTRY_BACKEND)] == titles
    await hass.async_block_till_done()


async def test_import_replaces_the_exchange_rates_by_those_of_a_file(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    for text, expected in (("", None), ("currency: CHF\nexchangeRates: {USD: 0.8}\n", "CHF"), ("", "CHF")):
        result = await begin(hass, gateway, "import")
        await submit(hass, result, {"yaml": f"{text}providers:\n  - {{id: attic, type: ollama}}\n"})
        await hass.async_block_till_done()
        assert hass.data[DATA].engine.exchange.currency == expected
    assert hass.data[DATA].engine.exchange.rates == {"USD": 0.8}


async def test_import_adds_model_aliases(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    async with FakeOllama() as ollama:
        text = YAML.format(attic=ollama.root, enabled="false") + "models:\n  gpt-4o: [qwen3:8b, auto]\n"
        result = await submit(hass, await begin(hass, gateway, "import"), {"yaml": text})
        assert result["reason"] == "imported"
        await hass.async_block_till_done()
        assert set(gateway.options[CONF_VIRTUAL_MODELS]) == {*DEFAULT_VIRTUAL_MODELS, "gpt-4o"}
        assert gateway.options[CONF_VIRTUAL_MODELS]["gpt-4o"]["targets"] == ["qwen3:8b", "auto"]


async def test_import_with_an_error_shows_the_line_and_changes_nothing(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    wrong = YAML.format(attic="http://192.0.2.20:11434", enabled="perhaps")
    result = await submit(hass, await begin(hass, gateway, "import"), {"yaml": wrong})
    assert result["errors"] == {"base": "config_invalid"}
    placeholders = result["description_placeholders"]
    assert placeholders["reason"].startswith("YAML:11:")
    assert "canary" not in placeholders["reason"]
    assert gateway.get_subentries_of_type(SUBENTRY_BACKEND) == []


async def test_import_nested_too_deeply_is_refused_with_the_position(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    result = await submit(hass, await begin(hass, gateway, "import"), {"yaml": "providers: " + "[" * 500 + "]" * 500})
    assert result["errors"] == {"base": "config_invalid"}
    assert result["description_placeholders"]["reason"].startswith("YAML:1:75: no valid YAML: nested deeper than 64 levels")


async def test_import_with_an_environment_variable_is_refused(
    hass: HomeAssistant, gateway: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_SECRET", "sk-canary-0123456789")
    text = "providers:\n  - id: cloud\n    type: openai\n    authSecret: ${CANARY_SECRET}\n"
    result = await submit(hass, await begin(hass, gateway, "import"), {"yaml": text})
    assert result["errors"] == {"base": "config_invalid"}
    assert gateway.get_subentries_of_type(SUBENTRY_BACKEND) == []
