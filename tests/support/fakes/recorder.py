"""A recorder that keeps its records in memory."""

from typing import override

from zeroconf_ai.accounting.usage.generation import Generation, Recorder


class MemoryRecorder(Recorder):
    """Keeps what it is given, in order."""

    def __init__(self) -> None:
        self.entries: list[Generation] = []

    @override
    def record(self, generation: Generation) -> None:
        self.entries.append(generation)

    @property
    def only(self) -> Generation:
        """The one entry."""
        (entry,) = self.entries
        return entry
