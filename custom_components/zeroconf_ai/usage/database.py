"""Where the books of the gateway are kept: a file in Home Assistant's folder, or a PostgreSQL server that gateways share."""

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
"""Replaces the file in the configuration's folder."""
CONF_KEEP_DAYS = "keep_days"
"""For so long the record of each request is kept; the sums of days stay."""
CONF_KEEP_BODIES = "keep_bodies"
"""Whether what is asked and answered is kept as long as the records."""
DEFAULT_KEEP_DAYS = 7
KEYS = (CONF_DATABASE_URL, CONF_KEEP_DAYS, CONF_KEEP_BODIES)
"""Options that apply when the gateway is loaded."""

_FILE = "file"
"""The file in the configuration's folder, wherever that is."""
_DRIVER = "psycopg[binary]>=3.2,<4"
_DAY = 86_400.0


async def async_open_store(hass: HomeAssistant, entry: ConfigEntry) -> AccountingStore:
    """The books as the entry's options want them. Raises DatabaseError, saying what to do.

    Which database that is, the entry remembers: one that is gone the next time is known from one that never was.
    """
    options = entry.options
    url = options.get(CONF_DATABASE_URL)
    await _have_driver(hass, url)
    address = _FILE if url is None else address_digest(url)
    known: Mapping[str, str] | None = entry.data.get(CONF_DATABASES)
    store = await AccountingStore.open(
        url or f"sqlite:///{hass.config.path(DATABASE_FILE)}",
        zone=dt_util.get_default_time_zone(),
        keep=options.get(CONF_KEEP_DAYS, DEFAULT_KEEP_DAYS) * _DAY,
        keep_bodies=options.get(CONF_KEEP_BODIES, False),
        known_id=None if known is None else known.get(address),
        # An entry from before databases were remembered has its first key until it is loaded for the first time.
        used_before=known is None and CONF_FIRST_KEY not in entry.data,
    )
    if known is None or known.get(address) != store.id:
        databases = {**(known or {}), address: store.id}
        hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_DATABASES: databases})
    return store


async def async_test_database(hass: HomeAssistant, url: str) -> None:
    """See that a database can be used, and has or gets its tables. Raises DatabaseError, saying what to do."""
    await _have_driver(hass, url)
    database = await Database.open(url, set_damaged_aside=False)
    await database.close()


async def async_remove_files(hass: HomeAssistant) -> None:
    """Remove the file in the configuration's folder with its copies. A database of another address is its owner's."""
    await hass.async_add_executor_job(_remove_files, Path(hass.config.config_dir))


def _remove_files(folder: Path) -> None:
    for file in folder.glob(f"{DATABASE_FILE}*"):
        with suppress(OSError):
            file.unlink()


async def _have_driver(hass: HomeAssistant, url: str | None) -> None:
    """Install what speaks to PostgreSQL: nobody else needs it. Raises DatabaseError."""
    if url is None or not url.startswith("postgres") or find_spec("psycopg") is not None:
        return
    try:
        await async_process_requirements(hass, DOMAIN, [_DRIVER], is_built_in=False)
    except RequirementsNotFound:
        raise DatabaseError(
            "The driver for PostgreSQL could not be installed. See Home Assistant's log, and check that it reaches the internet."
        ) from None
