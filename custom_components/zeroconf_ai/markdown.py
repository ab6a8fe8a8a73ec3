"""Escaping of untrusted texts for Home Assistant's Markdown: names, model ids and errors come from the network.

Home Assistant renders descriptions of steps and repairs and abort reasons as Markdown with HTML, so a name could insert a link or
an image of another host. Stored values are not changed; they are escaped when they are passed on for rendering. Titles and labels
show the same values as plain text, so only characters that could become markup are escaped.
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
    r"|(?<=[A-Za-z]):(?=//)|(?<=[Ww]{3})\.|(?<=\w)@(?=\w)"  # automatic links
)
_BLOCK = re.compile(r"[>=|]|(?:#{1,6}|[-+])(?=\s|$)|-(?=\s*-)|\d+(?=[.)](?:\s|$))")
"""The beginning of a line that starts a heading, quotation, list or table."""
_PLAIN_IN_FORMS = frozenset({"reason"})
"""Placeholders that are used only in form errors, which are shown as plain text."""


class Markdown(str):
    """A text that is already Markdown."""

    __slots__ = ()


def escape(text: str) -> Markdown:
    """Markdown that renders as exactly this text, on one line."""
    if isinstance(text, Markdown):
        return text
    line = _MARKUP.sub(r"\\\g<0>", " ".join(printable(text, _LIMIT).split()))
    if (begin := _BLOCK.match(line)) is not None:
        end = begin.end()
        line = f"{line[:end]}\\{line[end:]}" if line[0].isdecimal() else f"\\{line}"
    return Markdown(line)


def code(text: str) -> Markdown:
    """A text to be placed between backticks."""
    return Markdown(" ".join(printable(text, _LIMIT).replace("`", "'").split()))


def table_row(cells: Iterable[str]) -> Markdown:
    """A row of a table."""
    return Markdown("| " + " | ".join(escape(cell).replace("|", "\\|") for cell in cells) + " |")


def escaped(values: Mapping[str, str]) -> dict[str, str]:
    """Escaped placeholders for a text that is rendered as Markdown."""
    return {name: escape(value) for name, value in values.items()}


class MarkdownFlow[Result: FlowResult[Any, Any]](FlowHandler[Any, Result, Any]):
    """A flow that escapes placeholders, except those that are already `Markdown`."""

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
