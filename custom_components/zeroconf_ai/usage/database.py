"""Opens the accounting store: a file in the configuration folder, or a PostgreSQL database that gateways share."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
import shutil
from typing import Any, Self

from homeassistant.core import HomeAssistant, callback
from homeassistant.requirements import RequirementsNotFound, async_process_requirements
from homeassistant.util import dt as dt_util

from ..const import CONF_DATABASES, CONF_FIRST_KEY, DOMAIN
from ..core.accounting.storage.database import Database, DatabaseError, address_digest
from ..core.accounting.store import AccountingStore
from ..data import gateway_entry

DATABASE_FILE = "zeroconf_ai.db"
IMAGE_FOLDER = ("zeroconf_ai", "images")
TLS_FOLDER = ("zeroconf_ai", "tls")
"""Certificates and private keys of the gateway's separate port in the configuration folder, which backups contain."""
"""The folder of the images of conversations in the configuration folder, which backups of Home Assistant contain."""
CONF_DATABASE_URL = "database_url"
"""The database to use instead of the file in the configuration folder."""
CONF_KEEP_DAYS = "keep_days"
"""The retention time of usage records; daily sums are kept."""
CONF_KEEP_BODIES = "keep_bodies"
"""Whether prompts and answers are stored as long as the records."""
CONF_KEEP_CHATS_DAYS = "keep_chats_days"
"""For how many days after their last use the page's conversations are kept."""
DEFAULT_KEEP_DAYS = 7
DEFAULT_KEEP_CHATS_DAYS = 90

_FILE = "file"
"""Identifies the file in the configuration folder, whatever its path."""
_DRIVER = "psycopg[binary]>=3.2,<4"
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """The options with which the store is opened. They are stored in the gateway's entry."""

    url: str | None = field(default=None, repr=False)
    """None: the file in the configuration folder."""
    keep_days: int = DEFAULT_KEEP_DAYS
    keep_bodies: bool = False
    keep_chats_days: int = DEFAULT_KEEP_CHATS_DAYS

    @classmethod
    def of(cls, hass: HomeAssistant) -> Self:
        """The gateway's options, loaded or not; the defaults without a gateway."""
        entry = gateway_entry(hass)
        return cls() if entry is None else cls.read(entry.options)

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Self:
        """Read the options of the gateway's entry."""
        return cls(
            options.get(CONF_DATABASE_URL),
            options.get(CONF_KEEP_DAYS, DEFAULT_KEEP_DAYS),
            options.get(CONF_KEEP_BODIES, False),
            options.get(CONF_KEEP_CHATS_DAYS, DEFAULT_KEEP_CHATS_DAYS),
        )

    @property
    def address(self) -> str:
        """Identifies the database in `CONF_DATABASES`. Raises DatabaseError."""
        return _FILE if self.url is None else address_digest(self.url)


async def async_open_store(hass: HomeAssistant, options: StoreOptions) -> AccountingStore:
    """Open the accounting store. Raises DatabaseError with a message that says what to do.

    The gateway's entry stores the id of the database, so that a lost database can be told from a new one. Without a gateway there
    are no keys and budgets whose loss the owner must know of.
    """
    await _ensure_driver(hass, options.url)
    entry = gateway_entry(hass)
    known: Mapping[str, str] | None = None if entry is None else entry.data.get(CONF_DATABASES)
    address = options.address
    store = await AccountingStore.open(
        options.url or f"sqlite:///{hass.config.path(DATABASE_FILE)}",
        zone=dt_util.get_default_time_zone(),
        keep=options.keep_days * _DAY,
        keep_bodies=options.keep_bodies,
        keep_chats=options.keep_chats_days * _DAY,
        image_folder=Path(hass.config.path(*IMAGE_FOLDER)),
        known_id=None if known is None else known.get(address),
        # Entries of older versions have no stored id, and have CONF_FIRST_KEY only until they are first loaded.
        used_before=entry is not None and known is None and CONF_FIRST_KEY not in entry.data,
    )
    if entry is None and store.loss_unconfirmed:
        try:
            await store.confirm_loss()
        except BaseException:
            await store.close()
            raise
    return store


@callback
def remember_database(hass: HomeAssistant, store: AccountingStore, options: StoreOptions) -> None:
    """Store the id of the database in the gateway's entry."""
    entry = gateway_entry(hass)
    if entry is None:
        return
    known: Mapping[str, str] = entry.data.get(CONF_DATABASES) or {}
    if CONF_DATABASES not in entry.data or known.get(options.address) != store.id:
        databases = {**known, options.address: store.id}
        hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_DATABASES: databases})


async def async_test_database(hass: HomeAssistant, url: str) -> None:
    """Check that a database can be opened and has or gets its tables. Raises DatabaseError."""
    await _ensure_driver(hass, url)
    database = await Database.open(url, set_damaged_aside=False)
    await database.close()


async def async_remove_files(hass: HomeAssistant) -> None:
    """Delete the file in the configuration folder, its copies, the images, and the gateway's certificates, which its clients pin.

    Other databases belong to their owner and stay.
    """
    await hass.async_add_executor_job(_remove_files, Path(hass.config.config_dir))


def _remove_files(folder: Path) -> None:
    for file in folder.glob(f"{DATABASE_FILE}*"):
        with suppress(OSError):
            file.unlink()
    for ours in (IMAGE_FOLDER, TLS_FOLDER):
        shutil.rmtree(folder.joinpath(*ours), ignore_errors=True)
    with suppress(OSError):  # it contains other files
        (folder / IMAGE_FOLDER[0]).rmdir()


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
