"""Actions that return data: chat with a model, list providers, discover providers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from probatio import from_json_schema
import voluptuous as vol

from homeassistant.core import HomeAssistant, ServiceCall, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.json import json_dumps
from homeassistant.helpers.service import async_get_config_entry

from ..assist.chat_log import parse_structured
from ..const import CONF_BASE_URL, CONF_MAX_TOKENS, CONF_PROVIDER_ID, CONF_TEMPERATURE, DOMAIN
from ..core.engine import Caller, Source
from ..core.lan.providers import Provider
from ..core.protocol import json
from ..core.protocol.chunks import Delta, Message
from ..core.protocol.errors import ApiError, InvalidRequestError
from ..core.protocol.models import AUTO
from ..core.protocol.request import Kind, Request
from ..core.protocol.thinking import pieces_of
from ..core.routing.execution.reply import Reply
from ..core.routing.pool.member import Member
from ..data import DATA, is_gateway
from ..errors import structure_failed, to_home_assistant_error

ACTION_CHAT: Final = "chat"
ACTION_LIST_PROVIDERS: Final = "list_providers"
ACTION_SCAN: Final = "scan"

ATTR_CONFIG_ENTRY_ID: Final = "config_entry_id"
ATTR_EXTRA: Final = "extra"
ATTR_JSON_SCHEMA: Final = "json_schema"
ATTR_MESSAGES: Final = "messages"
ATTR_MODEL: Final = "model"
ATTR_PROMPT: Final = "prompt"
ATTR_SYSTEM_PROMPT: Final = "system_prompt"

_JSON_ONLY = "Answer with nothing but JSON that fits this JSON schema:\n{schema}"

CHAT_SCHEMA = vol.All(
    vol.Schema(
        {
            vol.Optional(ATTR_PROMPT): cv.string,
            vol.Optional(ATTR_MESSAGES): [dict],
            vol.Optional(ATTR_SYSTEM_PROMPT): cv.string,
            vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string,
            vol.Optional(ATTR_MODEL): cv.string,
            vol.Optional(CONF_TEMPERATURE): vol.All(vol.Coerce(float), vol.Range(0, 2)),
            vol.Optional(CONF_MAX_TOKENS): cv.positive_int,
            vol.Optional(ATTR_JSON_SCHEMA): dict,
            vol.Optional(ATTR_EXTRA): dict,
        }
    ),
    cv.has_at_least_one_key(ATTR_PROMPT, ATTR_MESSAGES),
)
NOTHING_SCHEMA = vol.Schema({})


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions, which exist with and without a provider."""
    for name, action, schema in (
        (ACTION_CHAT, _chat, CHAT_SCHEMA),
        (ACTION_LIST_PROVIDERS, _list_providers, NOTHING_SCHEMA),
        (ACTION_SCAN, _scan, NOTHING_SCHEMA),
    ):
        hass.services.async_register(DOMAIN, name, action, schema=schema, supports_response=SupportsResponse.ONLY)


async def _chat(call: ServiceCall) -> dict[str, Any]:
    """Return one answer of a model: `text`, and with a JSON schema the validated `data`."""
    engine = call.hass.data[DATA].engine
    pin = _pin(call.hass, call.data.get(ATTR_CONFIG_ENTRY_ID))
    json_schema = call.data.get(ATTR_JSON_SCHEMA)
    schema = None if json_schema is None else _read_schema(json_schema)
    body = _body(call.data)
    user_id = call.context.user_id
    user = await call.hass.auth.async_get_user(user_id) if user_id is not None else None
    caller = Caller(Source.ACTION, f"{DOMAIN}.{ACTION_CHAT}", user_id=user_id, username=user.name if user else None)
    try:
        try:
            async with engine.run(Request.parse(Kind.CHAT, body, pin=pin), caller) as reply:
                return _response(reply, schema)
        except InvalidRequestError as err:
            if json_schema is None or not {"response_format", "json_schema"} & set(f"{err.param} {err.message}".split()):
                raise
        body.pop("response_format")
        wanted = _JSON_ONLY.format(schema=json_dumps(json_schema))
        body["messages"] = [*body["messages"], {"role": "user", "content": wanted}]
        async with engine.run(Request.parse(Kind.CHAT, body, pin=pin), caller) as reply:
            return _response(reply, schema)
    except ApiError as err:
        raise to_home_assistant_error(err, caller.name) from err


def _pin(hass: HomeAssistant, chosen: str | None) -> str | None:
    """The id of the only member that may answer; None for any, which the gateway's entry means, too.

    `chosen` is the id of a config entry, or that of a backend, which the responses of the actions have under the same name.
    Raises ServiceValidationError if the entry does not exist or is not loaded.
    """
    if not chosen or any(member.id == chosen for member in hass.data[DATA].engine.pool):
        return chosen or None
    entry = async_get_config_entry(hass, DOMAIN, chosen)
    return None if is_gateway(entry) else entry.entry_id


def _read_schema(json_schema: dict[str, Any]) -> vol.Schema:
    try:
        json.check_depth(json_schema)
        return from_json_schema(json_schema)
    except (json.DepthError, vol.SchemaError) as err:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="invalid_json_schema", translation_placeholders={"error": str(err)}
        ) from err


