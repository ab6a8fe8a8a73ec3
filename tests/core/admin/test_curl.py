"""Curl commands as documentation, browsers and people write them."""

import contextlib

import pytest

from zeroconf_ai.admin.curl import is_curl, read_curl
from zeroconf_ai.protocol.errors import InvalidRequestError

BODY = '{"model": "auto", "messages": [{"role": "user", "content": "It\'s \\"5 o\'clock\\" & more"}]}'
URL = "http://gpu.local:8000/v1/chat/completions"
PLAIN = '{"model": "auto"}'


@pytest.mark.parametrize(
    "command",
    [
        f"curl {URL} -d '{PLAIN}'",
        f"$ curl -sSX POST {URL} -d '{PLAIN}' | jq .",
        f"# ask it\nexport KEY=zai_x\n\ncurl -N {URL} \\\n  -H \"Authorization: Bearer $KEY\" \\\n  -d '{PLAIN}' > answer.json",
        f"KEY=x curl.exe --request POST --url {URL} --data-raw '{PLAIN}'; echo done",
        f"/usr/bin/curl --json '{PLAIN}' {URL}",
        f"curl --location --compressed --no-buffer -m 60 --data-binary $'{PLAIN}' '{URL}' 2>/dev/null",
        f"curl -XPOST {URL} -H'Content-Type: application/json' -d'{PLAIN}' && date",
        f"curl {URL} --data={PLAIN.replace(' ', '')!r}".replace("'", "'").replace('{"model":"auto"}', PLAIN),
        f"curl {URL} -d @- <<'EOF'\n{PLAIN}\nEOF",
        f'curl {URL} -H "Content-Type: application/json" --data "$(cat <<EOF\n{PLAIN}\nEOF\n)"',
        f'curl {URL} -d "{PLAIN.replace(chr(34), chr(92) + chr(34))}"',
        f"curl {URL} -d $'\\x7b\"model\": \\u0022auto\\042\\x7d'",
        'curl ^"http://gpu.local:8000/v1/chat/completions^" ^\n  --data-raw ^"^{^\\^"model^\\^": ^\\^"auto^\\^"^}^"',
        f"curl \\\r\n {URL} \\\r\n -d '{PLAIN}'\r\n",
        f"sudo curl -k -u name:word -o out.json {URL} -d '{PLAIN}'",
        f"```bash\ncurl {URL} -d '{PLAIN}'\n```".split("```", 1)[1].removeprefix("bash"),
    ],
)
def test_curl_any_spelling_has_address_and_body(command: str) -> None:
    assert is_curl(command)
    found = read_curl(command)
    assert (found.url, found.body) == (URL, PLAIN)


def test_curl_quotes_inside_the_body_are_kept() -> None:
    quoted = BODY.replace("'", "'\\''")
    assert read_curl(f"curl {URL} -d '{quoted}'").body == BODY
    ansi = BODY.replace("\\", "\\\\").replace("'", "\\'")
    assert read_curl(f"curl {URL} -d $'{ansi}'").body == BODY


def test_curl_headers_are_read_and_hidden_in_the_repr() -> None:
    found = read_curl(f"curl {URL} -H 'Authorization: Bearer zai_secret' --header 'X-Title:  My app ' -d '{PLAIN}'")
    assert found.headers == (("Authorization", "Bearer zai_secret"), ("X-Title", "My app"))
    assert "zai_secret" not in repr(found)


def test_curl_second_command_is_left_out() -> None:
    found = read_curl(f"curl {URL} -d '{PLAIN}'\ncurl http://other/ -d 'x'")
    assert (found.url, found.body) == (URL, PLAIN)


def test_curl_several_bodies_are_joined_as_curl_does() -> None:
    assert read_curl(f"curl {URL} -d a=1 -d b=2").body == "a=1&b=2"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (f"curl {URL} -d '{PLAIN}", "quote"),
        (f"curl {URL} -d @body.json", "in a file"),
        (f"curl {URL} -d @-", "in a file"),
        ("curl -sS", "no address"),
        ("curl " + "x" * 1024 * 1024, "longer"),
    ],
)
def test_curl_incomplete_command_is_an_error_that_says_what_to_do(command: str, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        read_curl(command)


@pytest.mark.parametrize("text", ["What is curl?", "Explain:\ncurl http://x -d y", "curling is a sport", "", "a curl b"])
def test_curl_question_about_curl_is_no_command(text: str) -> None:
    assert not is_curl(text)


def test_curl_long_hostile_command_is_read_in_linear_time() -> None:
    for part in ("'", '"', "\\", "$'", "^", "<<", "<<A\n", "-d ", "=", " ", "\n", "a=b ", "a=b\n", "sudo ", "$(cat <<"):
        hostile = part * (300_000 // len(part))
        with contextlib.suppress(InvalidRequestError):
            read_curl(f"curl {hostile}")
        is_curl(hostile)
