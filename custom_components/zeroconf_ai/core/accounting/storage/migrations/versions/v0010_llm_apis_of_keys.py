"""The LLM APIs of Home Assistant that API keys may use."""

from alembic import op
import sqlalchemy as sa

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column. NULL: none, as for the keys that exist."""
    op.add_column("keys", sa.Column("llm_apis", sa.JSON))


def downgrade() -> None:
    """Drop the column and its values."""
    op.drop_column("keys", "llm_apis")
