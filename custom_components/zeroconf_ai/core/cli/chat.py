"""`zeroconf-ai chat`: send a prompt to a provider, or chat with it."""

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
import re
import sys
from typing import Any

import aiohttp
import click

from ..backends.base import BackendInfo, Endpoint
from ..backends.identity_probe import IdentityProbe, confirmed_key
from ..backends.locate import locate
from ..backends.zeroconfai import ZeroconfAIBackend, endpoint_of_record, fingerprint_ssl
from ..config.base_paths import base_path
from ..engine import Caller, Engine, Source
from ..lan.discovery import DiscoveryManager
from ..lan.identity import Confirmed, Reply, Target, Verdict, identify_any
from ..lan.providers import Provider
from ..lan.trust import Trust, TrustStore
from ..protocol.chunks import Delta
from ..protocol.errors import ApiError
from ..protocol.models import AUTO
from ..protocol.record import Auth, ServiceRecord, names_public_host
from ..protocol.request import Kind, Request
from ..protocol.status import ProviderState
from ..protocol.thinking import Piece, ThinkSplitter, pieces_of
from ..protocol.values import encodable, terminal_text
from ..routing.pool.member import Member
from .network import interface_option, open_zeroconf
from .state import trust_file

_URL = re.compile(r"(?P<scheme>https?)://(?P<rest>[^\s?#]+)|(?P<bare>(?:[\w.-]+|\[[\da-fA-F:.]+\]):\d{1,5}(?:/[^\s?#]*)?)")


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line."""

    provider: str | None
    model: str
    key: str | None
    trust: bool
    interfaces: tuple[str, ...]


@click.command("chat")
@click.argument("prompt", required=False)
@click.option("--provider", metavar="NAME|URL", help="Use this provider: its name or ID on the network, or its URL.")
@click.option("--model", default=AUTO, show_default=True, help="The model to use.")
@click.option("--key", envvar="ZEROCONF_AI_KEY", help="The provider's API key. ZEROCONF_AI_KEY hides it from `ps`.")
@click.option("--trust", is_flag=True, help="Accept the new identity or the new address of a known provider.")
@interface_option
def command(
    prompt: str | None, provider: str | None, model: str, key: str | None, trust: bool, interfaces: tuple[str, ...]
) -> None:
    """Send PROMPT and print the answer as it streams.

    Without PROMPT, the prompt is read from stdin; on a terminal, an interactive chat starts. Without --provider, the best
    provider on the network answers, with failover to the next one.
    """
    if provider is None:
        if click.get_current_context().get_parameter_source("key") is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError("--key applies to one provider. Set it with --provider.")
        key = None
    options = Options(provider, encodable(model), key or None, trust, interfaces)
    question = _question(prompt)
    try:
        with asyncio.Runner() as runner:
            talk = runner.run(_Talk.begin(options))
            try:
                if question is not None:
                    runner.run(talk.ask(question))
                else:
                    _converse(runner, talk)
            finally:
                runner.run(talk.close())
    except ApiError as err:
        raise click.ClickException(err.message) from None
    except KeyboardInterrupt:
        click.echo()
        sys.exit(130)


def _question(prompt: str | None) -> str | None:
    """PROMPT, or the text from stdin; None for an interactive chat. Raises click.UsageError for an empty prompt."""
    if prompt is None and sys.stdin.isatty():
        return None
    question = sys.stdin.buffer.read().decode(errors="replace") if prompt is None or prompt == "-" else prompt
    if not question.strip():
        raise click.UsageError("The prompt is empty. Pass PROMPT, or pipe it in.")
    return encodable(question.strip())


def _converse(runner: asyncio.Runner, talk: _Talk) -> None:
    """Send each line that is typed, until the end of input. Ctrl-C stops a running answer; between answers it ends the chat."""
    with suppress(ImportError):
        import readline  # noqa: F401, PLC0415 - line editing and history for `input`
    click.secho(f"Chatting with {talk.names}. Press Ctrl-D to exit.", dim=True, err=True)
    while True:
        try:
            line = encodable(input("> ").strip())
        except EOFError:
            click.echo()
            return
        if not line:
            continue
        try:
            runner.run(talk.ask(line))
        except KeyboardInterrupt:
            click.secho(" … interrupted", dim=True, err=True)
        except ApiError as err:
            click.secho(f"Error: {err.message}", fg="red", err=True)


@dataclass(frozen=True, slots=True)
class _Located:
    """A discovered provider and the endpoint to which requests may be sent."""

    record: ServiceRecord
    endpoint: Endpoint


class _Talk:
    """A chat with one provider, or with the best one that was discovered."""

    def __init__(self, engine: Engine, stack: AsyncExitStack, model: str, trust: TrustStore, *, accepts_changes: bool) -> None:
        self._engine = engine
        self._stack = stack
        self._model = model
        self._trust = trust
        self._accepts_changes = accepts_changes
        self._found: dict[str, _Located] = {}
        self._messages: list[dict[str, Any]] = []

    @classmethod
    async def begin(cls, options: Options) -> _Talk:
        """Find the providers. Raises click.ClickException if none can be used."""
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(aiohttp.ClientSession())
            engine = Engine()
            stack.push_async_callback(engine.close)
            talk = cls(engine, stack, options.model, TrustStore(trust_file()), accepts_changes=options.trust)
            if options.provider is not None and (url := _base_url(options.provider)) is not None:
                info = BackendInfo(url, url)
                engine.add(ZeroconfAIBackend(session, info, Endpoint(url, options.key)))
            else:
                await talk._discover(session, options)
            await asyncio.gather(*(engine.checker.check(member) for member in engine.pool))
            if not any(member.online for member in engine.pool):
                raise click.ClickException(" ".join(_why_not(member, options.key) for member in engine.pool))
            talk._stack = stack.pop_all()
        return talk

    @property
    def names(self) -> str:
        """The names of the providers, in the order of preference."""
        members = sorted(self._engine.pool, key=lambda member: (not member.online, member.priority))
        return ", ".join(member.name for member in members)

    async def ask(self, prompt: str) -> None:
        """Print the answer as it streams. Raises ApiError if there is no answer or if it is interrupted."""
        self._messages.append({"role": "user", "content": prompt})
        body = {"model": self._model, "messages": self._messages, "stream": True}
        answer = ""
        said = ""
        splitter = ThinkSplitter()
        try:
            async with self._engine.run(Request.parse(Kind.CHAT, body), Caller(Source.CLI)) as reply:
                async for chunk in reply.chunks():
                    delta = Delta.parse(chunk.data)
                    said += delta.content
                    pieces = [Piece(delta.reasoning, True)] if delta.reasoning else []
                    answer += _show([*pieces, *splitter.feed(delta.content)])
                answer += _show(splitter.flush())
                if splitter.unopened:  # the next prompt is sent without the reasoning
                    answer = "".join(piece.text for piece in pieces_of(said) if not piece.is_reasoning)
                if (found := self._found.get(reply.backend_id)) is not None:
                    self._confirm(found)
        finally:
            if answer:
                click.echo()
                self._messages.append({"role": "assistant", "content": answer})
            else:
                self._messages.pop()  # a prompt without an answer would be sent again with the next one

    async def close(self) -> None:
        """Close the engine and its connections."""
        await self._stack.aclose()

    async def _discover(self, session: aiohttp.ClientSession, options: Options) -> None:
        async with open_zeroconf(options.interfaces) as zeroconf, DiscoveryManager(zeroconf, trust=self._trust) as manager:
            providers = await manager.scan_network()
        chosen = _choose(providers, options)
        located = await asyncio.gather(*(self._locate(session, provider, options) for provider in chosen), return_exceptions=True)
        errors: list[BaseException] = []
        for found in located:
            if isinstance(found, BaseException):
                errors.append(found)
                continue
            record = found.record
            backend = ZeroconfAIBackend(session, BackendInfo(record.id, record.name), found.endpoint)
            backend.update_record(record)
            backend.identity = None if record.id_derived else record.id
            self._engine.add(backend)
            self._found[record.id] = found
        if not self._found:
            raise errors[0]

    async def _locate(self, session: aiohttp.ClientSession, provider: Provider, options: Options) -> _Located:
        """The endpoint of a provider. Raises click.ClickException if the user must confirm its identity first."""
        record = provider.record
        try:
            advertised = endpoint_of_record(record, key=options.key)
        except ValueError:
            raise click.ClickException(f"{record.name} advertises an invalid certificate fingerprint.") from None
        pin = self._trust.pin(record.id)
        if pin is None or options.trust:
            return _Located(record, replace(advertised, base_url=await _address(session, provider)))
        known = Confirmed(
            record.id,
            pin.base_url or "",
            pin.fingerprint,
            **confirmed_key(options.key),
            ephemeral=options.key is None and record.ephemeral_key is not None,
        )
        probe = IdentityProbe(session, record.name, record.id, options.key)
        found = await identify_any(provider.records, known, probe)
        if found.verdict is Verdict.SAME and await probe(Target(known.base_url, known.fingerprint)) is Reply.SILENT:
            found = await identify_any(provider.records, known, probe, beyond_confirmed=True)
        base_url = found.base_url if found.follow else pin.base_url
        if not base_url or (found.verdict in (Verdict.MOVED_UNPROVEN, Verdict.CHANGED) and not found.follow):
            raise click.ClickException(
                f"{record.name} is advertised at {found.base_url or advertised.base_url}, which was not confirmed, and it does"
                " not prove that it is the same provider. Nothing was sent there. If you moved or changed it, pass --trust once."
            )
        here = base_url in found.record.base_urls()
        key = options.key or (found.record.ephemeral_key if here else None)
        ssl = fingerprint_ssl(pin.fingerprint) if pin.fingerprint else True
        return _Located(found.record, Endpoint(base_url, key, ssl, public_only=names_public_host(base_url)))

    def _confirm(self, found: _Located) -> None:
        """Pin the provider that answered, at the address where it did."""
        pin = self._trust.pin(found.record.id)
        if pin is None or pin.base_url != found.endpoint.base_url or self._accepts_changes:
            self._trust.confirm(found.record, found.endpoint.base_url)


async def _address(session: aiohttp.ClientSession, provider: Provider) -> str:
    """The advertised address that answers, else the first one: a request to it then reports the error."""
    try:
        return (await locate(session, provider.record)).base_url
    except ApiError:
        return provider.base_url


def _why_not(member: Member, key: str | None) -> str:
    """Why a provider cannot be used, and what the user can do about it."""
    if member.state is not ProviderState.UNAUTHORIZED:
        return f"{(member.last_reason or f'{member.name} does not answer').rstrip('.')}."
    if key is None:
        return f"{member.name} requires an API key. Set --key or ZEROCONF_AI_KEY."
    return f"{member.name} does not accept this API key."


def _choose(providers: list[Provider], options: Options) -> list[Provider]:
    """The providers that may be used. Raises click.ClickException with the reason if no provider may be used."""
    if not providers:
        raise click.ClickException("No provider was found on the network. Set a URL: --provider http://HOST:PORT")
    names = ", ".join(provider.record.name for provider in providers)
    if options.provider is None:
        usable = [found for found in providers if found.trust is not Trust.CHANGED and found.record.auth is Auth.NONE]
        if not usable:
            raise click.ClickException(
                f"Set --provider NAME: each provider requires an API key or has a changed identity. Found: {names}."
            )
        return usable
    wanted = options.provider.casefold()
    named = [found for found in providers if wanted in (found.record.name.casefold(), found.record.id.casefold())]
    if not named:
        raise click.ClickException(f"No provider named {options.provider} was found. Found: {names}.")
    if named[0].trust is Trust.CHANGED and not options.trust:
        raise click.ClickException(
            f"{named[0].record.name} has another identity than when it was first used. If you expect this, pass --trust once."
        )
    return named[:1]


def _base_url(text: str) -> str | None:
    """The base URL for `text` (`HOST:PORT`, with or without a scheme and `/v1`); None for a name."""
    found = _URL.fullmatch(text.strip())
    if found is None:
        return None
    host, slash, path = (found["rest"] or found["bare"]).partition("/")
    return f"{found['scheme'] or 'http'}://{host}{base_path(slash + path) or '/v1'}"


def _show(pieces: list[Piece]) -> str:
    """Print pieces of an answer, with reasoning only on a terminal and dimmed. Returns the text without reasoning."""
    answer = ""
    for piece in pieces:
        if not piece.is_reasoning:
            answer += piece.text
            click.echo(terminal_text(piece.text), nl=False)
        elif sys.stdout.isatty():
            click.secho(terminal_text(piece.text), nl=False, dim=True)
    sys.stdout.flush()
    return answer
