"""Backends of the gateway are added and changed: each is asked before it is saved, and no key goes where it does not belong."""

from collections.abc import Mapping
import json
from pathlib import Path
import ssl
from typing import Any

from aiohttp import web
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.const import SUBENTRY_BACKEND, SUBENTRY_CONVERSATION, SUBENTRY_HOME_AGENT
from custom_components.zeroconf_ai.core.config.backend_types import BACKEND_TYPES
from custom_components.zeroconf_ai.flows.backend import TYPES
from custom_components.zeroconf_ai.gateway.backend_storage import config_of
from homeassistant.config_entries import SOURCE_USER, ConfigSubentry, SubentryFlowContext
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import entity_registry as er

from ..support.clouds.anthropic import FakeAnthropic
from ..support.clouds.ollama import FakeOllama
from ..support.clouds.openai import FakeOpenAI
from ..support.fakes.provider import FakeProvider, running, serving
from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway_entry import backend_data, home_agent_data, make_gateway

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")

KEY = "sk-canary-0123456789"
TLS_ON = {"verify_ssl": True}


@pytest.fixture
async def gateway(hass: HomeAssistant, tmp_path: Path) -> MockConfigEntry:
    """A gateway that knows but its own home."""
    return await set_up(hass, make_gateway(tmp_path))


async def add(hass: HomeAssistant, entry: MockConfigEntry, subentry_type: str) -> Mapping[str, Any]:
    """Open the flow for a new subentry."""
    handler = (entry.entry_id, subentry_type)
    return await hass.config_entries.subentries.async_init(handler, context=SubentryFlowContext(source=SOURCE_USER))


async def change(hass: HomeAssistant, entry: MockConfigEntry, subentry: ConfigSubentry) -> Mapping[str, Any]:
    """Open the flow that changes a subentry."""
    return await entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)


async def begin(hass: HomeAssistant, entry: MockConfigEntry, kind: str) -> Mapping[str, Any]:
    """Open the flow for a new backend of a type."""
    result = await add(hass, entry, SUBENTRY_BACKEND)
    assert (result["type"], result["menu_options"]) == (FlowResultType.MENU, list(TYPES))
    return await submit(hass, result, {"next_step_id": kind})


async def submit(hass: HomeAssistant, result: Mapping[str, Any], fields: dict[str, Any]) -> Mapping[str, Any]:
    """Fill in what is shown."""
    return await hass.config_entries.subentries.async_configure(result["flow_id"], fields)


def at(url: str, key: str | None = None, *, verify: bool = True, **fields: Any) -> dict[str, Any]:
    """The filled-in first form."""
    keyed = {} if key is None else {"api_key": key}
    return {"base_url": url, **keyed, **fields, "advanced": {"verify_ssl": verify}}


def details(name: str = "Attic", models: list[str] | None = None, **advanced: Any) -> dict[str, Any]:
    """The filled-in second form."""
    usual = {"priority": 50, "weight": 1, "queue_length": 32, "first_token_timeout": 30, "answer_timeout": 300}
    return {"name": name, "models": models or [], "advanced": usual | advanced}


def offered(result: Mapping[str, Any], field: str) -> list[str]:
    """What a choice offers."""
    options: list[str] = result["data_schema"].schema[field].config["options"]
    return options


def backends(entry: MockConfigEntry) -> list[ConfigSubentry]:
    """The entry's backends."""
    return entry.get_subentries_of_type(SUBENTRY_BACKEND)


async def test_ollama_in_two_forms(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    async with FakeOllama() as ollama:
        result = await begin(hass, gateway, "ollama")
        assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "ollama")
        result = await submit(hass, result, at(ollama.root.removeprefix("http://")))
        assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "details")
        assert result["description_placeholders"] == {"reason": "", "type": "Ollama", "count": "4"}
        assert "qwen3:8b" in offered(result, "models")
        result = await submit(
            hass, result, details("Attic", ["qwen3:8b"], aliases="gpt-4o = qwen3:8b\n\n", max_concurrent=2, monthly_limit=2.5)
        )
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()
        (subentry,) = backends(gateway)
        assert subentry.title == "Attic"
        assert subentry.data == {
            "type": "ollama",
            "base_url": ollama.root,
            "models": ["qwen3:8b"],
            "aliases": {"gpt-4o": "qwen3:8b"},
            "priority": 50,
            "weight": 1,
            "queue_length": 32,
            "max_concurrent": 2,
            "monthly_limit": 2.5,
            "first_token_timeout": 30,
            "answer_timeout": 300,
        }
        config = config_of(subentry)
        assert (config.id, config.monthly_limit, config.max_concurrent) == (subentry.subentry_id, 2_500_000_000, 2)
        json.dumps(subentry.as_dict())


