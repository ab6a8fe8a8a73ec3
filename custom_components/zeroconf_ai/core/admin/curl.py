r"""Reads a curl command that a person pastes: address, headers and body, without running anything.

Understood are the quotes of POSIX shells, `$'…'` (ANSI-C quotes, which Chromium and Firefox copy), `\` at the end of a line, the
`^` of Windows' command line, and here-documents (`-d @- <<EOF`). What follows the command (`| jq`, `> file`, `; …`) is left out.
"""

from dataclasses import dataclass, field
import re
from typing import Final

from ..protocol.errors import InvalidRequestError

LIMIT: Final = 1024 * 1024
"""Characters of a command."""
_BEGIN = re.compile(
    r"(?:^|\n)[ \t]*(?:[$#>%][ \t]+)?(?:(?:sudo|time|exec)[ \t]+)?(?:[A-Za-z_]\w*=\S*[ \t]+)*(?:\S*/)?curl(?:\.exe)?(?=\s|\^)",
    re.IGNORECASE,
)
_HEREDOC = re.compile(r"<<-?[ \t]*(['\"]?)(\w{1,64})\1([^\n]*)\n")
_NEWLINE = re.compile(r"\\[ \t]*\r?\n")
_CARET = re.compile(r"\^(\r?\n|.)", re.DOTALL)
_ENDS = frozenset("|;&><")
_ANSI: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b", "E": "\x1b"}
_ANSI_CODE = re.compile(r"x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|([0-7]{1,3})")
_PLAIN = re.compile(r"[^\s\\'\"$|;&><]+")
_IN_QUOTES: Final = {"'": re.compile(r"[^\\']+"), '"': re.compile(r'[^\\"]+')}
_SUBSTITUTION = re.compile(r"\$\(\s*cat\s*$")

_BODY = frozenset({"-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--data-urlencode", "--json"})
_WITH_VALUE_SHORT = frozenset("AbcCDdeEFhHKmoPQrtTuUwXxYyz")
"""The options of one letter that have a value (curl 8)."""
_FLAGS_LONG = frozenset(
    {
        "--anyauth", "--basic", "--compressed", "--create-dirs", "--digest", "--fail", "--fail-early", "--fail-with-body",
        "--get", "--globoff", "--head", "--http0.9", "--http1.0", "--http1.1", "--http2", "--http2-prior-knowledge", "--http3",
        "--http3-only", "--include", "--insecure", "--ipv4", "--ipv6", "--location", "--location-trusted", "--negotiate",
        "--next", "--no-buffer", "--no-keepalive", "--no-progress-meter", "--ntlm", "--parallel", "--path-as-is",
        "--progress-bar", "--remote-name", "--show-error", "--show-headers", "--silent", "--ssl", "--ssl-reqd", "--styled-output",
        "--tcp-nodelay", "--tls-earlydata", "--tlsv1", "--tlsv1.0", "--tlsv1.1", "--tlsv1.2", "--tlsv1.3", "--verbose",
    }
)  # fmt: skip
"""The long options without a value; all others have one, except those that begin with `--no-`."""


@dataclass(frozen=True, slots=True)
class CurlCommand:
    """A curl command. The repr shows neither headers nor body, which contain secrets and prompts."""

    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: str | None = field(repr=False)
    """None: the command sends no body."""


def is_curl(text: str) -> bool:
    """Whether a text is a curl command, alone or after the assignments that it uses."""
    found = _BEGIN.search(text)
    return found is not None and all(_is_preamble(line) for line in text[: found.start()].splitlines())


def read_curl(text: str) -> CurlCommand:
    """Read a curl command. Raises InvalidRequestError for a command without an address, or with a body that is not in it."""
    if len(text) > LIMIT:
        raise InvalidRequestError(f"The command is longer than {LIMIT} characters.")
    found = _BEGIN.search(text)
    if found is None:
        raise InvalidRequestError("This is no curl command.")
    command, here = _without_heredoc(text[found.end() :])
    if '^"' in command or re.search(r"\^\r?\n", command):
        command = _CARET.sub(lambda caret: " " if "\n" in caret[1] else caret[1], command)
    return _understood(_words(command), here)


def _is_preamble(line: str) -> bool:
    """Whether a line before the command says nothing about it: empty, a comment, an assignment, a fence of Markdown."""
    stripped = line.strip()
    return (
        not stripped
        or stripped.startswith(("#", "```", "export ", "set ", "$ export "))
        or bool(re.match(r"[A-Za-z_]\w*=", stripped))
    )


def _without_heredoc(command: str) -> tuple[str, str | None]:
    """The command without its here-document, and the text of the document."""
    begin = _HEREDOC.search(command)
    end = None if begin is None else re.compile(rf"\n[ \t]*{begin[2]}(?=[ \t]*(?:\n|\)|$))").search(command, begin.end() - 1)
    if begin is None or end is None:
        return command, None
    before, after, text = command[: begin.start()], command[end.end() :], command[begin.end() : end.start()]
    if (substitution := _SUBSTITUTION.search(before)) is not None:  # "$(cat <<EOF … EOF)"
        return f"{before[: substitution.start()]}@-{after.lstrip().removeprefix(')')}", text
    return f"{before} {begin[3]}{after}", text


