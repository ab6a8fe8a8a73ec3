"""Access, limits and records of `serve` by its options."""

import asyncio
from contextlib import AsyncExitStack, closing
from pathlib import Path
import sqlite3
import time
from typing import Any

import click
from click.testing import CliRunner
import pytest

from zeroconf_ai.accounting.admission import RateLimits
from zeroconf_ai.accounting.budget import Scope
from zeroconf_ai.accounting.conversations.conversation import Owner, Role
from zeroconf_ai.accounting.periods import Period
from zeroconf_ai.accounting.storage.database import address_digest
from zeroconf_ai.accounting.store import AccountingStore
from zeroconf_ai.accounting.usage.generation import Generation, Outcome, Recorders
from zeroconf_ai.cli import admission, state
from zeroconf_ai.cli.admission import Admission, record_requests
from zeroconf_ai.cli.keys import command as keys_command
from zeroconf_ai.config.state_folder import state_folder
from zeroconf_ai.engine import Engine
from zeroconf_ai.protocol.record import Auth
from zeroconf_ai.protocol.usage import Usage
from zeroconf_ai.protocol.values import NANO

SECRET = "zai_an-example-key"


@click.command()
@admission.options
def probe(**said: Any) -> None:
    """Say what was understood."""
    found = Admission(**said)
    click.echo(f"{found.mode.value} {found.networks} {found.host_names} {found.origins} {found!r}")


@pytest.mark.parametrize(
    ("arguments", "mode"),
    [
        ([], Auth.TOKEN),
        (["--open"], Auth.NONE),
        (["--open", "--key", SECRET], Auth.NONE),
        (["--auth", "none"], Auth.NONE),
        (["--key", SECRET], Auth.TOKEN),
        (["--keys"], Auth.TOKEN),
        (["--keys", "--database", "gateway.db"], Auth.TOKEN),
        (["--keys", "--auth", "none"], Auth.NONE),
        (["--key", SECRET, "--auth", "token"], Auth.TOKEN),
        (["--key", ""], Auth.TOKEN),
        (["--auth", "token"], Auth.TOKEN),
    ],
)
def test_admission_key_is_required_if_set_unless_auth_is_none(arguments: list[str], mode: Auth) -> None:
    done = CliRunner().invoke(probe, arguments)
    assert done.exit_code == 0, done.output
    assert done.output.split()[0] == mode
    assert SECRET not in done.output


