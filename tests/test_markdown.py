"""Untrusted texts in Home Assistant's Markdown: shown unchanged, and never markup."""

from collections.abc import Iterator
import html
import inspect
import pkgutil
import re
from types import ModuleType

from hypothesis import given, strategies as st
from markdown_it import MarkdownIt
import pytest

import custom_components.zeroconf_ai as integration
from custom_components.zeroconf_ai.core.protocol.errors import ApiError
from custom_components.zeroconf_ai.core.protocol.values import clean, printable, terminal_text
from custom_components.zeroconf_ai.markdown import Markdown, MarkdownFlow, code, escape, escaped, table_row
from homeassistant.data_entry_flow import FlowHandler

HOSTILE = [
    "![x](http://evil.example/p.png)",
    "[Sign in again](http://evil.example)",
    "[a][b]",
    "<img src=http://evil.example/p.png>",
    "<http://evil.example>",
    "<script>alert(1)</script>",
    "&lt;img src=x&gt; &#91;a](b)",
    "`code` ``x``",
    "*bold* **bold** _em_ __init__ ~~gone~~",
    "# heading",
    "> quotation",
    "- item",
    "+ item",
    "1. item",
    "2) item",
    "=== ",
    "| a | b |",
    "back\\slash \\[x](y)",
    "\\",
    "![x]\n(http://evil.example)\n\n# heading",
    "\t    indented",
]
RENDER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def shown(markdown: str) -> str:
    """The text of a paragraph that is rendered and has no element in it."""
    rendered = RENDER.render(markdown).strip()
    paragraph = re.fullmatch(r"<p>([^<]*)</p>", rendered)
    assert paragraph is not None, rendered
    return html.unescape(paragraph[1])


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """The integration's own modules, those of the core excepted."""
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if found.name == f"{integration.__name__}.core":
            continue
        module = __import__(found.name, fromlist=["_"])
        yield module
        if found.ispkg:
            yield from modules(module)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("template", ["{}", "Add {} now", "a ({})", "{}(b)", "[{}"])
def test_escape_markup_is_shown_as_text(template: str, text: str) -> None:
    wanted = template.format(" ".join(text.split()))
    assert shown(template.replace("[", "\\[").format(escape(text))) == wanted


@given(st.text(max_size=60), st.text(st.sampled_from("[]()!<>*_`~\\#+-=|&;:/@.w1a \n"), max_size=30))
def test_escape_any_text_is_shown_unchanged(one: str, other: str) -> None:
    for text in (one, other):
        wanted = " ".join(printable(text).split())
        assert not wanted or shown(escape(text)) == wanted


@pytest.mark.parametrize(
    "text", ["http://evil.example", "HTTPS://evil.example/x", "www.evil.example", "WWW.evil.example", "a@evil.example"]
)
def test_escape_address_does_not_become_a_link(text: str) -> None:
    told = escape(text)
    assert not re.search(r"(?i)https?://|www\.|\w@\w", told)
    assert shown(told) == text


@pytest.mark.parametrize(
    "name",
    [
        "GPU box",
        "Attic (2)",
        "qwen3:8b",
        "meta-llama/Llama-3.1_8B-Instruct",
        "my_pc",
        "Tom & Jerry",
        "Büro – 100 %",
        "a > b",
        "v1.0",
        "3 GPUs",
    ],
)
def test_escape_common_name_is_unchanged(name: str) -> None:
    assert escape(name) == name
    assert shown(name) == name


def test_escape_of_markdown_is_not_repeated() -> None:
    assert escape(escape("[x]")) == "\\[x\\]"
    assert escaped({"name": "[x]", "table": Markdown("| a |")}) == {"name": "\\[x\\]", "table": "| a |"}


def test_code_cannot_be_ended_by_the_text() -> None:
    assert code("http://x/`](http://evil.example)\n\n# a") == "http://x/'](http://evil.example) # a"


def test_table_row_cell_stays_within_its_cell() -> None:
    assert table_row(["a | b", Markdown("`c|d`")]) == "| a \\| b | `c\\|d` |"
    rendered = RENDER.render("| A | B |\n|---|---|\n" + table_row(["<img src=x> | [a](b)\n|x", "-"]))
    assert rendered.count("<td>") == 2
    assert "<img" not in rendered
    assert "<a" not in rendered


def test_flows_of_the_integration_escape_placeholders() -> None:
    flows = {
        member
        for module in modules(integration)
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, FlowHandler) and member.__module__.startswith(integration.__name__)
    }
    assert len(flows) > 10
    assert {flow.__name__ for flow in flows if not issubclass(flow, MarkdownFlow)} == set()


INVISIBLE = "\u202e\u2066\u200b\u200d\ufeff\u00ad\u034f\u3164\ufe0f\u115f\U000e0101\x1b\x9b\x00"


def test_name_loses_direction_and_zero_width_characters() -> None:
    assert clean(f"GPU{INVISIBLE} box\n") == "GPU box"
    assert printable("a\u202eb\nc") == "a b c"
    assert clean("x" * 300) == "x" * 255


def test_error_message_is_one_line_without_control_characters() -> None:
    err = ApiError("it\nWARNING forged line\x1b[2J\u202e")
    assert (err.message, str(err)) == ("it WARNING forged line [2J ", err.message)


def test_answer_on_a_terminal_cannot_control_it() -> None:
    assert terminal_text("one\n\ttwo\x1b]0;x\x07\x9b2J\r\u202e नमस्ते 👩‍🚀") == "one\n\ttwo]0;x2J नमस्ते 👩‍🚀"
