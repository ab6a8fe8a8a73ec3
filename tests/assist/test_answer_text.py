"""The text of an answer that is spoken: no reasoning is, and no Markdown."""

import pytest

from custom_components.zeroconf_ai.assist.answer_text import AnswerText, Hold, hold_for

LONG = "The light in the kitchen is on. "


def spoken_at(pieces: list[str], hold: Hold, *, plain: bool = False) -> tuple[list[str], str]:
    """What is spoken after each piece and at the end, and the reasoning."""
    answer, spoken, thoughts = AnswerText(hold=hold, plain=plain), [], ""
    for piece in [*pieces, None]:
        found = answer.flush() if piece is None else answer.feed(piece)
        spoken.append("".join(one.text for one in found if not one.is_reasoning))
        thoughts += "".join(one.text for one in found if one.is_reasoning)
    return spoken, thoughts


def test_answer_text_reasoning_is_never_spoken_wherever_its_tags_are() -> None:
    for hold in Hold:
        assert spoken_at(["<thi", "nk>secret.\n plan</th", "ink>Yes."], hold)[1] == "secret.\n plan"
        assert "".join(spoken_at(["<think>secret</think>", "Yes."], hold)[0]) == "Yes."
    for words in (["secret plan", "</think>", "Yes."], ["Okay, the user asks. ", "I answer.", "</thi", "nk>Yes."]):
        spoken, thoughts = spoken_at(words, Hold.SENTENCE)
        assert "".join(spoken) == "Yes."
        assert thoughts == "".join(words[:-1]).replace("</think>", "").removesuffix("</thi")[: len(thoughts)]
    spoken, _ = spoken_at(["It depends. I weigh this. ", "More.", "</think>", "Yes."], Hold.END)
    assert "".join(spoken) == "Yes."


def test_answer_text_of_an_unknown_model_is_spoken_from_its_first_sentence_on() -> None:
    spoken, _ = spoken_at(["The light in", " the kitchen is on. ", "It is ", "warm."], Hold.SENTENCE)
    assert spoken == ["", "The light in the kitchen is on. ", "It is ", "warm.", ""]
    assert spoken_at(["今日は", "晴れです。", "暖か"], Hold.SENTENCE)[0] == ["", "今日は晴れです。", "暖か", ""]


def test_answer_text_of_a_model_that_reasons_waits_for_the_end_unless_reasoning_arrives_apart() -> None:
    spoken, _ = spoken_at([LONG, "It is warm."], Hold.END)
    assert spoken == ["", "", f"{LONG}It is warm."]
    answer = AnswerText(hold=Hold.END)
    assert not answer.feed("The")
    assert [piece.text for piece in answer.release()] == ["The"]
    assert [piece.text for piece in answer.feed(" light")] == [" light"]


def test_answer_text_without_markdown_keeps_reasoning_as_it_is() -> None:
    spoken, thoughts = spoken_at(["<think>*hm*</think>", "**Yes", "** ✅, it", " is."], Hold.NEVER, plain=True)
    assert ("".join(spoken), thoughts) == ("Yes, it is.", "*hm*")


def test_answer_text_reasoning_that_was_spoken_is_known() -> None:
    answer = AnswerText()
    answer.feed("secret")
    answer.feed("</think>Yes.")
    assert (answer.unopened, answer.spoke_reasoning) == (True, True)
    answer = AnswerText(hold=Hold.SENTENCE)
    answer.feed("secret")
    answer.feed("</think>Yes.")
    assert (answer.unopened, answer.spoke_reasoning) == (True, False)


@pytest.mark.parametrize(
    "model", ["qwen3:8b", "Qwen/Qwen3-30B-A3B", "deepseek-r1:14b", "qwq", "glm-4.6", "magistral", "gpt-oss:20b"]
)
def test_hold_of_a_model_that_reasons_lasts_to_the_end(model: str) -> None:
    assert hold_for(model) is Hold.END


@pytest.mark.parametrize(
    "model", ["test-model", "llama3.2", "qwen3-coder:30b", "qwen2.5:7b", "gpt-4o-mini", "gemma3:4b", "mistral"]
)
def test_hold_of_any_other_model_lasts_for_a_sentence(model: str) -> None:
    assert hold_for(model) is Hold.SENTENCE
