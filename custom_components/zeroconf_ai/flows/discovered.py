"""The steps of a discovered provider: it is probed, shown, and confirmed with its API key."""

from typing import Any, Self, override

import voluptuous as vol

from homeassistant.config_entries import ConfigEntry, ConfigFlowResult
from homeassistant.const import CONF_API_KEY
from homeassistant.core import callback
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from ..core.protocol.record import Auth, ServiceRecord
from ..household import code_to_store
from .enroll import EnrolTarget
from .household_probe import HOUSEHOLD_UNPROVEN, entered_code, has_household_token, probe_household
from .known import former_of
from .new_entry import NewEntryFlow
from .offers import OFFERS, async_get_offers
from .placeholders import provider_placeholders, provider_title
from .probe import MOVED, NEEDS_KEY, ProbedProvider, Problem, probe_record
from .provider_schemas import KEY, KEY_OR_HOUSEHOLD, NO_FIELDS, model_ids


class DiscoveredFlow(NewEntryFlow):
    """The steps of a discovered provider within the integration's flow."""

    _record: ServiceRecord | None = None
    """The newest advertisement of the provider that the flow is about."""
    _shown: tuple[str, ...] = ()
    """The base URLs in the form that is shown."""
    _found: ProbedProvider | None = None
    """The provider that answered; None if it requires an API key."""
    _unanswered: Problem | None = None
    """Why the shown provider has not answered yet; None if it has."""
    _answered_at: str | None = None
    """The base URL that answered, if only with a 401."""
    _wants_key = False
    _is_unproven = False
    """Whether the provider did not prove the household token that it advertises."""
    _former: ConfigEntry | None = None
    """The entry of another provider that was confirmed under the same name."""

    @callback
    @override
    def async_remove(self) -> None:
        """Free the card of this flow for another provider."""
        if (offers := self.hass.data.get(OFFERS)) is not None:
            offers.release_card(self.flow_id)

    async def _find(self, record: ServiceRecord) -> None:
        """Probe an advertised provider. Raises Problem if it cannot be used."""
        try:
            self._found = await probe_record(async_get_clientsession(self.hass), record)
        except Problem as problem:
            if problem.key != NEEDS_KEY:
                raise
            self._wants_key, self._answered_at = True, problem.base_url

    async def _find_discovered(self, record: ServiceRecord) -> None:
        """The same for a discovered provider, which is probed again later if it does not answer."""
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
        """Probe an advertised provider that has not answered yet once more, and show it if it answers."""
        record = self._record
        assert record is not None  # every way to this step sets it
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
        """Confirm an advertised provider, with its API key if it requires one."""
        return await self._confirm("discovery_confirm", user_input)

    async def async_step_identity_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """The same for a provider with the name of a configured one and another identity."""
        return await self._confirm("identity_confirm", user_input)

    async def _confirm(self, step_id: str, user_input: dict[str, Any] | None) -> ConfigFlowResult:
        record = self._record
        assert record is not None  # every way to this step sets it
        errors: dict[str, str] = {}
        placeholders = {"reason": ""}
        if user_input is not None and self._enrolls(record) and set(record.urls()) <= set(self._shown):
            return await self._enroll(self._target_of(record))
        if user_input is not None:
            key = user_input.get(CONF_API_KEY)
            try:  # once more: the card may be days old
                code = entered_code(user_input)
                by_household = key is None and self._wants_key and record.sealed_token is not None
                self._found = await self._find_shown(record, key, code, by_household=by_household)
            except Problem as problem:
                errors, placeholders = {"base": problem.key}, problem.placeholders
                self._wants_key = self._wants_key or problem.key == NEEDS_KEY
                self._is_unproven = self._is_unproven or problem.key == HOUSEHOLD_UNPROVEN
            else:
                household = code_to_store(self.hass, code) if by_household else None
                return self._create(record.name, self._found, record, key, names_host=True, household=household)
        schema = await self._schema(record)
        if schema is NO_FIELDS and not self._enrolls(record):
            self._set_confirm_only()
        else:
            self.context.pop("confirm_only", None)
        self._shown = record.urls()
        access = self._access(record, schema)
        placeholders |= await provider_placeholders(self.hass, record, self._models(record), self._address(record), access)
        if self._former is not None:
            placeholders["former"] = self._former.title
        return self.async_show_form(
            step_id=step_id,
            data_schema=schema,
            errors=errors,
            description_placeholders=placeholders,
        )

    async def _schema(self, record: ServiceRecord) -> vol.Schema:
        """What is asked for: nothing from a provider of the household, whose token a stored code opens."""
        if not self._wants_key or self._enrolls(record):
            return NO_FIELDS
        if record.sealed_token is None:
            return KEY
        return NO_FIELDS if not self._is_unproven and await has_household_token(self.hass, record) else KEY_OR_HOUSEHOLD

    def _access(self, record: ServiceRecord, schema: vol.Schema) -> str:
        """How the provider lets Home Assistant in, for the form with these fields."""
        if self._enrolls(record):
            return Auth.MTLS
        if not self._wants_key:
            return Auth.NONE
        if schema is NO_FIELDS:
            return "household"
        return Auth.TOKEN if schema is KEY else "household_or_key"

    def _enrolls(self, record: ServiceRecord) -> bool:
        """Whether the provider requires a client certificate, for which a further step asks."""
        return record.auth is Auth.MTLS and record.tls and self._found is None

    def _target_of(self, record: ServiceRecord) -> EnrolTarget:
        identity = None if record.id_derived else record.id
        return EnrolTarget(self._address(record), record.name, record.fingerprint, identity, record.models)

    async def _find_shown(
        self, record: ServiceRecord, key: str | None, code: str | None, *, by_household: bool
    ) -> ProbedProvider:
        """Probe the addresses that were shown. Raises Problem for other addresses, before the API key is sent anywhere."""
        if not set(record.urls()) <= set(self._shown):
            self._found = None
            raise Problem(MOVED)
        if by_household:
            return await probe_household(self.hass, record, code)
        return await probe_record(async_get_clientsession(self.hass), record, key)

    def _models(self, record: ServiceRecord) -> list[str]:
        return list(record.models) if self._found is None else model_ids(self._found.models)

    def _address(self, record: ServiceRecord) -> str:
        if self._found is not None:
            return self._found.endpoint.base_url
        return self._answered_at if self._answered_at in record.urls() else record.base_url()
