"""Removes secrets and private text from recorded requests and answers, without changing their length or their form.

What is replaced keeps its number of bytes, so that a recorded stream can be cut at the same bytes again. The same value is always
replaced by the same one, so that IDs still belong together. Secrets are API keys and the like, mail addresses, host names and IP
addresses, and user names in paths; they are found by their form, and by the headers that carried them. Private are all strings of
JSON except those with keys in `KEPT`, and the numbers of vectors; everything that is not JSON is private too.
"""

from base64 import b64decode
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import blake2b
import re
import secrets
from typing import ClassVar, Final, override
import unicodedata

from .scrubbed_arguments import ArgumentState

KEPT: Final = frozenset(
    "call_id created_at done_reason encoding_format event finish_reason finishReason format id item_id model modelVersion object"
    " owned_by param phase previous_response_id required response_id responseId role service_tier status stop_reason"
    " system_fingerprint tool_call_id tool_choice tool_use_id toolChoice type version".split()
)
"""Keys whose strings say nothing private; longer strings than `_MAX_KEPT` are replaced all the same."""
_MAX_KEPT: Final = 128
_MAX_PLAIN: Final = 128
"""Characters of a text by which a server is recognized, such as `Ollama is running`; pages of other programs are longer."""
_ERROR_KEYS: Final = frozenset(("code", "detail", "error", "message", "msg"))
_NAMED: Final = frozenset(
    "content_block function functionCall functionDeclarations functionResponse function_call function_declarations functions item"
    " json_schema models output tool_calls tool_choice tools".split()
)
"""Keys of objects whose `name` is that of a tool or a model."""
_OF_OWNER: Final = frozenset(("content", "license", "modelfile", "parameters", "system", "template"))
"""Keys of texts in descriptions of models."""
_FRAGMENTS: Final = frozenset(("arguments", "partial_json"))
"""Keys of arguments of tool calls, or of pieces of them; `delta` of Responses has other texts too."""
_INDEXES: Final = frozenset(("index", "output_index"))
_VECTORS: Final = frozenset(("bytes", "context", "embedding", "embeddings", "input", "prompt", "tokens", "values"))
"""Keys of numbers from which a text can be inferred."""
_LONG_QUOTE: Final = re.compile(r"'[^']{40,}'|`[^`]{40,}`|\\\"(?:(?!\\\").){40,}\\\"")
_SHORTEST_SECRET: Final = 6
_RANDOM: Final = 10
"""Characters of a random part of a key at least."""

_PRIVATE_QUERY: Final = re.compile(r"auth|key|token|secret|password|credential|sig|session|user", re.IGNORECASE)
_PLAIN_HEADERS: Final = frozenset(("accept-encoding", "content-length", "user-agent"))
"""Headers of requests that say nothing of who sends them."""
_SCHEMES: Final = frozenset(("bearer", "basic", "digest", "token"))
_KEPT_HEADERS: Final = re.compile(
    r"accept|anthropic-(?:version|beta)|cache-control|connection|content-type|date|openai-processing-ms|retry-after|server|"
    r"x-(?:ratelimit|should-retry).*",
    re.IGNORECASE,
)

