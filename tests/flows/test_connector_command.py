"""The command that the flow of a connector shows: the address and, if needed, the pin."""

from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from custom_components.zeroconf_ai.const import CONF_OWN_PORT, CONF_OWN_PORT_TLS
from custom_components.zeroconf_ai.core.server.tls.certificates import Hosts, make_authority, make_server, to_pem
from custom_components.zeroconf_ai.core.server.tls.identity_files import fingerprint
from custom_components.zeroconf_ai.flows.connector_command import async_connector_command
from homeassistant.core import HomeAssistant
from homeassistant.core_config import async_process_ha_core_config

from ..support.home_assistant.entries import set_up
from ..support.home_assistant.gateway import gateway_with
from ..support.ports import free_port

pytestmark = pytest.mark.usefixtures("ready_to_serve")

HOSTS = Hosts.of(["home.example.net"], [IPv4Address("192.0.2.7")])


def write_self_signed(file: Path) -> str:
    made = make_authority("Home", HOSTS, datetime.now(UTC)).certificate
    file.write_bytes(to_pem([made]))
    return f" --pin {fingerprint(made)}"


def write_of_an_authority(file: Path) -> str:
    now = datetime.now(UTC)
    file.write_bytes(to_pem([make_server("Home", HOSTS, make_authority("A public CA", HOSTS, now), now).certificate]))
    return ""


def write_nonsense(file: Path) -> str:
    file.write_text("no certificate")
    return ""


@pytest.mark.parametrize("write", [write_self_signed, write_of_an_authority, write_nonsense])
async def test_command_has_the_pin_of_a_certificate_that_home_assistant_signed_itself(
    hass: HomeAssistant, tmp_path: Path, write: Callable[[Path], str]
) -> None:
    await async_process_ha_core_config(hass, {"external_url": "https://home.example.net:8123"})
    assert await async_connector_command(hass) == "zeroconf-ai connect https://home.example.net:8123"
    expected = await hass.async_add_executor_job(write, tmp_path / "cert.pem")
    hass.http.ssl_certificate = str(tmp_path / "cert.pem")
    assert await async_connector_command(hass) == f"zeroconf-ai connect https://home.example.net:8123{expected}"


async def test_command_for_home_assistant_cloud_has_no_pin(hass: HomeAssistant, tmp_path: Path) -> None:
    await hass.async_add_executor_job(write_self_signed, tmp_path / "cert.pem")
    hass.http.ssl_certificate = str(tmp_path / "cert.pem")
    url = "https://example.ui.nabu.casa"
    with patch("homeassistant.helpers.network._get_cloud_url", return_value=url):
        assert await async_connector_command(hass) == f"zeroconf-ai connect {url}"


async def test_command_without_https_names_the_separate_port_that_has_it(hass: HomeAssistant) -> None:
    hass.http.server_host = ["127.0.0.1"]
    await async_process_ha_core_config(hass, {"internal_url": "http://192.0.2.7:8123"})
    assert await async_connector_command(hass) == "zeroconf-ai connect http://192.0.2.7:8123"
    port = free_port()
    entry: Any = await set_up(hass, gateway_with(options={CONF_OWN_PORT: port, CONF_OWN_PORT_TLS: True}))
    pin = entry.runtime_data.separate_port.tls.fingerprint
    assert await async_connector_command(hass) == f"zeroconf-ai connect https://192.0.2.7:{port} --pin {pin}"
