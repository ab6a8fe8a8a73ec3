"""Sets up providers: those that the network announces, and those whose address is typed in."""

from collections.abc import Mapping
from typing import Any, Self, override

from yarl import URL

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigEntry,
    ConfigFlowResult,
    ConfigSubentryFlow,
    OptionsFlow,
)
from homeassistant.const import CONF_API_KEY, CONF_HOST, CONF_PORT, CONF_SSL, CONF_VERIFY_SSL
from homeassistant.core import DOMAIN as HOMEASSISTANT_DOMAIN, callback
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from homeassistant.helpers.typing import DiscoveryInfoType

from .const import (
    CONF_ADVERTISED,
    CONF_BASE_URL,
    CONF_EPHEMERAL,
    CONF_FINGERPRINT,
    CONF_PROVIDER_ID,
    CONF_SERVICE_NAME,
    CONF_SUBENTRY_ID,
    DOMAIN,
    SUBENTRY_AI_TASK,
    SUBENTRY_BACKEND,
    SUBENTRY_CONVERSATION,
    SUBENTRY_HOME_AGENT,
)
from .core.protocol.record import Auth, RecordError, ServiceRecord, VersionError
from .data import endpoint_of, gateway_entry, is_gateway
from .flows.agents import AgentSubentryFlow, first_subentries
from .flows.backend import BackendSubentryFlow
from .flows.gateway import GatewayFlow
from .flows.gateway_options import GatewayOptionsFlow
from .flows.home_agent import HomeAgentSubentryFlow
from .flows.known import adopt, former_of, is_own, new_address, unconfigured
from .flows.offers import OFFERS, async_get_offers
from .flows.placeholders import provider_placeholders, provider_title
from .flows.probe import (
    INVALID_RECORD,
    MOVED,
    NEEDS_KEY,
    UNSUPPORTED_VERSION,
    Found,
    Known,
    Problem,
    base_urls,
    find,
    find_record,
    survey,
)
from .flows.provider_options import ProviderOptionsFlow
from .flows.provider_schemas import (
    ADDRESS,
    CONF_PROVIDER,
    ENTER_ADDRESS,
    KEY,
    NO_FIELDS,
    flatten,
    found_schema,
    model_ids,
    suggest,
)
from .provider.first_check import keep_check


