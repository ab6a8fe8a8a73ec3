"""Opens the accounting store: a file in the configuration folder, or a PostgreSQL database that gateways share."""

from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.requirements import RequirementsNotFound, async_process_requirements
from homeassistant.util import dt as dt_util

from ..const import CONF_DATABASES, CONF_FIRST_KEY, DOMAIN
from ..core.accounting.storage.database import Database, DatabaseError, address_digest
from ..core.accounting.store import AccountingStore

DATABASE_FILE = "zeroconf_ai.db"
CONF_DATABASE_URL = "database_url"
"""The database to use instead of the file in the configuration folder."""
CONF_KEEP_DAYS = "keep_days"
"""The retention time of usage records; daily sums are kept."""
CONF_KEEP_BODIES = "keep_bodies"
"""Whether prompts and answers are stored as long as the records."""
DEFAULT_KEEP_DAYS = 7
STORE_OPTIONS = (CONF_DATABASE_URL, CONF_KEEP_DAYS, CONF_KEEP_BODIES)
"""Options that require a reload of the gateway."""

_FILE = "file"
"""Identifies the file in the configuration folder, whatever its path."""
_DRIVER = "psycopg[binary]>=3.2,<4"
_DAY = 86_400.0


async def async_open_store(hass: HomeAssistant, entry: ConfigEntry) -> AccountingStore:
    """Open the accounting store with the entry's options. Raises DatabaseError with a message that says what to do.

    The entry stores the id of the database, so that a lost database can be told from a new one.
    """
    options = entry.options
    url = options.get(CONF_DATABASE_URL)
    await _ensure_driver(hass, url)
    address = _FILE if url is None else address_digest(url)
    known: Mapping[str, str] | None = entry.data.get(CONF_DATABASES)
    store = await AccountingStore.open(
        url or f"sqlite:///{hass.config.path(DATABASE_FILE)}",
        zone=dt_util.get_default_time_zone(),
        keep=options.get(CONF_KEEP_DAYS, DEFAULT_KEEP_DAYS) * _DAY,
        keep_bodies=options.get(CONF_KEEP_BODIES, False),
        known_id=None if known is None else known.get(address),
        # Entries of older versions have no stored id, and have CONF_FIRST_KEY only until they are first loaded.
        used_before=known is None and CONF_FIRST_KEY not in entry.data,
    )
    if known is None or known.get(address) != store.id:
        databases = {**(known or {}), address: store.id}
        hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_DATABASES: databases})
    return store


async def async_test_database(hass: HomeAssistant, url: str) -> None:
    """Check that a database can be opened and has or gets its tables. Raises DatabaseError."""
    await _ensure_driver(hass, url)
    database = await Database.open(url, set_damaged_aside=False)
    await database.close()


async def async_remove_files(hass: HomeAssistant) -> None:
    """Delete the file in the configuration folder and its copies. Other databases belong to their owner and stay."""
    await hass.async_add_executor_job(_remove_files, Path(hass.config.config_dir))


def _remove_files(folder: Path) -> None:
    for file in folder.glob(f"{DATABASE_FILE}*"):
        with suppress(OSError):
            file.unlink()


async def _ensure_driver(hass: HomeAssistant, url: str | None) -> None:
    """Install the PostgreSQL driver if the URL needs it. Raises DatabaseError."""
    if url is None or not url.startswith("postgres") or find_spec("psycopg") is not None:
        return
    try:
        await async_process_requirements(hass, DOMAIN, [_DRIVER], is_built_in=False)
    except RequirementsNotFound:
        raise DatabaseError(
            "The driver for PostgreSQL could not be installed. See Home Assistant's log, and check that it reaches the internet."
        ) from None
