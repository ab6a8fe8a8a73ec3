"""The form for the address of a provider, which adds it or changes its connection."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import voluptuous as vol

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigEntry, ConfigFlowResult
from homeassistant.const import CONF_API_KEY, CONF_HOST, CONF_PORT, CONF_SSL, CONF_VERIFY_SSL
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.aiohttp_client import async_get_clientsession

from ..certificates import context_of
from ..const import (
    CONF_ADVERTISED,
    CONF_BASE_URL,
    CONF_FINGERPRINT,
    CONF_HOUSEHOLD,
    CONF_KEEP_ALIVE,
    CONF_NUM_CTX,
    CONF_PROVIDER_ID,
    CONF_SERVER_KIND,
    SUBENTRY_BACKEND,
)
from ..core.backends.base import Ssl
from ..core.backends.ollama.context import suggested_size
from ..core.backends.zeroconfai import fingerprint_ssl
from ..core.config.backend_types import BACKEND_TYPES
from ..core.presence.server_kinds import UNKNOWN_KIND
from ..core.protocol.record import names_public_host
from ..data import chosen_type, endpoint_of, gateway_entry
from ..issues import server_of
from .backend_probe import ADDRESS_IN_USE
from .enroll import EnrolTarget
from .household_probe import token_for_entry
from .known import is_own, unconfigured
from .model_options import KEEP_ALIVE_INVALID, model_option_fields, prompt_tokens, read_model_options
from .new_entry import NewEntryFlow
from .probe import NEEDS_KEY, KnownProvider, ProbedProvider, Problem, base_urls, probe_urls
from .provider_schemas import ADDRESS, flatten, suggest
from .titles import server_title

NEEDS_KEY_NAMED = "needs_key_named"
"""The error for a server of a known kind that requires an API key."""


class AddressFlow(NewEntryFlow):
    """The form for an address within the integration's flow."""

    _added: ProbedProvider
    """The server that is being added."""
    _create_added: Callable[..., ConfigFlowResult]
    """Creates its entry with `options`."""
    _warned_of: str | None = None
    """The address for which the flow showed that the gateway has a backend there."""

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

    async def _add(self, values: Mapping[str, Any], found_as: str | None = None) -> ConfigFlowResult:
        """Add the provider at an entered address, with the title `found_as` if it has one. Raises Problem."""
        urls = base_urls(values[CONF_HOST], values.get(CONF_PORT), tls=values[CONF_SSL])
        ssl: Ssl = values[CONF_VERIFY_SSL]
        if ssl and (pinned := self._advertised_certificate(urls)) is not None:
            urls, ssl = pinned
        try:
            found = await probe_urls(async_get_clientsession(self.hass), urls, key=values.get(CONF_API_KEY), ssl=ssl)
        except Problem as problem:
            if problem.wants_certificate and problem.base_url is not None:
                return await self._enroll(EnrolTarget(problem.base_url, urlsplit(problem.base_url).netloc))
            if problem.key != NEEDS_KEY or problem.kind is None or problem.kind is UNKNOWN_KIND:
                raise
            raise Problem(NEEDS_KEY_NAMED, f"{problem.kind.title} ({problem.base_url})") from None
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
        self._warn_of_address(url)
        title = record.name if record else found_as or server_title(found, url)
        verify = None if values[CONF_VERIFY_SSL] else False
        create = partial(self._create, title, found, record, values.get(CONF_API_KEY), verify=verify)
        if found.kind is None or not BACKEND_TYPES[found.kind.type].has_options:
            return create()
        self._added = found
        self._create_added = create
        return await self.async_step_model_options()

    def _advertised_certificate(self, urls: Iterable[str]) -> tuple[tuple[str, ...], Ssl] | None:
        """The https addresses and the certificate of a provider that is advertised at one of `urls`, with or without https.

        Not of a public name, whose certificate an authority vouches for: anybody can advertise another one.
        """
        servers = {urlsplit(url).netloc for url in urls if not names_public_host(url)}
        for provider in unconfigured(self.hass).values():
            record = provider.record
            found = tuple(url for url in sorted(record.base_urls()) if urlsplit(url).netloc in servers)
            if found and record.tls and record.fingerprint is not None:
                with suppress(ValueError):  # the fingerprint is invalid
                    return found, fingerprint_ssl(record.fingerprint)
        return None

    def _warn_of_address(self, url: str) -> None:
        """Raise Problem once for the address of a backend of the gateway. Submitting the form again goes on."""
        if self._warned_of == url or (gateway := gateway_entry(self.hass)) is None:
            return
        for backend in gateway.get_subentries_of_type(SUBENTRY_BACKEND):
            if server_of(backend.data[CONF_BASE_URL]) == server_of(url):
                self._warned_of = url
                raise Problem(ADDRESS_IN_USE, backend.title)

    async def async_step_model_options(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask how the server that was found holds its models."""
        errors: dict[str, str] = {}
        if user_input is not None:
            try:
                return self._create_added(options=read_model_options(user_input))
            except ValueError:
                errors = {CONF_KEEP_ALIVE: KEEP_ALIVE_INVALID}
        tokens = await prompt_tokens(self.hass)
        size = suggested_size(tokens, None if self._added.best is None else self._added.best.context_window)
        kind = self._added.kind
        return self.async_show_form(
            step_id="model_options",
            data_schema=self.add_suggested_values_to_schema(
                vol.Schema(model_option_fields()), user_input or {CONF_NUM_CTX: size}
            ),
            errors=errors,
            description_placeholders={
                "server": "" if kind is None else kind.title,
                "count": str(len(self._added.models)),
                "tokens": str(tokens),
                "size": str(size),
            },
        )

    async def _move(self, entry: ConfigEntry, values: Mapping[str, Any]) -> ConfigFlowResult:
        """Change the address or API key of a provider, which must be the same one. Raises Problem."""
        verify: bool = values[CONF_VERIFY_SSL]
        chosen = chosen_type(entry.data)
        token = partial(token_for_entry, self.hass, entry.data)
        known = KnownProvider(entry.unique_id, entry.data[CONF_BASE_URL], entry.data.get(CONF_API_KEY), chosen, token)
        urls = base_urls(values[CONF_HOST], values.get(CONF_PORT), tls=values[CONF_SSL])
        # A pinned certificate stays pinned until its verification is turned off.
        pinned = verify and bool(entry.data.get(CONF_FINGERPRINT))
        ssl = endpoint_of(entry.data, context=context_of(self.hass, entry.data)).ssl if pinned else verify
        found = await probe_urls(
            async_get_clientsession(self.hass),
            urls if chosen is None else urls[-1:],
            key=values.get(CONF_API_KEY),
            ssl=ssl,
            known=known,
        )
        identity = entry.unique_id or found.id
        if entry.unique_id is None and identity is not None:
            await self.async_set_unique_id(identity, raise_on_progress=False)
            self._abort_if_unique_id_configured()
        data = {**entry.data, CONF_BASE_URL: found.endpoint.base_url, CONF_VERIFY_SSL: verify}
        data.pop(CONF_SERVER_KIND, None)
        if found.kind is not None:
            data[CONF_SERVER_KIND] = found.kind.id
        data.pop(CONF_ADVERTISED, None)
        if not verify:
            data.pop(CONF_FINGERPRINT, None)
        if identity is not None:
            data[CONF_PROVIDER_ID] = identity
        if values.get(CONF_API_KEY) is not None:
            data.pop(CONF_HOUSEHOLD, None)
        if found.endpoint.key is not None and CONF_HOUSEHOLD not in data:
            data[CONF_API_KEY] = found.endpoint.key
        return self.async_update_and_abort(entry, unique_id=identity, data=data)