def test_admission_networks_names_and_origins_are_used() -> None:
    arguments = ["--allow-network", "192.168.1.7/24", "--allow-network", "fd00::/8", "--host-name", "ai.example.net"]
    done = CliRunner().invoke(probe, [*arguments, "--cors-origin", "https://chat.example.net"])
    assert done.output.startswith("token ('192.168.1.0/24', 'fd00::/8') ('ai.example.net',) ('https://chat.example.net',)")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--auth", "token", "--open"], "--open means --auth none"),
        (["--database", "gateway.db", "--open"], "--database requires --keys"),
        (["--keep-bodies", "--key", SECRET], "--keep-bodies requires --keys"),
        (["--user-tokens-per-minute", "5", "--auth", "none"], "Limits of addresses and users require --keys"),
        (["--keep-chats-days", "5", "--key", SECRET], "--keep-chats-days requires --keys"),
        (["--address-requests-per-minute", "0"], "--address-requests-per-minute"),
        (["--address-parallel", "2", "--open"], "require --keys"),
        (["--allow-mac", "00:00:5e:00:53"], "is not a MAC address"),
        (["--allow-mac", "ff:ff:ff:ff:ff:ff", "--open"], "of a device"),
        (["--allow-mac", "00:00:5e:00:53:01", "--keys"], "Add --open"),
        (["--allow-network", "home"], "'home' is not a network"),
        (["--cors-origin", "chat.example.net"], "not a web origin"),
    ],
)
def test_admission_conflicting_options_are_refused(arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(probe, arguments)
    assert done.exit_code == 2
    assert words in " ".join(done.output.split())


async def test_admission_with_keys_records_each_request_and_makes_one_first_key(tmp_path: Path) -> None:
    admitted = Admission(keys=True, database=str(tmp_path / "gateway.db"))
    engine = Engine()
    async with AsyncExitStack() as stack:
        store = await admitted.open_store(stack)
        assert isinstance(store, AccountingStore)
        _, totals = await record_requests(stack, engine, store)
        assert isinstance(engine.recorder, Recorders)
        assert totals is store.totals
        assert admitted.guard(store).required
        secret = await admitted.make_first_key(store)
        assert secret is not None
        assert store.keys.verify(secret).name == admission.FIRST_KEY
        assert await admitted.make_first_key(store) is None
    await engine.close()


@pytest.mark.parametrize("said", [{"open": True, "keys": True}, {"keys": True, "key": SECRET}])
async def test_admission_makes_no_first_key_where_clients_need_none(tmp_path: Path, said: dict[str, Any]) -> None:
    admitted = Admission(**said, database=str(tmp_path / "gateway.db"))
    async with AsyncExitStack() as stack:
        store = await admitted.open_store(stack)
        assert store is not None
        assert await admitted.make_first_key(store) is None
        assert len(store.keys) == 0


async def test_admission_without_tracking_keeps_keys_and_limits_and_records_nothing(tmp_path: Path) -> None:
    admitted = Admission(tracking=False, database=str(tmp_path / "gateway.db"))
    engine = Engine()
    async with AsyncExitStack() as stack:
        store = await admitted.open_store(stack)
        assert store is not None
        _, totals = await record_requests(stack, engine, store, records=admitted.records)
        assert totals is not store.totals
        assert engine.admission_control is store.admission_control
        assert engine.exchanges is not store.exchanges
        assert await admitted.make_first_key(store) is not None
    await engine.close()


async def test_admission_metrics_contain_budgets(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        store = await Admission(keys=True, database=str(tmp_path / "gateway.db")).open_store(stack)
        assert store is not None
        metrics, _ = await record_requests(stack, Engine(), store)
        await store.budgets.set(Scope.HOUSEHOLD, None, 4 * NANO, Period.MONTH)
        text = metrics.render().decode()
    assert 'local_ai_budget_left{period="month",provider="none",scope="household"} 4.0' in text


async def test_admission_limits_and_stored_prompts_reach_the_store(tmp_path: Path) -> None:
    where: dict[str, Any] = {"keys": True, "database": str(tmp_path / "gateway.db")}
    rates: dict[str, Any] = {
        "address_requests_per_minute": 5,
        "address_parallel": 2,
        "user_requests_per_minute": 6,
        "user_tokens_per_minute": 7,
    }
    for keeps in (True, False):
        async with AsyncExitStack() as stack:
            store = await Admission(**where, **rates, keep_bodies=keeps).open_store(stack)
            assert store is not None
            engine = Engine()
            await record_requests(stack, engine, store)
            assert (store.limits.per_address, store.limits.per_user) == (RateLimits(5, None, 2), RateLimits(6, 7))
            assert engine.exchanges is store.exchanges
            assert store.exchanges.keep is keeps


@pytest.mark.parametrize(("days", "left"), [(None, 1), (91, 1), (5, 0)])
async def test_admission_conversations_are_kept_as_long_as_chosen(tmp_path: Path, days: int | None, left: int) -> None:
    admitted = Admission(keys=True, database=str(tmp_path / "gateway.db"), keep_chats_days=days)
    async with AsyncExitStack() as stack:
        store = await admitted.open_store(stack)
        assert store is not None
        owner = Owner("phone")
        made = await store.conversations.create(owner, source="page")
        await store.conversations.append(owner, made.id, Role.USER, "Hello")
        with closing(sqlite3.connect(tmp_path / "gateway.db")) as connection, connection:
            connection.execute("UPDATE conversations SET last_used = last_used - 89 * 86400")
        await store.tidy()
        assert len((await store.conversations.conversations(owner)).items) == left


async def test_admission_without_keys_opens_no_store() -> None:
    engine = Engine()
    async with AsyncExitStack() as stack:
        store = await Admission(open=True).open_store(stack)
        assert store is None
        _, totals = await record_requests(stack, engine, store)
        assert engine.recorder is not None
        engine.recorder.record(Generation("gen", time.time(), "http", "chat", "auto", Outcome.OK, usage=Usage(3, 2)))
        today = totals.household.today
        assert (today.requests, today.usage) == (1, Usage(3, 2))
        assert not Admission(open=True).guard(store).required
    await engine.close()


async def test_admission_database_that_cannot_be_opened_is_reported() -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(click.ClickException):
            await Admission(keys=True, database="mysql://example").open_store(stack)


async def test_lost_database_blocks_metered_backends_until_confirm_loss(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gateway.db"
    admitted = Admission(keys=True, database=str(file))

    async def opened() -> tuple[bool, str]:
        async with AsyncExitStack() as stack:
            store = await admitted.open_store(stack)
            assert store is not None
            return store.admission_control.free_only, capsys.readouterr().err

    def confirm() -> str:
        return CliRunner().invoke(keys_command, ["confirm-loss", "--database", str(file)]).output

    assert not (await opened())[0]
    assert "No loss" in await asyncio.to_thread(confirm)
    remove(file)
    for _ in range(2):
        closed, told = await opened()
        assert closed
        assert "keys and budgets" in told
        assert "zeroconf-ai keys confirm-loss --database" in told
    assert "Metered backends answer again" in await asyncio.to_thread(confirm)
    assert await opened() == (False, "")


def remove(file: Path) -> None:
    file.unlink()


async def test_lost_database_is_detected_for_each_notation_of_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for address in ("gateway.db", str(tmp_path / "gateway.db"), f"sqlite:///{tmp_path}/gateway.db"):
        assert address_digest(address) == address_digest(tmp_path / "gateway.db")
    assert "secret" not in address_digest("sqlite:///secret")


def test_state_that_cannot_be_written_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(click.ClickException, match="cannot be saved"):
        state.remember_database("address", "1")


def test_state_that_cannot_be_read_is_replaced(tmp_path: Path) -> None:
    state.remember_database("address", "1")
    file = state_folder() / "databases.json"
    for content in (b"no JSON", b"[]", b'{"address": 1}'):
        file.write_bytes(content)
        assert state.known_databases() == {}
        state.remember_database("address", "2")
        assert state.known_databases() == {"address": "2"}
