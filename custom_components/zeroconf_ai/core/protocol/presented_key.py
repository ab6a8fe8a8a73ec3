"""The API key that a request presents in its headers."""

from collections.abc import Mapping

KEY_HEADERS = ("Authorization", "x-api-key", "api-key", "x-goog-api-key")
"""The headers with a client's API key: OpenAI's, Anthropic's, Azure's and Google's. The first one with a key counts."""
_OTHER_SCHEMES = frozenset({"basic", "digest", "negotiate", "ntlm"})
_QUOTES = "\"'`"


def presented_key(headers: Mapping[str, str]) -> str | None:
    """The key of the first header of KEY_HEADERS that contains one, without `Bearer`, quotes and spaces around it; else None.

    `Authorization` may also be the key alone. A value with another scheme, such as the `Basic` of a proxy, counts last: as a
    wrong key.
    """
    found = [key for name in KEY_HEADERS if (key := _bare(headers.get(name, "")))]
    return next(iter(sorted(found, key=_has_other_scheme)), None)


def _bare(value: str) -> str:
    text, before = value.strip(), ""
    while text != before:  # settings of clients contain `"KEY"` and `Bearer KEY`, before which the client writes `Bearer` again
        before = text
        scheme, _, rest = text.partition(" ")
        if scheme.casefold() in ("bearer", "bearer:"):
            text = rest.strip()
        if len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES:
            text = text[1:-1].strip()
    return text


def _has_other_scheme(key: str) -> bool:
    return key.partition(" ")[0].casefold() in _OTHER_SCHEMES
