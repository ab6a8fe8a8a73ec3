"""The commands of the page: `POST /admin/api/NAME` with a JSON object, as the page sends it to Home Assistant's WebSocket too.

What the page changes is logged in the audit log under the id of the administrator's key.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from ...accounting.budget import LARGEST, Action, Scope, budget_id
from ...accounting.keys.client_key import ClientKey
from ...accounting.keys.key_changes import DAY
from ...accounting.periods import Period
from ...admin.authority import describe_authority
from ...admin.callers import list_callers
from ...admin.currency import describe_currency
from ...admin.keys import describe_budget, describe_key, describe_new_key, list_keys, set_monthly_budget
from ...admin.models import list_models
from ...admin.names import budget_owner
from ...admin.pasted_request import LIMIT
from ...admin.requests import find_words
from ...admin.why import why_pasted
from ...protocol.errors import InvalidRequestError, NotFoundError
from ...protocol.values import NANO
from . import connectors, finding, server_models
from .chat import CHAT_COMMANDS, ChatCommand, run_chat_command
from .context import Context
from .enrolment import ENROLMENT_COMMANDS
from .fields import Body, choice, flag, long_text, number, optional_number, optional_text, percentages, text
from .key_fields import key_fields
from .reports import request_page, usage_report

_NAME_LIMIT = 100


type Command = Callable[[Context], Awaitable[Any]]


async def _usage(context: Context) -> Any:
    return await usage_report(context.accounting, context.names, context.body)


async def _requests(context: Context) -> Any:
    return await request_page(context.accounting, context.names, context.body)


async def _words(context: Context) -> Any:
    return {"words": await find_words(context.accounting.exchanges, text(context.body, "request_id"))}


async def _currency(context: Context) -> Any:
    return describe_currency(context.engine, context.accounting.totals)


async def _keys(context: Context) -> Any:
    return {
        "keys": list_keys(context.accounting, context.names),
        "base_url": _base_url(context),
        "authority": describe_authority(None if (tls := context.gateway.tls) is None else tls.authority_pem),
        "users": [],
        "llm_apis": [],
        "own": None,
    }


async def _create_key(context: Context) -> Any:
    name = text(context.body, "name", _NAME_LIMIT)
    key, secret = await context.accounting.keys.create(name, **key_fields(context.body), actor=context.actor)
    await _set_key_budget(context, key)
    return describe_new_key(key, secret, _base_url(context))


async def _update_key(context: Context) -> Any:
    key, fields = _key(context), key_fields(context.body)
    if "name" in context.body:
        fields["name"] = text(context.body, "name", _NAME_LIMIT)
    try:
        found = await context.accounting.keys.update(key.id, **fields, actor=context.actor)
    except KeyError:
        raise NotFoundError("There is no such API key.") from None
    await _set_key_budget(context, key)
    return describe_key(found)


async def _enable_key(context: Context) -> Any:
    key, enabled = _key(context), flag(context.body, "enabled")
    return describe_key(await context.accounting.keys.update(key.id, enabled=enabled, actor=context.actor))


async def _rotate_key(context: Context) -> Any:
    key, secret = await context.accounting.keys.rotate(_key(context).id, DAY, actor=context.actor)
    return describe_new_key(key, secret, _base_url(context))


async def _revoke_key(context: Context) -> Any:
    await context.accounting.keys.revoke(_key(context).id, actor=context.actor)


async def _budgets(context: Context) -> Any:
    budgets = context.accounting.budgets
    backends = {member.id: member.name for member in context.engine.pool}
    owners = {budget.id: budget_owner(budget, context.names, backends, context.household) for budget in budgets}
    return {
        "budgets": [describe_budget(budgets.state(budget_id), owner) for budget_id, owner in owners.items()],
        "currency": describe_currency(context.engine, context.accounting.totals)["currency"],
    }


async def _set_budget(context: Context) -> Any:
    body = context.body
    scope, subject, period = _budget_name(body)
    if scope is not Scope.HOUSEHOLD and not subject:
        raise InvalidRequestError("'subject' must name the key, user or provider.", param="subject")
    amount = round(number(body, "amount", 0, LARGEST // NANO) * NANO)
    action = choice(body, "action", Action) if "action" in body else None
    levels = percentages(body, "thresholds", 10) if "thresholds" in body else None
    await context.accounting.budgets.set(
        scope, subject or None, amount, period, action=action, thresholds=levels, actor=context.actor
    )


async def _reset_budget(context: Context) -> Any:
    await context.accounting.budgets.reset(_budget(context), actor=context.actor)


async def _remove_budget(context: Context) -> Any:
    await context.accounting.budgets.remove(_budget(context), actor=context.actor)


async def _check_provider(context: Context) -> Any:
    member = context.engine.pool.get(text(context.body, "backend_id"))
    if member is None:
        raise NotFoundError("There is no such provider.")
    await context.engine.checker.check(member, models=True)


async def _why(context: Context) -> Any:
    pasted = long_text(context.body, "text", LIMIT)
    model, key_id = optional_text(context.body, "model"), optional_text(context.body, "key_id")
    return why_pasted(context.engine, pasted, context.names, model=model, key_id=key_id)


async def _callers(context: Context) -> Any:
    return list_callers(context.names.keys, {})


async def _models(context: Context) -> Any:
    return list_models(context.engine, editable=False)  # the configuration file owns the aliases


def _chat(command: ChatCommand) -> Command:
    return lambda context: run_chat_command(command, context.chats, context.store, context.session, context.body)


COMMANDS: Final[Mapping[str, Command]] = {
    "usage": _usage,
    "requests": _requests,
    "requests/words": _words,
    "currency": _currency,
    "keys": _keys,
    "keys/create": _create_key,
    "keys/update": _update_key,
    "keys/enable": _enable_key,
    "keys/rotate": _rotate_key,
    "keys/revoke": _revoke_key,
    "budgets": _budgets,
    "budgets/set": _set_budget,
    "budgets/reset": _reset_budget,
    "budgets/remove": _remove_budget,
    "providers/check": _check_provider,
    "home_only": finding.home_only,
    "discovered": finding.discovered,
    "discovery/scan": finding.scan,
    "relay": connectors.describe,
    "relay/pair": connectors.pair,
    "relay/cancel": connectors.cancel,
    "relay/update": connectors.update,
    "relay/remove": connectors.remove,
    "server_models": server_models.list_servers,
    "server_models/load": server_models.load,
    "server_models/unload": server_models.unload,
    "server_models/delete": server_models.delete,
    "server_models/pull": server_models.pull,
    "server_models/cancel": server_models.cancel,
    "discovery/check": finding.check,
    "why": _why,
    "callers": _callers,
    "models": _models,
    **ENROLMENT_COMMANDS,
    **{name: _chat(command) for name, command in CHAT_COMMANDS.items()},
}
"""The commands by name. Each returns what its answer contains; None: nothing."""


def _base_url(context: Context) -> str:
    return f"{context.session.origin}/v1"


def _key(context: Context) -> ClientKey:
    key = context.accounting.keys.get(text(context.body, "key_id"))
    if key is None:
        raise NotFoundError("There is no such API key.")
    return key


async def _set_key_budget(context: Context, key: ClientKey) -> None:
    if "monthly_budget" in context.body:
        amount = optional_number(context.body, "monthly_budget")
        await set_monthly_budget(context.accounting, key.id, amount, actor=context.actor)


def _budget_name(body: Body) -> tuple[Scope, str, Period]:
    return choice(body, "scope", Scope), optional_text(body, "subject") or "", choice(body, "period", Period)


def _budget(context: Context) -> str:
    wanted = budget_id(*_budget_name(context.body))
    if context.accounting.budgets.get(wanted) is None:
        raise NotFoundError("There is no such budget.")
    return wanted
