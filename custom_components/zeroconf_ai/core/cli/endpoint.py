"""`zeroconf-ai endpoint`: the address and the API key of a provider, for other programs."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
import os
import shlex
import shutil
from ssl import SSLContext
import subprocess
import sys
from typing import Final, NoReturn

import click

from ..backends.base import Endpoint
from ..backends.zeroconfai import ZeroconfAIBackend
from ..client.connections import Wanted
from .connecting import connect, connection_options, wanted_of
from .errors import CommandError
from .notices import warn
from .output import json_option, print_json
from .progress import progress

NO_KEY: Final = "none"
"""API key for clients that require one, if the provider requires none. It also overrides a key of another service."""
REMOVED: Final = ("ANTHROPIC_API_KEY", "GOOGLE_API_KEY")
"""Variables that clients read before ours. They are unset, so that no key of another service is sent to this provider."""


def variables(base_url: str, key: str | None) -> dict[str, str]:
    """The variables that clients read: of OpenAI's, Anthropic's, Google's and Ollama's API, and of this command itself.

    `base_url` ends in `/v1`. Their documentation: github.com/openai/openai-python, docs.litellm.ai (`OPENAI_API_BASE`, aider),
    code.claude.com (`ANTHROPIC_AUTH_TOKEN` is sent as a bearer token), googleapis/js-genai, github.com/ollama/ollama-python.
    """
    root, secret = base_url.removesuffix("/v1"), key or NO_KEY
    return {
        "OPENAI_BASE_URL": base_url,
        "OPENAI_API_BASE": base_url,
        "OPENAI_API_KEY": secret,
        "ANTHROPIC_BASE_URL": root,
        "ANTHROPIC_AUTH_TOKEN": secret,
        "GOOGLE_GEMINI_BASE_URL": root,
        "GEMINI_API_KEY": secret,
        "OLLAMA_HOST": root,
        "OLLAMA_API_KEY": secret,
        "ZEROCONF_AI_PROVIDER": base_url,
        "ZEROCONF_AI_KEY": key or "",
    }


def _sh(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _fish(name: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{escaped}'"


def _powershell(name: str, value: str) -> str:
    # PowerShell reads these characters as apostrophes too; doubling escapes them.
    escaped = "".join(char * 2 if char in "'\u2018\u2019\u201a\u201b" else char for char in value)
    return f"$env:{name} = '{escaped}'"


SHELLS: Final[Mapping[str, Callable[[str, str], str]]] = {"sh": _sh, "fish": _fish, "powershell": _powershell}


@click.command("endpoint")
@connection_options
@click.option("--shell", type=click.Choice(list(SHELLS)), help="The shell that reads the output.  [default: the shell in $SHELL]")
@click.option("--env", "as_env", is_flag=True, help="Print NAME=VALUE lines, for a file of variables.")
@click.option("--exec", "program", metavar="PROGRAM", help="Run this program with the variables; ARGS are its arguments.")
@json_option
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def command(
    provider: str | None,
    key: str | None,
    trust: bool,
    interfaces: tuple[str, ...],
    shell: str | None,
    as_env: bool,
    program: str | None,
    as_json: bool,
    args: tuple[str, ...],
) -> None:
    """Print base URL and API key of a provider as commands that set variables, or run a program with them.

    Without --provider it is the best provider on the network that needs no API key. The key is --key or ZEROCONF_AI_KEY.
    """
    if args and program is None:
        raise click.UsageError("Arguments are for a program. Name it: --exec PROGRAM -- ARGS")
    if [shell is not None, as_env, program is not None, as_json].count(True) > 1:
        raise click.UsageError("Use one of --shell, --env, --exec and --json.")
    found = asyncio.run(_endpoint(wanted_of(provider, key, trust, interfaces)))
    values = variables(found.base_url, found.key)
    if any(not value.isprintable() for value in values.values()):
        raise CommandError("The address or the API key has a control character.", "Check --provider and --key.", kind="usage")
    if isinstance(found.ssl, SSLContext):
        warn("the provider knows this user by a client certificate, which programs do not get by variables: docs/enrolment.md")
    if program is not None:
        _run([program, *args], {**_without(os.environ, REMOVED), **values})
    if as_json:
        print_json({"base_url": found.base_url, "api_key": found.key, "variables": values})
        return
    write = (lambda name, value: f"{name}={value}") if as_env else SHELLS[shell or _usual_shell(os.environ)]
    for name, value in values.items():
        click.echo(write(name, value))


async def _endpoint(wanted: Wanted) -> Endpoint:
    """The endpoint of the preferred provider, which accepts the key. Raises NoProviderError."""
    with progress("Looking for a provider"):
        connections = await connect(wanted)
        try:
            backend = connections.members[0].backend
            assert isinstance(backend, ZeroconfAIBackend)
            connections.confirm(backend.info.id)
            return backend.endpoint
        finally:
            await connections.close()


def _usual_shell(environment: Mapping[str, str]) -> str:
    if sys.platform == "win32":
        return "powershell"
    named = os.path.basename(environment.get("SHELL", ""))  # noqa: PTH119 - of a text, not of a file
    return {"fish": "fish", "pwsh": "powershell"}.get(named, "sh")


def _without(environment: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in names}


def _run(program: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Replace this process by a program. Raises CommandError if it does not exist."""
    where = shutil.which(program[0])
    if where is None:
        raise CommandError(f"{program[0]} is not installed.", "Install it, or check the name and PATH.", kind="not_found")
    if sys.platform == "win32":  # on Windows, replacing the process returns the prompt at once
        sys.exit(subprocess.run([where, *program[1:]], env=dict(environment), check=False).returncode)
    try:
        os.execve(where, list(program), dict(environment))
    except OSError as err:
        raise CommandError(f"{where} cannot be run: {err.strerror}.", "Name another program.", kind="permission_denied") from None
