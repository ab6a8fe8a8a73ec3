"""API keys whose requests stay at home."""

from alembic import op
import sqlalchemy as sa

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. Requests of the keys that exist may leave the home as before."""
    op.add_column("keys", sa.Column("home_only", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Drop the column and its values."""
    op.drop_column("keys", "home_only")
