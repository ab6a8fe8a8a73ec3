"""Saturn's `api_base`: an advertisement must not direct prompts to other hosts."""

import pytest

from tests.core.protocol.test_record import read
from zeroconf_ai.protocol.record import SATURN_TYPE

GOOD_BASES = [
    "https://api.example.com/v1",
    "https://api.example.com:8443/v1/",
    "https://xn--bcher-kva.example/v1",
    "http://192.168.1.5:8000/v1",
    "https://192.168.1.5/v1",
]
HOSTILE_BASES = [
    "",
    "api.example.com",
    "ftp://api.example.com/",
    "file:///etc/passwd",
    "http://api.example.com/v1",  # prompts in clear over the internet
    "https://localhost/v1",
    "https://LOCALHOST./v1",
    "https://printer.local/v1",
    "https://nas.lan/v1",
    "https://box.home.arpa/v1",
    "https://x.internal/v1",
    "https://127.0.0.1/v1",
    "https://127.1/v1",
    "https://0x7f.1/v1",
    "https://0177.0.0.1/v1",
    "https://2130706433/v1",
    "https://１２７.０.０.１/v1",
    "https://127。0。0。1/v1",
    "https://１９２.１６８.１.６/v1",
    "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/v1",
    "https://nas.ⓛⓞⓒⓐⓛ/v1",
    "https://[::1]/v1",
    "https://[::ffff:127.0.0.1]/v1",
    "https://10.0.0.7/v1",
    "https://192.168.1.6/v1",
    "https://169.254.169.254/latest/meta-data",
    "https://[fe80::1]/v1",
    "https://8.8.8.8/v1",
    "https://user@api.example.com/v1",
    "https://:password@api.example.com/v1",
    "https://@api.example.com/v1",
    "https://api.example.com@127.0.0.1/v1",
    "https://api.example.com\\@127.0.0.1/v1",
    "https://127.0.0.1\\.example.com/v1",
    "https://api.example.com/v1?key=1",
    "https://api.example.com/v1#x",
    "https://api example.com/v1",
    "https://api.example.com:0x50/v1",
    "https://api.example.com:99999/v1",
    "https://[::1/v1",
]


@pytest.mark.parametrize("url", GOOD_BASES)
def test_api_base_of_the_own_host_or_a_public_name_is_accepted(url: str) -> None:
    record = read({"deployment": "cloud", "api_base": url}, service_type=SATURN_TYPE)
    assert record.base_url() == url.rstrip("/")


@pytest.mark.parametrize("url", HOSTILE_BASES)
def test_api_base_of_another_host_is_ignored(url: str) -> None:
    record = read({"deployment": "cloud", "api_base": url}, service_type=SATURN_TYPE)
    assert record.api_base is None
    assert record.base_url() == "http://192.168.1.5:8000/v1"


def test_api_base_with_loopback_is_ignored_even_for_the_own_host() -> None:
    assert read({"api_base": "http://127.0.0.1:1/v1"}, addresses=["127.0.0.1"]).api_base is None


def test_api_base_is_used_only_for_cloud_records() -> None:
    assert read({"deployment": "network", "api_base": "https://api.example.com/v1"}).base_url() == "http://192.168.1.5:8000/v1"


def test_api_base_of_a_moved_host_is_checked_again() -> None:
    record = read({"deployment": "cloud", "api_base": "http://192.168.1.5:9000/v1"}, service_type=SATURN_TYPE)
    assert record.with_addresses(["192.168.1.77"]).base_url() == "http://192.168.1.77:8000/v1"
