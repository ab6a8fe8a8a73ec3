"""The portal of `serve`, as far as its file configures one."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import aiohttp
from aiohttp import web
import click

from ..accounting.store import AccountingStore
from ..config.portal_fields import PortalSettings
from ..protocol.record import Auth
from ..server.gateway import Gateway
from ..server.portal.policy import PortalPolicy
from .admission import Admission
from .errors import CommandError

_MAX_SECRET_BYTES = 4096


def portal_policy(admission: Admission, store: AccountingStore | None, settings: PortalSettings | None) -> PortalPolicy | None:
    """Who may use the portal; None if the file has no portal. Raises CommandError if the server has no API keys to give."""
    if settings is None:
        return None
    if store is None:
        raise CommandError("The portal needs API keys.", "Pass --keys instead of --key.", kind="usage")
    if admission.mode is not Auth.TOKEN:
        raise CommandError("The portal needs a server that requires API keys.", "Set --auth token.", kind="usage")
    return PortalPolicy(settings, store.users)


async def open_portal(
    stack: AsyncExitStack, gateway: Gateway, store: AccountingStore | None, policy: PortalPolicy | None, contact: str | None
) -> Mapping[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]:
    """What answers the requests to the portal, by its path, until `stack` closes; nothing without a portal.

    Raises CommandError without its libraries, or if the client's secret cannot be read.
    """
    if policy is None or store is None:
        return {}
    try:
        from ..server.portal.open_id import OpenIdProvider  # noqa: PLC0415  # the libraries of an extra
        from ..server.portal.portal import PATH, Portal  # noqa: PLC0415
    except ImportError as err:
        if err.name is None or err.name.partition(".")[0] not in ("authlib", "joserfc"):
            raise
        message, hint = "The portal needs the libraries authlib and joserfc.", "Run: pip install 'zeroconf-ai[portal]'"
        raise CommandError(message, hint, kind="missing_library") from None
    settings = policy.settings
    if settings.client_secret_file is not None:
        secret = await asyncio.to_thread(_read_secret, Path(settings.client_secret_file))
        settings = replace(settings, client_secret=secret)
    session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
    stack.push_async_callback(session.close)
    return {PATH: Portal(gateway, store, policy, OpenIdProvider(session, settings), contact).answer}


def print_address(policy: PortalPolicy | None) -> None:
    """Print the address of the portal, if there is one."""
    if policy is not None:
        click.echo(f"portal: {policy.settings.public_url}/portal/")


def _read_secret(file: Path) -> str:
    """The secret in a file. Raises CommandError."""
    try:
        with file.open("rb") as opened:
            found = opened.read(_MAX_SECRET_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as err:
        reason = err.strerror if isinstance(err, OSError) else "it is no text"
        raise CommandError(f"The client secret cannot be read from {file}: {reason}.", kind="file_error") from None
    if not found:
        raise CommandError(f"The file of the client secret, {file}, is empty.", kind="file_error")
    return found
