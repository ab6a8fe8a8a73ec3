"""`zeroconf-ai enroll`: get a client certificate of a provider, which is then used by itself."""

import asyncio
from datetime import datetime
from pathlib import Path
import re
import socket
import sys
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import click

from ..backends.enrolments import Enrolment, EnrolmentStore
from ..client.connections import base_url_of
from ..lan.trust import TrustStore
from ..presence.enrolment import Enrolled, Enroller, Provider, look_at
from ..protocol.hand_over import pin_of
from ..protocol.pairing import CodeError, read_code
from ..protocol.values import clean
from .errors import CommandError
from .output import json_option, print_json
from .ports import FIRST_PORT
from .progress import progress
from .state import enrolments_folder, trust_file

_MAX_CODE_BYTES: Final = 1024
_HOST: Final = re.compile(r"[\w.-]+|\[[\da-fA-F:.]+\]")


def _address(_context: click.Context, _param: click.Parameter, value: str) -> str:
    """The base URL of the server. Raises click.BadParameter."""
    text = value.strip()
    if _HOST.fullmatch(text):
        text = f"{text}:{FIRST_PORT}"
    found = base_url_of(text if "://" in text else f"https://{text}")
    if found is None or not urlsplit(found).hostname:
        raise click.BadParameter("Enter the host of the provider, with its port: attic.local:8000")
    if not found.startswith("https://"):
        raise click.BadParameter("A provider gives certificates by HTTPS only. Enter HOST:PORT, or its https address.")
    return found


def _pin(_context: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """The pin as an advertisement has it. Raises click.BadParameter."""
    if value is None:
        return None
    try:
        return pin_of(value)
    except ValueError:
        raise click.BadParameter(
            "Enter the SHA-256 fingerprint of the server's certificate: 64 hexadecimal digits, or as the server shows it."
        ) from None


@click.command("enroll")
@click.argument("base_url", metavar="HOST[:PORT]", callback=_address)
@click.option(
    "--code-file",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    help="Read the one-time code from this file; - is stdin. A code in the arguments would be in the process list.",
)
@click.option("--ask-owner", is_flag=True, help="Without a code: ask the provider's owner, who compares six digits.")
@click.option(
    "--pin",
    metavar="SHA256",
    callback=_pin,
    help="The fingerprint of the server's certificate, as its owner sees it.",
)
@click.option("--name", default=socket.gethostname, show_default="host name", help="What this client is, for the owner.")
@json_option
def command(base_url: str, code_file: Path | None, ask_owner: bool, pin: str | None, name: str, as_json: bool) -> None:
    """Get a certificate of a provider, by which it then knows this client instead of by an API key.

    The owner of the provider makes a one-time code; it is asked for here, and never sent. Other commands, `serve` and the client
    library use the certificate by themselves, and renew it.
    """
    if ask_owner and code_file is not None:
        raise click.UsageError("Use one of --code-file and --ask-owner.")
    code = None if ask_owner else _code(code_file, base_url)
    if code is None and pin is None and not sys.stdin.isatty():
        raise click.UsageError("Without a terminal the digits cannot be compared. Set --code-file or --pin.")
    store = EnrolmentStore(enrolments_folder())
    enrolment = asyncio.run(_enroll(store, base_url, code, pin, name))
    if as_json:
        print_json(_json(enrolment))
    else:
        until = _day(enrolment.end)
        click.echo(f"{clean(enrolment.name)} knows this client now, until {until}. The certificate is renewed by itself.")


async def _enroll(store: EnrolmentStore, base_url: str, code: str | None, pin: str | None, name: str) -> Enrolment:
    """Raises ApiError, CodeError, OSError."""
    async with aiohttp.ClientSession() as session:
        with progress("Looking for the server"):
            provider = await look_at(session, base_url, pin=pin)
        enroller = Enroller(session, provider, name)
        found = await (_by_code(enroller, code) if code is not None else _by_owner(enroller, provider, pinned=pin is not None))
    await asyncio.to_thread(found.save, store)
    # The enrolment has the pin from now on: a former one may be of a certificate that was made anew.
    await asyncio.to_thread(lambda: TrustStore(trust_file()).forget(provider.id))
    return found.enrolment


async def _by_code(enroller: Enroller, code: str) -> Enrolled:
    with progress("Enrolling"):
        return await enroller.with_code(code)


async def _by_owner(enroller: Enroller, provider: Provider, *, pinned: bool) -> Enrolled:
    """Wait for the owner. Raises CommandError if the digits differ."""
    pending = await enroller.ask_owner()
    digits = f"{pending.digits[:3]} {pending.digits[3:]}"
    click.echo(f"Ask the owner of {clean(provider.name)} to approve the request with the digits {digits}", err=True)
    with progress("Waiting for the owner"):
        found = await enroller.wait(pending)
    if not pinned and not await asyncio.to_thread(_confirmed, digits):
        raise CommandError(
            "The digits differ: another machine answers in place of the provider.",
            "Nothing was stored. Tell the owner to delete the certificate.",
            kind="digits_differ",
        )
    return found


def _confirmed(digits: str) -> bool:
    return click.confirm(f"Did the owner see the digits {digits}?", err=True)


def _code(file: Path | None, base_url: str) -> str | None:
    """The code of the file, or the typed one; None: the owner is asked. Raises CommandError, OSError."""
    if file is not None:
        text = _read(file)
    elif sys.stdin.isatty():
        where = urlsplit(base_url).netloc
        text = click.prompt(f"One-time code of {where} (Enter: ask its owner)", default="", show_default=False, err=True)
        if not text.strip():
            return None
    else:
        raise click.UsageError("Set --code-file, or --ask-owner.")
    try:
        return read_code(text.strip())
    except CodeError as err:
        raise CommandError(f"This is no one-time code: {err}.", kind="usage") from None


def _read(file: Path) -> str:
    if str(file) == "-":
        return sys.stdin.read(_MAX_CODE_BYTES)
    with file.open("rb") as opened:
        return opened.read(_MAX_CODE_BYTES).decode("utf-8", "replace")


def _json(enrolment: Enrolment) -> dict[str, str]:
    return {
        "id": enrolment.provider_id,
        "name": enrolment.name,
        "url": enrolment.base_url,
        "pin": enrolment.pin,
        "expires_at": enrolment.end.isoformat(),
    }


def _day(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d")
