"""The tools of Home Assistant's LLM APIs for programs: Assist, MCP servers and others, with the rights of the key's user.

As Home Assistant's own MCP server does, they are those of the assistant `conversation`: of entities, only the exposed ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
import logging
import time
from typing import Any, Final, override

from probatio import Invalid, to_openapi

from homeassistant.components import conversation
from homeassistant.components.conversation.trace import (
    ConversationTraceEvent,
    ConversationTraceEventType,
    async_conversation_trace,
)
from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, Unauthorized
from homeassistant.helpers import llm
from homeassistant.helpers.json import json_dumps

from ..assist.home_labels import HomeLabels
from ..const import DOMAIN
from ..core.accounting.store import AccountingStore
from ..core.engine import Caller
from ..core.protocol import json
from ..core.protocol.errors import PermissionDeniedError, redact
from ..core.protocol.home_rule import HomeRule
from ..core.server.tool_requests import NOT_ALLOWED
from ..core.server.tool_runner import HouseTool, OpenTools, ToolResult, ToolRunner
from .own_keys import check_not_blocked

_LOGGER = logging.getLogger(__name__)

TOOL_CALL: Final = "tool.call"
"""The kind of the audit log's event of each call."""


@callback
def llm_apis(hass: HomeAssistant) -> dict[str, str]:
    """The names of Home Assistant's LLM APIs by id."""
    return {api.id: api.name for api in sorted(llm.async_get_apis(hass), key=lambda api: api.name.casefold())}


class HomeTools(ToolRunner):
    """Opens the LLM APIs that a key may use."""

    def __init__(self, hass: HomeAssistant, store: AccountingStore) -> None:
        """Used on Home Assistant's event loop. Each call is logged in the store's audit log."""
        self.hass = hass
        self._store = store

    @override
    def home_rule(self, name: str, arguments: str, result: str) -> HomeRule | None:
        return HomeRule.ENTITY if HomeLabels(self.hass).was_read(name, arguments, result) else None

    @override
    async def open(self, caller: Caller) -> OpenTools:
        await self.check(caller)
        wanted = [api_id for api_id in caller.llm_apis if api_id in llm_apis(self.hass)]
        if not wanted:
            message = "None of the LLM APIs that this API key may use is available in Home Assistant now."
            raise PermissionDeniedError(message, code="house_tools_not_available")
        asked = llm.LLMContext(
            platform=DOMAIN,
            context=Context(user_id=caller.user_id),
            language=self.hass.config.language,
            assistant=conversation.DOMAIN,
            device_id=None,
        )
        try:
            return OpenApis(self, caller, await llm.async_get_api(self.hass, wanted, asked))
        except HomeAssistantError as err:
            _LOGGER.warning("The LLM APIs %s cannot be used: %s", ", ".join(wanted), redact(str(err)))
            message = "The LLM APIs that this API key may use do not work now. Home Assistant's log says why."
            raise PermissionDeniedError(message, code="house_tools_not_available") from err

    async def check(self, caller: Caller) -> None:
        """Raise PermissionDeniedError if the key, its user or its right to these LLM APIs is gone meanwhile."""
        key = self._store.keys.get(caller.key_id or "")
        if key is None:
            raise PermissionDeniedError("This API key was revoked. Use another.", code="key_disabled")
        key.check(time.time())
        if key.user_id is None or key.user_id != caller.user_id or not set(caller.llm_apis) <= set(key.llm_apis):
            raise PermissionDeniedError(NOT_ALLOWED, code="house_tools_not_allowed")
        user = await self.hass.auth.async_get_user(key.user_id)
        if user is None or not user.is_active:
            message = "The user of this key is deactivated or deleted in Home Assistant. Use another key."
            raise PermissionDeniedError(message, code="key_disabled")
        await check_not_blocked(self.hass, key.user_id)

    def log(self, caller: Caller, name: str) -> None:
        """Log a call in the audit log: who called what. Arguments are not stored, since they may be personal."""
        self._store.audit.record(caller.user_id or "", TOOL_CALL, f"{caller.key_id} {name}")


class OpenApis(OpenTools):
    """The LLM APIs of one request."""

    def __init__(self, home: HomeTools, caller: Caller, api: llm.APIInstance) -> None:
        """Made by `HomeTools.open`."""
        self._home = home
        self._caller = caller
        self._api = api
        self._tools = [_described(tool, api) for tool in sorted(api.tools, key=lambda tool: tool.name)]

    @property
    @override
    def tools(self) -> Sequence[HouseTool]:
        return self._tools

    @property
    @override
    def instructions(self) -> str:
        return self._api.api_prompt

    @override
    async def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        await self._home.check(self._caller)
        self._home.log(self._caller, name)
        with async_conversation_trace() as trace:
            asked = {"tool": name, "key_id": self._caller.key_id, "user_id": self._caller.user_id}
            trace.add_event(ConversationTraceEvent(ConversationTraceEventType.ASYNC_PROCESS, asked))
            try:
                result = await self._api.async_call_tool(llm.ToolInput(tool_name=name, tool_args=dict(arguments)))
            except Unauthorized:
                return ToolResult("The user of this API key may not do that.", failed=True)
            except (HomeAssistantError, Invalid) as err:
                return ToolResult(redact(f"{type(err).__name__}: {err}"), failed=True)
            except Exception:  # tools of other integrations may raise anything
                _LOGGER.exception("The tool %s failed", name)
                return ToolResult("The tool failed. Home Assistant's log says why.", failed=True)
        try:
            json.check_depth(result.data)
            rule = HomeRule.ENTITY if HomeLabels(self._home.hass).was_read(name, arguments, result.data) else None
            return ToolResult(json_dumps(result.data), result.error, rule)
        except (json.DepthError, TypeError) as err:  # orjson raises TypeError
            return ToolResult(f"The data of the tool cannot be converted to JSON: {redact(str(err))}", failed=True)


def _described(tool: llm.Tool, api: llm.APIInstance) -> HouseTool:
    parameters = to_openapi(tool.parameters, custom_serializer=api.custom_serializer, openapi_version="3.1.0")
    hints = asdict(tool.annotations)
    annotations = {
        "readOnlyHint": hints["read_only"],
        "destructiveHint": hints["destructive"],
        "idempotentHint": hints["idempotent"],
        "openWorldHint": hints["open_world"],
    }
    return HouseTool(tool.name, tool.description or "", parameters, annotations)
