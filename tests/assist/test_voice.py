"""What a person hears from an agent, and what the model knows of the moment: by Home Assistant's own pipelines."""

import asyncio
import json
from pathlib import Path
from typing import Any, override

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.zeroconf_ai.assist.chat_loop import ChatLoop
from custom_components.zeroconf_ai.const import CONF_ASSISTANT
from custom_components.zeroconf_ai.core.engine import Caller, Source
from custom_components.zeroconf_ai.core.routing.execution.waking import Waker
from custom_components.zeroconf_ai.data import DATA
from homeassistant.components import conversation
from homeassistant.components.assist_pipeline import async_update_pipeline
from homeassistant.components.assist_pipeline.pipeline import async_get_pipeline
from homeassistant.components.conversation import trace
from homeassistant.const import Platform
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import area_registry as ar, device_registry as dr
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from ..support.fakes.chunks import delta
from ..support.fakes.provider import FakeProvider, running, send_stream, text, tool_call
from ..support.home_assistant.assist import PlainMouth, by_text, by_voice, make_kitchen
from ..support.home_assistant.audio import Ears, Mouth
from ..support.home_assistant.entries import AGENT, add_entity, agent_data, make_entry, set_up
from ..support.waiting import AT_ONCE, until

QUESTION = "Why is the sky blue?"
STOP = delta(finish="stop")


