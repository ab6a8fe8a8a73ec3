"""A recorder that keeps its records in memory."""

from typing import override

from zeroconf_ai.accounting.usage.generation import Generation, Recorder


class MemoryRecorder(Recorder):
    """Keeps the recorded generations in order."""

    def __init__(self) -> None:
        self.entries: list[Generation] = []

    @override
    def record(self, generation: Generation) -> None:
        self.entries.append(generation)

    @property
    def only(self) -> Generation:
        """The only entry."""
        (entry,) = self.entries
        return entry
