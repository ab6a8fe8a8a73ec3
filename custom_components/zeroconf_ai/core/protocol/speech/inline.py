"""The markers within a line: `InlineSpeech`, on which `plain` builds."""

from collections.abc import Callable, Mapping
import html
import re
from typing import Final
from urllib.parse import urlsplit

from .emoji import EMOJI, FIRST, JOINED, SYMBOL, SYMBOLS

_LINK_TEXT: Final = 300
_LINK_ADDRESS: Final = 2_000
_TAG: Final = 300
_ENTITY: Final = 12
"""Maximum characters that are held back until a link's text, an address, an HTML tag or a character reference is complete."""

_SPECIAL: Final = re.compile(rf"[\\`*_~!\[<&\n hH{SYMBOLS}{FIRST}]")
_ADDRESS: Final = re.compile(r"https?://[^\s<>()\[\]\"'`*|]+", re.IGNORECASE)
_SCHEMES: Final = ("http://", "https://")
_REFERENCE: Final = re.compile(r"&(?:#\d{1,6}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,9});")
_HTML: Final = re.compile(r"</?[a-zA-Z][^<>\n]*>")
_PUNCTUATION: Final = ".,;:!?)]}。，、；：！？）」』"


def inline(text: str) -> str:
    """Convert a complete part of a line to speech."""
    speech = InlineSpeech()
    return speech.feed(text) + speech.flush()


