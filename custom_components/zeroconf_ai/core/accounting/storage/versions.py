"""The version of a database's tables, and the way back to an earlier one."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from . import migrate, sqlite
from .database import DatabaseError, make_engine, parse_url, shown_name


@dataclass(frozen=True, slots=True)
class TableVersions:
    """The version that a database has, and those that this program knows, oldest first, with what each of them added."""

    current: str | None
    """None: the database has no tables yet."""
    known: tuple[tuple[str, str], ...]


def table_versions(url: str | Path) -> TableVersions:
    """Read the version of a database without changing it. Raises DatabaseError."""
    parsed = parse_url(url)
    engine = make_engine(parsed)
    try:
        return TableVersions(migrate.current(engine), migrate.described())
    except SQLAlchemyError as err:
        raise DatabaseError(f"The database {shown_name(parsed)} cannot be read: {_first_line(err)}.") from None
    finally:
        engine.dispose()


def downgrade_tables(url: str | Path, version: str) -> Path | None:
    """Return the tables to `version`, in one transaction; what later versions added is deleted.

    No other program may use the database. Returns the path of the backup that was made before; None for PostgreSQL.
    Raises DatabaseError.
    """
    parsed = parse_url(url)
    engine = make_engine(parsed)
    try:
        known = [name for name, _ in migrate.described()]
        current = migrate.current(engine)
        if current not in known:
            raise DatabaseError(f"The tables have version {current}, which a later version of ZeroConf AI must downgrade.")
        if version not in known[: known.index(current)]:
            earlier = ", ".join(known[: known.index(current)]) or "none"
            raise DatabaseError(f"The tables have version {current}. Earlier versions: {earlier}.")
        copy = None
        if parsed.get_backend_name() == "sqlite":
            copy = sqlite.backup(Path(parsed.database or ""), f"before-{version}")
        migrate.downgrade(engine, version)
    except SQLAlchemyError as err:
        raise DatabaseError(f"The database {shown_name(parsed)} cannot be downgraded: {_first_line(err)}.") from None
    except OSError as err:
        raise DatabaseError(f"The backup cannot be written: {err.strerror or err}.") from None
    finally:
        engine.dispose()
    return copy


def _first_line(error: SQLAlchemyError) -> str:
    """The driver's message without the statement and its values."""
    return str(getattr(error, "orig", None) or error).partition("\n")[0]
