"""What Assist does when no model answers: Home Assistant's own agent, else one short sentence in the pipeline's language.

The pipelines are Home Assistant's own, and so is the agent; speech is recognised and made by the tests' engines.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.zeroconf_ai.const import CONF_ASSISTANT
from homeassistant.components import assist_pipeline, conversation
from homeassistant.components.conversation import trace
from homeassistant.const import Platform
from homeassistant.core import Context, HomeAssistant
from homeassistant.setup import async_setup_component

from ..support.fakes.chunks import delta
from ..support.fakes.provider import FakeProvider, refuse, send_stream, stall, text, tool_call
from ..support.home_assistant.assist import Kitchen, PlainMouth, Run, by_text, by_voice, make_kitchen
from ..support.home_assistant.audio import Ears, Mouth
from ..support.home_assistant.entries import AGENT, add_entity, agent_data, make_entry, set_up


class Words(NamedTuple):
    """A sentence in a language and the expected answer."""

    light: str
    off: str
    is_on: str
    question: str
    nobody: str
    broke_off: str


SPOKEN = {
    "en": Words(
        "Kitchen light",
        "Turn off the kitchen light",
        "Is the kitchen light on?",
        "Why is the sky blue?",
        "Sorry, the AI is not answering right now.",
        "Sorry, the answer broke off.",
    ),
    "de": Words(
        "Küchenlicht",
        "Schalte das Küchenlicht aus",
        "Ist das Küchenlicht an?",
        "Warum ist der Himmel blau?",
        "Die KI antwortet gerade leider nicht.",
        "Die Antwort ist leider abgebrochen.",
    ),
}


@pytest.fixture(params=["en", "de"])
def words(request: pytest.FixtureRequest) -> Words:
    """The language of the home, and so of its pipelines."""
    return SPOKEN[request.param]


@pytest.fixture
def language(words: Words) -> str:
    """Its tag."""
    return next(tag for tag, spoken in SPOKEN.items() if spoken == words)


@pytest.fixture
async def assist(hass: HomeAssistant, language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ears:
    """Assist with a speech-to-text engine."""
    monkeypatch.setattr("homeassistant.components.tts._init_tts_cache_dir", lambda *_: str(tmp_path))
    hass.config.language = language
    for component in ("homeassistant", "stt", "tts", "assist_pipeline"):
        assert await async_setup_component(hass, component, {})
    ears = Ears()
    await add_entity(hass, Platform.STT, ears)
    return ears


@pytest.fixture(params=[Mouth, PlainMouth], ids=["streaming", "plain"])
async def mouth(hass: HomeAssistant, assist: Ears, request: pytest.FixtureRequest) -> Mouth:
    """A text-to-speech engine with streaming input, and one without."""
    voice: Mouth = request.param()
    await add_entity(hass, Platform.TTS, voice)
    return voice


@pytest.fixture
def kitchen(hass: HomeAssistant, assist: Ears, words: Words) -> Kitchen:
    """A light that is on."""
    return make_kitchen(hass, words.light)


async def set_up_down(
    hass: HomeAssistant, provider: FakeProvider, *, local_first: bool = False, **options: Any
) -> MockConfigEntry:
    """The assistant of a provider that is offline; `local_first`: prefer local intents, as the set-up does."""
    entry = await set_up(hass, make_entry(provider, subentries=[agent_data(**options)]))
    pipeline = assist_pipeline.async_get_pipelines(hass)[-1]
    assert pipeline.id == entry.data[CONF_ASSISTANT]
    assert pipeline.prefer_local_intents
    await assist_pipeline.async_update_pipeline(hass, pipeline, prefer_local_intents=local_first)
    await provider.stop()
    return entry


def is_short_and_safe(run: Run, provider: FakeProvider) -> bool:
    """Whether the answer is one short sentence without addresses and exception texts."""
    told = f"{run.response}"
    return len(run.speech) < 70 and not any(part in told for part in ("127.0.0.1", str(provider.port), "Connect", "Error"))


@pytest.mark.parametrize("local_first", [True, False], ids=["local first", "model first"])
async def test_voice_command_without_any_model_turns_the_light_off(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen, assist: Ears, mouth: Mouth, words: Words, local_first: bool
) -> None:
    entry = await set_up_down(hass, provider, local_first=local_first)
    run = await by_voice(hass, entry, assist, words.off)
    assert kitchen.state == "off"
    assert len(kitchen.calls) == 1
    assert not run.failed
    assert run.speech
    assert [said for said, _, _ in mouth.asked] == [run.speech]


async def test_voice_question_without_any_model_is_answered(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen, assist: Ears, mouth: Mouth, words: Words
) -> None:
    entry = await set_up_down(hass, provider, local_first=True)
    run = await by_voice(hass, entry, assist, words.is_on)
    assert run.response["response_type"] == "query_answer"
    assert [state["id"] for state in run.response["data"]["success"]] == ["light.kitchen"]
    assert [said for said, _, _ in mouth.asked] == [run.speech]
    assert not kitchen.calls


async def test_voice_unrecognized_sentence_gets_one_sentence_in_the_pipelines_language(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen, assist: Ears, mouth: Mouth, words: Words
) -> None:
    entry = await set_up_down(hass, provider)
    run = await by_voice(hass, entry, assist, words.question)
    assert run.failed
    assert run.speech == words.nobody
    assert is_short_and_safe(run, provider)
    assert [said for said, _, _ in mouth.asked] == [words.nobody]


async def test_voice_interrupted_answer_is_not_repeated_by_the_default_agent(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen, assist: Ears, mouth: Mouth, words: Words
) -> None:
    async def dies(request: Any) -> Any:
        response = await send_stream(request, [delta(role="assistant"), delta("I turn off")], done=False)
        request.transport.abort()
        return response

    entry = await set_up(hass, make_entry(provider, subentries=[agent_data()]))
    await no_local_first(hass, entry)
    provider.answers = [dies]
    run = await by_voice(hass, entry, assist, words.off)
    assert run.failed
    assert run.speech == words.broke_off
    assert kitchen.state == "on"


async def test_voice_interrupted_answer_ends_with_the_error_sentence(
    hass: HomeAssistant, provider: FakeProvider, assist: Ears, mouth: Mouth, words: Words
) -> None:
    async def dies(request: Any) -> Any:
        response = await send_stream(request, [delta(role="assistant"), delta("Light is scattered. " * 5)], done=False)
        request.transport.abort()
        return response

    entry = await set_up(hass, make_entry(provider, subentries=[agent_data()]))
    provider.answers = [dies]
    run = await by_voice(hass, entry, assist, words.question)
    [(said, _, _)] = mouth.asked
    assert said.endswith(words.broke_off)
    assert said.startswith("Light is scattered.") or isinstance(mouth, PlainMouth)
    assert run.speech == words.broke_off


async def no_local_first(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Have every sentence go to the model first."""
    pipeline = next(found for found in assist_pipeline.async_get_pipelines(hass) if found.id == entry.data[CONF_ASSISTANT])
    await assist_pipeline.async_update_pipeline(hass, pipeline, prefer_local_intents=False)


