"""The steps that search the network for servers that advertise nothing."""

import asyncio
from typing import Any, override

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_API_KEY, CONF_HOST, CONF_SSL, CONF_VERIFY_SSL
from homeassistant.core import callback

from ..const import DOMAIN
from ..core.admin.network_scan import NEW, ScannedServer, describe_scan
from ..core.presence.network_scan import ScanResult
from ..markdown import code
from ..provider.network_scan import async_scan_network, used_urls
from .address import AddressFlow
from .placeholders import models_in_title
from .probe import Problem
from .provider_schemas import CONF_PROVIDER, ENTER_ADDRESS, KEY, found_schema

_SHOWN_SILENT = 12
_NOTHING = "–"


class ScanFlow(AddressFlow):
    """The search within the integration's flow."""

    _scan: asyncio.Task[ScanResult] | None = None
    _locked: ScannedServer
    """The chosen server that requires an API key."""
    _percent = 0

    @callback
    @override
    def async_remove(self) -> None:
        """End the search with the flow."""
        if self._scan is not None:
            self._scan.cancel()
        super().async_remove()

    async def async_step_scan(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Search, and show how far it is."""
        if self._scan is None:
            self._scan = self.hass.async_create_task(
                async_scan_network(self.hass, self._on_progress), f"{DOMAIN} network scan", eager_start=False
            )
        if not self._scan.done():
            return self.async_show_progress(step_id="scan", progress_action="scan", progress_task=self._scan)
        return self.async_show_progress_done(next_step_id="scanned")

    @callback
    def _on_progress(self, share: float) -> None:
        if (percent := int(share * 100)) > self._percent:
            self._percent = percent
            self.async_update_progress(percent / 100)

    async def async_step_scanned(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose one of the servers that were found, or enter an address."""
        assert self._scan is not None  # the only way to this step
        result = describe_scan(await self._scan, used_urls(self.hass))
        errors: dict[str, str] = {}
        reason = ""
        if user_input is not None:
            if (chosen := user_input[CONF_PROVIDER]) == ENTER_ADDRESS:
                return await self._ask_address("user", None)
            server = next((server for server in result["servers"] if server["base_url"] == chosen), None)
            if server is not None and server["locked"]:
                self._locked = server
                return await self.async_step_scanned_key()
            try:
                return await self._add_found(chosen, None if server is None else server["title"])
            except Problem as problem:
                errors, reason = {"base": problem.key}, problem.placeholders["reason"]
        labels = {
            server[
                "base_url"
            ]: f"{server['title']} ({await models_in_title(self.hass, server['models'], locked=server['locked'])})"
            for server in result["servers"]
            if server["state"] == NEW
        }
        silent = result["silent"][:_SHOWN_SILENT]
        more = len(result["silent"]) - len(silent)
        return self.async_show_form(
            step_id="scanned",
            data_schema=found_schema(labels),
            errors=errors,
            description_placeholders={
                "reason": reason,
                "count": str(len(labels)),
                "networks": ", ".join(result["networks"]) or _NOTHING,
                "silent": ", ".join([*silent, *([f"+{more}"] if more else [])]) or _NOTHING,
            },
        )

    async def async_step_scanned_key(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the API key of the chosen server."""
        errors: dict[str, str] = {}
        reason = ""
        if user_input is not None:
            try:
                return await self._add_found(self._locked["base_url"], self._locked["title"], user_input[CONF_API_KEY])
            except Problem as problem:
                errors, reason = {"base": problem.key}, problem.placeholders["reason"]
        return self.async_show_form(
            step_id="scanned_key",
            data_schema=KEY,
            errors=errors,
            description_placeholders={
                "reason": reason,
                "name": self._locked["title"],
                "address": code(self._locked["base_url"]),
            },
        )

    async def _add_found(self, url: str, title: str | None, key: str | None = None) -> ConfigFlowResult:
        """Add a server that was found. Raises Problem."""
        values: dict[str, Any] = {CONF_HOST: url, CONF_SSL: False, CONF_VERIFY_SSL: True}
        return await self._add(values if key is None else {**values, CONF_API_KEY: key}, title)
