"""The base of the flows that add or change a subentry in one form."""

from abc import abstractmethod
from typing import Any

from homeassistant.config_entries import ConfigEntryState, ConfigSubentryFlow, SubentryFlowResult

from ..markdown import MarkdownFlow


class OneFormFlow(MarkdownFlow[SubentryFlowResult], ConfigSubentryFlow):
    """Adds or changes a subentry of a loaded entry. Its form and its steps have the same fields."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Add a subentry."""
        return self._step_if_loaded("user", user_input)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Change a subentry."""
        return self._step_if_loaded("reconfigure", user_input)

    def _step_if_loaded(self, step_id: str, user_input: dict[str, Any] | None) -> SubentryFlowResult:
        if self._get_entry().state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="entry_not_loaded")
        return self._step(step_id, user_input)

    @abstractmethod
    def _step(self, step_id: str, user_input: dict[str, Any] | None) -> SubentryFlowResult:
        """Show the form, or store what was entered."""
