"""Failed attempts by day and month, and the opening balances of Home Assistant's sensors."""

from alembic import op
import sqlalchemy as sa

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SUMS = ("rollups", "key_rollups", "key_months")


def upgrade() -> None:
    """Add a column to the sums, and a table."""
    for table in SUMS:
        op.add_column(table, sa.Column("failed_attempts", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "opening_balances",
        sa.Column("backend_id", sa.Text, nullable=False),
        sa.Column("measure", sa.String(32), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(8), nullable=False),
        sa.PrimaryKeyConstraint("backend_id", "measure", name="pk_opening_balances"),
    )


def downgrade() -> None:
    """Drop them, with what they hold."""
    op.drop_table("opening_balances")
    for table in SUMS:
        op.drop_column(table, "failed_attempts")
