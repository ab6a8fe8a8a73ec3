"""What `serve` says about its page: the address, and how to log in; the accounting store of a demo, which ends with it."""

from contextlib import AsyncExitStack
from tempfile import TemporaryDirectory
from typing import Final

from ..accounting.storage.database import DatabaseError
from ..accounting.store import AccountingStore
from ..server.administration.administration import PATH
from ..server.administration.sessions import Sessions
from .errors import CommandError
from .notices import notice

LOGIN: Final = "#login="
"""Begins the fragment of a link that logs in. Browsers send no fragment to a server, and the page removes it from the address."""
_CREATE = "zeroconf-ai keys create NAME --endpoint admin"


def page_address(base_url: str) -> str:
    """The address of the page of a server with this base URL, such as `http://192.0.2.10:8000/admin/`."""
    return f"{base_url.removesuffix('/v1')}{PATH}/"


def how_to_log_in(store: AccountingStore | None) -> str:
    """How administrators log in to the page of a server with these API keys; None: the server has one key for all."""
    if store is None:
        return "log in with the key of this server"
    if any(key.admin for key in store.keys):
        return "log in with the key of an administrator"
    return f"create a key to log in: {_CREATE}"


def login_link(sessions: Sessions, address: str) -> str:
    """A link to the page that logs in once. When it has done so, the next one is printed."""

    def used() -> None:
        notice(f"page: {login_link(sessions, address)} (the next link that logs in once)")

    return f"{address}{LOGIN}{sessions.make_link(used)}"


async def open_demo_store(stack: AsyncExitStack) -> AccountingStore:
    """The API keys, budgets and records of a demo, in a temporary folder that is deleted when `stack` closes.

    Raises CommandError if the folder cannot be used.
    """
    try:
        folder = stack.enter_context(TemporaryDirectory(prefix="zeroconf-ai-demo-", ignore_cleanup_errors=True))
        store = await AccountingStore.open(f"{folder}/demo.db")
    except OSError as err:
        message = f"The records of the demo cannot be stored: {err.strerror or err}."
        raise CommandError(message, "Set TMPDIR.", kind="file_error") from None
    except DatabaseError as err:
        raise CommandError(str(err), kind="database_failed") from None
    stack.push_async_callback(store.close)
    return store
