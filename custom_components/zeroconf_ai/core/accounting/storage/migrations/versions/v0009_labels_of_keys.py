"""Labels of API keys, and who disabled a key."""

from alembic import op
import sqlalchemy as sa

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table and a column. Keys that are disabled now were disabled by an administrator."""
    op.create_table(
        "key_labels",
        sa.Column("key_id", sa.String(32), nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("key_id", "label", name="pk_key_labels"),
    )
    op.create_index("ix_key_labels_label", "key_labels", ["label"])
    op.add_column("keys", sa.Column("disabled_by", sa.Text))
    op.execute("UPDATE keys SET disabled_by = '' WHERE NOT enabled")


def downgrade() -> None:
    """Drop them, with what they hold."""
    op.drop_column("keys", "disabled_by")
    op.drop_index("ix_key_labels_label", "key_labels")
    op.drop_table("key_labels")
