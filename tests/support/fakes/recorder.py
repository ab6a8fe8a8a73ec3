"""A recorder that keeps its records in memory."""

from typing import override

from zeroconf_ai.accounting.usage.generation import Generation, Recorder


class MemoryRecorder(Recorder):
    """Keeps the recorded generations in order."""

    def __init__(self, recordings: "list[MemoryRecorder] | None" = None) -> None:
        """`recordings`: a list of several recorders, which each extends by itself whenever it records."""
        self.entries: list[Generation] = []
        self._recordings = [] if recordings is None else recordings

    @override
    def record(self, generation: Generation) -> None:
        self.entries.append(generation)
        self._recordings.append(self)

    @property
    def ids(self) -> list[str]:
        """The ids of the entries."""
        return [entry.id for entry in self.entries]

    @property
    def only(self) -> Generation:
        """The only entry."""
        (entry,) = self.entries
        return entry
