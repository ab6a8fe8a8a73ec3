"""Saturn's `api_base`: an advertisement must not send a household's prompts to somebody else."""

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
def test_an_upstream_of_its_own_or_with_a_public_name_is_believed(url: str) -> None:
    record = read({"deployment": "cloud", "api_base": url}, service_type=SATURN_TYPE)
    assert record.base_url() == url.rstrip("/")


@pytest.mark.parametrize("url", HOSTILE_BASES)
def test_an_advertisement_cannot_point_prompts_at_somebody_else(url: str) -> None:
    record = read({"deployment": "cloud", "api_base": url}, service_type=SATURN_TYPE)
    assert record.api_base is None
    assert record.base_url() == "http://192.168.1.5:8000/v1"


def test_loopback_is_not_believed_even_of_the_announcing_host() -> None:
    assert read({"api_base": "http://127.0.0.1:1/v1"}, addresses=["127.0.0.1"]).api_base is None


def test_only_a_cloud_beacon_is_spoken_to_at_its_upstream() -> None:
    assert read({"deployment": "network", "api_base": "https://api.example.com/v1"}).base_url() == "http://192.168.1.5:8000/v1"


def test_a_host_that_moved_takes_its_own_upstream_address_with_it() -> None:
    record = read({"deployment": "cloud", "api_base": "http://192.168.1.5:9000/v1"}, service_type=SATURN_TYPE)
    assert record.with_addresses(["192.168.1.77"]).base_url() == "http://192.168.1.77:8000/v1"