_SECRETS: Final = re.compile(
    r"(?P<url>https?:(?:\\?/){2})(?P<host>[^\s\"'\\/<>]+)"
    r"|(?P<mail>[\w.+%-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<local>\b[\w-]+\.(?:local|lan|home|internal|intranet|home\.arpa|fritz\.box)\b)"
    r"|(?P<v4>\b\d{1,3}(?:\.\d{1,3}){3}\b)"
    r"|(?P<v6>(?<![\w:])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:]))"
    r"|(?P<folder>(?:(?:\\?/)(?:home|Users)\\?/|\bUsers\\\\))(?P<user>[^\s\"'\\/]+)"
    r"|(?P<member>\\?\"(?i:api[_-]?key|key|access[_-]?token|refresh[_-]?token|secret|password|passwd|authorization)\\?\"\s*:\s*\\?\")"
    r"(?P<content>[^\s\"'\\]{6,})"
    r"|(?P<named>(?i:bearer|api[_-]?key|access[_-]?token|token|secret|password|passwd)(?:\s*[=:]\s*|\s+))(?P<value>[^\s\"'\\,;&<>]{6,})"
    r"|(?P<key>\b(?:sk|pk|rk|zai|gsk|xai|hf|r8|pplx|ghp|gho|ghs|glpat|github_pat|xox[abprs]|AIza|AKIA|ya29|eyJ)[-_.\w]{8,})"
    r"|(?P<long>\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{32,}(?![\w-]))",
    re.ASCII,
)
_PRIVATE: Final = re.compile(
    r"(?P<pair>\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2})|\\u(?P<code>[\da-fA-F]{4})|\\."
    r"|</?(?:think|thinking|thought|reasoning|tool_call|function|answer)>|<\|[a-z_]+\|>|\b(?:true|false|null)\b"
    r"|(?P<char>[A-Za-z\d]|[^\x00-\x7f])",
    re.DOTALL | re.ASCII,
)
_TOKENS: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\],:]|-?\d[\d.eE+-]*|[^"{}\[\],:\d-]+|-', re.DOTALL)
_COLON: Final = re.compile(r"\s*:")
_EVENT_FIELD: Final = re.compile(r"(?:data|event|id|retry)?:")
_MARK: Final = "\ufeff"
"""A byte order mark."""
_BARE: Final = frozenset(("true", "false", "null", "DONE"))


type Calls = dict[str, ArgumentState]
"""The calls of a body whose arguments arrive in pieces, by their index."""


class Scrubber:
    """Scrubs the exchanges of one recording."""

    def __init__(self, *, keep_texts: bool = False) -> None:
        """`keep_texts`: only secrets are replaced."""
        self._keep_texts = keep_texts
        self._salt = secrets.token_bytes(32)
        self._known: dict[str, str] = {}

    def learn(self, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
        """Remember what a request carries beside its body; it is replaced wherever it appears."""
        private = [value for name, value in query.items() if _PRIVATE_QUERY.search(name)]
        for name, value in headers.items():
            if name.lower() in _PLAIN_HEADERS or _KEPT_HEADERS.fullmatch(name):
                continue
            private.append(value)
            scheme, _, encoded = value.partition(" ")
            if scheme.lower() == "basic":
                with suppress(ValueError):
                    private.append(b64decode(encoded, validate=True).decode(errors="replace").replace(":", " "))
        for word in (word for value in private for word in re.split(r"[\s;=,]+", value)):
            if len(word) >= _SHORTEST_SECRET and word.lower() not in _SCHEMES:
                self._known[word] = self._stand_in(word)

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Headers, of which only harmless ones keep their values."""
        return {name: self.text(value) if _KEPT_HEADERS.fullmatch(name) else "scrubbed" for name, value in headers.items()}

    def text(self, text: str) -> str:
        """A text without secrets."""
        for known, replaced in self._known.items():
            text = text.replace(known, replaced)
        return _SECRETS.sub(self._replaced, text)

    def listing(self, text: str) -> str:
        """A description of models or of a server, without secrets, long texts and prompts of their owner."""
        if self._keep_texts:
            return self.text(text)
        if text.lstrip()[:1] not in ("{", "[", '"'):
            return self.text(text) if len(text) <= _MAX_PLAIN else _hidden(text)
        return "".join(_Listing(self, text, {}, is_error=True).parts())

    def body(self, text: str, *, is_error: bool = False) -> str:
        """A body without secrets, and without private texts unless they are kept. `is_error`: it reports an error."""
        if self._keep_texts:
            return self.text(text)
        if text.startswith(_MARK):
            return _MARK + self.body(text.removeprefix(_MARK), is_error=is_error)
        lines = text.split("\n")
        calls: Calls = {}
        if not any(_EVENT_FIELD.match(line) for line in lines):
            return self._json(text, calls, is_error=is_error)
        return "\n".join(self._line(line, calls, is_error=is_error) for line in lines)

    def _line(self, line: str, calls: Calls, *, is_error: bool) -> str:
        """A line of a stream of events (the HTML standard's server-sent events)."""
        field, colon, value = line.partition(":")
        if field in ("event", "id", "retry") or (colon and not field):
            return self.text(line)
        if field == "data":
            return f"data:{self._json(value, calls, is_error=is_error)}"
        return self._json(line, calls, is_error=is_error)

    def _json(self, text: str, calls: Calls, *, is_error: bool) -> str:
        start = text.lstrip()[:1]
        if start not in ("{", "["):
            return self.text(text) if is_error else _hidden(text)
        return "".join(_Json(self, text, calls, is_error=is_error).parts())

    def _replaced(self, found: re.Match[str]) -> str:
        kind = found.lastgroup or ""
        if kind == "host":
            return found["url"] + self._stand_in(found["host"])
        if kind == "user":
            return found["folder"] + self._stand_in(found["user"])
        if kind == "value":
            return found["named"] + self._stand_in(found["value"])
        if kind == "content":
            return found["member"] + self._stand_in(found["content"])
        if kind == "long" and not _looks_random(found[0]):
            return found[0]  # the name of a model or a tool
        if kind in ("v4", "v6"):
            return re.sub(r"[^.:]", "0", found[0])
        return self._stand_in(found[0])

    def _stand_in(self, value: str) -> str:
        """A text of the same length and form, without `@`, for a secret. It is not changed again by `text`."""
        if value in self._known.values():
            return value
        digest = blake2b(value.encode(errors="replace"), key=self._salt, digest_size=32).hexdigest()
        letters = (chr(ord("g") + int(digit, 16)) for _ in range(1 + len(value) // len(digest)) for digit in digest)
        changed = "".join(next(letters) if char.isalnum() or char == "@" else char for char in value if char.isascii())
        return changed if len(changed) == len(value) else _hidden(value)


def _looks_random(text: str) -> bool:
    """Whether a part of a long word mixes letters and digits, as keys do and names of models do not."""
    parts = re.split(r"[-_]", text)
    return any(len(part) >= _RANDOM and not part.isalpha() and not part.isdecimal() for part in parts)


class _Json:
    """Scrubs one text of JSON, token by token; it need not be valid or complete."""

    _vectors: ClassVar[frozenset[str]] = _VECTORS

    def __init__(self, scrubber: Scrubber, text: str, calls: Calls, *, is_error: bool) -> None:
        self._scrubber = scrubber
        self._calls = calls
        self._index = ""
        """The index of the call or of the block, which precedes its arguments."""
        self._text = text
        self._is_error = is_error
        self._stack: list[tuple[str, str]] = []
        """Of each open object or list: its kind, and the key of its parent that it belongs to."""
        self._key = ""
        """The key of the value that follows."""

    def parts(self) -> list[str]:
        """The parts of the scrubbed text."""
        return [self._part(found) for found in _TOKENS.finditer(self._text)]

    def _part(self, found: re.Match[str]) -> str:
        token = found[0]
        first = token[0]
        if first in "{[":
            self._stack.append((first, self._key))
        elif first in "}]":
            self._key = self._stack.pop()[1] if self._stack else ""
        elif first == '"':
            if self._stack and self._stack[-1][0] == "{" and _COLON.match(self._text, found.end()):
                self._key = token.strip('"')
                return self._scrubber.text(token)
            return self._string(token)
        elif first.isdecimal() or (first == "-" and len(token) > 1):
            if self._key in _INDEXES:
                self._index = token
            return re.sub(r"[2-9]", "1", token) if self._key in self._vectors else token
        elif not token.isspace() and token.strip() not in _BARE:
            return _hidden(token)
        return token

    def _string(self, token: str) -> str:
        key, parents = self._key, [parent for _, parent in self._stack]
        if self._stack and self._stack[-1][0] == "[":
            parents = parents[:-1]
        if key in _FRAGMENTS:
            state = self._calls.setdefault(self._index, ArgumentState())
            return f'"{state.scrubbed(token[1:-1], _hidden)}"' if token.endswith('"') and len(token) > 1 else _hidden(token)
        if self._is_kept(key, parents, token):
            return self._scrubber.text(token)
        if key in _ERROR_KEYS and (self._is_error or "error" in (key, *parents)):
            return _LONG_QUOTE.sub(lambda quoted: _hidden(quoted[0]), self._scrubber.text(token))
        return _hidden(token)

    def _is_kept(self, key: str, parents: list[str], token: str) -> bool:
        """Whether a string says nothing private."""
        named = key == "name" and (parents[-1:] == ["content"] or bool(_NAMED.intersection(parents[-2:])))
        return (key in KEPT or named) and len(token) <= _MAX_KEPT


class _Listing(_Json):
    """Scrubs what an upstream says of itself."""

    _vectors = frozenset()

    @override
    def _is_kept(self, key: str, parents: list[str], token: str) -> bool:
        return len(token) <= _MAX_KEPT and key not in _OF_OWNER


def _hidden(text: str) -> str:
    """A text of which only the form is left."""
    return _PRIVATE.sub(_placeholder, text)


def _placeholder(found: re.Match[str]) -> str:
    """`x` for letters, `1` for digits, and a character of the same size for others; escapes keep their kind."""
    if found["pair"]:
        return "\\ud83d\\ude00"
    if code := found["code"]:
        number = int(code, 16)
        if _is_form(chr(number)):
            return found[0]
        return "\\u0078" if number < 0x80 else "\\u00e9"
    char = found["char"]
    if char is None:
        return found[0]
    if char.isascii():
        return "1" if char.isdecimal() else "X" if char.isupper() else "x"
    if _is_form(char):
        return char
    return _BY_SIZE[len(char.encode())]


def _is_form(char: str) -> bool:
    """Whether it is a space, a line separator, a control character, or a byte that is not UTF-8: these say nothing private."""
    return unicodedata.category(char)[0] in "ZC"


_BY_SIZE: Final[Mapping[int, str]] = {2: "é", 3: "€", 4: "😀"}

type Scrub = Callable[[str], str]


def scrub_bytes(body: bytes, scrub: Scrub) -> bytes:
    """A body, scrubbed as text; bytes that are not UTF-8 stay. Should its length change, nothing of the body is kept."""
    scrubbed = scrub(body.decode(errors="surrogateescape")).encode(errors="surrogateescape")
    return scrubbed if len(scrubbed) == len(body) else b"x" * len(body)
