"""What every test but the end-to-end ones shares."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
import ssl
from typing import Any
from unittest.mock import AsyncMock, Mock, PropertyMock, patch

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
import pytest
from syrupy.assertion import SnapshotAssertion

# Home Assistant's test plugin brings a `custom_components` package of its own, which would hide the repository's from
# Home Assistant's loader. Whichever is imported first stays.
import custom_components  # noqa: F401
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowHandler, FlowManager
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from .support import steady  # noqa: F401
from .support.fakes.provider import FakeProvider, running
from .support.home_assistant.flow_texts import check_result
from .support.home_assistant.snapshots import PlatformSnapshots


@pytest.fixture(autouse=True)
def custom_integrations(hass: HomeAssistant, enable_custom_integrations: None, tmp_path: Path) -> None:
    """Let Home Assistant load this integration in every test, and store its files in a folder of the test's own."""
    hass.config.config_dir = str(tmp_path)


@pytest.fixture
def quiet_network(mock_async_zeroconf: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """No mDNS packets are received; tests pass advertisements to the integration with `announce`."""
    browser = Mock(return_value=Mock(async_cancel=AsyncMock()))
    monkeypatch.setattr("custom_components.zeroconf_ai.core.lan.browser.AsyncServiceBrowser", browser)
    own = AsyncMock(return_value=True)  # the tests' providers are on this machine, and nothing answers for their names
    monkeypatch.setattr("custom_components.zeroconf_ai.core.lan.own_host.advertised_by_this_host", own)


@pytest.fixture
async def provider(socket_enabled: None, quiet_network: None) -> AsyncIterator[FakeProvider]:
    """A provider that serves on 127.0.0.1."""
    async with running(FakeProvider()) as fake:
        yield fake


@pytest.fixture
def all_entities_enabled() -> Iterator[None]:
    """Enable the entities that are disabled by default as well."""
    with patch("homeassistant.helpers.entity.Entity.entity_registry_enabled_default", PropertyMock(return_value=True)):
        yield


@pytest.fixture
async def ready(hass: HomeAssistant, socket_enabled: None, quiet_network: None) -> None:
    """The integrations that Home Assistant sets up by default, with no network except 127.0.0.1."""
    await async_setup_component(hass, "homeassistant", {})


@pytest.fixture
async def ready_to_serve(hass: HomeAssistant, socket_enabled: None, quiet_network: None) -> None:
    """Home Assistant with its HTTP server; no network but 127.0.0.1."""
    assert await async_setup_component(hass, "homeassistant", {})
    assert await async_setup_component(hass, "http", {})


@pytest.fixture
def checked_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every form, error and end of this integration's flows has its text."""
    handle_step = FlowManager._async_handle_step

    async def handle(manager: FlowManager[Any, Any, Any], flow: FlowHandler[Any, Any, Any], step_id: str, user_input: Any) -> Any:
        result = await handle_step(manager, flow, step_id, user_input)
        if type(flow).__module__.startswith("custom_components.zeroconf_ai"):
            check_result(manager, flow, result)
        return result

    monkeypatch.setattr(FlowManager, "_async_handle_step", handle)


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Snapshots in Home Assistant's form, in a file for each platform where a test has them as a parameter."""
    return snapshot.use_extension(PlatformSnapshots)


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """A server's context with a certificate for 127.0.0.1 that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt_util.utcnow()
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    encoding = serialization.Encoding.PEM
    pem.write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(encoding)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