class ZeroconfAIConfigFlow(GatewayFlow, domain=DOMAIN):
    """The flow of one provider, or of the gateway."""

    VERSION = 1
    MINOR_VERSION = 1

    _record: ServiceRecord | None = None
    """The newest advertisement of the provider that the flow is about."""
    _shown: tuple[str, ...] = ()
    """The base URLs that the owner was shown and asked about."""
    _found: Found | None = None
    """Who answers at it; None where it first wants a key."""
    _unanswered: Problem | None = None
    """Why the provider that is offered has not answered yet."""
    _answered_at: str | None = None
    """The base URL at which it answered, be it only to ask for a key."""
    _wants_key = False
    _former: ConfigEntry | None = None
    """The entry of another provider that was confirmed under the same name."""

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
        }
        if not is_gateway(config_entry):
            return agents
        return {SUBENTRY_BACKEND: BackendSubentryFlow, SUBENTRY_HOME_AGENT: HomeAgentSubentryFlow, **agents}

    @override
    async def async_step_zeroconf(self, discovery_info: ZeroconfServiceInfo) -> ConfigFlowResult:
        """A provider was announced, under either service type."""
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
        """An advertised provider answered after Home Assistant's own flow had ended, or has not answered for a minute."""
        offers = await async_get_offers(self.hass)
        outcome = offers.latest(discovery_info[CONF_PROVIDER_ID])
        return self.async_abort(reason="gone") if outcome is None else await self._offer_discovered(outcome.record)

    async def _offer_discovered(self, record: ServiceRecord) -> ConfigFlowResult:
        try:
            return await self._offer(record)
        except Problem as problem:
            return self.async_abort(reason=problem.key, description_placeholders={"name": record.name, **problem.placeholders})

    @callback
    @override
    def async_remove(self) -> None:
        """The flow has ended: another provider may have its card."""
        if (offers := self.hass.data.get(OFFERS)) is not None:
            offers.release_card(self.flow_id)

    async def _offer(self, record: ServiceRecord) -> ConfigFlowResult:
        """Ask the owner about an advertised provider, unless it is set up already. Raises Problem where it cannot be used."""
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

    async def _find(self, record: ServiceRecord) -> None:
        """Ask an advertised provider. Raises Problem where it cannot be used."""
        try:
            self._found = await find_record(async_get_clientsession(self.hass), record)
        except Problem as problem:
            if problem.key != NEEDS_KEY:
                raise
            self._wants_key, self._answered_at = True, problem.base_url

    async def _find_discovered(self, record: ServiceRecord) -> None:
        """The same for a provider that was discovered: it is asked again later where it does not answer."""
        offers = await async_get_offers(self.hass)
        outcome = await offers.outcome(record)
        if outcome is None:
            raise AbortFlow("too_many_cards")
        self._found = outcome.found
        if outcome.problem is not None:
            if not outcome.answered and not outcome.overdue:
                raise outcome.problem
            self._wants_key, self._answered_at = self._wants_key or outcome.answered, outcome.base_url
            self._unanswered = None if outcome.answered else outcome.problem
        offers.claim_card(self.flow_id, record, answered=outcome.answered)

    async def _show(self, record: ServiceRecord) -> ConfigFlowResult:
        self._former = former_of(self.hass, record)
        answers = self._unanswered is None
        self.context["title_placeholders"] = {
            "name": await provider_title(self.hass, record, self._models(record), answers=answers)
        }
        self.context["configuration_url"] = self._address(record).removesuffix("/v1")
        if not answers:
            return await self.async_step_unanswered_confirm()
        if self._former is not None:
            return await self.async_step_identity_confirm()
        return await self.async_step_discovery_confirm()

    @override
    def is_matching(self, other_flow: Self) -> bool:
        """Whether the other flow is about the same advertised provider; it then gets this newer advertisement."""
        shown = other_flow._record
        if shown is None or self._record is None or shown.id != self._record.id:
            return False
        if shown.service_type == self._record.service_type:
            other_flow._record = self._record
        return True

    async def async_step_unanswered_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask an announced provider that has not answered so far again, and show it once it does."""
        record = self._record
        assert record is not None  # all ways here set it
        errors: dict[str, str] = {}
        reason = "" if self._unanswered is None else self._unanswered.placeholders["reason"]
        if user_input is not None:
            try:
                await self._find(record)
            except Problem as problem:
                errors, reason = {"base": problem.key}, problem.placeholders["reason"]
            else:
                self._unanswered = None
                return await self._show(record)
        return self.async_show_form(
            step_id="unanswered_confirm",
            data_schema=NO_FIELDS,
            errors=errors,
            description_placeholders={"name": record.name, "address": self._address(record), "reason": reason},
        )

    async def async_step_discovery_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether an announced provider shall be used, and for its key where it wants one."""
        return await self._confirm("discovery_confirm", user_input)

    async def async_step_identity_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """The same for one that has the name of a provider that is set up, but is not that one."""
        return await self._confirm("identity_confirm", user_input)

    async def _confirm(self, step_id: str, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        record = self._record
        assert record is not None  # all ways here set it
        errors: dict[str, str] = {}
        placeholders = {"reason": ""}
        if user_input is not None:
            key = user_input.get(CONF_API_KEY)
            try:  # again, because the card may have been there for days
                self._found = await self._find_shown(record, key)
            except Problem as problem:
                errors, placeholders = {"base": problem.key}, problem.placeholders
                self._wants_key = self._wants_key or problem.key == NEEDS_KEY
            else:
                return self._create(record.name, self._found, record, key)
        if not self._wants_key:
            self._set_confirm_only()
        else:
            self.context.pop("confirm_only", None)
        self._shown = record.urls()
        placeholders |= await provider_placeholders(self.hass, record, self._models(record), self._address(record))
        if self._former is not None:
            placeholders["former"] = self._former.title
        return self.async_show_form(
            step_id=step_id,
            data_schema=KEY if self._wants_key else NO_FIELDS,
            errors=errors,
            description_placeholders=placeholders,
        )

    async def _find_shown(self, record: ServiceRecord, key: str | None) -> Found:
        """Who answers now, where the owner was told. Raises Problem, before it shows the key anywhere else."""
        if not set(record.urls()) <= set(self._shown):
            self._found = None
            raise Problem(MOVED)
        return await find_record(async_get_clientsession(self.hass), record, key)

    def _models(self, record: ServiceRecord) -> list[str]:
        return list(record.models) if self._found is None else model_ids(self._found.models)

    def _address(self, record: ServiceRecord) -> str:
        if self._found is not None:
            return self._found.endpoint.base_url
        return self._answered_at if self._answered_at in record.urls() else record.base_url()

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """The owner adds a provider by its address, or first chooses what to add."""
        if user_input is not None:
            return await self._ask_address("user", user_input)
        return await (self.async_step_add() if gateway_entry(self.hass) is None else self.async_step_provider())

    async def async_step_add(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose between a provider and the gateway, of which there is but one."""
        return self.async_show_menu(step_id="add", menu_options=["provider", "gateway"])

    async def async_step_provider(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Add a provider: one that was found on the network, or an address."""
        if unconfigured(self.hass):
            return await self.async_step_found()
        return await self._ask_address("user", None)

    async def async_step_found(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose one of the providers that were found, or to enter an address."""
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
        """The owner gives a provider another address or key, or changes the gateway."""
        entry = self._get_reconfigure_entry()
        if is_gateway(entry):
            return await self.async_step_reconfigure_gateway(user_input)
        if entry.data.get(CONF_EPHEMERAL):
            return self.async_abort(reason="follows_advertisement")
        return await self._ask_address("reconfigure", user_input)

    async def _ask_address(self, step_id: str, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        errors: dict[str, str] = {}
        placeholders = {"reason": ""}
        shown = user_input
        entry = self._get_reconfigure_entry() if self.source == SOURCE_RECONFIGURE else None
        if user_input is not None:
            values = flatten(user_input)
            try:
                return await (self._add(values) if entry is None else self._move(entry, values))
            except Problem as problem:
                errors, placeholders = {"base": problem.key}, problem.placeholders
        elif entry is not None:
            url: str = entry.data[CONF_BASE_URL]
            verify = entry.data.get(CONF_VERIFY_SSL, True)
            shown = suggest({CONF_HOST: url, CONF_SSL: url.startswith("https://"), CONF_VERIFY_SSL: verify})
        if entry is not None:
            placeholders["name"] = entry.title
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(ADDRESS, shown),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def _add(self, values: Mapping[str, Any]) -> ConfigFlowResult:
        """Add what answers at a typed address. Raises Problem."""
        found = await find(
            async_get_clientsession(self.hass),
            base_urls(values[CONF_HOST], values.get(CONF_PORT), tls=values[CONF_SSL]),
            key=values.get(CONF_API_KEY),
            ssl=values[CONF_VERIFY_SSL],
        )
        url, record = found.endpoint.base_url, None
        if found.id is not None:
            if is_own(self.hass, found.id):
                raise AbortFlow("own_advertisement")
            await self.async_set_unique_id(found.id, raise_on_progress=False)
            self._abort_if_unique_id_configured()
            advertised = unconfigured(self.hass).get(found.id)
            if advertised is not None and url in advertised.record.base_urls():
                record = advertised.record
        self._async_abort_entries_match({CONF_BASE_URL: url})
        host = URL(url).host or url
        title = f"{found.health.provider} ({host})" if found.health.provider else host
        verify = None if values[CONF_VERIFY_SSL] else False
        return self._create(record.name if record else title, found, record, values.get(CONF_API_KEY), verify)

    async def _move(self, entry: ConfigEntry, values: Mapping[str, Any]) -> ConfigFlowResult:
        """Speak to the same provider at a typed address, or with another key. Raises Problem."""
        verify: bool = values[CONF_VERIFY_SSL]
        known = Known(entry.unique_id, entry.data[CONF_BASE_URL], entry.data.get(CONF_API_KEY))
        # A pinned certificate stays pinned until the owner switches the verification off.
        pinned = endpoint_of(entry.data).ssl if verify and entry.data.get(CONF_FINGERPRINT) else verify
        found = await find(
            async_get_clientsession(self.hass),
            base_urls(values[CONF_HOST], values.get(CONF_PORT), tls=values[CONF_SSL]),
            key=values.get(CONF_API_KEY),
            ssl=pinned,
            known=known,
        )
        identity = entry.unique_id or found.id
        if entry.unique_id is None and identity is not None:
            await self.async_set_unique_id(identity, raise_on_progress=False)
            self._abort_if_unique_id_configured()
        data = {**entry.data, CONF_BASE_URL: found.endpoint.base_url, CONF_VERIFY_SSL: verify}
        data.pop(CONF_ADVERTISED, None)
        if not verify:
            data.pop(CONF_FINGERPRINT, None)
        if identity is not None:
            data[CONF_PROVIDER_ID] = identity
        if found.endpoint.key is not None:
            data[CONF_API_KEY] = found.endpoint.key
        return self.async_update_and_abort(entry, unique_id=identity, data=data)

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """The provider, or a backend of the gateway, no longer takes its key."""
        if CONF_SUBENTRY_ID in entry_data:
            self._backend_id = entry_data[CONF_SUBENTRY_ID]
            return await self.async_step_reauth_backend()
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for another key."""
        entry = self._get_reauth_entry()
        errors: dict[str, str] = {}
        placeholders = {"reason": "", "name": entry.title}  # not left to Home Assistant, which would not escape it
        if user_input is not None:
            key = user_input[CONF_API_KEY]
            known = Known(entry.unique_id, entry.data[CONF_BASE_URL])
            session = async_get_clientsession(self.hass)
            try:
                await survey(session, endpoint_of(entry.data, key=key), entry.title, known=known)
            except Problem as problem:
                errors, placeholders = {"base": problem.key}, placeholders | problem.placeholders
            else:
                return self.async_update_and_abort(entry, data_updates={CONF_API_KEY: key})
        return self.async_show_form(
            step_id="reauth_confirm", data_schema=KEY, errors=errors, description_placeholders=placeholders
        )

    def _create(
        self, title: str, found: Found, record: ServiceRecord | None, key: str | None, verify: bool | None = None
    ) -> ConfigFlowResult:
        """The entry, with the agent and the AI task that it begins with. A key from an advertisement is never stored."""
        data: dict[str, Any] = {
            CONF_BASE_URL: found.endpoint.base_url,
            CONF_PROVIDER_ID: record.id if record else found.id,
            CONF_SERVICE_NAME: record.name if record else None,
            CONF_ADVERTISED: (record is not None and record is self._record and record.names_public_host) or None,
            CONF_FINGERPRINT: record.fingerprint if record and record.tls else None,
            CONF_EPHEMERAL: bool(record and record.ephemeral_key) or None,
            CONF_API_KEY: key,
            CONF_VERIFY_SSL: verify,
        }
        keep_check(self.hass, found.endpoint, found.check)
        return self.async_create_entry(
            title=title,
            data={name: value for name, value in data.items() if value is not None},
            subentries=first_subentries(title, found.best),
        )