@pytest.mark.parametrize(("kind", "fake"), [("openai", FakeOpenAI), ("anthropic", FakeAnthropic)])
async def test_cloud_wants_its_key(
    hass: HomeAssistant, gateway: MockConfigEntry, caplog: pytest.LogCaptureFixture, kind: str, fake: Any
) -> None:
    caplog.set_level("DEBUG")
    async with fake(key=KEY) as cloud:
        result = await begin(hass, gateway, kind)
        result = await submit(hass, result, at(cloud.root, "sk-canary-wrong"))
        assert (result["step_id"], result["errors"]) == (kind, {"base": "invalid_auth"})
        assert "canary" not in str(result["description_placeholders"])
        result = await submit(hass, result, at(cloud.root, f" {KEY}\n"))
        assert result["step_id"] == "details"
        result = await submit(hass, result, details(kind, input_price=3, output_price="15"))
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()
    (subentry,) = backends(gateway)
    assert subentry.data["api_key"] == KEY
    assert subentry.data["base_url"] == cloud.base_url
    assert "canary" not in caplog.text


async def test_every_type_has_a_form_that_begins_where_it_usually_is(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    for kind in TYPES:
        result = await begin(hass, gateway, kind)
        assert (result["type"], result["step_id"]) == (FlowResultType.FORM, kind)
        fields = {str(field): field for field in result["data_schema"].schema}
        said = fields["base_url"].description
        assert (said["suggested_value"] if said else None) == BACKEND_TYPES[kind].endpoint
        assert ("headers" in fields) == (kind == "openai_compatible")
        hass.config_entries.subentries.async_abort(result["flow_id"])


async def test_own_headers_are_sent_and_never_shown(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    async with FakeOpenAI(key=None) as server:
        result = await begin(hass, gateway, "openai_compatible")
        result = await submit(hass, result, at(server.base_url, headers="X-Team: canary-home\nnonsense"))
        assert (result["errors"], result["description_placeholders"]["reason"]) == ({"base": "header_invalid"}, "2")
        result = await submit(hass, result, at(server.base_url, headers="X-Team: canary-home"))
        assert result["step_id"] == "details"
        assert server.last.headers["X-Team"] == "canary-home"
        await submit(hass, result, details())
        await hass.async_block_till_done()
        (subentry,) = backends(gateway)
        result = await change(hass, gateway, subentry)
        assert "canary" not in str(result["data_schema"].schema)
        result = await submit(hass, result, at(server.base_url, headers="X-Team: ***\nX-Room: attic"))
        assert server.last.headers["X-Team"] == "canary-home"
        await submit(hass, result, details())
        await hass.async_block_till_done()
    assert backends(gateway)[0].data["headers"] == {"X-Team": "canary-home", "X-Room": "attic"}


async def _page(_: web.BaseRequest) -> web.Response:
    return web.Response(text="<html>router</html>", content_type="text/html")


async def _missing(_: web.BaseRequest) -> web.Response:
    return web.json_response({"detail": "Not Found"}, status=404)


async def _forbidden(_: web.BaseRequest) -> web.Response:
    return web.json_response({"error": {"message": "not from there"}}, status=403)


async def _locked(_: web.BaseRequest) -> web.Response:
    return web.json_response({"error": {"message": "who are you?"}}, status=401)


@pytest.mark.parametrize(
    ("answer", "error"),
    [(_page, "not_a_provider"), (_missing, "not_a_provider"), (_forbidden, "not_allowed"), (_locked, "needs_key")],
)
async def test_what_answers_is_no_such_server(hass: HomeAssistant, gateway: MockConfigEntry, answer: Any, error: str) -> None:
    async with serving(answer) as port, FakeOpenAI(key=None) as good:
        result = await submit(hass, await begin(hass, gateway, "openai_compatible"), at(f"http://127.0.0.1:{port}/v1"))
        assert result["errors"] == {"base": error}
        assert (await submit(hass, result, at(good.base_url)))["step_id"] == "details"


async def test_nobody_there_nothing_typed_and_no_tls(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    async with FakeOllama() as ollama:
        result = await submit(hass, await begin(hass, gateway, "ollama"), at("http://"))
        assert result["errors"] == {"base": "invalid_url"}
        result = await submit(hass, result, at(ollama.root.replace("http:", "https:")))
        assert result["errors"] == {"base": "no_tls"}
    result = await submit(hass, result, at(ollama.root))
    assert result["errors"] == {"base": "cannot_connect"}
    assert backends(gateway) == []


@pytest.mark.parametrize("ending", ["", "/", "/api", "/v1", "/v1/models"])
async def test_any_form_of_ollamas_address_is_understood(hass: HomeAssistant, gateway: MockConfigEntry, ending: str) -> None:
    async with FakeOllama() as ollama:
        result = await submit(hass, await begin(hass, gateway, "ollama"), at(ollama.root + ending))
        assert result["step_id"] == "details"


async def test_second_of_a_type_is_welcome_and_the_same_twice_is_not(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    async with FakeOllama() as first, FakeOllama() as second:
        for ollama, name in ((first, "Ollama"), (second, "Ollama (127.0.0.1)")):
            result = await submit(hass, await begin(hass, gateway, "ollama"), at(ollama.root))
            assert next(field.default() for field in result["data_schema"].schema if field == "name") == name
            assert (await submit(hass, result, details(name)))["type"] is FlowResultType.CREATE_ENTRY
        result = await submit(hass, await begin(hass, gateway, "ollama"), at(f"{first.root}/"))
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert len(backends(gateway)) == 2


async def test_aliases_that_cannot_be_read(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
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
async def test_prices_of_single_models_are_lines(
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
        form = result["data_schema"].schema["advanced"].schema.schema
        (field,) = [field for field in form if field == "prices"]
        assert field.description["suggested_value"] == shown
        await submit(hass, result, details(prices=shown))
        await hass.async_block_till_done()
    assert gateway.subentries[subentry.subentry_id].data["prices"] == stored


async def test_prices_that_cannot_be_read(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    wrong = [
        ("a = 1 / 2\nb", "2"),
        ("a = 1", "1"),
        ("a = 1 / 2\n\na = 1 / 2", "3"),
        ("a = 1 / -2", "1"),
        ("a = 1 / 2 / 3 / 4 / 5 / 6 / 7", "1"),
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


async def test_machine_at_home_can_be_measured_and_a_cloud_cannot(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    fields: dict[str, Any] = {"power_sensor": "sensor.attic_power", "idle_power": 40, "electricity_price": 0.3}
    async with FakeOpenAI(key=KEY) as cloud:
        result = await submit(hass, await begin(hass, gateway, "openai"), at(cloud.base_url, KEY))
        assert "power_sensor" not in result["data_schema"].schema["advanced"].schema.schema
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


async def test_reconfigure_keeps_the_key_and_what_no_form_asks_for(hass: HomeAssistant, tmp_path: Path) -> None:
    async with FakeOpenAI(key=KEY) as cloud:
        stored: dict[str, Any] = {
            "aliases": {"big": "gpt-4.1"},
            "tags": ["work"],
            "max_concurrent": 3,
            "models": ["old"],
        }
        entry = await set_up(hass, make_gateway(tmp_path, backend_data("openai", cloud.base_url, api_key=KEY, **stored)))
        (subentry,) = backends(entry)
        result = await change(hass, entry, subentry)
        assert (result["step_id"], result["description_placeholders"]["name"]) == ("reconfigure", "Attic")
        assert KEY not in str(result["data_schema"].schema)
        result = await submit(hass, result, at(cloud.base_url))
        assert result["step_id"] == "details"
        assert "old" in offered(result, "models")
        result = await submit(hass, result, details("Cloud", aliases="small = o4-mini"))
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
        await hass.async_block_till_done()
    changed = entry.subentries[subentry.subentry_id]
    assert (changed.title, changed.data["api_key"], changed.data["tags"]) == ("Cloud", KEY, ["work"])
    assert changed.data["aliases"] == {"small": "o4-mini"}
    assert not {"max_concurrent", "models"} & changed.data.keys()


async def test_stored_key_does_not_go_to_another_host(hass: HomeAssistant, tmp_path: Path) -> None:
    async with FakeOpenAI(key=KEY) as cloud, FakeOpenAI(key="sk-canary-other") as other:
        entry = await set_up(hass, make_gateway(tmp_path, backend_data("openai", cloud.base_url, api_key=KEY)))
        (subentry,) = backends(entry)
        result = await change(hass, entry, subentry)
        result = await submit(hass, result, at(other.base_url))
        assert result["errors"] == {"base": "key_for_new_host"}
        assert other.received == []
        result = await submit(hass, result, at(other.base_url, "sk-canary-other"))
        assert result["step_id"] == "details"
        await submit(hass, result, details())
        await hass.async_block_till_done()
        assert entry.subentries[subentry.subentry_id].data["api_key"] == "sk-canary-other"
        assert all(KEY not in str(received.headers) for received in other.received)


async def test_unverified_certificate_only_where_the_owner_says_so(
    hass: HomeAssistant, certificate: ssl.SSLContext, tmp_path: Path
) -> None:
    # The server's side of a handshake that the client breaks off is no error of Home Assistant's.
    hass.loop.set_exception_handler(None)
    entry = make_gateway(tmp_path)
    entry.add_to_hass(hass)  # and not loaded: the flow itself asks, whatever the gateway does
    async with running(FakeProvider(ssl=certificate)) as server:
        result = await submit(hass, await begin(hass, entry, "openai_compatible"), at(server.base_url))
        assert result["errors"] == {"base": "invalid_certificate"}
        result = await submit(hass, result, at(server.base_url, verify=False))
        await submit(hass, result, details())
    (subentry,) = backends(entry)
    assert subentry.data["verify_ssl"] is False
    assert config_of(subentry).verify_ssl is False


async def test_agent_of_this_home_is_shared_once(hass: HomeAssistant, gateway: MockConfigEntry) -> None:
    registry = er.async_get(hass)
    other = registry.async_get_or_create("conversation", "other", "butler", suggested_object_id="butler")
    registry.async_get_or_create("conversation", "zeroconf_ai", "own", suggested_object_id="own")
    hass.states.async_set(other.entity_id, "idle", {"friendly_name": "Butler"})
    result = await add(hass, gateway, SUBENTRY_HOME_AGENT)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "user")
    assert "conversation.own" in result["data_schema"].schema["entity_id"].config["exclude_entities"]
    result = await submit(hass, result, {"priority": 50})
    assert result["errors"] == {"base": "already_chosen"}  # Assist, which every gateway begins with
    result = await submit(hass, result, {"entity_id": "conversation.home_assistant", "priority": 50})
    assert result["errors"] == {"base": "already_chosen"}
    result = await submit(hass, result, {"entity_id": other.entity_id, "priority": 20})
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "Butler")
    await hass.async_block_till_done()
    butler = next(item for item in gateway.get_subentries_of_type(SUBENTRY_HOME_AGENT) if item.title == "Butler")
    assert butler.data == {"entity_id": other.entity_id, "priority": 20}

    result = await change(hass, gateway, butler)
    assert result["step_id"] == "reconfigure"
    result = await submit(hass, result, {"entity_id": other.entity_id, "priority": 5})
    assert result["reason"] == "reconfigure_successful"
    assert gateway.subentries[butler.subentry_id].data["priority"] == 5


async def test_agents_of_the_gateway_choose_among_all_models(hass: HomeAssistant, tmp_path: Path) -> None:
    async with FakeOllama() as ollama:
        entry = await set_up(hass, make_gateway(tmp_path, backend_data("ollama", ollama.root), home_agent_data()))
        result = await add(hass, entry, SUBENTRY_CONVERSATION)
        models = [option["value"] for option in result["data_schema"].schema["model"].config["options"]]
        assert models[:3] == ["auto", "fast", "cheap"]
        assert {"qwen3:8b", "homeassistant/assist"} <= set(models)
        assert "nomic-embed-text:latest" not in models
        result = await submit(
            hass,
            result,
            {"name": "Butler", "model": "fast", "advanced": {"thinking": "default", "max_history": 20}},
        )
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()
        assert "Butler" in {subentry.title for subentry in entry.subentries.values()}