def _body(data: Mapping[str, Any]) -> dict[str, Any]:
    """Build the request; the fields of `extra` are passed on, except `stream`. Raises ServiceValidationError."""
    messages = [dict(message) for message in data.get(ATTR_MESSAGES, ())]
    if system_prompt := data.get(ATTR_SYSTEM_PROMPT):
        messages.insert(0, {"role": "system", "content": system_prompt})
    if prompt := data.get(ATTR_PROMPT):
        messages.append({"role": "user", "content": prompt})
    body: dict[str, Any] = {"model": data.get(ATTR_MODEL) or AUTO, "messages": messages}
    body |= {name: data[name] for name in (CONF_TEMPERATURE, CONF_MAX_TOKENS) if name in data}
    if ATTR_JSON_SCHEMA in data:
        named = {"name": "answer", "schema": data[ATTR_JSON_SCHEMA]}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    body |= data.get(ATTR_EXTRA, {}) | {"stream": False}
    try:
        json.check_depth(body)
        # Automations have dates, sets and numbers for keys, too.
        plain: dict[str, Any] = json.loads(json_dumps(body))
    except (json.DepthError, TypeError) as err:  # orjson's error for what is not JSON is a TypeError
        message = "The request cannot be given as JSON"
        refusal = InvalidRequestError(message, log_text=f"{message}: {err}")
        raise to_home_assistant_error(refusal, f"{DOMAIN}.{ACTION_CHAT}") from err
    return plain


def _response(reply: Reply, schema: vol.Schema | None) -> dict[str, Any]:
    message = Message()
    message.add(Delta.parse(reply.completion.data))
    text = "".join(piece.text for piece in pieces_of(message.content) if not piece.is_reasoning).strip()
    calls = [call.to_json() for call in message.tool_calls]
    if not text and not calls:
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key="empty_response")
    response: dict[str, Any] = {
        "text": text,
        "model": reply.model,
        "provider": reply.backend_name,
        ATTR_CONFIG_ENTRY_ID: reply.backend_id,
        "finish_reason": message.finish_reason,
        "usage": reply.usage.to_json() if reply.usage else None,
        "attempts": [{"provider": attempt.backend_name, "failure": attempt.failure or None} for attempt in reply.attempts],
    }
    if calls:
        response["tool_calls"] = calls
    if schema is not None:
        response["data"] = _parse(text, schema, reply.model)
    return response


def _parse(text: str, schema: vol.Schema, model: str) -> Any:
    try:
        return parse_structured(text, schema)
    except ValueError as err:
        raise structure_failed(model, err) from err


async def _list_providers(call: ServiceCall) -> dict[str, Any]:
    """Return the providers that are set up, and those that are only advertised."""
    shared = call.hass.data[DATA]
    known = _configured(call.hass)
    discovered = [_found(provider) for provider in shared.discovery.providers if not known & _names(provider)]
    return {"providers": [_describe(member) for member in shared.engine.pool], "discovered": discovered}


async def _scan(call: ServiceCall) -> dict[str, Any]:
    """Search the network now, and return all advertisements."""
    known = _configured(call.hass)
    found = await call.hass.data[DATA].discovery.scan_network(force=True)
    return {"found": [_found(provider) | {"configured": bool(known & _names(provider))} for provider in found]}


def _configured(hass: HomeAssistant) -> set[str]:
    """The ids and addresses of the providers that are set up, including disabled ones."""
    entries = hass.config_entries.async_entries(DOMAIN)
    return {entry.data[key] for entry in entries for key in (CONF_PROVIDER_ID, CONF_BASE_URL) if entry.data.get(key)}


def _names(provider: Provider) -> set[str]:
    return {provider.id, *provider.record.base_urls()}


def _describe(member: Member) -> dict[str, Any]:
    queue = member.status.queue if member.status else None
    capabilities = member.backend.info.capabilities
    return {
        ATTR_CONFIG_ENTRY_ID: member.id,
        "name": member.name,
        "state": member.state.value if member.known else None,
        "use_for_routing": member.enabled,
        "priority": member.priority,
        "capabilities": None if capabilities is None else sorted(capabilities),
        "cost": member.backend.info.cost.value,
        "models": [model.id for model in member.models if not model.virtual],
        "load": {
            "active": max(queue.active, member.active) if queue else member.active,
            "queue_depth": queue.depth if queue else None,
            "capacity": (queue.max_concurrent or None) if queue else None,
            "estimated_wait_seconds": queue.estimated_wait_seconds if queue else None,
        },
        "latency_seconds": member.latency,
        "last_seen": None if member.last_seen is None else datetime.fromtimestamp(member.last_seen, UTC).isoformat(),
        "last_error": member.last_error,
    }


def _found(provider: Provider) -> dict[str, Any]:
    """The content of an advertisement, without API keys and tokens."""
    record = provider.record
    return {
        "id": record.id,
        "name": record.name,
        "base_url": provider.base_url,
        "provider": record.provider,
        "version": record.version,
        "models": list(record.models),
        "more_models": record.models_truncated,
        "capabilities": sorted(record.capabilities),
        "auth": record.auth.value,
        "cost": record.cost.value,
        "placement": record.placement.value,
        "priority": record.priority,
    }
