"""The base URLs of an entered address."""

import pytest

from custom_components.zeroconf_ai.flows.probe import KnownProvider, Problem, base_urls

PORTS = (8000, 11434, 1234, 8080, 4000, 1337, 30000, 5000, 5001, 4891, 3000)
USUAL = (*(f":{port}" for port in PORTS), "")


@pytest.mark.parametrize(
    ("address", "port", "tls", "urls"),
    [
        (
            "gpu",
            None,
            False,
            [f"http://gpu{port}{path}" for port in USUAL for path in ("/v1", "")],
        ),
        ("GPU.local", 9000, False, ["http://gpu.local:9000/v1", "http://gpu.local:9000"]),
        ("gpu:8080", None, True, ["https://gpu:8080/v1", "https://gpu:8080"]),
        ("gpu:8080", 9000, False, ["http://gpu:9000/v1", "http://gpu:9000"]),
        ("192.168.1.20", 8000, False, ["http://192.168.1.20:8000/v1", "http://192.168.1.20:8000"]),
        ("https://llm.example.com", None, False, ["https://llm.example.com/v1", "https://llm.example.com"]),
        ("https://llm.example.com/api/v1/", None, False, ["https://llm.example.com/api/v1"]),
        ("https://openrouter.example/api", None, False, ["https://openrouter.example/api/v1", "https://openrouter.example/api"]),
        ("http://gpu:8000/v1/chat/completions", None, True, ["http://gpu:8000/v1"]),
        ("fd00::20", 8000, False, ["http://[fd00::20]:8000/v1", "http://[fd00::20]:8000"]),
        ("[fd00::20]:8000/v1", None, False, ["http://[fd00::20]:8000/v1"]),
        ("https://[fd00::20]/v1", None, False, ["https://[fd00::20]/v1"]),
        ("http://gpu:8000//v1//", None, False, ["http://gpu:8000/v1"]),
        ("http://gpu:8000/v1/v1", None, False, ["http://gpu:8000/v1"]),
        ("http://gpu:8000/v1/v1/messages/", None, False, ["http://gpu:8000/v1"]),
        ("http://gpu:11434/api/chat", None, False, ["http://gpu:11434/v1", "http://gpu:11434"]),
    ],
)
def test_address_of_each_form_has_its_base_urls(address: str, port: int | None, tls: bool, urls: list[str]) -> None:
    assert list(base_urls(address, port, tls=tls)) == urls


@pytest.mark.parametrize(
    "address",
    [
        "",
        "   ",
        "ftp://gpu",
        "file:///etc",
        "http://",
        "http://:8000",
        "gpu box",
        "http://a@gpu",
        "gpu?x=1",
        "gpu#a",
        "gpu:0",
        "gpu:70000",
        "[fd00::20",
        "a:b:c",
    ],
)
def test_address_that_is_invalid_is_refused_with_the_reason(address: str) -> None:
    with pytest.raises(Problem) as caught:
        base_urls(address)
    assert caught.value.key == "invalid_url"
    assert caught.value.placeholders["reason"]


def test_known_provider_repr_contains_no_key() -> None:
    assert "secret" not in repr(KnownProvider("id", "http://gpu", "secret"))
