"""What a check of multicast DNS means. Real packets are in tests/e2e/test_discovery_check.py."""

from ipaddress import ip_address
import json
from pathlib import Path
import re
from typing import Any

import pytest

from zeroconf_ai.admin.discovery_check import findings
from zeroconf_ai.lan.multicast_check import InterfaceCheck, MulticastCheck

TRANSLATIONS = Path(__file__).parents[3] / "custom_components/zeroconf_ai/translations/en.json"


def interface(name: str = "eth0", address: str = "192.168.1.2", *, virtual: bool = False, **seen: Any) -> InterfaceCheck:
    """An interface on which this was seen."""
    return InterfaceCheck(name, 1, (ip_address(address),), virtual, **seen)


def found(*interfaces: InterfaceCheck, container: bool = False, advertises: bool = False) -> dict[str, Any]:
    """The findings by code, with their values."""
    checked = MulticastCheck(interfaces, container, (), 4.0)
    return {finding["code"]: finding["values"] for finding in findings(checked, advertises=advertises)}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ((), {"no_network"}),
        ((interface("docker0", "172.17.0.1", virtual=True),), {"no_network"}),
        ((interface(error="Permission denied"),), {"error", "no_announcement", "own_off"}),
        ((interface(),), {"not_sent", "no_announcement", "own_off"}),
        ((interface(sent=True),), {"silent", "no_announcement", "own_off"}),
        ((interface("wg0", sent=True),), {"tunnel", "no_announcement", "own_off"}),
        ((interface("tailscale0", "100.64.0.1"),), {"tunnel", "no_announcement", "own_off"}),
        ((interface(sent=True, packets=3, hosts={"a", "b"}),), {"heard", "no_provider", "own_off"}),
        ((interface(packets=1, hosts={"a"}, error="No buffer space available"),), {"heard", "no_provider", "own_off"}),
    ],
)
def test_findings_name_what_prevents_discovery(seen: tuple[InterfaceCheck, ...], expected: set[str]) -> None:
    assert set(found(*seen)) == expected


def test_findings_container_names_its_address() -> None:
    assert found(interface("eth0", "172.18.0.5", sent=True), container=True)["container"] == {"address": "172.18.0.5"}
    heard = interface("eth0", "172.18.0.5", sent=True, packets=1, hosts={"a"})
    assert "container" not in found(heard, container=True)  # such as one in a macvlan


def test_findings_providers_are_named_once_cleaned_and_bounded() -> None:
    names = {f"Box\u202e {number}._zeroconfai._tcp.local." for number in range(7)} | {"Box 0._saturn._tcp.local."}
    values = found(interface(sent=True, packets=9, hosts={"a"}, providers=names))["found"]
    assert values == {"count": 7, "names": "Box 0, Box 1, Box 2, Box 3, Box 4, …"}


def test_findings_own_advertisement_is_seen_or_missing() -> None:
    assert found(interface(sent=True, advertised=True), advertises=True)["own_seen"] == {"interfaces": "eth0"}
    assert "own_missing" in found(interface(sent=True), advertises=True)


def test_findings_each_has_a_text_for_its_values() -> None:
    texts = json.loads(TRANSLATIONS.read_text(encoding="utf-8"))["config_panel"]["finding"]
    seen = found(
        interface("eth0", sent=True, packets=1, hosts={"a"}, providers={"B._zeroconfai._tcp.local."}, advertised=True),
        interface("eth1", error="x"),
        interface("eth2"),
        interface("eth3", sent=True),
        interface("wg0"),
        advertises=True,
    )
    seen |= found() | found(interface(packets=1, hosts={"a"})) | found(interface(sent=True), advertises=True)
    seen |= found(interface(sent=True), container=True)
    assert len(seen) == 13
    for code, values in seen.items():
        assert set(re.findall(r"\{(\w+)\}", texts[code])) <= set(values), code
