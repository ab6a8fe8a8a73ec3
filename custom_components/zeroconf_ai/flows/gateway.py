"""The steps of the gateway in the config flow: set-up, access, and new API keys of its backends."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigFlow, ConfigFlowResult, ConfigSubentryData
from homeassistant.const import CONF_API_KEY, CONF_NAME
from homeassistant.core import HomeAssistant

from ..const import (
    CONF_ADDRESS_PARALLEL,
    CONF_ADDRESS_REQUESTS_PER_MINUTE,
    CONF_ADDRESS_TOKENS_PER_MINUTE,
    CONF_AUTH,
    CONF_DATABASES,
    CONF_FIRST_KEY,
    CONF_GATEWAY_ID,
    CONF_KIND,
    CONF_MACS,
    CONF_NETWORKS,
    CONF_OWN_PORT,
    CONF_OWN_PORT_CERTIFICATE,
    CONF_OWN_PORT_KEY,
    CONF_OWN_PORT_TLS,
    KIND_GATEWAY,
    SUBENTRY_HOME_AGENT,
)
from ..core.accounting.keys.key_secret import PREFIX_LENGTH, new_secret
from ..core.protocol.key_proof import digest
from ..core.protocol.record import Auth
from ..gateway.backend_storage import config_of
from ..markdown import Markdown, MarkdownFlow, code
from .backend_probe import probe_backend
from .gateway_schemas import access_schema, gateway_schema
from .networks import home_networks, read_macs, read_networks
from .probe import Problem
from .provider_schemas import KEY, NO_FIELDS
from .snippets import FIRST_MODEL, gateway_url, snippets

FIRST_KEY_NAME = "First key"
DEFAULT_AGENT_TITLE = "Assist"
CERTIFICATE_UNUSABLE = "certificate_unusable"
PORT_TAKEN = "port_taken"
MTLS_NEEDS_TLS = "mtls_needs_tls"


class GatewayFlow(MarkdownFlow[ConfigFlowResult], ConfigFlow):
    """The steps of the gateway within the integration's flow."""

    _gateway: dict[str, Any]
    """Name and options, as far as they were entered."""
    _secret: str | None = None
    """The first API key while it is shown. It is not stored."""
    _backend_id: str
    """The subentry of the backend that needs a new API key."""

    async def async_step_gateway(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Add the gateway."""
        await self.async_set_unique_id(KIND_GATEWAY, raise_on_progress=False)
        self._abort_if_unique_id_configured(error="gateway_exists")
        errors: dict[str, str] = {}
        placeholders = {"reason": ""}
        if user_input is not None:
            try:
                self._gateway = await _read(self.hass, user_input)
            except Problem as problem:
                errors, placeholders = {"base": problem.key}, problem.placeholders
            else:
                if self._gateway[CONF_AUTH] == Auth.NONE:
                    return await self.async_step_gateway_open()
                return await self.async_step_gateway_key()
        schema = gateway_schema(f"{self.hass.config.location_name} AI", await home_networks(self.hass))
        return self.async_show_form(
            step_id="gateway",
            data_schema=self.add_suggested_values_to_schema(schema, user_input),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def async_step_gateway_key(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show the first API key, once."""
        if self._secret is None:
            self._secret = new_secret()
        if user_input is None:
            shown = snippets(gateway_url(self.hass, self._gateway), self._secret, FIRST_MODEL)
            return self.async_show_form(step_id="gateway_key", data_schema=NO_FIELDS, description_placeholders=shown)
        first = {
            "name": FIRST_KEY_NAME,
            "digest": digest(self._secret).hex(),
            "prefix": self._secret[:PREFIX_LENGTH],
        }
        return self._create_gateway({CONF_FIRST_KEY: first})

    async def async_step_gateway_open(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Confirm access without API keys."""
        if user_input is None:
            networks = Markdown(", ".join(f"`{code(network)}`" for network in self._gateway[CONF_NETWORKS]))
            return self.async_show_form(
                step_id="gateway_open", data_schema=NO_FIELDS, description_placeholders={"networks": networks}
            )
        return self._update_gateway() if self.source == SOURCE_RECONFIGURE else self._create_gateway({})

    def _create_gateway(self, data: Mapping[str, Any]) -> ConfigFlowResult:
        """Create the entry, with Home Assistant's default agent, which needs no LLM, as its first backend."""
        options = dict(self._gateway)
        agent = ConfigSubentryData(data={}, subentry_type=SUBENTRY_HOME_AGENT, title=DEFAULT_AGENT_TITLE, unique_id=None)
        return self.async_create_entry(
            title=options.pop(CONF_NAME),
            data={CONF_KIND: KIND_GATEWAY, CONF_GATEWAY_ID: str(uuid4()), CONF_DATABASES: {}, **data},
            options=options,
            subentries=[agent],
        )

    async def async_step_reconfigure_gateway(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Change the access to the gateway."""
        entry = self._get_reconfigure_entry()
        errors: dict[str, str] = {}
        placeholders = {"reason": ""}
        if user_input is not None:
            try:
                self._gateway = await _read(self.hass, user_input)
            except Problem as problem:
                errors, placeholders = {"base": problem.key}, problem.placeholders
            else:
                opened = self._gateway[CONF_AUTH] == Auth.NONE and (
                    entry.options.get(CONF_AUTH) != Auth.NONE or self._gateway[CONF_NETWORKS] != entry.options.get(CONF_NETWORKS)
                )
                return await self.async_step_gateway_open() if opened else self._update_gateway()
        stored = {CONF_NETWORKS: await home_networks(self.hass), **entry.options, CONF_NAME: entry.title}
        return self.async_show_form(
            step_id="reconfigure_gateway",
            data_schema=self.add_suggested_values_to_schema(access_schema(), stored if user_input is None else user_input),
            errors=errors,
            description_placeholders={**placeholders, "name": entry.title},
        )

    def _update_gateway(self) -> ConfigFlowResult:
        entry = self._get_reconfigure_entry()
        replaced = (
            CONF_AUTH,
            CONF_NETWORKS,
            CONF_OWN_PORT,
            CONF_OWN_PORT_TLS,
            CONF_OWN_PORT_CERTIFICATE,
            CONF_OWN_PORT_KEY,
            CONF_MACS,
            CONF_ADDRESS_REQUESTS_PER_MINUTE,
            CONF_ADDRESS_TOKENS_PER_MINUTE,
            CONF_ADDRESS_PARALLEL,
        )
        kept = {key: value for key, value in entry.options.items() if key not in replaced}
        changed = dict(self._gateway)
        return self.async_update_and_abort(entry, title=changed.pop(CONF_NAME), options=kept | changed)

    async def async_step_reauth_backend(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for a new API key of a backend that rejects its key."""
        entry = self._get_reauth_entry()
        subentry = entry.subentries.get(self._backend_id)
        if subentry is None:
            return self.async_abort(reason="backend_gone")
        errors: dict[str, str] = {}
        placeholders = {"reason": ""}
        if user_input is not None:
            key = user_input[CONF_API_KEY].strip()
            try:
                await probe_backend(self.hass, replace(config_of(subentry), key=key))
            except Problem as problem:
                errors, placeholders = {"base": problem.key}, problem.placeholders
            else:
                data = {**subentry.data, CONF_API_KEY: key}
                self.hass.config_entries.async_update_subentry(entry, subentry, data=data)
                return self.async_abort(reason="backend_reauthenticated", description_placeholders={"name": subentry.title})
        return self.async_show_form(
            step_id="reauth_backend",
            data_schema=KEY,
            errors=errors,
            description_placeholders={**placeholders, "name": subentry.title},
        )


async def _read(hass: HomeAssistant, user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Name and options in a filled-in form. Raises Problem."""
    read = dict(user_input)
    if macs := read_macs(read.pop(CONF_MACS, ())):
        read[CONF_MACS] = macs
    read[CONF_NETWORKS] = read_networks(read.get(CONF_NETWORKS, ()), needed=read[CONF_AUTH] == Auth.NONE)
    if (port := read.get(CONF_OWN_PORT)) is not None and port == _own_http_port(hass):
        raise Problem(PORT_TAKEN, str(port))
    files = [read.pop(name, "").strip() for name in (CONF_OWN_PORT_CERTIFICATE, CONF_OWN_PORT_KEY)]
    if all(files):
        await hass.async_add_executor_job(_check_certificate, *files)
        read |= {CONF_OWN_PORT_CERTIFICATE: files[0], CONF_OWN_PORT_KEY: files[1]}
    elif any(files):
        raise Problem(CERTIFICATE_UNUSABLE, "the certificate and the private key belong together")
    if read[CONF_AUTH] == Auth.MTLS and not (port and read.get(CONF_OWN_PORT_TLS)):
        raise Problem(MTLS_NEEDS_TLS)
    return read


def _check_certificate(certificate: str, key: str) -> None:
    """Raise Problem if the files are not a certificate and its private key. Blocks."""
    from ..core.server.tls.identity_files import TlsError  # noqa: PLC0415 - with cryptography, which most gateways do not need
    from ..core.server.tls.server_tls import GivenCertificate, check_given  # noqa: PLC0415

    try:
        check_given(GivenCertificate(Path(certificate), Path(key)))
    except TlsError as err:
        raise Problem(CERTIFICATE_UNUSABLE, str(err).rstrip(".")) from err


def _own_http_port(hass: HomeAssistant) -> int | None:
    """The port of Home Assistant's web server."""
    return hass.config.api.port if hass.config.api is not None else None
