"""`zeroconf-ai database`: the version of the tables, and the way back to an earlier one."""

from contextlib import closing
import json
from pathlib import Path
import sqlite3

import pytest

from zeroconf_ai.accounting.storage import migrate

from ...support.command import run


def version(state: Path) -> str | None:
    found: str | None = json.loads(run(state, "database", "version", "--json").stdout)["version"]
    return found


def test_database_version_marks_the_version_of_the_tables(tmp_path: Path) -> None:
    assert run(tmp_path, "keys", "create", "Laptop").returncode == 0
    lines = run(tmp_path, "database", "version").stdout.splitlines()
    assert lines[0].split() == ["Version", "Adds"]
    assert len(lines) == 1 + len(migrate.revisions())
    assert [line for line in lines if line.startswith("*")] == [lines[-1]]
    assert lines[-1].split()[1] == migrate.head()


def test_database_downgraded_has_a_backup_and_its_keys_and_is_upgraded_by_the_next_start(tmp_path: Path) -> None:
    run(tmp_path, "keys", "create", "Laptop")
    before = migrate.revisions()[-2]
    done = run(tmp_path, "database", "downgrade", before, "--yes")
    assert done.returncode == 0, done.stderr
    assert version(tmp_path) == before
    backup = Path(done.stdout.strip().removesuffix(".").rpartition(" ")[2])
    with closing(sqlite3.connect(backup)) as copied:
        assert copied.execute("SELECT version_num FROM alembic_version").fetchone() == (migrate.head(),)
    listed = json.loads(run(tmp_path, "keys", "list", "--json").stdout)
    assert [key["name"] for key in listed] == ["Laptop"]
    assert version(tmp_path) == migrate.head()


@pytest.mark.parametrize("said", ["n\n", ""])
def test_database_downgrade_that_is_not_confirmed_changes_nothing(tmp_path: Path, said: str) -> None:
    run(tmp_path, "keys", "create", "Laptop")
    assert run(tmp_path, "database", "downgrade", "0001", said=said).returncode == 1
    assert version(tmp_path) == migrate.head()


@pytest.mark.parametrize("wanted", ["9999", "base", "", migrate.head()])
def test_database_downgrade_to_no_earlier_version_is_refused_in_one_line(tmp_path: Path, wanted: str) -> None:
    run(tmp_path, "keys", "create", "Laptop")
    done = run(tmp_path, "database", "downgrade", wanted, "--yes")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: The tables have version ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [("version",), ("downgrade", "0001", "--yes")])
def test_database_that_does_not_exist_is_not_created(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    file = tmp_path / "none.db"
    done = run(tmp_path, "database", *arguments, "--database", str(file))
    assert done.returncode == 1
    assert done.stderr == f"Error: There is no database at {file}. Set another --database.\n"
    assert not file.exists()