@pytest.fixture
async def ears(hass: HomeAssistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ears:
    """Assist with a speech-to-text engine."""
    monkeypatch.setattr("homeassistant.components.tts._init_tts_cache_dir", lambda *_: str(tmp_path))
    for component in ("homeassistant", "stt", "tts", "assist_pipeline"):
        assert await async_setup_component(hass, component, {})
    ears = Ears()
    await add_entity(hass, Platform.STT, ears)
    return ears


@pytest.fixture
async def mouth(hass: HomeAssistant, ears: Ears) -> Mouth:
    """A text-to-speech engine with streaming input."""
    mouth = Mouth()
    await add_entity(hass, Platform.TTS, mouth)
    return mouth


async def heard(hass: HomeAssistant, entry: MockConfigEntry, ears: Ears, mouth: Mouth, words: str = QUESTION) -> str:
    """What is spoken in answer to a sentence."""
    mouth.asked.clear()
    await by_voice(hass, entry, ears, words)
    [(spoken, _, _)] = mouth.asked
    return spoken


MARKED = text("**Yes", "**: see [the ", "page](https://x.y/z) ✅, ", "`now`.")


@pytest.mark.parametrize("kind", [Mouth, PlainMouth])
async def test_voice_answer_has_no_markdown_and_a_shown_one_keeps_it(
    hass: HomeAssistant, provider: FakeProvider, ears: Ears, kind: type[Mouth]
) -> None:
    mouth = kind()
    await add_entity(hass, Platform.TTS, mouth)
    entry = await set_up(hass, make_entry(provider))
    provider.answers = [MARKED]
    assert await heard(hass, entry, ears, mouth) == "Yes: see the page, now."
    run = await by_text(hass, entry, QUESTION)
    assert run.speech == "**Yes**: see [the page](https://x.y/z) ✅, `now`."


async def test_voice_answer_keeps_its_formatting_if_the_owner_wants_it(
    hass: HomeAssistant, provider: FakeProvider, ears: Ears, mouth: Mouth
) -> None:
    entry = await set_up(hass, make_entry(provider, subentries=[agent_data(plain_speech=False)]))
    provider.answers = [text("**Yes**")]
    assert await heard(hass, entry, ears, mouth) == "**Yes**"


async def test_voice_answer_of_a_picture_alone_is_done(
    hass: HomeAssistant, provider: FakeProvider, ears: Ears, mouth: Mouth
) -> None:
    entry = await set_up(hass, make_entry(provider))
    provider.answers = [text("👍")]
    assert await heard(hass, entry, ears, mouth) == "Done."


@pytest.mark.parametrize(
    "chunks",
    [
        [delta(reasoning_content="secret plan"), delta("Yes.")],
        [delta(reasoning="secret plan"), delta("Yes.")],
        [delta("<think>secret"), delta(" plan</th"), delta("ink>Yes.")],
        [delta("secret"), delta(" plan"), delta("</think>"), delta("Yes.")],
        [delta("Okay, the user asks for a secret plan. "), delta("I answer.\n</think>\n\nYes.")],
    ],
)
async def test_voice_thoughts_are_never_spoken_not_even_in_the_first_answer(
    hass: HomeAssistant, provider: FakeProvider, ears: Ears, mouth: Mouth, chunks: list[dict[str, Any]]
) -> None:
    entry = await set_up(hass, make_entry(provider))
    provider.answers = [[delta(role="assistant"), *chunks, STOP]]
    for _ in range(2):
        assert (await by_voice(hass, entry, ears, QUESTION)).speech == "Yes."
    assert {said for said, _, _ in mouth.asked} == {"Yes."}


class SlowMouth(Mouth):
    """A text-to-speech engine that keeps what it has been given so far."""

    def __init__(self) -> None:
        super().__init__()
        self.given = ""

    @override
    async def async_stream_tts_audio(self, request: Any) -> Any:
        given = request.message_gen

        async def kept() -> Any:
            async for part in given:
                self.given += part
                yield part

        request.message_gen = kept()
        return await super().async_stream_tts_audio(request)


async def test_voice_sentences_reach_text_to_speech_while_the_rest_is_written(
    hass: HomeAssistant, provider: FakeProvider, ears: Ears
) -> None:
    mouth, go_on = SlowMouth(), asyncio.Event()
    await add_entity(hass, Platform.TTS, mouth)
    entry = await set_up(hass, make_entry(provider))
    first = ["The sky is blue ", "because the air scatters ", "blue light more than *", "*red** light. "]

    async def slowly(request: Any) -> Any:
        response = await send_stream(request, [delta(role="assistant"), *map(delta, first)], done=False)
        await asyncio.wait_for(go_on.wait(), AT_ONCE)
        for chunk in (delta("That is all."), STOP):
            await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        return response

    provider.answers = [slowly]
    answer = hass.async_create_task(by_voice(hass, entry, ears, QUESTION))
    await until(lambda: "more than red light." in mouth.given)
    assert not answer.done()
    go_on.set()
    await answer
    assert mouth.given.endswith("red light. That is all.")


# What the model knows of the moment.


def last_words(provider: FakeProvider) -> str:
    """The last sentence of the user as the model got it."""
    said: str = [message for message in provider.requests[-1]["messages"] if message["role"] == "user"][-1]["content"]
    return said


async def test_moment_follows_the_sentence_and_the_rest_of_the_prompt_stays_the_same(
    hass: HomeAssistant, provider: FakeProvider, hass_admin_user: MockUser, freezer: Any
) -> None:
    await set_up(hass, make_entry(provider))
    hass_admin_user.name = "Anna"
    kitchen = ar.async_get(hass).async_create("Kitchen")
    entry = MockConfigEntry(domain="satellite")
    entry.add_to_hass(hass)
    device = dr.async_get(hass).async_get_or_create(config_entry_id=entry.entry_id, identifiers={("satellite", "1")})
    dr.async_get(hass).async_update_device(device.id, area_id=kitchen.id)

    async def say(words: str, conversation_id: str | None = None) -> str:
        result = await conversation.async_converse(
            hass, words, conversation_id, Context(user_id=hass_admin_user.id), None, AGENT, device_id=device.id
        )
        assert result.conversation_id is not None
        return result.conversation_id

    freezer.move_to("2026-11-30 08:21:00+00:00")
    talk = await say(QUESTION)
    local = dt_util.as_local(dt_util.utcnow())
    assert (
        last_words(provider)
        == f"{QUESTION}\n\n(It is Monday, 2026-11-30, {local:%H:%M}. The user, Anna, is in the area Kitchen.)"
    )
    freezer.tick(60)
    await say("And now?", talk)
    first, second = (request["messages"] for request in provider.requests)
    assert second[: len(first)] == first  # what a server has cached still holds
    assert f"{dt_util.as_local(dt_util.utcnow()):%H:%M}" in last_words(provider)


async def test_moment_stands_only_behind_the_sentence_of_an_agent_without_tools(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    await set_up(hass, make_entry(provider, subentries=[agent_data(llm_hass_api=[], prompt="Be brief.")]))
    await conversation.async_converse(hass, QUESTION, None, Context(), None, AGENT)
    [system, user] = provider.requests[0]["messages"]
    assert system["content"] == "Be brief."
    assert user["content"].startswith(f"{QUESTION}\n\n(It is ")


async def test_moment_is_left_to_home_assistant_if_the_owner_wants_it(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider, subentries=[agent_data(llm_hass_api=[], add_situation=False)]))
    await conversation.async_converse(hass, QUESTION, None, Context(), None, AGENT)
    [system, user] = provider.requests[0]["messages"]
    assert "Current time is" in system["content"]
    assert user["content"] == QUESTION


async def test_moment_stays_where_it_was_in_all_rounds_of_a_turn(hass: HomeAssistant, provider: FakeProvider) -> None:
    await set_up(hass, make_entry(provider))
    provider.answers = [tool_call("homeassistant__GetDateTime", "{}"), text("Now.")]
    await conversation.async_converse(hass, QUESTION, None, Context(), None, AGENT)
    first, second = (request["messages"] for request in provider.requests)
    assert second[: len(first)] == first
    assert [message["role"] for message in second[len(first) :]] == ["assistant", "tool"]


@pytest.mark.parametrize(
    ("thinking", "effort", "enabled"),
    [("off", "none", False), ("low", "low", True), ("on", "medium", True), ("high", "high", True)],
)
async def test_reasoning_effort_of_an_agent_is_requested(
    hass: HomeAssistant, provider: FakeProvider, thinking: str, effort: str, enabled: bool
) -> None:
    await set_up(hass, make_entry(provider, subentries=[agent_data(thinking=thinking)]))
    await conversation.async_converse(hass, QUESTION, None, Context(), None, AGENT)
    asked = provider.requests[0]
    assert (asked["reasoning_effort"], asked["chat_template_kwargs"]) == (effort, {"enable_thinking": enabled})


# A change of the provider.


@pytest.mark.parametrize("tells", [True, False])
async def test_change_of_the_provider_is_told_once_and_traced(hass: HomeAssistant, provider: FakeProvider, tells: bool) -> None:
    async with running(FakeProvider(id="22222222-2222-4222-8222-222222222222")) as other:
        await set_up(
            hass,
            make_entry(
                provider,
                title="Attic",
                subentries=[agent_data("Any", model="auto", tell_change=tells)],
            ),
        )
        await set_up(hass, make_entry(other, title="Cellar", subentries=[]))
        agent = "conversation.any"

        async def say(conversation_id: str | None) -> tuple[str, str | None]:
            result = await conversation.async_converse(hass, QUESTION, conversation_id, Context(), "de", agent)
            return result.response.speech["plain"]["speech"], result.conversation_id

        provider.answers, other.answers = [text("Eins.")], [text("Zwei.")]
        answer, talk = await say(None)
        first, second, names = (
            (provider, other, ("Attic", "Cellar")) if answer == "Eins." else (other, provider, ("Cellar", "Attic"))
        )
        after = {"Eins.": "Zwei.", "Zwei.": "Eins."}[answer]
        await first.stop()
        told = f"{names[0]} antwortet nicht. Jetzt antwortet {names[1]}. " if tells else ""
        trace.async_clear_traces()
        assert (await say(talk))[0] == f"{told}{after}"
        events = [event for found in trace.async_get_traces() for event in found.as_dict()["events"]]
        [change] = [event["data"]["provider_change"] for event in events if "provider_change" in (event["data"] or {})]
        assert (change["from"], change["to"]) == names
        assert change["reason"]
        await first.start()
        await second.stop()
        assert (await say(talk))[0] == answer  # it was told before
        await second.start()


async def test_change_of_the_provider_because_of_the_home_rule_has_a_sentence_of_its_own(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    async with running(FakeProvider(id="22222222-2222-4222-8222-222222222222")) as other:
        agent = agent_data("Any", model="auto", tell_change=True)
        await set_up(hass, make_entry(provider, title="Attic", subentries=[agent]))
        await set_up(hass, make_entry(other, title="Cellar", subentries=[]))
        provider.answers, other.answers = [text("Eins.")], [text("Zwei.")]
        first = await conversation.async_converse(hass, QUESTION, None, Context(), "de", "conversation.any")
        engine = hass.data[DATA].engine
        first_name = "Attic" if first.response.speech["plain"]["speech"] == "Eins." else "Cellar"
        for member in engine.pool:
            member.leaves_home = member.name == first_name
        engine.home_only = True
        again = await conversation.async_converse(hass, QUESTION, first.conversation_id, Context(), "de", "conversation.any")
        target, answer = ("Cellar", "Zwei.") if first_name == "Attic" else ("Attic", "Eins.")
        assert again.response.speech["plain"]["speech"] == f"Das bleibt zu Hause. Jetzt antwortet {target}. {answer}"


def test_chat_loop_shares_what_it_has_learned_with_each_answer() -> None:
    loop = ChatLoop(None, None, Caller(Source.ASSIST), "", "", None, {}, lambda _: None)  # type: ignore[arg-type]
    spoken = loop.for_answer(language="de", device_id="d", spoken=True, plain=True)
    assert (spoken.spoken, spoken.plain, spoken.caller.device_id, loop.spoken) == (True, True, "d", False)
    assert spoken._separate is loop._separate
    assert loop.for_answer(language="de", device_id=None, spoken=False, plain=True).plain is False


async def test_provider_that_answered_a_satellite_last_leads_its_next_conversation_also_after_a_restart(
    hass: HomeAssistant, provider: FakeProvider
) -> None:
    async with running(FakeProvider(id="22222222-2222-4222-8222-222222222222")) as other:
        any_provider = agent_data("Any", model="auto")
        entry = await set_up(hass, make_entry(provider, title="Attic", subentries=[any_provider]))
        second = await set_up(hass, make_entry(other, title="Cellar", subentries=[]))
        provider.answers, other.answers = [text("One.")], [text("Two.")]

        async def say(device_id: str | None) -> str:
            found = await conversation.async_converse(
                hass, QUESTION, None, Context(), None, "conversation.any", device_id=device_id
            )
            spoken: str = found.response.speech["plain"]["speech"]
            return spoken

        first = await say("satellite")
        assert {await say("satellite") for _ in range(3)} == {first}
        assert {await say(None) for _ in range(3)} != {first}  # the others are still shared out
        for one in (entry, second):
            await hass.config_entries.async_reload(one.entry_id)
        await hass.async_block_till_done()
        assert {await say("satellite") for _ in range(3)} == {first}


async def test_voice_light_goes_on_by_another_provider_at_once_when_the_first_one_is_killed(
    hass: HomeAssistant, provider: FakeProvider, ears: Ears, mouth: Mouth, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def waits(*_: Any) -> bool:
        raise AssertionError("a person waits for a provider that is gone")

    monkeypatch.setattr(Waker, "comes_back", waits)
    kitchen = make_kitchen(hass, "Kitchen light")
    async with running(FakeProvider(id="22222222-2222-4222-8222-222222222222")) as other:
        entry = await set_up(hass, make_entry(provider, title="Attic", subentries=[agent_data("Any", model="auto")]))
        await set_up(hass, make_entry(other, title="Cellar", subentries=[]))
        pipeline = async_get_pipeline(hass, entry.data[CONF_ASSISTANT])
        await async_update_pipeline(hass, pipeline, prefer_local_intents=False)
        for one in (provider, other):
            one.answers = [text("Yes.")]
        await by_voice(hass, entry, ears, QUESTION)
        gone, left = (provider, other) if provider.requests else (other, provider)
        left.answers = [tool_call("intent__HassTurnOff", '{"name": "Kitchen light"}'), text("It is off.")]
        await gone.stop()
        run = await by_voice(hass, entry, ears, "Make it dark in there")
    assert (run.speech, kitchen.state, len(kitchen.calls)) == ("It is off.", "off", 1)
    assert (len(gone.requests), len(left.requests)) == (1, 2)
