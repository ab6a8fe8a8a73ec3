"""`scripts/soak` for some seconds: it has to go on being able to find what it looks for."""

from pathlib import Path
import random

from soak.clients import Outcome
from soak.run import soak

from devhome.namespaces import Lan

SECONDS = 20


async def test_soak_loses_no_request_and_records_what_the_clients_saw(lan: Lan, tmp_path: Path) -> None:
    found = await soak(lan, tmp_path, SECONDS, 4, random.Random(7), clock=None)
    count = found.clients.count()
    assert found.lost == 0, found.report()
    assert found.differing == []
    assert count[Outcome.ANSWERED] > 0
    assert found.faults.happened
