"""Limits of keys, budgets and what is spent of them, and the counters of gateways that share a database."""

from alembic import op
import sqlalchemy as sa

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

LIMITS = ("requests_per_minute", "tokens_per_minute", "parallel")


def upgrade() -> None:
    """Add columns and make tables."""
    with op.batch_alter_table("keys") as keys:
        for limit in LIMITS:
            keys.add_column(sa.Column(limit, sa.BigInteger))
    op.create_table(
        "budgets",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("period", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("thresholds", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_budgets"),
    )
    op.create_table(
        "accounts",
        sa.Column("budget_id", sa.Text, nullable=False),
        sa.Column("label", sa.String(10), nullable=False),
        sa.Column("spent", sa.BigInteger, nullable=False),
        sa.Column("reserved", sa.BigInteger, nullable=False),
        sa.Column("warned", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("budget_id", "label", name="pk_accounts"),
    )
    op.create_table(
        "reservations",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("budget_id", sa.Text, nullable=False),
        sa.Column("label", sa.String(10), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", "budget_id", name="pk_reservations"),
    )
    op.create_index("ix_reservations_expires", "reservations", ["expires"])
    op.create_table(
        "buckets",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("level", sa.Double, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_buckets"),
    )
    op.create_index("ix_buckets_at", "buckets", ["at"])
    op.execute("INSERT INTO counters (name, value) VALUES ('budgets', 0)")


def downgrade() -> None:
    """Drop them, with all that is in them."""
    op.execute("DELETE FROM counters WHERE name = 'budgets'")
    for table in ("buckets", "reservations", "accounts", "budgets"):
        op.drop_table(table)
    with op.batch_alter_table("keys") as keys:
        for limit in reversed(LIMITS):
            keys.drop_column(limit)
