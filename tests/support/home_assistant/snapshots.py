"""Snapshots in Home Assistant's form, which leaves out ids and times."""

from pathlib import Path
from typing import override

from pytest_homeassistant_custom_component.syrupy import HomeAssistantSnapshotExtension
from syrupy.location import PyTestLocation
from syrupy.types import SnapshotIndex


class PlatformSnapshots(HomeAssistantSnapshotExtension):
    """A file for each platform that a test has as its parameter: `snapshots/test_entities/test_all_entities[sensor].ambr`."""

    @override
    @classmethod
    def dirname(cls, *, test_location: PyTestLocation) -> str:
        folder = super().dirname(test_location=test_location)
        return str(Path(folder, test_location.basename)) if _has_platform(test_location) else folder

    @override
    @classmethod
    def get_file_basename(cls, *, test_location: PyTestLocation, index: SnapshotIndex) -> str:
        if _has_platform(test_location):
            return test_location.snapshot_name_parametrized
        return super().get_file_basename(test_location=test_location, index=index)


def _has_platform(test_location: PyTestLocation) -> bool:
    call = getattr(test_location.item, "callspec", None)
    return call is not None and "platform" in call.params
