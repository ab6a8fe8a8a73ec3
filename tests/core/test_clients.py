"""The versions of clients: those in the table of docs/guides.md, which `scripts/clients --write` writes, and in tests/e2e."""

import json

from clients.installed import version
from clients.programs import PROGRAMS

from devhome import REPOSITORY


def test_table_of_clients_has_every_client_in_its_tested_version() -> None:
    text = (REPOSITORY / "docs/guides.md").read_text("utf-8")
    table = text.partition("<!-- table: clients -->")[2].partition("<!-- end of table -->")[0]
    rows = [tuple(cell.strip() for cell in line.split("|")[1:4]) for line in table.strip().splitlines()[2:]]
    assert rows == [(one.name, version(one), f"`{one.api}`") for one in PROGRAMS]


def test_agents_of_the_end_to_end_tests_have_the_versions_of_the_table() -> None:
    agents = json.loads((REPOSITORY / "tests/e2e/agents/package.json").read_text("utf-8"))["dependencies"]
    versions = {one.package: version(one) for one in PROGRAMS if not one.script}
    found = {
        package.removesuffix("-linux-x64"): text.split("@")[-1].removesuffix("-linux-x64") for package, text in agents.items()
    }
    wanted = {package.removesuffix("-linux-x64"): text for package, text in versions.items()}
    assert found.items() <= wanted.items()
    assert len(found) == 4