async def test_text_command_without_any_model_is_traced_and_logged_with_the_reason(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen, words: Words, caplog: pytest.LogCaptureFixture
) -> None:
    entry = await set_up_down(hass, provider)
    trace.async_clear_traces()
    run = await by_text(hass, entry, words.off)
    assert not run.failed
    assert kitchen.state == "off"
    [traced] = trace.async_get_traces()
    told = [event["data"] for event in traced.as_dict()["events"]]
    assert {"fallback": conversation.HOME_ASSISTANT_AGENT, "understood": True} in told
    assert any(data.get("intent_name") == "HassTurnOff" for data in told)
    assert any(f"127.0.0.1:{provider.port}" in data.get("error", "") for data in told)
    assert f"{AGENT} got no answer" in caplog.text


async def test_text_conversation_after_a_fallback_continues_with_the_model(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen, words: Words
) -> None:
    entry = await set_up_down(hass, provider)
    first = await by_text(hass, entry, words.off)
    lost = await by_text(hass, entry, words.question, conversation_id_of(first))
    assert lost.speech == words.nobody
    await provider.start()
    await entry.runtime_data.coordinator.async_refresh()
    provider.answers = [text("Rayleigh scattering.")]
    assert (await by_text(hass, entry, words.question, conversation_id_of(first))).speech == "Rayleigh scattering."
    roles = [message["role"] for message in provider.requests[-1]["messages"]]
    assert roles[0] == "system"
    assert roles[1:] == ["user", "assistant", "tool", "assistant", "user"], "what was not understood is not kept"


def conversation_id_of(run: Run) -> str:
    """The conversation that a run was in."""
    found: str = run.data(assist_pipeline.PipelineEventType.INTENT_END)["intent_output"]["conversation_id"]
    return found


