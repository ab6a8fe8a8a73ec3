"""Fix flow for a lost database: confirmation of the loss."""

from typing import Any

import voluptuous as vol

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.helpers import issue_registry as ir

from ..const import DOMAIN
from ..core.accounting.storage.database import DatabaseError
from ..gateway.runtime import gateway_runtime
from ..markdown import Markdown, MarkdownFlow


class DatabaseLostFlow(MarkdownFlow[RepairsFlowResult], RepairsFlow):
    """Shows what was lost and rescued. After the confirmation, backends with costs are used again."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Show the confirmation."""
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Ask for confirmation."""
        runtime = gateway_runtime(self.hass)
        if runtime is None:
            return self.async_abort(reason="gone")
        if user_input is not None:
            try:
                await runtime.store.confirm_loss(actor=str(self.context.get("user_id") or ""))
            except DatabaseError as err:
                return self.async_abort(reason="not_saved", description_placeholders={"reason": str(err)})
            return self.async_create_entry(data={})
        issue = ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id)
        shown = (issue.translation_placeholders if issue is not None else None) or {}
        return self.async_show_form(
            step_id="confirm",
            data_schema=vol.Schema({}),
            description_placeholders={name: Markdown(value) for name, value in shown.items()},
        )
