"""The steps that search the network for servers that advertise nothing."""

import asyncio
from typing import Any, override

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_HOST, CONF_SSL, CONF_VERIFY_SSL
from homeassistant.core import callback

from ..const import DOMAIN
from ..core.admin.network_scan import NEW, describe_scan
from ..core.presence.network_scan import ScanResult
from ..provider.network_scan import async_scan_network, used_urls
from .address import AddressFlow
from .placeholders import models_in_title
from .probe import Problem
from .provider_schemas import CONF_PROVIDER, ENTER_ADDRESS, found_schema

_SHOWN_SILENT = 12
_NOTHING = "–"


class ScanFlow(AddressFlow):
    """The search within the integration's flow."""

    _scan: asyncio.Task[ScanResult] | None = None
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
            try:
                titles = {server["base_url"]: server["title"] for server in result["servers"]}
                return await self._add({CONF_HOST: chosen, CONF_SSL: False, CONF_VERIFY_SSL: True}, titles.get(chosen))
            except Problem as problem:
                errors, reason = {"base": problem.key}, problem.placeholders["reason"]
        labels = {
            server["base_url"]: f"{server['title']} ({await models_in_title(self.hass, server['models'])})"
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
