"""The id of the answer, the state of the provider, the cost of the prompt and the failed attempts of each record."""

from alembic import op
import sqlalchemy as sa

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COLUMNS = (("answer_id", sa.Text), ("provider_health", sa.Text), ("prompt_cost", sa.BigInteger), ("failed_attempts", sa.JSON))


def upgrade() -> None:
    """Add the columns, and an index to find a record by its answer."""
    for name, kind in COLUMNS:
        op.add_column("generations", sa.Column(name, kind))
    op.create_index("ix_generations_answer_id", "generations", ["answer_id"])


def downgrade() -> None:
    """Drop them, with what they hold."""
    op.drop_index("ix_generations_answer_id", "generations")
    for name, _kind in reversed(COLUMNS):
        op.drop_column("generations", name)
