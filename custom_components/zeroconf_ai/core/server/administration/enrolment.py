"""The page's commands for client certificates. The fields of a client's key are those of an API key."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from ...protocol.errors import NotFoundError
from ..enrolment.described import describe_enrolment
from ..enrolment.enrolment import Enrolment
from .context import Context
from .fields import optional_text, text
from .key_fields import key_fields

_NAME_LIMIT = 100
_ID_LIMIT = 100


async def _clients(context: Context) -> Any:
    gateway = context.gateway
    return describe_enrolment(gateway.enrolment, gateway.tls, gateway.access.mode, context.session.origin.partition("://")[2])


async def _make_code(context: Context) -> Any:
    if (key_id := optional_text(context.body, "key_id")) is not None:
        _enrolment(context).make_code_for(key_id, actor=context.actor)
    else:
        _enrolment(context).make_code(_fields(context), actor=context.actor)
    return await _clients(context)


async def _close_code(context: Context) -> Any:
    _enrolment(context).close_code()
    return await _clients(context)


async def _approve(context: Context) -> Any:
    await _enrolment(context).approve(_request(context), _fields(context), actor=context.actor)
    return await _clients(context)


async def _refuse(context: Context) -> Any:
    _enrolment(context).refuse(_request(context), actor=context.actor)
    return await _clients(context)


async def _replace_authority(context: Context) -> Any:
    await _enrolment(context).replace_authority(actor=context.actor)
    return await _clients(context)


ENROLMENT_COMMANDS: Final[Mapping[str, Callable[[Context], Awaitable[Any]]]] = {
    "clients": _clients,
    "clients/code": _make_code,
    "clients/close_code": _close_code,
    "clients/approve": _approve,
    "clients/refuse": _refuse,
    "clients/replace_authority": _replace_authority,
}


def _enrolment(context: Context) -> Enrolment:
    """The server's enrolment. Raises NotFoundError without TLS or without stored keys."""
    if context.gateway.enrolment is None:
        message = "Client certificates need `zeroconf-ai serve --tls`, with the API keys of the database."
        raise NotFoundError(message, code="not_offered")
    return context.gateway.enrolment


def _request(context: Context) -> str:
    return text(context.body, "request_id", _ID_LIMIT)


def _fields(context: Context) -> dict[str, Any]:
    """The fields of the client's key; its name is the client's own unless the body has one."""
    fields = key_fields(context.body)
    if optional_text(context.body, "name"):
        fields["name"] = text(context.body, "name", _NAME_LIMIT)
    return fields
