"""What `serve` says about the API key that it has made for a new database."""

from pathlib import Path
from shlex import quote
from textwrap import indent

_REQUEST = '{"model": "auto", "messages": [{"role": "user", "content": "Hello!"}]}'
_TYPE = "-H 'Content-Type: application/json'"


def first_key_text(secret: str, url: str, authority: Path | None = None) -> str:
    """The key, and lines to paste: for programs, and for a shell. `url` is the base URL, which ends in `/v1`.

    `authority`: the file of the server's own certificate authority.
    """
    trust = "" if authority is None else f"--cacert {quote(str(authority))} "
    lines = (
        f"export OPENAI_BASE_URL={url} OPENAI_API_KEY={secret}",
        f"curl {trust}{url}/chat/completions -H 'Authorization: Bearer {secret}' {_TYPE} -d '{_REQUEST}'",
    )
    return (
        f"API key: {secret}\n"
        "It is shown only now, and is not stored. Paste it in Home Assistant when you add this provider, or use it with:\n"
        + indent("\n".join(lines), "  ")
        + "\nMore keys: zeroconf-ai keys create NAME"
    )