async def test_text_command_for_a_provider_that_never_answered_turns_the_light_off(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen, words: Words
) -> None:
    await provider.stop()
    entry = await set_up(hass, make_entry(provider, subentries=[agent_data()]))
    await no_local_first(hass, entry)
    assert not (await by_text(hass, entry, words.off)).failed
    assert kitchen.state == "off"
    assert (await by_text(hass, entry, words.question)).speech == words.nobody


async def test_text_of_more_than_2000_characters_is_not_handed_to_the_default_agent(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen, words: Words
) -> None:
    entry = await set_up_down(hass, provider)
    assert (await by_text(hass, entry, f"{words.off:.<2001}")).speech == words.nobody
    assert kitchen.state == "on"
    assert not (await by_text(hass, entry, f"{words.off:.<2000}")).failed
    assert kitchen.state == "off"


async def test_text_agent_with_the_fallback_disabled_returns_the_error(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen, words: Words
) -> None:
    entry = await set_up_down(hass, provider, local_fallback=False)
    run = await by_text(hass, entry, words.off)
    assert run.speech == words.nobody
    assert run.failed
    assert kitchen.state == "on"


async def test_text_failure_after_a_tool_call_is_not_handed_to_the_default_agent(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen, words: Words
) -> None:
    entry = await set_up(hass, make_entry(provider, subentries=[agent_data()]))
    await no_local_first(hass, entry)

    provider.answers = [tool_call("intent__HassTurnOff", f'{{"name": "{words.light}"}}'), refuse(500, "Traceback at 10.0.0.7")]
    run = await by_text(hass, entry, words.off)
    assert run.failed
    assert len(kitchen.calls) == 1
    assert is_short_and_safe(run, provider)
    assert "10.0.0.7" not in f"{run.events}"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (refuse(429, "org-123 is out of money", type="insufficient_quota"), "Sorry, the AI budget is used up."),
        (refuse(429, "org-123: slow down"), "Sorry, the AI is too busy right now."),
        (refuse(401, "key sk-123456 unknown"), "Sorry, the AI is not set up correctly."),
        (refuse(404, "no model at 10.0.0.7", code="model_not_found"), "Sorry, the AI is not set up correctly."),
        (refuse(400, "too long", code="context_length_exceeded"), "Sorry, this is too long for the AI."),
        (refuse(413, "too long"), "Sorry, this is too long for the AI."),
        (refuse(400, "unknown field at http://10.0.0.7"), "Sorry, the AI cannot handle this request."),
        (refuse(500, "Traceback (most recent call last)"), "Sorry, the AI is not answering right now."),
        (stall(), "Sorry, the AI took too long to answer."),
        ([delta(role="assistant"), {"choices": [], "error": {"message": "CUDA 10.0.0.7"}}], "Sorry, the answer broke off."),
        (text(""), "Sorry, the AI gave no answer."),
        (text(" \n "), "Sorry, the AI gave no answer."),
        ([delta(reasoning_content="Well"), delta(finish="stop")], "Sorry, the AI gave no answer."),
        ([delta(reasoning_content="Well"), delta(finish="length")], "Sorry, the answer broke off."),
    ],
)
@pytest.mark.parametrize("words", [SPOKEN["en"]], ids=["en"])
async def test_text_failure_of_each_kind_has_a_sentence_and_falls_back(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen, words: Words, answer: Any, sentence: str
) -> None:
    entry = make_entry(provider, subentries=[agent_data()], options={"first_token_timeout": 1})
    await set_up(hass, entry)
    await no_local_first(hass, entry)
    provider.answers = [answer]
    run = await by_text(hass, entry, words.question)
    assert run.speech == sentence
    assert "10.0.0.7" not in f"{run.events}"
    assert (await by_text(hass, entry, words.off)).failed is False
    assert kitchen.state == "off"


@pytest.mark.parametrize("words", [SPOKEN["de"]], ids=["de"])
async def test_service_with_a_language_answers_in_this_language(
    hass: HomeAssistant, provider: FakeProvider, kitchen: Kitchen, words: Words
) -> None:
    await set_up_down(hass, provider)
    for language, sentence in (("de-CH", words.nobody), ("fr", "Désolé, l'IA ne répond pas pour le moment."), ("xx", None)):
        result = await conversation.async_converse(hass, words.question, None, Context(), language, AGENT)
        said = result.response.speech["plain"]["speech"]
        assert said == (sentence or SPOKEN["en"].nobody)


@pytest.fixture(autouse=True)
async def no_lingering(hass: HomeAssistant) -> AsyncIterator[None]:
    """Let what the pipelines began come to its end."""
    yield
    await hass.async_block_till_done()
