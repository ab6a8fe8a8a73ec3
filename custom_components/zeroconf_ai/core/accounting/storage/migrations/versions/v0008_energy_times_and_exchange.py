"""The energy, the times and the converted cost of each record; the energy, its cost and the cost in budgets in the sums."""

from alembic import op
import sqlalchemy as sa

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

COLUMNS = (
    ("energy", sa.Double),
    ("sent", sa.Double),
    ("first_byte", sa.Double),
    ("converted_cost", sa.BigInteger),
    ("converted_currency", sa.String(8)),
)
SUMS = ("rollups", "key_rollups", "key_months")


def upgrade() -> None:
    """Add the columns."""
    for name, kind in COLUMNS:
        op.add_column("generations", sa.Column(name, kind))
    for table in SUMS:
        op.add_column(table, sa.Column("energy_cost", sa.BigInteger, nullable=False, server_default="0"))
        op.add_column(table, sa.Column("budget_cost", sa.BigInteger, nullable=False, server_default="0"))
        op.add_column(table, sa.Column("energy", sa.Double, nullable=False, server_default="0"))
        sums = sa.table(table, sa.column("cost", sa.BigInteger), sa.column("budget_cost", sa.BigInteger))
        op.execute(sums.update().values(budget_cost=sums.c.cost))


def downgrade() -> None:
    """Drop them, with what they hold."""
    for table in SUMS:
        op.drop_column(table, "energy")
        op.drop_column(table, "budget_cost")
        op.drop_column(table, "energy_cost")
    for name, _kind in reversed(COLUMNS):
        op.drop_column("generations", name)
