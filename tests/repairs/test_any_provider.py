"""The offer of an assistant that may use any provider."""

from collections.abc import AsyncIterator

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai import issues
from custom_components.zeroconf_ai.const import CONF_ANY_ASSISTANT, DOMAIN, SUBENTRY_CONVERSATION, SUBENTRY_STT, SUBENTRY_TTS
from homeassistant.components import assist_pipeline, conversation
from homeassistant.components.repairs import RepairsFlowManager, repairs_flow_manager
from homeassistant.const import CONF_MODEL
from homeassistant.core import Context, HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component

from ..support.fakes.provider import FakeProvider, running, text
from ..support.fakes.speech import WHISPER, FakeSpeechServer, print_of, spoken
from ..support.home_assistant.entries import agent_data, make_entry, set_up
from ..support.home_assistant.speech import ears_data, hear, say, speech_entry, whole

pytestmark = pytest.mark.usefixtures("checked_texts", "ready")


@pytest.fixture
async def repairs(hass: HomeAssistant, ready: None) -> RepairsFlowManager:
    """The manager of repair flows, and Assist."""
    for component in ("repairs", "assist_pipeline"):
        assert await async_setup_component(hass, component, {})
    manager = repairs_flow_manager(hass)
    assert manager is not None
    return manager


@pytest.fixture
async def other(socket_enabled: None) -> AsyncIterator[FakeProvider]:
    """A second provider."""
    async with running(FakeProvider(id="22222222-2222-4222-8222-222222222222")) as fake:
        yield fake


def offer(hass: HomeAssistant) -> ir.IssueEntry | None:
    return ir.async_get(hass).async_get_issue(DOMAIN, issues.ANY_PROVIDER)


async def two(hass: HomeAssistant, provider: FakeProvider, other: FakeProvider) -> tuple[MockConfigEntry, MockConfigEntry]:
    first = await set_up(hass, make_entry(provider, title="Attic"))
    assert offer(hass) is None
    return first, await set_up(hass, make_entry(other, title="Cellar"))


