"""Links of connectors, by the broker that has them."""

from alembic import op
import sqlalchemy as sa

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "broker_links",
        sa.Column("connector_id", sa.String(32), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("beat", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("connector_id", "url", name="pk_broker_links"),
    )


def downgrade() -> None:
    """Drop it: links are opened anew."""
    op.drop_table("broker_links")
