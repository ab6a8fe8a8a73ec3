"""A pytest plugin for scripts/test: appends `passed failed skipped` of a run to the file that TEST_COUNTS names."""

import os
from pathlib import Path

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write the figures of pytest's own last line; an error in a fixture counts as a failure."""
    if hasattr(terminalreporter.config, "workerinput"):  # one of several processes of a run, which counts for them all
        return
    stats = terminalreporter.stats
    passed, failed, errors, skipped = (len(stats.get(name, [])) for name in ("passed", "failed", "error", "skipped"))
    with Path(os.environ["TEST_COUNTS"]).open("a", encoding="utf-8") as file:
        file.write(f"{passed} {failed + errors} {skipped}\n")
