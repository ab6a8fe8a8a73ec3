"""Fix flow for a client that asks for a certificate: the owner compares six digits, and approves or refuses it."""

from typing import Any

import voluptuous as vol

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.data_entry_flow import AbortFlow

from ..core.accounting.storage.database import DatabaseError
from ..core.protocol.errors import NotFoundError
from ..core.server.enrolment.enrolment import Enrolment
from ..gateway.runtime import gateway_runtime
from ..issues import spaced
from ..markdown import MarkdownFlow

_NAME = "name"
_SCHEMA = vol.Schema({vol.Required(_NAME): vol.All(str, vol.Strip, vol.Length(1, 100))})


class ClientWaitingFlow(MarkdownFlow[RepairsFlowResult], RepairsFlow):
    """Shows who asks and the digits."""

    def __init__(self, issue: dict[str, str | int | float | None]) -> None:
        """`issue`: `request_id`."""
        super().__init__()
        self._request_id = str(issue["request_id"])

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Show the menu."""
        return self.async_show_menu(
            step_id="init", menu_options=["approve", "refuse"], description_placeholders=self._placeholders()
        )

    async def async_step_approve(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Give the client its certificate, under a name that the owner may change."""
        placeholders = self._placeholders()
        if user_input is None:
            schema = self.add_suggested_values_to_schema(_SCHEMA, {_NAME: self._request(self._enrolment()).name})
            return self.async_show_form(step_id="approve", data_schema=schema, description_placeholders=placeholders)
        try:
            await self._enrolment().approve(self._request_id, {"name": user_input[_NAME]}, actor=self._actor)
        except DatabaseError as err:
            return self.async_abort(reason="not_saved", description_placeholders={"reason": str(err)})
        return self.async_create_entry(data={})

    async def async_step_refuse(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Refuse the client."""
        self._request(self._enrolment())
        self._enrolment().refuse(self._request_id, actor=self._actor)
        return self.async_create_entry(data={})

    @property
    def _actor(self) -> str:
        return str(self.context.get("user_id") or "")

    def _enrolment(self) -> Enrolment:
        """The gateway's enrolment. Raises AbortFlow without one."""
        runtime = gateway_runtime(self.hass)
        if runtime is None or runtime.server.enrolment is None:
            raise AbortFlow("gone")
        return runtime.server.enrolment

    def _request(self, enrolment: Enrolment) -> Any:
        """The waiting client. Raises AbortFlow if it is over or decided."""
        try:
            return enrolment.pending.get(self._request_id)
        except NotFoundError:
            raise AbortFlow("gone") from None

    def _placeholders(self) -> dict[str, str]:
        request = self._request(self._enrolment())
        return {"name": request.name, "address": request.address, "digits": spaced(request.check or "")}