def _words(command: str) -> list[str]:
    """The words of a command up to its end, without quotes. Raises InvalidRequestError for a quote that is not closed."""
    words: list[str] = []
    word: list[str] = []
    begun = False
    at, end = 0, len(command)
    while at < end:
        character = command[at]
        if character.isspace():
            if begun:
                words.append("".join(word))
                word, begun = [], False
            if character == "\n" and words:
                break
            at += 1
        elif character in _ENDS and not (begun and character == "&"):  # an address without quotes contains `&`
            break
        elif (newline := _NEWLINE.match(command, at)) is not None:
            at = newline.end()
        else:
            begun = True
            part, at = _part(command, at)
            word.append(part)
    return [*words, "".join(word)] if begun else words


def _part(command: str, at: int) -> tuple[str, int]:
    """The text of the part of a word that begins at `at`, and where it ends."""
    if command[at] == "\\" and at + 1 < len(command):
        return command[at + 1], at + 2
    if command[at] in "'\"" or command.startswith("$'", at):
        return _quoted(command, at)
    plain = _PLAIN.match(command, at)
    return (command[at], at + 1) if plain is None else (plain[0], plain.end())


def _quoted(command: str, at: int) -> tuple[str, int]:
    """The text of the quotes that begin at `at`, and where they end. Raises InvalidRequestError if they do not."""
    ansi = command[at] == "$"
    at += ansi
    quote, at = command[at], at + 1
    parts: list[str] = []
    while at < len(command):
        character = command[at]
        if character == quote:
            return "".join(parts), at + 1
        if character == "\\" and at + 1 < len(command) and (ansi or quote == '"'):
            part, at = _ansi(command, at + 1) if ansi else _escaped(command, at + 1)
            parts.append(part)
            continue
        plain = _IN_QUOTES[quote].match(command, at)
        parts.append(character if plain is None else plain[0])
        at += len(parts[-1])
    raise InvalidRequestError("A quote in the command is not closed. Paste the whole command.")


def _escaped(command: str, at: int) -> tuple[str, int]:
    r"""What `\\` and the character at `at` mean in double quotes."""
    character = command[at]
    return ("" if character == "\n" else character if character in '"\\$`' else f"\\{character}"), at + 1


def _ansi(command: str, at: int) -> tuple[str, int]:
    r"""What `\\` and what begins at `at` mean in ANSI-C quotes."""
    if (code := _ANSI_CODE.match(command, at)) is not None:
        number = int(code[4], 8) if code[4] else int(code[1] or code[2] or code[3], 16)
        return (chr(number) if number <= 0x10FFFF else "\ufffd"), code.end()
    return _ANSI.get(command[at], command[at]), at + 1


def _understood(words: list[str], here: str | None) -> CurlCommand:
    headers: list[tuple[str, str]] = []
    bodies: list[str] = []
    url, at = "", 0
    while at < len(words):
        word, at = words[at], at + 1
        name, value, at = _option(words, word, at)
        if name == "":
            url = url or word
        elif name in ("-H", "--header"):
            header, _, text = value.partition(":")
            headers.append((header.strip(), text.strip()))
        elif name == "--url":
            url = value
        elif name in _BODY:
            bodies.append(_body(name, value, here))
        elif name in ("-u", "--user"):
            headers.append(("Authorization", "Basic"))
    if not url:
        raise InvalidRequestError("The command names no address. Paste the whole command.")
    return CurlCommand(url, tuple(headers), "&".join(bodies) if bodies else None)


def _option(words: list[str], word: str, at: int) -> tuple[str, str, int]:
    """Name and value of an option, and the place of the next word; "" as the name of a word that is no option."""
    if word.startswith("--") and len(word) > 2:
        name, equals, value = word.partition("=")
        if equals:
            return name, value, at
        if word in _FLAGS_LONG or word.startswith("--no-"):
            return word, "", at
        return word, *_next(words, at)
    if not word.startswith("-") or word == "-":
        return "", "", at
    for place, letter in enumerate(word[1:], 2):  # -sSX POST, -XPOST
        if letter in _WITH_VALUE_SHORT:
            rest = word[place:]
            return (f"-{letter}", rest, at) if rest else (f"-{letter}", *_next(words, at))
    return word, "", at


def _next(words: list[str], at: int) -> tuple[str, int]:
    return (words[at], at + 1) if at < len(words) else ("", at)


def _body(name: str, value: str, here: str | None) -> str:
    if not value.startswith("@") or name == "--data-raw":
        return value
    if value == "@-" and here is not None:
        return here
    raise InvalidRequestError("The body of the command is in a file. Paste its text instead.", code="body_in_file")
