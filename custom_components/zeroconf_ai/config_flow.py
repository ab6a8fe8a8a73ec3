"""The integration's config flow: routes to the steps in `flows/`."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_USER,
    ConfigEntry,
    ConfigFlowResult,
    ConfigSubentryFlow,
    OptionsFlow,
)
from homeassistant.core import DOMAIN as HOMEASSISTANT_DOMAIN, callback
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from homeassistant.helpers.typing import DiscoveryInfoType

from .const import (
    CONF_BASE_URL,
    CONF_CONNECTOR_ID,
    CONF_EPHEMERAL,
    CONF_PROVIDER_ID,
    CONF_SUBENTRY_ID,
    DOMAIN,
    SUBENTRY_AI_TASK,
    SUBENTRY_BACKEND,
    SUBENTRY_CONVERSATION,
    SUBENTRY_HOME_AGENT,
    SUBENTRY_STT,
    SUBENTRY_TTS,
)
from .core.presence.own_certificates import OwnCertificate
from .core.protocol.record import Auth, RecordError, ServiceRecord, VersionError
from .data import gateway_entry, is_gateway
from .flows.agents import AgentSubentryFlow
from .flows.backend import BackendSubentryFlow
from .flows.cloud import CLOUDS, CloudFlow
from .flows.connector import ConnectorFlow
from .flows.discovered import DiscoveredFlow
from .flows.gateway import GatewayFlow
from .flows.gateway_options import GatewayOptionsFlow
from .flows.home_agent import HomeAgentSubentryFlow
from .flows.known import adopt, is_own, new_address, unconfigured
from .flows.offers import async_get_offers
from .flows.placeholders import provider_title
from .flows.probe import INVALID_RECORD, UNSUPPORTED_VERSION, ProbedProvider, Problem
from .flows.provider_options import ProviderOptionsFlow
from .flows.provider_reauth import ProviderReauthFlow
from .flows.provider_schemas import CONF_PROVIDER, ENTER_ADDRESS, found_schema
from .flows.scan import ScanFlow
from .flows.speech import SpeechSubentryFlow
from .flows.titles import server_title


class ZeroconfAIConfigFlow(ScanFlow, ConnectorFlow, DiscoveredFlow, CloudFlow, ProviderReauthFlow, GatewayFlow, domain=DOMAIN):
    """The flow of a provider, or of the gateway."""

    VERSION = 1
    MINOR_VERSION = 1

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        return GatewayOptionsFlow() if is_gateway(config_entry) else ProviderOptionsFlow()

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(cls, config_entry: ConfigEntry) -> dict[str, type[ConfigSubentryFlow]]:
        agents: dict[str, type[ConfigSubentryFlow]] = {
            SUBENTRY_CONVERSATION: AgentSubentryFlow,
            SUBENTRY_AI_TASK: AgentSubentryFlow,
            SUBENTRY_STT: SpeechSubentryFlow,
            SUBENTRY_TTS: SpeechSubentryFlow,
        }
        if not is_gateway(config_entry):
            return agents
        return {SUBENTRY_BACKEND: BackendSubentryFlow, SUBENTRY_HOME_AGENT: HomeAgentSubentryFlow, **agents}

    @override
    async def async_step_zeroconf(self, discovery_info: ZeroconfServiceInfo) -> ConfigFlowResult:
        """Home Assistant discovered an advertisement, of either service type."""
        name = discovery_info.name.removesuffix(f".{discovery_info.type}")
        try:
            record = ServiceRecord.from_txt(
                discovery_info.properties,
                name=name,
                host=discovery_info.hostname,
                port=discovery_info.port,
                addresses=discovery_info.ip_addresses,
                service_type=discovery_info.type,
            )
        except RecordError as err:
            reason = UNSUPPORTED_VERSION if isinstance(err, VersionError) else INVALID_RECORD
            return self.async_abort(reason=reason, description_placeholders={"name": name, "reason": str(err)})
        usable = await (await async_get_offers(self.hass)).discovery.usable(record)
        if usable is None:
            return self.async_abort(reason="foreign_loopback", description_placeholders={"name": name})
        return await self._offer_discovered(usable)

    @override
    async def async_step_integration_discovery(self, discovery_info: DiscoveryInfoType) -> ConfigFlowResult:
        """An advertised provider answered after the zeroconf flow had ended, or has not answered for a minute."""
        offers = await async_get_offers(self.hass)
        outcome = offers.latest(discovery_info[CONF_PROVIDER_ID])
        return self.async_abort(reason="gone") if outcome is None else await self._offer_discovered(outcome.record)

    async def _offer_discovered(self, record: ServiceRecord) -> ConfigFlowResult:
        try:
            return await self._offer(record)
        except Problem as problem:
            return self.async_abort(reason=problem.key, description_placeholders={"name": record.name, **problem.placeholders})

    async def _offer(self, record: ServiceRecord) -> ConfigFlowResult:
        """Show an advertised provider unless it is configured already. Raises Problem if it cannot be used."""
        if is_own(self.hass, record.id):
            raise AbortFlow("own_advertisement")
        self._record = record
        if self.source != SOURCE_USER and self.hass.config_entries.flow.async_has_matching_flow(self):
            raise AbortFlow("already_in_progress", translation_domain=HOMEASSISTANT_DOMAIN)
        entry = await self.async_set_unique_id(record.id, raise_on_progress=self.source != SOURCE_USER)
        if entry is not None:
            url = await new_address(self.hass, entry, record)
            self._abort_if_unique_id_configured(updates={CONF_BASE_URL: url} if url else None, reload_on_update=False)
        if await adopt(self.hass, record):
            raise AbortFlow("already_configured")
        self._wants_key = record.auth is Auth.TOKEN and record.ephemeral_key is None
        if self.source == SOURCE_USER:
            await self._find(record)
        else:
            await self._find_discovered(record)
        return await self._show(record)

    @override
    async def _check_target(self, provider_id: str) -> None:
        if self.source == SOURCE_REAUTH:
            return
        if is_own(self.hass, provider_id):
            raise AbortFlow("own_advertisement")
        await self.async_set_unique_id(provider_id, raise_on_progress=False)
        self._abort_if_unique_id_configured()

    @override
    async def _on_enrolled(self, held: OwnCertificate, found: ProbedProvider) -> ConfigFlowResult:
        if self.source == SOURCE_REAUTH:
            return await self._update_enrolled(held)
        enrolment = held.enrolment
        record = self._record
        if record is None and (advertised := unconfigured(self.hass).get(enrolment.provider_id)) is not None:
            record = advertised.record
        title = server_title(found, enrolment.base_url) if record is None else record.name
        return self._create(title, found, record, None, pin=enrolment.pin, names_host=self._record is not None)

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Add a provider by its address, or choose what to add."""
        return await (self.async_step_add() if user_input is None else self._ask_address("user", user_input))

    async def async_step_add(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose between a provider, a cloud, and the gateway, which exists at most once."""
        gateway = ["gateway"] if gateway_entry(self.hass) is None else []
        return self.async_show_menu(step_id="add", menu_options=["provider", "scan", "connector", *CLOUDS, *gateway])

    async def async_step_provider(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Add a discovered provider, or one by its address."""
        if unconfigured(self.hass):
            return await self.async_step_found()
        return await self._ask_address("user", None)

    async def async_step_found(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose one of the discovered providers, or enter an address."""
        errors: dict[str, str] = {}
        placeholders = {"reason": ""}
        providers = unconfigured(self.hass)
        if user_input is not None:
            chosen = user_input[CONF_PROVIDER]
            if chosen == ENTER_ADDRESS:
                return await self._ask_address("user", None)
            try:
                if chosen in providers:
                    return await self._offer(providers[chosen].record)
                errors = {"base": "gone"}
            except Problem as problem:
                errors, placeholders = {"base": problem.key}, problem.placeholders
        labels = {key: await provider_title(self.hass, found.record, found.record.models) for key, found in providers.items()}
        return self.async_show_form(
            step_id="found", data_schema=found_schema(labels), errors=errors, description_placeholders=placeholders
        )

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Change the address or API key of a provider, or the access to the gateway."""
        entry = self._get_reconfigure_entry()
        if is_gateway(entry):
            return await self.async_step_reconfigure_gateway(user_input)
        if entry.data.get(CONF_EPHEMERAL):
            return self.async_abort(reason="follows_advertisement")
        if CONF_CONNECTOR_ID in entry.data:
            return self.async_abort(reason="connector_has_no_address")
        return await self._ask_address("reconfigure", user_input)

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """The provider, or a backend of the gateway, rejects its API key."""
        if CONF_SUBENTRY_ID in entry_data:
            self._backend_id = entry_data[CONF_SUBENTRY_ID]
            return await self.async_step_reauth_backend()
        return await self.async_step_reauth_confirm()
