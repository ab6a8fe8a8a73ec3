"""The table of tested clients in docs/guides.md, which `scripts/clients --write` writes."""

from clients.installed import version
from clients.programs import PROGRAMS

from devhome import REPOSITORY


def test_table_of_clients_has_every_client_in_its_tested_version() -> None:
    text = (REPOSITORY / "docs/guides.md").read_text("utf-8")
    table = text.partition("<!-- table: clients -->")[2].partition("<!-- end of table -->")[0]
    rows = [tuple(cell.strip() for cell in line.split("|")[1:4]) for line in table.strip().splitlines()[2:]]
    assert rows == [(one.name, version(one), f"`{one.api}`") for one in PROGRAMS]
