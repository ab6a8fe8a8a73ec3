"""Hosted tools that API keys are granted."""

from alembic import op
import sqlalchemy as sa

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column. NULL: none, as for the keys that exist."""
    op.add_column("keys", sa.Column("hosted_tools", sa.JSON))


def downgrade() -> None:
    """Drop the column and its values."""
    op.drop_column("keys", "hosted_tools")
