"""Requests for the tools of the house: the header, the right, and what is added to the request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..dialects.house_server import HouseCall, HouseServer
from ..dialects.turns import function_tool
from ..protocol.errors import InvalidRequestError, PermissionDeniedError
from ..protocol.request import Kind, Request
from ..protocol.values import mapping
from .dispatch import RequestContext
from .gateway import Gateway
from .request_log import is_sane_id
from .tool_memory import ToolMemory, Transcript
from .tool_runner import HouseTool, OpenTools

HEADER = "X-ZeroconfAI-Tools"
HOME = "home"
"""The value of the header, and the label of an MCP server, that mean the tools of the house."""
NOT_ALLOWED = (
    "This API key may not use the tools of the house. An administrator can allow it LLM APIs of Home Assistant, if it is the key "
    "of a user."
)


@dataclass(frozen=True)
class HouseRequest:
    """The tools of the house for one request, and what was run for it."""

    tools: OpenTools
    offered: Sequence[HouseTool]
    """The tools that the model may call."""
    transcript: Transcript
    memory: ToolMemory = field(repr=False)
    key_id: str = ""
    server: HouseServer | None = None
    """What a request of Responses says of the tools; None: the header asked for them, and their calls are not shown."""

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of the offered tools."""
        return frozenset(tool.name for tool in self.offered)

    @cached_property
    def needing_approval(self) -> frozenset[str]:
        """The names of the tools whose calls a person must approve."""
        if (server := self.server) is None:
            return frozenset()
        return frozenset(tool.name for tool in self.offered if server.needs_approval(tool.name, tool.annotations))

    def begin(self) -> None:
        """Begin a new transcript with the calls that a person has approved or denied."""
        server, transcript = self.server, self.transcript
        if server is None or transcript.messages or not (decided := [*server.approved, *server.denied]):
            return
        transcript.add({"role": "assistant", "content": "", "tool_calls": [call.to_json() for call in decided]})
        denied = "Not run: the user has denied this call."
        transcript.add(*({"role": "tool", "tool_call_id": call.id, "content": denied} for call in server.denied))
        transcript.pending = [call for call in server.approved if call.name in self.names]
        gone = "Not run: this tool is no longer there."
        others = [call for call in server.approved if call.name not in self.names]
        transcript.add(*({"role": "tool", "tool_call_id": call.id, "content": gone} for call in others))
        transcript.rounds = 1


def wants_house_tools(context: RequestContext) -> bool:
    """Whether the header asks for the tools of the house. Raises InvalidRequestError for another value."""
    given = context.http.headers.get(HEADER)
    if given is None:
        return False
    if given.strip().casefold() != HOME:
        raise InvalidRequestError(f"The header '{HEADER}' must be '{HOME}', or left out.", param=HEADER)
    return True


def kept_at_home(gateway: Gateway, context: RequestContext, request: Request, calls: Sequence[HouseCall]) -> Request:
    """The request, which stays at home if a labelled entity was read earlier in its conversation.

    `calls`: the calls of the house's tools that the request shows.
    """
    key_id, runner = context.caller.key_id, gateway.tool_runner
    if request.home_rule is not None or runner is None or key_id is None:
        return request
    rule = gateway.tool_memory.rule_of(key_id, request.body["messages"])
    rule = rule or next(filter(None, (runner.home_rule(*call) for call in calls)), None)
    return request if rule is None else request.with_meta(home_rule=rule)


async def open_house(
    gateway: Gateway, context: RequestContext, request: Request, server: HouseServer | None
) -> tuple[Request, HouseRequest]:
    """The request with the tools of the house; `server` is what a request of Responses says of them.

    Raises InvalidRequestError for a request that cannot have them, PermissionDeniedError for a caller who may not use them.
    """
    caller = context.caller
    if gateway.tool_runner is None:
        raise InvalidRequestError("This server has no tools of a house: they are those of Home Assistant.", param=HEADER)
    if caller.key_id is None or caller.user_id is None or not caller.llm_apis:
        raise PermissionDeniedError(NOT_ALLOWED, code="house_tools_not_allowed")
    if request.kind is not Kind.CHAT:
        raise InvalidRequestError("Only chats can use the tools of the house.", param=HEADER)
    if request.body.get("n") not in (None, 1):
        raise InvalidRequestError("A request with the tools of the house must ask for one answer.", param="n")
    opened = await gateway.tool_runner.open(caller)
    memory = gateway.tool_memory
    offered = [tool for tool in opened.tools if server is None or server.offers(tool.name, tool.annotations)]
    transcript = memory.transcript(caller.key_id, _request_name(context) or _approvals(server), request.body)
    house = HouseRequest(opened, offered, transcript, memory, caller.key_id, server)
    house.begin()
    messages, home_rule = memory.rejoined(caller.key_id, request.body["messages"])
    transcript.home_rule = transcript.home_rule or home_rule or request.home_rule
    tools = _with_house_tools(request.body.get("tools") or [], offered)
    return request.with_body(messages=_instructed(messages, opened.instructions), tools=tools or None), house


def _request_name(context: RequestContext) -> str | None:
    """The id that the client gave a request, and gives it again when it repeats it; None if it gave no id."""
    for header in ("Idempotency-Key", "X-Request-ID"):
        if is_sane_id(named := context.http.headers.get(header, "")):
            return named
    return None


def _approvals(server: HouseServer | None) -> str | None:
    """The id of a request with approved calls, so that no call runs twice; None without approved calls."""
    return None if server is None or not server.approved else " ".join(call.id for call in server.approved)


def _with_house_tools(given: Sequence[Mapping[str, Any]], offered: Sequence[HouseTool]) -> list[Mapping[str, Any]]:
    """The client's tools and those of the house. Raises InvalidRequestError if two have the same name."""
    names = {mapping(tool.get("function")).get("name") for tool in given}
    for tool in offered:
        if tool.name in names:
            message = f"A tool of the house is named {tool.name!r} too. Rename yours, or send the request without '{HEADER}'."
            raise InvalidRequestError(message, param="tools")
    described = ((tool.name, {"description": tool.description}, tool.parameters) for tool in offered)
    return [*given, *(function_tool(name, fields, parameters) for name, fields, parameters in described)]


def _instructed(messages: Sequence[Mapping[str, Any]], instructions: str) -> list[Mapping[str, Any]]:
    """The messages with the instructions at the end of the first one, if that is a text of the system, else before it."""
    if not instructions:
        return list(messages)
    first = messages[0]
    if first.get("role") in ("system", "developer") and isinstance(content := first.get("content"), str):
        return [{**first, "content": f"{content}\n\n{instructions}"}, *messages[1:]]
    return [{"role": "system", "content": instructions}, *messages]