class InlineSpeech:
    """Converts the pieces of a text to speech, without markers at the beginning of lines."""

    def __init__(self) -> None:
        self._held = ""
        self._code = 0
        """Number of backticks that end the code within a line."""
        self._before = ""
        """The previous character, including markers."""
        self._spaces = ""
        """Spaces that are spoken only if a word follows on their line."""
        self._silent_start = True
        """Whether nothing was spoken on this line yet, so that spaces are dropped."""
        self._after_emoji = False
        self._final = False
        self._out: list[str] = []

    def feed(self, text: str) -> str:
        """The speech that `text` completes; an end that may belong to a marker is held back."""
        self._held += text
        return self._run()

    def flush(self) -> str:
        """The rest, at the end of the message."""
        self._final = True
        return self._run()

    def _run(self) -> str:
        self._out = []
        while self._held:
            used = self._step(self._held)
            if used is None:
                break
            if used:
                self._before = self._held[used - 1]
                self._held = self._held[used:]
        return "".join(self._out)

    def _say(self, text: str) -> None:
        """Add text; spaces wait for the next word."""
        if not text:
            return
        stripped = text.rstrip(" ")
        if self._after_emoji and not stripped and (self._spaces or self._silent_start):
            return  # keep one of the spaces around a picture
        if stripped:
            closes = self._after_emoji and stripped[0] in _PUNCTUATION
            if self._spaces and not (self._silent_start or closes):
                self._out.append(self._spaces)
            self._out.append(stripped)
            self._silent_start = self._after_emoji = False
            self._spaces = ""
        self._spaces = (self._spaces + text[len(stripped) :])[:8]

    def _end_line(self) -> None:
        self._out.append("\n")
        self._spaces, self._silent_start, self._code, self._after_emoji = "", True, 0, False

    # Each of the following methods returns the number of characters it has read, or None if it needs more characters.

    def _step(self, text: str) -> int | None:
        return self._inline(text)

    def _inline(self, text: str) -> int | None:
        if self._after_emoji and (joined := JOINED.match(text)) is not None:
            return joined.end()
        found = _SPECIAL.search(text)
        if found is None:
            self._say(text)
            return len(text)
        if found.start():
            self._say(text[: found.start()])
            return found.start()
        sign = text[0]
        if sign == "\n":
            self._end_line()
            return 1
        if sign == " ":
            self._say(sign)
            return 1
        if sign == "`":
            return self._backticks(text)
        if self._code:
            self._say(sign)
            return 1
        return _INLINE.get(sign, InlineSpeech._emoji)(self, text)

    def _run_of(self, text: str) -> int | None:
        """The length of the run of the first character; None if the next piece may continue it."""
        run = len(text) - len(text.lstrip(text[0]))
        return None if run == len(text) and not self._final else run

    def _backticks(self, text: str) -> int | None:
        run = self._run_of(text)
        if run is None:
            return None
        if self._code == 0:
            self._code = run
        elif self._code == run:
            self._code = 0
        else:
            self._say(text[:run])
        return run

    def _emphasis(self, text: str) -> int | None:
        """A run of `*`, `_` or `~`: spoken only where it is no Markdown, such as in 2 * 3, snake_case and ~5."""
        run = self._run_of(text)
        if run is None:
            return None
        before, after = self._before, text[run : run + 1]
        alone = (not before or before.isspace()) and (not after or after.isspace())
        if text[0] == "_":
            spoken = alone or (before.isalnum() and after.isalnum())
        elif text[0] == "~":
            spoken = run != 2
        else:
            spoken = alone or (before.isdigit() and after.isdigit()) or (run == 1 and _is_latin(before) and _is_latin(after))
        if spoken:
            self._say(text[:run])
        return run

    def _escape(self, text: str) -> int | None:
        if len(text) == 1:
            if not self._final:
                return None
            self._say(text)
            return 1
        if text[1] == "\n":
            return 1
        if text[1] in "()[]":  # mathematics
            return 2
        self._say(text[1] if not (text[1].isalnum() or text[1].isspace()) else text[:2])
        return 2

    def _image(self, text: str) -> int | None:
        if len(text) == 1 and not self._final:
            return None
        if text[1:2] != "[":
            self._say("!")
            return 1
        used = self._link(text[1:])
        return None if used is None else used + 1

    def _link(self, text: str) -> int | None:
        """A link is spoken as its text, a footnote not at all. Other brackets stay."""
        close = _closing(text, "[", "]", _LINK_TEXT)
        if close is None:
            if not self._final and "\n" not in text and len(text) < _LINK_TEXT:
                return None
            self._say("[")
            return 1
        if text[1:2] == "^":
            return close + 1
        if close + 1 == len(text) and not self._final:
            return None
        end = close + 1
        opening = text[end : end + 1]
        if opening == "(" and "\n" not in text[:end]:
            last = _closing(text[end:], "(", ")", _LINK_ADDRESS)
            if last is None and not self._final and "\n" not in text[end:] and len(text) < _LINK_ADDRESS:
                return None
            if last is not None:
                self._say(inline(text[1:close]))
                return end + last + 1
        elif opening == "[":
            last = _closing(text[end:], "[", "]", _LINK_TEXT)
            if last is None and not self._final and "\n" not in text[end:] and len(text) < _LINK_TEXT:
                return None
            if last is not None:
                self._say(inline(text[1:close]))
                return end + last + 1
        self._say("[")
        return 1

    def _tag(self, text: str) -> int | None:
        """An address in angle brackets, or an HTML tag."""
        if len(text) == 1 and not self._final:
            return None
        if text[1:2].isalpha() or text[1:2] == "/":
            end = text.find(">", 0, _TAG)
            if end < 0 and not self._final and "\n" not in text and len(text) < _TAG:
                return None
            if end > 0 and (found := _ADDRESS.fullmatch(text, 1, end)) is not None:
                self._say(_host(found[0]))
                return end + 1
            if end > 0 and _HTML.fullmatch(text, 0, end + 1):
                if text[1:3].lower() == "br":
                    self._end_line()
                return end + 1
        self._say("<")
        return 1

    def _reference(self, text: str) -> int | None:
        """An HTML character reference, such as `&amp;`."""
        if (found := _REFERENCE.match(text)) is not None:
            self._say(html.unescape(found[0]).replace("\xa0", " "))
            return found.end()
        if not self._final and len(text) < _ENTITY and re.fullmatch(r"&#?[a-zA-Z0-9]*", text):
            return None
        self._say("&")
        return 1

    def _address(self, text: str) -> int | None:
        """A web address is spoken as its host."""
        start = text[:8].lower()
        if self._before.isalnum() or not any(scheme.startswith(start) or start.startswith(scheme) for scheme in _SCHEMES):
            self._say(text[0])
            return 1
        found = _ADDRESS.match(text)
        goes_on = len(start) == len(text) if found is None else found.end() == len(text) < _LINK_ADDRESS
        if goes_on and not self._final:
            return None
        if found is None:
            self._say(text[0])
            return 1
        address = found[0].rstrip(_PUNCTUATION)
        self._say(_host(address))
        return len(address)

    def _emoji(self, text: str) -> int | None:
        if text[0] in SYMBOLS:
            if len(text) == 1 and not self._final:
                return None
            if SYMBOL.match(text) is None:
                self._say(text[0])
                return 1
            self._after_emoji = True
            return 2
        found = EMOJI.match(text)
        assert found is not None
        self._after_emoji = True
        return found.end()


def _closing(text: str, opening: str, closing: str, limit: int) -> int | None:
    """The index of the bracket that closes the first one, on the same line and within `limit`; None if it is missing."""
    depth = 0
    for index, sign in enumerate(text[:limit]):
        if sign == "\n":
            return None
        if sign == opening:
            depth += 1
        elif sign == closing:
            depth -= 1
            if depth == 0:
                return index
    return None


def _host(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def _is_latin(sign: str) -> bool:
    return sign.isascii() and sign.isalnum()


_INLINE: Final[Mapping[str, Callable[[InlineSpeech, str], int | None]]] = {
    "*": InlineSpeech._emphasis,
    "_": InlineSpeech._emphasis,
    "~": InlineSpeech._emphasis,
    "\\": InlineSpeech._escape,
    "!": InlineSpeech._image,
    "[": InlineSpeech._link,
    "<": InlineSpeech._tag,
    "&": InlineSpeech._reference,
    "h": InlineSpeech._address,
    "H": InlineSpeech._address,
}
