"""Connectors that were paired over the relay."""

from alembic import op
import sqlalchemy as sa

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "relay_connectors",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("key", sa.LargeBinary(32), nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("last_seen", sa.Double),
        sa.PrimaryKeyConstraint("id", name="pk_relay_connectors"),
        sa.UniqueConstraint("key", name="uq_relay_connectors_key"),
    )


def downgrade() -> None:
    """Drop it: the connectors must be paired again."""
    op.drop_table("relay_connectors")
