"""An installation of an earlier version, restored for the current version. See `installations/README.md`."""

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
import shutil
import sqlite3
from typing import Any

FOLDER = Path(__file__).parent / "installations"

MOVE_RECORDER = (
    "UPDATE statistics SET start_ts = start_ts + :seconds, last_reset_ts = last_reset_ts + :seconds",
    "UPDATE statistics_short_term SET start_ts = start_ts + :seconds, last_reset_ts = last_reset_ts + :seconds",
    # As the recorder writes them: without a time zone, with microseconds.
    "UPDATE statistics_runs SET start = strftime('%Y-%m-%d %H:%M:%f000', start, :seconds || ' seconds')",
)
MOVE_ACCOUNTING = (
    "UPDATE audit SET at = at + :seconds",
    "UPDATE bodies SET created = created + :seconds",
    "UPDATE conversations SET created = created + :seconds, last_used = last_used + :seconds",
    "UPDATE generations SET created = created + :seconds",
    "UPDATE keys SET created = created + :seconds, last_used = last_used + :seconds",
    "UPDATE rollups SET day = :today",
    "UPDATE key_rollups SET day = :today",
    "UPDATE key_months SET month = :month",
    "UPDATE accounts SET label = :month",
)
"""The home is in the time zone UTC; its budgets are monthly."""


@dataclass(frozen=True)
class Installation:
    """The stored files, and the states that the installation showed."""

    folder: Path
    expected: dict[str, Any]
    left_out: str | None = None
    """The id of a config entry that is not restored."""

    @classmethod
    def of(cls, commit: str) -> Installation:
        """The installation made by a commit."""
        folder = FOLDER / commit
        return cls(folder, json.loads((folder / "expected.json").read_text(encoding="utf-8")))

    def without(self, entry_id: str) -> Installation:
        """The same installation without this config entry. Without a gateway there is no accounting database."""
        return replace(self, left_out=entry_id)

    @property
    def entities(self) -> dict[str, dict[str, Any]]:
        """By unique id: `entity_id`, `state` and so on."""
        return {entity["unique_id"]: entity for entity in self.expected["entities"] if self._has(entity["config_entry_id"])}

    @property
    def has_gateway(self) -> bool:
        """Whether the gateway's entry exists."""
        return self._has(self.expected["gateway"])

    @property
    def secrets(self) -> dict[str, str]:
        """The API keys by name."""
        return dict(self.expected["secrets"])

    def totals(self) -> dict[str, float]:
        """By unique id: the values of the sensors with the state class total."""
        numbers = {key: entity["state"] for key, entity in self.entities.items() if "unit" in entity}
        return {key: float(state) for key, state in numbers.items() if state not in ("unknown", "unavailable")}

    def entries(self) -> list[dict[str, Any]]:
        """The config entries as they are stored, with their subentries."""
        text = (self.folder / "storage" / "core.config_entries").read_text(encoding="utf-8")
        return [entry for entry in json.loads(text)["data"]["entries"] if self._has(entry["entry_id"])]

    def restore(self, config: Path) -> None:
        """Restore it into Home Assistant's configuration folder, with its last hour moved to the last hour before now."""
        now = datetime.now(UTC)
        last_hour = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
        moved = {
            "seconds": last_hour.timestamp() - self.expected["hour"],
            "today": now.date().isoformat(),
            "month": now.date().replace(day=1).isoformat(),
        }
        shutil.copytree(self.folder / "storage", config / ".storage")
        if self.left_out is not None:
            self._leave_out(config / ".storage")
        shutil.copy(self.folder / "developer-login.json", config)
        self._make_database("recorder.sql", config / "home-assistant_v2.db", MOVE_RECORDER, moved)
        if self.has_gateway:
            self._make_database("accounting.sql", config / "zeroconf_ai.db", MOVE_ACCOUNTING, moved)

    def _has(self, entry_id: str) -> bool:
        return entry_id != self.left_out

    def _leave_out(self, storage: Path) -> None:
        entity_ids = {entity["entity_id"] for entity in self.entities.values()}
        for name, part, is_kept in (
            ("core.config_entries", "entries", lambda entry: self._has(entry["entry_id"])),
            ("core.device_registry", "devices", lambda device: self._has(device["config_entry_id"])),
            ("core.entity_registry", "entities", lambda entity: self._has(entity["config_entry_id"])),
            ("core.restore_state", None, lambda restored: restored["state"]["entity_id"] in entity_ids),
        ):
            file = storage / name
            stored = json.loads(file.read_text(encoding="utf-8"))
            if part is None:
                stored["data"] = list(filter(is_kept, stored["data"]))
            else:
                stored["data"][part] = list(filter(is_kept, stored["data"][part]))
            file.write_text(json.dumps(stored), encoding="utf-8")

    def _make_database(self, script: str, file: Path, statements: Iterable[str], moved: Mapping[str, Any]) -> None:
        with closing(sqlite3.connect(file)) as database:
            database.executescript((self.folder / script).read_text(encoding="utf-8"))
            for statement in statements:
                database.execute(statement, moved)
            database.commit()
