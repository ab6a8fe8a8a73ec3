"""Addresses of houses as people write them, and the file with the pairings."""

from pathlib import Path
import stat

import pytest

from zeroconf_ai.relay.house_address import AddressError, relay_url
from zeroconf_ai.relay.paired_houses import MOST_HOUSES, PairedHouse, StateError, load_houses, save_houses, with_house

HOME = PairedHouse("wss://ai.example.net/v1/relay", bytes(range(32)), "Home", "gpu", "p" * 43, "house-id")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("ai.example.net", "wss://ai.example.net/v1/relay"),
        ("AI.example.net:8443", "wss://ai.example.net:8443/v1/relay"),
        ("wss://ai.example.net", "wss://ai.example.net/v1/relay"),
        ("wss://ai.example.net/", "wss://ai.example.net/v1/relay"),
        ("https://ai.example.net/v1", "wss://ai.example.net/v1/relay"),
        ("https://ai.example.net/v1/relay", "wss://ai.example.net/v1/relay"),
        ("https://example.net/zeroconf/", "wss://example.net/zeroconf/v1/relay"),
        ("  wss://ai.example.net\n", "wss://ai.example.net/v1/relay"),
        ("[2001:db8::1]:8443", "wss://[2001:db8::1]:8443/v1/relay"),
        ("192.0.2.7:8123", "wss://192.0.2.7:8123/v1/relay"),
        ("ws://127.0.0.1:8000", "ws://127.0.0.1:8000/v1/relay"),
        ("http://localhost:8123", "ws://localhost:8123/v1/relay"),
        ("http://[::1]:8123", "ws://[::1]:8123/v1/relay"),
    ],
)
def test_address_of_a_house_is_read_as_people_write_it(text: str, url: str) -> None:
    """With any scheme, or none; with the path of a reverse proxy."""
    assert relay_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "wss://",
        "ftp://ai.example.net",
        "http://ai.example.net",
        "ws://192.168.1.2:8123",
        "http://127.0.0.1.example.net",
        "wss://user:secret@ai.example.net",
        "wss://ai.example.net/?key=secret",
        "wss://ai.example.net/#part",
        "wss://[ai",
        "wss://ai.example.net:99999",
        f"wss://{'a' * 3000}",
    ],
)
def test_address_that_is_none_or_without_tls_is_refused(text: str) -> None:
    """Only this machine itself is asked without TLS. Errors never repeat the text, which may have a password."""
    with pytest.raises(AddressError) as caught:
        relay_url(text)
    assert "secret" not in str(caught.value)


def test_paired_houses_are_stored_for_their_user_only(tmp_path: Path) -> None:
    """A house at the same address replaces the former one."""
    file = tmp_path / "connector" / "houses.json"
    assert load_houses(file) == ()
    other = PairedHouse("wss://broker.example.net/v1/relay", bytes(32), "Broker", "gpu-2")
    save_houses(file, with_house(with_house((), HOME), other))
    assert load_houses(file) == (HOME, other)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert HOME.base_url == "https://ai.example.net/v1"
    anew = PairedHouse(HOME.url, bytes(32), "Home", "gpu-3")
    assert with_house(load_houses(file), anew) == (other, anew)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"houses": 7}',
        b'{"houses": [{}]}',
        b'{"houses": [{"url": 1, "key": "", "name": "", "id": ""}]}',
        b"\xff",
    ],
)
def test_damaged_file_of_houses_is_an_error_and_stays(tmp_path: Path, content: bytes) -> None:
    """A pairing is not lost because a disk was full."""
    file = tmp_path / "houses.json"
    file.write_bytes(content)
    with pytest.raises(StateError, match="is damaged"):
        load_houses(file)
    assert file.read_bytes() == content


def test_too_many_houses_are_refused() -> None:
    """What a connector keeps open is bounded."""
    many = tuple(PairedHouse(f"wss://{number}.example.net/v1/relay", bytes(32), "", "") for number in range(MOST_HOUSES))
    with pytest.raises(StateError, match="--forget"):
        with_house(many, HOME)
