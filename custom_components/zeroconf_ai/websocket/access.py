"""What the commands share: the accounting store, names, and errors as answers."""

from collections.abc import Callable, Coroutine, Mapping
from functools import wraps
from typing import Any

from homeassistant.components.websocket_api.connection import ActiveConnection
from homeassistant.components.websocket_api.const import (
    ERR_INVALID_FORMAT,
    ERR_NOT_FOUND,
    ERR_UNAUTHORIZED,
    AsyncWebSocketCommandHandler,
)
from homeassistant.core import HomeAssistant, callback

from ..core.accounting.storage.database import DatabaseError
from ..core.accounting.store import AccountingStore
from ..core.admin.names import Names
from ..core.protocol.errors import ApiError, NotFoundError, PermissionDeniedError
from ..gateway.runtime import GatewayRuntime, gateway_runtime
from ..usage.display_names import user_names
from ..usage.shared_store import SHARED_STORE

type Connection = ActiveConnection
type Message = Mapping[str, Any]
type Command = Callable[[HomeAssistant, Connection, dict[str, Any]], Coroutine[Any, Any, Any]]


class CommandError(Exception):
    """A command cannot be carried out; `code` is for programs, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        """Both go to the client."""
        super().__init__(message)
        self.code = code


def answered(command: Command) -> AsyncWebSocketCommandHandler:
    """Send what a command returns as its result, and what it raises as an error with one sentence."""

    @wraps(command)
    async def answer(hass: HomeAssistant, connection: Connection, message: dict[str, Any]) -> None:
        try:
            connection.send_result(message["id"], await command(hass, connection, message))
        except CommandError as err:
            connection.send_error(message["id"], err.code, str(err))
        except NotFoundError as err:
            connection.send_error(message["id"], ERR_NOT_FOUND, err.message)
        except PermissionDeniedError as err:
            connection.send_error(message["id"], err.code or ERR_UNAUTHORIZED, err.message)
        except ApiError as err:
            connection.send_error(message["id"], ERR_INVALID_FORMAT, err.message)
        except DatabaseError as err:
            connection.send_error(message["id"], "database_failed", str(err))

    return answer


@callback
def store_of(hass: HomeAssistant) -> AccountingStore:
    """The accounting store, which records usage with and without a gateway. Raises CommandError."""
    shared = hass.data[SHARED_STORE]
    if shared.store is None:
        raise CommandError("not_recorded", "Nothing is recorded yet: add a provider or the gateway.")
    return shared.store


@callback
def gateway_of(hass: HomeAssistant) -> GatewayRuntime:
    """The gateway's runtime. Raises CommandError if there is no gateway or it is not loaded."""
    runtime = gateway_runtime(hass)
    if runtime is None:
        raise CommandError("no_gateway", "API keys and budgets need the gateway: add it under Devices & services.")
    return runtime


async def names_of(hass: HomeAssistant) -> Names:
    """The names of keys and users."""
    store = hass.data[SHARED_STORE].store
    return Names(None if store is None else store.keys, (await user_names(hass)).get)


@callback
def own_user(connection: Connection) -> str | None:
    """The id to which records and keys are restricted: None for an administrator, who sees all."""
    return None if connection.user.is_admin else connection.user.id
