"""What a model writes, as it is spoken: without Markdown and emoji, wherever the text is split."""

from hypothesis import given, strategies as st
import pytest

from zeroconf_ai.protocol.speech.plain import PlainSpeech, plain

SPOKEN = {
    # Emphasis and code.
    "**Bold** and *it*": "Bold and it",
    "***both***": "both",
    "**Note:** *the* light": "Note: the light",
    "_hi_ there": "hi there",
    "__x__": "x",
    "~~old~~ new": "old new",
    "这是**重点**内容": "这是重点内容",
    "**unclosed": "unclosed",
    "`code` x": "code x",
    "`*.py` x": "*.py x",
    "``a ` b``": "a ` b",
    # What only looks like it.
    "2 * 3 = 6": "2 * 3 = 6",
    "2*3": "2*3",
    "f*ck": "f*ck",
    "snake_case_name": "snake_case_name",
    "light.kitchen_lamp": "light.kitchen_lamp",
    "~5 km": "~5 km",
    "-5 degrees": "-5 degrees",
    "5 < 6 and 7 > 3": "5 < 6 and 7 > 3",
    "a | b": "a | b",
    "don't": "don't",
    "#1 of 100%": "#1 of 100%",
    "→ go": "→ go",
    # Lines.
    "# Title\nText": "Title\nText",
    "Title\n=====\nx": "Title\nx",
    "---\ntext": "text",
    "> quote": "quote",
    "> - **a**": "a",
    "- a\n- b\n* c\n1. d": "a\nb\nc\n1. d",
    "  - deep": "deep",
    "* item *em* x": "item em x",
    "• dot": "dot",
    "- [ ] milk\n- [x] bread": "milk\nbread",
    "a\n\nb": "a\n\nb",
    "***": "",
    # Tables.
    "| A | B |\n|---|:-:|\n| 1 | **2** |\nend": "A, B\n1, 2\nend",
    # Blocks of code.
    "```python\nprint('**x**')\n```\nDone": "print('**x**')\nDone",
    "~~~\n# a\n~~~\nb": "# a\nb",
    "```\nx": "x",
    "``` inline ``` x": "inline  x",
    # Links and addresses.
    "[link](https://x.y/z) here": "link here",
    "[a (b)](https://x.y/(z)) c": "a (b) c",
    "![pic](a.png) yes": "pic yes",
    "[a **b** c][ref]": "a b c",
    "see [1] now": "see [1] now",
    "a[^1] b": "a b",
    "[unclosed text": "[unclosed text",
    "<https://ha.io/x>": "ha.io",
    "Go to https://www.example.com/a/b?c=d. OK": "Go to example.com. OK",
    "(https://a.b/c)": "(a.b)",
    "hello http there": "hello http there",
    # HTML, characters by name, escapes.
    "a<br>b": "a\nb",
    "<b>x</b>": "x",
    "AT&amp;T & co": "AT&T & co",
    "x &unknownthing; y": "x &unknownthing; y",
    "\\*x\\*": "*x*",
    "\\(a+b\\)": "a+b",
    # Emoji.
    "Done ✅.": "Done.",
    "👍 ok": "ok",
    "ok ⭐⭐": "ok",
    "It is 21 °C ☀️ today": "It is 21 °C today",
    "Hi 👨‍👩‍👧‍👦 there": "Hi there",
    "wave 👋🏽!": "wave!",
    "🇩🇪 de": "de",
    "1️⃣ one": "1 one",
    "©️ 2026 © x": "2026 © x",
    "👍": "",
    # Other scripts.
    "क्‍ष": "क्‍ष",
    "می‌خواهم": "می‌خواهم",
    "今日は晴れです。": "今日は晴れです。",
    "Привет, мир!": "Привет, мир!",
    "a  b": "a  b",
}


def in_pieces(text: str, sizes: list[int]) -> str:
    speech, spoken, at = PlainSpeech(), "", 0
    while at < len(text):
        size = sizes[at % len(sizes)]
        spoken += speech.feed(text[at : at + size])
        at += size
    return spoken + speech.flush()


@pytest.mark.parametrize(("written", "spoken"), SPOKEN.items())
def test_speech_has_neither_markdown_nor_emoji_wherever_it_is_split(written: str, spoken: str) -> None:
    assert plain(written) == spoken
    for size in (1, 2, 3, 5):
        assert in_pieces(written, [size]) == spoken


WORDS = "** * _ __ ` ``` ~~ # - > | [ ]( ) ! <br> < &amp; & \\ https://a.b/c http ✅ \ufe0f \u200d © 1 a B. क्‍ 。 --- :".split(" ")
MARKS = st.sampled_from([*WORDS, " ", "  ", "\n", "\n\n", "- ", "> ", "| a |"])


@given(st.lists(MARKS, max_size=16).map("".join), st.lists(st.integers(1, 4), min_size=1, max_size=5))
def test_speech_does_not_depend_on_where_the_text_is_split(text: str, sizes: list[int]) -> None:
    assert in_pieces(text, sizes) == plain(text)


@given(st.text(st.characters(categories=["Lu", "Ll", "Lo", "Lm", "Mn", "Mc", "Nd"], exclude_characters="\ufe0f"), max_size=30))
def test_speech_keeps_every_letter(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize("start", ["[", "[x](", "<a", "| ", "https://a.", "```", "&", "   -"])
def test_speech_holds_back_a_bounded_length(start: str) -> None:
    speech = PlainSpeech()
    written = start + "x" * 10_000
    spoken = "".join(speech.feed(written[at : at + 7]) for at in range(0, len(written), 7))
    assert len(spoken) > 2_000 or "https" in start  # an address is spoken as its host


def test_speech_of_a_sentence_is_returned_with_it() -> None:
    speech = PlainSpeech()
    assert speech.feed("The **kitchen** light is on. ") == "The kitchen light is on."
    assert speech.feed("It is") == " It is"
