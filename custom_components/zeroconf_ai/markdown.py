"""Texts of others in Home Assistant's Markdown: names, model ids and errors come from the network, and must not become markup.

Home Assistant renders descriptions of steps and of repairs, and reasons to abort, as Markdown with HTML in it: a name could put a
link or a picture of another host into them. What is stored stays as it is; it is escaped here, where it is handed over to be
rendered. Titles and labels get the same values and are shown as plain text, so nothing is escaped that cannot become markup.
"""

from collections.abc import Iterable, Mapping
import re
from typing import Any, override

from homeassistant.data_entry_flow import FlowHandler, FlowResult

from .core.protocol.values import printable

_LIMIT = 1000
_MARKUP = re.compile(
    r"[\\`*\[\]<~]"  # escapes, code, emphasis, links, HTML and addresses in angle brackets, deletions
    r"|&(?=#?\w+;)"  # entities
    r"|(?<![^\W_])_|_(?![^\W_])"  # emphasis; not within a word
    r"|(?<=[A-Za-z]):(?=//)|(?<=[Ww]{3})\.|(?<=\w)@(?=\w)"  # what becomes a link by itself
)
_BLOCK = re.compile(r"[>=|]|(?:#{1,6}|[-+])(?=\s|$)|-(?=\s*-)|\d+(?=[.)](?:\s|$))")
"""What begins a heading, a quotation, a list or a table, at the beginning of a line."""
_PLAIN_IN_FORMS = frozenset({"reason"})
"""Placeholders that only the errors of a form have, which are shown as plain text."""


class Markdown(str):
    """A text that is Markdown already."""

    __slots__ = ()


def escape(text: str) -> Markdown:
    """The Markdown that shows exactly this text, on one line."""
    if isinstance(text, Markdown):
        return text
    line = _MARKUP.sub(r"\\\g<0>", " ".join(printable(text, _LIMIT).split()))
    if (begin := _BLOCK.match(line)) is not None:
        end = begin.end()
        line = f"{line[:end]}\\{line[end:]}" if line[0].isdecimal() else f"\\{line}"
    return Markdown(line)


def code(text: str) -> Markdown:
    """A text that stands between the backticks of a translated text."""
    return Markdown(" ".join(printable(text, _LIMIT).replace("`", "'").split()))


def table_row(cells: Iterable[str]) -> Markdown:
    """A row of a table."""
    return Markdown("| " + " | ".join(escape(cell).replace("|", "\\|") for cell in cells) + " |")


def escaped(values: Mapping[str, str]) -> dict[str, str]:
    """The placeholders of a text that is rendered as Markdown."""
    return {name: escape(value) for name, value in values.items()}


class MarkdownFlow[Result: FlowResult[Any, Any]](FlowHandler[Any, Result, Any]):
    """A flow whose placeholders are escaped, but for those that are `Markdown` already."""

    @override
    def async_show_form(self, *, description_placeholders: Mapping[str, str] | None = None, **options: Any) -> Result:
        values = dict(description_placeholders or {})
        plain = {name: printable(values.pop(name), _LIMIT) for name in _PLAIN_IN_FORMS & values.keys()}
        return super().async_show_form(description_placeholders=escaped(values) | plain, **options)

    @override
    def async_show_menu(self, *, description_placeholders: Mapping[str, str] | None = None, **options: Any) -> Result:
        return super().async_show_menu(description_placeholders=escaped(description_placeholders or {}), **options)

    @override
    def async_abort(self, *, description_placeholders: Mapping[str, str] | None = None, **options: Any) -> Result:
        return super().async_abort(description_placeholders=escaped(description_placeholders or {}), **options)