async def test_any_provider_is_offered_with_the_second_provider_and_added_with_one_confirmation(
    hass: HomeAssistant, provider: FakeProvider, other: FakeProvider, repairs: RepairsFlowManager
) -> None:
    first, _ = await two(hass, provider, other)
    preferred = assist_pipeline.async_get_pipelines(hass)[0].id
    assert offer(hass) is not None
    result = await repairs.async_init(DOMAIN, context={"issue_id": issues.ANY_PROVIDER})
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "confirm")
    assert result["description_placeholders"] == {"count": "2"}
    result = await repairs.async_configure(result["flow_id"], {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert offer(hass) is None
    [agent] = [one for one in first.get_subentries_of_type(SUBENTRY_CONVERSATION) if one.title == "Any provider"]
    assert agent.data == {CONF_MODEL: "auto", "llm_hass_api": ["assist"]}
    [pipeline] = [one for one in assist_pipeline.async_get_pipelines(hass) if one.name == "Any provider"]
    assert pipeline.id == first.data[CONF_ANY_ASSISTANT]
    assert pipeline.conversation_engine == "conversation.any_provider"
    assert assist_pipeline.async_get_pipelines(hass)[0].id == preferred
    provider.answers, other.answers = [text("One.")], [text("Two.")]
    await provider.stop()
    said = await conversation.async_converse(hass, "Why?", None, Context(), None, pipeline.conversation_engine)
    assert said.response.speech["plain"]["speech"] == "Two."
    await hass.config_entries.async_remove(first.entry_id)
    assert "Any provider" not in [one.name for one in assist_pipeline.async_get_pipelines(hass)]


async def test_any_provider_is_not_offered_if_an_agent_uses_any(
    hass: HomeAssistant, provider: FakeProvider, other: FakeProvider, repairs: RepairsFlowManager
) -> None:
    await set_up(hass, make_entry(provider, subentries=[agent_data("Any", model="auto")]))
    await set_up(hass, make_entry(other))
    assert offer(hass) is None


async def test_any_provider_offer_ignored_stays_ignored(
    hass: HomeAssistant, provider: FakeProvider, other: FakeProvider, repairs: RepairsFlowManager
) -> None:
    first, second = await two(hass, provider, other)
    ir.async_ignore_issue(hass, DOMAIN, issues.ANY_PROVIDER, True)
    await hass.config_entries.async_reload(first.entry_id)
    await hass.async_block_till_done()
    assert (issue := offer(hass)) is not None
    assert issue.dismissed_version is not None
    await hass.config_entries.async_remove(second.entry_id)  # with the second provider gone, and back
    await set_up(hass, make_entry(other, title="Cellar"))
    assert (issue := offer(hass)) is not None
    assert issue.dismissed_version is not None


async def test_any_provider_offer_is_withdrawn_with_the_second_provider(
    hass: HomeAssistant, provider: FakeProvider, other: FakeProvider, repairs: RepairsFlowManager
) -> None:
    _, second = await two(hass, provider, other)
    await hass.config_entries.async_remove(second.entry_id)
    assert offer(hass) is None


async def test_any_provider_offer_that_is_no_longer_needed_changes_nothing(
    hass: HomeAssistant, provider: FakeProvider, other: FakeProvider, repairs: RepairsFlowManager
) -> None:
    first, _ = await two(hass, provider, other)
    flow = await repairs.async_init(DOMAIN, context={"issue_id": issues.ANY_PROVIDER})
    agent = first.get_subentries_of_type(SUBENTRY_CONVERSATION)[0]
    hass.config_entries.async_update_subentry(first, agent, data={**agent.data, CONF_MODEL: "auto"})
    result = await repairs.async_configure(flow["flow_id"], {})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "gone")
    await hass.async_block_till_done()
    assert offer(hass) is None


async def test_any_provider_is_not_offered_without_assist(
    hass: HomeAssistant, provider: FakeProvider, other: FakeProvider
) -> None:
    await two(hass, provider, other)
    assert offer(hass) is None


async def test_any_provider_brings_engines_for_speech_that_fail_over(
    hass: HomeAssistant, provider: FakeProvider, socket_enabled: None, repairs: RepairsFlowManager
) -> None:
    """An assistant that hears and speaks with any provider, not only answers with any."""
    words = {print_of(spoken("anything", 16_000)): "Turn on the light."}
    async with FakeSpeechServer(words) as ears, FakeSpeechServer(words) as spare:
        first = await set_up(hass, make_entry(provider, title="Attic"))
        await set_up(hass, speech_entry(ears, ears_data("Own ears", model=WHISPER), title="Ears"))
        await set_up(hass, speech_entry(spare, title="Spare"))
        result = await repairs.async_init(DOMAIN, context={"issue_id": issues.ANY_PROVIDER})
        assert (await repairs.async_configure(result["flow_id"], {}))["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()
        for kind in (SUBENTRY_STT, SUBENTRY_TTS):
            [engine] = first.get_subentries_of_type(kind)
            assert (engine.title, dict(engine.data)) == ("Any provider", {CONF_MODEL: "auto"})
        [pipeline] = [one for one in assist_pipeline.async_get_pipelines(hass) if one.name == "Any provider"]
        assert (pipeline.stt_engine, pipeline.stt_language) == ("stt.any_provider", "en")
        assert (pipeline.tts_engine, pipeline.tts_language) == ("tts.any_provider", "en")
        await ears.stop()
        heard = await hear(hass, spoken("anything", 16_000), entity_id="stt.any_provider")
        assert heard.text == "Turn on the light."
        extension, sound = await say(hass, "It is on.", entity_id="tts.any_provider")
        assert extension == "wav"
        assert len(await whole(sound)) > 1_000
