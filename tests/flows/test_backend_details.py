"""The settings of a backend that are entered in the second form."""

from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.gateway.backend_storage import config_of
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from ..support.clouds.ollama import FakeOllama
from ..support.clouds.openai import FakeOpenAI
from ..support.home_assistant.backend_flow import at, backends, begin, change, details, submit

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")

KEY = "sk-canary-0123456789"
TLS_ON = {"verify_ssl": True}


async def test_backend_form_invalid_alias_shows_its_line(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    async with FakeOllama() as ollama:
        result = await submit(hass, await begin(hass, gateway, "ollama"), at(ollama.root))
        for wrong, line in (("a = b\nc", "2"), ("a = b\n\na = c", "3"), ("= b", "1")):
            result = await submit(hass, result, details(aliases=wrong))
            assert (result["errors"], result["description_placeholders"]["reason"]) == ({"base": "alias_invalid"}, line)
        assert (await submit(hass, result, details()))["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    ("typed", "stored", "shown"),
    [
        (
            "a = 2.5 / 10\n\nb=0.1/0.2/0.05/0.3",
            {
                "a": {"input_price": 2.5, "output_price": 10},
                "b": {"input_price": 0.1, "output_price": 0.2, "cached_price": 0.05, "reasoning_price": 0.3},
            },
            "a = 2.5 / 10\nb = 0.1 / 0.2 / 0.05 / 0.3",
        ),
        ("a = 0.002 per 1k", {"a": {"input_price": 2, "output_price": 2}}, "a = 2 / 2"),
        (
            "x=y = 1 / 2 / - / 0 EUR",
            {"x=y": {"input_price": 1, "output_price": 2, "reasoning_price": 0, "currency": "EUR"}},
            "x=y = 1 / 2 / - / 0 EUR",
        ),
        ("tiny = 0.00000002 / 0", {"tiny": {"input_price": 2e-8, "output_price": 0}}, "tiny = 0.00000002 / 0"),
    ],
)
async def test_backend_form_model_prices_are_read_and_shown_as_lines(
    hass: HomeAssistant, gateway: MockConfigEntry, typed: str, stored: dict[str, Any], shown: str
) -> None:
    async with FakeOllama() as ollama:
        result = await submit(hass, await begin(hass, gateway, "ollama"), at(ollama.root))
        result = await submit(hass, result, details(prices=typed))
        assert result["type"] is FlowResultType.CREATE_ENTRY
        (subentry,) = backends(gateway)
        assert subentry.data["prices"] == stored
        prices = config_of(subentry).prices
        assert {model: (rates.input, rates.output) for model, rates in prices.items()} == {
            model: (round(rates["input_price"] * 10**9), round(rates["output_price"] * 10**9)) for model, rates in stored.items()
        }
        result = await submit(hass, await change(hass, gateway, subentry), at(ollama.root))
        form = result["data_schema"].schema["costs"].schema.schema
        (field,) = [field for field in form if field == "prices"]
        assert field.description["suggested_value"] == shown
        await submit(hass, result, details(prices=shown))
        await hass.async_block_till_done()
    assert gateway.subentries[subentry.subentry_id].data["prices"] == stored


async def test_backend_form_invalid_price_shows_its_line(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    wrong = [
        ("a = 1 / 2\nb", "2"),
        ("a = 1", "1"),
        ("a = 1 / 2\n\na = 1 / 2", "3"),
        ("a = 1 / -2", "1"),
        ("a = 1 / 2 / 3 / 4 / 5 / 6 / 7 / 8", "1"),
        ("a = - / 2", "1"),
        ("a = 1e9 / 2", "1"),
        ("a = 1 / nan", "1"),
        ("a = 1000000 / 1", "1"),
        ("a = x per 1k", "1"),
        ("* = 1 / 2", "1"),
        ("= 1 / 2", "1"),
        ("a = 1 / 2 euro", "1"),
    ]
    async with FakeOllama() as ollama:
        result = await submit(hass, await begin(hass, gateway, "ollama"), at(ollama.root))
        for typed, line in wrong:
            result = await submit(hass, result, details(prices=typed))
            assert (result["errors"], result["description_placeholders"]["reason"]) == ({"base": "prices_invalid"}, line), typed
        assert (await submit(hass, result, details()))["type"] is FlowResultType.CREATE_ENTRY


async def test_backend_form_prices_of_hosted_tools_are_stored_and_checked(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    async with FakeOpenAI(key=KEY) as cloud:
        result = await submit(hass, await begin(hass, gateway, "openai"), at(cloud.base_url, KEY))
        for typed, line in [
            ("web_search = x", "1"),
            ("mcp = 0\nserach = 1", "2"),
            ("mcp", "1"),
            ("mcp = -1", "1"),
            ("mcp = nan", "1"),
        ]:
            result = await submit(hass, result, details(hosted_tool_prices=typed))
            assert (result["errors"], result["description_placeholders"]["reason"]) == ({"base": "tool_prices_invalid"}, line)
        made = await submit(hass, result, details(hosted_tool_prices="web_search = 0.008\nmcp = 0"))
        assert made["type"] is FlowResultType.CREATE_ENTRY
    (backend,) = gateway.get_subentries_of_type("backend")
    assert backend.data["hosted_tool_prices"] == {"web_search": 0.008, "mcp": 0}
    async with FakeOllama() as ollama:
        result = await submit(hass, await begin(hass, gateway, "ollama"), at(ollama.root))
        assert "hosted_tool_prices" not in result["data_schema"].schema


async def test_backend_form_has_power_fields_only_for_local_backends(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    fields: dict[str, Any] = {"power_sensor": "sensor.attic_power", "idle_power": 40, "electricity_price": 0.3}
    async with FakeOpenAI(key=KEY) as cloud:
        result = await submit(hass, await begin(hass, gateway, "openai"), at(cloud.base_url, KEY))
        assert "energy" not in result["data_schema"].schema
    async with FakeOllama() as ollama:
        result = await submit(hass, await begin(hass, gateway, "ollama"), at(ollama.root))
        result = await submit(hass, result, details(**fields))
        assert result["type"] is FlowResultType.CREATE_ENTRY
        (subentry,) = backends(gateway)
        assert fields.items() <= subentry.data.items()
        result = await submit(hass, await change(hass, gateway, subentry), at(ollama.root))
        await submit(hass, result, details())  # all of it taken out again
        await hass.async_block_till_done()
    assert not fields.keys() & gateway.subentries[subentry.subentry_id].data.keys()
