"""Which providers a client connects to, and what it says where it connects to none."""

import pytest

from zeroconf_ai.client.connections import Hints, KeyRequiredError, NoProviderError, Wanted, base_url_of, choose
from zeroconf_ai.lan.providers import Provider
from zeroconf_ai.lan.trust import Trust
from zeroconf_ai.protocol.record import Auth, ServiceRecord


def found(name: str, *, trust: Trust = Trust.NEW, auth: Auth = Auth.NONE) -> Provider:
    return Provider(ServiceRecord(name, f"{name}.local.", 8000, id=f"id-{name}", auth=auth), trust)


def test_providers_without_a_name_are_chosen_by_state_and_trust() -> None:
    anybody, hints = Wanted(), Hints(provider="--provider NAME")
    open_one, locked, changed = found("a"), found("b", auth=Auth.TOKEN), found("c", trust=Trust.CHANGED)
    assert choose([locked, open_one, changed], anybody, hints) == [open_one]
    with pytest.raises(
        KeyRequiredError, match=r"Set --provider NAME: an API key is sent only to the provider that you name, .* Found: b, c\."
    ) as raised:
        choose([locked, changed], anybody, hints)
    assert raised.value.names == ("b",)
    with pytest.raises(NoProviderError, match=r"Set --provider NAME: .* Found: c\.") as other:
        choose([changed], anybody, hints)
    assert type(other.value) is NoProviderError
    certified = found("d", auth=Auth.MTLS)
    with pytest.raises(NoProviderError, match=r"^d requires a client certificate.* zeroconf-ai enroll d\.local:8000$") as other:
        choose([certified, changed], anybody, hints)
    assert type(other.value) is NoProviderError  # no API key is asked for
    with pytest.raises(KeyRequiredError) as raised:
        choose([locked, certified], anybody, hints)
    assert raised.value.names == ("b",)
    assert choose([certified, locked], anybody, hints, lambda record: record.name == "d") == [certified]
    with pytest.raises(NoProviderError, match="No provider was found on the network"):
        choose([], anybody, hints)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://gpu:8000", "http://gpu:8000/v1"),
        ("https://gpu.example.com/v1/", "https://gpu.example.com/v1"),
        ("https://gpu.example.com/proxy/v1", "https://gpu.example.com/proxy/v1"),
        ("192.0.2.1:8000", "http://192.0.2.1:8000/v1"),
        ("[2001:db8::1]:8000/v1", "http://[2001:db8::1]:8000/v1"),
        ("http://[2001:db8::1]:8000", "http://[2001:db8::1]:8000/v1"),
        ("gpu:8000", "http://gpu:8000/v1"),
        ("Living room: GPU", None),
        ("gpu", None),
        ("ftp://gpu:21", None),
        ("Demo on gpu (2)", None),
    ],
)
def test_urls_are_distinguished_from_names(text: str, expected: str | None) -> None:
    assert base_url_of(text) == expected
